/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-wait.h"

#include <glib-unix.h>

static void
end(WardWait *self, WardWaitEnd how)
{
    if (!self->loop)
        return;
    self->end = how;
    g_main_loop_quit(self->loop);
}

static gboolean
on_interrupt(gpointer data)
{
    end(data, WARD_WAIT_INTERRUPTED);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_timeout(gpointer data)
{
    end(data, WARD_WAIT_TIMED_OUT);
    return G_SOURCE_CONTINUE;
}

/* GLib's timers of whole seconds may end a quarter of one early, to share a wake-up with others. */
static guint
add_timer(WardWait *self, guint seconds)
{
    if (seconds > G_MAXUINT / 1000)
        return g_timeout_add_seconds(seconds, on_timeout, self);
    return g_timeout_add(seconds * 1000, on_timeout, self);
}

WardWaitEnd
ward_wait_run(WardWait *self, guint timeout)
{
    guint interrupt = g_unix_signal_add(SIGINT, on_interrupt, self);
    guint timer = timeout ? add_timer(self, timeout) : 0;

    self->loop = g_main_loop_new(NULL, FALSE);
    g_main_loop_run(self->loop);
    g_clear_pointer(&self->loop, g_main_loop_unref);
    g_source_remove(interrupt);
    if (timer)
        g_source_remove(timer);
    return self->end;
}

void
ward_wait_done(WardWait *self)
{
    end(self, WARD_WAIT_DONE);
}
