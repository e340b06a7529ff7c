/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-memory: guest memory read from outside, as `make bench` measures it
 *
 *   bench-memory tool SOCKET               an introspection tool that listens at SOCKET
 *   bench-memory gdb SOCKET PAGES RUNS     a client of QEMU's gdbstub
 *
 * Both read the same pages, from the guest's second megabyte on. gdb prints one line a run:
 * microseconds. The tool does what its input says, one line at a time, and prints a line for each:
 *
 *   own             microseconds from accepting the last connection to having answered it
 *   read PAGES      microseconds, one READ_PHYSICAL a page
 *
 * gdbstub's packets hold 4096 bytes and a byte of memory takes two of them, so a page takes three.
 */
#include <errno.h>
#include <linux/kvmi.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define FIRST 0x100000UL /* address; below are holes */
#define GDB_MAX 2000     /* bytes of memory in a packet */

static void __attribute__((noreturn)) die(const char *what)
{
    fprintf(stderr, "bench-memory: %s: %s\n", what, strerror(errno));
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
read_all(int fd, void *data, size_t size)
{
    if (recv(fd, data, size, MSG_WAITALL) != (ssize_t)size)
        die("the other side has closed the connection");
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

/* the introspection tool */

typedef struct {
    int listener;
    int guest;     /* -1: none */
    long long own; /* microseconds */
    unsigned int seq;
} Tool;

static void
accept_guest(Tool *tool)
{
    struct {
        unsigned int struct_size;
        char rest[92];
    } hello;
    struct {
        unsigned int struct_size;
        char hash[20];
    } answer = {.struct_size = sizeof(answer)};
    int fd = accept(tool->listener, NULL, NULL);
    long long start = now();

    if (fd < 0)
        die("accept");
    read_all(fd, &hello, sizeof(hello));
    write_all(fd, &answer, sizeof(answer));
    tool->own = now() - start;
    if (tool->guest >= 0)
        close(tool->guest);
    tool->guest = fd;
}

static void
read_page(Tool *tool, unsigned long long gpa)
{
    struct {
        struct kvmi_msg_hdr header;
        unsigned long long gpa;
        unsigned long long size;
    } command = {
        .header = {.id = KVMI_READ_PHYSICAL, .size = 16, .seq = ++tool->seq},
        .gpa = gpa,
        .size = PAGE,
    };
    struct {
        struct kvmi_msg_hdr header;
        struct kvmi_error_code error;
        char page[PAGE];
    } reply;

    write_all(tool->guest, &command, sizeof(command));
    read_all(tool->guest, &reply, sizeof(reply.header) + sizeof(reply.error));
    errno = EPROTO;
    if (reply.header.seq != tool->seq || reply.error.err != 0)
        die("READ_PHYSICAL");
    read_all(tool->guest, reply.page, PAGE);
}

static long long
read_pages(Tool *tool, int pages)
{
    long long start = now();

    for (int i = 0; i < pages; i++)
        read_page(tool, FIRST + (unsigned long long)i * PAGE);
    return now() - start;
}

static void
serve(const char *path)
{
    struct sockaddr_un address;
    Tool tool = {.listener = open_socket(path, &address), .guest = -1};
    struct pollfd polled[] = {{.fd = tool.listener, .events = POLLIN},
                              {.fd = STDIN_FILENO, .events = POLLIN}};
    char line[64];
    int pages;

    unlink(path);
    if (bind(tool.listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(tool.listener, 16) < 0)
        die(path);
    setvbuf(stdin, NULL, _IONBF, 0);
    while (poll(polled, 2, -1) > 0) {
        if (polled[0].revents)
            accept_guest(&tool);
        if (!polled[1].revents)
            continue;
        if (!fgets(line, sizeof(line), stdin))
            return;
        printf("%lld\n",
               sscanf(line, "read %d", &pages) == 1 ? read_pages(&tool, pages) : tool.own);
        fflush(stdout);
    }
}

/* gdbstub */

/* The answer to @command, without its frame; returns its length. */
static size_t
gdb_ask(int fd, const char *command, char *answer, size_t size)
{
    char packet[64];
    unsigned char sum = 0;
    size_t length = 0;

    for (const char *c = command; *c; c++)
        sum += *c;
    write_all(fd, packet, snprintf(packet, sizeof(packet), "$%s#%02x", command, sum));
    do {
        ssize_t n = recv(fd, answer + length, size - length, 0);

        if (n <= 0)
            die("gdbstub");
        length += n;
    } while (length < 3 || answer[length - 3] != '#');
    write_all(fd, "+", 1);
    return length - 3;
}

static long long
gdb_pages(int fd, int pages)
{
    char answer[2 * PAGE];
    char command[64];
    long long start = now();

    for (unsigned long address = FIRST; address < FIRST + (unsigned long)pages * PAGE;) {
        unsigned long left = PAGE - address % PAGE;
        unsigned long size = left < GDB_MAX ? left : GDB_MAX;

        snprintf(command, sizeof(command), "m%lx,%lx", address, size);
        errno = EPROTO;
        if (gdb_ask(fd, command, answer, sizeof(answer)) < 2 * size)
            die("gdbstub: m");
        address += size;
    }
    return now() - start;
}

static void
debug(const char *path, int pages, int runs)
{
    struct sockaddr_un address;
    int fd = open_socket(path, &address);
    char answer[2 * PAGE];

    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die(path);
    gdb_ask(fd, "?", answer, sizeof(answer));
    /* Physical addresses, as a tool reads them. */
    gdb_ask(fd, "Qqemu.PhyMemMode:1", answer, sizeof(answer));
    for (int i = 0; i < runs; i++)
        printf("%lld\n", gdb_pages(fd, pages));
    gdb_ask(fd, "D", answer, sizeof(answer));
    close(fd);
}

int
main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "tool") == 0)
        serve(argv[2]);
    else if (argc == 5 && strcmp(argv[1], "gdb") == 0)
        debug(argv[2], atoi(argv[3]), atoi(argv[4]));
    else
        return EXIT_FAILURE;
    return EXIT_SUCCESS;
}
