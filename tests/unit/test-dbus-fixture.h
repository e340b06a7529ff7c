/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-dbus-fixture.h: the core on libvirt's test driver and the simulated machine, its objects on
 * a private bus, and a client that asks them
 */
#pragma once

#include <glib/gstdio.h>
#include <libvirt/libvirt.h>

#include "test-dbus-client.h"
#include "test-stop.h"
#include "ward-exporter.h"
#include "ward-providers.h"
#include "ward-xml.h"

#define URI "test:///default"
#define UUID "6d0a9a44-6d16-4a3d-9a43-00000000000d"
#define PATH "/org/virtward/domain/_6d0a9a44_6d16_4a3d_9a43_00000000000d"
#define PROTECTION(body)                                                                           \
    "<ward:protection xmlns:ward='" WARD_XML_NAMESPACE "'>" body "</ward:protection>"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define PROPERTIES "org.freedesktop.DBus.Properties"

typedef struct {
    TestBus *bus;
    GDBusConnection *service;
    GDBusConnection *client;
    char *state_dir;
    WardProvider *provider;
    WardManager *manager;
    WardExporter *exporter;
    virConnectPtr conn;
    virDomainPtr dom;
    GString *signals; /* "member argument…\n" of each signal that the client got */
} Fixture;

static inline void
on_signal(GDBusConnection *connection,
          const char *sender,
          const char *path,
          const char *interface,
          const char *member,
          GVariant *arguments,
          gpointer user_data)
{
    Fixture *f = user_data;
    g_autofree char *text = g_variant_print(arguments, FALSE);

    g_string_append_printf(f->signals, "%s.%s %s\n", path, member, text);
}

static inline void
define(Fixture *f, const char *protection)
{
    g_autofree char *xml = g_strdup_printf(
        "<domain type='test'><name>guest</name><uuid>" UUID "</uuid><memory unit='MiB'>16</memory>"
        "<os><type>hvm</type></os><metadata>%s</metadata></domain>",
        protection);

    f->dom = virDomainDefineXML(f->conn, xml);
    g_assert_nonnull(f->dom);
}

static inline void
set_up(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    f->bus = test_bus_start();
    f->service = connect_to_test_bus(f->bus);
    f->client = connect_to_test_bus(f->bus);
    f->signals = g_string_new("");
    g_dbus_connection_signal_subscribe(f->client, g_dbus_connection_get_unique_name(f->service),
                                       NULL, NULL, NULL, NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_signal,
                                       f, NULL);
    f->state_dir = g_dir_make_tmp("ward-dbus-export-XXXXXX", NULL);
    f->provider = ward_simulated_provider_new(f->state_dir, &error);
    g_assert_no_error(error);
    f->manager = ward_manager_new(URI, f->state_dir, f->provider);
    f->exporter = ward_exporter_new(f->manager, G_BUS_TYPE_SESSION);
    ward_exporter_set_connection(f->exporter, f->service);
    ward_manager_start(f->manager);
    f->conn = virConnectOpen(URI);
    g_assert_nonnull(f->conn);
    WAIT(ward_manager_lookup_domain(f->manager, "test", NULL));
}

static inline void
tear_down(Fixture *f, gconstpointer data)
{
    g_autoptr(GDir) dir = NULL;
    const char *name;

    if (f->dom) {
        if (virDomainIsActive(f->dom) == 1)
            virDomainDestroy(f->dom);
        virDomainUndefine(f->dom);
        virDomainFree(f->dom);
    }
    virConnectClose(f->conn);
    g_object_unref(f->exporter);
    stop_and_wait(&f->manager, &f->provider);
    g_dbus_connection_close_sync(f->client, NULL, NULL);
    g_dbus_connection_close_sync(f->service, NULL, NULL);
    g_object_unref(f->client);
    g_object_unref(f->service);
    test_bus_stop(f->bus);
    dir = g_dir_open(f->state_dir, 0, NULL);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(f->state_dir, name, NULL);

        g_unlink(path);
    }
    g_rmdir(f->state_dir);
    g_free(f->state_dir);
    g_string_free(f->signals, TRUE);
}

static inline GVariant *
ask(Fixture *f,
    const char *path,
    const char *interface,
    const char *method,
    GVariant *arguments,
    GError **error)
{
    return call(f->client, g_dbus_connection_get_unique_name(f->service), path, interface, method,
                arguments, error);
}

/* A whole inventory as text, for its parts to be looked for. */
static inline char *
inventory(Fixture *f)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        ask(f, WARD_DBUS_PATH, OBJECT_MANAGER, "GetManagedObjects", NULL, &error);

    g_assert_no_error(error);
    return g_variant_print(reply, FALSE);
}

static inline gboolean
inventory_has(Fixture *f, const char *part)
{
    g_autofree char *text = inventory(f);

    return strstr(text, part) != NULL;
}

/* One property, or NULL when there is no such object, interface or property. */
static inline GVariant *
get(Fixture *f, const char *path, const char *interface, const char *property)
{
    g_autoptr(GVariant) reply =
        ask(f, path, PROPERTIES, "Get", g_variant_new("(ss)", interface, property), NULL);
    g_autoptr(GVariant) boxed = reply ? g_variant_get_child_value(reply, 0) : NULL;

    return boxed ? g_variant_get_variant(boxed) : NULL;
}

static inline gboolean
has(Fixture *f, const char *interface, const char *property, const char *value)
{
    g_autoptr(GVariant) found = get(f, PATH, interface, property);

    return found && g_str_equal(g_variant_get_string(found, NULL), value);
}

static inline gboolean
saw(Fixture *f, const char *part)
{
    return strstr(f->signals->str, part) != NULL;
}

static inline void
assert_refused(Fixture *f,
               const char *interface,
               const char *method,
               GVariant *arguments,
               WardError code,
               const char *word)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = ask(f, PATH, interface, method, arguments, &error);

    g_assert_null(reply);
    g_assert_error(error, WARD_ERROR, (int)code);
    if (!strstr(error->message, word))
        g_error("'%s' is not in: %s", word, error->message);
}

static inline void
assert_done(Fixture *f, const char *interface, const char *method, GVariant *arguments)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = ask(f, PATH, interface, method, arguments, &error);

    g_assert_no_error(error);
    g_assert_nonnull(reply);
}

/* Whether the daemon has read the domain: it is listed a moment before. */
static inline gboolean
is_read(Fixture *f)
{
    g_autoptr(GVariant) reply = ask(f, PATH, WARD_DBUS_INTERFACE_DOMAIN, "GetProtection",
                                    g_variant_new("(u)", WARD_AFFECT_CONFIG), NULL);

    return reply != NULL;
}

/* Starts the domain, with these protections, and waits until they are in force. */
static inline void
start_protected(Fixture *f, const char *protection)
{
    define(f, protection);
    g_assert_cmpint(virDomainCreate(f->dom), ==, 0);
    WAIT(has(f, WARD_DBUS_INTERFACE_DOMAIN, "Status", "protected"));
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

static inline void
init_test(int *argc, char ***argv)
{
    g_test_init(argc, argv, NULL);
    /* The core may warn, about the simulated machine for one. */
    g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
    ward_dbus_error_register();
}
