/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-connection.h"

#include <libvirt-glib/libvirt-glib.h>
#include <libvirt/virterror.h>

#include "ward-error.h"
#include "ward-patience.h"
#include "ward-queue.h"

#define BACKOFF_FIRST_MS 250
#define BACKOFF_LAST_MS 30000

/* Over a network, and for a last call: how often a peer is asked, and may miss to answer. */
#define KEEPALIVE_SECONDS 5
#define KEEPALIVE_COUNT 3

/* Connections for calls that are kept while nobody calls. */
#define MAX_SPARES 4

/* VIR_DOMAIN_EVENT_STOPPED_RECREATED of libvirt-domain.h since libvirt 11.6; it is built with older
 * ones. */
#define STOPPED_RECREATED 7

struct _WardConnection {
    GObject parent;

    char *uri;
    gboolean remote;
    gboolean in_process; /* the driver runs in this process: nothing hangs, and a second
                          * connection may be another world */
    gboolean started;
    char *error;
    gulong version;
    guint backoff_ms;
    guint timer;
    GCancellable *cancellable;
    WardQueue queue;

    GMutex lock; /* guards these */
    virConnectPtr conn;
    guint epoch;      /* grows whenever conn is lost, and all others with it */
    GQueue spares;    /* of this epoch, and used by nobody */
    GHashTable *lent; /* connection to its epoch */

    WardPatience *patience; /* NULL: over a network, where libvirt's keepalive runs */
};

enum {
    SIGNAL_OPENED,
    SIGNAL_CLOSED,
    SIGNAL_DOMAIN_EVENT,
    N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(WardConnection, ward_connection, G_TYPE_OBJECT)

static void connection_open(WardConnection *self);
static void on_close(virConnectPtr conn, int reason, void *opaque);

/* errors */

void
ward_connection_set_error(GError **error, const char *format, ...)
{
    g_autofree char *doing = NULL;
    virErrorPtr last = virGetLastError();
    int code = WARD_ERROR_LIBVIRT;
    va_list args;

    va_start(args, format);
    doing = g_strdup_vprintf(format, args);
    va_end(args);
    if (last && last->code == VIR_ERR_NO_DOMAIN)
        code = WARD_ERROR_NOT_FOUND;
    else if (last && last->code == VIR_ERR_OPERATION_TIMEOUT)
        code = WARD_ERROR_TIMED_OUT;
    else if (last && last->code == VIR_ERR_OPERATION_INVALID)
        code = WARD_ERROR_INVALID_STATE;
    g_set_error(error, WARD_ERROR, code, "%s: %s", doing,
                last && last->message ? last->message : "libvirt gave no reason");
}

/* libvirt prints errors by itself unless told not to. */
static void
ignore_libvirt_error(void *opaque, virErrorPtr error)
{
}

/* events, in the main thread */

static void
emit_domain_event(WardConnection *self, virDomainPtr dom, WardDomainEvent event)
{
    g_signal_emit(self, signals[SIGNAL_DOMAIN_EVENT], 0, dom, event);
}

static WardDomainEvent
get_lifecycle_event(int event, int detail)
{
    switch (event) {
    case VIR_DOMAIN_EVENT_STARTED:
        return WARD_DOMAIN_EVENT_STARTED;
    case VIR_DOMAIN_EVENT_STOPPED:
        return detail == STOPPED_RECREATED ? WARD_DOMAIN_EVENT_STOPPED_RECREATED
                                           : WARD_DOMAIN_EVENT_STOPPED;
    case VIR_DOMAIN_EVENT_SUSPENDED:
        return WARD_DOMAIN_EVENT_SUSPENDED;
    default:
        return WARD_DOMAIN_EVENT_LIFECYCLE;
    }
}

static int
on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *opaque)
{
    emit_domain_event(opaque, dom, get_lifecycle_event(event, detail));
    return 0;
}

/* Comes with every round over the memory, the first of which is at the very beginning. */
static void
on_migration_iteration(virConnectPtr conn, virDomainPtr dom, int iteration, void *opaque)
{
    emit_domain_event(opaque, dom, WARD_DOMAIN_EVENT_LEAVING);
}

