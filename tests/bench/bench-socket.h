/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-socket.h: what bench-tool and bench-gdb share: a clock, and sockets on which nothing may
 * fail
 */
#ifndef BENCH_SOCKET_H
#define BENCH_SOCKET_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define FIRST 0x100000UL /* the first page that is read; below are holes */

static void __attribute__((noreturn)) die(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
    exit(EXIT_FAILURE);
}

static long long
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static void
write_all(int fd, const void *data, size_t size)
{
    if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
        die("send");
}

static int
open_socket(const char *path, struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (fd < 0 || strlen(path) >= sizeof(address->sun_path))
        die(path);
    memcpy(address->sun_path, path, strlen(path));
    return fd;
}

#endif
