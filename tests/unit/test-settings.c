/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-settings.c: settings are compared, combined, written and read back without loss
 */
#include "ward-xml.h"

static WardSettings *
settings_of(const char *body)
{
    g_autofree char *xml = g_strdup_printf("<protection>%s</protection>", body);
    g_autoptr(GError) error = NULL;
    WardSettings *settings = ward_settings_parse(xml, -1, &error);

    g_assert_no_error(error);
    return settings;
}

static void
assert_equal(const WardSettings *a, const WardSettings *b)
{
    g_assert_true(ward_settings_equal(a, b));
    g_assert_true(ward_settings_equal(b, a));
}

static void
assert_differ(const WardSettings *a, const WardSettings *b)
{
    g_assert_false(ward_settings_equal(a, b));
    g_assert_false(ward_settings_equal(b, a));
}

#define SOCKET "<socket type='unix' path='/run/a.sock'/>"
#define ALL                                                                                        \
    "<teardown/><trustdomain/><introspection>" SOCKET "</introspection>"                           \
    "<isolation enforcement='preferred'/>"

static void
test_protection_names(void)
{
    static const char *const names[] = {"teardown", "trustdomain", "introspection", "isolation"};

    g_assert_cmpint(G_N_ELEMENTS(names), ==, WARD_N_PROTECTIONS);
    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        WardProtection protection = WARD_N_PROTECTIONS;

        g_assert_cmpstr(ward_protection_to_string(i), ==, names[i]);
        g_assert_true(ward_protection_from_string(names[i], &protection));
        g_assert_cmpint(protection, ==, i);
    }
}

static void
test_unknown_protection_name(void)
{
    WardProtection protection;

    g_assert_false(ward_protection_from_string("Teardown", &protection));
    g_assert_false(ward_protection_from_string("", &protection));
    g_assert_false(ward_protection_from_string(NULL, &protection));
}

static void
test_empty_wants_nothing(void)
{
    g_autoptr(WardSettings) empty = ward_settings_new_empty();
    g_autoptr(WardSettings) parsed = settings_of("");

    g_assert_true(ward_settings_is_empty(empty));
    g_assert_null(ward_settings_format(empty));
    g_assert_null(ward_settings_format_metadata(empty));
    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        g_assert_false(ward_settings_wants(empty, i));
        g_assert_cmpint(ward_settings_get_enforcement(empty, i), ==, WARD_ENFORCEMENT_REQUIRED);
    }
    assert_equal(empty, parsed);
}

static void
test_wants_and_enforcement(void)
{
    g_autoptr(WardSettings) all = settings_of(ALL);

    g_assert_false(ward_settings_is_empty(all));
    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        g_assert_true(ward_settings_wants(all, i));
        g_assert_cmpint(ward_settings_get_enforcement(all, i), ==,
                        i == WARD_PROTECTION_ISOLATION ? WARD_ENFORCEMENT_PREFERRED
                                                       : WARD_ENFORCEMENT_REQUIRED);
    }
}

static void
test_update_takes_what_changes_want(void)
{
    g_autoptr(WardSettings) self = settings_of("<teardown onReboot='sync'/><isolation/>");
    g_autoptr(WardSettings) changes = settings_of("<isolation state='off'/><trustdomain/>");
    g_autoptr(WardSettings) expected =
        settings_of("<teardown onReboot='sync'/><trustdomain/><isolation state='off'/>");
    g_autoptr(WardSettings) result = ward_settings_update(self, changes);

    assert_equal(result, expected);
    /* The arguments are as they were. */
    g_assert_true(self->isolation->on);
    g_assert_null(self->trustdomain);
    g_assert_null(changes->teardown);
}

static void
test_update_with_nothing(void)
{
    g_autoptr(WardSettings) all = settings_of(ALL);
    g_autoptr(WardSettings) empty = ward_settings_new_empty();
    g_autoptr(WardSettings) same = ward_settings_update(all, empty);
    g_autoptr(WardSettings) taken = ward_settings_update(empty, all);

    assert_equal(same, all);
    assert_equal(taken, all);
}

