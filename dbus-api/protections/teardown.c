/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* teardown.c: org.virtward.Teardown1 */
#include "ward-call.h"
#include "ward-caller.h"
#include "ward-dbus-error.h"
#include "ward-dbus-generated.h"
#include "ward-dbus-names.h"
#include "ward-dbus-path.h"
#include "ward-exported-interface.h"

static void on_waited(GObject *manager, GAsyncResult *result, gpointer user_data);

WARD_DEFINE_GUARDED(WardGuardedTeardown,
                    ward_guarded_teardown,
                    WardDBusTeardown1,
                    ward_dbus_teardown1)

/* A caller that leaves waits no longer. */
static gboolean
handle_wait(WardDBusTeardown1 *object, GDBusMethodInvocation *invocation, guint timeout)
{
    ward_manager_teardown_wait_async(
        ward_guarded_get_manager(object), ward_guarded_get_domain(object), timeout,
        ward_caller_get_cancellable(invocation), on_waited, invocation);
    return TRUE;
}

static void
on_waited(GObject *manager, GAsyncResult *result, gpointer user_data)
{
    GDBusMethodInvocation *invocation = user_data;
    WardDBusTeardown1 *object = ward_guarded_get_object(invocation);
    g_autoptr(GError) error = NULL;
    const WardActual *actual;

    if (!ward_manager_teardown_wait_finish(WARD_MANAGER(manager), result, &error)) {
        ward_dbus_return_error(invocation, error);
        return;
    }
    actual = ward_domain_get_actual(ward_guarded_get_domain(object));
    ward_dbus_teardown1_complete_wait(object, invocation,
                                      ward_teardown_phase_to_string(actual->teardown.phase));
}

static gboolean
handle_cancel(WardDBusTeardown1 *object, GDBusMethodInvocation *invocation)
{
    ward_call_operation(invocation, ward_guarded_get_manager(object),
                        ward_guarded_get_domain(object), WARD_OPERATION_TEARDOWN_CANCEL);
    return TRUE;
}

static void
ward_guarded_teardown_handlers_init(WardDBusTeardown1Iface *iface)
{
    iface->handle_wait = handle_wait;
    iface->handle_cancel = handle_cancel;
}

static void
update(GDBusInterfaceSkeleton *skeleton, WardDomain *domain)
{
    const WardTeardownSettings *wanted = WARD_EXPORTED_SETTINGS(domain, teardown);
    const WardTeardownActual *actual = &ward_domain_get_actual(domain)->teardown;
    WardJob *job = ward_domain_get_teardown_job(domain);
    g_autofree char *path = job ? ward_dbus_path_from_job_id(ward_job_get_id(job)) : NULL;
    g_autofree char *error = actual->last_failed ? ward_teardown_describe_failure(actual) : NULL;

    g_object_set(skeleton, "on-reboot",
                 wanted ? ward_teardown_mode_to_string(wanted->on_reboot) : "", "on-exit",
                 wanted ? ward_teardown_mode_to_string(wanted->on_exit) : "", "phase",
                 ward_teardown_phase_to_string(actual->phase), "bytes-done", actual->bytes_done,
                 "bytes-total", actual->bytes_total, "last-duration", actual->last_duration_us,
                 "last-error", error ? error : "", "job", path ? path : WARD_DBUS_PATH_NONE, NULL);
}

static GVariant *
build_signal(const char *name, const char *detail_text, guint64 detail)
{
    if (g_str_equal(name, "Started") || g_str_equal(name, "Finished") ||
        g_str_equal(name, "Interrupted"))
        return g_variant_new("(t)", detail);
    if (g_str_equal(name, "Failed"))
        return g_variant_new("(sqq)", detail_text, (guint16)(detail >> 16), (guint16)detail);
    return NULL;
}

const WardExportedInterface ward_exported_teardown = {
    .get_info = ward_dbus_teardown1_interface_info,
    .get_type = ward_guarded_teardown_get_type,
    .update = update,
    .build_signal = build_signal,
};
