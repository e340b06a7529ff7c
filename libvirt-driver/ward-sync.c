/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-sync.c: when a domain is looked at, and what libvirt says of it
 *
 * Whatever happens to a domain (an event, a request, a timer) asks for a pass. A pass reads the
 * domain from libvirt if that may have changed (on the domain's libvirt queue), brings the host
 * to what is wanted (on its host queue: ward-pass.c), and sees to a running domain that lost what
 * it requires. One pass at a time; requests that come meanwhile become one more pass.
 */
#include <libvirt/virterror.h>

#include "ward-error.h"
#include "ward-manager-private.h"
#include "ward-marker.h"

/* How often a running teardown is looked at. */
#define PROGRESS_MS 200

/* An unpatched kernel tells nobody that a teardown began: look a few times after a reboot. */
#define LOOKS_AFTER_REBOOT 20

/* libvirt does not tell of a migration or save that failed before it suspended the guest. */
#define LOOK_AT_JOB_MS 1000

/* Back-off of attempts to attach an introspection tool, or to read a domain from libvirt. */
#define RETRY_FIRST_MS 500
#define RETRY_LAST_MS 30000

/* A running pass: the main thread's side of it. */
typedef struct {
    WardManager *manager;
    WardDomain *domain;
    virDomainPtr listed; /* reading: as libvirt just listed it, or NULL */
    gboolean job;        /* reading: whether the domain still leaves, too */
    WardPass *pass;
} Sync;

static void start_pass(WardManager *manager, WardDomain *domain);

static void
sync_free(gpointer data)
{
    Sync *self = data;

    g_object_unref(self->manager);
    g_object_unref(self->domain);
    if (self->listed)
        virDomainFree(self->listed);
    g_clear_pointer(&self->pass, ward_pass_free);
    g_free(self);
}

static GTask *
sync_task_new(WardManager *manager, WardDomain *domain, GAsyncReadyCallback callback)
{
    GTask *task = g_task_new(NULL, NULL, callback, NULL);
    Sync *sync = g_new0(Sync, 1);

    sync->manager = g_object_ref(manager);
    sync->domain = g_object_ref(domain);
    g_task_set_task_data(task, sync, sync_free);
    return task;
}

/* the end of a pass */

/* Those that the running pass serves. */
static void
end_tasks(WardDomain *domain, const GError *error)
{
    g_autoptr(GPtrArray) tasks = g_steal_pointer(&domain->served);

    for (guint i = 0; tasks && i < tasks->len; i++) {
        if (error)
            g_task_return_error(tasks->pdata[i], g_error_copy(error));
        else
            g_task_return_boolean(tasks->pdata[i], TRUE);
    }
}

static gboolean
on_timer(gpointer data)
{
    Sync *sync = data;

    sync->domain->timer = 0;
    ward_sync(sync->manager, sync->domain,
              sync->domain->leaving ? WARD_SYNC_LIBVIRT : WARD_SYNC_HOST, NULL);
    return G_SOURCE_REMOVE;
}

static void
set_timer(WardManager *manager, WardDomain *domain, guint delay_ms)
{
    Sync *sync = g_new0(Sync, 1);

    sync->manager = g_object_ref(manager);
    sync->domain = g_object_ref(domain);
    g_clear_handle_id(&domain->timer, g_source_remove);
    domain->timer = g_timeout_add_full(G_PRIORITY_DEFAULT, delay_ms, on_timer, sync, sync_free);
}

gboolean
ward_manager_is_detached(WardManager *self, WardDomain *domain)
{
    return ward_marker_get(self->state_dir, domain->uuid, WARD_MARKER_DETACHED);
}

/* Whether an introspection tool that is not attached should be tried again by and by. */
static gboolean
wants_retry(WardManager *manager, WardDomain *domain)
{
    WardStatus status = domain->actual->common[WARD_PROTECTION_INTROSPECTION].status;
    gboolean missing = status == WARD_STATUS_FAILED || status == WARD_STATUS_UNAVAILABLE;
    gboolean ours = domain->state != VIR_DOMAIN_PAUSED ||
                    ward_marker_get(manager->state_dir, domain->uuid, WARD_MARKER_PAUSED);

    return missing && ours && !domain->leaving &&
           manager->host->support[WARD_PROTECTION_INTROSPECTION].supported &&
           !ward_manager_is_detached(manager, domain);
}

/* 0: never. */
static guint
sooner(guint delay, guint other)
{
    return delay && (!other || delay < other) ? delay : other;
}

/* Milliseconds; 0: there is nothing to look for. */
static guint
next_look(WardDomain *domain, gboolean retry)
{
    const WardTeardownActual *teardown = &domain->actual->teardown;
    guint delay = 0;

    if (teardown->phase == WARD_TEARDOWN_PHASE_RUNNING || domain->looks > 0)
        delay = PROGRESS_MS;
    else if (domain->leaving)
        delay = LOOK_AT_JOB_MS;
    else if (retry)
        delay = MIN(RETRY_FIRST_MS << MIN(domain->failures - 1, 10), RETRY_LAST_MS);
    return sooner(sooner(delay, teardown->look_ms), domain->actual->trustdomain.look_ms);
}

/* Most domains need no timer: the host tells what happens. */
static void
plan_next(WardManager *manager, WardDomain *domain)
{
    gboolean unread = domain->sync_libvirt && !domain->sync_again; /* the reading failed */
    gboolean retry = unread || wants_retry(manager, domain);
    guint delay;

    g_clear_handle_id(&domain->timer, g_source_remove);
    domain->failures = retry ? domain->failures + 1 : 0;
    if (g_cancellable_is_cancelled(manager->cancellable))
        return;
    delay = ward_domain_is_active(domain) || unread ? next_look(domain, retry)
                                                    : domain->actual->trustdomain.look_ms;
    if (delay)
        set_timer(manager, domain, delay);
    if (domain->looks > 0)
        domain->looks--;
}

static void
end_pass(WardManager *manager, WardDomain *domain, const GError *error)
{
    domain->sync_running = FALSE;
    end_tasks(domain, error);
    if (g_cancellable_is_cancelled(manager->cancellable))
        return;
    plan_next(manager, domain);
    if (domain->sync_again)
        start_pass(manager, domain);
}

/* a running domain that lost what it requires, or got it back */

static void
pause_in_thread(virDomainPtr dom, const char *state_dir, const char *uuid)
{
    ward_marker_set(state_dir, uuid, WARD_MARKER_PAUSED, TRUE);
    if (virDomainSuspend(dom) == 0)
        return;
    g_warning("domain %s: it must not run and cannot be paused: %s", uuid,
              virGetLastErrorMessage());
    ward_marker_set(state_dir, uuid, WARD_MARKER_PAUSED, FALSE);
}

static void
remedy_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Sync *sync = data;
    const char *state_dir = sync->manager->state_dir; /* both never change */
    const char *uuid = sync->domain->uuid;
    virConnectPtr conn = ward_connection_acquire(sync->manager->connection, NULL);
    virDomainPtr dom = conn ? virDomainLookupByUUIDString(conn, uuid) : NULL;
    const char *unused;

    if (dom) {
        switch (ward_pass_get_remedy(sync->pass, &unused)) {
        case WARD_REMEDY_DESTROY:
            if (virDomainDestroy(dom) < 0)
                g_warning("domain %s: it must not run and cannot be destroyed: %s", uuid,
                          virGetLastErrorMessage());
            break;
        case WARD_REMEDY_PAUSE:
            pause_in_thread(dom, state_dir, uuid);
            break;
        default:
            if (virDomainResume(dom) < 0)
                g_warning("domain %s: cannot be resumed: %s", uuid, virGetLastErrorMessage());
            ward_marker_set(state_dir, uuid, WARD_MARKER_PAUSED, FALSE);
        }
        virDomainFree(dom);
    }
    if (conn)
        ward_connection_release(sync->manager->connection, conn);
    g_task_return_boolean(task, TRUE);
}

