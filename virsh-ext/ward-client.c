/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-client.c: virsh-ward's side of the D-Bus API
 */
#include "ward-client.h"

#include "ward-dbus-error.h"
#include "ward-dbus-path.h"
#include "ward-error.h"
#include "ward-uri.h"

#define INTERFACE_PROPERTIES "org.freedesktop.DBus.Properties"
#define INTERFACE_MANAGER "org.freedesktop.DBus.ObjectManager"

WardClient *
ward_client_new(GBusType bus, GError **error)
{
    g_autoptr(WardClient) self = g_new0(WardClient, 1);

    ward_dbus_error_register();
    self->bus = bus;
    self->connection = g_bus_get_sync(bus, NULL, error);
    if (!self->connection) {
        g_prefix_error(error, "cannot reach the %s bus, where virtward's daemon is: ",
                       ward_client_bus_name(self));
        return NULL;
    }
    /* A bus that goes away is an error of the next call, not the end of an interactive session. */
    g_dbus_connection_set_exit_on_close(self->connection, FALSE);
    return g_steal_pointer(&self);
}

void
ward_client_free(WardClient *self)
{
    if (!self)
        return;
    g_clear_object(&self->connection);
    g_clear_pointer(&self->host, g_variant_unref);
    g_free(self);
}

const char *
ward_client_bus_name(const WardClient *self)
{
    return self->bus == G_BUS_TYPE_SYSTEM ? "system" : "session";
}

static gboolean
means_absent(const GError *error)
{
    return g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_SPAWN_SERVICE_NOT_FOUND);
}

static gboolean
means_did_not_start(const GError *error)
{
    g_autofree char *name = NULL;

    if (error->domain != G_DBUS_ERROR)
        return FALSE;
    name = g_dbus_error_get_remote_error(error);
    return g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_TIMED_OUT) ||
           (name && g_str_has_prefix(name, "org.freedesktop.DBus.Error.Spawn."));
}

static gboolean
means_unknown(const GError *error)
{
    return g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_OBJECT) ||
           g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_INTERFACE);
}

static const char *
how_to_start(const WardClient *self)
{
    return self->bus == G_BUS_TYPE_SYSTEM
               ? "start it with 'systemctl start virtwardd'"
               : "start it with 'virtwardd --bus session', or look for it on the other bus with "
                 "--bus system";
}

void
ward_client_explain(const WardClient *self, GError **error)
{
    g_autoptr(GError) cause = g_steal_pointer(error);
    const char *bus = ward_client_bus_name(self);
    gboolean absent = means_absent(cause);
    gboolean did_not_start = means_did_not_start(cause);

    if (cause->domain == WARD_ERROR || cause->domain == G_DBUS_ERROR)
        g_dbus_error_strip_remote_error(cause);
    if (absent)
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "virtward's daemon, virtwardd, does not run on the %s bus: %s", bus,
                    how_to_start(self));
    else if (did_not_start)
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "virtward's daemon, virtwardd, could not be started on the %s bus: %s; see its "
                    "log with 'journalctl -u virtwardd'",
                    bus, cause->message);
    else if (g_error_matches(cause, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED))
        g_set_error(error, WARD_ERROR, WARD_ERROR_ACCESS_DENIED,
                    "the policy of the %s bus does not let this user talk to virtward's daemon: %s",
                    bus, cause->message);
    else if (g_error_matches(cause, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY) ||
             g_error_matches(cause, G_IO_ERROR, G_IO_ERROR_CLOSED))
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "virtward's daemon ended before it answered: give the command again, which "
                    "shows what has been done (%s)",
                    cause->message);
    else if (means_unknown(cause))
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_FOUND,
                    "virtward's daemon has no such object or method (any more): %s",
                    cause->message);
    else
        *error = g_steal_pointer(&cause);
}

