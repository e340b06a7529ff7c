/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-exported-job.h"

#include "ward-call.h"
#include "ward-dbus-error.h"
#include "ward-dbus-generated.h"
#include "ward-dbus-path.h"

/* D-Bus methods */
static gboolean handle_cancel(WardDBusJob1 *object, GDBusMethodInvocation *invocation);
/* callbacks */
static void on_progress(GObject *job, GParamSpec *pspec, gpointer user_data);
static void on_finished(WardJob *job, const char *result, const char *message, gpointer user_data);

WARD_DEFINE_GUARDED(WardGuardedJob, ward_guarded_job, WardDBusJob1, ward_dbus_job1)

static void
ward_guarded_job_handlers_init(WardDBusJob1Iface *iface)
{
    iface->handle_cancel = handle_cancel;
}

GDBusObjectSkeleton *
ward_exported_job_new(WardExportContext *context, WardJob *job)
{
    g_autofree char *path = ward_dbus_path_from_job_id(ward_job_get_id(job));
    g_autofree char *domain_path = ward_dbus_path_from_uuid(ward_job_get_domain_uuid(job));
    GDBusObjectSkeleton *object = g_dbus_object_skeleton_new(path);
    g_autoptr(GDBusInterfaceSkeleton) skeleton = g_object_new(ward_guarded_job_get_type(), NULL);
    WardDomain *domain =
        ward_manager_lookup_domain(context->manager, ward_job_get_domain_uuid(job), NULL);

    ward_guarded_setup(skeleton, context, domain);
    g_object_set(skeleton, "operation", ward_job_get_operation(job), "domain", domain_path,
                 "domain-name", ward_job_get_domain_name(job), "unit", ward_job_get_unit(job),
                 "start-time", (guint64)ward_job_get_start_time(job), "cancellable",
                 ward_job_get_cancellable(job), NULL);
    g_signal_connect_object(job, "notify", G_CALLBACK(on_progress), skeleton, 0);
    g_signal_connect_object(job, "finished", G_CALLBACK(on_finished), skeleton, 0);
    on_progress(G_OBJECT(job), NULL, skeleton);
    g_dbus_object_skeleton_add_interface(object, skeleton);
    return object;
}

static void
on_progress(GObject *job, GParamSpec *pspec, gpointer user_data)
{
    g_object_set(user_data, "done", ward_job_get_done(WARD_JOB(job)), "total",
                 ward_job_get_total(WARD_JOB(job)), NULL);
}

static void
on_finished(WardJob *job, const char *result, const char *message, gpointer user_data)
{
    g_dbus_interface_skeleton_flush(user_data);
    ward_dbus_job1_emit_finished(user_data, result, message ? message : "");
}

static gboolean
handle_cancel(WardDBusJob1 *object, GDBusMethodInvocation *invocation)
{
    WardDomain *domain = ward_guarded_get_domain(object);
    g_autoptr(GError) error = NULL;

    if (!domain) {
        g_set_error(&error, WARD_ERROR, WARD_ERROR_NOT_FOUND,
                    "the domain '%s' of this job is gone, and the job with it",
                    ward_dbus_job1_get_domain_name(object));
        ward_dbus_return_error(invocation, error);
        return TRUE;
    }
    if (!ward_dbus_job1_get_cancellable(object)) {
        g_set_error(&error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "the %s of domain '%s' cannot be cancelled on this host",
                    ward_dbus_job1_get_operation(object), ward_domain_get_name(domain));
        ward_dbus_return_error(invocation, error);
        return TRUE;
    }
    /* The only operation there is. */
    ward_call_operation(invocation, ward_guarded_get_manager(object), domain,
                        WARD_OPERATION_TEARDOWN_CANCEL);
    return TRUE;
}
