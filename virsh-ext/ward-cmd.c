/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-cmd.c: options of one command, parsed and described
 */
#include "ward-cmd.h"

#include <string.h>

#include "ward-error.h"

#define USAGE_ERROR(error, ...)                                                                    \
    g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT, __VA_ARGS__)

static const char *
type_name(WardOptType type)
{
    return type == WARD_OPT_INT ? "number" : "string";
}

static guint
count_options(const WardCmdDef *def)
{
    guint n = 0;

    while (def->options && def->options[n].name)
        n++;
    return n;
}

/* -1 when there is none. */
static int
find_index(const WardCmdDef *def, const char *name, gsize length)
{
    for (guint i = 0; i < count_options(def); i++) {
        if (strlen(def->options[i].name) == length &&
            strncmp(def->options[i].name, name, length) == 0)
            return i;
    }
    return -1;
}

static gboolean
takes_position(const WardOptDef *option)
{
    return option->type != WARD_OPT_BOOL && !(option->flags & WARD_OPT_NAMED);
}

static gboolean
looks_like_option(const char *word)
{
    return g_str_has_prefix(word, "--") && g_ascii_isalnum(word[2]);
}

static gboolean
store(WardCmd *self, int index, const char *value, GError **error)
{
    const WardOptDef *option = &self->def->options[index];

    if (option->type != WARD_OPT_BOOL && value[0] == '\0') {
        USAGE_ERROR(error, "Failed to get option '%s': Option argument is empty", option->name);
        return FALSE;
    }
    self->values[index] = g_strdup(value);
    return TRUE;
}

/* Takes the option at *@words, and its value from the word after it when there is no "=". */
static gboolean
parse_option(WardCmd *self, const char *const **words, GError **error)
{
    const char *name = **words + 2;
    const char *equals = strchr(name, '=');
    int length = equals ? equals - name : (int)strlen(name);
    int index = find_index(self->def, name, length);
    const WardOptDef *option;

    if (index < 0) {
        USAGE_ERROR(error, "command '%s' doesn't support option --%.*s", self->def->name, length,
                    name);
        return FALSE;
    }
    option = &self->def->options[index];
    if (self->values[index]) {
        USAGE_ERROR(error, "option --%s already seen", option->name);
        return FALSE;
    }
    if (option->type == WARD_OPT_BOOL) {
        if (equals) {
            USAGE_ERROR(error, "invalid '=' after option --%s", option->name);
            return FALSE;
        }
        return store(self, index, "", error);
    }
    if (!equals && !*++*words) {
        USAGE_ERROR(error, "expected syntax: --%s <%s>", option->name, type_name(option->type));
        return FALSE;
    }
    return store(self, index, equals ? equals + 1 : **words, error);
}

static gboolean
parse_position(WardCmd *self, const char *word, GError **error)
{
    for (guint i = 0; i < count_options(self->def); i++) {
        if (takes_position(&self->def->options[i]) && !self->values[i])
            return store(self, i, word, error);
    }
    USAGE_ERROR(error, "unexpected data '%s'", word);
    return FALSE;
}

static gboolean
parse_words(WardCmd *self, const char *const *words, GError **error)
{
    gboolean positions_only = FALSE;

    for (; *words; words++) {
        gboolean ok = TRUE;

        if (!g_utf8_validate(*words, -1, NULL)) {
            USAGE_ERROR(error, "an argument of command '%s' is not UTF-8", self->def->name);
            return FALSE;
        }
        if (!positions_only && g_str_equal(*words, "--"))
            positions_only = TRUE;
        else if (!positions_only && g_str_equal(*words, "--help"))
            self->help = TRUE;
        else if (!positions_only && looks_like_option(*words))
            ok = parse_option(self, &words, error);
        else
            ok = parse_position(self, *words, error);
        if (!ok)
            return FALSE;
    }
    return TRUE;
}

static gboolean
check_required(const WardCmd *self, GError **error)
{
    for (guint i = 0; i < count_options(self->def); i++) {
        const WardOptDef *option = &self->def->options[i];

        if (!(option->flags & WARD_OPT_REQUIRED) || self->values[i])
            continue;
        if (option->type == WARD_OPT_STRING)
            USAGE_ERROR(error, "command '%s' requires <%s> option", self->def->name, option->name);
        else
            USAGE_ERROR(error, "command '%s' requires --%s option", self->def->name, option->name);
        return FALSE;
    }
    return TRUE;
}

WardCmd *
ward_cmd_parse(const WardCmdDef *def, const char *const *words, GError **error)
{
    g_autoptr(WardCmd) self = g_new0(WardCmd, 1);

    self->def = def;
    self->values = g_new0(char *, count_options(def));
    if (!parse_words(self, words, error))
        return NULL;
    if (!self->help && !check_required(self, error))
        return NULL;
    return g_steal_pointer(&self);
}

