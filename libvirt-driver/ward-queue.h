/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-queue.h: blocking work off the main loop, in order
 *
 * Work pushed to one queue is done one piece after another, in the order of pushing; work in
 * different queues runs side by side. A queue without work holds no thread.
 *
 * At most WARD_QUEUE_MAX_THREADS pieces run at once over all queues. libvirtd itself answers five
 * calls of one client at a time (max_client_requests in libvirtd.conf), so more would not help.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define WARD_QUEUE_MAX_THREADS 64

/* Only its address means anything: what waits in a queue is kept elsewhere, and only while
 * something does. There are two for each domain, nearly all of them empty. One may go before its
 * work is done. */
typedef struct {
    char unused;
} WardQueue;

/* Calls @func in a worker thread; it must return through @task. (transfer full) for @task. */
void ward_queue_push(const WardQueue *self, GTask *task, GTaskThreadFunc func);

G_END_DECLS
