/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-wait.h: waiting for what the bus brings, until the user has had enough
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
    WARD_WAIT_DONE,
    WARD_WAIT_INTERRUPTED, /* Control-C; it ends the wait and not the program */
    WARD_WAIT_TIMED_OUT,
} WardWaitEnd;

typedef struct {
    GMainLoop *loop; /* NULL while nobody waits */
    WardWaitEnd end;
} WardWait;

/* Runs the main loop until ward_wait_done(), Control-C, or @timeout seconds; 0: no limit. */
WardWaitEnd ward_wait_run(WardWait *self, guint timeout);

/* From a callback: what was waited for is there. */
void ward_wait_done(WardWait *self);

G_END_DECLS
