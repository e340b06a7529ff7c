/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-patience.h"

#include <gio/gio.h>

#define PATIENCE_SECONDS 5
/* How many times as long the peer may take that is asked. */
#define PATIENCE_COUNT 3

struct _WardPatience {
    GObject *owner; /* who outlives it */
    WardPatienceFunc ask;
    WardPatienceFunc lost;
    gint waiting; /* atomic */
    guint timer;  /* source */
    gboolean stopped;
    gboolean asking;
    guint asked; /* so many times of patience ago */
};

typedef struct {
    GObject *owner;
    WardPatience *patience;
} Start;

static void
ask_in_thread(GTask *task, gpointer owner, gpointer patience, GCancellable *cancellable)
{
    ((WardPatience *)patience)->ask(owner);
    g_task_return_boolean(task, TRUE);
}

static void
on_answer(GObject *owner, GAsyncResult *result, gpointer patience)
{
    ((WardPatience *)patience)->asking = FALSE;
}

static void
begin_asking(WardPatience *self)
{
    g_autoptr(GTask) task = g_task_new(self->owner, NULL, on_answer, self);

    g_info("no answer for %d seconds: asking whether the peer lives", PATIENCE_SECONDS);
    self->asking = TRUE;
    self->asked = 0;
    g_task_set_task_data(task, self, NULL);
    g_task_run_in_thread(task, ask_in_thread);
}

static gboolean
on_timer(gpointer data)
{
    WardPatience *self = data;

    if (g_atomic_int_get(&self->waiting) == 0) {
        self->timer = 0;
        return G_SOURCE_REMOVE;
    }
    if (!self->asking)
        begin_asking(self);
    else if (++self->asked == PATIENCE_COUNT)
        self->lost(self->owner);
    return G_SOURCE_CONTINUE;
}

static gboolean
start(gpointer data)
{
    WardPatience *self = ((Start *)data)->patience;

    if (!self->timer && !self->stopped)
        self->timer = g_timeout_add_seconds(PATIENCE_SECONDS, on_timer, self);
    return G_SOURCE_REMOVE;
}

static void
start_free(gpointer data)
{
    g_object_unref(((Start *)data)->owner);
    g_free(data);
}

WardPatience *
ward_patience_new(GObject *owner, WardPatienceFunc ask, WardPatienceFunc lost)
{
    WardPatience *self = g_new0(WardPatience, 1);

    self->owner = owner;
    self->ask = ask;
    self->lost = lost;
    return self;
}

void
ward_patience_free(WardPatience *self)
{
    ward_patience_stop(self);
    g_free(self);
}

void
ward_patience_stop(WardPatience *self)
{
    self->stopped = TRUE;
    g_clear_handle_id(&self->timer, g_source_remove);
}

void
ward_patience_begin(WardPatience *self)
{
    Start *begun;

    if (g_atomic_int_add(&self->waiting, 1) > 0)
        return;
    begun = g_new(Start, 1);
    begun->owner = g_object_ref(self->owner);
    begun->patience = self;
    g_idle_add_full(G_PRIORITY_DEFAULT, start, begun, start_free);
}

void
ward_patience_end(WardPatience *self)
{
    g_atomic_int_add(&self->waiting, -1);
}
