/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's place on the bus: taken once, kept up, given back. */
#include <unistd.h>

#include "test-dbus-client.h"
#include "ward-bus.h"

typedef struct {
    TestBus *bus;
    GString *events;
} Fixture;

static void
on_opened(WardBus *bus, GDBusConnection *connection, Fixture *f)
{
    g_assert_true(G_IS_DBUS_CONNECTION(connection));
    g_string_append(f->events, "opened ");
}

static void
on_acquired(WardBus *bus, Fixture *f)
{
    g_string_append(f->events, "acquired ");
}

static void
on_closed(WardBus *bus, Fixture *f)
{
    g_string_append(f->events, "closed ");
}

static void
on_failed(WardBus *bus, const char *why, Fixture *f)
{
    g_string_append_printf(f->events, "failed: %s", why);
}

static WardBus *
start(Fixture *f)
{
    WardBus *bus = ward_bus_new(G_BUS_TYPE_SESSION);

    g_signal_connect(bus, "opened", G_CALLBACK(on_opened), f);
    g_signal_connect(bus, "acquired", G_CALLBACK(on_acquired), f);
    g_signal_connect(bus, "closed", G_CALLBACK(on_closed), f);
    g_signal_connect(bus, "failed", G_CALLBACK(on_failed), f);
    ward_bus_start(bus);
    return bus;
}

static gboolean
happened(Fixture *f, const char *events)
{
    return g_str_equal(f->events->str, events);
}

static void
set_up(Fixture *f, gconstpointer data)
{
    f->events = g_string_new("");
    f->bus = test_bus_start();
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    test_bus_stop(f->bus);
    g_string_free(f->events, TRUE);
}

static gboolean
name_has_owner(Fixture *f)
{
    g_autoptr(GDBusConnection) client = connect_to_test_bus(f->bus);
    g_autoptr(GVariant) reply =
        call(client, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
             "NameHasOwner", g_variant_new("(s)", WARD_DBUS_NAME), NULL);
    gboolean owned;

    g_variant_get(reply, "(b)", &owned);
    g_dbus_connection_close_sync(client, NULL, NULL);
    return owned;
}

static void
takes_the_name_and_gives_it_back(Fixture *f, gconstpointer data)
{
    g_autoptr(WardBus) bus = start(f);

    WAIT(happened(f, "opened acquired "));
    g_assert_true(name_has_owner(f));
    ward_bus_stop(bus);
    WAIT(!name_has_owner(f));
    g_assert_true(happened(f, "opened acquired "));
}

static void
a_second_one_fails_and_names_the_first(Fixture *f, gconstpointer data)
{
    g_autofree char *pid = g_strdup_printf("process %d ", getpid());
    g_autoptr(WardBus) first = start(f);
    g_autoptr(WardBus) second = NULL;

    WAIT(happened(f, "opened acquired "));
    g_string_truncate(f->events, 0);
    second = start(f);
    WAIT(strstr(f->events->str, "failed: "));
    g_assert_true(g_str_has_prefix(f->events->str, "opened failed: "));
    g_assert_nonnull(strstr(f->events->str, pid));
    g_assert_nonnull(strstr(f->events->str, WARD_DBUS_NAME));
    g_assert_true(name_has_owner(f));
    ward_bus_stop(second);
    ward_bus_stop(first);
}

static void
comes_back_with_the_bus(Fixture *f, gconstpointer data)
{
    g_autoptr(WardBus) bus = start(f);

    WAIT(happened(f, "opened acquired "));
    test_bus_stop(f->bus);
    WAIT(happened(f, "opened acquired closed "));

    f->bus = test_bus_start();
    WAIT(happened(f, "opened acquired closed opened acquired "));
    g_assert_true(name_has_owner(f));
    ward_bus_stop(bus);
}

static void
no_bus_at_the_start_is_an_error(Fixture *f, gconstpointer data)
{
    g_autoptr(WardBus) bus = NULL;
    g_autofree char *address = g_strdup(g_getenv("DBUS_SESSION_BUS_ADDRESS"));

    g_setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus", TRUE);
    bus = start(f);
    WAIT(f->events->len > 0);
    g_assert_true(g_str_has_prefix(f->events->str, "failed: cannot connect to the session bus"));
    g_assert_nonnull(strstr(f->events->str, "/nowhere/bus"));
    g_setenv("DBUS_SESSION_BUS_ADDRESS", address, TRUE);
}

static void
stopped_before_it_connected_says_nothing(Fixture *f, gconstpointer data)
{
    g_autoptr(WardBus) bus = start(f);

    ward_bus_stop(bus);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    g_assert_false(name_has_owner(f));
    g_assert_true(happened(f, ""));
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    /* The loss of the bus is worth a warning, and is what is tested. */
    g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
    ADD("/name/taken-and-given-back", takes_the_name_and_gives_it_back);
    ADD("/name/second", a_second_one_fails_and_names_the_first);
    ADD("/bus/comes-back", comes_back_with_the_bus);
    ADD("/bus/none", no_bus_at_the_start_is_an_error);
    ADD("/bus/stopped-early", stopped_before_it_connected_says_nothing);
    return g_test_run();
}
