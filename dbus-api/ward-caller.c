/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-caller.h"

typedef struct {
    GCancellable *cancellable;
    guint watch;
} WardCallerWatch;

/* callbacks */
static void on_uid(GObject *connection, GAsyncResult *result, gpointer user_data);
static void on_vanished(GDBusConnection *connection, const char *name, gpointer user_data);
/* helpers */
static GQuark watch_quark(void);
static void ward_caller_watch_free(WardCallerWatch *self);

G_DEFINE_QUARK(ward_caller_watch, watch)

void
ward_caller_get_uid_async(GDBusMethodInvocation *invocation,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
    GTask *task = g_task_new(invocation, cancellable, callback, user_data);
    const char *sender = g_dbus_method_invocation_get_sender(invocation);

    g_dbus_connection_call(g_dbus_method_invocation_get_connection(invocation),
                           "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                           "GetConnectionUnixUser", g_variant_new("(s)", sender),
                           G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, -1, cancellable, on_uid,
                           task);
}

gboolean
ward_caller_get_uid_finish(GAsyncResult *result, uid_t *uid, GError **error)
{
    gssize value = g_task_propagate_int(G_TASK(result), error);

    if (value < 0)
        return FALSE;
    *uid = value;
    return TRUE;
}

GCancellable *
ward_caller_get_cancellable(GDBusMethodInvocation *invocation)
{
    WardCallerWatch *self = g_object_get_qdata(G_OBJECT(invocation), watch_quark());

    if (!self) {
        self = g_new0(WardCallerWatch, 1);
        self->cancellable = g_cancellable_new();
        self->watch = g_bus_watch_name_on_connection(
            g_dbus_method_invocation_get_connection(invocation),
            g_dbus_method_invocation_get_sender(invocation), G_BUS_NAME_WATCHER_FLAGS_NONE, NULL,
            on_vanished, g_object_ref(self->cancellable), g_object_unref);
        g_object_set_qdata_full(G_OBJECT(invocation), watch_quark(), self,
                                (GDestroyNotify)ward_caller_watch_free);
    }
    return self->cancellable;
}

static void
on_uid(GObject *connection, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(connection), result, &error);
    guint32 uid;

    if (!reply) {
        g_task_return_error(task, g_steal_pointer(&error));
        return;
    }
    g_variant_get(reply, "(u)", &uid);
    g_task_return_int(task, uid);
}

static void
on_vanished(GDBusConnection *connection, const char *name, gpointer user_data)
{
    g_cancellable_cancel(G_CANCELLABLE(user_data));
}

static void
ward_caller_watch_free(WardCallerWatch *self)
{
    g_bus_unwatch_name(self->watch);
    g_object_unref(self->cancellable);
    g_free(self);
}
