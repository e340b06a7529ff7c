/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-complete.h: what could come next in a command, for readline and for shells
 *
 * Completion prints no error and starts no daemon.
 */
#pragma once

#include "ward-shell.h"

G_BEGIN_DECLS

/* @words: the words of one command up to the cursor, the last of them the one to complete, which
 * may be "". The candidates begin with it. Asks virsh about its own commands.
 * NULL when nothing is known: the caller may complete the names of files then. */
GStrv ward_complete(WardShell *shell, const char *const *words);

G_END_DECLS
