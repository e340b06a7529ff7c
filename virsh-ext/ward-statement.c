/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-statement.c: command strings taken apart
 */
#include "ward-statement.h"

#include <string.h>

#include "ward-error.h"

static void
statement_free(gpointer data)
{
    WardStatement *self = data;

    g_strfreev(self->words);
    g_free(self);
}

static gboolean
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static gboolean
is_separator(char c)
{
    return c == ';' || c == '\n';
}

static const char *
skip_blanks(const char *text)
{
    while (is_blank(*text))
        text++;
    if (*text == '#')
        text += strcspn(text, "\n");
    return text;
}

/* One word from *@text on, which moves behind it. @open gets what was left open at the end of the
 * string: a quote, a backslash or 0. Like virsh, a single quote may end with the string. */
static char *
take_word(const char **text, char *open)
{
    GString *word = g_string_new(NULL);
    const char *p = *text;
    char quote = 0;

    *open = 0;
    for (; *p; p++) {
        if (!quote && (is_blank(*p) || is_separator(*p)))
            break;
        if (*p == '\\' && quote != '\'') {
            if (!p[1])
                *open = '\\';
            else
                g_string_append_c(word, *++p);
        } else if (quote ? *p == quote : *p == '\'' || *p == '"') {
            quote = quote ? 0 : *p;
        } else {
            g_string_append_c(word, *p);
        }
    }
    if (quote == '"')
        *open = quote;
    *text = p;
    return g_string_free(word, FALSE);
}

/* The words up to the next separator, which *@text is left at. */
static GPtrArray *
take_words(const char **text, const char **end, char *open)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);

    *open = 0;
    *text = *end = skip_blanks(*text);
    while (**text && !is_separator(**text)) {
        g_ptr_array_add(words, take_word(text, open));
        *end = *text;
        *text = skip_blanks(*text);
    }
    return words;
}

static char **
to_strv(GPtrArray *words)
{
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}

GPtrArray *
ward_statement_split(const char *text, GError **error)
{
    g_autoptr(GPtrArray) statements = g_ptr_array_new_with_free_func(statement_free);
    const char *p = text;

    while (*p) {
        const char *start = skip_blanks(p);
        const char *end;
        char open;
        g_autoptr(GPtrArray) words = take_words(&p, &end, &open);
        WardStatement *statement;

        if (open) {
            g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                        open == '\\' ? "dangling %c" : "missing %c", open);
            return NULL;
        }
        if (is_separator(*p))
            p++;
        if (words->len == 0)
            continue;
        statement = g_new0(WardStatement, 1);
        statement->words = to_strv(g_steal_pointer(&words));
        statement->start = start - text;
        statement->end = end - text;
        g_ptr_array_add(statements, statement);
    }
    return g_steal_pointer(&statements);
}

char **
ward_statement_split_partial(const char *text)
{
    g_autoptr(GPtrArray) words = NULL;
    const char *p = text;
    const char *end = text;
    char open = 0;

    do {
        g_clear_pointer(&words, g_ptr_array_unref);
        if (is_separator(*p))
            p++;
        words = take_words(&p, &end, &open);
    } while (*p);
    if (end != p || words->len == 0)
        g_ptr_array_add(words, g_strdup(""));
    return to_strv(g_steal_pointer(&words));
}
