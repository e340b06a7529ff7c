/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a client can ask for, and what bad callers get. */
#include "test-dbus-fixture.h"

static void
what_is_not_there_does_not_answer(Fixture *f, gconstpointer data)
{
    const char *const paths[] = {PATH, WARD_DBUS_PATH "/domain", WARD_DBUS_PATH "/domain/_x"};

    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) reply = ask(f, paths[i], WARD_DBUS_INTERFACE_DOMAIN, "ClearProtection",
                                        g_variant_new("(u)", 0), &error);
        g_autoptr(GVariant) property = get(f, paths[i], WARD_DBUS_INTERFACE_DOMAIN, "Name");

        g_assert_null(reply);
        g_assert_error(error, G_DBUS_ERROR, G_DBUS_ERROR_UNKNOWN_METHOD);
        g_assert_null(property);
    }
}

static void
what_is_set_is_what_is_read(Fixture *f, gconstpointer data)
{
    g_autoptr(GVariant) reply = NULL;
    const char *xml;

    define(f, "");
    WAIT(is_read(f));
    assert_done(f, WARD_DBUS_INTERFACE_DOMAIN, "SetProtection",
                g_variant_new("(su)",
                              PROTECTION("<ward:trustdomain enforcement='preferred' timeout='7'/>"),
                              WARD_AFFECT_CURRENT));
    reply = ask(f, PATH, WARD_DBUS_INTERFACE_DOMAIN, "GetProtection",
                g_variant_new("(u)", WARD_AFFECT_CONFIG), NULL);
    g_variant_get(reply, "(&s)", &xml);
    g_assert_nonnull(strstr(xml, "timeout=\"7\""));
    g_assert_true(has(f, WARD_DBUS_INTERFACE_TRUSTDOMAIN, "Enforcement", "preferred"));
    g_assert_true(has(f, WARD_DBUS_INTERFACE_TRUSTDOMAIN, "Admission", "refuse"));
    g_assert_true(has(f, WARD_DBUS_INTERFACE_TRUSTDOMAIN, "OnReboot", "recreate"));
}

static void
introspection_shows_its_settings(Fixture *f, gconstpointer data)
{
    g_autoptr(GVariant) commands = NULL;
    g_autofree const char **names = NULL;

    define(f, PROTECTION("<ward:introspection onDisconnect='destroy'>"
                         "<ward:socket type='vsock' cid='3' port='1234'/>"
                         "<ward:allow command='get-registers'/></ward:introspection>"));
    WAIT(has(f, WARD_DBUS_INTERFACE_INTROSPECTION, "Status", "pending"));
    g_assert_true(has(f, WARD_DBUS_INTERFACE_INTROSPECTION, "Socket", "vsock:3:1234"));
    g_assert_true(has(f, WARD_DBUS_INTERFACE_INTROSPECTION, "OnDisconnect", "destroy"));
    commands = get(f, PATH, WARD_DBUS_INTERFACE_INTROSPECTION, "AllowedCommands");
    names = g_variant_get_strv(commands, NULL);
    g_assert_cmpstr(names[0], ==, "get-registers");
    g_assert_null(names[1]);
    assert_refused(f, WARD_DBUS_INTERFACE_INTROSPECTION, "Attach", NULL, WARD_ERROR_INVALID_STATE,
                   "guest");
    assert_refused(f, WARD_DBUS_INTERFACE_INTROSPECTION, "Detach", NULL, WARD_ERROR_INVALID_STATE,
                   "guest");
}

