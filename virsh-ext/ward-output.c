/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-output.c: tables, lines of label and value, and JSON
 */
#include "ward-output.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define PROGRESS_WIDTH 30

typedef struct {
    char *key;
    char *label; /* NULL: JSON only */
    GVariant *value;
    char *text;
} Field;

struct _WardRecord {
    GPtrArray *fields;
};

static void
field_free(gpointer data)
{
    Field *field = data;

    g_free(field->key);
    g_free(field->label);
    g_variant_unref(field->value);
    g_free(field->text);
    g_free(field);
}

WardRecord *
ward_record_new(void)
{
    WardRecord *self = g_new0(WardRecord, 1);

    self->fields = g_ptr_array_new_with_free_func(field_free);
    return self;
}

void
ward_record_free(WardRecord *self)
{
    if (!self)
        return;
    g_ptr_array_unref(self->fields);
    g_free(self);
}

void
ward_record_add(
    WardRecord *self, const char *key, const char *label, GVariant *value, const char *text)
{
    Field *field = g_new0(Field, 1);

    field->key = g_strdup(key);
    field->label = g_strdup(label);
    field->value = g_variant_ref_sink(value);
    field->text = ward_escape(text);
    g_ptr_array_add(self->fields, field);
}

void
ward_record_add_string(WardRecord *self, const char *key, const char *label, const char *value)
{
    ward_record_add(self, key, label, g_variant_new_string(value), value[0] ? value : "-");
}

void
ward_record_add_boolean(WardRecord *self, const char *key, const char *label, gboolean value)
{
    ward_record_add(self, key, label, g_variant_new_boolean(value), value ? "yes" : "no");
}

void
ward_record_add_number(WardRecord *self, const char *key, const char *label, guint64 value)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);

    ward_record_add(self, key, label, g_variant_new_uint64(value), text);
}

void
ward_record_add_size(WardRecord *self, const char *key, const char *label, guint64 bytes)
{
    g_autofree char *text = ward_format_size(bytes);

    ward_record_add(self, key, label, g_variant_new_uint64(bytes), text);
}

void
ward_record_add_duration(WardRecord *self, const char *key, const char *label, guint64 usec)
{
    g_autofree char *text = ward_format_duration(usec);

    ward_record_add(self, key, label, g_variant_new_uint64(usec), text);
}

void
ward_record_add_names(WardRecord *self,
                      const char *key,
                      const char *label,
                      const char *const *names)
{
    g_autofree char *text = g_strjoinv(" ", (char **)names);

    ward_record_add(self, key, label, g_variant_new_strv(names, -1), names[0] ? text : "all");
}

GVariant *
ward_record_to_variant(const WardRecord *self)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    for (guint i = 0; i < self->fields->len; i++) {
        const Field *field = self->fields->pdata[i];

        g_variant_builder_add(&builder, "{sv}", field->key, field->value);
    }
    return g_variant_builder_end(&builder);
}

/* How many columns of a terminal @text takes. */
static guint
text_width(const char *text)
{
    guint width = 0;

    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);

        if (!g_unichar_iszerowidth(c))
            width += g_unichar_iswide(c) ? 2 : 1;
    }
    return width;
}

static void
append_padded(GString *line, const char *text, guint width)
{
    guint have = text_width(text);

    g_string_append(line, text);
    for (; have < width; have++)
        g_string_append_c(line, ' ');
}

char *
ward_format_fields(const WardRecord *self)
{
    GString *text = g_string_new(NULL);
    guint width = 15;

    for (guint i = 0; i < self->fields->len; i++) {
        const Field *field = self->fields->pdata[i];

        if (field->label)
            width = MAX(width, text_width(field->label) + 1);
    }
    for (guint i = 0; i < self->fields->len; i++) {
        const Field *field = self->fields->pdata[i];
        g_autofree char *label = field->label ? g_strconcat(field->label, ":", NULL) : NULL;

        if (!label)
            continue;
        append_padded(text, label, width);
        g_string_append_printf(text, " %s\n", field->text);
    }
    return g_string_free(text, FALSE);
}

char *
ward_record_join(const WardRecord *self)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < self->fields->len; i++) {
        const Field *field = self->fields->pdata[i];

        if (field->label)
            g_string_append_printf(text, "%s%s %s", text->len ? ", " : "", field->label,
                                   field->text);
    }
    return g_string_free(text, FALSE);
}

