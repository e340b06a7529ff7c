/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "proc-comm.h"

static gboolean
comm_is(const char *directory, const char *entry, const char *comm)
{
    g_autofree char *path = g_build_filename(directory, entry, "comm", NULL);
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) && g_str_equal(g_strstrip(text), comm);
}

char *
ward_proc_find_comm(const char *root, const char *directory, const char *comm, guint max)
{
    g_autofree char *full = g_strconcat(root, directory, NULL);
    g_autoptr(GDir) dir = g_dir_open(full, 0, NULL);
    const char *entry;

    for (guint n = 0; dir && n < max && (entry = g_dir_read_name(dir)); n++) {
        if (g_ascii_isdigit(*entry) && comm_is(full, entry, comm))
            return g_strdup(entry);
    }
    return NULL;
}
