/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-host.h: a host that is a tree of files, and QEMU's thread that tears a guest down
 */
#pragma once

#include <glib.h>
#include <pthread.h>

void test_host_put(const char *root, const char *path, const char *text);
void test_host_remove(const char *root);

/* A thread of this process with the name of QEMU's, from begin to end. */
typedef struct {
    pthread_t thread;
    pthread_barrier_t named;
    pthread_barrier_t seen;
} TestCleanup;

void test_cleanup_begin(TestCleanup *self);
void test_cleanup_end(TestCleanup *self);
