/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-queue.h"

/* How many threads stay when there is no work: more than there is work for, most of the time. What
 * a thread's end takes when it is the first is more memory than that of a few. They stay for good,
 * since waiting with a limit would wake an idle daemon. */
#define MAX_UNUSED_THREADS 8

typedef struct {
    GTask *task;
    GTaskThreadFunc func;
} Work;

/* What waits in one queue. There while a thread is on it. */
typedef struct {
    const WardQueue *queue;
    GQueue works;
} Line;

static GMutex lock;       /* guards lines, and the works of each */
static GHashTable *lines; /* WardQueue to Line; NULL before the first */

static Work *
line_next(Line *self)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    Work *work = g_queue_pop_head(&self->works);

    if (!work) {
        g_hash_table_remove(lines, self->queue);
        g_free(self);
    }
    return work;
}

/* A thread of the pool has taken the line. */
static void
run_line(gpointer line, gpointer user_data)
{
    Work *work;

    while ((work = line_next(line))) {
        work->func(work->task, g_task_get_source_object(work->task),
                   g_task_get_task_data(work->task), g_task_get_cancellable(work->task));
        g_object_unref(work->task);
        g_free(work);
    }
}

/* GLib makes what it reads numbers with at the first one. A thread that waits for another one to
 * make it has an errno from waiting, and g_ascii_string_to_unsigned() takes it for the number's. */
static void
read_first_number(void)
{
    g_ascii_strtoull("0", NULL, 10);
}

static GThreadPool *
get_pool(void)
{
    static GThreadPool *pool;

    if (g_once_init_enter(&pool)) {
        GThreadPool *new_pool;

        read_first_number();
        g_thread_pool_set_max_unused_threads(MAX_UNUSED_THREADS);
        g_thread_pool_set_max_idle_time(0);
        new_pool = g_thread_pool_new(run_line, NULL, WARD_QUEUE_MAX_THREADS, FALSE, NULL);
        g_once_init_leave(&pool, new_pool);
    }
    return pool;
}

/* Needs the lock. NULL when a thread is on its works already. */
static Line *
add_work(const WardQueue *queue, Work *work)
{
    Line *new_line = NULL;
    Line *line;

    if (!lines)
        lines = g_hash_table_new(NULL, NULL);
    line = g_hash_table_lookup(lines, queue);
    if (!line) {
        line = new_line = g_new0(Line, 1);
        line->queue = queue;
        g_hash_table_insert(lines, (gpointer)queue, line);
    }
    g_queue_push_tail(&line->works, work);
    return new_line;
}

void
ward_queue_push(const WardQueue *self, GTask *task, GTaskThreadFunc func)
{
    Work *work = g_new0(Work, 1);
    Line *line;

    work->task = task;
    work->func = func;

    g_mutex_lock(&lock);
    line = add_work(self, work);
    g_mutex_unlock(&lock);

    if (line)
        g_thread_pool_push(get_pool(), line, NULL);
}