static void
on_remedied(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Sync *sync = g_task_get_task_data(G_TASK(result));

    end_pass(sync->manager, sync->domain, NULL);
}

/* Whether libvirt has to be called: to stop the domain, or to let it run again. */
static gboolean
needs_remedy(Sync *sync)
{
    WardDomain *domain = sync->domain;
    const char *reason = NULL;
    WardRemedy remedy = ward_pass_get_remedy(sync->pass, &reason);

    if (domain->state == VIR_DOMAIN_PAUSED && remedy == WARD_REMEDY_NONE)
        return ward_marker_get(sync->manager->state_dir, domain->uuid, WARD_MARKER_PAUSED);
    if (domain->state != VIR_DOMAIN_RUNNING || remedy == WARD_REMEDY_NONE)
        return FALSE;
    g_warning("domain '%s' is %s: %s", domain->name,
              remedy == WARD_REMEDY_PAUSE ? "paused" : "destroyed", reason ? reason : "");
    return TRUE;
}

/* the host's part of a pass */

static void
host_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Sync *sync = data;

    ward_pass_run(sync->pass);
    g_task_return_boolean(task, TRUE);
}

static void
on_host_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Sync *sync = g_task_get_task_data(G_TASK(result));
    g_autoptr(GTask) remedy = NULL;
    Sync *next;

    ward_pass_publish(sync->pass, sync->manager, sync->domain);
    if (!needs_remedy(sync)) {
        end_pass(sync->manager, sync->domain, NULL);
        return;
    }
    remedy = sync_task_new(sync->manager, sync->domain, on_remedied);
    next = g_task_get_task_data(remedy);
    next->pass = g_steal_pointer(&sync->pass);
    ward_queue_push(&sync->domain->libvirt_queue, g_steal_pointer(&remedy), remedy_in_thread);
}

