/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-virsh-uri.c: which libvirt is meant, which bus its daemon is on, and sockets of tools
 */
#include <gio/gio.h>

#include "ward-error.h"
#include "ward-socket.h"
#include "ward-uri.h"
#include "ward-xml.h"

static void
test_virshs_order_of_uris(void)
{
    g_unsetenv("VIRSH_DEFAULT_CONNECT_URI");
    g_unsetenv("LIBVIRT_DEFAULT_URI");
    g_assert_null(ward_uri_named(NULL));
    g_assert_null(ward_uri_named(""));
    g_setenv("LIBVIRT_DEFAULT_URI", "test:///l", TRUE);
    g_assert_cmpstr(ward_uri_named(NULL), ==, "test:///l");
    g_setenv("VIRSH_DEFAULT_CONNECT_URI", "test:///v", TRUE);
    g_assert_cmpstr(ward_uri_named(NULL), ==, "test:///v");
    g_assert_cmpstr(ward_uri_named("test:///c"), ==, "test:///c");
    g_setenv("VIRSH_DEFAULT_CONNECT_URI", "", TRUE);
    g_assert_cmpstr(ward_uri_named(NULL), ==, "test:///l");
}

static void
test_uris_that_mean_the_same(void)
{
    g_assert_true(ward_uri_equal("qemu:///system", "qemu:///system"));
    g_assert_true(ward_uri_equal("qemu+unix:///system", "qemu:///system/"));
    g_assert_true(ward_uri_equal("test:///", "test:///"));
    g_assert_false(ward_uri_equal("qemu:///system", "qemu:///session"));
    g_assert_false(ward_uri_equal("qemu+ssh://host/system", "qemu:///system"));
    g_assert_false(ward_uri_equal("qemu+unix:///system?socket=/run/x", "qemu:///system"));
}

static void
test_the_bus_follows_the_uri(void)
{
    g_assert_cmpint(ward_uri_choose_bus(NULL, 0), ==, G_BUS_TYPE_SYSTEM);
    g_assert_cmpint(ward_uri_choose_bus("qemu:///session", 0), ==, G_BUS_TYPE_SYSTEM);
    g_assert_cmpint(ward_uri_choose_bus("qemu:///system", 1000), ==, G_BUS_TYPE_SYSTEM);
    g_assert_cmpint(ward_uri_choose_bus("qemu:///session", 1000), ==, G_BUS_TYPE_SESSION);
    g_assert_cmpint(ward_uri_choose_bus("test:///default", 1000), ==, G_BUS_TYPE_SESSION);
    g_assert_cmpint(ward_uri_choose_bus(NULL, 1000), ==, G_BUS_TYPE_SESSION);
    g_assert_cmpint(ward_uri_choose_bus(":not a uri", 1000), ==, G_BUS_TYPE_SESSION);
}

static void
assert_socket(const char *text)
{
    g_auto(WardSocket) socket = {0};
    g_autoptr(GError) error = NULL;
    g_autofree char *back = NULL;

    ward_socket_parse(text, &socket, &error);
    g_assert_no_error(error);
    back = ward_socket_to_string(&socket);
    g_assert_cmpstr(back, ==, text);
}

static void
assert_no_socket(const char *text)
{
    g_auto(WardSocket) socket = {0};
    g_autoptr(GError) error = NULL;

    g_assert_false(ward_socket_parse(text, &socket, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT);
}

static void
test_sockets_have_two_forms(void)
{
    assert_socket("unix:/run/tool.sock");
    assert_socket("unix:/run/a:b");
    assert_socket("vsock:3:1234");
    assert_no_socket("");
    assert_no_socket("/run/tool.sock");
    assert_no_socket("unix:");
    assert_no_socket("unix:relative");
    assert_no_socket("vsock:3");
    assert_no_socket("vsock:3:4:5");
    assert_no_socket("vsock:x:4");
    assert_no_socket("vsock:4294967296:4");
    assert_no_socket("tcp:host:4");
}

static const char with_much[] =
    "<ward:protection xmlns:ward=\"" WARD_XML_NAMESPACE "\">"
    "<ward:teardown/>"
    "<ward:introspection enforcement=\"preferred\" onDisconnect=\"pause\">"
    "<ward:socket type=\"vsock\" cid=\"3\" port=\"1\"/>"
    "<ward:authentication secret=\"3b5f1d2a-0c44-4d0e-9b7e-6a2f1c9d8e70\"/>"
    "<ward:allow command=\"get-registers\"/><ward:allow event=\"cr\"/>"
    "</ward:introspection></ward:protection>";

static void
test_another_socket_leaves_the_rest_of_introspection(void)
{
    WardSocket socket = {.type = WARD_SOCKET_UNIX, .path = (char *)"/run/\"<&.sock"};
    g_autoptr(GError) error = NULL;
    g_autofree char *xml = ward_socket_put(with_much, &socket, &error);
    g_autoptr(WardSettings) settings = NULL;

    g_assert_no_error(error);
    settings = ward_settings_parse(xml, -1, &error);
    g_assert_no_error(error);
    g_assert_null(settings->teardown);
    g_assert_cmpint(settings->introspection->socket.type, ==, WARD_SOCKET_UNIX);
    g_assert_cmpstr(settings->introspection->socket.path, ==, socket.path);
    g_assert_cmpint(settings->introspection->enforcement, ==, WARD_ENFORCEMENT_PREFERRED);
    g_assert_cmpint(settings->introspection->on_disconnect, ==, WARD_DISCONNECT_PAUSE);
    g_assert_cmpstr(settings->introspection->secret, ==, "3b5f1d2a-0c44-4d0e-9b7e-6a2f1c9d8e70");
    g_assert_cmpstr(settings->introspection->allowed_commands[0], ==, "get-registers");
    g_assert_cmpstr(settings->introspection->allowed_events[0], ==, "cr");
}

static void
test_a_socket_alone_makes_introspection(void)
{
    WardSocket socket = {.type = WARD_SOCKET_VSOCK, .cid = 7, .port = 9};
    g_autofree char *xml = ward_socket_put("", &socket, NULL);
    g_autoptr(WardSettings) settings = ward_settings_parse(xml, -1, NULL);

    g_assert_nonnull(settings);
    g_assert_cmpint(settings->introspection->enforcement, ==, WARD_ENFORCEMENT_REQUIRED);
    g_assert_cmpuint(settings->introspection->socket.cid, ==, 7);
    g_assert_cmpuint(settings->introspection->socket.port, ==, 9);
}

static void
test_wrong_xml_of_the_daemon_is_an_error(void)
{
    WardSocket socket = {.type = WARD_SOCKET_VSOCK, .cid = 7, .port = 9};
    g_autoptr(GError) error = NULL;

    g_assert_null(ward_socket_put("<domain/>", &socket, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_XML);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virsh-uri/order", test_virshs_order_of_uris);
    g_test_add_func("/virsh-uri/equal", test_uris_that_mean_the_same);
    g_test_add_func("/virsh-uri/bus", test_the_bus_follows_the_uri);
    g_test_add_func("/virsh-uri/socket", test_sockets_have_two_forms);
    g_test_add_func("/virsh-uri/other-socket",
                    test_another_socket_leaves_the_rest_of_introspection);
    g_test_add_func("/virsh-uri/new-socket", test_a_socket_alone_makes_introspection);
    g_test_add_func("/virsh-uri/wrong-xml", test_wrong_xml_of_the_daemon_is_an_error);
    return g_test_run();
}
