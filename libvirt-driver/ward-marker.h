/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-marker.h: notes about a domain that neither libvirt nor the kernel keeps
 *
 * A file in the state directory, so that a daemon that was killed knows it again. Those about a
 * running domain go when it stops. Any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
    WARD_MARKER_PAUSED,   /* we suspended the domain, so we may resume it */
    WARD_MARKER_DETACHED, /* the operator detached introspection: do not attach by ourselves */
    WARD_MARKER_ADMITTED, /* a trust domain key is reserved for it: ward-admission.h */
    WARD_MARKER_LEAKED,   /* number: which of the kernel's records of leaks is about this domain */
    WARD_N_MARKERS,
} WardMarker;

gboolean ward_marker_get(const char *state_dir, const char *uuid, WardMarker marker);
void ward_marker_set(const char *state_dir, const char *uuid, WardMarker marker, gboolean value);

/* 0: there is none, which setting it to 0 makes so. */
guint64 ward_marker_get_number(const char *state_dir, const char *uuid, WardMarker marker);
void
ward_marker_set_number(const char *state_dir, const char *uuid, WardMarker marker, guint64 number);

/* Seconds since it was set; G_MAXUINT: it is not, or the clock was changed. */
guint ward_marker_get_age(const char *state_dir, const char *uuid, WardMarker marker);

/* The UUIDs of all domains that have it: char *. */
GPtrArray *ward_marker_list(const char *state_dir, WardMarker marker);

/* Those about a running domain. */
void ward_marker_clear_running(const char *state_dir, const char *uuid);

G_END_DECLS
