/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-dbus-path.h: object paths of domains and jobs
 *
 * A domain's path ends in its UUID with every "-" as "_", libvirt-dbus's scheme, so a client maps
 * one service's domains to the other's. All functions may be called from any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @uuid is canonical: 36 characters, hyphens. */
char *ward_dbus_path_from_uuid(const char *uuid);

/* The canonical UUID, or NULL when @path is not a domain's. */
char *ward_dbus_path_to_uuid(const char *path);

char *ward_dbus_path_from_job_id(guint id);

/* FALSE when @path is not a job's. */
gboolean ward_dbus_path_to_job_id(const char *path, guint *id);

G_END_DECLS
