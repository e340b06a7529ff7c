/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wait.h: waiting for what the main loop brings
 */
#pragma once

#include <glib-object.h>

static gboolean
on_test_timeout(gpointer data)
{
    g_error("nothing happened for two minutes: %s", (const char *)data);
    return G_SOURCE_REMOVE;
}

/* Runs the main loop until @condition holds. */
#define WAIT(condition)                                                                            \
    G_STMT_START                                                                                   \
    {                                                                                              \
        guint timeout_ = g_timeout_add_seconds(120, on_test_timeout, (gpointer) #condition);       \
        while (!(condition))                                                                       \
            g_main_context_iteration(NULL, TRUE);                                                  \
        g_source_remove(timeout_);                                                                 \
    }                                                                                              \
    G_STMT_END

/* Until threads and the main loop have let go of an object as well, ten seconds at most: for a
 * manager that was stopped they may still be at work, write what the machine is, and tell of it.
 * Who keeps a result of the manager's keeps the manager. */
static inline void
wait_until_gone(GWeakRef *left)
{
    GObject *object;

    for (guint ms = 0; ms < 10000 && (object = g_weak_ref_get(left)); ms++) {
        g_object_unref(object);
        while (g_main_context_iteration(NULL, FALSE))
            ;
        g_usleep(1000);
    }
    g_weak_ref_clear(left);
}
