/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-shell.c: commands about the session itself, and what completion scripts call
 *
 * virsh has cd, connect, exit and quit too and describes them, but a virsh that runs one command
 * cannot change this process.
 */
#include <errno.h>
#include <unistd.h>

#include "passthrough.h"
#include "ward-commands.h"
#include "ward-complete.h"
#include "ward-error.h"
#include "ward-shell.h"

static const WardOptDef cd_options[] = {
    {"dir", WARD_OPT_STRING, 0, "directory to switch to (default: home)"},
    {NULL},
};

static int
change_directory(WardShell *shell, const WardCmd *cmd, GError **error)
{
    const char *directory = ward_cmd_get_string(cmd, "dir");

    if (!shell->interactive) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                    "cd: command valid only in interactive mode");
        return 1;
    }
    if (!directory)
        directory = g_get_home_dir();
    if (chdir(directory) == 0)
        return 0;
    g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT, "cd: %s: %s", directory,
                g_strerror(errno));
    return 1;
}

static const WardOptDef connect_options[] = {
    {"name", WARD_OPT_STRING, 0, "hypervisor connection URI"},
    {"readonly", WARD_OPT_BOOL, 0, "read-only connection"},
    {NULL},
};

/* As in virsh, the old connection stays when the new one cannot be had. virsh says why. */
static int
reconnect(WardShell *shell, const WardCmd *cmd, GError **error)
{
    static const char *const args[] = {"uri", NULL};
    const char *name = ward_cmd_get_string(cmd, "name");
    g_autofree char *old_uri = g_strdup(shell->uri);
    gboolean old_readonly = shell->readonly;
    g_autofree char *output = NULL;

    if (name) {
        g_free(shell->uri);
        shell->uri = g_strdup(name);
    }
    shell->readonly = ward_cmd_has(cmd, "readonly");
    if (ward_passthrough_capture(shell, args, FALSE, &output, error))
        return 0;
    g_free(shell->uri);
    shell->uri = g_steal_pointer(&old_uri);
    shell->readonly = old_readonly;
    return 1;
}

static int
leave(WardShell *shell, const WardCmd *cmd, GError **error)
{
    shell->leaving = TRUE;
    return 0;
}

static const WardOptDef no_options[] = {{NULL}};

static const WardCmdDef commands[] = {
    {"cd", change_directory, cd_options, WARD_CMD_SHELL, "change the current directory",
     "Change the current directory."},
    {"connect", reconnect, connect_options, WARD_CMD_SHELL, "(re)connect to hypervisor",
     "Use another hypervisor from now on."},
    {"exit", leave, no_options, WARD_CMD_SHELL, "quit this interactive terminal", "Quit."},
    {"quit", leave, no_options, WARD_CMD_SHELL, "quit this interactive terminal", "Quit."},
    {NULL},
};

const WardCmdGroup ward_group_shell = {NULL, "The session", commands};
