/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-pass.c: one pass over one domain: the host is brought to what is wanted
 *
 * A pass takes what it needs from the domain in the main thread, works in a worker thread on
 * nothing else, and hands its result back in the main thread. So nothing is shared while it runs.
 */
#include "modules/ward-module.h"
#include "ward-error.h"
#include "ward-manager-private.h"
#include "ward-marker.h"

/* How often a domain that starts is looked at, and for how long at the most. */
#define EARLY_INTERVAL_MS 5
#define EARLY_LIMIT_US (120 * G_USEC_PER_SEC)

struct _WardPass {
    WardProvider *provider;
    WardConnection *connection;
    WardHostSupport *host;
    char *uri;
    char *state_dir;
    char *uuid;
    char *name;
    WardNative *native;
    WardSettings *wanted;
    WardSettings *applied; /* by the pass before; NULL: unknown */
    WardActual *previous;
    gboolean active;
    gboolean starting;
    gboolean made;    /* the early pass has found its QEMU */
    gboolean another; /* previous is about a guest that has ended since */
    gboolean paused;
    gboolean ran;
    gboolean leaving;
    gboolean skips_failed;
    WardReboot last_reboot;
    gboolean returns; /* it may be about to be made anew: its markers stay */
    guint reboots;
    guint max_teardowns;
    guint teardown_weight;
    gboolean teardown_place;
    gboolean teardown_full;

    WardActual *actual;
    gboolean failed[WARD_N_PROTECTIONS];
};

WardPass *
ward_pass_new(WardManager *manager, WardDomain *domain, WardNative *native, gboolean active)
{
    WardPass *self = g_new0(WardPass, 1);
    WardSettings *wanted = native ? native->xml->settings : NULL;

    /* A mistake in the XML of a running domain must not take its protection away. */
    if (native && native->xml->settings_error && domain->applied)
        wanted = domain->applied;

    self->provider = g_object_ref(manager->provider);
    self->connection = g_object_ref(manager->connection);
    self->host = ward_host_support_ref(manager->host);
    self->uri = g_strdup(manager->uri);
    self->state_dir = g_strdup(manager->state_dir);
    self->uuid = g_strdup(domain->uuid);
    self->name = g_strdup(domain->name);
    self->native = native ? ward_native_ref(native) : NULL;
    self->wanted = wanted ? ward_settings_ref(wanted) : ward_settings_new_empty();
    self->applied = domain->applied ? ward_settings_ref(domain->applied) : NULL;
    self->previous = ward_actual_ref(domain->actual);
    self->active = active;
    self->starting = domain->starting;
    self->made = domain->starting && domain->early_ran;
    self->ran = domain->ran;
    self->leaving = domain->leaving;
    self->last_reboot = domain->last_reboot;
    self->returns = ward_admission_keeps(manager->admission, domain->uuid);
    self->paused = active && domain->state == VIR_DOMAIN_PAUSED;
    self->max_teardowns = manager->max_teardowns;
    self->teardown_weight = manager->teardown_weight;
    self->teardown_place = domain->teardown_place;
    self->teardown_full = ward_teardown_places_are_taken(manager);
    self->actual = ward_actual_new();
    return self;
}

void
ward_pass_take_reboots(WardPass *self, WardDomain *domain)
{
    self->reboots = self->active ? domain->reboots : 0;
    domain->reboots = 0;
}

void
ward_pass_set_new_guest(WardPass *self)
{
    self->paused = self->ran = self->leaving = FALSE;
    self->another = !self->made;
}

void
ward_pass_skip_failed(WardPass *self)
{
    self->skips_failed = TRUE;
}

void
ward_pass_free(WardPass *self)
{
    g_object_unref(self->provider);
    g_object_unref(self->connection);
    ward_host_support_unref(self->host);
    g_free(self->uri);
    g_free(self->state_dir);
    g_free(self->uuid);
    g_free(self->name);
    g_clear_pointer(&self->native, ward_native_unref);
    ward_settings_unref(self->wanted);
    g_clear_pointer(&self->applied, ward_settings_unref);
    ward_actual_unref(self->previous);
    ward_actual_unref(self->actual);
    g_free(self);
}

/* libvirt's pid files: <statedir>/<name>.pid, qemu_domain.c. Nothing in its API tells the pid. */
static char *
get_pid_path(const char *uri, const char *name)
{
    g_autofree char *file = g_strdup_printf("%s.pid", name);

    if (g_str_has_prefix(uri, "qemu:///system"))
        return g_build_filename("/run/libvirt/qemu", file, NULL);
    if (g_str_has_prefix(uri, "qemu:///session"))
        return g_build_filename(g_get_user_runtime_dir(), "libvirt/qemu/run", file, NULL);
    return NULL;
}

