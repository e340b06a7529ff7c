/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "ward-element.h"
#include "ward-kvmi-names.h"
#include "ward-node.h"

/* linux/vm_sockets.h: the highest value of both, all ones, is "any". */
#define VSOCK_MAX (G_MAXUINT32 - 1)

static const char *const attributes[] = {"enforcement", "onDisconnect", NULL};
static const char *const children[] = {"socket", "authentication", "allow", NULL};

static const char *const disconnects[] = {
    [WARD_DISCONNECT_RETRY] = "retry",
    [WARD_DISCONNECT_PAUSE] = "pause",
    [WARD_DISCONNECT_DESTROY] = "destroy",
    NULL,
};

static const char *const socket_types[] = {
    [WARD_SOCKET_UNIX] = "unix",
    [WARD_SOCKET_VSOCK] = "vsock",
    NULL,
};

const char *
ward_disconnect_to_string(WardDisconnect disconnect)
{
    g_return_val_if_fail((guint)disconnect <= WARD_DISCONNECT_DESTROY, NULL);
    return disconnects[disconnect];
}

char *
ward_socket_to_string(const WardSocket *socket)
{
    if (socket->type == WARD_SOCKET_UNIX)
        return g_strdup_printf("unix:%s", socket->path);
    return g_strdup_printf("vsock:%u:%u", socket->cid, socket->port);
}

static gboolean
is_socket_path(const char *path)
{
    if (path == NULL || *path != '/' || strlen(path) > WARD_SOCKET_PATH_MAX)
        return FALSE;
    for (const char *p = path; *p != '\0'; p = g_utf8_next_char(p)) {
        if (g_unichar_iscntrl(g_utf8_get_char(p)))
            return FALSE;
    }
    return TRUE;
}

static gboolean
parse_unix(const xmlNode *node, WardSocket *socket, GError **error)
{
    static const char *const allowed[] = {"type", "path", NULL};
    g_autofree char *path = ward_node_get_attribute(node, "path");

    if (!ward_node_check(node, allowed, NULL, error))
        return FALSE;
    if (!is_socket_path(path)) {
        ward_node_set_value_error(error, node, "path", path,
                                  "an absolute path of at most " G_STRINGIFY(
                                      WARD_SOCKET_PATH_MAX) " bytes without control characters");
        return FALSE;
    }
    socket->path = g_steal_pointer(&path);
    return TRUE;
}

static gboolean
parse_vsock_number(
    const xmlNode *node, const char *name, guint minimum, guint *value, GError **error)
{
    g_autofree char *text = ward_node_get_attribute(node, name);

    if (text != NULL)
        return ward_node_read_number(node, name, minimum, VSOCK_MAX, value, error);
    ward_node_set_value_error(error, node, name, NULL,
                              minimum == 0 ? "0 to 4294967294" : "1 to 4294967294");
    return FALSE;
}

static gboolean
parse_socket(const xmlNode *node, WardSocket *socket, GError **error)
{
    static const char *const vsock_attributes[] = {"type", "cid", "port", NULL};
    guint type = G_MAXUINT;

    if (!ward_node_read_word(node, "type", socket_types, &type, error))
        return FALSE;
    if (type == G_MAXUINT) {
        ward_node_set_value_error(error, node, "type", NULL, "unix, vsock");
        return FALSE;
    }
    socket->type = type;
    if (socket->type == WARD_SOCKET_UNIX)
        return parse_unix(node, socket, error);
    return ward_node_check(node, vsock_attributes, NULL, error) &&
           parse_vsock_number(node, "cid", 1, &socket->cid, error) &&
           parse_vsock_number(node, "port", 0, &socket->port, error);
}

