/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-stop.h: the end of a manager
 */
#pragma once

#include "test-wait.h"
#include "ward-manager.h"

static inline gboolean
is_gone(GWeakRef *left)
{
    g_autoptr(GObject) object = g_weak_ref_get(left);

    return object == NULL;
}

static inline gboolean
on_look(gpointer data)
{
    return G_SOURCE_CONTINUE;
}

/* Takes both. Returns when threads and the main loop have let go of them as well: for a manager
 * that was stopped they may still be at work, write what the machine is, and tell of it. Who keeps
 * a result of the manager's keeps the manager. */
static inline void
stop_and_wait(WardManager **manager, WardProvider **provider)
{
    guint look = g_timeout_add(1, on_look, NULL);
    GWeakRef left;

    g_weak_ref_init(&left, *provider);
    ward_manager_stop(*manager);
    g_clear_object(manager);
    g_clear_object(provider);
    WAIT(is_gone(&left));
    g_weak_ref_clear(&left);
    g_source_remove(look);
}
