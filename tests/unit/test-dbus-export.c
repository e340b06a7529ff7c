/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a client sees of the core: objects, properties, signals. */
#include "test-dbus-fixture.h"

static void
host_says_what_it_is(Fixture *f, gconstpointer data)
{
    g_autoptr(GVariant) simulated =
        get(f, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST, "Simulated");
    g_autoptr(GVariant) uri = get(f, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST, "Uri");
    g_autoptr(GVariant) capabilities =
        get(f, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST, "Capabilities");

    g_assert_true(g_variant_get_boolean(simulated));
    g_assert_cmpstr(g_variant_get_string(uri, NULL), ==, URI);
    g_assert_cmpuint(g_variant_n_children(capabilities), ==, WARD_N_PROTECTIONS);
    for (WardProtection p = 0; p < WARD_N_PROTECTIONS; p++) {
        g_autoptr(GVariant) support = g_variant_lookup_value(
            capabilities, ward_protection_to_string(p), G_VARIANT_TYPE("(bss)"));

        g_assert_nonnull(support);
    }
}

static void
inventory_follows_every_change(Fixture *f, gconstpointer data)
{
    g_assert_false(inventory_has(f, PATH));
    define(f, "");
    WAIT(inventory_has(f, PATH));
    WAIT(is_read(f));
    g_assert_true(inventory_has(f, "'Name': <'guest'>"));
    g_assert_false(inventory_has(f, "org.virtward.Isolation1"));

    assert_done(f, WARD_DBUS_INTERFACE_DOMAIN, "SetProtection",
                g_variant_new("(su)", PROTECTION("<ward:isolation/>"), WARD_AFFECT_CONFIG));
    g_assert_true(inventory_has(f, "org.virtward.Isolation1"));
    g_assert_true(inventory_has(f, "'Status': <'pending'>"));

    /* An interface comes and goes, and nothing else about the domain changes. */
    assert_done(f, WARD_DBUS_INTERFACE_DOMAIN, "SetProtection",
                g_variant_new("(su)", PROTECTION("<ward:teardown/>"),
                              WARD_AFFECT_CONFIG | WARD_AFFECT_UPDATE));
    g_assert_true(inventory_has(f, "org.virtward.Teardown1"));
    assert_done(f, WARD_DBUS_INTERFACE_DOMAIN, "SetProtection",
                g_variant_new("(su)", PROTECTION("<ward:isolation/>"), WARD_AFFECT_CONFIG));
    g_assert_false(inventory_has(f, "org.virtward.Teardown1"));

    g_assert_cmpint(virDomainCreate(f->dom), ==, 0);
    WAIT(inventory_has(f, "'Status': <'protected'>"));
    g_assert_cmpint(virDomainDestroy(f->dom), ==, 0);
    WAIT(inventory_has(f, "'Status': <'pending'>"));

    assert_done(f, WARD_DBUS_INTERFACE_DOMAIN, "ClearProtection",
                g_variant_new("(u)", WARD_AFFECT_CONFIG));
    g_assert_false(inventory_has(f, "org.virtward.Isolation1"));
    g_assert_cmpint(virDomainUndefine(f->dom), ==, 0);
    WAIT(!inventory_has(f, PATH));
}

static void
inventory_is_what_get_all_says(Fixture *f, gconstpointer data)
{
    g_autofree char *all = NULL, *whole = NULL;
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) dictionary = NULL;

    start_protected(f, PROTECTION("<ward:teardown/><ward:isolation/>"));
    reply = ask(f, PATH, PROPERTIES, "GetAll", g_variant_new("(s)", WARD_DBUS_INTERFACE_TEARDOWN),
                NULL);
    dictionary = g_variant_get_child_value(reply, 0);
    all = g_variant_print(dictionary, FALSE);
    whole = inventory(f);
    g_assert_nonnull(strstr(whole, all));
}

