/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-requests.c: what D-Bus asks for beside the wanted state: find, attach, detach, cancel, wait,
 * read
 */
#include "ward-error.h"
#include "ward-manager-private.h"
#include "ward-marker.h"

/* finding a domain */

static virDomainPtr
find_in_libvirt(virConnectPtr conn, const char *key)
{
    virDomainPtr dom = virDomainLookupByUUIDString(conn, key);
    guint64 id;

    if (!dom && g_ascii_string_to_unsigned(key, 10, 0, G_MAXINT, &id, NULL))
        dom = virDomainLookupByID(conn, id);
    return dom ? dom : virDomainLookupByName(conn, key);
}

static void
find_in_thread(GTask *task, gpointer source, gpointer key, GCancellable *cancellable)
{
    WardManager *self = source;
    GError *error = NULL;
    virConnectPtr conn = ward_connection_acquire(self->connection, &error);
    virDomainPtr dom = NULL;

    if (conn) {
        dom = find_in_libvirt(conn, key);
        if (!dom)
            ward_connection_set_error(&error, "cannot find domain '%s'", (const char *)key);
        ward_connection_release(self->connection, conn);
    }
    if (dom)
        g_task_return_pointer(task, dom, ward_manager_free_dom);
    else
        g_task_return_error(task, error);
}

static void
return_known(WardManager *self, GTask *task)
{
    GError *error = NULL;
    WardDomain *domain = ward_manager_lookup_domain(self, g_task_get_task_data(task), &error);

    if (domain)
        g_task_return_pointer(task, g_object_ref(domain), g_object_unref);
    else
        g_task_return_error(task, error);
}

static void
on_found_read(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;

    return_known(g_task_get_source_object(task), task);
}

static void
on_found(GObject *source, GAsyncResult *result, gpointer user_data)
{
    WardManager *self = WARD_MANAGER(source);
    g_autoptr(GTask) task = user_data;
    virDomainPtr dom = g_task_propagate_pointer(G_TASK(result), NULL);
    char uuid[VIR_UUID_STRING_BUFLEN];
    WardDomain *domain;

    if (!dom) {
        return_known(self, task);
        return;
    }
    virDomainGetUUIDString(dom, uuid);
    domain = ward_manager_ensure_domain(self, uuid, virDomainGetName(dom));
    virDomainFree(dom);
    ward_sync(self, domain, WARD_SYNC_LIBVIRT,
              g_task_new(NULL, NULL, on_found_read, g_steal_pointer(&task)));
}

void
ward_manager_find_domain_async(WardManager *self,
                               const char *key,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(self, cancellable, callback, user_data);
    GTask *find;

    g_task_set_task_data(task, g_strdup(key), g_free);
    if (ward_manager_lookup_domain(self, key, NULL) || !ward_connection_is_open(self->connection)) {
        return_known(self, task);
        return;
    }
    find = g_task_new(self, NULL, on_found, g_steal_pointer(&task));
    g_task_set_task_data(find, g_strdup(key), g_free);
    ward_queue_push(&self->list_queue, find, find_in_thread);
}

WardDomain *
ward_manager_find_domain_finish(WardManager *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

static gboolean
require_active(WardDomain *domain, GError **error)
{
    if (ward_domain_is_active(domain))
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_STATE, "domain '%s' is not running",
                domain->name);
    return FALSE;
}

/* Work on the host for one domain: a task of its own on the host queue, its data a WardPass. */
static void
push_host_work(WardManager *self, WardDomain *domain, GTask *task, GTaskThreadFunc func)
{
    g_task_set_task_data(
        task,
        ward_pass_new(self, domain, ward_domain_get_native(domain), ward_domain_is_active(domain)),
        (GDestroyNotify)ward_pass_free);
    ward_queue_push(&domain->host_queue, task, func);
}

/* attach, detach, cancel */

typedef struct {
    WardDomain *domain;
    WardOperation operation;
} Operation;