static char *
parse_authentication(const xmlNode *node, GError **error)
{
    static const char *const allowed[] = {"secret", NULL};
    g_autofree char *secret = ward_node_get_attribute(node, "secret");

    if (!ward_node_check(node, allowed, NULL, error))
        return NULL;
    if (secret == NULL || !g_uuid_string_is_valid(secret)) {
        ward_node_set_value_error(error, node, "secret", secret,
                                  "the UUID of a libvirt secret, as 'virsh secret-list' shows it");
        return NULL;
    }
    return g_ascii_strdown(secret, -1);
}

static gboolean
add_allowed(const xmlNode *node,
            const char *attribute,
            const char *name,
            const WardKvmiName *known,
            GStrvBuilder *builder,
            GHashTable *seen,
            GError **error)
{
    g_autoptr(GString) list = g_string_new(NULL);
    char *key = g_strdup_printf("%s %s", attribute, name);

    for (const WardKvmiName *k = known; k->name != NULL; k++) {
        if (strcmp(k->name, name) != 0)
            continue;
        if (!g_hash_table_add(seen, key)) {
            ward_node_set_error(error, node, "%s '%s' is allowed twice; allowed: once", attribute,
                                name);
            return FALSE;
        }
        g_strv_builder_add(builder, name);
        return TRUE;
    }

    g_free(key);
    for (const WardKvmiName *k = known; k->name != NULL; k++)
        g_string_append_printf(list, "%s%s", list->len > 0 ? ", " : "", k->name);
    ward_node_set_value_error(error, node, attribute, name, list->str);
    return FALSE;
}

/* What the <allow> elements add up to. */
typedef struct {
    GStrvBuilder *commands;
    GStrvBuilder *events;
    GHashTable *seen; /* "command NAME" and "event NAME" */
} Allowed;

static gboolean
parse_allow(const xmlNode *node, Allowed *allowed, GError **error)
{
    static const char *const names[] = {"command", "event", NULL};
    g_autofree char *command = ward_node_get_attribute(node, "command");
    g_autofree char *event = ward_node_get_attribute(node, "event");

    if (!ward_node_check(node, names, NULL, error))
        return FALSE;
    if ((command == NULL) == (event == NULL)) {
        ward_node_set_error(error, node, "%s; allowed: exactly one of command, event",
                            command == NULL ? "neither attribute 'command' nor 'event'"
                                            : "both attributes 'command' and 'event'");
        return FALSE;
    }
    if (command != NULL)
        return add_allowed(node, "command", command, ward_kvmi_commands, allowed->commands,
                           allowed->seen, error);
    return add_allowed(node, "event", event, ward_kvmi_events, allowed->events, allowed->seen,
                       error);
}

static gboolean
parse_child(const xmlNode *node,
            WardIntrospectionSettings *settings,
            Allowed *allowed,
            gboolean *has_socket,
            GError **error)
{
    if (ward_node_is_named(node, "allow"))
        return parse_allow(node, allowed, error);
    if (ward_node_is_named(node, "socket")) {
        if (*has_socket) {
            ward_node_set_error(error, node, "a second one; allowed: exactly one");
            return FALSE;
        }
        *has_socket = TRUE;
        return parse_socket(node, &settings->socket, error);
    }
    if (settings->secret != NULL) {
        ward_node_set_error(error, node, "a second one; allowed: at most one");
        return FALSE;
    }
    settings->secret = parse_authentication(node, error);
    return settings->secret != NULL;
}

static gboolean
parse_children(const xmlNode *node,
               WardIntrospectionSettings *settings,
               Allowed *allowed,
               GError **error)
{
    gboolean has_socket = FALSE;

    for (xmlNode *child = ward_node_first(node); child != NULL; child = ward_node_next(child)) {
        if (!parse_child(child, settings, allowed, &has_socket, error))
            return FALSE;
    }
    if (!has_socket) {
        ward_node_set_error(error, node, "no element 'socket'; allowed: exactly one");
        return FALSE;
    }
    return TRUE;
}