/* The pid in the file may be anybody's by now: QEMU's command line has "-uuid <uuid>". */
static gboolean
process_is_domain(GPid pid, const char *uuid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid);
    g_autofree char *line = NULL;
    gsize length;

    if (!g_file_get_contents(path, &line, &length, NULL))
        return FALSE;
    for (const char *arg = line; arg < line + length; arg += strlen(arg) + 1) {
        if (g_str_equal(arg, uuid))
            return TRUE;
    }
    return FALSE;
}

static GPid
find_pid(WardPass *self)
{
    g_autofree char *path = get_pid_path(self->uri, self->name);
    g_autofree char *text = NULL;
    guint64 pid;

    if (!path || !g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    g_strstrip(text);
    if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT, &pid, NULL))
        return 0;
    return process_is_domain(pid, self->uuid) ? (GPid)pid : 0;
}

static void
fill_target(WardPass *self, WardTarget *target)
{
    target->uuid = self->uuid;
    target->name = self->name;
    target->pid = self->active ? find_pid(self) : 0;
    target->memory_bytes = self->native ? self->native->xml->memory_kib * 1024 : 0;
}

static const char *
get_failure(const WardActual *actual, WardProtection protection)
{
    const WardActualCommon *common = &actual->common[protection];

    if (common->status == WARD_STATUS_FAILED || common->status == WARD_STATUS_UNAVAILABLE)
        return common->reason;
    return NULL;
}

/* Most domains have nothing to do with trust domains: no file is looked for. */
static guint64
get_known_leak(WardPass *self, WardProtection protection)
{
    if (protection != WARD_PROTECTION_TRUSTDOMAIN || !ward_settings_wants(self->wanted, protection))
        return 0;
    return ward_marker_get_number(self->state_dir, self->uuid, WARD_MARKER_LEAKED);
}

static WardModuleContext
make_context(WardPass *self, WardProtection protection, const WardTarget *target)
{
    return (WardModuleContext){
        .provider = self->provider,
        .connection = self->connection,
        .support = &self->host->support[protection],
        .libvirt_version = self->host->libvirt_version,
        .hypervisor_version = self->host->hypervisor_version,
        .target = target,
        .known_leak = get_known_leak(self, protection),
        .wanted = self->wanted,
        .applied = self->applied,
        .xml = self->native ? self->native->xml : NULL,
        .detached = ward_marker_get(self->state_dir, self->uuid, WARD_MARKER_DETACHED),
        .suspended =
            self->paused && !ward_marker_get(self->state_dir, self->uuid, WARD_MARKER_PAUSED),
        .max_teardowns = self->max_teardowns,
        .teardown_weight = self->teardown_weight,
        .teardown_place = self->teardown_place,
        .teardown_full = self->teardown_full,
        .ran = self->ran,
        .leaving = self->leaving,
        .another = self->another,
        .made = self->made,
        .last_reboot = self->last_reboot,
        .failed_before = self->skips_failed ? get_failure(self->previous, protection) : NULL,
        .running = self->active && !self->paused,
        .previous = self->previous,
        .actual = self->actual,
    };
}

static void
run_wanted(WardPass *self, const WardModule *module, const WardModuleContext *context)
{
    WardProtection protection = module->protection;
    WardStatus failure =
        ward_settings_get_enforcement(self->wanted, protection) == WARD_ENFORCEMENT_REQUIRED
            ? WARD_STATUS_FAILED
            : WARD_STATUS_UNAVAILABLE;
    g_autoptr(GError) error = NULL;

    ward_actual_set_status(self->actual, protection, WARD_STATUS_ACTIVE, NULL);
    if (ward_module_check(module, context, &error) && module->apply(context, &error))
        return;
    self->failed[protection] = TRUE;
    ward_actual_set_status(self->actual, protection, failure, g_strdup(error->message));
}

static void
run_unwanted(WardPass *self, const WardModule *module, const WardModuleContext *context)
{
    gboolean known_off = self->applied && !ward_settings_wants(self->applied, module->protection);
    g_autoptr(GError) error = NULL;

    if (known_off || !context->support->supported || module->undo(context, &error))
        return;
    /* It stays on the object, with the reason, until it is gone. */
    ward_actual_set_status(self->actual, module->protection, WARD_STATUS_UNAVAILABLE,
                           g_strdup(error->message));
}

