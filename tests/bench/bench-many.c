/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-many: many calls of virtwardd under way at once, as `make bench` measures them
 *
 *   bench-many pings COUNT RUNS     calls that do nothing
 *   bench-many starts FILE RUNS     RunHook start begin of each domain in FILE: its XML, and a zero
 * byte
 *
 * On the system bus. Prints one line a run: microseconds, the calls, and how many of them were
 * refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

/* dbus-daemon lets one client wait for 128 answers. */
#define UNDER_WAY 100
#define MAX_SIZE (16 * 1024 * 1024)

static sd_bus *bus;
static unsigned int answered;
static unsigned int refused;

static int
check(int result, const char *what)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "bench-many: %s: %s\n", what, strerror(-result));
    exit(EXIT_FAILURE);
}

static sd_bus_message *
new_call(const char *interface, const char *method)
{
    sd_bus_message *call;

    check(sd_bus_message_new_method_call(bus, &call, "org.virtward", "/org/virtward/host",
                                         interface, method),
          method);
    return call;
}

static sd_bus_message *
new_ping(const char **unused)
{
    return new_call("org.freedesktop.DBus.Peer", "Ping");
}

/* Of the next XML. */
static sd_bus_message *
new_start(const char **next)
{
    sd_bus_message *call = new_call("org.virtward.Host1", "RunHook");
    const char *xml = *next;
    char name[64];

    if (sscanf(strstr(xml, "<name>"), "<name>%63[^<]", name) != 1)
        check(-EINVAL, "name");
    *next += strlen(xml) + 1;
    check(sd_bus_message_append(call, "ssss", name, "start", "begin", xml), "RunHook");
    return call;
}

static int
on_answer(sd_bus_message *answer, void *user_data, sd_bus_error *error)
{
    answered++;
    if (!sd_bus_message_is_method_error(answer, NULL))
        return 0;
    if (!sd_bus_message_is_method_error(answer, "org.virtward.Error.Refused")) {
        fprintf(stderr, "bench-many: %s\n", sd_bus_message_get_error(answer)->message);
        exit(EXIT_FAILURE);
    }
    refused++;
    return 0;
}

static void
run(sd_bus_message *(*next_call)(const char **next), const char *xmls, unsigned int count)
{
    answered = refused = 0;
    for (unsigned int sent = 0; answered < count;) {
        for (; sent < count && sent - answered < UNDER_WAY; sent++) {
            sd_bus_message *call = next_call(&xmls);

            check(sd_bus_call_async(bus, NULL, call, on_answer, NULL, 0), "call");
            sd_bus_message_unref(call);
        }
        if (check(sd_bus_process(bus, NULL), "the system bus") == 0)
            check(sd_bus_wait(bus, UINT64_MAX), "the system bus");
    }
}

static long long
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static char *
read_xmls(const char *path, unsigned int *count)
{
    FILE *file = fopen(path, "re");
    char *xmls = calloc(1, MAX_SIZE + 1);
    size_t size;

    if (!file)
        check(-errno, path);
    size = fread(xmls, 1, MAX_SIZE, file);
    fclose(file);
    for (const char *end = xmls; (end = memchr(end, 0, xmls + size - end)); end++)
        ++*count;
    return xmls;
}

int
main(int argc, char **argv)
{
    int starts = argc == 4 && strcmp(argv[1], "starts") == 0;
    unsigned int count = 0;
    char *xmls = NULL;

    if (!starts && (argc != 4 || strcmp(argv[1], "pings") != 0)) {
        fputs("bench-many: see its source for how it is called\n", stderr);
        return EXIT_FAILURE;
    }
    check(sd_bus_open_system(&bus), "the system bus");
    if (starts)
        xmls = read_xmls(argv[2], &count);
    else
        count = atoi(argv[2]);
    for (int i = 0; i < atoi(argv[3]); i++) {
        long long start = now();

        run(starts ? new_start : new_ping, xmls, count);
        printf("%lld %u %u\n", now() - start, count, refused);
    }
    free(xmls);
    return EXIT_SUCCESS;
}
