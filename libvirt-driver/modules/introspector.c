/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "introspector.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "ward-error.h"

#define HASH_SIZE 20    /* SHA-1 */
#define MAX_ANSWER 4096 /* of a tool that knows a longer struct than we do */

/* Host to tool; native byte order and alignment, as libkvmi reads it. */
typedef struct {
    guint32 struct_size;
    guint8 uuid[16];
    guint32 padding;
    gint64 start_time; /* seconds since the Epoch */
    char name[64];
} Hello;

/* Tool to host. */
typedef struct {
    guint32 struct_size;
    guint8 cookie_hash[HASH_SIZE];
} Answer;

G_STATIC_ASSERT(sizeof(Hello) == 96);
G_STATIC_ASSERT(sizeof(Answer) == 24);

typedef struct {
    int fd;
    gint64 deadline; /* monotonic, microseconds */
    char *peer;      /* for messages */
} Channel;

static gboolean
channel_fail(Channel *channel, GError **error, const char *doing)
{
    gboolean timed_out = errno == ETIMEDOUT;

    g_set_error(error, WARD_ERROR, timed_out ? WARD_ERROR_TIMED_OUT : WARD_ERROR_FAILED,
                "introspection: cannot %s the tool at %s: %s", doing, channel->peer,
                timed_out ? "it did not answer in time" : g_strerror(errno));
    return FALSE;
}

/* 0 and ETIMEDOUT when the deadline passes first. */
static gboolean
channel_wait(Channel *channel, short events)
{
    struct pollfd pollfd = {.fd = channel->fd, .events = events};
    int n;

    do {
        gint64 left = (channel->deadline - g_get_monotonic_time()) / 1000;

        n = poll(&pollfd, 1, MAX(left, 0));
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        errno = ETIMEDOUT;
    return n > 0;
}

static gboolean
channel_connect(Channel *channel, const struct sockaddr *address, socklen_t size)
{
    int result = 0;
    socklen_t length = sizeof(result);

    if (connect(channel->fd, address, size) == 0)
        return TRUE;
    /* A UNIX socket whose backlog is full says EAGAIN, and poll() would not help. */
    if (errno != EINPROGRESS || !channel_wait(channel, POLLOUT))
        return FALSE;
    if (getsockopt(channel->fd, SOL_SOCKET, SO_ERROR, &result, &length) < 0)
        return FALSE;
    errno = result;
    return result == 0;
}

static gboolean
channel_send(Channel *channel, const void *data, gsize size)
{
    const char *next = data;

    while (size > 0) {
        ssize_t n = send(channel->fd, next, size, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno != EAGAIN || !channel_wait(channel, POLLOUT)))
            return FALSE;
        if (n > 0) {
            next += n;
            size -= n;
        }
    }
    return TRUE;
}

static gboolean
channel_receive(Channel *channel, void *data, gsize size)
{
    char *next = data;

    while (size > 0) {
        ssize_t n = recv(channel->fd, next, size, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ECONNRESET;
        if (n == 0 || (n < 0 && (errno != EAGAIN || !channel_wait(channel, POLLIN))))
            return FALSE;
        if (n > 0) {
            next += n;
            size -= n;
        }
    }
    return TRUE;
}

static gboolean
open_channel(Channel *channel, const WardSocket *address)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_vm vm = {.svm_family = AF_VSOCK};
    gboolean is_unix = address->type == WARD_SOCKET_UNIX;
    int family = is_unix ? AF_UNIX : AF_VSOCK;

    channel->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (channel->fd < 0)
        return FALSE;
    if (is_unix) {
        g_strlcpy(un.sun_path, address->path, sizeof(un.sun_path));
        return channel_connect(channel, (struct sockaddr *)&un, sizeof(un));
    }
    vm.svm_cid = address->cid;
    vm.svm_port = address->port;
    return channel_connect(channel, (struct sockaddr *)&vm, sizeof(vm));
}

static gint64
get_start_time(GPid pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d", pid);
    GStatBuf info;

    return pid > 0 && g_stat(path, &info) == 0 ? info.st_mtime : 0;
}

static gboolean
hash_matches(const guint8 answer[HASH_SIZE], GBytes *secret)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA1);
    guint8 expected[HASH_SIZE];
    gsize size = sizeof(expected);
    gsize length;
    const guint8 *data = g_bytes_get_data(secret, &length);
    guint8 difference = 0;

    g_checksum_update(checksum, data, length);
    g_checksum_get_digest(checksum, expected, &size);
    /* In constant time: how long it takes must not tell how much was right. */
    for (gsize i = 0; i < HASH_SIZE; i++)
        difference |= expected[i] ^ answer[i];
    return difference == 0;
}

static gboolean
read_answer(Channel *channel, Answer *answer, GError **error)
{
    guint8 more[MAX_ANSWER];
    gsize rest;

    if (!channel_receive(channel, answer, sizeof(*answer)))
        return channel_fail(channel, error, "shake hands with");
    if (answer->struct_size < sizeof(*answer) || answer->struct_size > MAX_ANSWER) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "introspection: the tool at %s answered the handshake with %u bytes, expected "
                    "%zu to %d",
                    channel->peer, answer->struct_size, sizeof(*answer), MAX_ANSWER);
        return FALSE;
    }
    rest = answer->struct_size - sizeof(*answer);
    return channel_receive(channel, more, rest) || channel_fail(channel, error, "shake hands with");
}

static gboolean
shake_hands(Channel *channel, const WardTarget *target, GBytes *secret, GError **error)
{
    Hello hello = {.struct_size = sizeof(hello)};
    Answer answer;

    ward_target_get_uuid(target, hello.uuid);
    hello.start_time = get_start_time(target->pid);
    g_strlcpy(hello.name, target->name, sizeof(hello.name));
    if (!channel_send(channel, &hello, sizeof(hello)))
        return channel_fail(channel, error, "shake hands with");
    if (!read_answer(channel, &answer, error))
        return FALSE;
    if (secret && !hash_matches(answer.cookie_hash, secret)) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_ACCESS_DENIED,
                    "introspection: the tool at %s does not know the secret", channel->peer);
        return FALSE;
    }
    return TRUE;
}

int
ward_introspector_connect(const WardSocket *address,
                          const WardTarget *target,
                          GBytes *secret,
                          guint timeout_ms,
                          GError **error)
{
    g_autofree char *peer = ward_socket_to_string(address);
    Channel channel = {
        .fd = -1,
        .deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000,
        .peer = peer,
    };
    gboolean done;

    if (open_channel(&channel, address))
        done = shake_hands(&channel, target, secret, error);
    else
        done = channel_fail(&channel, error, "connect to");
    if (done)
        return channel.fd;
    if (channel.fd >= 0)
        close(channel.fd);
    return -1;
}
