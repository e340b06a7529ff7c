/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-marker.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <time.h>

#define UUID_LENGTH 36

/* A number and a line feed; what is longer is not ours. */
#define MAX_LENGTH 21

static const char *const suffixes[WARD_N_MARKERS] = {"paused", "detached", "admitted", "leaked"};

static char *
marker_path(const char *state_dir, const char *uuid, WardMarker marker)
{
    g_autofree char *name = g_strdup_printf("%s.%s", uuid, suffixes[marker]);

    return g_build_filename(state_dir, name, NULL);
}

gboolean
ward_marker_get(const char *state_dir, const char *uuid, WardMarker marker)
{
    g_autofree char *path = marker_path(state_dir, uuid, marker);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void
put(const char *state_dir, const char *uuid, WardMarker marker, const char *text)
{
    g_autofree char *path = marker_path(state_dir, uuid, marker);
    g_autoptr(GError) error = NULL;

    if (!text) {
        if (g_unlink(path) < 0 && errno != ENOENT)
            g_warning("cannot remove %s: %s", path, g_strerror(errno));
        return;
    }
    if (!g_file_set_contents(path, text, -1, &error))
        g_warning("cannot note the state of domain %s: %s", uuid, error->message);
}

void
ward_marker_set(const char *state_dir, const char *uuid, WardMarker marker, gboolean value)
{
    put(state_dir, uuid, marker, value ? "" : NULL);
}

void
ward_marker_set_number(const char *state_dir, const char *uuid, WardMarker marker, guint64 number)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", number);

    put(state_dir, uuid, marker, number ? text : NULL);
}

guint64
ward_marker_get_number(const char *state_dir, const char *uuid, WardMarker marker)
{
    g_autofree char *path = marker_path(state_dir, uuid, marker);
    g_autofree char *text = NULL;
    guint64 number;
    GStatBuf status;

    if (g_stat(path, &status) < 0 || status.st_size > MAX_LENGTH ||
        !g_file_get_contents(path, &text, NULL, NULL) ||
        !g_ascii_string_to_unsigned(g_strstrip(text), 10, 0, G_MAXUINT64, &number, NULL))
        return 0;
    return number;
}

guint
ward_marker_get_age(const char *state_dir, const char *uuid, WardMarker marker)
{
    g_autofree char *path = marker_path(state_dir, uuid, marker);
    gint64 now = time(NULL);
    GStatBuf status;

    if (g_stat(path, &status) < 0 || status.st_mtime > now)
        return G_MAXUINT;
    return MIN(now - status.st_mtime, G_MAXUINT);
}

GPtrArray *
ward_marker_list(const char *state_dir, WardMarker marker)
{
    GPtrArray *uuids = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = g_dir_open(state_dir, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *uuid = g_strndup(name, UUID_LENGTH);

        if (g_uuid_string_is_valid(uuid) && name[UUID_LENGTH] == '.' &&
            g_str_equal(name + UUID_LENGTH + 1, suffixes[marker]))
            g_ptr_array_add(uuids, g_steal_pointer(&uuid));
    }
    return uuids;
}

void
ward_marker_clear_running(const char *state_dir, const char *uuid)
{
    ward_marker_set(state_dir, uuid, WARD_MARKER_PAUSED, FALSE);
    ward_marker_set(state_dir, uuid, WARD_MARKER_DETACHED, FALSE);
}
