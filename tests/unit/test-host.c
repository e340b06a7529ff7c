/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-host.h"

#include <glib/gstdio.h>
#include <sys/prctl.h>

void
test_host_put(const char *root, const char *path, const char *text)
{
    g_autofree char *full = g_strconcat(root, path, NULL);
    g_autofree char *directory = g_path_get_dirname(full);

    g_assert_cmpint(g_mkdir_with_parents(directory, 0700), ==, 0);
    g_assert_true(g_file_set_contents(full, text, -1, NULL));
}

void
test_host_remove(const char *root)
{
    g_autoptr(GDir) dir = g_dir_open(root, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(root, name, NULL);

        test_host_remove(child);
    }
    g_remove(root);
}

static void *
pretend_to_clean_up(void *data)
{
    TestCleanup *self = data;

    prctl(PR_SET_NAME, "async_cleanup");
    pthread_barrier_wait(&self->named);
    pthread_barrier_wait(&self->seen);
    return NULL;
}

void
test_cleanup_begin(TestCleanup *self)
{
    pthread_barrier_init(&self->named, NULL, 2);
    pthread_barrier_init(&self->seen, NULL, 2);
    pthread_create(&self->thread, NULL, pretend_to_clean_up, self);
    pthread_barrier_wait(&self->named);
}

void
test_cleanup_end(TestCleanup *self)
{
    pthread_barrier_wait(&self->seen);
    pthread_join(self->thread, NULL);
}
