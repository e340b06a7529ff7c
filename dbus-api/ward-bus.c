/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-bus.h"

#include "ward-dbus-names.h"

#define RETRY_FIRST_MS 250
#define RETRY_LAST_MS 30000

/* How long a bus may take to name the owner of our name: we only want to tell it. */
#define OWNER_TIMEOUT_MS 2000

struct _WardBus {
    GObject parent;

    GBusType type;
    char *address;
    GDBusConnection *connection; /* NULL while there is none */
    GCancellable *cancellable;   /* of the attempt to connect */
    guint name;
    guint retry;
    guint retry_ms;
    gboolean was_open;
};

enum {
    SIGNAL_OPENED,
    SIGNAL_ACQUIRED,
    SIGNAL_CLOSED,
    SIGNAL_FAILED,
    N_SIGNALS,
};

static guint signals[N_SIGNALS];

/* callbacks, in the order in which they come */
static void on_connected(GObject *source, GAsyncResult *result, gpointer user_data);
static void on_name_acquired(GDBusConnection *connection, const char *name, gpointer user_data);
static void on_name_lost(GDBusConnection *connection, const char *name, gpointer user_data);
static void on_closed(WardBus *self);
static gboolean on_retry(gpointer user_data);
/* helpers */
static void connect_to_bus(WardBus *self);
static void cannot_connect(WardBus *self, const GError *error);
static void drop_connection(WardBus *self);
static void retry_later(WardBus *self);
static void fail(WardBus *self, const char *format, ...) G_GNUC_PRINTF(2, 3);
static guint32 get_owner_pid(GDBusConnection *connection);

G_DEFINE_FINAL_TYPE(WardBus, ward_bus, G_TYPE_OBJECT)

static void
ward_bus_dispose(GObject *object)
{
    WardBus *self = WARD_BUS(object);

    g_cancellable_cancel(self->cancellable);
    g_clear_handle_id(&self->retry, g_source_remove);
    drop_connection(self);
    G_OBJECT_CLASS(ward_bus_parent_class)->dispose(object);
}

static void
ward_bus_finalize(GObject *object)
{
    g_object_unref(WARD_BUS(object)->cancellable);
    g_free(WARD_BUS(object)->address);
    G_OBJECT_CLASS(ward_bus_parent_class)->finalize(object);
}

