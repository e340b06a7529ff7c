/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-hook.c: what libvirt's qemu hook does about every answer and missing answer of the daemon
 *
 * The daemon is a Host1 in this process, on a private bus.
 */
#include <string.h>

#include "test-hook-run.h"
#include "ward-dbus-error.h"
#include "ward-dbus-generated.h"
#include "ward-dbus-names.h"
#include "ward-error.h"
#include "ward-hook-client.h"
#include "ward-xml.h"

static const char *const deciding[] = {DECIDING};
static const char *const telling[] = {TELLING};

/* What the Host1 in this process does with RunHook. */
typedef enum {
    ANSWER_NOTHING_TO_SAY,
    ANSWER_WARNINGS,
    ANSWER_REFUSED,
    ANSWER_NO_CAPACITY,
    ANSWER_LATE, /* after the hook's limit */
    ANSWER_NEVER,
} Answer;

typedef struct {
    GTestDBus *bus;
    GDBusConnection *connection;
    WardDBusHost1 *host;
    guint name;
    Answer answer;
    guint n_calls;
    char *last_arguments; /* "DOMAIN OPERATION SUB-OPERATION" */
    char *last_xml;
    GPtrArray *unanswered; /* GDBusMethodInvocation */
} Fixture;

typedef struct {
    int status;
    GBytes *out;
    char *errors;
    gboolean done;
} Result;

/* the daemon's side */

static gboolean
answer_late(gpointer data)
{
    ward_dbus_host1_complete_run_hook(NULL, data, (const char *const[]){NULL});
    return G_SOURCE_REMOVE;
}

static gboolean
on_run_hook(WardDBusHost1 *host,
            GDBusMethodInvocation *invocation,
            const char *domain,
            const char *operation,
            const char *sub_operation,
            const char *xml,
            Fixture *fixture)
{
    static const char *const warnings[] = {"no teardown here", "nor isolation", NULL};

    fixture->n_calls++;
    g_free(fixture->last_arguments);
    fixture->last_arguments = g_strjoin(" ", domain, operation, sub_operation, NULL);
    g_free(fixture->last_xml);
    fixture->last_xml = g_strdup(xml);

    switch (fixture->answer) {
    case ANSWER_NOTHING_TO_SAY:
        ward_dbus_host1_complete_run_hook(host, invocation, warnings + 2);
        break;
    case ANSWER_WARNINGS:
        ward_dbus_host1_complete_run_hook(host, invocation, warnings);
        break;
    case ANSWER_REFUSED:
        g_dbus_method_invocation_return_error(invocation, WARD_ERROR, WARD_ERROR_REFUSED,
                                              "isolation cannot be had: no ASI");
        break;
    case ANSWER_NO_CAPACITY:
        g_dbus_method_invocation_return_error(invocation, WARD_ERROR, WARD_ERROR_NO_CAPACITY,
                                              "no key");
        break;
    case ANSWER_LATE:
        g_timeout_add(3 * LIMIT, answer_late, invocation);
        break;
    case ANSWER_NEVER:
        g_ptr_array_add(fixture->unanswered, invocation);
        break;
    }
    return TRUE;
}

static void
on_name_acquired(GDBusConnection *connection, const char *name, gpointer data)
{
    *(gboolean *)data = TRUE;
}

static void
set_up(Fixture *fixture, gconstpointer data)
{
    gboolean acquired = FALSE;

    ward_dbus_error_register();
    fixture->unanswered = g_ptr_array_new_with_free_func(g_object_unref);
    fixture->bus = g_test_dbus_new(G_TEST_DBUS_NONE);
    g_test_dbus_up(fixture->bus);
    fixture->connection =
        g_dbus_connection_new_for_address_sync(g_test_dbus_get_bus_address(fixture->bus),
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, NULL);
    g_assert_nonnull(fixture->connection);
    fixture->host = ward_dbus_host1_skeleton_new();
    g_signal_connect(fixture->host, "handle-run-hook", G_CALLBACK(on_run_hook), fixture);
    g_assert_true(g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(fixture->host),
                                                   fixture->connection, WARD_DBUS_PATH_HOST, NULL));
    fixture->name = g_bus_own_name_on_connection(fixture->connection, WARD_DBUS_NAME, 0,
                                                 on_name_acquired, NULL, &acquired, NULL);
    while (!acquired)
        g_main_context_iteration(NULL, TRUE);
}

static void
remove_daemon(Fixture *fixture)
{
    g_clear_handle_id(&fixture->name, g_bus_unown_name);
    g_dbus_connection_flush_sync(fixture->connection, NULL, NULL);
}

static void
tear_down(Fixture *fixture, gconstpointer data)
{
    g_ptr_array_unref(fixture->unanswered);
    remove_daemon(fixture);
    g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(fixture->host));
    g_object_unref(fixture->host);
    g_dbus_connection_close_sync(fixture->connection, NULL, NULL);
    g_object_unref(fixture->connection);
    g_test_dbus_down(fixture->bus);
    g_object_unref(fixture->bus);
    g_free(fixture->last_arguments);
    g_free(fixture->last_xml);
}