static void
bad_arguments_change_nothing(Fixture *f, gconstpointer data)
{
    g_autofree char *large = g_strnfill(WARD_XML_MAX_SIZE + 1, ' ');
    const char *isolation = PROTECTION("<ward:isolation/>");

    define(f, PROTECTION("<ward:isolation state='on'/>"));
    WAIT(has(f, WARD_DBUS_INTERFACE_DOMAIN, "Status", "pending"));
    assert_refused(f, WARD_DBUS_INTERFACE_DOMAIN, "GetProtection", g_variant_new("(u)", 4),
                   WARD_ERROR_INVALID_ARGUMENT, "0x4");
    assert_refused(f, WARD_DBUS_INTERFACE_DOMAIN, "GetProtection", g_variant_new("(u)", 3),
                   WARD_ERROR_INVALID_ARGUMENT, "live");
    assert_refused(f, WARD_DBUS_INTERFACE_DOMAIN, "SetProtection",
                   g_variant_new("(su)", isolation, 8), WARD_ERROR_INVALID_ARGUMENT, "0x8");
    assert_refused(f, WARD_DBUS_INTERFACE_DOMAIN, "SetProtection", g_variant_new("(su)", large, 0),
                   WARD_ERROR_INVALID_ARGUMENT, "8388609");
    assert_refused(f, WARD_DBUS_INTERFACE_DOMAIN, "SetProtection", g_variant_new("(su)", "", 0),
                   WARD_ERROR_INVALID_XML, "guest");
    assert_refused(f, WARD_DBUS_INTERFACE_DOMAIN, "SetProtection",
                   g_variant_new("(su)", PROTECTION("<ward:isolation state='loud'/>"), 0),
                   WARD_ERROR_INVALID_XML, "loud");
    assert_refused(f, WARD_DBUS_INTERFACE_DOMAIN, "SetProtection",
                   g_variant_new("(su)", PROTECTION(""), WARD_AFFECT_UPDATE),
                   WARD_ERROR_INVALID_ARGUMENT, "guest");
    assert_refused(f, WARD_DBUS_INTERFACE_DOMAIN, "ClearProtection",
                   g_variant_new("(u)", WARD_AFFECT_UPDATE), WARD_ERROR_INVALID_ARGUMENT, "0x4");
    assert_refused(f, WARD_DBUS_INTERFACE_DOMAIN, "ClearProtection",
                   g_variant_new("(u)", WARD_AFFECT_LIVE), WARD_ERROR_INVALID_STATE, "guest");
    assert_refused(f, WARD_DBUS_INTERFACE_ISOLATION, "SetState", g_variant_new("(su)", "loud", 0),
                   WARD_ERROR_INVALID_ARGUMENT, "loud");
    assert_refused(f, WARD_DBUS_INTERFACE_ISOLATION, "SetState", g_variant_new("(su)", "off", 4),
                   WARD_ERROR_INVALID_ARGUMENT, "0x4");
    g_assert_true(has(f, WARD_DBUS_INTERFACE_ISOLATION, "Wanted", "on"));
}

static void
validation_tells_good_from_bad(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *large = g_strnfill(WARD_XML_MAX_SIZE + 1, ' ');
    g_autoptr(GVariant) good =
        ask(f, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST, "ValidateProtection",
            g_variant_new("(s)", PROTECTION("<ward:isolation/>")), NULL);
    g_autoptr(GVariant) bad =
        ask(f, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST, "ValidateProtection",
            g_variant_new("(s)", PROTECTION("\n<ward:isolation state='loud'/>")), &error);

    g_assert_nonnull(good);
    g_assert_null(bad);
    g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_XML);
    g_assert_nonnull(strstr(error->message, "line 2"));
    g_clear_error(&error);
    bad = ask(f, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST, "ValidateProtection",
              g_variant_new("(s)", large), &error);
    g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT);
}

static void
lookup_finds_the_object_or_says_what_is_not_there(Fixture *f, gconstpointer data)
{
    const char *const keys[] = {"guest", UUID};
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) none = NULL;

    define(f, "");
    WAIT(inventory_has(f, "'Name': <'guest'>"));
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autoptr(GVariant) reply = ask(f, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST,
                                        "LookupDomain", g_variant_new("(s)", keys[i]), NULL);
        const char *path;

        g_variant_get(reply, "(&o)", &path);
        g_assert_cmpstr(path, ==, PATH);
    }
    none = ask(f, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST, "LookupDomain",
               g_variant_new("(s)", "nobody"), &error);
    g_assert_error(error, WARD_ERROR, WARD_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, "nobody"));
}

