/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-introspection-signals.c: who listens on D-Bus learns what becomes of a domain's tool, and
 * why
 */
#include <gio/gunixsocketaddress.h>

#include "test-dbus-fixture.h"

#define HELLO_SIZE 96
#define ANSWER_SIZE 24

/* Listens, and answers the handshake of everybody who connects. */
typedef struct {
    char *path;
    GSocketService *service;
    GPtrArray *connections; /* GSocketConnection, with the lock held */
    GMutex lock;
} Tool;

static gboolean
on_connection(GThreadedSocketService *service,
              GSocketConnection *connection,
              GObject *source,
              Tool *tool)
{
    GInputStream *in = g_io_stream_get_input_stream(G_IO_STREAM(connection));
    GOutputStream *out = g_io_stream_get_output_stream(G_IO_STREAM(connection));
    guint8 hello[HELLO_SIZE];
    guint32 answer[ANSWER_SIZE / sizeof(guint32)] = {ANSWER_SIZE};

    g_input_stream_read_all(in, hello, sizeof hello, NULL, NULL, NULL);
    g_output_stream_write_all(out, answer, sizeof answer, NULL, NULL, NULL);
    g_mutex_lock(&tool->lock);
    g_ptr_array_add(tool->connections, g_object_ref(connection));
    g_mutex_unlock(&tool->lock);
    return TRUE;
}

static void
tool_start(Tool *tool, Fixture *f)
{
    g_autoptr(GSocketAddress) address = NULL;
    g_autoptr(GError) error = NULL;

    tool->path = g_build_filename(f->state_dir, "tool.sock", NULL);
    tool->connections = g_ptr_array_new_with_free_func(g_object_unref);
    g_mutex_init(&tool->lock);
    tool->service = g_threaded_socket_service_new(4);
    address = g_unix_socket_address_new(tool->path);
    g_socket_listener_add_address(G_SOCKET_LISTENER(tool->service), address, G_SOCKET_TYPE_STREAM,
                                  G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, &error);
    g_assert_no_error(error);
    g_signal_connect(tool->service, "run", G_CALLBACK(on_connection), tool);
}

static void
tool_hang_up(Tool *tool)
{
    g_mutex_lock(&tool->lock);
    for (guint i = 0; i < tool->connections->len; i++)
        g_io_stream_close(tool->connections->pdata[i], NULL, NULL);
    g_ptr_array_set_size(tool->connections, 0);
    g_mutex_unlock(&tool->lock);
}

static void
tool_stop(Tool *tool)
{
    g_socket_service_stop(tool->service);
    g_socket_listener_close(G_SOCKET_LISTENER(tool->service));
    g_object_unref(tool->service);
    g_ptr_array_unref(tool->connections);
    g_mutex_clear(&tool->lock);
    g_unlink(tool->path);
    g_free(tool->path);
}

/* "Hooked", "Unhooked detach" and so on, of the signals that have come since the last @expected. */
static char *
get_story(Fixture *f)
{
    g_autoptr(GRegex) regex = g_regex_new(
        "\\.(Hooked|Unhooked|PeerGone) \\('([^']*)'|\\.(InterfacesRemoved) ", 0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    GString *story = g_string_new("");

    g_regex_match(regex, f->signals->str, 0, &match);
    for (; g_match_info_matches(match); g_match_info_next(match, NULL)) {
        g_autofree char *name = g_match_info_fetch(match, 1);
        g_autofree char *argument = g_match_info_fetch(match, 2);
        g_autofree char *removed = g_match_info_fetch(match, 3);

        if (story->len)
            g_string_append(story, ", ");
        if (removed && *removed)
            g_string_append(story, "removed");
        else if (g_str_equal(name, "Hooked"))
            g_string_append(story, name);
        else
            g_string_append_printf(story, "%s %s", name, argument);
    }
    return g_string_free(story, FALSE);
}

static gboolean
has_as_much(Fixture *f, const char *expected)
{
    g_autofree char *story = get_story(f);

    return strlen(story) >= strlen(expected);
}

static void
expect(Fixture *f, const char *expected)
{
    g_autofree char *story = NULL;

    WAIT(has_as_much(f, expected));
    story = get_story(f);
    g_assert_cmpstr(story, ==, expected);
    g_string_truncate(f->signals, 0);
}

static char *
protection(const Tool *tool, const char *allow)
{
    return g_strdup_printf(PROTECTION("<ward:introspection onDisconnect='retry'><ward:socket "
                                      "type='unix' path='%s'/>%s</ward:introspection>"),
                           tool->path, allow);
}

static void
set_live(Fixture *f, const char *xml)
{
    assert_done(f, WARD_DBUS_INTERFACE_DOMAIN, "SetProtection",
                g_variant_new("(su)", xml, WARD_AFFECT_LIVE | WARD_AFFECT_CONFIG));
}

static void
every_reason_is_told(Fixture *f, gconstpointer data)
{
    Tool tool;
    g_autofree char *all = NULL, *some = NULL;

    tool_start(&tool, f);
    all = protection(&tool, "");
    some = protection(&tool, "<ward:allow event='unhook'/>");
    start_protected(f, all);
    expect(f, "Hooked");
    assert_done(f, WARD_DBUS_INTERFACE_INTROSPECTION, "Detach", NULL);
    expect(f, "Unhooked detach");
    assert_done(f, WARD_DBUS_INTERFACE_INTROSPECTION, "Attach", NULL);
    expect(f, "Hooked");
    g_assert_cmpint(virDomainSuspend(f->dom), ==, 0);
    expect(f, "Unhooked suspended");
    g_assert_cmpint(virDomainResume(f->dom), ==, 0);
    expect(f, "Hooked");
    /* It listens, so it is attached again before anybody could see that it was not. */
    tool_hang_up(&tool);
    expect(f, "PeerGone retry, Unhooked disconnect, Hooked");
    set_live(f, some);
    expect(f, "Unhooked settings, Hooked");
    /* The last word of an interface comes before it goes. */
    assert_done(f, WARD_DBUS_INTERFACE_DOMAIN, "ClearProtection",
                g_variant_new("(u)", WARD_AFFECT_LIVE | WARD_AFFECT_CONFIG));
    expect(f, "Unhooked settings, removed");
    set_live(f, all);
    expect(f, "Hooked");
    g_assert_cmpint(virDomainDestroy(f->dom), ==, 0);
    expect(f, "Unhooked stopped");
    tool_stop(&tool);
}

int
main(int argc, char **argv)
{
    init_test(&argc, &argv);
    ADD("/introspection-signals/every-reason", every_reason_is_told);
    return g_test_run();
}
