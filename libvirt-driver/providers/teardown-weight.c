/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "teardown-weight.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "proc-comm.h"
#include "ward-error.h"

#define LIBVIRT_GROUP "/emulator" /* vir_cgroup: of all threads but vCPUs and iothreads */
#define OUR_GROUP "/virtward-teardown"
#define CGROUPS "/sys/fs/cgroup"
#define MAX_THREADS 10000 /* of one QEMU to look at */

/* Where the thread is in the hierarchy of version 2; NULL: it has none, or is in another world. */
static char *
get_group(const char *root, GPid pid, const char *thread)
{
    g_autofree char *path = g_strdup_printf("%s/proc/%d/task/%s/cgroup", root, pid, thread);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (g_file_get_contents(path, &text, NULL, NULL))
        lines = g_strsplit(g_strchomp(text), "\n", 64);
    for (char **line = lines; line && *line; line++) {
        if (g_str_has_prefix(*line, "0::/") && !strstr(*line, "/../"))
            return g_strdup(*line + strlen("0::"));
    }
    return NULL;
}

/* Files of the kernel's are written in place, and at once. */
static gboolean
write_group(const char *group, const char *file, const char *text, GError **error)
{
    g_autofree char *path = g_build_filename(group, file, NULL);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    gboolean written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int saved = errno;

    if (fd >= 0)
        close(fd);
    if (!written)
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED, "cannot write %s to %s: %s", text, path,
                    g_strerror(saved));
    return written;
}

static gboolean
make_group(const char *group, GError **error)
{
    if (g_mkdir(group, 0755) < 0 && errno != EEXIST) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED, "cannot make %s: %s", group,
                    g_strerror(errno));
        return FALSE;
    }
    return write_group(group, "cgroup.type", "threaded", error);
}

gboolean
ward_teardown_weight_set(const char *root, GPid pid, guint weight, GError **error)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", pid);
    g_autofree char *thread = ward_proc_find_comm(root, tasks, WARD_TEARDOWN_THREAD, MAX_THREADS);
    g_autofree char *group = thread ? get_group(root, pid, thread) : NULL;
    g_autofree char *number = g_strdup_printf("%u", weight);
    g_autofree char *parent = NULL;
    g_autofree char *ours = NULL;

    if (!thread || (group && g_str_has_suffix(group, OUR_GROUP)))
        return TRUE;
    if (!group || !g_str_has_suffix(group, LIBVIRT_GROUP)) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "libvirt has made no control groups of version 2 for the domain's threads");
        return FALSE;
    }
    parent = g_strndup(group, strlen(group) - strlen(LIBVIRT_GROUP));
    ours = g_strconcat(root, CGROUPS, parent, OUR_GROUP, NULL);
    if (make_group(ours, error) && write_group(ours, "cpu.weight", number, error) &&
        write_group(ours, "cgroup.threads", thread, error))
        return TRUE;
    g_rmdir(ours); /* unless somebody is in it */
    return FALSE;
}