static void
run_pending(WardPass *self, const WardModule *module, const WardModuleContext *context)
{
    ward_actual_set_status(self->actual, module->protection, WARD_STATUS_PENDING, NULL);
    if (module->look)
        module->look(context);
}

/* @domain: it, whether it runs or not. */
static void
run_module(WardPass *self, WardProtection protection, const WardTarget *domain)
{
    const WardModule *module = ward_module_get(protection);
    const WardTarget *target = self->active ? domain : NULL;
    WardModuleContext context = make_context(self, protection, target);
    gboolean wanted = ward_settings_wants(self->wanted, protection);

    context.domain = domain;
    self->actual->common[protection].provider = context.support->provider;
    if (target && wanted)
        run_wanted(self, module, &context);
    else if (target)
        run_unwanted(self, module, &context);
    else if (wanted)
        run_pending(self, module, &context);
}

/* For providers that see neither QEMU nor a kernel. */
static void
tell_provider(WardPass *self, const WardTarget *target)
{
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(self->provider);
    gboolean tdx = self->native && self->native->xml->launch_security == WARD_LAUNCH_SECURITY_TDX;

    for (; self->reboots > 0; self->reboots--) {
        if (iface->teardown_rebooted)
            iface->teardown_rebooted(self->provider, target);
        if (iface->trustdomain_rebooted && tdx)
            iface->trustdomain_rebooted(self->provider, target);
    }
    if (self->active && tdx && iface->trustdomain_running)
        iface->trustdomain_running(self->provider, target);
    if (!self->active && !self->starting && iface->forget)
        iface->forget(self->provider, target);
}

void
ward_pass_run(WardPass *self)
{
    WardTarget target;

    fill_target(self, &target);
    tell_provider(self, &target);
    for (WardProtection p = 0; p < WARD_N_PROTECTIONS; p++)
        run_module(self, p, &target);
    if (!self->active && !self->starting && !self->returns)
        ward_marker_clear_running(self->state_dir, self->uuid);
}

/* the hook's part */

/* A failure of a required protection fails the pass, one of a preferred protection is a warning. */
static gboolean
refuse_or_warn(WardPass *self,
               WardProtection protection,
               const char *message,
               GPtrArray *warnings,
               GError **error)
{
    if (ward_settings_get_enforcement(self->wanted, protection) == WARD_ENFORCEMENT_REQUIRED) {
        g_set_error_literal(error, WARD_ERROR, WARD_ERROR_REFUSED, message);
        return FALSE;
    }
    g_ptr_array_add(warnings, g_strdup(message));
    return TRUE;
}

gboolean
ward_pass_check(WardPass *self, GPtrArray *warnings, GError **error)
{
    for (WardProtection p = 0; p < WARD_N_PROTECTIONS; p++) {
        WardModuleContext context = make_context(self, p, NULL);
        g_autoptr(GError) local = NULL;

        if (ward_settings_wants(self->wanted, p) &&
            !ward_module_check(ward_module_get(p), &context, &local) &&
            !refuse_or_warn(self, p, local->message, warnings, error))
            return FALSE;
    }
    return TRUE;
}

/* Whether a failure of arming forbids the start. */
static gboolean
must_hold(WardPass *self)
{
    for (WardProtection p = 0; p < WARD_N_PROTECTIONS; p++) {
        if (ward_settings_wants(self->wanted, p) &&
            ward_settings_get_enforcement(self->wanted, p) == WARD_ENFORCEMENT_REQUIRED)
            return TRUE;
    }
    return FALSE;
}

