/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-cmd.h: commands and their options as tables, after virsh's fashion
 *
 * A command is an entry of a table; the table's name, types and texts are all that parsing, help
 * and completion know of it. The rules are virsh's: an option is --name, --name VALUE or
 * --name=VALUE; what is no option goes, in order, to the options that take a value and have none
 * yet; after "--" nothing is an option.
 *
 * Errors are WARD_ERROR_INVALID_ARGUMENT, worded as virsh words them.
 * Everything belongs to the main thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _WardShell WardShell;
typedef struct _WardCmd WardCmd;

/* Candidates for the value of an option; the caller frees them. NULL: none are known. */
typedef GStrv (*WardCompleter)(WardShell *shell);

typedef enum {
    WARD_OPT_BOOL,
    WARD_OPT_INT,
    WARD_OPT_STRING,
} WardOptType;

typedef enum {
    WARD_OPT_REQUIRED = 1 << 0,
    WARD_OPT_NAMED = 1 << 1, /* the value is given by --name only, never by position */
} WardOptFlags;

typedef struct {
    const char *name;
    WardOptType type;
    WardOptFlags flags;
    const char *help;
    WardCompleter complete;
} WardOptDef;

typedef enum {
    WARD_CMD_CHANGES = 1 << 0, /* refused with -r */
    WARD_CMD_HIDDEN = 1 << 1,  /* for programs: in no list of commands */
    WARD_CMD_SHELL = 1 << 2,   /* virsh has it too; ours because it is about the session */
} WardCmdFlags;

typedef struct {
    const char *name;
    /* The exit status: 0 when done. With @error set it is 1 and the caller prints the error. */
    int (*run)(WardShell *shell, const WardCmd *cmd, GError **error);
    const WardOptDef *options; /* ends with a NULL name; NULL when there are none */
    WardCmdFlags flags;
    const char *help;        /* one line, no full stop */
    const char *description; /* one or more sentences */
} WardCmdDef;

typedef struct {
    const char *keyword;
    const char *title;
    const WardCmdDef *commands; /* ends with a NULL name */
} WardCmdGroup;

/* A command with its options, parsed. */
struct _WardCmd {
    const WardCmdDef *def;
    char **values; /* one for each option, NULL: not given; "" for a bool that is given */
    gboolean help; /* --help is given: show the help instead */
};

/* @words are those after the command's name. They have to be UTF-8, or an error is returned. */
WardCmd *ward_cmd_parse(const WardCmdDef *def, const char *const *words, GError **error);
void ward_cmd_free(WardCmd *self);

/* @option has to be in the table. */
gboolean ward_cmd_has(const WardCmd *self, const char *option);
/* Borrowed; NULL when it is not given. */
const char *ward_cmd_get_string(const WardCmd *self, const char *option);
/* Leaves @value alone when the option is not given. */
gboolean ward_cmd_get_uint(const WardCmd *self,
                           const char *option,
                           guint minimum,
                           guint maximum,
                           guint *value,
                           GError **error);
/* Fails when both options are given. */
gboolean ward_cmd_exclusive(const WardCmd *self, const char *a, const char *b, GError **error);

/* NULL when there is none of that name. */
const WardOptDef *ward_cmd_find_option(const WardCmdDef *def, const char *name);
const WardOptDef *ward_cmd_find_next_value(const WardCmdDef *def, const char *const *words);

/* The text of "help COMMAND" and "help GROUP", to be freed. */
char *ward_cmd_format_help(const WardCmdDef *def);
char *ward_cmd_format_group(const WardCmdGroup *group);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardCmd, ward_cmd_free)

G_END_DECLS
