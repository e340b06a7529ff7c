/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-queue.c: order within a queue, independence between queues, and threads that begin at once
 */
#include "ward-queue.h"

#include <sys/wait.h>
#include <unistd.h>

#define N_WORKS 200

/* Of processes that each read their first number in so many threads at once. */
#define N_PROCESSES 40
#define N_THREADS 4

static GMutex lock;
static GCond released;
static gboolean release;

static void
append_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    GArray *order = g_object_get_data(G_OBJECT(task), "order");
    guint number = GPOINTER_TO_UINT(data);

    g_array_append_val(order, number); /* no lock: one queue never runs two at once */
    g_task_return_boolean(task, TRUE);
}

static void
count_done(GObject *source, GAsyncResult *result, gpointer user_data)
{
    ++*(guint *)user_data;
}

static void
test_keeps_order(void)
{
    WardQueue queue;
    g_autoptr(GArray) order = g_array_new(FALSE, FALSE, sizeof(guint));
    guint done = 0;

    for (guint i = 0; i < N_WORKS; i++) {
        GTask *task = g_task_new(NULL, NULL, count_done, &done);

        g_object_set_data(G_OBJECT(task), "order", order);
        g_task_set_task_data(task, GUINT_TO_POINTER(i), NULL);
        ward_queue_push(&queue, task, append_in_thread);
    }
    while (done < N_WORKS)
        g_main_context_iteration(NULL, TRUE);
    for (guint i = 0; i < N_WORKS; i++)
        g_assert_cmpuint(g_array_index(order, guint, i), ==, i);
}

static void
hang_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    g_mutex_lock(&lock);
    while (!release)
        g_cond_wait(&released, &lock);
    g_mutex_unlock(&lock);
    g_task_return_boolean(task, TRUE);
}

static void
quick_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    g_task_return_boolean(task, TRUE);
}

/* As many as libvirtd would let hang, and more. */
static void
test_hanging_queues_delay_nobody(void)
{
    WardQueue queues[20];
    WardQueue free_queue;
    guint hung = 0;
    guint done = 0;

    for (guint i = 0; i < G_N_ELEMENTS(queues); i++)
        ward_queue_push(&queues[i], g_task_new(NULL, NULL, count_done, &hung), hang_in_thread);
    for (guint i = 0; i < N_WORKS; i++)
        ward_queue_push(&free_queue, g_task_new(NULL, NULL, count_done, &done), quick_in_thread);
    while (done < N_WORKS)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpuint(hung, ==, 0);

    g_mutex_lock(&lock);
    release = TRUE;
    g_cond_broadcast(&released);
    g_mutex_unlock(&lock);
    while (hung < G_N_ELEMENTS(queues))
        g_main_context_iteration(NULL, TRUE);
}

static gint n_begun, n_ended, n_misread; /* atomic */
static guint n_wrong_processes;

static void
read_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    guint64 number = 0;

    g_atomic_int_inc(&n_begun);
    while (g_atomic_int_get(&n_begun) < N_THREADS)
        ; /* the others */
    if (!g_ascii_string_to_unsigned("16384", 10, 0, G_MAXUINT, &number, NULL) || number != 16384)
        g_atomic_int_inc(&n_misread);
    g_task_return_boolean(task, TRUE);
    g_atomic_int_inc(&n_ended);
}

static gboolean
reads_first_numbers(void)
{
    WardQueue queues[N_THREADS];

    for (guint i = 0; i < N_THREADS; i++)
        ward_queue_push(&queues[i], g_task_new(NULL, NULL, NULL, NULL), read_in_thread);
    while (g_atomic_int_get(&n_ended) < N_THREADS)
        g_usleep(100);
    return n_misread == 0;
}

/* Before g_test_init(), which reads a number itself. */
static void
run_first_numbers(void)
{
    for (guint i = 0; i < N_PROCESSES; i++) {
        pid_t pid = fork();
        int status = -1;

        if (pid == 0)
            _exit(reads_first_numbers() ? 0 : 1);
        n_wrong_processes += waitpid(pid, &status, 0) != pid || status != 0;
    }
}

static void
test_first_numbers_are_read(void)
{
    g_assert_cmpuint(n_wrong_processes, ==, 0);
}

int
main(int argc, char **argv)
{
    run_first_numbers();
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/queue/keeps-order", test_keeps_order);
    g_test_add_func("/queue/hanging-queues-delay-nobody", test_hanging_queues_delay_nobody);
    g_test_add_func("/queue/first-numbers-are-read", test_first_numbers_are_read);
    return g_test_run();
}