static HookResult
run_limited(Fixture *fixture, guint limit, const char *operation, const char *xml)
{
    g_autoptr(GBytes) input = g_bytes_new_static(xml, strlen(xml));

    return test_hook_run(g_test_dbus_get_bus_address(fixture->bus), limit, operation, input);
}

static HookResult
run(Fixture *fixture, const char *operation, const char *xml)
{
    return run_limited(fixture, PATIENCE, operation, xml);
}

/* the cases: a daemon that answers */

static void
test_daemon_is_told_everything(Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < G_N_ELEMENTS(deciding); i++) {
        g_auto(HookResult) result = run(fixture, deciding[i], REQUIRED);
        g_autofree char *expected = g_strdup_printf("vm %s begin", deciding[i]);

        g_assert_cmpint(result.status, ==, 0);
        g_assert_cmpstr(result.errors, ==, "");
        g_assert_cmpstr(fixture->last_arguments, ==, expected);
        g_assert_cmpstr(fixture->last_xml, ==, REQUIRED);
    }
    for (guint i = 0; i < G_N_ELEMENTS(telling); i++) {
        g_auto(HookResult) result = run(fixture, telling[i], REQUIRED);

        g_assert_cmpint(result.status, ==, 0);
        g_assert_cmpstr(result.errors, ==, "");
    }
    g_assert_cmpuint(fixture->n_calls, ==, 6);
}

static void
test_refusal_is_passed_on(Fixture *fixture, gconstpointer data)
{
    fixture->answer = ANSWER_REFUSED;
    for (guint i = 0; i < G_N_ELEMENTS(deciding); i++) {
        g_auto(HookResult) result = run(fixture, deciding[i], PREFERRED);

        g_assert_cmpint(result.status, ==, 1);
        assert_says(result, "isolation cannot be had: no ASI\n");
    }
}

static void
test_refusal_where_nothing_is_decided(Fixture *fixture, gconstpointer data)
{
    fixture->answer = ANSWER_REFUSED;
    for (guint i = 0; i < G_N_ELEMENTS(telling); i++) {
        g_auto(HookResult) result = run(fixture, telling[i], REQUIRED);

        g_assert_cmpint(result.status, ==, 0);
        assert_says(result, "isolation cannot be had: no ASI\n");
    }
}

static void
test_warnings_are_printed(Fixture *fixture, gconstpointer data)
{
    g_auto(HookResult) result = {0};

    fixture->answer = ANSWER_WARNINGS;
    result = run(fixture, "start", REQUIRED);
    g_assert_cmpint(result.status, ==, 0);
    assert_says(result,
                "warning: no teardown here\nvirtward: domain 'vm': warning: nor isolation\n");
}

/* An error that is no refusal is no answer either. */
static void
test_other_error(Fixture *fixture, gconstpointer data)
{
    g_auto(HookResult) required = {0};
    g_auto(HookResult) preferred = {0};

    fixture->answer = ANSWER_NO_CAPACITY;
    required = run(fixture, "start", REQUIRED);
    g_assert_cmpint(required.status, ==, 1);
    assert_says(required,
                "virtwardd does not answer (no key), and it requires trustdomain, isolation; ",
                ADVICE, "\n");
    preferred = run(fixture, "start", PREFERRED);
    g_assert_cmpint(preferred.status, ==, 0);
}

static void
test_invalid_protection_is_the_daemons_to_judge(Fixture *fixture, gconstpointer data)
{
    g_auto(HookResult) result = run(fixture, "prepare", INVALID);

    g_assert_cmpint(result.status, ==, 0);
    g_assert_cmpuint(fixture->n_calls, ==, 1);
}

static void
test_eight_mebibytes_reach_the_daemon(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GString) xml = g_string_new(REQUIRED);
    g_autofree char *spaces = g_strnfill(WARD_XML_MAX_SIZE - xml->len, ' ');
    g_auto(HookResult) result = {0};

    g_string_append(xml, spaces);
    g_assert_cmpuint(xml->len, ==, WARD_XML_MAX_SIZE);
    result = run(fixture, "start", xml->str);
    g_assert_cmpint(result.status, ==, 0);
    g_assert_cmpstr(fixture->last_xml, ==, xml->str);
}

/* the cases: no answer */