static void
changes_are_signalled(Fixture *f, gconstpointer data)
{
    define(f, PROTECTION("<ward:isolation/>"));
    WAIT(saw(f, "/org/virtward.InterfacesAdded ('" PATH "', {'org.virtward.Domain1': {"));
    WAIT(saw(f, "{'org.virtward.Isolation1': {"));
    WAIT(has(f, WARD_DBUS_INTERFACE_DOMAIN, "Status", "pending"));

    g_assert_cmpint(virDomainCreate(f->dom), ==, 0);
    WAIT(saw(f, PATH ".PropertiesChanged ('org.virtward.Domain1'"));
    WAIT(saw(f, "'State': <'running'>"));
    WAIT(saw(f, "'Status': <'protected'>"));
    WAIT(saw(f, PATH ".PropertiesChanged ('org.virtward.Isolation1'"));

    assert_done(f, WARD_DBUS_INTERFACE_DOMAIN, "ClearProtection",
                g_variant_new("(u)", WARD_AFFECT_LIVE | WARD_AFFECT_CONFIG));
    WAIT(saw(f, "/org/virtward.InterfacesRemoved ('" PATH "', ['org.virtward.Isolation1'])"));
    g_assert_cmpint(virDomainDestroy(f->dom), ==, 0);
    g_assert_cmpint(virDomainUndefine(f->dom), ==, 0);
    WAIT(saw(f, "/org/virtward.InterfacesRemoved ('" PATH "', ['org.virtward.Domain1'])"));
}

/* Of the properties, only those that differ are in the signal. */
static void
what_did_not_change_is_not_signalled(Fixture *f, gconstpointer data)
{
    start_protected(f, PROTECTION("<ward:isolation/>"));
    g_string_truncate(f->signals, 0);
    assert_done(f, WARD_DBUS_INTERFACE_ISOLATION, "SetState",
                g_variant_new("(su)", "off", WARD_AFFECT_LIVE));
    WAIT(saw(f, "'State': <'off'>"));
    g_assert_true(saw(f, "'Wanted': <'off'>"));
    g_assert_false(saw(f, "Enforcement"));
    g_assert_false(saw(f, "org.virtward.Domain1"));
}

static guint64 counted;

static gboolean
count(WardProvider *provider,
      const WardTarget *target,
      WardIntrospectionStatistics *statistics,
      GError **error)
{
    g_assert_cmpstr(target->uuid, ==, UUID);
    g_assert_cmpstr(target->name, ==, "guest");
    if (!counted) {
        g_set_error_literal(error, WARD_ERROR, WARD_ERROR_NOT_FOUND, "no VM");
        return FALSE;
    }
    *statistics = (WardIntrospectionStatistics){
        .commands = counted,
        .errors = counted + 1,
        .events = counted + 2,
        .reply_times = {[17] = counted + 3},
    };
    return TRUE;
}

static void
assert_counts(Fixture *f, const char *property, const char *expected)
{
    g_autoptr(GVariant) value = get(f, PATH, WARD_DBUS_INTERFACE_INTROSPECTION, property);
    g_autofree char *text = value ? g_variant_print(value, TRUE) : NULL;

    g_assert_cmpstr(text, ==, expected);
}

