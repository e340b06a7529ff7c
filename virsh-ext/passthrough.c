/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * passthrough.c: virsh itself, for every command that is not ours
 */
#include "passthrough.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ward-error.h"

/* Someone may have put this program into PATH under virsh's name: it must not call itself for ever.
 */
static gboolean
is_this_program(const char *path)
{
    char *real = realpath(path, NULL);
    char *self = realpath("/proc/self/exe", NULL);
    gboolean same = g_strcmp0(real, self) == 0;

    free(real);
    free(self);
    return same;
}

static char *
find_virsh(const char *command, GError **error)
{
    g_autofree char *path = g_find_program_in_path("virsh");

    if (!path) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "%s is for virsh, which is not installed: install libvirt-clients", command);
        return NULL;
    }
    if (is_this_program(path)) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "%s is for virsh, but %s is virsh-ward: put virsh first in PATH", command,
                    path);
        return NULL;
    }
    return g_steal_pointer(&path);
}

char **
ward_passthrough_argv(WardShell *shell, const char *const *args)
{
    GPtrArray *argv = g_ptr_array_new();

    g_ptr_array_add(argv, g_strdup("virsh"));
    for (guint i = 0; i < shell->virsh_options->len; i++)
        g_ptr_array_add(argv, g_strdup(shell->virsh_options->pdata[i]));
    if (shell->readonly)
        g_ptr_array_add(argv, g_strdup("-r"));
    if (shell->uri) {
        g_ptr_array_add(argv, g_strdup("-c"));
        g_ptr_array_add(argv, g_strdup(shell->uri));
    }
    if (args[0] && args[0][0] == '-')
        g_ptr_array_add(argv, g_strdup("--"));
    for (; *args; args++)
        g_ptr_array_add(argv, g_strdup(*args));
    g_ptr_array_add(argv, NULL);
    return (char **)g_ptr_array_free(argv, FALSE);
}

/* The path of virsh goes in front of argv: G_SPAWN_FILE_AND_ARGV_ZERO. */
static char **
spawn_argv(WardShell *shell, const char *const *args, GError **error)
{
    g_autofree char *command = args[0] ? g_strdup_printf("'%s'", args[0]) : g_strdup("this");
    g_autofree char *path = find_virsh(command, error);
    g_auto(GStrv) argv = NULL;
    char **with_path;
    guint n;

    if (!path)
        return NULL;
    argv = ward_passthrough_argv(shell, args);
    n = g_strv_length(argv);
    with_path = g_new0(char *, n + 2);
    with_path[0] = g_steal_pointer(&path);
    for (guint i = 0; i < n; i++)
        with_path[i + 1] = g_steal_pointer(&argv[i]);
    return with_path;
}

void
ward_passthrough_exec(WardShell *shell, const char *const *args, GError **error)
{
    g_auto(GStrv) argv = spawn_argv(shell, args, error);

    if (!argv)
        return;
    fflush(NULL);
    execv(argv[0], argv + 1);
    g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED, "cannot run %s: %s", argv[0],
                g_strerror(errno));
}

static void
leave_to_child(int signal_number)
{
}

gboolean
ward_passthrough_run(WardShell *shell, const char *const *args, int *wait_status, GError **error)
{
    g_auto(GStrv) argv = spawn_argv(shell, args, error);
    /* Control-C is virsh's as long as it runs. A handler, because exec() resets it to the default,
     * which it does not do to SIG_IGN. */
    struct sigaction during = {.sa_handler = leave_to_child};
    struct sigaction before;
    gboolean ok;

    if (!argv)
        return FALSE;
    fflush(NULL);
    sigaction(SIGINT, &during, &before);
    ok = g_spawn_sync(NULL, argv, NULL, G_SPAWN_CHILD_INHERITS_STDIN | G_SPAWN_FILE_AND_ARGV_ZERO,
                      NULL, NULL, NULL, NULL, wait_status, error);
    sigaction(SIGINT, &before, NULL);
    return ok;
}

gboolean
ward_passthrough_capture(
    WardShell *shell, const char *const *args, gboolean quietly, char **output, GError **error)
{
    g_auto(GStrv) argv = spawn_argv(shell, args, error);
    g_autofree char *text = NULL;
    GSpawnFlags flags = G_SPAWN_FILE_AND_ARGV_ZERO;
    int status;

    if (!argv)
        return FALSE;
    if (quietly)
        flags |= G_SPAWN_STDERR_TO_DEV_NULL;
    fflush(NULL);
    if (!g_spawn_sync(NULL, argv, NULL, flags, NULL, NULL, &text, NULL, &status, error))
        return FALSE;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return FALSE;
    *output = g_steal_pointer(&text);
    return TRUE;
}
