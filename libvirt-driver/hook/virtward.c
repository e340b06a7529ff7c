/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtward.c: libvirt's qemu hook, first stage: most domains want nothing of ours, and for those
 * it has to cost nothing
 *
 *   virtward DOMAIN OPERATION SUB-OPERATION EXTRA <domain.xml
 *
 * libvirt runs it, with no time limit of its own, at every step of every domain's life. It must
 * not call libvirt, which waits for it. Here is no library but libc; only a domain whose XML has
 * our namespace goes on to the second stage (virtward-hook.c), which asks the daemon.
 *
 * A failure means: the domain may not start ("prepare", "start", "started"). It never means
 * anything else: "reconnect" with a failure would kill a running QEMU, and what "migrate" and
 * "restore" print becomes the domain's XML, so those two copy their input.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ward-xml.h"

/* Seconds for libvirt to hand us the XML, which it has in memory. */
#ifndef WARD_HOOK_INPUT_LIMIT
#define WARD_HOOK_INPUT_LIMIT 30
#endif

#define STEM_LENGTH (sizeof(WARD_XML_NAMESPACE_STEM) - 1)

/* One byte more than a domain may have, to see one that has too many. */
static char xml[WARD_XML_MAX_SIZE + 1];

static const char *domain_name; /* for the signal handler */

typedef struct {
    size_t length; /* of what is in xml */
    bool ours;     /* our namespace is in it, whatever its version */
    bool too_large;
    int error; /* errno of a read that failed */
} Input;

static bool
is_one_of(const char *operation, const char *const *list)
{
    for (; *list != NULL; list++) {
        if (strcmp(operation, *list) == 0)
            return true;
    }
    return false;
}

static bool
decides(const char *operation)
{
    static const char *const operations[] = {"prepare", "start", "started", NULL};

    return is_one_of(operation, operations);
}

static bool
concerns_us(const char *operation)
{
    static const char *const operations[] = {"stopped", "release", "reconnect", NULL};

    return decides(operation) || is_one_of(operation, operations);
}

/* Exit status for something that keeps us from checking a protected domain. */
static int
fail(char **argv, const char *what, const char *why, const char *advice)
{
    dprintf(STDERR_FILENO, "virtward: domain '%s': %s%s%s; %s\n", argv[1], what,
            *why != '\0' ? ": " : "", why, advice);
    return decides(argv[2]) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool
write_all(int fd, const char *from, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, from, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        from += n;
        length -= n;
    }
    return true;
}

/* Only what a signal handler may call. */
static void
on_alarm_fail(int signal_number)
{
    if (write_all(STDERR_FILENO, "virtward: domain '", 18) &&
        write_all(STDERR_FILENO, domain_name, strlen(domain_name)))
        write_all(STDERR_FILENO, "': libvirt did not finish writing its XML\n", 42);
    _exit(EXIT_FAILURE);
}

static void
on_alarm_leave(int signal_number)
{
    _exit(EXIT_SUCCESS);
}

static ssize_t
read_some(char *to, size_t size)
{
    ssize_t n;

    do
        n = read(STDIN_FILENO, to, size);
    while (n < 0 && errno == EINTR);
    return n;
}

/* As much as libvirt writes: it would get SIGPIPE from a reader that left early. */
static void
copy(bool to_stdout)
{
    ssize_t n;

    while ((n = read_some(xml, sizeof xml)) > 0) {
        if (to_stdout)
            to_stdout = write_all(STDOUT_FILENO, xml, n);
    }
}

static void
read_input(Input *input)
{
    ssize_t n;

    while ((n = read_some(xml + input->length, sizeof xml - input->length)) > 0) {
        /* The stem may have begun in what was there before. */
        size_t start = input->length < STEM_LENGTH ? 0 : input->length - STEM_LENGTH;

        input->length += n;
        if (!input->ours)
            input->ours = memmem(xml + start, input->length - start, WARD_XML_NAMESPACE_STEM,
                                 STEM_LENGTH) != NULL;
        if (input->length == sizeof xml) {
            input->too_large = true;
            memmove(xml, xml + sizeof xml - STEM_LENGTH, STEM_LENGTH);
            input->length = STEM_LENGTH;
        }
    }
    if (n < 0)
        input->error = errno;
}

/* The second stage gets the XML on its stdin, and nothing of our environment that could point it,
 * or its libraries, somewhere else. */
static int
run_second_stage(char **argv, const Input *input)
{
    const char *runtime_dir = getuid() != 0 ? getenv("XDG_RUNTIME_DIR") : NULL;
    char *environment[2] = {NULL};
    int fd = memfd_create("virtward", MFD_CLOEXEC);

    if (fd < 0 || !write_all(fd, xml, input->length) || lseek(fd, 0, SEEK_SET) != 0 ||
        dup2(fd, STDIN_FILENO) < 0)
        return fail(argv, "cannot pass its XML on", strerror(errno), "free some memory");

    if (runtime_dir != NULL && asprintf(&environment[0], "XDG_RUNTIME_DIR=%s", runtime_dir) < 0)
        return fail(argv, "cannot pass its XML on", strerror(ENOMEM), "free some memory");
    execve(WARD_HOOK_SECOND_STAGE, argv, environment);
    return fail(argv, "cannot run " WARD_HOOK_SECOND_STAGE, strerror(errno), "reinstall virtward");
}

int
main(int argc, char **argv)
{
    Input input = {0};

    if (argc < 4) {
        fputs("virtward: libvirt runs this program, as DOMAIN OPERATION SUB-OPERATION EXTRA\n",
              stderr);
        return EXIT_FAILURE;
    }
    domain_name = argv[1];
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, decides(argv[2]) ? on_alarm_fail : on_alarm_leave);
    alarm(WARD_HOOK_INPUT_LIMIT);

    if (!concerns_us(argv[2])) {
        copy(strcmp(argv[2], "migrate") == 0 || strcmp(argv[2], "restore") == 0);
        return EXIT_SUCCESS;
    }
    read_input(&input);
    alarm(0);
    if (input.error != 0)
        return fail(argv, "cannot read its XML", strerror(input.error), "start it again");
    if (!input.ours)
        return EXIT_SUCCESS;
    if (input.too_large)
        return fail(argv, "its XML is larger than 8 MiB", "",
                    "make it smaller, or remove its protection");
    return run_second_stage(argv, &input);
}
