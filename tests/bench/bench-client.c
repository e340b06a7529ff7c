/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-client: the measured side of `make bench`
 *
 *   bench-client managed  NAME PATH RUNS              one GetManagedObjects
 *   bench-client each     NAME PATH INTERFACE DOMAIN-INTERFACE RUNS
 *                                                     ListDomains, then GetAll of each
 *   bench-client property NAME PATH INTERFACE PROPERTY RUNS
 *   bench-client ping     NAME PATH RUNS              a call that does nothing
 *   bench-client attach   NAME PATH RUNS              Introspection1.Attach; Detach is not counted
 *   bench-client appear   NAME FILE INTERFACE PROPERTY RUNS
 *                                                     until each of the objects in FILE, one path a
 *                                                     line, has the property
 *   bench-client hook     DOMAIN FILE RUNS            Host1.RunHook start begin, without the hook
 *   bench-client spawn    FILE RUNS PROGRAM [ARGUMENT...]
 *                                                     a process with FILE as its input, to its end
 *
 * All speak to the system bus. Prints one line a run: microseconds, and how many objects it saw.
 * Replies are read to their last value, since a client that reads nothing needs no reply. By sd-bus
 * and not by GDBus, whose own cost for a large reply would hide the daemons'.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

static sd_bus *bus;

static void
check(int result, const char *what)
{
    if (result >= 0)
        return;
    fprintf(stderr, "bench-client: %s: %s\n", what, strerror(-result));
    exit(EXIT_FAILURE);
}

static sd_bus_message *
new_call(const char *name, const char *path, const char *interface, const char *method)
{
    sd_bus_message *call;

    check(sd_bus_message_new_method_call(bus, &call, name, path, interface, method), method);
    return call;
}

/* Takes @call. */
static sd_bus_message *
send_call(sd_bus_message *call)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply;

    if (sd_bus_call(bus, call, 0, &error, &reply) < 0) {
        fprintf(stderr, "bench-client: %s: %s\n", sd_bus_message_get_member(call),
                error.message ? error.message : strerror(errno));
        exit(EXIT_FAILURE);
    }
    sd_bus_message_unref(call);
    return reply;
}

static unsigned int
inventory_managed(char **args)
{
    sd_bus_message *reply = send_call(
        new_call(args[0], args[1], "org.freedesktop.DBus.ObjectManager", "GetManagedObjects"));
    unsigned int count = 0;

    check(sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}"), "GetManagedObjects");
    while (sd_bus_message_skip(reply, "{oa{sa{sv}}}") > 0)
        count++;
    sd_bus_message_unref(reply);
    return count;
}

static void
get_all(const char *name, const char *path, const char *interface)
{
    sd_bus_message *call = new_call(name, path, "org.freedesktop.DBus.Properties", "GetAll");
    sd_bus_message *reply;

    check(sd_bus_message_append(call, "s", interface), "GetAll");
    reply = send_call(call);
    check(sd_bus_message_skip(reply, "a{sv}"), "GetAll");
    sd_bus_message_unref(reply);
}

static unsigned int
inventory_each(char **args)
{
    sd_bus_message *call = new_call(args[0], args[1], args[2], "ListDomains");
    sd_bus_message *reply;
    const char *path;
    unsigned int count = 0;

    check(sd_bus_message_append(call, "u", 0), "ListDomains");
    reply = send_call(call);
    check(sd_bus_message_enter_container(reply, 'a', "o"), "ListDomains");
    while (sd_bus_message_read(reply, "o", &path) > 0) {
        get_all(args[0], path, args[3]);
        count++;
    }
    sd_bus_message_unref(reply);
    return count;
}

static unsigned int
property(char **args)
{
    sd_bus_message *call = new_call(args[0], args[1], "org.freedesktop.DBus.Properties", "Get");
    sd_bus_message *reply;

    check(sd_bus_message_append(call, "ss", args[2], args[3]), "Get");
    reply = send_call(call);
    check(sd_bus_message_skip(reply, "v"), "Get");
    sd_bus_message_unref(reply);
    return 1;
}

