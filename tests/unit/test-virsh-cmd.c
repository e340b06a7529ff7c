/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-virsh-cmd.c: options of a command, as virsh parses and describes them
 */
#include <glib.h>
#include <string.h>

#include "ward-cmd.h"
#include "ward-error.h"
#include "ward-shell.h"

static const WardOptDef options[] = {
    {"domain", WARD_OPT_STRING, WARD_OPT_REQUIRED, "the domain"},
    {"file", WARD_OPT_STRING, 0, "a file"},
    {"xml", WARD_OPT_STRING, WARD_OPT_NAMED, "the text"},
    {"timeout", WARD_OPT_INT, 0, "seconds"},
    {"live", WARD_OPT_BOOL, 0, "affect running domain"},
    {NULL},
};

static const WardCmdDef sample = {"sample", NULL,    options,
                                  0,        "do it", "Does it, as far as it can be done."};

/* Words are separated by one blank; NULL in @message: it has to succeed. */
static WardCmd *
parse(const char *text, const char *message)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    g_autoptr(GError) error = NULL;
    WardCmd *cmd = ward_cmd_parse(&sample, (const char *const *)words, &error);

    if (!message) {
        g_assert_no_error(error);
        g_assert_nonnull(cmd);
    } else {
        g_assert_null(cmd);
        g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT);
        g_assert_cmpstr(error->message, ==, message);
    }
    return cmd;
}

static void
assert_fails(const char *text, const char *message)
{
    parse(text, message);
}

static void
test_positions_fill_options_in_order(void)
{
    g_autoptr(WardCmd) cmd = parse("alpha f.xml --live 30", NULL);

    g_assert_cmpstr(ward_cmd_get_string(cmd, "domain"), ==, "alpha");
    g_assert_cmpstr(ward_cmd_get_string(cmd, "file"), ==, "f.xml");
    g_assert_cmpstr(ward_cmd_get_string(cmd, "timeout"), ==, "30");
    g_assert_true(ward_cmd_has(cmd, "live"));
    g_assert_false(ward_cmd_has(cmd, "xml"));
}

static void
test_named_options_leave_positions_to_others(void)
{
    g_autoptr(WardCmd) cmd = parse("--file=f.xml --xml <x=\"1\"/> alpha", NULL);

    g_assert_cmpstr(ward_cmd_get_string(cmd, "domain"), ==, "alpha");
    g_assert_cmpstr(ward_cmd_get_string(cmd, "file"), ==, "f.xml");
    g_assert_cmpstr(ward_cmd_get_string(cmd, "xml"), ==, "<x=\"1\"/>");
}

static void
test_nothing_is_an_option_after_two_hyphens(void)
{
    g_autoptr(WardCmd) cmd = parse("-- --live", NULL);

    g_assert_cmpstr(ward_cmd_get_string(cmd, "domain"), ==, "--live");
    g_assert_false(ward_cmd_has(cmd, "live"));
}

static void
test_mistakes_are_told_in_virshs_words(void)
{
    assert_fails("alpha --nosuch", "command 'sample' doesn't support option --nosuch");
    assert_fails("alpha --nosuch=1", "command 'sample' doesn't support option --nosuch");
    assert_fails("alpha --live=1", "invalid '=' after option --live");
    assert_fails("alpha --file", "expected syntax: --file <string>");
    assert_fails("alpha --timeout", "expected syntax: --timeout <number>");
    assert_fails("alpha --live --live", "option --live already seen");
    assert_fails("--domain alpha --domain beta", "option --domain already seen");
    assert_fails("alpha f 3 x", "unexpected data 'x'");
    assert_fails("alpha f 3 -h", "unexpected data '-h'");
    assert_fails("--live", "command 'sample' requires <domain> option");
    assert_fails("--domain=", "Failed to get option 'domain': Option argument is empty");
}

static void
test_text_that_is_not_utf8_is_refused(void)
{
    assert_fails("al\xffpha", "an argument of command 'sample' is not UTF-8");
}

static void
test_help_needs_no_other_option(void)
{
    g_autoptr(WardCmd) cmd = parse("--help", NULL);

    g_assert_true(cmd->help);
}

