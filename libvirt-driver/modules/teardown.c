/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * teardown.c: asynchronous destruction of a protected guest's old memory
 *
 * At reboot QEMU and the kernel do it, and the provider can turn it off and look at it. At exit
 * it is libvirt's own <features><async-teardown/>.
 */
#include "ward-error.h"
#include "ward-module.h"

/* libvirt 9.6 is the first to know <async-teardown/>. */
#define LIBVIRT_WITH_ASYNC_TEARDOWN 9006000

/* Of a job: the WardTeardownCounts when it began. */
#define SINCE "ward-teardown-since"

static gboolean
check_on_exit(const WardModuleContext *context, GError **error)
{
    WardTeardownMode wanted = context->wanted->teardown->on_exit;
    gulong version = context->libvirt_version;

    if (wanted == WARD_TEARDOWN_UNSET || !context->xml || context->xml->on_exit == wanted)
        return TRUE;
    if (wanted == WARD_TEARDOWN_SYNC && context->xml->on_exit == WARD_TEARDOWN_UNSET)
        return TRUE;
    if (version && version < LIBVIRT_WITH_ASYNC_TEARDOWN)
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "teardown: onExit='async' needs libvirt 9.6 or later, this is %lu.%lu.%lu",
                    version / 1000000, version / 1000 % 1000, version % 1000);
    else
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "teardown: onExit='%s' needs <async-teardown enabled='%s'/> in the domain's "
                    "<features>",
                    ward_teardown_mode_to_string(wanted),
                    wanted == WARD_TEARDOWN_ASYNC ? "yes" : "no");
    return FALSE;
}

static gboolean
teardown_check(const WardModuleContext *context, GError **error)
{
    gboolean simulated = g_str_equal(context->support->provider, "simulated");

    if (!simulated && context->xml &&
        context->xml->launch_security != WARD_LAUNCH_SECURITY_S390_PV) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "teardown: the domain has no <launchSecurity type='s390-pv'/>, so it has no "
                    "protected memory to tear down; add it, or remove <ward:teardown>");
        return FALSE;
    }
    return check_on_exit(context, error);
}

static gboolean
teardown_set(const WardModuleContext *context, WardTeardownMode mode, GError **error)
{
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(context->provider);

    return iface->teardown_set(context->provider, context->target, mode, error) &&
           iface->teardown_read(context->provider, context->target, &context->actual->teardown,
                                error);
}

/* All places of the host are taken, and the domain has none. */
static gboolean
is_held_back(const WardModuleContext *context)
{
    return context->teardown_full && !context->teardown_place &&
           context->wanted->teardown->on_reboot == WARD_TEARDOWN_ASYNC;
}

static char *
make_note_of_limit(const WardModuleContext *context, const WardTeardownActual *now)
{
    return g_strdup_printf("as many teardowns run as this host may have at once (%u): until one "
                           "ends, %s",
                           context->max_teardowns,
                           now->abandoned ? "the old guest that QEMU has left set aside stays so"
                                          : "this domain's reboots are synchronous");
}

/* What is seen from outside QEMU, and what is not. */
static char *
make_note_of_sight(const WardModuleContext *context, const WardTeardownActual *now)
{
    const char *unknown = now->phase == WARD_TEARDOWN_PHASE_UNKNOWN
                              ? "QEMU's process cannot be found, so nothing is known of a teardown"
                              : "how far a teardown is, how long it took and whether it failed is "
                                "unknown: this kernel does not tell";

    if (!now->exit_helper)
        return now->counted ? NULL : g_strdup(unknown);
    return g_strdup_printf("teardown at exit: QEMU's helper process cleanup/%d is ready%s%s",
                           context->target->pid, now->counted ? "" : "; ",
                           now->counted ? "" : unknown);
}