static void
operation_free(gpointer data)
{
    Operation *self = data;

    g_object_unref(self->domain);
    g_free(self);
}

static void
finish_attach(GTask *task, WardDomain *domain)
{
    const WardActualCommon *common = &domain->actual->common[WARD_PROTECTION_INTROSPECTION];

    if (common->status == WARD_STATUS_ACTIVE)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_new_error(task, WARD_ERROR, WARD_ERROR_FAILED, "domain '%s': %s",
                                domain->name,
                                common->reason ? common->reason : "introspection: not attached");
}

static void
finish_detach(GTask *task, WardDomain *domain)
{
    if (!domain->actual->introspection.attached)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_new_error(task, WARD_ERROR, WARD_ERROR_FAILED,
                                "domain '%s': the tool is still attached", domain->name);
}

static void
on_synced(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Operation *call = g_task_get_task_data(task);
    GError *error = NULL;

    if (!g_task_propagate_boolean(G_TASK(result), &error))
        g_task_return_error(task, error);
    else if (call->operation == WARD_OPERATION_INTROSPECTION_ATTACH)
        finish_attach(task, call->domain);
    else if (call->operation == WARD_OPERATION_INTROSPECTION_DETACH)
        finish_detach(task, call->domain);
    else
        g_task_return_boolean(task, TRUE);
}

/* The pass that follows does it, or shows it. (transfer full) for @task. */
static void
sync_operation(WardManager *self, WardDomain *domain, GTask *task)
{
    ward_sync(self, domain, WARD_SYNC_HOST, g_task_new(NULL, NULL, on_synced, task));
}

static void
cancel_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    GError *error = NULL;

    if (ward_pass_cancel_teardown(data, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void
on_teardown_cancelled(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Operation *call = g_task_get_task_data(task);
    GError *error = NULL;

    if (g_task_propagate_boolean(G_TASK(result), &error))
        sync_operation(WARD_MANAGER(source), call->domain, g_steal_pointer(&task));
    else
        g_task_return_error(task, error);
}

static gboolean
may_operate(WardDomain *domain, WardOperation operation, GError **error)
{
    gboolean attached = domain->actual->introspection.attached;

    if (!require_active(domain, error))
        return FALSE;
    switch (operation) {
    case WARD_OPERATION_TEARDOWN_CANCEL:
        if (domain->teardown_job)
            return TRUE;
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_STATE,
                    "domain '%s': no teardown is running", domain->name);
        return FALSE;
    case WARD_OPERATION_INTROSPECTION_ATTACH:
        if (!attached && ward_domain_get_wanted(domain)->introspection)
            return TRUE;
        if (attached)
            g_set_error(error, WARD_ERROR, WARD_ERROR_BUSY,
                        "domain '%s': the tool is attached already", domain->name);
        else
            g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_STATE,
                        "domain '%s' has no <ward:introspection>: set it first", domain->name);
        return FALSE;
    default:
        if (attached)
            return TRUE;
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_STATE, "domain '%s': no tool is attached",
                    domain->name);
        return FALSE;
    }
}

static void
operate(WardManager *self, WardDomain *domain, GTask *owned)
{
    g_autoptr(GTask) task = owned;
    Operation *call = g_task_get_task_data(task);
    GError *error = NULL;

    if (!may_operate(domain, call->operation, &error)) {
        g_task_return_error(task, error);
        return;
    }
    if (call->operation == WARD_OPERATION_TEARDOWN_CANCEL) {
        push_host_work(self, domain,
                       g_task_new(self, NULL, on_teardown_cancelled, g_steal_pointer(&task)),
                       cancel_in_thread);
        return;
    }
    ward_marker_set(self->state_dir, domain->uuid, WARD_MARKER_DETACHED,
                    call->operation == WARD_OPERATION_INTROSPECTION_DETACH);
    sync_operation(self, domain, g_steal_pointer(&task));
}

