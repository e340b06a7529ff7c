/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virsh-ward.c: virsh with the commands of virtward: options, and what to do with the rest
 */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "interactive.h"
#include "passthrough.h"
#include "ward-commands.h"
#include "ward-complete.h"
#include "ward-shell.h"

/* Bytes; a longer script is run line by line. */
#define SCRIPT_MAX (1024 * 1024)

enum {
    OPTION_FORMAT = 256,
    OPTION_BUS,
};

typedef enum {
    ACTION_RUN,
    ACTION_HELP,
    ACTION_VERSION,
    ACTION_LONG_VERSION,
    ACTION_FAIL,
} Action;

static const char short_options[] = "+:c:d:e:hk:K:l:qrtvV";

static const struct option long_options[] = {
    {"bus", required_argument, NULL, OPTION_BUS},
    {"connect", required_argument, NULL, 'c'},
    {"debug", required_argument, NULL, 'd'},
    {"escape", required_argument, NULL, 'e'},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"help", no_argument, NULL, 'h'},
    {"keepalive-interval", required_argument, NULL, 'k'},
    {"keepalive-count", required_argument, NULL, 'K'},
    {"log", required_argument, NULL, 'l'},
    {"quiet", no_argument, NULL, 'q'},
    {"readonly", no_argument, NULL, 'r'},
    {"timing", no_argument, NULL, 't'},
    {"version", optional_argument, NULL, 'v'},
    {NULL},
};

static const char usage[] =
    "\nvirsh-ward [options]... [<command_string>]\n"
    "virsh-ward [options]... <command> [args...]\n"
    "\n"
    "  options:\n"
    "    -c | --connect=URI      hypervisor connection URI\n"
    "    -h | --help             this help, or that of the command that follows\n"
    "    -q | --quiet            quiet mode\n"
    "    -r | --readonly         connect readonly\n"
    "    -t | --timing           print timing information\n"
    "    -v | --version          short version\n"
    "    -V | --version=long     long version, with virsh's\n"
    "         --bus=TYPE         where virtward's daemon is: system or session\n"
    "         --format=FORMAT    output of virtward's commands: table or json\n"
    "    -d, -e, -k, -K, -l      for virsh: see its own help\n"
    "  commands (non interactive mode):\n";

static void
add_virsh_option(WardShell *shell, int option, const char *value)
{
    g_ptr_array_add(shell->virsh_options, g_strdup_printf("-%c", option));
    if (value)
        g_ptr_array_add(shell->virsh_options, g_strdup(value));
}

static gboolean
take_format(WardShell *shell, const char *value)
{
    if (g_str_equal(value, "json"))
        shell->format = WARD_FORMAT_JSON;
    else if (g_str_equal(value, "table"))
        shell->format = WARD_FORMAT_TABLE;
    else
        return FALSE;
    return TRUE;
}

static gboolean
take_bus(WardShell *shell, const char *value)
{
    if (g_str_equal(value, "system"))
        shell->bus = G_BUS_TYPE_SYSTEM;
    else if (g_str_equal(value, "session"))
        shell->bus = G_BUS_TYPE_SESSION;
    else
        return FALSE;
    return TRUE;
}

/* @problem: what getopt_long() returned. */
static Action
complain(int problem, char **argv)
{
    const char *word = argv[optind - 1];

    if (problem == '?' && optopt != 0 && !g_str_has_prefix(word, "--"))
        g_printerr("error: unsupported option '-%c'. See --help.\n", optopt);
    else if (problem == '?')
        g_printerr("error: unsupported option '%s'. See --help.\n", word);
    for (const struct option *option = long_options; problem == ':' && option->name; option++) {
        if (option->val != optopt)
            continue;
        if (optopt < OPTION_FORMAT)
            g_printerr("error: option '-%c'/'--%s' requires an argument\n", optopt, option->name);
        else
            g_printerr("error: option '--%s' requires an argument\n", option->name);
    }
    return ACTION_FAIL;
}

static Action
take_version(const char *type)
{
    if (!type || g_str_equal(type, "short"))
        return ACTION_VERSION;
    if (g_str_equal(type, "long"))
        return ACTION_LONG_VERSION;
    g_printerr("error: unsupported version type '%s': it is short or long\n", type);
    return ACTION_FAIL;
}