/* In force, and there is something to say: the worst first. NULL: there is not. */
static char *
make_note(const WardModuleContext *context, const WardTeardownActual *now)
{
    if (is_held_back(context))
        return make_note_of_limit(context, now);
    if (now->perform_errno)
        return g_strdup_printf("QEMU has left its old guest set aside, and virtward cannot tear "
                               "it down: %s",
                               g_strerror(now->perform_errno));
    if (now->abandoned)
        return g_strdup("QEMU has left its old guest set aside: virtward tears it down");
    if (now->last_failed)
        return ward_teardown_describe_failure(now);
    return make_note_of_sight(context, now);
}

/* Only with a place, if these are counted: the notice that follows takes one. */
static gboolean
perform(const WardModuleContext *context, GError **error)
{
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(context->provider);
    gboolean may = !context->max_teardowns || context->teardown_place;

    return !may || !context->actual->teardown.abandoned || !iface->teardown_perform ||
           iface->teardown_perform(context->provider, context->target, error);
}

/* A limit that this host cannot keep is no reason to take the teardown away. */
static gboolean
hold_back(const WardModuleContext *context, char **note, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (teardown_set(context, WARD_TEARDOWN_SYNC, &local))
        return TRUE;
    if (!g_error_matches(local, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    *note = g_strdup_printf("the limit of %u teardowns at once cannot be kept: %s",
                            context->max_teardowns, local->message);
    return teardown_set(context, WARD_TEARDOWN_ASYNC, error);
}

/* It is a wish: a teardown that runs with the usual weight is in force all the same. NULL: it was
 * granted, or none runs. */
static char *
weigh(const WardModuleContext *context)
{
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(context->provider);
    g_autoptr(GError) error = NULL;

    if (!context->teardown_weight || !iface->teardown_weigh ||
        context->actual->teardown.phase != WARD_TEARDOWN_PHASE_RUNNING ||
        iface->teardown_weigh(context->provider, context->target, context->teardown_weight, &error))
        return NULL;
    return g_strdup_printf("the teardown runs with the usual CPU weight and not with %u: %s",
                           context->teardown_weight, error->message);
}

static gboolean
teardown_apply(const WardModuleContext *context, GError **error)
{
    g_autofree char *note = NULL;
    gboolean set = is_held_back(context)
                       ? hold_back(context, &note, error)
                       : teardown_set(context, context->wanted->teardown->on_reboot, error);

    if (!set || !perform(context, error))
        return FALSE;
    if (!note)
        note = weigh(context);
    if (!note)
        note = make_note(context, &context->actual->teardown);
    ward_actual_set_status(context->actual, WARD_PROTECTION_TEARDOWN, WARD_STATUS_ACTIVE,
                           g_steal_pointer(&note));
    return TRUE;
}

/* Asynchronous is the kernel's own default. A domain without a VM of KVM's has nothing else. */
static gboolean
teardown_undo(const WardModuleContext *context, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (teardown_set(context, WARD_TEARDOWN_ASYNC, &local) || ward_module_is_without_vm(local))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&local));
    return FALSE;
}

/* @since: how it was when the job began, which the job keeps. */
static void
begin_job(WardManager *manager,
          WardDomain *domain,
          const WardTeardownActual *now,
          const WardTeardownCounts *since)
{
    g_autoptr(WardJob) job =
        ward_manager_new_job(manager, "teardown", domain, "bytes", now->cancellable);

    g_object_set_data_full(G_OBJECT(job), SINCE, g_memdup2(since, sizeof *since), g_free);
    ward_job_set_progress(job, now->bytes_done, now->bytes_total);
    ward_domain_set_teardown_job(domain, job);
    ward_manager_add_job(manager, job);
    ward_domain_emit_event(domain, WARD_PROTECTION_TEARDOWN, "Started", NULL, now->bytes_total);
}

/* A domain that is gone takes its leftover memory with it: there is nothing to compare then. */
static gboolean
has_more(const WardTeardownActual *now, guint64 count, guint64 before)
{
    return now->counted && count > before;
}