static void
on_reboot(virConnectPtr conn, virDomainPtr dom, void *opaque)
{
    emit_domain_event(opaque, dom, WARD_DOMAIN_EVENT_REBOOT);
}

static void
on_metadata(virConnectPtr conn, virDomainPtr dom, int type, const char *uri, void *opaque)
{
    emit_domain_event(opaque, dom, WARD_DOMAIN_EVENT_METADATA);
}

/* patience */

/* libvirtd answers this whatever else it does. */
static void
ask_version(gpointer data)
{
    virConnectPtr conn = ward_connection_ref_shared(data, NULL);
    gulong version;

    if (conn) {
        virConnectGetLibVersion(conn, &version);
        virConnectClose(conn);
    }
}

static void
on_hanging(gpointer data)
{
    WardConnection *self = data;

    if (self->conn)
        on_close(self->conn, VIR_CONNECT_CLOSE_REASON_KEEPALIVE, self);
}

void
ward_connection_begin_call(WardConnection *self)
{
    if (self->patience)
        ward_patience_begin(self->patience);
}

void
ward_connection_end_call(WardConnection *self)
{
    if (self->patience)
        ward_patience_end(self->patience);
}

/* opening and closing */

static gboolean
on_timer(gpointer data)
{
    WardConnection *self = data;

    self->timer = 0;
    connection_open(self);
    return G_SOURCE_REMOVE;
}

static void
retry_later(WardConnection *self, const char *why)
{
    g_free(self->error);
    self->error = g_strdup(why);
    if (!self->started)
        return;
    g_message("no connection to libvirt at %s: %s; trying again in %.2g s", self->uri, why,
              self->backoff_ms / 1000.0);
    self->timer = g_timeout_add(self->backoff_ms, on_timer, self);
    self->backoff_ms = MIN(self->backoff_ms * 2, BACKOFF_LAST_MS);
}

/* The shared connection, if there is one, and what is spare goes with it. (transfer full) */
static GPtrArray *
steal_conns(WardConnection *self)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
    GPtrArray *conns = g_ptr_array_new();
    virConnectPtr spare;

    self->epoch++;
    if (self->conn)
        g_ptr_array_add(conns, g_steal_pointer(&self->conn));
    while ((spare = g_queue_pop_head(&self->spares)))
        g_ptr_array_add(conns, spare);
    return conns;
}

/* Blocks, for libvirtd is told: a libvirtd that hangs is given up as one that does not answer. */
static void
close_conns(GPtrArray *conns)
{
    for (guint i = 0; i < conns->len; i++) {
        virConnectSetKeepAlive(conns->pdata[i], KEEPALIVE_SECONDS, KEEPALIVE_COUNT);
        virConnectClose(conns->pdata[i]);
    }
    g_ptr_array_unref(conns);
}

static void
close_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    close_conns(data);
    g_task_return_boolean(task, TRUE);
}

/* From the main thread, which must not block. */
static void
close_later(WardConnection *self)
{
    g_autoptr(GTask) task = g_task_new(self, NULL, NULL, NULL);

    g_task_set_task_data(task, steal_conns(self), NULL);
    g_task_run_in_thread(task, close_in_thread);
}

typedef struct {
    WardConnection *self;
    virConnectPtr conn;
    int reason;
} Closed;

static gboolean
handle_closed(gpointer data)
{
    g_autofree Closed *closed = data;
    g_autoptr(WardConnection) self = closed->self;
    static const char *const reasons[] = {"the connection broke", "libvirt closed the connection",
                                          "libvirt did not answer", "closed by this client"};

    if (closed->conn != self->conn)
        return G_SOURCE_REMOVE;
    close_later(self);
    self->backoff_ms = BACKOFF_FIRST_MS;
    retry_later(self, reasons[CLAMP(closed->reason, 0, 3)]);
    g_signal_emit(self, signals[SIGNAL_CLOSED], 0);
    return G_SOURCE_REMOVE;
}

/* Whichever thread noticed. */
static void
on_close(virConnectPtr conn, int reason, void *opaque)
{
    Closed *closed = g_new0(Closed, 1);

    closed->self = g_object_ref(opaque);
    closed->conn = conn;
    closed->reason = reason;
    g_idle_add(handle_closed, closed);
}