void
ward_cmd_free(WardCmd *self)
{
    if (!self)
        return;
    for (guint i = 0; i < count_options(self->def); i++)
        g_free(self->values[i]);
    g_free(self->values);
    g_free(self);
}

const char *
ward_cmd_get_string(const WardCmd *self, const char *option)
{
    int index = find_index(self->def, option, strlen(option));

    g_assert(index >= 0);
    return self->values[index];
}

gboolean
ward_cmd_has(const WardCmd *self, const char *option)
{
    return ward_cmd_get_string(self, option) != NULL;
}

gboolean
ward_cmd_get_uint(const WardCmd *self,
                  const char *option,
                  guint minimum,
                  guint maximum,
                  guint *value,
                  GError **error)
{
    const char *text = ward_cmd_get_string(self, option);
    guint64 number;

    if (!text)
        return TRUE;
    if (!g_ascii_string_to_unsigned(text, 10, minimum, maximum, &number, NULL)) {
        USAGE_ERROR(error,
                    "Numeric value '%s' for <%s> option is malformed or out of range (%u to %u)",
                    text, option, minimum, maximum);
        return FALSE;
    }
    *value = number;
    return TRUE;
}

gboolean
ward_cmd_exclusive(const WardCmd *self, const char *a, const char *b, GError **error)
{
    if (!ward_cmd_has(self, a) || !ward_cmd_has(self, b))
        return TRUE;
    USAGE_ERROR(error, "Options --%s and --%s are mutually exclusive", a, b);
    return FALSE;
}

const WardOptDef *
ward_cmd_find_option(const WardCmdDef *def, const char *name)
{
    int index = find_index(def, name, strlen(name));

    return index < 0 ? NULL : &def->options[index];
}

/* Which option the next word would be the value of, after @words that need not be complete. */
const WardOptDef *
ward_cmd_find_next_value(const WardCmdDef *def, const char *const *words)
{
    g_autofree gboolean *seen = g_new0(gboolean, count_options(def) + 1);
    guint positions = 0;

    for (; *words; words++) {
        const char *name = *words + 2;
        int index = -1;

        if (looks_like_option(*words)) {
            index = find_index(def, name, strcspn(name, "="));
            if (index >= 0)
                seen[index] = TRUE;
            if (index >= 0 && def->options[index].type != WARD_OPT_BOOL && !strchr(name, '=')) {
                if (!words[1])
                    return &def->options[index];
                words++;
            }
        } else if (!g_str_equal(*words, "--")) {
            positions++;
        }
    }
    for (guint i = 0; i < count_options(def); i++) {
        if (takes_position(&def->options[i]) && !seen[i] && positions-- == 0)
            return &def->options[i];
    }
    return NULL;
}

static void
append_synopsis(GString *text, const WardOptDef *option)
{
    gboolean required = option->flags & WARD_OPT_REQUIRED;

    if (option->type == WARD_OPT_BOOL)
        g_string_append_printf(text, " [--%s]", option->name);
    else if (required)
        g_string_append_printf(text, " <%s>", option->name);
    else
        g_string_append_printf(text, " [--%s <%s>]", option->name, type_name(option->type));
}

static void
append_option(GString *text, const WardOptDef *option)
{
    gboolean required = option->flags & WARD_OPT_REQUIRED;
    g_autofree char *left = NULL;

    if (option->type == WARD_OPT_BOOL)
        left = g_strdup_printf("--%s", option->name);
    else
        left = g_strdup_printf(required ? "[--%s] <%s>" : "--%s <%s>", option->name,
                               type_name(option->type));
    g_string_append_printf(text, "    %-22s  %s\n", left, option->help);
}

char *
ward_cmd_format_help(const WardCmdDef *def)
{
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "  NAME\n    %s - %s\n\n  SYNOPSIS\n    %s", def->name, def->help,
                           def->name);
    for (guint i = 0; i < count_options(def); i++)
        append_synopsis(text, &def->options[i]);
    g_string_append_printf(text, "\n\n  DESCRIPTION\n    %s\n", def->description);
    if (count_options(def) > 0)
        g_string_append(text, "\n  OPTIONS\n");
    for (guint i = 0; i < count_options(def); i++)
        append_option(text, &def->options[i]);
    return g_string_free(text, FALSE);
}

char *
ward_cmd_format_group(const WardCmdGroup *group)
{
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, " %s (help keyword '%s'):\n", group->title, group->keyword);
    for (const WardCmdDef *def = group->commands; def->name; def++) {
        if (!(def->flags & WARD_CMD_HIDDEN))
            g_string_append_printf(text, "    %-30s %s\n", def->name, def->help);
    }
    return g_string_free(text, FALSE);
}
