/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-hook-input.c: what libvirt's qemu hook does with its input, before anybody is asked
 *
 * The bus is a socket that only listens, to see who comes.
 */
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <string.h>

#include "test-hook-run.h"
#include "ward-xml.h"

static const char *const deciding[] = {DECIDING};
static const char *const filters[] = {FILTERS};

typedef struct {
    char *directory;
    char *path;
    char *address;
    GSocket *socket;
} Listener;

static void
listener_set_up(Listener *listener, gconstpointer data)
{
    g_autoptr(GSocketAddress) address = NULL;

    listener->directory = g_dir_make_tmp("ward-hook-XXXXXX", NULL);
    listener->path = g_build_filename(listener->directory, "bus", NULL);
    listener->address = g_strconcat("unix:path=", listener->path, NULL);
    listener->socket =
        g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);
    address = g_unix_socket_address_new(listener->path);
    g_assert_true(g_socket_bind(listener->socket, address, FALSE, NULL));
    g_assert_true(g_socket_listen(listener->socket, NULL));
    g_socket_set_blocking(listener->socket, FALSE);
}

static void
listener_tear_down(Listener *listener, gconstpointer data)
{
    g_object_unref(listener->socket);
    g_unlink(listener->path);
    g_rmdir(listener->directory);
    g_free(listener->directory);
    g_free(listener->path);
    g_free(listener->address);
}

static gboolean
somebody_came(Listener *listener)
{
    g_autoptr(GSocket) connection = g_socket_accept(listener->socket, NULL, NULL);

    return connection != NULL;
}

static HookResult
run_listened(Listener *listener, const char *operation, const char *xml, gsize length)
{
    g_autoptr(GBytes) input = g_bytes_new(xml, length);

    return test_hook_run(listener->address, LIMIT, operation, input);
}

static void
test_plain_domain_makes_no_connection(Listener *listener, gconstpointer data)
{
    static const char *const domains[] = {
        PLAIN,
        "",
        "not XML at all",
        DOMAIN("<w:protection xmlns:w='http://virtward.org/schemas/other/1.0'/>"),
    };

    for (guint i = 0; i < G_N_ELEMENTS(domains); i++) {
        for (guint j = 0; j < G_N_ELEMENTS(deciding); j++) {
            g_auto(HookResult) result =
                run_listened(listener, deciding[j], domains[i], strlen(domains[i]));

            g_assert_cmpint(result.status, ==, 0);
            g_assert_cmpstr(result.errors, ==, "");
            g_assert_false(somebody_came(listener));
        }
    }
}

/* The other half of the case above, and a bus that hangs. */
static void
test_hung_bus(Listener *listener, gconstpointer data)
{
    g_auto(HookResult) result = run_listened(listener, "start", REQUIRED, strlen(REQUIRED));

    g_assert_true(somebody_came(listener));
    g_assert_cmpint(result.status, ==, 1);
    assert_says(result,
                "virtwardd did not answer within 0.3 s, and it requires trustdomain, isolation; ",
                ADVICE, "\n");
}

static void
test_unknown_version_is_not_plain(Listener *listener, gconstpointer data)
{
    static const char xml[] =
        DOMAIN("<w:protection xmlns:w='http://virtward.org/schemas/domain/2.0'/>");
    g_auto(HookResult) result = run_listened(listener, "start", xml, strlen(xml));

    g_assert_cmpint(result.status, ==, 1);
    g_assert_nonnull(strstr(result.errors, "unknown namespace version"));
}

static void
test_other_operations_make_no_connection(Listener *listener, gconstpointer data)
{
    static const char *const operations[] = {"attach", "shutdown", "", "Start", "startedx"};

    for (guint i = 0; i < G_N_ELEMENTS(operations); i++) {
        g_auto(HookResult) result =
            run_listened(listener, operations[i], REQUIRED, strlen(REQUIRED));

        g_assert_cmpint(result.status, ==, 0);
        g_assert_cmpuint(g_bytes_get_size(result.out), ==, 0);
        g_assert_false(somebody_came(listener));
    }
}

static void
test_filters_pass_everything_through(Listener *listener, gconstpointer data)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    g_autofree char *large = g_malloc(2 * WARD_XML_MAX_SIZE + 7);
    const struct {
        const char *text;
        gsize length;
    } inputs[] = {
        {REQUIRED, strlen(REQUIRED)}, {INVALID, strlen(INVALID)},         {"", 0},
        {"\0\xff<domain\0", 10},      {large, 2 * WARD_XML_MAX_SIZE + 7},
    };

    for (gsize i = 0; i < 2 * WARD_XML_MAX_SIZE + 7; i++)
        large[i] = g_rand_int(random);
    for (guint i = 0; i < G_N_ELEMENTS(inputs); i++) {
        for (guint j = 0; j < G_N_ELEMENTS(filters); j++) {
            g_auto(HookResult) result =
                run_listened(listener, filters[j], inputs[i].text, inputs[i].length);

            g_assert_cmpint(result.status, ==, 0);
            g_assert_cmpstr(result.errors, ==, "");
            g_assert_cmpmem(g_bytes_get_data(result.out, NULL), g_bytes_get_size(result.out),
                            inputs[i].text, inputs[i].length);
            g_assert_false(somebody_came(listener));
        }
    }
}