void
ward_manager_operation_async(WardManager *self,
                             WardDomain *domain,
                             WardOperation operation,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(self, cancellable, callback, user_data);
    Operation *call = g_new0(Operation, 1);

    call->domain = g_object_ref(domain);
    call->operation = operation;
    g_task_set_task_data(task, call, operation_free);
    ward_sync_when_known(self, domain, g_steal_pointer(&task), operate);
}

gboolean
ward_manager_operation_finish(WardManager *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* waiting for a teardown */

typedef struct {
    WardDomain *domain;
    gulong changed;
    gulong cancelled;
    guint timeout;
    guint64 failed; /* how many had, when it began */
} Wait;

static void
wait_free(gpointer data)
{
    Wait *self = data;

    g_object_unref(self->domain);
    g_free(self);
}

/* Ends the wait: nothing may call back after this. */
static Wait *
wait_end(GTask *task)
{
    Wait *wait = g_task_get_task_data(task);

    g_clear_signal_handler(&wait->changed, wait->domain);
    g_clear_handle_id(&wait->timeout, g_source_remove);
    return wait;
}

/* What is set aside is torn down soon, unless that cannot be done. */
static gboolean
has_teardown_ahead(WardDomain *domain)
{
    const WardTeardownActual *actual = &domain->actual->teardown;

    return domain->teardown_job ||
           (actual->phase == WARD_TEARDOWN_PHASE_SET_ASIDE && !actual->perform_errno);
}

/* (transfer full) for @task. */
static void
return_waited(GTask *task, WardDomain *domain, guint64 failed_before)
{
    const WardTeardownActual *actual = &domain->actual->teardown;
    g_autofree char *failure = ward_teardown_describe_failure(actual);

    if (actual->counts.failed > failed_before)
        g_task_return_new_error(task, WARD_ERROR, WARD_ERROR_FAILED, "domain '%s': %s",
                                domain->name, failure);
    else
        g_task_return_boolean(task, TRUE);
    g_object_unref(task);
}

static void
on_wait_changed(WardDomain *domain, GTask *task)
{
    if (!has_teardown_ahead(domain))
        return_waited(task, domain, wait_end(task)->failed);
}

static gboolean
on_wait_timeout(gpointer data)
{
    GTask *task = data;
    Wait *wait = g_task_get_task_data(task);

    wait->timeout = 0;
    wait_end(task);
    g_task_return_new_error(task, WARD_ERROR, WARD_ERROR_TIMED_OUT,
                            "domain '%s': its teardown still runs", wait->domain->name);
    g_object_unref(task);
    return G_SOURCE_REMOVE;
}

static gboolean
on_wait_cancelled(gpointer data)
{
    g_autoptr(GTask) task = data;
    Wait *wait = g_task_get_task_data(task);

    if (!wait->changed)
        return G_SOURCE_REMOVE;
    wait_end(task);
    g_task_return_new_error(task, WARD_ERROR, WARD_ERROR_CANCELLED, "the caller went away");
    g_object_unref(task);
    return G_SOURCE_REMOVE;
}

static void
note_wait_cancelled(GCancellable *cancellable, GTask *task)
{
    g_idle_add(on_wait_cancelled, g_object_ref(task));
}

void
ward_manager_teardown_wait_async(WardManager *self,
                                 WardDomain *domain,
                                 guint timeout,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data)
{
    GTask *task = g_task_new(self, NULL, callback, user_data);
    Wait *wait = g_new0(Wait, 1);

    wait->domain = g_object_ref(domain);
    wait->failed = domain->actual->teardown.counts.failed;
    g_task_set_task_data(task, wait, wait_free);
    if (!has_teardown_ahead(domain)) {
        return_waited(task, domain, wait->failed);
        return;
    }
    wait->changed = g_signal_connect(domain, "changed", G_CALLBACK(on_wait_changed), task);
    if (timeout)
        wait->timeout = g_timeout_add_seconds(timeout, on_wait_timeout, task);
    if (cancellable)
        g_cancellable_connect(cancellable, G_CALLBACK(note_wait_cancelled), g_object_ref(task),
                              g_object_unref);
}

gboolean
ward_manager_teardown_wait_finish(WardManager *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* statistics */

static void
statistics_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    GError *error = NULL;
    GVariant *statistics = ward_pass_isolation_statistics(data, &error);

    if (statistics)
        g_task_return_pointer(task, g_variant_ref_sink(statistics),
                              (GDestroyNotify)g_variant_unref);
    else
        g_task_return_error(task, error);
}

static void
start_statistics(WardManager *self, WardDomain *domain, GTask *owned)
{
    g_autoptr(GTask) task = owned;
    GError *error = NULL;

    if (require_active(domain, &error))
        push_host_work(self, domain, g_steal_pointer(&task), statistics_in_thread);
    else
        g_task_return_error(task, error);
}

void
ward_manager_isolation_statistics_async(WardManager *self,
                                        WardDomain *domain,
                                        GCancellable *cancellable,
                                        GAsyncReadyCallback callback,
                                        gpointer user_data)
{
    ward_sync_when_known(self, domain, g_task_new(self, cancellable, callback, user_data),
                         start_statistics);
}

GVariant *
ward_manager_isolation_statistics_finish(WardManager *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

static void
introspection_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    WardManager *self = source;
    GStrv names = data;
    const WardTarget target = {.uuid = names[0], .name = names[1]};
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(self->provider);
    g_autofree WardIntrospectionStatistics *statistics = g_new0(WardIntrospectionStatistics, 1);
    g_autoptr(GError) error = NULL;

    if (!iface->introspection_statistics ||
        iface->introspection_statistics(self->provider, &target, statistics, &error) ||
        g_error_matches(error, WARD_ERROR, WARD_ERROR_NOT_FOUND) ||
        g_error_matches(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED))
        g_task_return_pointer(task, g_steal_pointer(&statistics), g_free);
    else
        g_task_return_error(task, g_steal_pointer(&error));
}

/* Not on the domain's queue: a tool that takes its time to let go holds that up. */
void
ward_manager_introspection_statistics_async(WardManager *self,
                                            WardDomain *domain,
                                            GAsyncReadyCallback callback,
                                            gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(self, NULL, callback, user_data);
    const char *const names[] = {domain->uuid, domain->name, NULL};

    g_task_set_task_data(task, g_strdupv((GStrv)names), (GDestroyNotify)g_strfreev);
    g_task_run_in_thread(task, introspection_in_thread);
}

gboolean
ward_manager_introspection_statistics_finish(WardManager *self,
                                             GAsyncResult *result,
                                             WardIntrospectionStatistics *statistics,
                                             GError **error)
{
    g_autofree WardIntrospectionStatistics *read = g_task_propagate_pointer(G_TASK(result), error);

    if (!read)
        return FALSE;
    *statistics = *read;
    return TRUE;
}

/* capacity */

static void
capacity_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    g_autofree WardTrustdomainCapacity *capacity = g_new0(WardTrustdomainCapacity, 1);
    GError *error = NULL;

    if (ward_trustdomain_count(WARD_MANAGER(source)->provider, capacity, &error))
        g_task_return_pointer(task, g_steal_pointer(&capacity), g_free);
    else
        g_task_return_error(task, error);
}

void
ward_manager_trustdomain_capacity_async(WardManager *self,
                                        GCancellable *cancellable,
                                        GAsyncReadyCallback callback,
                                        gpointer user_data)
{
    ward_queue_push(&self->admission_queue, g_task_new(self, cancellable, callback, user_data),
                    capacity_in_thread);
}

gboolean
ward_manager_trustdomain_capacity_finish(WardManager *self,
                                         GAsyncResult *result,
                                         WardTrustdomainCapacity *capacity,
                                         GError **error)
{
    g_autofree WardTrustdomainCapacity *read = g_task_propagate_pointer(G_TASK(result), error);

    if (!read)
        return FALSE;
    *capacity = *read;
    ward_admission_fill(self->admission, capacity);
    return TRUE;
}