static void
capacity_adds_up(Fixture *f, gconstpointer data)
{
    g_autoptr(GVariant) reply =
        ask(f, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST, "GetTrustDomainCapacity", NULL, NULL);
    g_autoptr(GVariant) capacity = g_variant_get_child_value(reply, 0);
    guint64 total, used, unused, reserved = 0, leaked = 0;

    g_assert_true(g_variant_lookup(capacity, "total", "t", &total));
    g_assert_true(g_variant_lookup(capacity, "used", "t", &used));
    g_assert_true(g_variant_lookup(capacity, "free", "t", &unused));
    g_variant_lookup(capacity, "reserved", "t", &reserved);
    g_variant_lookup(capacity, "leaked", "t", &leaked);
    g_assert_cmpuint(total, >, 0);
    g_assert_cmpuint(used + unused + reserved + leaked, ==, total);
}

static void
isolation_is_switched_in_the_running_domain(Fixture *f, gconstpointer data)
{
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) statistics = NULL;
    guint64 entries;

    start_protected(f, PROTECTION("<ward:isolation enforcement='preferred'/>"));
    g_assert_true(has(f, WARD_DBUS_INTERFACE_ISOLATION, "State", "on"));
    assert_done(f, WARD_DBUS_INTERFACE_ISOLATION, "SetState",
                g_variant_new("(su)", "off", WARD_AFFECT_LIVE));
    g_assert_true(has(f, WARD_DBUS_INTERFACE_ISOLATION, "State", "off"));
    g_assert_true(has(f, WARD_DBUS_INTERFACE_ISOLATION, "Wanted", "off"));
    g_assert_true(has(f, WARD_DBUS_INTERFACE_ISOLATION, "Enforcement", "preferred"));
    reply = ask(f, PATH, WARD_DBUS_INTERFACE_ISOLATION, "GetStatistics", NULL, NULL);
    g_assert_nonnull(reply);
    statistics = g_variant_get_child_value(reply, 0);
    g_assert_true(g_variant_lookup(statistics, "entries-restricted", "t", &entries));
}

static void
a_wait_is_answered_when_the_daemon_stops(Fixture *f, gconstpointer data)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GError) error = NULL;

    start_protected(f, PROTECTION("<ward:teardown/>"));
    assert_done(f, WARD_DBUS_INTERFACE_TEARDOWN, "Wait", g_variant_new("(u)", 0));
    g_dbus_connection_call(f->client, g_dbus_connection_get_unique_name(f->service), PATH,
                           WARD_DBUS_INTERFACE_TEARDOWN, "Wait", g_variant_new("(u)", 0), NULL,
                           G_DBUS_CALL_FLAGS_NONE, -1, NULL, on_test_result, &result);
    ward_manager_stop(f->manager);
    WAIT(result);
    reply = g_dbus_connection_call_finish(f->client, result, &error);
    g_assert_true(reply || g_error_matches(error, WARD_ERROR, WARD_ERROR_CANCELLED));
}

int
main(int argc, char **argv)
{
    init_test(&argc, &argv);
    ADD("/host/validate", validation_tells_good_from_bad);
    ADD("/host/lookup", lookup_finds_the_object_or_says_what_is_not_there);
    ADD("/host/capacity", capacity_adds_up);
    ADD("/domain/absent", what_is_not_there_does_not_answer);
    ADD("/domain/set-and-get", what_is_set_is_what_is_read);
    ADD("/domain/bad-arguments", bad_arguments_change_nothing);
    ADD("/teardown/wait", a_wait_is_answered_when_the_daemon_stops);
    ADD("/introspection/settings", introspection_shows_its_settings);
    ADD("/isolation/state", isolation_is_switched_in_the_running_domain);
    return g_test_run();
}
