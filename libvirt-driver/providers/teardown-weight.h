/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * teardown-weight.h: the share of CPU time that QEMU's thread gets which tears a guest down
 *
 * libvirt puts the vCPUs and the rest of QEMU into control groups (version 2) of their own. That
 * thread is one of the rest, where its nice value counts among its neighbours only. So it gets a
 * group beside theirs, which libvirt removes with the domain's.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The name that QEMU (>= 8.0) gives it: QEMU's s390x code. */
#define WARD_TEARDOWN_THREAD "async_cleanup"

/* @weight is cpu.weight's, 1 to 10000. Nothing to do while there is no such thread. @root is
 * prepended to /proc and /sys. NOT_SUPPORTED where libvirt has made no such groups. */
gboolean ward_teardown_weight_set(const char *root, GPid pid, guint weight, GError **error);

G_END_DECLS
