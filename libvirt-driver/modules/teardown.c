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

static gboolean
teardown_apply(const WardModuleContext *context, GError **error)
{
    if (!teardown_set(context, context->wanted->teardown->on_reboot, error))
        return FALSE;
    if (context->actual->teardown.exit_helper)
        ward_actual_set_status(context->actual, WARD_PROTECTION_TEARDOWN, WARD_STATUS_ACTIVE,
                               g_strdup_printf("teardown at exit: QEMU's helper process "
                                               "cleanup/%d is ready",
                                               context->target->pid));
    return TRUE;
}

/* Asynchronous is the kernel's own default. */
static gboolean
teardown_undo(const WardModuleContext *context, GError **error)
{
    return teardown_set(context, WARD_TEARDOWN_ASYNC, error);
}

static void
begin_job(WardManager *manager, WardDomain *domain, const WardTeardownActual *now)
{
    g_autoptr(WardJob) job =
        ward_manager_new_job(manager, "teardown", domain, "bytes", now->cancellable);

    ward_job_set_progress(job, now->bytes_done, now->bytes_total);
    ward_domain_set_teardown_job(domain, job);
    ward_manager_add_job(manager, job);
    ward_domain_emit_event(domain, WARD_PROTECTION_TEARDOWN, "Started", NULL, now->bytes_total);
}

static void
end_job(WardManager *manager, WardDomain *domain, const WardTeardownActual *now)
{
    g_autoptr(WardJob) job = g_object_ref(ward_domain_get_teardown_job(domain));
    gboolean interrupted = now->phase == WARD_TEARDOWN_PHASE_INTERRUPTED;

    /* A domain that is gone takes its leftover memory with it: there is nothing more to read. */
    if (now->bytes_total)
        ward_job_set_progress(job, now->bytes_done, now->bytes_total);
    ward_domain_set_teardown_job(domain, NULL);
    ward_manager_end_job(manager, job, interrupted ? "cancelled" : "completed", "");
    if (interrupted)
        ward_domain_emit_event(domain, WARD_PROTECTION_TEARDOWN, "Interrupted", NULL,
                               now->bytes_total - now->bytes_done);
    else
        ward_domain_emit_event(domain, WARD_PROTECTION_TEARDOWN, "Finished", NULL,
                               now->last_duration_us);
}

static void
teardown_notice(WardManager *manager, WardDomain *domain, const WardActual *before)
{
    const WardTeardownActual *now = &ward_domain_get_actual(domain)->teardown;
    WardJob *job = ward_domain_get_teardown_job(domain);
    gboolean running = now->phase == WARD_TEARDOWN_PHASE_RUNNING;

    if (running && !job)
        begin_job(manager, domain, now);
    else if (running)
        ward_job_set_progress(job, now->bytes_done, now->bytes_total);
    else if (job)
        end_job(manager, domain, now);
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