/* Counters are read when they are asked for, and nobody is told of them otherwise. */
static void
counters_are_read_on_request(Fixture *f, gconstpointer data)
{
    g_autoptr(GVariant) reply = NULL;
    g_autofree char *all = NULL;

    WARD_PROVIDER_GET_IFACE(f->provider)->introspection_statistics = count;
    define(f, PROTECTION("<ward:introspection enforcement='preferred'><ward:socket type='unix' "
                         "path='/nobody'/></ward:introspection>"));
    WAIT(has(f, WARD_DBUS_INTERFACE_INTROSPECTION, "Status", "pending"));
    assert_counts(f, "Commands", "uint64 0");
    g_string_truncate(f->signals, 0);
    counted = 7;
    assert_counts(f, "Commands", "uint64 7");
    counted = 9;
    assert_counts(f, "Commands", "uint64 9");
    assert_counts(f, "Errors", "uint64 10");
    assert_counts(f, "Events", "uint64 11");
    assert_counts(f, "Socket", "'unix:/nobody'");
    reply = ask(f, PATH, PROPERTIES, "GetAll",
                g_variant_new("(s)", WARD_DBUS_INTERFACE_INTROSPECTION), NULL);
    all = g_variant_print(reply, FALSE);
    g_assert_nonnull(strstr(all, "'Socket': <'unix:/nobody'>"));
    g_assert_nonnull(strstr(all, "'Commands': <uint64 9>"));
    g_assert_nonnull(
        strstr(all, "'ReplyTimes': <[uint64 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "
                    "0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "
                    "0, 0, 0]>"));
    g_assert_true(inventory_has(f, "'Socket': <'unix:/nobody'>"));
    g_assert_false(inventory_has(f, "'Commands'"));
    g_assert_false(inventory_has(f, "'ReplyTimes'"));
    g_assert_cmpstr(f->signals->str, ==, "");
    assert_counts(f, "NoSuchProperty", NULL);
    WARD_PROVIDER_GET_IFACE(f->provider)->introspection_statistics = NULL;
}

static char *
introspect(Fixture *f, const char *path)
{
    g_autoptr(GVariant) reply =
        ask(f, path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL, NULL);
    char *xml = NULL;

    if (reply)
        g_variant_get(reply, "(s)", &xml);
    return xml;
}

static void
objects_can_be_browsed(Fixture *f, gconstpointer data)
{
    g_autofree char *root = NULL, *domains = NULL, *domain = NULL;

    define(f, PROTECTION("<ward:isolation/>"));
    WAIT(has(f, WARD_DBUS_INTERFACE_ISOLATION, "Status", "pending"));
    root = introspect(f, WARD_DBUS_PATH);
    g_assert_nonnull(strstr(root, "<node name=\"host\"/>"));
    g_assert_nonnull(strstr(root, "<node name=\"domain\"/>"));
    domains = introspect(f, WARD_DBUS_PATH "/domain");
    g_assert_nonnull(strstr(domains, "<node name=\"_6d0a9a44_6d16_4a3d_9a43_00000000000d\"/>"));
    domain = introspect(f, PATH);
    g_assert_nonnull(strstr(domain, "org.virtward.Domain1"));
    g_assert_nonnull(strstr(domain, "org.virtward.Isolation1"));
    g_assert_null(strstr(domain, "org.virtward.Teardown1"));
}

static void
teardown_is_seen_as_a_job_with_an_end(Fixture *f, gconstpointer data)
{
    g_autoptr(GVariant) path = NULL;
    g_autoptr(GVariant) cancelled = NULL;
    g_autofree char *finished = NULL, *removed = NULL;
    WardJob *job;

    start_protected(f, PROTECTION("<ward:teardown/>"));
    assert_refused(f, WARD_DBUS_INTERFACE_TEARDOWN, "Cancel", NULL, WARD_ERROR_INVALID_STATE,
                   "guest");
    job = ward_job_new(7, "teardown", UUID, "guest", "bytes", TRUE);
    g_signal_emit_by_name(f->manager, "job-added", job);
    ward_job_set_progress(job, 4096, 16384);
    path = get(f, "/org/virtward/job/7", WARD_DBUS_INTERFACE_JOB, "Domain");
    g_assert_cmpstr(g_variant_get_string(path, NULL), ==, PATH);
    WAIT(saw(f, "/org/virtward/job/7.PropertiesChanged"));
    g_assert_true(saw(f, "'Done': <uint64 4096>"));

    ward_job_set_progress(job, 16384, 16384);
    ward_job_finish(job, "completed", "");
    g_signal_emit_by_name(f->manager, "job-removed", job);
    WAIT(saw(f, "InterfacesRemoved ('/org/virtward/job/7', ['org.virtward.Job1'])"));
    finished = g_strdup(strstr(f->signals->str, "job/7.Finished ('completed', '')"));
    g_assert_nonnull(finished);
    removed = strstr(finished, "InterfacesRemoved") ? g_strdup("after") : NULL;
    g_assert_cmpstr(removed, ==, "after");
    g_assert_true(saw(f, "'Done': <uint64 16384>"));
    g_assert_null(strstr(finished, "'Done': <uint64 16384>"));
    g_object_unref(job);
}

