/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-hook.c: libvirt's qemu hook, the daemon's side
 *
 * libvirt holds the domain while its hook waits for us, so nothing here calls libvirt about it:
 * the XML comes with the hook, and the work is done on the domain's host queue.
 *
 * A start of a trust domain needs a key first: see ward-admission.h.
 */
#include "ward-error.h"
#include "ward-manager-private.h"

typedef enum {
    HOOK_PREPARE,
    HOOK_START,
    HOOK_STARTED,
    HOOK_RELEASE,
    HOOK_RECONNECT,
    HOOK_OTHER,
} HookPoint;

typedef struct {
    WardManager *manager;
    WardDomain *domain;
    WardNative *native;
    HookPoint point;
    WardPass *pass;
    GPtrArray *warnings;
    WardAdmissionStart *start; /* waits for a key; or NULL */
    gulong cancelled;          /* handler on the task's cancellable */
} HookCall;

static void hook_push(GTask *task);

static void
hook_call_free(gpointer data)
{
    HookCall *self = data;

    g_object_unref(self->manager);
    g_clear_object(&self->domain);
    g_clear_pointer(&self->native, ward_native_unref);
    g_clear_pointer(&self->pass, ward_pass_free);
    g_clear_pointer(&self->warnings, g_ptr_array_unref);
    g_free(self);
}

static HookPoint
parse_point(const char *operation, const char *sub_operation)
{
    static const struct {
        const char *operation;
        const char *sub_operation;
        HookPoint point;
    } points[] = {
        {"prepare", "begin", HOOK_PREPARE},     {"start", "begin", HOOK_START},
        {"started", "begin", HOOK_STARTED},     {"release", "end", HOOK_RELEASE},
        {"reconnect", "begin", HOOK_RECONNECT},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(points); i++) {
        if (g_str_equal(operation, points[i].operation) &&
            g_str_equal(sub_operation, points[i].sub_operation))
            return points[i].point;
    }
    return HOOK_OTHER;
}

static gboolean
point_decides(HookPoint point)
{
    return point == HOOK_PREPARE || point == HOOK_START || point == HOOK_STARTED;
}

/* ends */

static void
hook_succeed(GTask *task)
{
    HookCall *call = g_task_get_task_data(task);

    g_ptr_array_add(call->warnings, NULL);
    g_task_return_pointer(task, g_ptr_array_steal(call->warnings, NULL),
                          (GDestroyNotify)g_strfreev);
}

/* libvirt will not go on with the start: see later what became of the domain. */
static void
hook_refuse(GTask *task, const GError *error)
{
    HookCall *call = g_task_get_task_data(task);

    call->domain->starting = FALSE;
    ward_sync(call->manager, call->domain, WARD_SYNC_LIBVIRT, NULL);
    g_task_return_new_error(task, WARD_ERROR, WARD_ERROR_REFUSED, "%s", error->message);
}

/* Nothing was begun, on the host or by libvirt: what is known of the domain goes on to hold. */
static void
hook_refuse_early(GTask *task, const GError *error)
{
    HookCall *call = g_task_get_task_data(task);

    if (!ward_domain_get_native(call->domain)) {
        hook_refuse(task, error);
        return;
    }
    call->domain->starting = FALSE;
    g_task_return_new_error(task, WARD_ERROR, WARD_ERROR_REFUSED, "%s", error->message);
}

/* waiting for a trust domain key */

static const WardTrustdomainSettings *
get_trustdomain(HookCall *call)
{
    return call->native->xml->settings->trustdomain;
}

/* Without <launchSecurity type='tdx'> it takes no key, whatever is wanted. */
static gboolean
needs_key(HookCall *call)
{
    return call->point == HOOK_START && get_trustdomain(call) &&
           call->native->xml->launch_security == WARD_LAUNCH_SECURITY_TDX;
}

static void
stop_listening(GTask *task)
{
    HookCall *call = g_task_get_task_data(task);

    if (call->cancelled)
        g_cancellable_disconnect(g_task_get_cancellable(task), call->cancelled);
    call->cancelled = 0;
}

/* Also why the host cannot be asked; what is preferred may be missing for that, but not for want of
 * a key, without which QEMU would only fail later. */
