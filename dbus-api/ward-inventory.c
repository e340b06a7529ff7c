/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-inventory.h"

#include <malloc.h>

#include "ward-dbus-names.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define INVENTORY_TYPE "a{oa{sa{sv}}}"

/* Calls often come one after the other: after the last, its memory is given back. */
#define REST_MS 50

struct _WardInventory {
    GObject parent;

    WardInventorySource source;
    gpointer source_data;
    gboolean complete;
    guint rest;                /* source: no call has come for a while */
    GDBusConnection *answered; /* that of the last answer, while its memory was not given back */
    GQueue early;              /* calls that came before it is complete: WardInventoryCall */
};

typedef struct {
    WardInventory *inventory;
    GDBusConnection *connection;
    GDBusMessage *call;
} WardInventoryCall;

/* callbacks */
static GDBusMessage *
filter(GDBusConnection *connection, GDBusMessage *message, gboolean incoming, gpointer user_data);
static gboolean on_call(gpointer user_data);
/* helpers */
static gboolean is_our_call(GDBusMessage *message);
static void answer(WardInventoryCall *call);
static gboolean on_rest(gpointer user_data);
static void on_sent(GObject *connection, GAsyncResult *result, gpointer user_data);
static GVariant *build_reply(WardInventory *self);
static void ward_inventory_call_free(WardInventoryCall *call);

G_DEFINE_FINAL_TYPE(WardInventory, ward_inventory, G_TYPE_OBJECT)

static void
ward_inventory_finalize(GObject *object)
{
    WardInventory *self = WARD_INVENTORY(object);

    g_clear_handle_id(&self->rest, g_source_remove);
    g_clear_object(&self->answered);
    G_OBJECT_CLASS(ward_inventory_parent_class)->finalize(object);
}

static void
ward_inventory_class_init(WardInventoryClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = ward_inventory_finalize;
}

static void
ward_inventory_init(WardInventory *self)
{
}

WardInventory *
ward_inventory_new(void)
{
    return g_object_new(WARD_TYPE_INVENTORY, NULL);
}

void
ward_inventory_set_source(WardInventory *self, WardInventorySource source, gpointer user_data)
{
    self->source = source;
    self->source_data = user_data;
    /* Then nothing will be known any more: calls that wait are dropped with the rest. */
    if (!source)
        ward_inventory_set_complete(self);
}

guint
ward_inventory_add_to(WardInventory *self, GDBusConnection *connection)
{
    return g_dbus_connection_add_filter(connection, filter, g_object_ref(self), g_object_unref);
}

void
ward_inventory_remove_from(GDBusConnection *connection, guint id)
{
    g_dbus_connection_remove_filter(connection, id);
}

void
ward_inventory_set_complete(WardInventory *self)
{
    WardInventoryCall *call;

    self->complete = TRUE;
    while ((call = g_queue_pop_head(&self->early)))
        answer(call);
}

/* Runs in GDBus's own thread: it only takes the message out of GLib's way. */
static GDBusMessage *
filter(GDBusConnection *connection, GDBusMessage *message, gboolean incoming, gpointer user_data)
{
    WardInventoryCall *call;

    if (!incoming || !is_our_call(message))
        return message;

    call = g_new0(WardInventoryCall, 1);
    call->inventory = g_object_ref(user_data);
    call->connection = g_object_ref(connection);
    call->call = message;
    g_idle_add_full(G_PRIORITY_DEFAULT, on_call, call, NULL);
    return NULL;
}

static gboolean
on_call(gpointer user_data)
{
    WardInventoryCall *call = user_data;

    if (call->inventory->complete)
        answer(call);
    else
        g_queue_push_tail(&call->inventory->early, call);
    return G_SOURCE_REMOVE;
}

/* Takes the call. */
static void
answer(WardInventoryCall *call)
{
    WardInventory *self = call->inventory;
    g_autoptr(GDBusMessage) reply = NULL;

    if (!self->source) {
        ward_inventory_call_free(call);
        return;
    }
    reply = g_dbus_message_new_method_reply(call->call);
    g_dbus_message_set_body(reply, build_reply(self));
    /* It fails only when the connection is gone, and the caller with it. */
    g_dbus_connection_send_message(call->connection, reply, G_DBUS_SEND_MESSAGE_FLAGS_NONE, NULL,
                                   NULL);
    g_set_object(&self->answered, call->connection);
    g_clear_handle_id(&self->rest, g_source_remove);
    self->rest = g_timeout_add(REST_MS, on_rest, self);
    ward_inventory_call_free(call);
}

/* A machine that is busy may not have sent the last answer yet. */
static gboolean
on_rest(gpointer user_data)
{
    WardInventory *self = user_data;

    self->rest = 0;
    g_dbus_connection_flush(self->answered, NULL, on_sent, NULL);
    g_clear_object(&self->answered);
    return G_SOURCE_REMOVE;
}

/* The message is the largest thing that the daemon allocates, and it is gone. */
static void
on_sent(GObject *connection, GAsyncResult *result, gpointer user_data)
{
    g_dbus_connection_flush_finish(G_DBUS_CONNECTION(connection), result, NULL);
    malloc_trim(0);
}

/* What is not exactly the call is GLib's, which knows the errors for it. */
static gboolean
is_our_call(GDBusMessage *message)
{
    GDBusMessageFlags flags = g_dbus_message_get_flags(message);

    return g_dbus_message_get_message_type(message) == G_DBUS_MESSAGE_TYPE_METHOD_CALL &&
           !(flags & G_DBUS_MESSAGE_FLAGS_NO_REPLY_EXPECTED) && !g_dbus_message_get_body(message) &&
           g_strcmp0(g_dbus_message_get_path(message), WARD_DBUS_PATH) == 0 &&
           g_strcmp0(g_dbus_message_get_interface(message), OBJECT_MANAGER) == 0 &&
           g_strcmp0(g_dbus_message_get_member(message), "GetManagedObjects") == 0;
}

static GVariant *
build_reply(WardInventory *self)
{
    GVariantBuilder reply;

    g_variant_builder_init(&reply, G_VARIANT_TYPE("(" INVENTORY_TYPE ")"));
    g_variant_builder_open(&reply, G_VARIANT_TYPE(INVENTORY_TYPE));
    self->source(&reply, self->source_data);
    g_variant_builder_close(&reply);
    return g_variant_builder_end(&reply);
}

static void
ward_inventory_call_free(WardInventoryCall *call)
{
    g_object_unref(call->inventory);
    g_object_unref(call->connection);
    g_object_unref(call->call);
    g_free(call);
}
