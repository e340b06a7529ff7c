/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-virsh-output.c: tables, lines and JSON
 */
#include <glib.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "ward-output.h"

static GPtrArray *
sample_records(const char *name)
{
    GPtrArray *records = g_ptr_array_new_with_free_func((GDestroyNotify)ward_record_free);
    WardRecord *record = ward_record_new();

    ward_record_add_number(record, "id", "Id", 1);
    ward_record_add_string(record, "name", "Name", name);
    ward_record_add_string(record, "uuid", NULL, "u-u-i-d");
    ward_record_add_string(record, "state", "State", "running");
    g_ptr_array_add(records, record);
    return records;
}

static const char *const headings[] = {"Id", "Name", "State", NULL};

/* The first is what "virsh -c test:///default list" prints, to the byte. */
static void
test_tables_are_virshs(void)
{
    g_autoptr(GPtrArray) records = sample_records("test");
    g_autofree char *table = ward_format_table(headings, records, FALSE);
    g_autofree char *quiet = ward_format_table(headings, records, TRUE);

    g_assert_cmpstr(table, ==,
                    " Id   Name   State\n"
                    "----------------------\n"
                    " 1    test   running\n");
    g_assert_cmpstr(quiet, ==, " 1   test   running\n");
}

static void
test_tables_without_rows_have_headings(void)
{
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    g_autofree char *table = ward_format_table(headings, none, FALSE);
    g_autofree char *quiet = ward_format_table(headings, none, TRUE);

    g_assert_cmpstr(table, ==,
                    " Id   Name   State\n"
                    "--------------------\n");
    g_assert_cmpstr(quiet, ==, "");
}

static void
test_columns_count_cells_of_the_terminal(void)
{
    g_autoptr(GPtrArray) records = sample_records("\xe4\xb8\xad\xe6\x96\x87"
                                                  "e\xcc\x81");
    g_autofree char *quiet = ward_format_table(headings, records, TRUE);
    g_autoptr(GPtrArray) both = sample_records("fivec");
    g_autofree char *plain = ward_format_table(headings, both, TRUE);

    /* Two wide characters, one with a combining accent: five cells, so nothing is padded. */
    g_assert_cmpstr(quiet, ==,
                    " 1   \xe4\xb8\xad\xe6\x96\x87"
                    "e\xcc\x81   running\n");
    g_assert_cmpstr(plain, ==, " 1   fivec   running\n");
    g_ptr_array_add(both, g_ptr_array_steal_index(records, 0));
    g_clear_pointer(&quiet, g_free);
    quiet = ward_format_table(headings, both, TRUE);
    g_assert_cmpstr(quiet, ==,
                    " 1   fivec   running\n"
                    " 1   \xe4\xb8\xad\xe6\x96\x87"
                    "e\xcc\x81   running\n");
}

static void
assert_escape(const char *text, const char *expected)
{
    g_autofree char *escaped = ward_escape(text);

    g_assert_cmpstr(escaped, ==, expected);
}

static void
test_nothing_steers_the_terminal(void)
{
    assert_escape("plain \xc3\xa4", "plain \xc3\xa4");
    assert_escape("\x1b[31mred", "\\x1b[31mred");
    assert_escape("two\nlines\r", "two\\x0alines\\x0d");
    assert_escape("\xc2\x9b"
                  "31m",
                  "\\xc2\\x9b31m"); /* the one-character CSI */
    assert_escape("\xe2\x80\xae"
                  "drawkcab",
                  "\\xe2\\x80\\xaedrawkcab"); /* RIGHT-TO-LEFT OVERRIDE */
    assert_escape("\xff\xfe", "\\xff\\xfe");
    assert_escape("", "");
}