static gboolean
is_no_obstacle(HookCall *call, const GError *error)
{
    if (g_error_matches(error, WARD_ERROR, WARD_ERROR_NO_CAPACITY) ||
        get_trustdomain(call)->enforcement == WARD_ENFORCEMENT_REQUIRED)
        return FALSE;
    g_ptr_array_add(call->warnings, g_strdup(error->message));
    return TRUE;
}

static void
on_decided(gpointer user_data, const GError *error)
{
    g_autoptr(GTask) task = user_data;
    HookCall *call = g_task_get_task_data(task);

    call->start = NULL;
    stop_listening(task);
    if (!error)
        ward_trustdomain_note_admitted(call->manager, call->domain);
    if (!error || is_no_obstacle(call, error))
        hook_push(g_steal_pointer(&task));
    else
        hook_refuse_early(task, error);
}

static gboolean
on_wait_cancelled(gpointer data)
{
    g_autoptr(GTask) task = data;
    HookCall *call = g_task_get_task_data(task);
    g_autoptr(GError) error = g_error_new(WARD_ERROR, WARD_ERROR_CANCELLED, "the hook went away");

    if (!call->start)
        return G_SOURCE_REMOVE;
    ward_admission_cancel(call->manager->admission, g_steal_pointer(&call->start));
    g_object_unref(task); /* the start's */
    stop_listening(task);
    hook_refuse(task, error);
    return G_SOURCE_REMOVE;
}

/* Disconnecting a handler from inside it would deadlock. */
static void
note_wait_cancelled(GCancellable *cancellable, GTask *task)
{
    g_idle_add(on_wait_cancelled, g_object_ref(task));
}

/* (transfer full) for @task. */
static void
ask_for_key(GTask *task)
{
    HookCall *call = g_task_get_task_data(task);
    GCancellable *cancellable = g_task_get_cancellable(task);

    call->start = ward_admission_ask(call->manager->admission, call->domain->uuid,
                                     get_trustdomain(call), on_decided, task);
    if (cancellable)
        call->cancelled =
            g_cancellable_connect(cancellable, G_CALLBACK(note_wait_cancelled), task, NULL);
}

/* before the first instruction */

static void
early_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    gboolean ready = ward_pass_wait_ready(data, cancellable);

    if (ready)
        ward_pass_run(data);
    g_task_return_boolean(task, ready);
}

static void
on_early_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(WardDomain) domain = user_data;

    domain->early_runs = FALSE;
    domain->early_ran = g_task_propagate_boolean(G_TASK(result), NULL);
    if (domain->early_ran)
        ward_pass_publish(g_task_get_task_data(G_TASK(result)), WARD_MANAGER(source), domain);
    if (domain->proving)
        hook_push(g_steal_pointer(&domain->proving));
    ward_sync_early_done(WARD_MANAGER(source), domain);
}

/* Between the hook's "start" and "started" libvirt makes QEMU and lets it run. The protections
 * are applied in that time; whether it was soon enough is proven at "started". */
static void
begin_early_pass(HookCall *call)
{
    WardDomain *domain = call->domain;
    WardPass *pass = ward_pass_new(call->manager, domain, call->native, TRUE);
    GTask *task;

    ward_pass_set_new_guest(pass);
    if (!ward_pass_can_be_early(pass)) {
        ward_pass_free(pass);
        return;
    }
    domain->early = g_cancellable_new();
    domain->early_runs = TRUE;
    task = g_task_new(call->manager, domain->early, on_early_done, g_object_ref(domain));
    g_task_set_check_cancellable(task, FALSE);
    g_task_set_task_data(task, pass, (GDestroyNotify)ward_pass_free);
    ward_queue_push(&domain->host_queue, task, early_in_thread);
}

static void
end_early_pass(WardDomain *domain)
{
    if (domain->early)
        g_cancellable_cancel(domain->early);
    g_clear_object(&domain->early);
}

/* the work */