static void
test_update_outlives_its_arguments(void)
{
    WardSettings *all = settings_of(ALL);
    WardSettings *empty = ward_settings_new_empty();
    g_autoptr(WardSettings) result = ward_settings_update(empty, all);

    ward_settings_unref(all);
    ward_settings_unref(empty);
    g_assert_cmpstr(result->introspection->socket.path, ==, "/run/a.sock");
}

static void
test_without(void)
{
    g_autoptr(WardSettings) all = settings_of(ALL);

    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        g_autoptr(WardSettings) rest = ward_settings_without(all, i);
        g_autoptr(WardSettings) again = ward_settings_without(rest, i);

        for (guint j = 0; j < WARD_N_PROTECTIONS; j++)
            g_assert_cmpint(ward_settings_wants(rest, j), ==, i != j);
        assert_equal(rest, again);
        assert_differ(rest, all);
    }
}

static void
test_any_difference_is_seen(void)
{
    static const char *const bodies[] = {
        "",
        "<teardown/>",
        "<teardown onReboot='sync'/>",
        "<teardown onExit='sync'/>",
        "<teardown onExit='async'/>",
        "<teardown enforcement='preferred'/>",
        "<trustdomain/>",
        "<trustdomain admission='wait'/>",
        "<trustdomain timeout='31'/>",
        "<trustdomain onReboot='reset'/>",
        "<trustdomain enforcement='preferred'/>",
        "<introspection>" SOCKET "</introspection>",
        "<introspection onDisconnect='pause'>" SOCKET "</introspection>",
        "<introspection enforcement='preferred'>" SOCKET "</introspection>",
        "<introspection><socket type='unix' path='/run/b.sock'/></introspection>",
        "<introspection><socket type='vsock' cid='3' port='4'/></introspection>",
        "<introspection><socket type='vsock' cid='3' port='5'/></introspection>",
        "<introspection><socket type='vsock' cid='4' port='4'/></introspection>",
        "<introspection>" SOCKET
        "<authentication secret='3b5f1d2a-0c44-4d0e-9b7e-6a2f1c9d8e70'/></introspection>",
        "<introspection>" SOCKET
        "<authentication secret='3b5f1d2a-0c44-4d0e-9b7e-6a2f1c9d8e71'/></introspection>",
        "<introspection>" SOCKET "<allow event='pause-vcpu'/></introspection>",
        "<introspection>" SOCKET "<allow command='pause-vcpu'/></introspection>",
        "<introspection>" SOCKET "<allow event='pause-vcpu'/><allow event='cr'/></introspection>",
        "<introspection>" SOCKET "<allow event='cr'/><allow event='pause-vcpu'/></introspection>",
        "<isolation/>",
        "<isolation state='off'/>",
        "<isolation enforcement='preferred'/>",
    };

    for (guint i = 0; i < G_N_ELEMENTS(bodies); i++) {
        g_autoptr(WardSettings) a = settings_of(bodies[i]);

        for (guint j = 0; j < G_N_ELEMENTS(bodies); j++) {
            g_autoptr(WardSettings) b = settings_of(bodies[j]);

            if (i == j)
                assert_equal(a, b);
            else
                assert_differ(a, b);
        }
    }
}

/* Both forms of @settings, read back. */
static void
assert_round_trip(const WardSettings *settings)
{
    g_autofree char *xml = ward_settings_format(settings);
    g_autofree char *metadata = ward_settings_format_metadata(settings);
    g_autoptr(GError) error = NULL;
    g_autoptr(WardSettings) from_xml = ward_settings_parse(xml, -1, &error);
    g_autoptr(WardSettings) from_metadata = NULL;
    g_autofree char *again = NULL;

    g_assert_no_error(error);
    assert_equal(from_xml, settings);
    again = ward_settings_format(from_xml);
    g_assert_cmpstr(again, ==, xml);

    from_metadata = ward_settings_parse(metadata, -1, &error);
    g_assert_no_error(error);
    assert_equal(from_metadata, settings);
}