/* ACTION_RUN: go on. */
static Action
take_option(WardShell *shell, int option, const char *value)
{
    switch (option) {
    case 'c':
        g_free(shell->uri);
        shell->uri = g_strdup(value);
        return ACTION_RUN;
    case 'r':
        shell->readonly = TRUE;
        return ACTION_RUN;
    case 'q':
        shell->quiet = TRUE;
        break;
    case 't':
        shell->timing = TRUE;
        break;
    case 'h':
        return ACTION_HELP;
    case 'v':
        return take_version(value);
    case 'V':
        return ACTION_LONG_VERSION;
    case OPTION_FORMAT:
        if (take_format(shell, value))
            return ACTION_RUN;
        g_printerr("error: unsupported format '%s': it is table or json\n", value);
        return ACTION_FAIL;
    case OPTION_BUS:
        if (take_bus(shell, value))
            return ACTION_RUN;
        g_printerr("error: unsupported bus '%s': it is system or session\n", value);
        return ACTION_FAIL;
    }
    add_virsh_option(shell, option, value);
    return ACTION_RUN;
}

static Action
parse_options(WardShell *shell, int argc, char **argv)
{
    Action action = ACTION_RUN;
    int option;

    opterr = 0;
    while (action == ACTION_RUN &&
           (option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
        if (option == ':' || option == '?')
            return complain(option, argv);
        action = take_option(shell, option, optarg);
    }
    return action;
}

static int
print_help(WardShell *shell, char **words)
{
    if (words[0])
        return ward_help_print(shell, words[0]);
    ward_help_print_all(shell, usage);
    return 0;
}

static int
print_long_version(WardShell *shell)
{
    static const char *const no_args[] = {NULL};
    g_autofree char *virsh = NULL;

    g_print("virsh-ward %s, the command line tool of virtward\n", WARD_VERSION);
    add_virsh_option(shell, 'V', NULL);
    if (ward_passthrough_capture(shell, no_args, TRUE, &virsh, NULL))
        g_print("%s", virsh);
    return 0;
}

/* Returns only when there is no virsh. */
static int
run_virsh(WardShell *shell, char **words)
{
    g_autoptr(GError) error = NULL;

    ward_passthrough_exec(shell, (const char *const *)words, &error);
    ward_shell_print_error(error);
    return 1;
}

/* A file with nothing but virsh's commands is virsh's: one process, so that what a command does is
 * still there for the next, also where the connection is all there is (test:///default). */
static gboolean
stdin_is_for_virsh(void)
{
    g_autoptr(GString) script = g_string_new(NULL);
    char buffer[4096];
    struct stat file;
    off_t offset = lseek(STDIN_FILENO, 0, SEEK_CUR);
    gssize n;

    if (fstat(STDIN_FILENO, &file) != 0 || !S_ISREG(file.st_mode) || offset < 0)
        return FALSE;
    while (script->len < SCRIPT_MAX &&
           (n = pread(STDIN_FILENO, buffer, sizeof(buffer), offset + script->len)) > 0)
        g_string_append_len(script, buffer, n);
    return script->len < SCRIPT_MAX && ward_shell_is_for_virsh(script->str);
}

/* What completion scripts call: the words so far, one candidate a line. */
static int
print_completions(WardShell *shell, char **words)
{
    g_auto(GStrv) candidates = NULL;

    if (words[0] && g_str_equal(words[0], "--"))
        words++;
    candidates = ward_complete(shell, (const char *const *)words);
    for (guint i = 0; candidates && candidates[i]; i++)
        g_print("%s\n", candidates[i]);
    return 0;
}

static int
run(WardShell *shell, char **words)
{
    const WardCmdDef *def;

    if (!words[0]) {
        if (stdin_is_for_virsh())
            return run_virsh(shell, words);
        ward_interactive_run(shell);
        return 0;
    }
    if (g_str_equal(words[0], "complete") && words[1])
        return print_completions(shell, words + 1);
    if (!words[1] && !ward_shell_is_for_virsh(words[0]))
        return ward_shell_run_text(shell, words[0]);
    def = words[1] ? ward_shell_find_command(words[0]) : NULL;
    if (def && !(def->flags & WARD_CMD_SHELL))
        return ward_shell_run_words(shell, (const char *const *)words);
    return run_virsh(shell, words);
}

int
main(int argc, char **argv)
{
    g_autoptr(WardShell) shell = ward_shell_new();
    int status = 1;

    setlocale(LC_ALL, "");
    switch (parse_options(shell, argc, argv)) {
    case ACTION_RUN:
        status = run(shell, argv + optind);
        break;
    case ACTION_HELP:
        status = print_help(shell, argv + optind);
        break;
    case ACTION_VERSION:
        g_print("%s\n", WARD_VERSION);
        status = 0;
        break;
    case ACTION_LONG_VERSION:
        status = print_long_version(shell);
        break;
    case ACTION_FAIL:
        break;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        g_printerr("error: cannot write the output\n");
        status = 1;
    }
    return status;
}
