/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-introspector.c: connecting to introspection tools, good and bad ones
 */
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "introspector.h"
#include "ward-error.h"

#define UUID "6d0a9a44-6d16-4a3d-9a43-000000000001"
#define SECRET "correct horse"

/* How a tool behaves after it has read what we say. */
typedef struct {
    const char *name;
    const char *secret; /* whose hash it sends */
    guint32 size;       /* that it claims */
    gsize sends;        /* bytes that it really sends */
    gboolean silent;    /* it then keeps the connection and says nothing */
    int code;           /* of the error expected; -1: none */
} Behaviour;

typedef struct {
    char *directory;
    char *path;
    GSocketListener *listener;
    GThread *thread;
    const Behaviour *behaviour;
    guint8 hello[96];
    gsize hello_size;
} Fixture;

static void
make_answer(const Behaviour *behaviour, guint8 *answer)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA1);
    gsize size = 20;

    g_checksum_update(checksum, (const guchar *)behaviour->secret, strlen(behaviour->secret));
    memcpy(answer, &behaviour->size, sizeof(behaviour->size));
    g_checksum_get_digest(checksum, answer + 4, &size);
}

static gpointer
run_tool(gpointer data)
{
    Fixture *f = data;
    g_autoptr(GSocketConnection) connection =
        g_socket_listener_accept(f->listener, NULL, NULL, NULL);
    GInputStream *in = g_io_stream_get_input_stream(G_IO_STREAM(connection));
    GOutputStream *out = g_io_stream_get_output_stream(G_IO_STREAM(connection));
    guint8 answer[8192] = {0};
    guint8 byte;

    g_input_stream_read_all(in, f->hello, sizeof(f->hello), &f->hello_size, NULL, NULL);
    make_answer(f->behaviour, answer);
    g_output_stream_write_all(out, answer, f->behaviour->sends, NULL, NULL, NULL);
    if (f->behaviour->silent)
        g_input_stream_read(in, &byte, 1, NULL, NULL);
    return NULL;
}

static void
set_up(Fixture *f, gconstpointer data)
{
    g_autoptr(GSocketAddress) address = NULL;
    g_autoptr(GError) error = NULL;

    f->behaviour = data;
    f->directory = g_dir_make_tmp("ward-introspector-XXXXXX", NULL);
    f->path = g_build_filename(f->directory, "tool.sock", NULL);
    address = g_unix_socket_address_new(f->path);
    f->listener = g_socket_listener_new();
    g_socket_listener_add_address(f->listener, address, G_SOCKET_TYPE_STREAM, 0, NULL, NULL,
                                  &error);
    g_assert_no_error(error);
    if (f->behaviour)
        f->thread = g_thread_new("tool", run_tool, f);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    if (f->thread)
        g_thread_join(f->thread);
    g_object_unref(f->listener);
    g_unlink(f->path);
    g_rmdir(f->directory);
    g_free(f->path);
    g_free(f->directory);
}

static int
connect_tool(const char *path, guint timeout_ms, GError **error)
{
    const WardTarget target = {.uuid = UUID, .name = "guest", .pid = getpid()};
    const WardSocket address = {.type = WARD_SOCKET_UNIX, .path = (char *)path};
    g_autoptr(GBytes) secret = g_bytes_new_static(SECRET, strlen(SECRET));

    return ward_introspector_connect(&address, &target, secret, timeout_ms, error);
}

static void
test_behaviour(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    int fd = connect_tool(f->path, f->behaviour->silent ? 300 : 10000, &error);

    if (f->behaviour->code < 0) {
        g_assert_no_error(error);
        g_assert_cmpint(fd, >=, 0);
        close(fd);
        return;
    }
    g_assert_error(error, WARD_ERROR, f->behaviour->code);
    g_assert_cmpint(fd, ==, -1);
    g_assert_nonnull(strstr(error->message, f->path));
}

static void
test_says_which_guest(Fixture *f, gconstpointer data)
{
    static const guint8 uuid[16] = {0x6d, 0x0a, 0x9a, 0x44, 0x6d, 0x16, 0x4a, 0x3d,
                                    0x9a, 0x43, 0,    0,    0,    0,    0,    1};
    g_autoptr(GError) error = NULL;
    guint32 size;
    gint64 start_time;
    int fd = connect_tool(f->path, 10000, &error);

    g_assert_no_error(error);
    close(fd);
    g_thread_join(g_steal_pointer(&f->thread));
    g_assert_cmpuint(f->hello_size, ==, 96);
    memcpy(&size, f->hello, sizeof(size));
    memcpy(&start_time, f->hello + 24, sizeof(start_time));
    g_assert_cmpuint(size, ==, 96);
    g_assert_cmpmem(f->hello + 4, 16, uuid, 16);
    g_assert_cmpint(start_time, >, 0);
    g_assert_cmpstr((const char *)f->hello + 32, ==, "guest");
}

static void
test_nobody_listens(Fixture *f, gconstpointer data)
{
    g_autofree char *nowhere = g_build_filename(f->directory, "nobody.sock", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(connect_tool(nowhere, 10000, &error), ==, -1);
    g_assert_error(error, WARD_ERROR, WARD_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "No such file"));
}

static const Behaviour behaviours[] = {
    {"good", SECRET, 24, 24, FALSE, -1},
    {"newer-and-longer", SECRET, 100, 100, FALSE, -1},
    {"wrong-secret", "wrong horse", 24, 24, FALSE, WARD_ERROR_ACCESS_DENIED},
    {"claims-too-little", SECRET, 20, 24, FALSE, WARD_ERROR_FAILED},
    {"claims-too-much", SECRET, 0xffffffff, 8192, FALSE, WARD_ERROR_FAILED},
    {"sends-nothing", SECRET, 24, 0, TRUE, WARD_ERROR_TIMED_OUT},
    {"sends-half", SECRET, 24, 12, TRUE, WARD_ERROR_TIMED_OUT},
    {"hangs-up", SECRET, 24, 12, FALSE, WARD_ERROR_FAILED},
};

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(behaviours); i++) {
        g_autofree char *name = g_strdup_printf("/introspector/%s", behaviours[i].name);

        g_test_add(name, Fixture, &behaviours[i], set_up, test_behaviour, tear_down);
    }
    g_test_add("/introspector/says-which-guest", Fixture, &behaviours[0], set_up,
               test_says_which_guest, tear_down);
    g_test_add("/introspector/nobody-listens", Fixture, NULL, set_up, test_nobody_listens,
               tear_down);
    return g_test_run();
}
