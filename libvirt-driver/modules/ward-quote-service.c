/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-quote-service.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ward-error.h"
#include "ward-settings.h"

#define LIMIT_MS 1000
#define SHOWN 60 /* bytes of a path that is too long */

static gboolean
fail(GError **error, int code, const char *path, const char *why)
{
    g_set_error(error, WARD_ERROR, code,
                "trustdomain: the quote generation service does not answer at '%s': %s; start it, "
                "or take <quoteGenerationService> out of the domain",
                path, why);
    return FALSE;
}

static gboolean
check_path(const char *path, GError **error)
{
    if (*path == '/' && strlen(path) <= WARD_SOCKET_PATH_MAX)
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                "trustdomain: the path of <quoteGenerationService>, '%.*s%s', %s", SHOWN, path,
                strlen(path) > SHOWN ? "..." : "",
                *path == '/' ? "is longer than the 107 bytes that a socket's may have"
                             : "is not absolute");
    return FALSE;
}

/* 0, or an errno. A connection is begun and not waited for but within the limit. */
static int
try_connect(int fd, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    socklen_t length = sizeof(int);
    int result = 0;

    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return 0;
    /* EAGAIN: it listens, and as many wait already as it lets. */
    if (errno == EAGAIN)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    if (poll(&ready, 1, LIMIT_MS) <= 0)
        return ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &length) < 0 ? errno : result;
}

gboolean
ward_quote_service_check(const char *path, GError **error)
{
    int fd;
    int failure;

    if (!check_path(path, error))
        return FALSE;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(error, WARD_ERROR_FAILED, path, g_strerror(errno));
    failure = try_connect(fd, path);
    close(fd);
    switch (failure) {
    case 0:
        return TRUE;
    case ENOENT:
    case ENOTDIR:
        return fail(error, WARD_ERROR_NOT_FOUND, path, "there is no such socket");
    case ECONNREFUSED:
        return fail(error, WARD_ERROR_NOT_FOUND, path, "nobody listens there");
    case ETIMEDOUT:
        return fail(error, WARD_ERROR_TIMED_OUT, path, "it takes no connection");
    default:
        return fail(error, WARD_ERROR_FAILED, path, g_strerror(failure));
    }
}
