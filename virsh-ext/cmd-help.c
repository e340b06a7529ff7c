/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-help.c: help for our commands, followed or replaced by virsh's
 */
#include <string.h>

#include "passthrough.h"
#include "ward-commands.h"
#include "ward-shell.h"

static gboolean
is_shown(const WardCmdGroup *group)
{
    for (const WardCmdDef *def = group->commands; def->name; def++) {
        if (!(def->flags & (WARD_CMD_HIDDEN | WARD_CMD_SHELL)))
            return TRUE;
    }
    return FALSE;
}

/* virsh's commands without the heading, which ours have had already. */
static void
print_virsh_commands(WardShell *shell)
{
    static const char *const args[] = {"help", NULL};
    g_autoptr(GError) error = NULL;
    g_autofree char *help = NULL;
    const char *groups;

    if (!ward_passthrough_capture(shell, args, TRUE, &help, &error)) {
        g_print(" The commands of virsh are not available%s%s\n\n", error ? ": " : "",
                error ? error->message : "");
        return;
    }
    groups = strstr(help, "\n\n");
    g_print("%s", groups ? groups + 2 : help);
}

void
ward_help_print_all(WardShell *shell, const char *title)
{
    g_print("%s\n\n", title);
    for (guint i = 0; ward_shell_groups[i]; i++) {
        g_autofree char *text = NULL;

        if (!is_shown(ward_shell_groups[i]))
            continue;
        text = ward_cmd_format_group(ward_shell_groups[i]);
        g_print("%s\n", text);
    }
    print_virsh_commands(shell);
}

int
ward_help_print(WardShell *shell, const char *name)
{
    const WardCmdDef *def = ward_shell_find_command(name);
    const WardCmdGroup *group = ward_shell_find_group(name);
    const char *const args[] = {"help", name, NULL};
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;

    if (group && is_shown(group))
        text = ward_cmd_format_group(group);
    else if (def && !(def->flags & (WARD_CMD_HIDDEN | WARD_CMD_SHELL)))
        text = ward_cmd_format_help(def);
    else if (!ward_passthrough_capture(shell, args, FALSE, &text, &error)) {
        if (error)
            ward_shell_print_error(error);
        return 1;
    } else if (!shell->quiet && g_str_has_suffix(text, "\n\n")) {
        /* The empty line that follows every command: ours follows, too. */
        text[strlen(text) - 1] = '\0';
    }
    g_print("%s", text);
    return 0;
}

static const WardOptDef help_options[] = {
    {"command", WARD_OPT_STRING, 0, "a command or a group of commands"},
    {NULL},
};

static int
help(WardShell *shell, const WardCmd *cmd, GError **error)
{
    const char *name = ward_cmd_get_string(cmd, "command");

    if (name)
        return ward_help_print(shell, name);
    ward_help_print_all(shell, "Grouped commands:");
    return 0;
}

static const WardCmdDef commands[] = {
    {"help", help, help_options, 0, "print help",
     "Prints all commands, those of a group, or the help of a command; virsh's, too."},
    {NULL},
};

const WardCmdGroup ward_group_help = {"virsh-ward", "Virsh-ward itself", commands};
