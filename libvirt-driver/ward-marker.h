/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-marker.h: notes about a running domain that neither libvirt nor the kernel keeps
 *
 * An empty file in the state directory, so that a daemon that was killed knows it again. It goes
 * when the domain stops. Any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
    WARD_MARKER_PAUSED,   /* we suspended the domain, so we may resume it */
    WARD_MARKER_DETACHED, /* the operator detached introspection: do not attach by ourselves */
    WARD_N_MARKERS,
} WardMarker;

gboolean ward_marker_get(const char *state_dir, const char *uuid, WardMarker marker);
void ward_marker_set(const char *state_dir, const char *uuid, WardMarker marker, gboolean value);
void ward_marker_clear_all(const char *state_dir, const char *uuid);

G_END_DECLS
