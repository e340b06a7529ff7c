/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * interactive.h: commands from a terminal, with readline's editing, history and completion, or from
 * a pipe
 */
#pragma once

#include "ward-shell.h"

G_BEGIN_DECLS

/* Until the end of the input, or quit. */
void ward_interactive_run(WardShell *shell);

/* The file of the history; to be freed. */
char *ward_interactive_history_path(void);

G_END_DECLS