static gboolean
register_events(WardConnection *self, virConnectPtr conn)
{
    static const struct {
        int id;
        virConnectDomainEventGenericCallback callback;
    } events[] = {
        {VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)},
        {VIR_DOMAIN_EVENT_ID_REBOOT, VIR_DOMAIN_EVENT_CALLBACK(on_reboot)},
        {VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_metadata)},
        {VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
         VIR_DOMAIN_EVENT_CALLBACK(on_migration_iteration)},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(events); i++) {
        if (virConnectDomainEventRegisterAny(conn, NULL, events[i].id, events[i].callback,
                                             g_object_ref(self), g_object_unref) < 0) {
            g_object_unref(self);
            return FALSE;
        }
    }
    /* In-process drivers cannot lose their connection and refuse this. */
    if (virConnectRegisterCloseCallback(conn, on_close, g_object_ref(self), g_object_unref) < 0)
        g_object_unref(self);
    return TRUE;
}

static virConnectPtr
open_conn(WardConnection *self)
{
    virConnectPtr conn = virConnectOpen(self->uri);

    if (conn && self->remote)
        virConnectSetKeepAlive(conn, KEEPALIVE_SECONDS, KEEPALIVE_COUNT);
    return conn;
}

static void
open_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    WardConnection *self = source;
    virConnectPtr conn = open_conn(self);
    GError *error = NULL;

    if (!conn) {
        ward_connection_set_error(&error, "cannot connect to %s", self->uri);
        g_task_return_error(task, error);
        return;
    }
    g_mutex_lock(&self->lock);
    self->conn = conn;
    g_mutex_unlock(&self->lock);
    if (!register_events(self, conn)) {
        ward_connection_set_error(&error, "cannot listen to the events of %s", self->uri);
        close_conns(steal_conns(self));
        g_task_return_error(task, error);
        return;
    }
    if (virConnectGetLibVersion(conn, &self->version) < 0)
        self->version = 0;
    g_task_return_boolean(task, TRUE);
}

static void
on_opened(GObject *source, GAsyncResult *result, gpointer user_data)
{
    WardConnection *self = WARD_CONNECTION(source);
    g_autoptr(GError) error = NULL;

    if (!g_task_propagate_boolean(G_TASK(result), &error)) {
        if (!self->started)
            return;
        retry_later(self, error->message);
        g_signal_emit(self, signals[SIGNAL_CLOSED], 0);
        return;
    }
    if (!self->started) {
        close_later(self);
        return;
    }
    g_clear_pointer(&self->error, g_free);
    self->backoff_ms = BACKOFF_FIRST_MS;
    g_message("connected to libvirt at %s", self->uri);
    g_signal_emit(self, signals[SIGNAL_OPENED], 0);
}

static void
connection_open(WardConnection *self)
{
    ward_queue_push(&self->queue, g_task_new(self, self->cancellable, on_opened, NULL),
                    open_in_thread);
}

/* A URI with a host, or with a transport, goes over something that can fail silently. */
static gboolean
uri_is_remote(const char *uri)
{
    g_autoptr(GUri) parsed = g_uri_parse(uri, G_URI_FLAGS_NONE, NULL);

    if (!parsed)
        return TRUE;
    return strchr(g_uri_get_scheme(parsed), '+') ||
           (g_uri_get_host(parsed) && *g_uri_get_host(parsed));
}

/* public */

static void
ward_connection_finalize(GObject *object)
{
    WardConnection *self = WARD_CONNECTION(object);

    g_free(self->uri);
    g_free(self->error);
    g_object_unref(self->cancellable);
    g_hash_table_unref(self->lent);
    g_clear_pointer(&self->patience, ward_patience_free);
    g_mutex_clear(&self->lock);
    G_OBJECT_CLASS(ward_connection_parent_class)->finalize(object);
}

