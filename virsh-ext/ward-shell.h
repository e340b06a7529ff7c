/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-shell.h: one run of virsh-ward: its options, its connection, and how commands are carried
 * out
 *
 * A command is one of ours (the tables), one of the shell itself (cd, connect, exit, quit) or
 * virsh's. Exit statuses are virsh's: 0, or 1 after an error.
 * Everything belongs to the main thread.
 */
#pragma once

#include "ward-client.h"
#include "ward-cmd.h"
#include "ward-output.h"

G_BEGIN_DECLS

/* The user stopped a wait with SIGINT: 128 + SIGINT, as shells say it. */
#define WARD_EXIT_INTERRUPTED 130

typedef enum {
    WARD_FORMAT_TABLE,
    WARD_FORMAT_JSON,
} WardFormat;

struct _WardShell {
    char *uri; /* of -c or connect; NULL: none */
    gboolean readonly;
    gboolean quiet;
    gboolean timing;
    WardFormat format;
    GBusType bus;             /* of --bus; G_BUS_TYPE_NONE: as the URI has it */
    GPtrArray *virsh_options; /* char *: virsh's options, without -c and -r */

    WardClient *client; /* NULL until the first command that needs it */
    gboolean interactive;
    gboolean leaving; /* exit or quit was given */
};

WardShell *ward_shell_new(void);
void ward_shell_free(WardShell *self);

/* NULL when @name is not one of ours. */
const WardCmdDef *ward_shell_find_command(const char *name);
const WardCmdGroup *ward_shell_find_group(const char *keyword);
/* Ends with NULL. */
extern const WardCmdGroup *const ward_shell_groups[];

/* The daemon, with the properties of its host just read; owned by the shell. Warns about what
 * everybody should know: a simulated host, and (if it matters) a lost connection to libvirt. */
WardClient *ward_shell_get_client(WardShell *self, GError **error);
/* Says on stderr that the daemon's host is simulated, if it is; a command that reports state calls
 * it before its output. With -q only when @loud. */
void ward_shell_warn(WardShell *self, gboolean loud);

/* One command of ours. @words has its name too. Returns the exit status, prints errors. */
int ward_shell_run_words(WardShell *self, const char *const *words);
/* A command string with any mix of commands. Nothing is run when one of ours has bad syntax. */
int ward_shell_run_text(WardShell *self, const char *text);
/* Whether virsh alone can carry out @text: no command of ours, and the syntax of strings is good or
 * virsh is to complain about it. */
gboolean ward_shell_is_for_virsh(const char *text);

/* Output of a command, in the format asked for. */
void ward_shell_print_record(WardShell *self, WardRecord *record);
void ward_shell_print_records(WardShell *self,
                              const char *key,
                              const char *const *headings,
                              GPtrArray *records);
/* What a command has done to the domain at @path, and how protected it is now. @result: a word for
 * JSON, @text for people. */
void ward_shell_print_change(WardShell *self,
                             const char *path,
                             const char *result,
                             const char *format,
                             ...) G_GNUC_PRINTF(4, 5);
/* For people, and not with -q. */
void ward_shell_print_extra(WardShell *self, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Adds the fields with which every JSON document begins. */
WardRecord *ward_shell_new_record(WardShell *self);

/* "error: ..." on stderr. */
void ward_shell_print_error(const GError *error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardShell, ward_shell_free)

G_END_DECLS