static void
start_host(WardManager *manager, WardDomain *domain)
{
    GTask *task;
    Sync *sync;

    domain->sync_held = domain->early_runs;
    if (domain->sync_held)
        return;
    task = sync_task_new(manager, domain, on_host_done);
    sync = g_task_get_task_data(task);
    sync->pass = ward_pass_new(manager, domain, ward_domain_get_native(domain),
                               ward_domain_is_active(domain));
    if (domain->starting && domain->early_ran)
        ward_pass_skip_failed(sync->pass);
    ward_pass_take_reboots(sync->pass, domain);
    ward_queue_push(&domain->host_queue, task, host_in_thread);
}

void
ward_sync_early_done(WardManager *self, WardDomain *domain)
{
    if (domain->sync_held)
        start_host(self, domain);
}

/* libvirt's part of a pass */

static void
read_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Sync *sync = data;
    WardConnection *connection = sync->manager->connection;
    virDomainPtr dom = g_steal_pointer(&sync->listed);
    WardReading *reading = NULL;
    GError *error = NULL;
    virConnectPtr conn = ward_connection_acquire(connection, &error);

    if (conn && !dom) {
        dom = virDomainLookupByUUIDString(conn, sync->domain->uuid);
        if (!dom)
            ward_connection_set_error(&error, "cannot find domain %s", sync->domain->uuid);
    }
    if (conn && dom)
        reading = ward_reading_new(dom, WARD_READING_BRIEF, &error);
    if (reading && sync->job)
        ward_reading_look_at_job(reading, dom);
    if (dom)
        virDomainFree(dom);
    if (conn)
        ward_connection_release(connection, conn);

    if (reading)
        g_task_return_pointer(task, reading, (GDestroyNotify)ward_reading_free);
    else
        g_task_return_error(task, error);
}

/* The domain is no more. One that a hook has announced is about to be. */
static void
domain_gone(WardManager *manager, WardDomain *domain)
{
    g_autoptr(GError) error =
        g_error_new(WARD_ERROR, WARD_ERROR_NOT_FOUND, "domain '%s' is gone", domain->name);
    g_autoptr(WardReading) nothing = ward_reading_new_gone();

    if (domain->starting) {
        end_pass(manager, domain, error);
        return;
    }
    ward_trustdomain_note_gone(manager, domain);
    ward_domain_take_reading(domain, nothing);
    ward_manager_remove_domain(manager, domain);
    /* A last pass, so that the provider forgets it. Nobody waits for that one. */
    end_tasks(domain, error);
    start_host(manager, domain);
}

