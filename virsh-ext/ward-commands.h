/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-commands.h: the groups of commands, one for each cmd-*.c
 */
#pragma once

#include "ward-cmd.h"

G_BEGIN_DECLS

extern const WardCmdGroup ward_group_protection;
extern const WardCmdGroup ward_group_teardown;
extern const WardCmdGroup ward_group_trustdomain;
extern const WardCmdGroup ward_group_introspection;
extern const WardCmdGroup ward_group_isolation;
extern const WardCmdGroup ward_group_job;
extern const WardCmdGroup ward_group_help;
extern const WardCmdGroup ward_group_shell;

/* protection-events, of the group protection but in a file of its own. */
extern const WardOptDef ward_options_protection_events[];
int ward_cmd_protection_events(WardShell *shell, const WardCmd *cmd, GError **error);

/* Everything of "help" without an argument, virsh's part too; @title goes in front. */
void ward_help_print_all(WardShell *shell, const char *title);
/* Prints the help of a group or command of ours or virsh's; the exit status. */
int ward_help_print(WardShell *shell, const char *name);

G_END_DECLS