/* Far beyond the limit, with our namespace at @position or, when negative, nowhere. */
static HookResult
run_too_large(Listener *listener, const char *operation, gssize position)
{
    gsize length = 3 * (WARD_XML_MAX_SIZE + 1);
    g_autofree char *xml = g_strnfill(length, ' ');

    if (position >= 0)
        memcpy(xml + position, WARD_XML_NAMESPACE_STEM, strlen(WARD_XML_NAMESPACE_STEM));
    return run_listened(listener, operation, xml, length);
}

static void
test_too_large(Listener *listener, gconstpointer data)
{
    static const gssize positions[] = {
        0,
        WARD_XML_MAX_SIZE - 10, /* across the end of what is kept */
        2 * WARD_XML_MAX_SIZE,
        3 * (WARD_XML_MAX_SIZE + 1) - (gssize)strlen(WARD_XML_NAMESPACE_STEM),
    };
    g_auto(HookResult) plain = run_too_large(listener, "start", -1);
    g_auto(HookResult) reconnect = run_too_large(listener, "reconnect", 0);

    g_assert_cmpint(plain.status, ==, 0);
    g_assert_cmpstr(plain.errors, ==, "");
    g_assert_cmpint(reconnect.status, ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(positions); i++) {
        g_auto(HookResult) result = run_too_large(listener, "start", positions[i]);

        g_assert_cmpint(result.status, ==, 1);
        assert_says(result,
                    "its XML is larger than 8 MiB; make it smaller, or remove its protection\n");
    }
    g_assert_false(somebody_came(listener));
}

static void
test_garbage_with_our_namespace(Listener *listener, gconstpointer data)
{
    static const struct {
        const char *text;
        gsize length;
        const char *why;
    } inputs[] = {
        {"<domain " NS, 0,
         "line 1: the XML is not well-formed: Specification mandates value for attribute http:"},
        {NS, 0, "line 1: the XML is not well-formed: Start tag expected, '<' not found"},
        {"<!--" NS "--><network/>", 0,
         "line 1: <network>: unknown root element; allowed: <domain>"},
        {NS "\0", sizeof(NS), "line 1: the XML contains a NUL byte; allowed: UTF-8 text"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(inputs); i++) {
        gsize length = inputs[i].length > 0 ? inputs[i].length : strlen(inputs[i].text);
        g_auto(HookResult) start = run_listened(listener, "start", inputs[i].text, length);
        g_auto(HookResult) reconnect = run_listened(listener, "reconnect", inputs[i].text, length);

        g_assert_cmpint(start.status, ==, 1);
        assert_says(start, "its XML is not valid: ", inputs[i].why,
                    "; correct it with 'virsh edit'\n");
        g_assert_cmpint(reconnect.status, ==, 0);
    }
}

/* libvirt that never closes our stdin, and a first stage whose limit for that is one second. */
static void
test_input_that_never_ends(Listener *listener, gconstpointer data)
{
    static const struct {
        const char *operation;
        int status;
    } cases[] = {{"start", 1}, {"reconnect", 0}, {"migrate", 0}, {"attach", 0}};
    g_autofree char *program = g_test_build_filename(G_TEST_BUILT, "test-hook-impatient", NULL);

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GSubprocess) process = g_subprocess_new(
            G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE, NULL, program, "vm",
            cases[i].operation, "begin", "-", listener->address, "300", NULL);

        g_assert_true(g_subprocess_wait(process, NULL, NULL));
        g_assert_true(g_subprocess_get_if_exited(process));
        g_assert_cmpint(g_subprocess_get_exit_status(process), ==, cases[i].status);
    }
}

#define add(name, test)                                                                            \
    g_test_add("/hook-input/" name, Listener, NULL, listener_set_up, test_##test,                  \
               listener_tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("plain-domain-makes-no-connection", plain_domain_makes_no_connection);
    add("hung-bus", hung_bus);
    add("unknown-version-is-not-plain", unknown_version_is_not_plain);
    add("other-operations-make-no-connection", other_operations_make_no_connection);
    add("filters-pass-everything-through", filters_pass_everything_through);
    add("too-large", too_large);
    add("garbage-with-our-namespace", garbage_with_our_namespace);
    add("input-that-never-ends", input_that_never_ends);
    return g_test_run();
}