GVariant *
ward_client_call(WardClient *self,
                 const char *path,
                 const char *interface,
                 const char *method,
                 GVariant *arguments,
                 const char *reply_type,
                 GError **error)
{
    g_autoptr(GError) failure = NULL;
    GVariant *reply = g_dbus_connection_call_sync(
        self->connection, WARD_DBUS_NAME, path, interface, method, arguments,
        G_VARIANT_TYPE(reply_type ? reply_type : "()"),
        G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, G_MAXINT, NULL, &failure);

    if (!reply) {
        ward_client_explain(self, &failure);
        g_propagate_error(error, g_steal_pointer(&failure));
    }
    return reply;
}

GVariant *
ward_client_get_properties(WardClient *self,
                           const char *path,
                           const char *interface,
                           GError **error)
{
    g_autoptr(GVariant) reply = ward_client_call(self, path, INTERFACE_PROPERTIES, "GetAll",
                                                 g_variant_new("(s)", interface), "(a{sv})", error);

    return reply ? g_variant_get_child_value(reply, 0) : NULL;
}

GVariant *
ward_client_get_objects(WardClient *self, GError **error)
{
    g_autoptr(GVariant) reply =
        ward_client_call(self, WARD_DBUS_PATH, INTERFACE_MANAGER, "GetManagedObjects", NULL,
                         "(a{oa{sa{sv}}})", error);

    return reply ? g_variant_get_child_value(reply, 0) : NULL;
}

static gboolean
check_uri(const WardClient *self, const char *uri, GError **error)
{
    const char *watched = ward_properties_string(self->host, "Uri");
    gboolean system = self->bus == G_BUS_TYPE_SYSTEM;

    if (!uri || ward_uri_equal(uri, watched))
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                "the daemon on the %s bus watches %s, not %s: use -c %s, or look for another "
                "daemon on the other bus with --bus %s",
                system ? "system" : "session", watched, uri, watched,
                system ? "session" : "system");
    return FALSE;
}

static gboolean
read_host(WardClient *self, GError **error)
{
    GVariant *host =
        ward_client_get_properties(self, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST, error);

    if (!host)
        return FALSE;
    g_clear_pointer(&self->host, g_variant_unref);
    self->host = host;
    return TRUE;
}

/* A daemon that has just been started, by this very call perhaps, answers a method when it has read
 * its domains, but shows properties and objects at once. So ask something first; what it answers
 * does not matter. */
static gboolean
settle(WardClient *self, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
        self->connection, WARD_DBUS_NAME, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST,
        "LookupDomain", g_variant_new("(s)", ""), NULL, G_DBUS_CALL_FLAGS_NONE, G_MAXINT, NULL,
        &failure);

    if (reply || failure->domain == WARD_ERROR)
        return TRUE;
    ward_client_explain(self, &failure);
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

gboolean
ward_client_refresh(WardClient *self, const char *uri, GError **error)
{
    return settle(self, error) && read_host(self, error) && check_uri(self, uri, error);
}

char *
ward_client_get_domain_name(WardClient *self, const char *path)
{
    g_autoptr(GVariant) properties =
        ward_client_get_properties(self, path, WARD_DBUS_INTERFACE_DOMAIN, NULL);
    const char *name = ward_properties_string(properties, "Name");

    return name[0] ? g_strdup(name) : ward_dbus_path_to_uuid(path);
}

const char *
ward_properties_string(GVariant *properties, const char *name)
{
    const char *value = "";

    if (properties && !g_variant_lookup(properties, name, "&s", &value))
        g_variant_lookup(properties, name, "&o", &value);
    return value;
}

gboolean
ward_properties_boolean(GVariant *properties, const char *name)
{
    gboolean value = FALSE;

    if (properties)
        g_variant_lookup(properties, name, "b", &value);
    return value;
}

guint64
ward_properties_number(GVariant *properties, const char *name)
{
    guint64 value = 0;
    guint32 small = 0;

    if (!properties || g_variant_lookup(properties, name, "t", &value))
        return value;
    g_variant_lookup(properties, name, "u", &small);
    return small;
}

GStrv
ward_properties_names(GVariant *properties, const char *name)
{
    GStrv names = NULL;

    if (properties)
        g_variant_lookup(properties, name, "^as", &names);
    return names ? names : g_new0(char *, 1);
}
