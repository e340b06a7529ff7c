/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-virsh-statement.c: command strings, taken apart as virsh does
 *
 * What is expected here was seen of virsh 9.0 with "echo".
 */
#include <glib.h>

#include "ward-error.h"
#include "ward-shell.h"
#include "ward-statement.h"

/* "a|b/c": commands are separated by "/", words by "|". */
static char *
join(GPtrArray *statements)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < statements->len; i++) {
        const WardStatement *statement = statements->pdata[i];
        g_autofree char *words = g_strjoinv("|", statement->words);

        g_string_append_printf(text, "%s%s", i ? "/" : "", words);
    }
    return g_string_free(text, FALSE);
}

static void
assert_split(const char *text, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) statements = ward_statement_split(text, &error);
    g_autofree char *joined = NULL;

    g_assert_no_error(error);
    joined = join(statements);
    g_assert_cmpstr(joined, ==, expected);
}

static void
assert_split_fails(const char *text, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(ward_statement_split(text, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT);
    g_assert_cmpstr(error->message, ==, message);
}

static void
test_commands_are_separated(void)
{
    assert_split("list --all", "list|--all");
    assert_split("list;nodeinfo", "list/nodeinfo");
    assert_split("  list\t--all ;\n nodeinfo\n", "list|--all/nodeinfo");
    assert_split(";;echo a;;", "echo|a");
    assert_split("", "");
    assert_split(" \n;", "");
}

static void
test_quotes_and_backslashes_are_virshs(void)
{
    assert_split("echo \"a;b\"", "echo|a;b");
    assert_split("echo 'a b' c\\ d", "echo|a b|c d");
    assert_split("echo \"a\\\"b\\c\" 'x\\y'", "echo|a\"bc|x\\y");
    assert_split("echo a\"b\"c'd'", "echo|abcd");
    assert_split("echo \"\" x", "echo||x");
    assert_split("echo \"a\nb\"", "echo|a\nb");
    assert_split("echo 'abc", "echo|abc");
    assert_split("echo a\\;b", "echo|a;b");
}

static void
test_comments_begin_words(void)
{
    assert_split("echo a#b #c; echo d", "echo|a#b");
    assert_split("# only this\nlist # and this\nuri", "list/uri");
}

static void
test_open_ends_are_mistakes(void)
{
    assert_split_fails("echo \"abc", "missing \"");
    assert_split_fails("echo abc\\", "dangling \\");
    assert_split_fails("list; echo \"", "missing \"");
}

static void
test_a_command_knows_its_place(void)
{
    static const char text[] = "list ; echo 'a b'  # x\nuri";
    g_autoptr(GPtrArray) statements = ward_statement_split(text, NULL);
    static const char *const expected[] = {"list", "echo 'a b'", "uri"};

    g_assert_cmpuint(statements->len, ==, G_N_ELEMENTS(expected));
    for (guint i = 0; i < statements->len; i++) {
        const WardStatement *statement = statements->pdata[i];
        g_autofree char *part =
            g_strndup(text + statement->start, statement->end - statement->start);

        g_assert_cmpstr(part, ==, expected[i]);
    }
}

static void
assert_partial(const char *text, const char *expected)
{
    g_auto(GStrv) words = ward_statement_split_partial(text);
    g_autofree char *joined = g_strjoinv("|", words);

    g_assert_cmpstr(joined, ==, expected);
}

static void
test_completion_sees_the_last_word(void)
{
    assert_partial("", "");
    assert_partial("prot", "prot");
    assert_partial("protection-info ", "protection-info|");
    assert_partial("list; protection-info al", "protection-info|al");
    assert_partial("list;", "");
    assert_partial("protection-info 'a b", "protection-info|a b");
    assert_partial("protection-info \"a ", "protection-info|a ");
    assert_partial("protection-info a\\ ", "protection-info|a ");
}

static void
test_strings_go_to_virsh_unless_a_command_is_ours(void)
{
    g_assert_true(ward_shell_is_for_virsh("list --all; nodeinfo"));
    g_assert_true(ward_shell_is_for_virsh("cd /; connect; exit"));
    g_assert_true(ward_shell_is_for_virsh("echo protection-list"));
    g_assert_true(ward_shell_is_for_virsh("list \"open"));
    g_assert_true(ward_shell_is_for_virsh(""));
    g_assert_false(ward_shell_is_for_virsh("protection-list"));
    g_assert_false(ward_shell_is_for_virsh("list; protection-list --all"));
    g_assert_false(ward_shell_is_for_virsh("help"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virsh-statement/separated", test_commands_are_separated);
    g_test_add_func("/virsh-statement/quotes", test_quotes_and_backslashes_are_virshs);
    g_test_add_func("/virsh-statement/comments", test_comments_begin_words);
    g_test_add_func("/virsh-statement/open-ends", test_open_ends_are_mistakes);
    g_test_add_func("/virsh-statement/place", test_a_command_knows_its_place);
    g_test_add_func("/virsh-statement/partial", test_completion_sees_the_last_word);
    g_test_add_func("/virsh-statement/for-virsh",
                    test_strings_go_to_virsh_unless_a_command_is_ours);
    return g_test_run();
}
