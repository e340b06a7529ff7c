/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-kvmi-names.c: names of KVMI commands and events stand for the protocol's numbers
 */
#include "ward-kvmi-names.h"

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

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvmi-names/commands", test_commands);
    g_test_add_func("/kvmi-names/events", test_events);
    g_test_add_func("/kvmi-names/framing-is-no-command", test_framing_is_no_command);
    return g_test_run();
}