/* The texts of the fields that have a label, borrowed. */
static GPtrArray *
labelled_texts(const WardRecord *record)
{
    GPtrArray *texts = g_ptr_array_new();

    for (guint i = 0; i < record->fields->len; i++) {
        const Field *field = record->fields->pdata[i];

        if (field->label)
            g_ptr_array_add(texts, field->text);
    }
    return texts;
}

/* Like virsh: one space before each cell, two behind it, none at the end of the line. */
static void
append_row(GString *table, GPtrArray *row, const guint *widths)
{
    for (guint i = 0; i < row->len; i++) {
        gboolean last = i + 1 == row->len;

        g_string_append_c(table, ' ');
        append_padded(table, row->pdata[i], last ? 0 : widths[i]);
        g_string_append(table, last ? "\n" : "  ");
    }
}

static void
append_rule(GString *table, const guint *widths, guint n)
{
    for (guint i = 0; i < n; i++) {
        for (guint j = 0; j < widths[i] + 3; j++)
            g_string_append_c(table, '-');
    }
    g_string_append_c(table, '\n');
}

char *
ward_format_table(const char *const *headings, GPtrArray *records, gboolean quiet)
{
    guint n = g_strv_length((char **)headings);
    g_autofree guint *widths = g_new0(guint, n);
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
    GString *table = g_string_new(NULL);

    if (!quiet) {
        GPtrArray *row = g_ptr_array_new();

        for (guint i = 0; i < n; i++)
            g_ptr_array_add(row, (gpointer)headings[i]);
        g_ptr_array_add(rows, row);
    }
    for (guint i = 0; i < records->len; i++)
        g_ptr_array_add(rows, labelled_texts(records->pdata[i]));
    for (guint i = 0; i < rows->len; i++) {
        GPtrArray *row = rows->pdata[i];

        g_assert(row->len == n);
        for (guint j = 0; j < n; j++)
            widths[j] = MAX(widths[j], text_width(row->pdata[j]));
    }
    for (guint i = 0; i < rows->len; i++) {
        append_row(table, rows->pdata[i], widths);
        if (i == 0 && !quiet)
            append_rule(table, widths, n);
    }
    return g_string_free(table, FALSE);
}

char *
ward_format_json(GVariant *value, gboolean compact)
{
    g_autoptr(GVariant) held = g_variant_ref_sink(value);
    g_autoptr(JsonNode) node = json_gvariant_serialize(held);

    return json_to_string(node, !compact);
}

char *
ward_escape(const char *text)
{
    GString *escaped = g_string_new(NULL);

    while (*text) {
        gunichar c = g_utf8_get_char_validated(text, -1);
        gboolean valid = c != (gunichar)-1 && c != (gunichar)-2;
        gsize length = valid ? (gsize)(g_utf8_next_char(text) - text) : 1;

        if (valid && (g_unichar_isprint(c) || g_unichar_iszerowidth(c)) &&
            g_unichar_type(c) != G_UNICODE_FORMAT) {
            g_string_append_len(escaped, text, length);
        } else {
            for (gsize i = 0; i < length; i++)
                g_string_append_printf(escaped, "\\x%02x", (guchar)text[i]);
        }
        text += length;
    }
    return g_string_free(escaped, FALSE);
}

char *
ward_format_size(guint64 bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = bytes;
    guint unit = 0;

    for (; value >= 1024 && unit + 1 < G_N_ELEMENTS(units); unit++)
        value /= 1024;
    return g_strdup_printf(unit == 0 ? "%.0f %s" : "%.3f %s", value, units[unit]);
}

char *
ward_format_duration(guint64 usec)
{
    return g_strdup_printf("%.3f s", usec / (double)G_USEC_PER_SEC);
}

/* Never 100 before the end, as virsh's progress of migrations. */
static guint
percent(guint64 done, guint64 total)
{
    if (done >= total)
        return 100;
    return MIN(99, (guint)(done * 100.0 / total));
}

char *
ward_format_percent(guint64 done, guint64 total)
{
    return total == 0 ? g_strdup("-") : g_strdup_printf("%u %%", percent(done, total));
}

char *
ward_format_progress(const char *what, guint64 done, guint64 total)
{
    char bar[PROGRESS_WIDTH + 1] = {0};
    guint filled;

    if (total == 0)
        return g_strdup_printf("%s: under way, size unknown", what);
    filled = percent(done, total) * PROGRESS_WIDTH / 100;
    memset(bar, ' ', PROGRESS_WIDTH);
    memset(bar, '=', filled);
    return g_strdup_printf("%s: [%s] %3u %%", what, bar, percent(done, total));
}