static void
end_job(WardManager *manager, WardDomain *domain, const WardTeardownActual *now)
{
    g_autoptr(WardJob) job = g_object_ref(ward_domain_get_teardown_job(domain));
    const WardTeardownCounts *since = g_object_get_data(G_OBJECT(job), SINCE);
    gboolean failed = has_more(now, now->counts.failed, since->failed);
    gboolean interrupted = now->phase == WARD_TEARDOWN_PHASE_INTERRUPTED ||
                           has_more(now, now->counts.stopped, since->stopped);
    g_autofree char *message = failed ? ward_teardown_describe_failure(now) : g_strdup("");

    /* Nothing more can be read of a domain that is gone. */
    if (now->bytes_total)
        ward_job_set_progress(job, now->bytes_done, now->bytes_total);
    ward_domain_set_teardown_job(domain, NULL);
    ward_manager_end_job(manager, job,
                         failed        ? "failed"
                         : interrupted ? "cancelled"
                                       : "completed",
                         message);
    if (interrupted && !failed)
        ward_domain_emit_event(domain, WARD_PROTECTION_TEARDOWN, "Interrupted", NULL,
                               now->bytes_total - now->bytes_done);
    else if (!failed)
        ward_domain_emit_event(domain, WARD_PROTECTION_TEARDOWN, "Finished", NULL,
                               now->last_duration_us);
}

static void
notice_failure(WardDomain *domain, const WardTeardownActual *now)
{
    g_autofree char *codes = ward_teardown_describe_failure(now);

    g_warning("domain '%s': teardown: %s", ward_domain_get_name(domain), codes);
    ward_domain_emit_event(domain, WARD_PROTECTION_TEARDOWN, "Failed", codes,
                           (guint64)now->rc << 16 | now->rrc);
}

/* A place is held from the moment that it is given to an old guest that is set aside until the
 * kernel has begun with it, and while a teardown runs. */
static void
update_place(WardManager *manager, WardDomain *domain, const WardTeardownActual *now)
{
    gboolean runs = ward_domain_get_teardown_job(domain) != NULL;
    gboolean waits = now->phase == WARD_TEARDOWN_PHASE_SET_ASIDE && !now->perform_errno;
    gboolean had = domain->teardown_place;
    gboolean gets = now->abandoned && !had && ward_teardown_places_has_free(manager);

    ward_teardown_places_set(manager, domain, runs || (waits && (had || gets)));
    if (gets && !runs && manager->max_teardowns)
        ward_sync(manager, domain, WARD_SYNC_HOST, NULL);
}

/* Some begin and end between two looks. Of those before the first look nothing is told. */
static void
teardown_notice(WardManager *manager, WardDomain *domain, const WardActual *before)
{
    const WardTeardownActual *now = &ward_domain_get_actual(domain)->teardown;
    const WardTeardownActual *then = &before->teardown;
    gboolean running = now->phase == WARD_TEARDOWN_PHASE_RUNNING;
    gboolean missed = then->counted && has_more(now, now->counts.started, then->counts.started);

    if (!ward_domain_get_teardown_job(domain) && (running || missed)) {
        begin_job(manager, domain, now, then->counted ? &then->counts : &now->counts);
    } else if (running) {
        ward_job_set_progress(ward_domain_get_teardown_job(domain), now->bytes_done,
                              now->bytes_total);
    }
    if (!running && ward_domain_get_teardown_job(domain))
        end_job(manager, domain, now);
    if (then->counted && has_more(now, now->counts.failed, then->counts.failed))
        notice_failure(domain, now);
    update_place(manager, domain, now);
}

/* A domain that is torn down slowly is not in danger: nothing to stop it for. */
static WardRemedy
teardown_remedy(const WardSettings *wanted)
{
    return WARD_REMEDY_NONE;
}

const WardModule ward_teardown_module = {
    .protection = WARD_PROTECTION_TEARDOWN,
    .check = teardown_check,
    .apply = teardown_apply,
    .undo = teardown_undo,
    .notice = teardown_notice,
    .remedy = teardown_remedy,
};