static void
on_read(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Sync *sync = g_task_get_task_data(G_TASK(result));
    g_autoptr(GError) error = NULL;
    g_autoptr(WardReading) reading = g_task_propagate_pointer(G_TASK(result), &error);

    sync->domain->sync_reads = FALSE;
    if (reading) {
        ward_domain_take_reading(sync->domain, reading);
        start_host(sync->manager, sync->domain);
    } else if (g_error_matches(error, WARD_ERROR, WARD_ERROR_NOT_FOUND)) {
        domain_gone(sync->manager, sync->domain);
    } else {
        g_info("domain '%s': %s", sync->domain->name, error->message);
        ward_domain_set_unread(sync->domain, error->message);
        sync->domain->sync_libvirt = TRUE; /* see plan_next() */
        end_pass(sync->manager, sync->domain, error);
    }
}

static void
start_read(WardManager *manager, WardDomain *domain)
{
    GTask *task = sync_task_new(manager, domain, on_read);
    Sync *sync = g_task_get_task_data(task);

    sync->listed = g_steal_pointer(&domain->listed);
    sync->job = domain->leaving;
    domain->sync_reads = TRUE;
    ward_queue_push(&domain->libvirt_queue, task, read_in_thread);
}

static void
start_pass(WardManager *manager, WardDomain *domain)
{
    gboolean read = domain->sync_libvirt && ward_connection_is_open(manager->connection);

    domain->sync_running = TRUE;
    domain->sync_again = FALSE;
    domain->sync_libvirt = FALSE;
    domain->served = g_steal_pointer(&domain->waiting);
    if (read)
        start_read(manager, domain);
    else
        start_host(manager, domain);
}

void
ward_sync(WardManager *self, WardDomain *domain, WardSyncScope scope, GTask *task)
{
    if (task && !domain->waiting)
        domain->waiting = g_ptr_array_new_with_free_func(g_object_unref);
    if (task)
        g_ptr_array_add(domain->waiting, task);
    if (scope == WARD_SYNC_LIBVIRT) {
        /* Something has happened since it was listed: it may have another ID now, or none. */
        if (domain->sync_asked)
            ward_domain_set_listed(domain, NULL);
        domain->sync_asked = domain->sync_libvirt = TRUE;
    }
    domain->sync_again = TRUE;
    if (!domain->sync_running)
        start_pass(self, domain);
}

typedef struct {
    WardDomain *domain;
    GTask *task;
    WardKnownFunc func;
} Known;

static void
on_known(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree Known *known = user_data;
    g_autoptr(WardDomain) domain = known->domain;

    known->func(g_task_get_source_object(known->task), domain, known->task);
}

void
ward_sync_when_known(WardManager *self, WardDomain *domain, GTask *task, WardKnownFunc func)
{
    Known *known;

    if (ward_domain_is_active(domain)) {
        func(self, domain, task);
        return;
    }
    known = g_new0(Known, 1);
    known->domain = g_object_ref(domain);
    known->task = task;
    known->func = func;
    ward_sync(self, domain, WARD_SYNC_LIBVIRT, g_task_new(NULL, NULL, on_known, known));
}

/* The host comes first: what libvirt says is known already, and asking takes time. */
static void
sync_at_once(WardManager *self, WardDomain *domain)
{
    ward_sync(self, domain, WARD_SYNC_HOST, NULL);
    ward_sync(self, domain, WARD_SYNC_LIBVIRT, NULL);
}

void
ward_sync_note_leaving(WardManager *self, WardDomain *domain)
{
    if (domain->leaving || !ward_domain_is_active(domain))
        return;
    domain->leaving = TRUE;
    ward_sync(self, domain, WARD_SYNC_HOST, NULL);
}

void
ward_sync_note_suspended(WardManager *self, WardDomain *domain)
{
    if (ward_domain_is_active(domain))
        domain->state = VIR_DOMAIN_PAUSED;
    sync_at_once(self, domain);
}

void
ward_sync_note_reboot(WardManager *self, WardDomain *domain)
{
    domain->reboots++;
    domain->looks = LOOKS_AFTER_REBOOT;
    ward_sync(self, domain, WARD_SYNC_HOST, NULL);
}
