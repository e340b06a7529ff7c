/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-queue.h"

typedef struct {
    GTask *task;
    GTaskThreadFunc func;
} Work;

struct _WardQueue {
    GMutex lock; /* guards works and running */
    GQueue works;
    gboolean running; /* a thread is on it */
};

static void
queue_clear(gpointer data)
{
    WardQueue *self = data;

    g_mutex_clear(&self->lock);
}

WardQueue *
ward_queue_new(void)
{
    WardQueue *self = g_atomic_rc_box_new0(WardQueue);

    g_mutex_init(&self->lock);
    g_queue_init(&self->works);
    return self;
}

WardQueue *
ward_queue_ref(WardQueue *self)
{
    return g_atomic_rc_box_acquire(self);
}

void
ward_queue_unref(WardQueue *self)
{
    g_atomic_rc_box_release_full(self, queue_clear);
}

static Work *
queue_next(WardQueue *self)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
    Work *work = g_queue_pop_head(&self->works);

    if (!work)
        self->running = FALSE;
    return work;
}

/* A thread of the pool has taken the queue. */
static void
run_queue(gpointer data, gpointer user_data)
{
    g_autoptr(WardQueue) self = data;
    Work *work;

    while ((work = queue_next(self))) {
        work->func(work->task, g_task_get_source_object(work->task),
                   g_task_get_task_data(work->task), g_task_get_cancellable(work->task));
        g_object_unref(work->task);
        g_free(work);
    }
}

static GThreadPool *
get_pool(void)
{
    static GThreadPool *pool;

    if (g_once_init_enter(&pool)) {
        GThreadPool *new_pool =
            g_thread_pool_new(run_queue, NULL, WARD_QUEUE_MAX_THREADS, FALSE, NULL);

        g_once_init_leave(&pool, new_pool);
    }
    return pool;
}

void
ward_queue_push(WardQueue *self, GTask *task, GTaskThreadFunc func)
{
    Work *work = g_new0(Work, 1);
    gboolean start;

    work->task = task;
    work->func = func;

    g_mutex_lock(&self->lock);
    g_queue_push_tail(&self->works, work);
    start = !self->running;
    self->running = TRUE;
    g_mutex_unlock(&self->lock);

    if (start)
        g_thread_pool_push(get_pool(), ward_queue_ref(self), NULL);
}
