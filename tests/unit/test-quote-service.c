/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-quote-service.c: whether somebody listens at the socket of the quote generation service
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "test-host.h"
#include "ward-error.h"
#include "ward-quote-service.h"

#define PATH_MAX_BYTES 107

typedef struct {
    char *dir;
    char *path;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
    f->dir = g_dir_make_tmp("ward-quote-XXXXXX", NULL);
    f->path = g_build_filename(f->dir, "qgs.socket", NULL);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    test_host_remove(f->dir);
    g_free(f->dir);
    g_free(f->path);
}

/* @backlog: -1: it is bound, and does not listen. */
static int
serve(const char *path, int type, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpuint(strlen(path), <, sizeof(address.sun_path));
    strcpy(address.sun_path, path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    if (backlog >= 0)
        g_assert_cmpint(listen(fd, backlog), ==, 0);
    return fd;
}

static void
assert_refused(const char *path, int code, const char *words)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(ward_quote_service_check(path, &error));
    g_assert_error(error, WARD_ERROR, code);
    if (!strstr(error->message, words))
        g_error("'%s' is not in '%s'", words, error->message);
}

static void
assert_answers(const char *path)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(ward_quote_service_check(path, &error));
    g_assert_no_error(error);
}

static void
test_listens(Fixture *f, gconstpointer data)
{
    int fd = serve(f->path, SOCK_STREAM, 1);

    assert_answers(f->path);
    close(fd);
    assert_refused(f->path, WARD_ERROR_NOT_FOUND, "nobody listens there");
}

static void
test_nobody(Fixture *f, gconstpointer data)
{
    g_autofree char *below = NULL;
    int fd;

    assert_refused(f->path, WARD_ERROR_NOT_FOUND, "there is no such socket; start it, or take");
    test_host_put(f->dir, "/plain", "");
    below = g_build_filename(f->dir, "plain", "qgs.socket", NULL);
    assert_refused(below, WARD_ERROR_NOT_FOUND, "there is no such socket");
    fd = serve(f->path, SOCK_STREAM, -1);
    assert_refused(f->path, WARD_ERROR_NOT_FOUND, "nobody listens there");
    close(fd);
}

/* It is there and slow: a start must not hang for it, and need not fail. */
static void
test_busy(Fixture *f, gconstpointer data)
{
    int fd = serve(f->path, SOCK_STREAM, 0);

    for (guint i = 0; i < 5; i++)
        assert_answers(f->path);
    close(fd);
}

static void
test_no_such_sort(Fixture *f, gconstpointer data)
{
    int fd = serve(f->path, SOCK_DGRAM, -1);

    assert_refused(f->path, WARD_ERROR_FAILED, f->path);
    close(fd);
    assert_refused(f->dir, WARD_ERROR_NOT_FOUND, "nobody listens there"); /* a directory */
}

static void
test_hostile_paths(Fixture *f, gconstpointer data)
{
    g_autofree char *longest = g_strnfill(PATH_MAX_BYTES, 'x');
    g_autofree char *longer = g_strnfill(PATH_MAX_BYTES + 1, 'x');
    g_autofree char *huge = g_strnfill(1 << 20, 'x');

    longest[0] = longer[0] = huge[0] = '/';
    assert_refused("", WARD_ERROR_INVALID_ARGUMENT, "is not absolute");
    assert_refused("qgs.socket", WARD_ERROR_INVALID_ARGUMENT, "is not absolute");
    assert_refused(longest, WARD_ERROR_NOT_FOUND, "no such socket");
    assert_refused(longer, WARD_ERROR_INVALID_ARGUMENT, "longer than the 107 bytes");
    assert_refused(huge, WARD_ERROR_INVALID_ARGUMENT, "xxx...', is longer");
}

#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/quote-service/listens", test_listens);
    ADD("/quote-service/nobody", test_nobody);
    ADD("/quote-service/busy", test_busy);
    ADD("/quote-service/no-such-sort", test_no_such_sort);
    ADD("/quote-service/hostile-paths", test_hostile_paths);
    return g_test_run();
}
