/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-marker.h"

#include <errno.h>
#include <glib/gstdio.h>

static char *
marker_path(const char *state_dir, const char *uuid, WardMarker marker)
{
    static const char *const suffixes[WARD_N_MARKERS] = {"paused", "detached"};
    g_autofree char *name = g_strdup_printf("%s.%s", uuid, suffixes[marker]);

    return g_build_filename(state_dir, name, NULL);
}

gboolean
ward_marker_get(const char *state_dir, const char *uuid, WardMarker marker)
{
    g_autofree char *path = marker_path(state_dir, uuid, marker);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

void
ward_marker_set(const char *state_dir, const char *uuid, WardMarker marker, gboolean value)
{
    g_autofree char *path = marker_path(state_dir, uuid, marker);
    g_autoptr(GError) error = NULL;

    if (!value) {
        if (g_unlink(path) < 0 && errno != ENOENT)
            g_warning("cannot remove %s: %s", path, g_strerror(errno));
        return;
    }
    if (!g_file_set_contents(path, "", 0, &error))
        g_warning("cannot note the state of domain %s: %s", uuid, error->message);
}

void
ward_marker_clear_all(const char *state_dir, const char *uuid)
{
    for (WardMarker marker = 0; marker < WARD_N_MARKERS; marker++)
        ward_marker_set(state_dir, uuid, marker, FALSE);
}