gboolean
ward_pass_arm(WardPass *self, GPtrArray *warnings, GError **error)
{
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(self->provider);
    g_autoptr(GError) local = NULL;
    WardTarget target;

    if (!ward_pass_check(self, warnings, error))
        return FALSE;
    fill_target(self, &target);
    if (!iface->arm || iface->arm(self->provider, &target, self->wanted, &local))
        return TRUE;
    if (must_hold(self)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    g_ptr_array_add(warnings, g_strdup(local->message));
    return TRUE;
}

gboolean
ward_pass_can_be_early(WardPass *self)
{
    return WARD_PROVIDER_GET_IFACE(self->provider)->is_ready &&
           !ward_settings_is_empty(self->wanted);
}

/* libvirt tells nobody that it has forked QEMU, and QEMU nobody that it has a VM, so both are
 * looked for at short intervals; only while a protected domain starts. */
gboolean
ward_pass_wait_ready(WardPass *self, GCancellable *cancellable)
{
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(self->provider);
    gint64 deadline = g_get_monotonic_time() + EARLY_LIMIT_US;
    GPollFD cancelled;

    g_cancellable_make_pollfd(cancellable, &cancelled);
    while (g_get_monotonic_time() < deadline && !g_cancellable_is_cancelled(cancellable)) {
        WardTarget target;

        fill_target(self, &target);
        if (target.pid && iface->is_ready(self->provider, &target)) {
            g_cancellable_release_fd(cancellable);
            return TRUE;
        }
        g_poll(&cancelled, 1, EARLY_INTERVAL_MS);
    }
    g_cancellable_release_fd(cancellable);
    return FALSE;
}

static gboolean
prove_one(WardPass *self,
          WardProtection protection,
          const WardTarget *target,
          GPtrArray *warnings,
          GError **error)
{
    const WardActualCommon *common = &self->actual->common[protection];
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(self->provider);
    g_autoptr(GError) local = NULL;

    if (common->status != WARD_STATUS_ACTIVE)
        return refuse_or_warn(self, protection, common->reason ? common->reason : "not in force",
                              warnings, error);
    if (!iface->prove || iface->prove(self->provider, target, self->wanted, protection, &local))
        return TRUE;
    return refuse_or_warn(self, protection, local->message, warnings, error);
}

gboolean
ward_pass_prove(WardPass *self, GPtrArray *warnings, GError **error)
{
    WardTarget target;

    fill_target(self, &target);
    for (WardProtection p = 0; p < WARD_N_PROTECTIONS; p++) {
        if (ward_settings_wants(self->wanted, p) && !prove_one(self, p, &target, warnings, error))
            return FALSE;
    }
    return TRUE;
}

/* single operations */

gboolean
ward_pass_cancel_teardown(WardPass *self, GError **error)
{
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(self->provider);
    WardTarget target;

    fill_target(self, &target);
    if (iface->teardown_cancel)
        return iface->teardown_cancel(self->provider, &target, error);
    g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                "domain '%s': the provider '%s' cannot interrupt a teardown", self->name,
                iface->name);
    return FALSE;
}

GVariant *
ward_pass_isolation_statistics(WardPass *self, GError **error)
{
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(self->provider);
    WardIsolationStatistics statistics = {0};
    WardTarget target;

    fill_target(self, &target);
    if (iface->isolation_statistics) {
        if (!iface->isolation_statistics(self->provider, &target, &statistics, error))
            return NULL;
        return ward_isolation_statistics_to_variant(&statistics);
    }
    g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                "domain '%s': the provider '%s' has no isolation statistics", self->name,
                iface->name);
    return NULL;
}

/* the result */

void
ward_pass_publish(WardPass *self, WardManager *manager, WardDomain *domain)
{
    g_autoptr(WardActual) before = ward_actual_ref(domain->actual);

    ward_domain_set_actual(domain, self->actual);
    g_clear_pointer(&domain->applied, ward_settings_unref);
    if (!self->active)
        ward_admission_poke(manager->admission);
    domain->applied = self->active ? ward_settings_ref(self->wanted) : NULL;
    for (WardProtection p = 0; p < WARD_N_PROTECTIONS; p++) {
        const WardModule *module = ward_module_get(p);

        if (module->notice)
            module->notice(manager, domain, before);
    }
    ward_domain_emit_changed(domain);
}

WardRemedy
ward_pass_get_remedy(WardPass *self, const char **reason)
{
    WardRemedy worst = WARD_REMEDY_NONE;

    for (WardProtection p = 0; p < WARD_N_PROTECTIONS; p++) {
        gboolean lost = self->previous->common[p].status == WARD_STATUS_ACTIVE;
        gboolean required =
            ward_settings_get_enforcement(self->wanted, p) == WARD_ENFORCEMENT_REQUIRED;
        WardRemedy remedy;

        if (!self->failed[p] || (!lost && !required))
            continue;
        remedy = ward_module_get(p)->remedy(self->wanted);
        /* What never was in force was not lost: pausing is as far as we go then. */
        if (remedy == WARD_REMEDY_DESTROY && !lost)
            remedy = WARD_REMEDY_PAUSE;
        if (remedy > worst) {
            worst = remedy;
            *reason = self->actual->common[p].reason;
        }
    }
    return worst;
}
