/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-kvmi-names.c: names of KVMI commands and events stand for the protocol's numbers
 */
#include "ward-kvmi-names.h"

#include <string.h>

#define KERNEL_HEADER "kernel/introspection/files/include/uapi/linux/kvmi.h"
#define MAN_PAGE "docs/virtward-domain.rst"

static char *
read_source(const char *name)
{
    const char *root = g_getenv("WARD_SOURCE_ROOT");
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    char *text = NULL;

    g_assert_nonnull(root);
    path = g_build_filename(root, name, NULL);
    g_file_get_contents(path, &text, NULL, &error);
    g_assert_no_error(error);
    return text;
}

static void
check_table(const WardKvmiName *names, int (*from_name)(const char *))
{
    for (const WardKvmiName *n = names; n->name != NULL; n++) {
        g_assert_true(g_regex_match_simple("^[a-z]+(-[a-z]+)*$", n->name, 0, 0));
        g_assert_cmpint(from_name(n->name), ==, n->id);
        /* Numbers grow, so none is there twice. */
        if (n != names)
            g_assert_cmpuint(n->id, >, n[-1].id);
    }
    g_assert_cmpint(from_name("no-such-name"), ==, -1);
    g_assert_cmpint(from_name(""), ==, -1);
    g_assert_cmpint(from_name(NULL), ==, -1);
}

static void
test_commands(void)
{
    check_table(ward_kvmi_commands, ward_kvmi_command_from_name);
    g_assert_cmpint(ward_kvmi_command_from_name("get-version"), ==, 2);
    g_assert_cmpint(ward_kvmi_command_from_name("control-events"), ==, 9);
    g_assert_cmpint(ward_kvmi_command_from_name("write-physical"), ==, 18);
    g_assert_cmpint(ward_kvmi_command_from_name("control-cmd-response"), ==, 27);
    g_assert_cmpint(ward_kvmi_command_from_name("vcpu-control-singlestep"), ==, 63);
}

static void
test_events(void)
{
    check_table(ward_kvmi_events, ward_kvmi_event_from_name);
    g_assert_cmpint(ward_kvmi_event_from_name("unhook"), ==, 0);
    g_assert_cmpint(ward_kvmi_event_from_name("pf"), ==, 6);
    g_assert_cmpint(ward_kvmi_event_from_name("cpuid"), ==, 13);
}

static void
test_framing_is_no_command(void)
{
    g_assert_cmpint(ward_kvmi_command_from_name("event"), ==, -1);
    g_assert_cmpint(ward_kvmi_command_from_name("event-reply"), ==, -1);
}

/* All but framing, and what is Intel's alone or about views. */
static void
test_protocol_is_covered(void)
{
    static const guint commands[] = {2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 13, 14, 15, 16, 17, 18,
                                     19, 20, 21, 22, 23, 27, 29, 31, 35, 37, 38, 39, 41, 42, 63};
    static const guint events[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13};
    gboolean known[2][64] = {0};

    for (const WardKvmiName *n = ward_kvmi_commands; n->name; n++)
        known[0][n->id] = TRUE;
    for (const WardKvmiName *n = ward_kvmi_events; n->name; n++)
        known[1][n->id] = TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
        g_assert_true(known[0][commands[i]]);
    for (gsize i = 0; i < G_N_ELEMENTS(events); i++)
        g_assert_true(known[1][events[i]]);
}

/* The body of the enum in the kernel's @header that ends with @last. */
static char *
find_enum(const char *header, const char *last)
{
    const char *end = strstr(header, last);
    const char *start;

    g_assert_nonnull(end);
    start = g_strrstr_len(header, end - header, "enum {");
    g_assert_nonnull(start);
    return g_strndup(start, end - start);
}

/* Every constant there is PREFIX_SOME_NAME, and stands for the number of "some-name" here. */
static guint
check_enum(const char *body, const char *prefix, int (*from_name)(const char *))
{
    g_autofree char *pattern = g_strdup_printf("^\\s*%s([A-Z0-9_]+)\\s*=\\s*(\\d+),", prefix);
    g_autoptr(GRegex) regex = g_regex_new(pattern, G_REGEX_MULTILINE, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    guint n = 0;

    g_regex_match(regex, body, 0, &match);
    for (; g_match_info_matches(match); g_match_info_next(match, NULL), n++) {
        g_autofree char *constant = g_match_info_fetch(match, 1);
        g_autofree char *number = g_match_info_fetch(match, 2);
        g_autofree char *name = g_ascii_strdown(constant, -1);

        g_strdelimit(name, "_", '-');
        if (from_name(name) != atoi(number))
            g_error("%s is %s for the kernel, and \"%s\" is %d here", constant, number, name,
                    from_name(name));
    }
    return n;
}

static void
test_kernel_has_the_same_numbers(void)
{
    g_autofree char *header = read_source(KERNEL_HEADER);
    g_autofree char *commands = find_enum(header, "KVMI_NUM_COMMANDS");
    g_autofree char *events = find_enum(header, "KVMI_NUM_EVENTS");

    /* As far as the kernel has them; the first release had so many. */
    g_assert_cmpuint(
        check_enum(commands, "KVMI_(?!EVENT\\b|EVENT_REPLY\\b)", ward_kvmi_command_from_name), >=,
        18);
    g_assert_cmpuint(check_enum(events, "KVMI_EVENT_", ward_kvmi_event_from_name), >=, 2);
}

static void
check_page(const char *section, const WardKvmiName *names)
{
    g_auto(GStrv) words = g_regex_split_simple("\\s+", section, 0, 0);
    guint n = 0;

    for (const WardKvmiName *name = names; name->name; name++, n++) {
        if (!g_strv_contains((const char *const *)words, name->name))
            g_error("\"%s\" is not in " MAN_PAGE, name->name);
    }
    /* Splitting leaves an empty word at either end. */
    g_assert_cmpuint(g_strv_length(words), ==, n + 2);
}

static void
test_man_page_lists_them(void)
{
    static const char *const starts[] = {"\nCommands are named as in the KVMI protocol::\n",
                                         "\nEvents::\n"};
    static const WardKvmiName *const tables[] = {ward_kvmi_commands, ward_kvmi_events};
    g_autofree char *page = read_source(MAN_PAGE);

    for (gsize i = 0; i < G_N_ELEMENTS(starts); i++) {
        const char *start = strstr(page, starts[i]);
        const char *end;
        g_autofree char *section = NULL;

        g_assert_nonnull(start);
        start += strlen(starts[i]);
        /* To the line that is not indented. */
        end = strstr(start + 1, "\n\n");
        g_assert_nonnull(end);
        section = g_strndup(start, end + 1 - start);
        check_page(section, tables[i]);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvmi-names/commands", test_commands);
    g_test_add_func("/kvmi-names/events", test_events);
    g_test_add_func("/kvmi-names/framing-is-no-command", test_framing_is_no_command);
    g_test_add_func("/kvmi-names/protocol", test_protocol_is_covered);
    g_test_add_func("/kvmi-names/kernel", test_kernel_has_the_same_numbers);
    g_test_add_func("/kvmi-names/man-page", test_man_page_lists_them);
    return g_test_run();
}
