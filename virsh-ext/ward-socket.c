/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-socket.c: the socket of introspection-attach
 */
#include "ward-socket.h"

#include <string.h>

#include "ward-error.h"
#include "ward-xml.h"

static gboolean
parse_unix(const char *path, WardSocket *socket)
{
    if (path[0] != '/')
        return FALSE;
    socket->type = WARD_SOCKET_UNIX;
    socket->path = g_strdup(path);
    return TRUE;
}

static gboolean
parse_vsock(const char *text, WardSocket *socket)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", -1);
    guint64 cid;
    guint64 port;

    if (g_strv_length(parts) != 2 ||
        !g_ascii_string_to_unsigned(parts[0], 10, 0, G_MAXUINT32, &cid, NULL) ||
        !g_ascii_string_to_unsigned(parts[1], 10, 0, G_MAXUINT32, &port, NULL))
        return FALSE;
    socket->type = WARD_SOCKET_VSOCK;
    socket->cid = cid;
    socket->port = port;
    return TRUE;
}

gboolean
ward_socket_parse(const char *text, WardSocket *socket, GError **error)
{
    if (g_str_has_prefix(text, "unix:") && parse_unix(text + strlen("unix:"), socket))
        return TRUE;
    if (g_str_has_prefix(text, "vsock:") && parse_vsock(text + strlen("vsock:"), socket))
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                "'%s' is not a socket: it is unix:PATH with an absolute path, or vsock:CID:PORT "
                "with two numbers",
                text);
    return FALSE;
}

void
ward_socket_clear(WardSocket *socket)
{
    g_clear_pointer(&socket->path, g_free);
}

char *
ward_socket_put(const char *xml, const WardSocket *socket, GError **error)
{
    WardIntrospectionSettings introspection = {0};
    WardSettings wanted = {.introspection = &introspection};
    g_autoptr(WardSettings) old =
        xml[0] ? ward_settings_parse(xml, -1, error) : ward_settings_new_empty();

    if (!old)
        return NULL;
    /* A shallow copy, for the length of the next call. */
    if (old->introspection)
        introspection = *old->introspection;
    introspection.socket = *socket;
    return ward_settings_format(&wanted);
}
