/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-statement.h: command strings taken apart
 *
 * The rules are virsh's: words are separated by white space; ";" and a new line separate commands;
 * "#" at the beginning of a word starts a comment; a backslash takes the next character as it is,
 * also within double quotes but not within single ones.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One command of a command string. */
typedef struct {
    char **words; /* unquoted; at least one */
    /* Where it lies in the string, in bytes; start ≤ offset < end. */
    gsize start;
    gsize end;
} WardStatement;

/* An array of WardStatement that frees them; empty when there is no command in @text.
 * WARD_ERROR_INVALID_ARGUMENT for a quote that does not end and a backslash before nothing. */
GPtrArray *ward_statement_split(const char *text, GError **error);

/* For completion: the words of the last command in @text, the last of them the word that @text ends
 * in, "" after white space. A quote may be open. Free with g_strfreev(). */
char **ward_statement_split_partial(const char *text);

G_END_DECLS