static void
assert_number_fails(const char *words)
{
    g_autoptr(WardCmd) cmd = parse(words, NULL);
    g_autoptr(GError) error = NULL;
    guint value = 7;

    g_assert_false(ward_cmd_get_uint(cmd, "timeout", 1, 100, &value, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT);
    g_assert_nonnull(strstr(error->message, "<timeout>"));
    g_assert_cmpuint(value, ==, 7);
}

static void
test_numbers_are_checked_against_their_range(void)
{
    g_autoptr(WardCmd) cmd = parse("alpha --timeout 100", NULL);
    g_autoptr(WardCmd) without = parse("alpha", NULL);
    guint value = 7;

    g_assert_true(ward_cmd_get_uint(without, "timeout", 1, 100, &value, NULL));
    g_assert_cmpuint(value, ==, 7);
    g_assert_true(ward_cmd_get_uint(cmd, "timeout", 1, 100, &value, NULL));
    g_assert_cmpuint(value, ==, 100);
    assert_number_fails("alpha --timeout 101");
    assert_number_fails("alpha --timeout 0");
    assert_number_fails("alpha --timeout -1");
    assert_number_fails("alpha --timeout 1x");
    assert_number_fails("alpha --timeout 18446744073709551617");
}

static void
test_exclusive_options_exclude_each_other(void)
{
    g_autoptr(WardCmd) both = parse("alpha --file f --live", NULL);
    g_autoptr(WardCmd) one = parse("alpha --file f", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(ward_cmd_exclusive(one, "file", "live", NULL));
    g_assert_false(ward_cmd_exclusive(both, "file", "live", &error));
    g_assert_cmpstr(error->message, ==, "Options --file and --live are mutually exclusive");
}

static void
test_help_is_made_of_the_table(void)
{
    g_autofree char *help = ward_cmd_format_help(&sample);

    g_assert_cmpstr(help, ==,
                    "  NAME\n"
                    "    sample - do it\n"
                    "\n"
                    "  SYNOPSIS\n"
                    "    sample <domain> [--file <string>] [--xml <string>] [--timeout <number>] "
                    "[--live]\n"
                    "\n"
                    "  DESCRIPTION\n"
                    "    Does it, as far as it can be done.\n"
                    "\n"
                    "  OPTIONS\n"
                    "    [--domain] <string>     the domain\n"
                    "    --file <string>         a file\n"
                    "    --xml <string>          the text\n"
                    "    --timeout <number>      seconds\n"
                    "    --live                  affect running domain\n");
}

static const char *
next_value(const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    const WardOptDef *option =
        ward_cmd_find_next_value(&sample, (const char *const *)(text[0] ? words : words + 1));

    return option ? option->name : "nothing";
}

static void
test_completion_knows_which_value_comes_next(void)
{
    g_assert_cmpstr(next_value("--live"), ==, "domain");
    g_assert_cmpstr(next_value("alpha"), ==, "file");
    g_assert_cmpstr(next_value("alpha --timeout"), ==, "timeout");
    g_assert_cmpstr(next_value("alpha --timeout 3"), ==, "file");
    g_assert_cmpstr(next_value("--domain=alpha"), ==, "file");
    g_assert_cmpstr(next_value("alpha f 3"), ==, "nothing");
    g_assert_cmpstr(next_value("--xml"), ==, "xml");
}

/* What every command owes its users, whoever adds one. */
static void
test_every_command_is_described(void)
{
    for (guint i = 0; ward_shell_groups[i]; i++) {
        for (const WardCmdDef *def = ward_shell_groups[i]->commands; def->name; def++) {
            g_test_message("%s", def->name);
            g_assert_true(ward_shell_find_command(def->name) == def);
            g_assert_nonnull(def->run);
            g_assert_cmpuint(strlen(def->help), >, 3);
            g_assert_true(g_str_has_suffix(def->description, "."));
            for (const WardOptDef *option = def->options; option->name; option++)
                g_assert_cmpuint(strlen(option->help), >, 3);
        }
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virsh-cmd/positions", test_positions_fill_options_in_order);
    g_test_add_func("/virsh-cmd/named", test_named_options_leave_positions_to_others);
    g_test_add_func("/virsh-cmd/two-hyphens", test_nothing_is_an_option_after_two_hyphens);
    g_test_add_func("/virsh-cmd/mistakes", test_mistakes_are_told_in_virshs_words);
    g_test_add_func("/virsh-cmd/not-utf8", test_text_that_is_not_utf8_is_refused);
    g_test_add_func("/virsh-cmd/help-option", test_help_needs_no_other_option);
    g_test_add_func("/virsh-cmd/numbers", test_numbers_are_checked_against_their_range);
    g_test_add_func("/virsh-cmd/exclusive", test_exclusive_options_exclude_each_other);
    g_test_add_func("/virsh-cmd/help", test_help_is_made_of_the_table);
    g_test_add_func("/virsh-cmd/next-value", test_completion_knows_which_value_comes_next);
    g_test_add_func("/virsh-cmd/described", test_every_command_is_described);
    return g_test_run();
}