static unsigned int
call(char **args, const char *interface, const char *method)
{
    sd_bus_message_unref(send_call(new_call(args[0], args[1], interface, method)));
    return 1;
}

static unsigned int
ping(char **args)
{
    return call(args, "org.freedesktop.DBus.Peer", "Ping");
}

static unsigned int
attach(char **args)
{
    return call(args, "org.virtward.Introspection1", "Attach");
}

static void
detach(char **args)
{
    call(args, "org.virtward.Introspection1", "Detach");
}

/* Must not start the daemon: the bus would start another than the one that is measured. */
static bool
has_property(char **args, const char *path)
{
    sd_bus_message *call = new_call(args[0], path, "org.freedesktop.DBus.Properties", "Get");
    sd_bus_message *reply = NULL;
    int result;

    check(sd_bus_message_append(call, "ss", args[2], args[3]), "Get");
    check(sd_bus_message_set_auto_start(call, false), "Get");
    result = sd_bus_call(bus, call, 0, NULL, &reply);
    sd_bus_message_unref(call);
    sd_bus_message_unref(reply);
    return result >= 0;
}

static unsigned int
appear(char **args)
{
    FILE *file = fopen(args[1], "re");
    char path[256];
    unsigned int count = 0;

    if (!file)
        check(-errno, args[1]);
    alarm(60); /* for a daemon that never comes */
    for (; fscanf(file, "%255s", path) == 1; count++) {
        while (!has_property(args, path))
            usleep(2000);
    }
    fclose(file);
    return count;
}

static unsigned int
hook(char **args)
{
    static char xml[65536];
    FILE *file = fopen(args[1], "re");
    sd_bus_message *call =
        new_call("org.virtward", "/org/virtward/host", "org.virtward.Host1", "RunHook");
    size_t size;

    if (!file)
        check(-errno, args[1]);
    size = fread(xml, 1, sizeof(xml) - 1, file);
    xml[size] = '\0';
    fclose(file);
    check(sd_bus_message_append(call, "ssss", args[0], "start", "begin", xml), "RunHook");
    sd_bus_message_unref(send_call(call));
    return 1;
}

/* args: FILE, the program, its arguments. */
static unsigned int
spawn(char **args)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, args[0], O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    check(-posix_spawn(&pid, args[1], &actions, NULL, args + 1, environ), args[1]);
    posix_spawn_file_actions_destroy(&actions);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        check(-ECHILD, args[1]);
    return 1;
}

static const struct {
    const char *name;
    int n_args; /* without the number of runs */
    unsigned int (*run)(char **args);
    void (*prepare)(char **args); /* before each run, not measured; NULL: nothing */
} measures[] = {
    {"managed", 2, inventory_managed},
    {"each", 4, inventory_each},
    {"property", 4, property},
    {"ping", 2, ping},
    {"attach", 2, attach, detach},
    {"appear", 4, appear},
    {"hook", 2, hook},
};

static long long
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static void
measure(unsigned int (*run)(char **args), void (*prepare)(char **args), char **args, int runs)
{
    for (int i = 0; i < runs; i++) {
        long long start;
        unsigned int count;

        if (prepare)
            prepare(args);
        start = now();
        count = run(args);
        printf("%lld %u\n", now() - start, count);
    }
}

int
main(int argc, char **argv)
{
    if (argc >= 5 && strcmp(argv[1], "spawn") == 0) {
        int runs = atoi(argv[3]);

        argv[3] = argv[2];
        measure(spawn, NULL, argv + 3, runs);
        return EXIT_SUCCESS;
    }
    check(sd_bus_open_system(&bus), "the system bus");
    for (size_t i = 0; argc > 1 && i < sizeof(measures) / sizeof(*measures); i++) {
        if (strcmp(argv[1], measures[i].name) == 0 && argc == measures[i].n_args + 3) {
            measure(measures[i].run, measures[i].prepare, argv + 2, atoi(argv[argc - 1]));
            return EXIT_SUCCESS;
        }
    }
    fputs("bench-client: see its source for how it is called\n", stderr);
    return EXIT_FAILURE;
}
