/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interactive.c: commands from a terminal or a pipe
 */
#include "interactive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "ward-complete.h"
#include "ward-statement.h"

#define HISTORY_SIZE 500 /* virsh's default */
#define HISTORY_SIZE_MAX 1000000

/* readline's callbacks have no argument for it. */
static WardShell *completing_shell;
static GStrv candidates;

char *
ward_interactive_history_path(void)
{
    const char *state = g_getenv("XDG_STATE_HOME");

    if (state && g_path_is_absolute(state))
        return g_build_filename(state, "virsh-ward", "history", NULL);
    return g_build_filename(g_get_user_cache_dir(), "virsh-ward", "history", NULL);
}

/* readline frees what it gets. */
static char *
next_candidate(const char *text, int state)
{
    static guint index;

    if (state == 0)
        index = 0;
    return candidates && candidates[index] ? strdup(candidates[index++]) : NULL;
}

static char **
complete(const char *text, int start, int end)
{
    g_autofree char *line = g_strndup(rl_line_buffer, end);
    g_auto(GStrv) words = ward_statement_split_partial(line);
    char **matches;

    candidates = ward_complete(completing_shell, (const char *const *)words);
    if (!candidates)
        return NULL;
    rl_attempted_completion_over = 1;
    matches = rl_completion_matches(text, next_candidate);
    g_clear_pointer(&candidates, g_strfreev);
    return matches;
}

/* A backslash takes away the meaning of a blank, so that names with blanks can be completed. */
static int
is_escaped(char *line, int index)
{
    return index > 0 && line[index - 1] == '\\' && !is_escaped(line, index - 1);
}

static int
history_size(void)
{
    const char *text = g_getenv("VIRSH_HISTSIZE");
    guint64 size = HISTORY_SIZE;

    if (text && !g_ascii_string_to_unsigned(text, 10, 0, HISTORY_SIZE_MAX, &size, NULL))
        g_printerr("warning: VIRSH_HISTSIZE is not a number of at most %d: %s\n", HISTORY_SIZE_MAX,
                   text);
    return size;
}

static void
start_readline(WardShell *shell, const char *history)
{
    completing_shell = shell;
    rl_readline_name = "virsh-ward";
    rl_attempted_completion_function = complete;
    rl_completer_word_break_characters = " \t\n;";
    rl_completer_quote_characters = "\"'";
    rl_char_is_quoted_p = is_escaped;
    using_history();
    stifle_history(history_size());
    read_history(history); /* there is none the first time */
}

static void
save_history(const char *history)
{
    g_autofree char *directory = g_path_get_dirname(history);

    if (g_mkdir_with_parents(directory, 0700) != 0 || write_history(history) != 0)
        g_printerr("warning: cannot write the history to %s\n", history);
}

/* virsh's own, so that nobody who waits for it in vain. */
static const char *
prompt(const WardShell *shell)
{
    return shell->readonly ? "virsh > " : "virsh # ";
}

void
ward_interactive_run(WardShell *shell)
{
    gboolean keep = isatty(STDIN_FILENO);
    g_autofree char *history = ward_interactive_history_path();

    shell->interactive = TRUE;
    ward_shell_print_extra(
        shell, "Welcome to virsh-ward, which is virsh with the commands of virtward.\n\n"
               "Type:  'help' for help with commands\n"
               "       'quit' to quit\n\n");
    start_readline(shell, keep ? history : "/dev/null");
    while (!shell->leaving) {
        char *line = readline(prompt(shell));

        if (!line) {
            ward_shell_print_extra(shell, "\n");
            break;
        }
        if (line[0])
            add_history(line);
        ward_shell_run_text(shell, line);
        free(line);
    }
    if (keep)
        save_history(history);
}