static void
test_round_trip_of_every_teardown(void)
{
    WardTeardownSettings teardown;
    WardSettings settings = {.teardown = &teardown};

    for (int e = 0; e <= WARD_ENFORCEMENT_PREFERRED; e++) {
        for (int r = WARD_TEARDOWN_ASYNC; r <= WARD_TEARDOWN_SYNC; r++) {
            for (int x = WARD_TEARDOWN_UNSET; x <= WARD_TEARDOWN_SYNC; x++) {
                teardown = (WardTeardownSettings){e, r, x};
                assert_round_trip(&settings);
            }
        }
    }
}

static void
test_round_trip_of_every_trustdomain(void)
{
    static const guint timeouts[] = {1, 30, WARD_ADMISSION_TIMEOUT_MAX};
    WardTrustdomainSettings trustdomain;
    WardSettings settings = {.trustdomain = &trustdomain};

    for (int e = 0; e <= WARD_ENFORCEMENT_PREFERRED; e++) {
        for (int a = 0; a <= WARD_ADMISSION_WAIT; a++) {
            for (guint t = 0; t < G_N_ELEMENTS(timeouts); t++) {
                for (int r = 0; r <= WARD_TRUSTDOMAIN_DESTROY; r++) {
                    trustdomain = (WardTrustdomainSettings){e, a, timeouts[t], r};
                    assert_round_trip(&settings);
                }
            }
        }
    }
}

static void
test_round_trip_of_every_introspection(void)
{
    static const WardSocket sockets[] = {
        {.type = WARD_SOCKET_UNIX, .path = (char *)"/"},
        {.type = WARD_SOCKET_UNIX, .path = (char *)"/run/a & b/<'\">.sock"},
        {.type = WARD_SOCKET_UNIX, .path = (char *)"/run/introspecci\xc3\xb3n/\xf0\x9f\x94\x8d"},
        {.type = WARD_SOCKET_VSOCK, .cid = 1, .port = 0},
        {.type = WARD_SOCKET_VSOCK, .cid = G_MAXUINT32 - 1, .port = G_MAXUINT32 - 1},
    };
    char *commands[] = {(char *)"write-physical", (char *)"get-version", NULL};
    char *events[] = {(char *)"pf", NULL};
    char *secret = (char *)"3b5f1d2a-0c44-4d0e-9b7e-6a2f1c9d8e70";
    WardIntrospectionSettings introspection;
    WardSettings settings = {.introspection = &introspection};

    for (int e = 0; e <= WARD_ENFORCEMENT_PREFERRED; e++) {
        for (int d = 0; d <= WARD_DISCONNECT_DESTROY; d++) {
            for (guint s = 0; s < G_N_ELEMENTS(sockets); s++) {
                for (int bits = 0; bits < 8; bits++) {
                    introspection = (WardIntrospectionSettings){
                        e,
                        d,
                        sockets[s],
                        bits & 1 ? secret : NULL,
                        bits & 2 ? commands : NULL,
                        bits & 4 ? events : NULL,
                    };
                    assert_round_trip(&settings);
                }
            }
        }
    }
}

static void
test_round_trip_of_every_isolation(void)
{
    WardIsolationSettings isolation;
    WardSettings settings = {.isolation = &isolation};

    for (int e = 0; e <= WARD_ENFORCEMENT_PREFERRED; e++) {
        for (int on = FALSE; on <= TRUE; on++) {
            isolation = (WardIsolationSettings){e, on};
            assert_round_trip(&settings);
        }
    }
}

static void
test_round_trip_of_every_subset(void)
{
    g_autoptr(WardSettings) all = settings_of(ALL);

    for (guint subset = 1; subset < 1 << WARD_N_PROTECTIONS; subset++) {
        WardSettings settings = {
            .teardown = subset & 1 ? all->teardown : NULL,
            .trustdomain = subset & 2 ? all->trustdomain : NULL,
            .introspection = subset & 4 ? all->introspection : NULL,
            .isolation = subset & 8 ? all->isolation : NULL,
        };

        assert_round_trip(&settings);
    }
}

