/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtwardd.c: the daemon: options, and what holds the parts together
 *
 * The order at start: the name on the bus first, so that of two daemons only one ever touches
 * libvirt; then libvirt.
 */
#include <errno.h>
#include <glib-unix.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "providers/ward-providers.h"
#include "ward-bus.h"
#include "ward-dbus-error.h"
#include "ward-exporter.h"

#define MAX_HEAP_BLOCK (128 * 1024) /* what glibc begins with */
#define MAX_CPU_WEIGHT 10000        /* the kernel's cgroup-v2.rst */

typedef struct {
    char *uri;
    char *provider;
    char *bus;
    char *state_dir;
    int max_teardowns;
    int teardown_weight;
    gboolean verbose;
    gboolean version;
} Options;

typedef struct {
    GMainLoop *loop;
    WardManager *manager;
    WardExporter *exporter;
    WardBus *bus;
    gboolean started;  /* the manager was */
    gboolean stopping; /* and is not any more */
    gboolean failed;
} Daemon;

/* callbacks */
static void on_bus_opened(WardBus *bus, GDBusConnection *connection, gpointer user_data);
static void on_bus_acquired(WardBus *bus, gpointer user_data);
static void on_bus_closed(WardBus *bus, gpointer user_data);
static void on_bus_failed(WardBus *bus, const char *why, gpointer user_data);
static void on_ready(WardManager *manager, gpointer user_data);
static gboolean on_terminate(gpointer user_data);
static gboolean on_last(gpointer user_data);
/* helpers */
static gboolean parse_options(int argc, char **argv, Options *options, GError **error);
static gboolean complete_options(Options *options, GBusType *bus, GError **error);
static gboolean make_state_dir(const char *path, GError **error);
static gboolean run(const Options *options, GBusType bus, GError **error);
static void options_clear(Options *options);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

