/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wait.h: waiting for what the main loop brings
 */
#pragma once

#include <glib.h>

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
