/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * passthrough.h: virsh itself, for every command that is not ours
 *
 * virsh gets the options that virsh-ward was given, -r and -c of this moment, and @args.
 * Errors: virsh is not installed, or PATH's virsh is this very program.
 */
#pragma once

#include "ward-shell.h"

G_BEGIN_DECLS

/* Replaces this process, so that exit status and signals are virsh's own. Returns, with an error,
 * only when that cannot be done. */
void ward_passthrough_exec(WardShell *shell, const char *const *args, GError **error);

/* Runs it as a child on the same terminal, and waits. @wait_status as of waitpid(). */
gboolean
ward_passthrough_run(WardShell *shell, const char *const *args, int *wait_status, GError **error);

/* Runs it with its standard output into @output, and its errors away with @quietly. FALSE also when
 * it does not end with status 0; then there need not be an error. */
gboolean ward_passthrough_capture(
    WardShell *shell, const char *const *args, gboolean quietly, char **output, GError **error);

/* "virsh", the options, @args: what the above run. To be freed with g_strfreev(). */
char **ward_passthrough_argv(WardShell *shell, const char *const *args);

G_END_DECLS