static void
ward_connection_class_init(WardConnectionClass *klass)
{
    GType type = WARD_TYPE_CONNECTION;

    G_OBJECT_CLASS(klass)->finalize = ward_connection_finalize;
    signals[SIGNAL_OPENED] =
        g_signal_new("opened", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_CLOSED] =
        g_signal_new("closed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_DOMAIN_EVENT] =
        g_signal_new("domain-event", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2,
                     G_TYPE_POINTER, G_TYPE_INT);
}

static void
ward_connection_init(WardConnection *self)
{
    static gsize once;

    if (g_once_init_enter(&once)) {
        gvir_event_register();
        virSetErrorFunc(NULL, ignore_libvirt_error);
        g_once_init_leave(&once, 1);
    }
    self->backoff_ms = BACKOFF_FIRST_MS;
    self->error = g_strdup("not connected yet");
    self->cancellable = g_cancellable_new();
    self->lent = g_hash_table_new(NULL, NULL);
    g_mutex_init(&self->lock);
}

WardConnection *
ward_connection_new(const char *uri)
{
    WardConnection *self = g_object_new(WARD_TYPE_CONNECTION, NULL);

    self->uri = g_strdup(uri);
    self->remote = uri_is_remote(uri);
    self->in_process = g_str_has_prefix(uri, "test:");
    if (!self->remote)
        self->patience = ward_patience_new(G_OBJECT(self), ask_version, on_hanging);
    return self;
}

void
ward_connection_start(WardConnection *self)
{
    self->started = TRUE;
    connection_open(self);
}

void
ward_connection_stop(WardConnection *self)
{
    self->started = FALSE;
    g_cancellable_cancel(self->cancellable);
    g_clear_handle_id(&self->timer, g_source_remove);
    if (self->patience)
        ward_patience_stop(self->patience);
    if (self->conn) {
        virConnectSetKeepAlive(self->conn, KEEPALIVE_SECONDS, KEEPALIVE_COUNT);
        virConnectUnregisterCloseCallback(self->conn, on_close);
    }
    close_conns(steal_conns(self));
}

gboolean
ward_connection_is_open(WardConnection *self)
{
    return !self->error;
}

const char *
ward_connection_get_error(WardConnection *self)
{
    return self->error ? self->error : "";
}

gulong
ward_connection_get_libvirt_version(WardConnection *self)
{
    return self->version;
}

gulong
ward_connection_read_qemu_version(virConnectPtr conn)
{
    gulong version = 0;

    if (g_strcmp0(virConnectGetType(conn), "QEMU") != 0 || virConnectGetVersion(conn, &version) < 0)
        return 0;
    return version;
}

virConnectPtr
ward_connection_ref_shared(WardConnection *self, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

    if (!self->conn) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_CONNECTED,
                    "there is no connection to libvirt at %s at present", self->uri);
        return NULL;
    }
    virConnectRef(self->conn);
    return self->conn;
}

static virConnectPtr
take_spare(WardConnection *self, guint *epoch)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

    *epoch = self->epoch;
    return g_queue_pop_head(&self->spares);
}

static void
note_lent(WardConnection *self, virConnectPtr conn, guint epoch)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

    g_hash_table_insert(self->lent, conn, GUINT_TO_POINTER(epoch));
}

virConnectPtr
ward_connection_acquire(WardConnection *self, GError **error)
{
    virConnectPtr conn = ward_connection_ref_shared(self, error);
    guint epoch;

    if (!conn)
        return NULL;
    ward_connection_begin_call(self);
    if (self->in_process)
        return conn;
    virConnectClose(conn);
    conn = take_spare(self, &epoch);
    if (!conn)
        conn = open_conn(self);
    if (!conn) {
        ward_connection_end_call(self);
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_CONNECTED,
                    "libvirt at %s takes no further connection: %s", self->uri,
                    virGetLastErrorMessage());
        return NULL;
    }
    note_lent(self, conn, epoch);
    return conn;
}

/* Whether @conn is now a spare one. */
static gboolean
keep_spare(WardConnection *self, virConnectPtr conn, gboolean alive)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
    guint epoch = GPOINTER_TO_UINT(g_hash_table_lookup(self->lent, conn));

    g_hash_table_remove(self->lent, conn);
    if (!alive || epoch != self->epoch || g_queue_get_length(&self->spares) >= MAX_SPARES)
        return FALSE;
    g_queue_push_head(&self->spares, conn);
    return TRUE;
}

void
ward_connection_release(WardConnection *self, virConnectPtr conn)
{
    gboolean kept = FALSE;

    ward_connection_end_call(self);
    if (!self->in_process)
        kept = keep_spare(self, conn, virConnectIsAlive(conn) == 1);
    if (!kept)
        virConnectClose(conn);
}