int
main(int argc, char **argv)
{
    g_auto(Options) options = {0};
    g_autoptr(GError) error = NULL;
    GBusType bus;

    /* Threads come and go here. An arena for each would keep what they left, three times what the
     * daemon uses; none of them allocates enough to be held up by another. */
    mallopt(M_ARENA_MAX, 1);
    /* What is large is freed soon, the answer to an inventory above all. glibc would take the next
     * from the heap, which then stays as large. */
    mallopt(M_MMAP_THRESHOLD, MAX_HEAP_BLOCK);

    /* The journal when stderr is connected to it, else stderr: never stdout. */
    g_log_writer_default_set_use_stderr(TRUE);

    if (!parse_options(argc, argv, &options, &error) ||
        (!options.version && !complete_options(&options, &bus, &error))) {
        fprintf(stderr, "virtwardd: %s; see virtwardd --help\n", error->message);
        return EXIT_FAILURE;
    }
    if (options.version) {
        puts("virtwardd " WARD_VERSION);
        return EXIT_SUCCESS;
    }
    if (options.verbose)
        g_setenv("G_MESSAGES_DEBUG", G_LOG_DOMAIN, FALSE);
    if (!run(&options, bus, &error)) {
        if (error)
            g_printerr("virtwardd: %s\n", error->message);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static gboolean
run(const Options *options, GBusType bus, GError **error)
{
    g_autoptr(WardProvider) provider = NULL;
    g_autoptr(WardManager) manager = NULL;
    g_autoptr(WardExporter) exporter = NULL;
    g_autoptr(WardBus) name = ward_bus_new(bus);
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    Daemon daemon = {.loop = loop, .bus = name};

    if (!make_state_dir(options->state_dir, error))
        return FALSE;
    provider = ward_providers_create(options->provider, options->state_dir, error);
    if (!provider)
        return FALSE;
    ward_dbus_error_register();
    daemon.manager = manager = ward_manager_new(options->uri, options->state_dir, provider);
    ward_manager_set_max_teardowns(manager, options->max_teardowns);
    ward_manager_set_teardown_weight(manager, options->teardown_weight);
    daemon.exporter = exporter = ward_exporter_new(manager, bus);
    g_signal_connect(manager, "ready", G_CALLBACK(on_ready), NULL);
    if (ward_manager_get_simulated(manager))
        g_warning("the host is simulated: no protection is real");

    g_signal_connect(name, "opened", G_CALLBACK(on_bus_opened), &daemon);
    g_signal_connect(name, "acquired", G_CALLBACK(on_bus_acquired), &daemon);
    g_signal_connect(name, "closed", G_CALLBACK(on_bus_closed), &daemon);
    g_signal_connect(name, "failed", G_CALLBACK(on_bus_failed), &daemon);
    g_unix_signal_add(SIGTERM, on_terminate, &daemon);
    g_unix_signal_add(SIGINT, on_terminate, &daemon);

    ward_bus_start(name);
    g_main_loop_run(loop);
    ward_bus_stop(name);
    ward_exporter_set_connection(exporter, NULL);
    return !daemon.failed;
}

static void
on_bus_opened(WardBus *bus, GDBusConnection *connection, gpointer user_data)
{
    Daemon *daemon = user_data;

    ward_exporter_set_connection(daemon->exporter, connection);
}

/* Also after the bus was lost and came back; libvirt was there all the time. */
static void
on_bus_acquired(WardBus *bus, gpointer user_data)
{
    Daemon *daemon = user_data;

    if (daemon->started)
        return;
    daemon->started = TRUE;
    ward_manager_start(daemon->manager);
}

static void
on_bus_closed(WardBus *bus, gpointer user_data)
{
    Daemon *daemon = user_data;

    ward_exporter_set_connection(daemon->exporter, NULL);
}

/* All domains were read at once: most of what that took lies between what was kept of them. */
static void
on_ready(WardManager *manager, gpointer user_data)
{
    malloc_trim(0);
}

static void
on_bus_failed(WardBus *bus, const char *why, gpointer user_data)
{
    Daemon *daemon = user_data;

    g_printerr("virtwardd: %s\n", why);
    daemon->failed = TRUE;
    on_terminate(daemon);
}

/* What the manager ends is still answered: the loop goes on until nothing is left to be done. */
static gboolean
on_terminate(gpointer user_data)
{
    Daemon *daemon = user_data;

    if (daemon->stopping) { /* asked twice: at once, then */
        on_last(daemon);
        return G_SOURCE_CONTINUE;
    }
    daemon->stopping = TRUE;
    if (daemon->started)
        ward_manager_stop(daemon->manager);
    g_idle_add_full(G_PRIORITY_LOW, on_last, daemon, NULL);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_last(gpointer user_data)
{
    Daemon *daemon = user_data;

    g_main_loop_quit(daemon->loop);
    return G_SOURCE_REMOVE;
}

static gboolean
parse_options(int argc, char **argv, Options *options, GError **error)
{
    /* FILENAME: words as they come. A STRING is converted to UTF-8, for which a daemon, whose
     * locale is "C", would load iconv and its tables, and keep them. */
    const GOptionEntry entries[] = {
        {"uri", 0, 0, G_OPTION_ARG_FILENAME, &options->uri,
         "The libvirt to watch (qemu:///system as root, else qemu:///session)", "URI"},
        {"provider", 0, 0, G_OPTION_ARG_FILENAME, &options->provider,
         "What does the work: auto, control, stock or simulated (auto)", "NAME"},
        {"bus", 0, 0, G_OPTION_ARG_FILENAME, &options->bus,
         "system or session (system as root, else session)", "NAME"},
        {"state-dir", 0, 0, G_OPTION_ARG_FILENAME, &options->state_dir,
         "What must outlive the daemon but not the host (/run/virtward)", "DIR"},
        {"max-teardowns", 0, 0, G_OPTION_ARG_INT, &options->max_teardowns,
         "How many domains may have a teardown at once (no limit)", "NUMBER"},
        {"teardown-cpu-weight", 0, 0, G_OPTION_ARG_INT, &options->teardown_weight,
         "cpu.weight of a teardown, 1 to 10000 (as the domain's other threads)", "WEIGHT"},
        {"verbose", 0, 0, G_OPTION_ARG_NONE, &options->verbose, "Log what happens", NULL},
        {"version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_summary(context, "Keeps the protections of libvirt domains true.");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, error))
        return FALSE;
    if (argc > 1) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "unexpected argument '%s'",
                    argv[1]);
        return FALSE;
    }
    if (options->uri && !g_utf8_validate(options->uri, -1, NULL)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "the URI is not UTF-8");
        return FALSE;
    }
    return TRUE;
}

/* Puts the defaults in. */
static gboolean
complete_options(Options *options, GBusType *bus, GError **error)
{
    gboolean root = geteuid() == 0;

    if (!options->bus)
        options->bus = g_strdup(root ? "system" : "session");
    if (!options->uri)
        options->uri = g_strdup(root ? "qemu:///system" : "qemu:///session");
    if (!options->provider)
        options->provider = g_strdup("auto");
    if (!options->state_dir)
        options->state_dir = root ? g_strdup("/run/virtward")
                                  : g_build_filename(g_get_user_runtime_dir(), "virtward", NULL);

    if (g_str_equal(options->bus, "system")) {
        *bus = G_BUS_TYPE_SYSTEM;
    } else if (g_str_equal(options->bus, "session")) {
        *bus = G_BUS_TYPE_SESSION;
    } else {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--bus is 'system' or 'session', not '%s'", options->bus);
        return FALSE;
    }
    if (options->max_teardowns < 0) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--max-teardowns is 1 or more, or 0 for no limit, not %d",
                    options->max_teardowns);
        return FALSE;
    }
    if (options->teardown_weight < 0 || options->teardown_weight > MAX_CPU_WEIGHT) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--teardown-cpu-weight is 1 to %d, or 0 to leave it, not %d", MAX_CPU_WEIGHT,
                    options->teardown_weight);
        return FALSE;
    }
    if (!g_path_is_absolute(options->state_dir)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--state-dir is an absolute path, not '%s'", options->state_dir);
        return FALSE;
    }
    return TRUE;
}

static gboolean
make_state_dir(const char *path, GError **error)
{
    if (g_mkdir_with_parents(path, 0700) == 0)
        return TRUE;
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                "cannot make the state directory '%s': %s", path, g_strerror(errno));
    return FALSE;
}

static void
options_clear(Options *options)
{
    g_free(options->uri);
    g_free(options->provider);
    g_free(options->bus);
    g_free(options->state_dir);
}