static void
assert_decides_alone(Fixture *fixture, guint limit, const char *why)
{
    for (guint i = 0; i < G_N_ELEMENTS(deciding); i++) {
        g_auto(HookResult) required = run_limited(fixture, limit, deciding[i], REQUIRED);
        g_auto(HookResult) preferred = run_limited(fixture, limit, deciding[i], PREFERRED);
        g_auto(HookResult) invalid = run_limited(fixture, limit, deciding[i], INVALID);

        g_assert_cmpint(required.status, ==, 1);
        assert_says(required, why, ", and it requires trustdomain, isolation; ", ADVICE, "\n");
        g_assert_cmpint(preferred.status, ==, 0);
        assert_says(preferred, "warning: ", why, ", so it goes on without teardown, isolation; ",
                    ADVICE, "\n");
        g_assert_cmpint(invalid.status, ==, 1);
        assert_says(
            invalid, why,
            ", and its protection is not valid: line 1: <ward:isolation>: attribute 'state' "
            "is 'maybe'; allowed: off, on; correct it with 'virsh edit', and ",
            ADVICE, "\n");
    }
    for (guint i = 0; i < G_N_ELEMENTS(telling); i++) {
        g_auto(HookResult) required = run_limited(fixture, limit, telling[i], REQUIRED);
        g_auto(HookResult) invalid = run_limited(fixture, limit, telling[i], INVALID);

        g_assert_cmpint(required.status, ==, 0);
        g_assert_cmpint(invalid.status, ==, 0);
    }
}

static void
test_absent_daemon(Fixture *fixture, gconstpointer data)
{
    remove_daemon(fixture);
    assert_decides_alone(fixture, PATIENCE,
                         "virtwardd does not answer (The name org.virtward was not provided by any "
                         ".service files)");
    g_assert_cmpuint(fixture->n_calls, ==, 0);
}

static void
test_hung_daemon(Fixture *fixture, gconstpointer data)
{
    fixture->answer = ANSWER_NEVER;
    assert_decides_alone(fixture, LIMIT, "virtwardd did not answer within 0.3 s");
    /* On a slow machine the time may be over before the call is made. */
    g_assert_cmpuint(fixture->n_calls, >, 0);
    g_assert_cmpuint(fixture->n_calls, <=, 15);
}

/* The time that a domain may wait for a key is the daemon's, on top of the limit. */
static void
test_wait_for_a_key_extends_the_limit(Fixture *fixture, gconstpointer data)
{
    g_auto(HookResult) start = {0};
    g_auto(HookResult) prepare = {0};

    fixture->answer = ANSWER_LATE;
    start = run_limited(fixture, LIMIT, "start", WAITING);
    g_assert_cmpstr(start.errors, ==, "");
    g_assert_cmpint(start.status, ==, 0);

    fixture->answer = ANSWER_NEVER;
    prepare = run_limited(fixture, LIMIT, "prepare", WAITING);
    g_assert_cmpint(prepare.status, ==, 1);
    assert_says(prepare, "virtwardd did not answer within 0.3 s, and it requires trustdomain; ",
                ADVICE, "\n");
}

static void
test_absent_bus(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GBytes) input = g_bytes_new_static(REQUIRED, strlen(REQUIRED));
    g_auto(HookResult) start =
        test_hook_run("unix:path=/nonexistent/bus", PATIENCE, "start", input);
    g_auto(HookResult) reconnect =
        test_hook_run("unix:path=/nonexistent/bus", PATIENCE, "reconnect", input);

    g_assert_cmpint(start.status, ==, 1);
    g_assert_nonnull(strstr(start.errors, "virtwardd does not answer (Could not connect: "));
    g_assert_cmpint(reconnect.status, ==, 0);
}

static void
test_bus_address(void)
{
    g_autofree char *root = ward_hook_bus_address(0, "/planted");
    g_autofree char *user = ward_hook_bus_address(1000, "/run/user/1000");
    g_autofree char *bare = ward_hook_bus_address(1000, NULL);
    g_autofree char *relative = ward_hook_bus_address(1000, "planted");
    g_autofree char *hostile = ward_hook_bus_address(1000, "/a,guid=0;tcp:host=b");

    g_assert_cmpstr(root, ==, "unix:path=/run/dbus/system_bus_socket");
    g_assert_cmpstr(user, ==, "unix:path=/run/user/1000/bus");
    g_assert_cmpstr(bare, ==, "unix:path=/run/user/1000/bus");
    g_assert_cmpstr(relative, ==, "unix:path=/run/user/1000/bus");
    g_assert_cmpstr(hostile, ==, "unix:path=/a%2Cguid%3D0%3Btcp%3Ahost%3Db/bus");
}

#define add(name, test) g_test_add("/hook/" name, Fixture, NULL, set_up, test_##test, tear_down)
int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("daemon-is-told-everything", daemon_is_told_everything);
    add("refusal-is-passed-on", refusal_is_passed_on);
    add("refusal-where-nothing-is-decided", refusal_where_nothing_is_decided);
    add("warnings-are-printed", warnings_are_printed);
    add("other-error", other_error);
    add("invalid-protection-is-the-daemons-to-judge", invalid_protection_is_the_daemons_to_judge);
    add("eight-mebibytes-reach-the-daemon", eight_mebibytes_reach_the_daemon);
    add("absent-daemon", absent_daemon);
    add("hung-daemon", hung_daemon);
    add("wait-for-a-key-extends-the-limit", wait_for_a_key_extends_the_limit);
    add("absent-bus", absent_bus);
    g_test_add_func("/hook/bus-address", test_bus_address);
    return g_test_run();
}