static void
hook_in_thread(GTask *work, gpointer source, gpointer data, GCancellable *cancellable)
{
    HookCall *call = g_task_get_task_data(data);
    GError *error = NULL;
    gboolean ok = TRUE;

    switch (call->point) {
    case HOOK_PREPARE:
        ok = ward_pass_check(call->pass, call->warnings, &error);
        break;
    case HOOK_START:
        ok = ward_pass_arm(call->pass, call->warnings, &error);
        break;
    default:
        ward_pass_run(call->pass);
        ok = ward_pass_prove(call->pass, call->warnings, &error);
    }
    if (ok)
        g_task_return_boolean(work, TRUE);
    else
        g_task_return_error(work, error);
}

static void
on_hook_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    HookCall *call = g_task_get_task_data(task);
    g_autoptr(GError) error = NULL;
    gboolean ok = g_task_propagate_boolean(G_TASK(result), &error);

    if (call->point == HOOK_STARTED)
        ward_pass_publish(call->pass, call->manager, call->domain);
    g_clear_pointer(&call->pass, ward_pass_free);
    if (ok && call->point == HOOK_START)
        begin_early_pass(call);
    if (ok)
        hook_succeed(task);
    else
        hook_refuse(task, error);
}

/* (transfer full) for @task. */
static void
hook_push(GTask *task)
{
    HookCall *call = g_task_get_task_data(task);
    GTask *work = g_task_new(NULL, NULL, on_hook_done, task);

    call->pass =
        ward_pass_new(call->manager, call->domain, call->native, call->point == HOOK_STARTED);
    ward_pass_set_new_guest(call->pass);
    /* A tool that did not answer in time then has had its time, and the guest runs by now. */
    if (call->point == HOOK_STARTED && call->domain->early_ran)
        ward_pass_skip_failed(call->pass);
    g_task_set_task_data(work, task, NULL);
    ward_queue_push(&call->domain->host_queue, work, hook_in_thread);
}

/* (transfer full) for @task. */
static void
hook_begin(GTask *task)
{
    HookCall *call = g_task_get_task_data(task);

    if (call->point == HOOK_START) {
        call->domain->starting = TRUE;
        call->domain->early_ran = FALSE;
    }
    if (needs_key(call))
        ask_for_key(task);
    else if (call->point == HOOK_STARTED && call->domain->early_runs && !call->domain->proving)
        call->domain->proving = task;
    else
        hook_push(task);
}

static void
hook_settle(GTask *task)
{
    HookCall *call = g_task_get_task_data(task);

    if (call->point == HOOK_RELEASE) {
        call->domain->starting = FALSE;
        ward_trustdomain_note_released(call->manager, call->domain);
    }
    if (call->point == HOOK_RELEASE || call->point == HOOK_RECONNECT)
        ward_sync(call->manager, call->domain, WARD_SYNC_LIBVIRT, NULL);
    hook_succeed(task);
}

void
ward_manager_run_hook_async(WardManager *self,
                            const char *domain_name,
                            const char *operation,
                            const char *sub_operation,
                            const char *xml,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(self, cancellable, callback, user_data);
    HookCall *call = g_new0(HookCall, 1);
    WardDomainXml *parsed;
    GError *error = NULL;

    /* A wait that its caller leaves ends by itself, and then has an answer. */
    g_task_set_check_cancellable(task, FALSE);
    g_task_set_task_data(task, call, hook_call_free);
    call->manager = g_object_ref(self);
    call->warnings = g_ptr_array_new_with_free_func(g_free);
    call->point = parse_point(operation, sub_operation);
    g_info("hook: domain '%s' %s %s", domain_name, operation, sub_operation);

    parsed = ward_domain_xml_parse(xml, -1, &error);
    if (!parsed) {
        g_task_return_error(task, error);
        return;
    }
    call->native = ward_native_new(parsed);
    if (parsed->settings_error && point_decides(call->point)) {
        g_task_return_new_error(task, WARD_ERROR, WARD_ERROR_REFUSED, "%s",
                                parsed->settings_error->message);
        return;
    }
    call->domain = g_object_ref(ward_manager_ensure_domain(self, parsed->uuid, parsed->name));
    end_early_pass(call->domain);
    if (point_decides(call->point))
        hook_begin(g_steal_pointer(&task));
    else
        hook_settle(task);
}

GStrv
ward_manager_run_hook_finish(WardManager *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