static void
test_fields_are_aligned(void)
{
    g_autoptr(WardRecord) record = ward_record_new();
    const char *const none[] = {NULL};
    const char *const two[] = {"cr", "pf", NULL};
    g_autofree char *text = NULL;

    ward_record_add_boolean(record, "simulated", NULL, TRUE);
    ward_record_add_string(record, "name", "Name", "alpha");
    ward_record_add_string(record, "reason", "Reason", "");
    ward_record_add_boolean(record, "attached", "Attached", TRUE);
    ward_record_add_names(record, "commands", "Commands", none);
    ward_record_add_names(record, "events", "Events that may", two);
    text = ward_format_fields(record);
    g_assert_cmpstr(text, ==,
                    "Name:            alpha\n"
                    "Reason:          -\n"
                    "Attached:        yes\n"
                    "Commands:        all\n"
                    "Events that may: cr pf\n");
}

static void
test_json_has_values_not_texts(void)
{
    g_autoptr(WardRecord) record = ward_record_new();
    g_autofree char *text = NULL;
    g_autofree char *compact = NULL;
    g_autoptr(JsonNode) node = NULL;
    g_autoptr(GError) error = NULL;
    JsonObject *object;

    ward_record_add_boolean(record, "simulated", NULL, FALSE);
    ward_record_add_string(record, "name", "Name", "a\"b\n\x1b");
    ward_record_add_size(record, "bytes", "Size", G_GUINT64_CONSTANT(1) << 40);
    ward_record_add_string(record, "reason", "Reason", "");
    text = ward_format_json(ward_record_to_variant(record), FALSE);
    compact = ward_format_json(ward_record_to_variant(record), TRUE);
    g_assert_null(strchr(compact, '\n'));
    node = json_from_string(text, &error);
    g_assert_no_error(error);
    object = json_node_get_object(node);
    g_assert_false(json_object_get_boolean_member(object, "simulated"));
    g_assert_cmpstr(json_object_get_string_member(object, "name"), ==, "a\"b\n\x1b");
    g_assert_cmpint(json_object_get_int_member(object, "bytes"), ==,
                    G_GINT64_CONSTANT(1099511627776));
    g_assert_cmpstr(json_object_get_string_member(object, "reason"), ==, "");
}

static void
assert_text(char *text, const char *expected)
{
    g_assert_cmpstr(text, ==, expected);
    g_free(text);
}

static void
test_sizes_and_times_have_units(void)
{
    assert_text(ward_format_size(0), "0 B");
    assert_text(ward_format_size(1023), "1023 B");
    assert_text(ward_format_size(1536), "1.500 KiB");
    assert_text(ward_format_size(G_GUINT64_CONSTANT(2) << 30), "2.000 GiB");
    assert_text(ward_format_size(G_MAXUINT64), "16.000 EiB");
    assert_text(ward_format_duration(1250000), "1.250 s");
    assert_text(ward_format_percent(1, 0), "-");
    assert_text(ward_format_percent(1, 2), "50 %");
    assert_text(ward_format_percent(9999, 10000), "99 %");
    assert_text(ward_format_percent(G_MAXUINT64 - 1, G_MAXUINT64), "99 %");
    assert_text(ward_format_percent(3, 2), "100 %");
}

static void
test_progress_is_a_bar(void)
{
    assert_text(ward_format_progress("Teardown", 0, 10),
                "Teardown: [                              ]   0 %");
    assert_text(ward_format_progress("Teardown", 5, 10),
                "Teardown: [===============               ]  50 %");
    assert_text(ward_format_progress("Teardown", 10, 10),
                "Teardown: [==============================] 100 %");
    assert_text(ward_format_progress("Teardown", 3, 0), "Teardown: under way, size unknown");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virsh-output/table", test_tables_are_virshs);
    g_test_add_func("/virsh-output/empty-table", test_tables_without_rows_have_headings);
    g_test_add_func("/virsh-output/width", test_columns_count_cells_of_the_terminal);
    g_test_add_func("/virsh-output/escape", test_nothing_steers_the_terminal);
    g_test_add_func("/virsh-output/fields", test_fields_are_aligned);
    g_test_add_func("/virsh-output/json", test_json_has_values_not_texts);
    g_test_add_func("/virsh-output/units", test_sizes_and_times_have_units);
    g_test_add_func("/virsh-output/progress", test_progress_is_a_bar);
    return g_test_run();
}
