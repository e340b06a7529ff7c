/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-options.c: options that several commands have
 */
#include "ward-options.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "ward-error.h"
#include "ward-xml.h"

gboolean
ward_options_get_impact(const WardCmd *cmd, guint *flags, GError **error)
{
    if (!ward_cmd_exclusive(cmd, "current", "live", error) ||
        !ward_cmd_exclusive(cmd, "current", "config", error))
        return FALSE;
    *flags = (ward_cmd_has(cmd, "live") ? WARD_FLAG_LIVE : 0) |
             (ward_cmd_has(cmd, "config") ? WARD_FLAG_CONFIG : 0);
    return TRUE;
}

/* Reads to the end, but no more than one byte above the limit: the file may have no end. */
static gboolean
read_bounded(int fd, GString *content)
{
    char buffer[16 * 1024];
    gssize n;

    do {
        n = read(fd, buffer, sizeof(buffer));
        if (n > 0)
            g_string_append_len(content, buffer, n);
    } while ((n > 0 && content->len <= WARD_XML_MAX_SIZE) || (n < 0 && errno == EINTR));
    return n >= 0;
}

static char *
read_file(const char *file, GError **error)
{
    gboolean from_stdin = g_str_equal(file, "-");
    g_autoptr(GString) content = g_string_new(NULL);
    int fd = from_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    gboolean ok = fd >= 0 && read_bounded(fd, content);

    if (!ok)
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT, "cannot read '%s': %s", file,
                    g_strerror(errno));
    if (fd >= 0 && !from_stdin)
        close(fd);
    if (ok && content->len > WARD_XML_MAX_SIZE) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                    "'%s' is larger than %d bytes, the limit of a domain's XML", file,
                    WARD_XML_MAX_SIZE);
        ok = FALSE;
    } else if (ok && !g_utf8_validate(content->str, content->len, NULL)) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                    "'%s' is not UTF-8 text: convert it with iconv", file);
        ok = FALSE;
    }
    return ok ? g_string_free(g_steal_pointer(&content), FALSE) : NULL;
}

char *
ward_options_read_xml(const WardCmd *cmd, GError **error)
{
    const char *file = ward_cmd_get_string(cmd, "file");
    const char *xml = ward_cmd_get_string(cmd, "xml");

    if (!ward_cmd_exclusive(cmd, "file", "xml", error))
        return NULL;
    if (!file && !xml) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                    "command '%s' requires --file or --xml", cmd->def->name);
        return NULL;
    }
    return xml ? g_strdup(xml) : read_file(file, error);
}