static void
ward_bus_class_init(WardBusClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = ward_bus_dispose;
    G_OBJECT_CLASS(klass)->finalize = ward_bus_finalize;
    signals[SIGNAL_OPENED] = g_signal_new("opened", WARD_TYPE_BUS, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                          NULL, G_TYPE_NONE, 1, G_TYPE_DBUS_CONNECTION);
    signals[SIGNAL_ACQUIRED] = g_signal_new("acquired", WARD_TYPE_BUS, G_SIGNAL_RUN_LAST, 0, NULL,
                                            NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_CLOSED] = g_signal_new("closed", WARD_TYPE_BUS, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                          NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_FAILED] = g_signal_new("failed", WARD_TYPE_BUS, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                          NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
ward_bus_init(WardBus *self)
{
    self->cancellable = g_cancellable_new();
    self->retry_ms = RETRY_FIRST_MS;
}

WardBus *
ward_bus_new(GBusType type)
{
    WardBus *self = g_object_new(WARD_TYPE_BUS, NULL);

    self->type = type;
    return self;
}

void
ward_bus_start(WardBus *self)
{
    connect_to_bus(self);
}

void
ward_bus_stop(WardBus *self)
{
    g_cancellable_cancel(self->cancellable);
    g_clear_handle_id(&self->retry, g_source_remove);
    if (self->connection)
        g_dbus_connection_flush_sync(self->connection, NULL, NULL);
    drop_connection(self);
}

/* A connection of our own: GLib's shared one cannot be made again while anybody holds it. */
static void
connect_to_bus(WardBus *self)
{
    g_autoptr(GError) error = NULL;

    g_free(self->address);
    self->address = g_dbus_address_get_for_bus_sync(self->type, self->cancellable, &error);
    if (!self->address) {
        cannot_connect(self, error);
        return;
    }
    g_dbus_connection_new_for_address(self->address,
                                      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                      NULL, self->cancellable, on_connected, g_object_ref(self));
}

static void
on_connected(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(WardBus) self = user_data;
    g_autoptr(GError) error = NULL;
    GDBusConnection *connection = g_dbus_connection_new_for_address_finish(result, &error);

    if (!connection) {
        cannot_connect(self, error);
        return;
    }
    self->connection = connection;
    g_dbus_connection_set_exit_on_close(connection, FALSE);
    g_signal_connect_object(connection, "closed", G_CALLBACK(on_closed), self, G_CONNECT_SWAPPED);
    g_signal_emit(self, signals[SIGNAL_OPENED], 0, connection);
    self->name = g_bus_own_name_on_connection(connection, WARD_DBUS_NAME,
                                              G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE, on_name_acquired,
                                              on_name_lost, self, NULL);
}

static void
on_name_acquired(GDBusConnection *connection, const char *name, gpointer user_data)
{
    WardBus *self = user_data;

    self->was_open = TRUE;
    self->retry_ms = RETRY_FIRST_MS;
    g_signal_emit(self, signals[SIGNAL_ACQUIRED], 0);
}

static void
on_name_lost(GDBusConnection *connection, const char *name, gpointer user_data)
{
    WardBus *self = user_data;
    guint32 pid;

    /* With the connection: on_closed() sees to it. */
    if (!connection || g_dbus_connection_is_closed(connection))
        return;
    pid = get_owner_pid(connection);
    if (pid)
        fail(self,
             "the name %s belongs to process %u on this bus: virtwardd runs already, and one is "
             "enough",
             name, pid);
    else
        fail(self, "this bus does not let us have the name %s: see its policy (%s.conf)", name,
             name);
}

static void
on_closed(WardBus *self)
{
    drop_connection(self);
    g_signal_emit(self, signals[SIGNAL_CLOSED], 0);
    g_warning("lost the connection to the bus, trying again");
    retry_later(self);
}

static gboolean
on_retry(gpointer user_data)
{
    WardBus *self = user_data;

    self->retry = 0;
    connect_to_bus(self);
    return G_SOURCE_REMOVE;
}

/* Without a bus there is nothing to start for; a bus that was there will come back. */
static void
cannot_connect(WardBus *self, const GError *error)
{
    if (g_cancellable_is_cancelled(self->cancellable))
        return;
    if (self->was_open) {
        g_info("cannot connect to the bus yet: %s", error->message);
        retry_later(self);
        return;
    }
    fail(self, "cannot connect to the %s bus at '%s': %s",
         self->type == G_BUS_TYPE_SYSTEM ? "system" : "session",
         self->address ? self->address : "unknown address", error->message);
}

static void
drop_connection(WardBus *self)
{
    if (!self->connection)
        return;
    g_signal_handlers_disconnect_by_data(self->connection, self);
    g_clear_handle_id(&self->name, g_bus_unown_name);
    g_clear_object(&self->connection);
}

static void
retry_later(WardBus *self)
{
    self->retry = g_timeout_add(self->retry_ms, on_retry, self);
    self->retry_ms = MIN(self->retry_ms * 2, RETRY_LAST_MS);
}

static void
fail(WardBus *self, const char *format, ...)
{
    g_autofree char *why = NULL;
    va_list arguments;

    va_start(arguments, format);
    why = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_signal_emit(self, signals[SIGNAL_FAILED], 0, why);
}

/* 0 when nobody owns the name. It waits for the answer: there is nothing else to do any more. */
static guint32
get_owner_pid(GDBusConnection *connection)
{
    guint32 pid = 0;
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
        connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
        "GetConnectionUnixProcessID", g_variant_new("(s)", WARD_DBUS_NAME), G_VARIANT_TYPE("(u)"),
        G_DBUS_CALL_FLAGS_NONE, OWNER_TIMEOUT_MS, NULL, NULL);

    if (reply)
        g_variant_get(reply, "(u)", &pid);
    return pid;
}
