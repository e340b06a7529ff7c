/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-uri.h: libvirt URIs, as far as virsh-ward has to understand them
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The URI that the user named: @connect (of -c), else that of the environment, in virsh's order.
 * NULL when none is named. Borrowed. */
const char *ward_uri_named(const char *connect);

/* Whether both name the same libvirt: "qemu+unix:///system/" is "qemu:///system". */
gboolean ward_uri_equal(const char *a, const char *b);

/* Where the daemon that watches @uri is to be found: the system bus when the URI's path is /system
 * or the user is root, else the session bus. @uri may be NULL. */
GBusType ward_uri_choose_bus(const char *uri, guint uid);

G_END_DECLS
