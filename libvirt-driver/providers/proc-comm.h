/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * proc-comm.h: processes and threads by their names
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The first entry of @directory (/proc or /proc/PID/task) that is named @comm; NULL: none, or none
 * among the first @max. @root is prepended to @directory. */
char *ward_proc_find_comm(const char *root, const char *directory, const char *comm, guint max);

G_END_DECLS
