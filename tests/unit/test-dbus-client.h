/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-dbus-client.h: a private bus, and a client that makes plain calls on it
 *
 * Service and client live in one process and one main loop, on connections of their own. The
 * library of the daemon is what serves; nothing of it is replaced.
 */
#pragma once

#include <gio/gio.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test-wait.h"
#include "ward-dbus-error.h"
#include "ward-dbus-names.h"

static inline void
on_test_result(GObject *source, GAsyncResult *result, gpointer user_data)
{
    *(GAsyncResult **)user_data = g_object_ref(result);
}

/* A dbus-daemon of our own. GTestDBus cannot be started and stopped many times in one process. */
typedef struct {
    GPid pid;
    char *address;
} TestBus;

static inline TestBus *
test_bus_start(void)
{
    const char *const argv[] = {"dbus-daemon", "--session", "--nofork", "--print-address=1", NULL};
    TestBus *bus = g_new0(TestBus, 1);
    char address[256] = "";
    int out;

    g_assert_true(g_spawn_async_with_pipes(NULL, (char **)argv, NULL,
                                           G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD |
                                               G_SPAWN_STDERR_TO_DEV_NULL,
                                           NULL, NULL, &bus->pid, NULL, &out, NULL, NULL));
    g_assert_cmpint(read(out, address, sizeof(address) - 1), >, 0);
    close(out);
    bus->address = g_strdup(g_strstrip(address));
    g_setenv("DBUS_SESSION_BUS_ADDRESS", bus->address, TRUE);
    return bus;
}

static inline void
test_bus_stop(TestBus *bus)
{
    kill(bus->pid, SIGKILL);
    waitpid(bus->pid, NULL, 0);
    g_spawn_close_pid(bus->pid);
    g_free(bus->address);
    g_free(bus);
}

static inline GDBusConnection *
connect_to_test_bus(TestBus *bus)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *connection =
        g_dbus_connection_new_for_address_sync(bus->address,
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, &error);

    g_assert_no_error(error);
    return connection;
}

/* The reply, or NULL and an error without GDBus's prefix. @arguments may be floating, or NULL. */
static inline GVariant *
call(GDBusConnection *client,
     const char *name,
     const char *path,
     const char *interface,
     const char *method,
     GVariant *arguments,
     GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;
    GVariant *reply;

    g_dbus_connection_call(client, name, path, interface, method, arguments, NULL,
                           G_DBUS_CALL_FLAGS_NONE, -1, NULL, on_test_result, &result);
    WAIT(result);
    reply = g_dbus_connection_call_finish(client, result, error);
    if (!reply && error)
        g_dbus_error_strip_remote_error(*error);
    return reply;
}