static void
events_become_signals(Fixture *f, gconstpointer data)
{
    WardDomain *domain;

    /* "preferred": the test driver has no trust domains. */
    define(f, PROTECTION("<ward:teardown/><ward:trustdomain enforcement='preferred'/>"
                         "<ward:isolation/>"));
    g_assert_cmpint(virDomainCreate(f->dom), ==, 0);
    WAIT(has(f, WARD_DBUS_INTERFACE_DOMAIN, "Status", "degraded"));
    domain = ward_manager_lookup_domain(f->manager, UUID, NULL);
    g_signal_emit_by_name(domain, "event", WARD_PROTECTION_TEARDOWN, "Started", NULL,
                          G_GUINT64_CONSTANT(4096));
    g_signal_emit_by_name(domain, "event", WARD_PROTECTION_TEARDOWN, "Finished", NULL,
                          G_GUINT64_CONSTANT(17));
    g_signal_emit_by_name(domain, "event", WARD_PROTECTION_TEARDOWN, "Interrupted", NULL,
                          G_GUINT64_CONSTANT(18));
    g_signal_emit_by_name(domain, "event", WARD_PROTECTION_TEARDOWN, "Failed", "refused",
                          G_GUINT64_CONSTANT(0x01020304));
    g_signal_emit_by_name(domain, "event", WARD_PROTECTION_TRUSTDOMAIN, "LifeChanged",
                          "running stopping", G_GUINT64_CONSTANT(0));
    g_signal_emit_by_name(domain, "event", WARD_PROTECTION_ISOLATION, "Violation", NULL,
                          G_GUINT64_CONSTANT(3));
    WAIT(saw(f, PATH ".Violation (3,)"));
    g_assert_true(saw(f, PATH ".Started (4096,)"));
    g_assert_true(saw(f, PATH ".Finished (17,)"));
    g_assert_true(saw(f, PATH ".Interrupted (18,)"));
    g_assert_true(saw(f, PATH ".Failed ('refused', 258, 772)"));
    g_assert_true(saw(f, PATH ".LifeChanged ('running', 'stopping')"));
}

static void
another_connection_shows_the_same(Fixture *f, gconstpointer data)
{
    g_autoptr(GDBusConnection) other = connect_to_test_bus(f->bus);
    g_autofree char *before = NULL, *after = NULL;

    start_protected(f, PROTECTION("<ward:isolation/>"));
    before = inventory(f);
    ward_exporter_set_connection(f->exporter, NULL);
    g_dbus_connection_close_sync(f->service, NULL, NULL);
    g_object_unref(f->service);
    f->service = g_object_ref(other);
    ward_exporter_set_connection(f->exporter, f->service);
    after = inventory(f);
    g_assert_cmpstr(after, ==, before);
    assert_done(f, WARD_DBUS_INTERFACE_ISOLATION, "SetState",
                g_variant_new("(su)", "off", WARD_AFFECT_LIVE));
}

int
main(int argc, char **argv)
{
    init_test(&argc, &argv);
    ADD("/host/properties", host_says_what_it_is);
    ADD("/inventory/follows", inventory_follows_every_change);
    ADD("/inventory/get-all", inventory_is_what_get_all_says);
    ADD("/domain/signals", changes_are_signalled);
    ADD("/domain/signals-differences", what_did_not_change_is_not_signalled);
    ADD("/domain/counters", counters_are_read_on_request);
    ADD("/domain/browse", objects_can_be_browsed);
    ADD("/teardown/job", teardown_is_seen_as_a_job_with_an_end);
    ADD("/events", events_become_signals);
    ADD("/connection/another", another_connection_shows_the_same);
    return g_test_run();
}
