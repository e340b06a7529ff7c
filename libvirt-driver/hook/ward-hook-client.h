/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-hook-client.h: the qemu hook's second stage: asks the daemon, and decides when nobody
 * answers
 *
 * One call of Host1.RunHook, within a time limit that covers all of it: connecting to the bus, the
 * daemon's activation, its work. What the daemon says is done. Without an answer a domain with a
 * required protection may not start, and one with preferred protections only may; the same goes
 * for a domain whose protection XML is wrong, which counts as required.
 *
 * Single-threaded: it runs the default main context until it is done.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Milliseconds for everything but the wait for a trust domain key, which the domain's XML adds. */
#define WARD_HOOK_LIMIT 10000

/* The system bus for root, at its one fixed place: nothing in the environment can move it. The
 * session bus for anybody else, in @runtime_dir ($XDG_RUNTIME_DIR) or, when that is NULL, where
 * systemd puts it: libvirt passes next to no environment to its hooks. */
char *ward_hook_bus_address(uid_t uid, const char *runtime_dir);

/* @argv are the arguments that libvirt gives to its hook; the XML is read from stdin. Returns the
 * exit status. Why, and warnings, are printed on stderr, which libvirt puts into its error. */
int ward_hook_run(char **argv, const char *bus_address, guint limit);

G_END_DECLS