static void
clear(gpointer settings)
{
    WardIntrospectionSettings *self = settings;

    g_free(self->socket.path);
    g_free(self->secret);
    g_strfreev(self->allowed_commands);
    g_strfreev(self->allowed_events);
}

/* NULL rather than an empty list, which would mean "nothing". */
static GStrv
end_list(GStrvBuilder *builder)
{
    GStrv list = g_strv_builder_end(builder);

    if (list[0] == NULL)
        g_clear_pointer(&list, g_strfreev);
    return list;
}

static gpointer
parse(const xmlNode *node, GError **error)
{
    WardIntrospectionSettings settings = {0};
    g_autoptr(GStrvBuilder) commands = g_strv_builder_new();
    g_autoptr(GStrvBuilder) events = g_strv_builder_new();
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Allowed allowed = {commands, events, seen};
    guint on_disconnect = settings.on_disconnect;

    if (!ward_node_check(node, attributes, children, error) ||
        !ward_node_read_word(node, "onDisconnect", disconnects, &on_disconnect, error) ||
        !ward_node_read_enforcement(node, &settings.enforcement, error) ||
        !parse_children(node, &settings, &allowed, error)) {
        clear(&settings);
        return NULL;
    }
    settings.on_disconnect = on_disconnect;
    settings.allowed_commands = end_list(commands);
    settings.allowed_events = end_list(events);
    return g_atomic_rc_box_dup(sizeof settings, &settings);
}

static void
format_allowed(GStrv names, const char *attribute, const char *start, GString *xml)
{
    for (guint i = 0; names != NULL && names[i] != NULL; i++)
        g_string_append_printf(xml, "%sallow %s=\"%s\"/>\n", start, attribute, names[i]);
}

static void
format(gconstpointer settings, const char *indent, const char *prefix, GString *xml)
{
    const WardIntrospectionSettings *self = settings;
    g_autofree char *start = g_strdup_printf("%s  <%s", indent, prefix);

    g_string_append_printf(xml, "%s<%sintrospection enforcement=\"%s\" onDisconnect=\"%s\">\n",
                           indent, prefix, ward_enforcement_to_string(self->enforcement),
                           ward_disconnect_to_string(self->on_disconnect));
    if (self->socket.type == WARD_SOCKET_UNIX) {
        g_autofree char *path = g_markup_escape_text(self->socket.path, -1);

        g_string_append_printf(xml, "%ssocket type=\"unix\" path=\"%s\"/>\n", start, path);
    } else {
        g_string_append_printf(xml, "%ssocket type=\"vsock\" cid=\"%u\" port=\"%u\"/>\n", start,
                               self->socket.cid, self->socket.port);
    }
    if (self->secret != NULL)
        g_string_append_printf(xml, "%sauthentication secret=\"%s\"/>\n", start, self->secret);
    format_allowed(self->allowed_commands, "command", start, xml);
    format_allowed(self->allowed_events, "event", start, xml);
    g_string_append_printf(xml, "%s</%sintrospection>\n", indent, prefix);
}

static gboolean
equal_lists(GStrv a, GStrv b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return g_strv_equal((const char *const *)a, (const char *const *)b);
}

static gboolean
equal(gconstpointer a, gconstpointer b)
{
    const WardIntrospectionSettings *x = a;
    const WardIntrospectionSettings *y = b;

    return x->enforcement == y->enforcement && x->on_disconnect == y->on_disconnect &&
           x->socket.type == y->socket.type && g_strcmp0(x->socket.path, y->socket.path) == 0 &&
           x->socket.cid == y->socket.cid && x->socket.port == y->socket.port &&
           g_strcmp0(x->secret, y->secret) == 0 &&
           equal_lists(x->allowed_commands, y->allowed_commands) &&
           equal_lists(x->allowed_events, y->allowed_events);
}

const WardElement ward_element_introspection = {
    .parse = parse,
    .format = format,
    .equal = equal,
    .clear = clear,
};
