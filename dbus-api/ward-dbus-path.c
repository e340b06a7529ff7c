/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-dbus-path.h"

#include "ward-dbus-names.h"

static const char *after_prefix(const char *path, const char *prefix);

char *
ward_dbus_path_from_uuid(const char *uuid)
{
    char *path = g_strconcat(WARD_DBUS_PATH_DOMAIN_PREFIX, uuid, NULL);

    g_strdelimit(path + strlen(WARD_DBUS_PATH_DOMAIN_PREFIX), "-", '_');
    return path;
}

char *
ward_dbus_path_to_uuid(const char *path)
{
    const char *tail = after_prefix(path, WARD_DBUS_PATH_DOMAIN_PREFIX);
    g_autofree char *uuid = NULL;

    if (!tail || strchr(tail, '-'))
        return NULL;
    uuid = g_strdelimit(g_strdup(tail), "_", '-');
    if (!g_uuid_string_is_valid(uuid))
        return NULL;
    return g_steal_pointer(&uuid);
}

char *
ward_dbus_path_from_job_id(guint id)
{
    return g_strdup_printf(WARD_DBUS_PATH_JOB_PREFIX "%u", id);
}

gboolean
ward_dbus_path_to_job_id(const char *path, guint *id)
{
    const char *tail = after_prefix(path, WARD_DBUS_PATH_JOB_PREFIX);
    guint64 number;

    if (!tail || !g_ascii_string_to_unsigned(tail, 10, 0, G_MAXUINT, &number, NULL))
        return FALSE;
    *id = number;
    return TRUE;
}

static const char *
after_prefix(const char *path, const char *prefix)
{
    return g_str_has_prefix(path, prefix) ? path + strlen(prefix) : NULL;
}
