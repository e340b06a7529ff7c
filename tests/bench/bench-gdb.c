/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-gdb: a client of QEMU's gdbstub, for `make bench`
 *
 *   bench-gdb read SOCKET PAGES RUNS            the pages that bench-tool reads
 *   bench-gdb watch SOCKET ADDRESS STOPS RUNS   writes to ADDRESS: a watchpoint stops the guest, we
 * continue it
 *
 * A line a run: microseconds. What watch prints first is how the guest was stopped: "watchpoint",
 * or "step" where the CPU has no watchpoints in guests, as QEMU's software CPU. The way of the stop
 * and of the continuation is the same, through #DB and KVM_EXIT_DEBUG; there is just one for each
 * instruction.
 *
 * gdbstub's packets hold 4096 bytes and a byte of memory takes two of them, so a page takes three.
 */
#include <sys/time.h>

#include "bench-socket.h"

#define GDB_MAX 2000 /* bytes of memory in a packet */
#define PATIENCE 20  /* seconds; a watchpoint may never stop the guest */

/* The answer to the last command, without its frame; returns its length, 0 if there is none in
 * time. */
static size_t
gdb_answer(int fd, char *answer, size_t size)
{
    size_t length = 0;

    do {
        ssize_t n = recv(fd, answer + length, size - length - 1, 0);

        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n <= 0)
            die("gdbstub");
        length += n;
    } while (length < 3 || answer[length - 3] != '#');
    write_all(fd, "+", 1);
    answer[length - 3] = 0;
    return length - 3;
}

static void
gdb_send(int fd, const char *command)
{
    char packet[64];
    unsigned char sum = 0;

    for (const char *c = command; *c; c++)
        sum += *c;
    write_all(fd, packet, snprintf(packet, sizeof(packet), "$%s#%02x", command, sum));
}

/* That the guest has stopped because we are here, is told at some time: it is no answer. */
static size_t
gdb_ask(int fd, const char *command, char *answer, size_t size)
{
    size_t length;

    gdb_send(fd, command);
    do {
        length = gdb_answer(fd, answer, size);
    } while (length && strstr(answer, "$T"));
    return length;
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
            die("m");
        address += size;
    }
    return now() - start;
}

/* Let the guest go on until it stops; false if it does not. */
static bool
gdb_stop(int fd, const char *how)
{
    char answer[2 * PAGE];

    gdb_send(fd, how);
    if (gdb_answer(fd, answer, sizeof(answer)) == 0)
        return false;
    errno = EPROTO;
    if (!strstr(answer, "T05"))
        die(answer);
    return true;
}

static void
gdb_interrupt(int fd)
{
    char answer[2 * PAGE];

    write_all(fd, "\3", 1);
    errno = ETIME;
    if (gdb_answer(fd, answer, sizeof(answer)) == 0)
        die("the guest cannot be stopped");
}

static void
gdb_watch(int fd, unsigned long address, int stops, int runs)
{
    char answer[2 * PAGE];
    char command[64];
    const char *how = "c";

    snprintf(command, sizeof(command), "Z2,%lx,4", address);
    gdb_ask(fd, command, answer, sizeof(answer));
    errno = EPROTO;
    if (!strstr(answer, "OK"))
        die(answer);
    if (!gdb_stop(fd, how)) {
        gdb_interrupt(fd);
        how = "s";
    }
    command[0] = 'z';
    if (how[0] == 's')
        gdb_ask(fd, command, answer, sizeof(answer));
    puts(how[0] == 's' ? "step" : "watchpoint");
    for (int run = 0; run < runs; run++) {
        long long start = now();

        errno = ETIME;
        for (int i = 0; i < stops; i++)
            if (!gdb_stop(fd, how))
                die("the guest does not stop");
        printf("%lld\n", now() - start);
    }
    if (how[0] == 'c')
        gdb_ask(fd, command, answer, sizeof(answer));
}

int
main(int argc, char **argv)
{
    struct sockaddr_un address;
    char answer[2 * PAGE];
    struct timeval limit = {.tv_sec = PATIENCE};
    bool read = argc == 5 && strcmp(argv[1], "read") == 0;
    int fd;

    if (!read && (argc != 6 || strcmp(argv[1], "watch") != 0))
        return EXIT_FAILURE;
    fd = open_socket(argv[2], &address);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die(argv[2]);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    gdb_send(fd, "?");
    gdb_answer(fd, answer, sizeof(answer));
    if (read) {
        /* Physical addresses, as a tool reads them. */
        gdb_ask(fd, "Qqemu.PhyMemMode:1", answer, sizeof(answer));
        for (int run = 0; run < atoi(argv[4]); run++)
            printf("%lld\n", gdb_pages(fd, atoi(argv[3])));
    } else {
        gdb_watch(fd, strtoul(argv[3], NULL, 0), atoi(argv[4]), atoi(argv[5]));
    }
    gdb_ask(fd, "D", answer, sizeof(answer));
    close(fd);
    return EXIT_SUCCESS;
}
