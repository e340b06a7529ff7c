/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-uri.c: libvirt URIs, as far as virsh-ward has to understand them
 */
#include "ward-uri.h"

#include <string.h>

static gboolean
is_named(const char *uri)
{
    return uri && uri[0] != '\0';
}

const char *
ward_uri_named(const char *connect)
{
    const char *const variables[] = {"VIRSH_DEFAULT_CONNECT_URI", "LIBVIRT_DEFAULT_URI"};

    if (is_named(connect))
        return connect;
    for (guint i = 0; i < G_N_ELEMENTS(variables); i++) {
        const char *uri = g_getenv(variables[i]);

        if (is_named(uri))
            return uri;
    }
    return NULL;
}

/* Without the transport that is the default on this host, and without slashes at the end. */
static char *
normalize(const char *uri)
{
    const char *unix_transport = strstr(uri, "+unix:///");
    GString *plain = g_string_new(uri);

    if (unix_transport)
        g_string_erase(plain, unix_transport - uri, strlen("+unix"));
    while (plain->len > 0 && plain->str[plain->len - 1] == '/' &&
           !g_str_has_suffix(plain->str, ":///"))
        g_string_truncate(plain, plain->len - 1);
    return g_string_free(plain, FALSE);
}

gboolean
ward_uri_equal(const char *a, const char *b)
{
    g_autofree char *plain_a = normalize(a);
    g_autofree char *plain_b = normalize(b);

    return g_str_equal(plain_a, plain_b);
}

GBusType
ward_uri_choose_bus(const char *uri, guint uid)
{
    g_autoptr(GUri) parsed = NULL;

    if (uid == 0)
        return G_BUS_TYPE_SYSTEM;
    if (uri)
        parsed = g_uri_parse(uri, G_URI_FLAGS_NONE, NULL);
    if (parsed && g_strcmp0(g_uri_get_path(parsed), "/system") == 0)
        return G_BUS_TYPE_SYSTEM;
    return G_BUS_TYPE_SESSION;
}