static void
test_socket_to_string(void)
{
    WardSocket local = {.type = WARD_SOCKET_UNIX, .path = (char *)"/run/x.sock"};
    WardSocket vsock = {.type = WARD_SOCKET_VSOCK, .cid = 3, .port = 1234};
    g_autofree char *local_text = ward_socket_to_string(&local);
    g_autofree char *vsock_text = ward_socket_to_string(&vsock);

    g_assert_cmpstr(local_text, ==, "unix:/run/x.sock");
    g_assert_cmpstr(vsock_text, ==, "vsock:3:1234");
}

static void
test_words(void)
{
    g_assert_cmpstr(ward_enforcement_to_string(WARD_ENFORCEMENT_REQUIRED), ==, "required");
    g_assert_cmpstr(ward_enforcement_to_string(WARD_ENFORCEMENT_PREFERRED), ==, "preferred");
    g_assert_cmpstr(ward_teardown_mode_to_string(WARD_TEARDOWN_UNSET), ==, "");
    g_assert_cmpstr(ward_teardown_mode_to_string(WARD_TEARDOWN_ASYNC), ==, "async");
    g_assert_cmpstr(ward_teardown_mode_to_string(WARD_TEARDOWN_SYNC), ==, "sync");
    g_assert_cmpstr(ward_admission_to_string(WARD_ADMISSION_REFUSE), ==, "refuse");
    g_assert_cmpstr(ward_admission_to_string(WARD_ADMISSION_WAIT), ==, "wait");
    g_assert_cmpstr(ward_trustdomain_reboot_to_string(WARD_TRUSTDOMAIN_RECREATE), ==, "recreate");
    g_assert_cmpstr(ward_trustdomain_reboot_to_string(WARD_TRUSTDOMAIN_RESET), ==, "reset");
    g_assert_cmpstr(ward_trustdomain_reboot_to_string(WARD_TRUSTDOMAIN_DESTROY), ==, "destroy");
    g_assert_cmpstr(ward_disconnect_to_string(WARD_DISCONNECT_RETRY), ==, "retry");
    g_assert_cmpstr(ward_disconnect_to_string(WARD_DISCONNECT_PAUSE), ==, "pause");
    g_assert_cmpstr(ward_disconnect_to_string(WARD_DISCONNECT_DESTROY), ==, "destroy");
}

static gpointer
share(gpointer settings)
{
    for (int i = 0; i < 10000; i++)
        ward_settings_unref(ward_settings_ref(settings));
    ward_settings_unref(settings);
    return NULL;
}

static void
test_references_from_many_threads(void)
{
    g_autoptr(WardSettings) all = settings_of(ALL);
    GThread *threads[4];

    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("share", share, ward_settings_ref(all));
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    assert_round_trip(all);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/settings/protection-names", test_protection_names);
    g_test_add_func("/settings/unknown-protection-name", test_unknown_protection_name);
    g_test_add_func("/settings/empty-wants-nothing", test_empty_wants_nothing);
    g_test_add_func("/settings/wants-and-enforcement", test_wants_and_enforcement);
    g_test_add_func("/settings/update-takes-what-changes-want",
                    test_update_takes_what_changes_want);
    g_test_add_func("/settings/update-with-nothing", test_update_with_nothing);
    g_test_add_func("/settings/update-outlives-its-arguments", test_update_outlives_its_arguments);
    g_test_add_func("/settings/without", test_without);
    g_test_add_func("/settings/any-difference-is-seen", test_any_difference_is_seen);
    g_test_add_func("/settings/round-trip/teardown", test_round_trip_of_every_teardown);
    g_test_add_func("/settings/round-trip/trustdomain", test_round_trip_of_every_trustdomain);
    g_test_add_func("/settings/round-trip/introspection", test_round_trip_of_every_introspection);
    g_test_add_func("/settings/round-trip/isolation", test_round_trip_of_every_isolation);
    g_test_add_func("/settings/round-trip/subsets", test_round_trip_of_every_subset);
    g_test_add_func("/settings/socket-to-string", test_socket_to_string);
    g_test_add_func("/settings/words", test_words);
    g_test_add_func("/settings/references-from-many-threads", test_references_from_many_threads);
    return g_test_run();
}
