/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-run.c: commands carried out, one at a time or as strings of ours and virsh's mixed
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "passthrough.h"
#include "ward-agent.h"
#include "ward-error.h"
#include "ward-shell.h"
#include "ward-statement.h"

static gboolean
is_allowed(WardShell *self, const WardCmdDef *def, GError **error)
{
    if (!self->readonly || !(def->flags & WARD_CMD_CHANGES))
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_ACCESS_DENIED,
                "operation forbidden: read only access prevents %s; give it without -r", def->name);
    return FALSE;
}

static int
run_parsed(WardShell *self, const WardCmd *cmd)
{
    g_autoptr(GError) error = NULL;
    gint64 start = g_get_monotonic_time();
    int status = 1;

    if (cmd->help) {
        g_autofree char *help = ward_cmd_format_help(cmd->def);

        g_print("%s", help);
        status = 0;
    } else if (is_allowed(self, cmd->def, &error)) {
        GSubprocess *agent = cmd->def->flags & WARD_CMD_CHANGES ? ward_agent_start() : NULL;

        status = cmd->def->run(self, cmd, &error);
        ward_agent_stop(agent);
    }
    if (error) {
        ward_shell_print_error(error);
        status = 1;
    }
    if (self->timing)
        g_print("\n(Time: %.3f ms)\n\n", (g_get_monotonic_time() - start) / 1000.0);
    else if (!(cmd->def->flags & WARD_CMD_HIDDEN))
        ward_shell_print_extra(self, "\n");
    fflush(stdout);
    return status;
}

int
ward_shell_run_words(WardShell *self, const char *const *words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(WardCmd) cmd = ward_cmd_parse(ward_shell_find_command(words[0]), words + 1, &error);

    if (!cmd) {
        ward_shell_print_error(error);
        return 1;
    }
    return run_parsed(self, cmd);
}

/* Ends this process by the signal that has ended virsh, so that the caller sees it. */
static int
end_by(int signal_number)
{
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    return 128 + signal_number;
}

static int
run_virsh(WardShell *self, const char *text, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *part = g_strndup(text, length);
    const char *const args[] = {part, NULL};
    int status;

    if (!ward_passthrough_run(self, args, &status, &error)) {
        ward_shell_print_error(error);
        return 1;
    }
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    if (!self->interactive)
        return end_by(WTERMSIG(status));
    g_printerr("error: virsh was ended by signal %d (%s)\n", WTERMSIG(status),
               g_strsignal(WTERMSIG(status)));
    return 1;
}

static void
clear_cmd(gpointer data)
{
    ward_cmd_free(data);
}

/* One WardCmd for each statement, NULL for virsh's. NULL and an error when one has bad syntax. */
static GPtrArray *
parse_ours(GPtrArray *statements, GError **error)
{
    g_autoptr(GPtrArray) cmds = g_ptr_array_new_with_free_func(clear_cmd);

    for (guint i = 0; i < statements->len; i++) {
        const WardStatement *statement = statements->pdata[i];
        const WardCmdDef *def = ward_shell_find_command(statement->words[0]);
        WardCmd *cmd = NULL;

        if (def) {
            cmd = ward_cmd_parse(def, (const char *const *)statement->words + 1, error);
            if (!cmd)
                return NULL;
        }
        g_ptr_array_add(cmds, cmd);
    }
    return g_steal_pointer(&cmds);
}

/* Neighbouring commands of virsh's go to one virsh, as the user wrote them: it keeps its connection
 * from one to the next, which for test:///default is all there is. */
int
ward_shell_run_text(WardShell *self, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) statements = ward_statement_split(text, &error);
    g_autoptr(GPtrArray) cmds = statements ? parse_ours(statements, &error) : NULL;
    int status = 0;

    if (!cmds) {
        ward_shell_print_error(error);
        return 1;
    }
    for (guint i = 0; i < statements->len && !self->leaving; i++) {
        const WardStatement *first = statements->pdata[i];
        const WardStatement *last = first;

        if (cmds->pdata[i]) {
            status = run_parsed(self, cmds->pdata[i]);
            continue;
        }
        while (i + 1 < statements->len && !cmds->pdata[i + 1])
            last = statements->pdata[++i];
        status = run_virsh(self, text + first->start, last->end - first->start);
    }
    return status;
}

gboolean
ward_shell_is_for_virsh(const char *text)
{
    g_autoptr(GPtrArray) statements = ward_statement_split(text, NULL);

    if (!statements)
        return TRUE;
    for (guint i = 0; i < statements->len; i++) {
        const WardStatement *statement = statements->pdata[i];
        const WardCmdDef *def = ward_shell_find_command(statement->words[0]);

        if (def && !(def->flags & WARD_CMD_SHELL))
            return FALSE;
    }
    return TRUE;
}
