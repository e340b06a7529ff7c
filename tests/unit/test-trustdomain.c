/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-trustdomain.c: admission, life and leaks of trust domains, and daemons that come and go
 */
#include "test-trustdomain-fixture.h"

static void
test_whole_life(Fixture *f, gconstpointer data)
{
    g_auto(Guest) guest = define(f, 1, "");

    WAIT_LIFE(&guest, DEFINED);
    start(f, &guest);
    assert_lives(f, "guest1 defined admitted, guest1 admitted building, guest1 building running");
    assert_capacity(f, 1, 0, 0);
    g_assert_cmpuint(ward_domain_get_actual(find(f, &guest))->trustdomain.key, ==, 1);
    stop(f, &guest);
    WAIT_LIFE(&guest, DEFINED);
    assert_lives(f, "guest1 running stopping, guest1 stopping reclaiming, guest1 reclaiming gone, "
                    "guest1 gone defined");
    assert_capacity(f, 0, 0, 0);
}

static void
test_start_that_fails_gives_its_key_back(Fixture *f, gconstpointer data)
{
    g_auto(Guest) guest = define(f, 1, "");
    g_autoptr(GError) error = NULL;

    WAIT_LIFE(&guest, DEFINED);
    g_assert_true(run_hook(f, &guest, "start", &error));
    assert_capacity(f, 0, 1, 0);
    g_assert_true(run_hook(f, &guest, "release", &error));
    WAIT_LIFE(&guest, DEFINED);
    assert_lives(f, "guest1 defined admitted, guest1 admitted defined");
    assert_capacity(f, 0, 0, 0);
}

/* The hook knows of it before libvirt's list does, and nobody does after. */
static void
test_transient_guest(Fixture *f, gconstpointer data)
{
    static const char *const tdx = "<launchSecurity type='tdx'/></domain>";
    Guest guest = {.name = (char *)"guest9"};
    g_autofree char *plain = make_xml(&guest, 9, "");
    g_auto(GStrv) parts = g_strsplit(plain, "</domain>", 2);
    g_autofree char *xml = g_strconcat(parts[0], tdx, NULL);
    g_autoptr(GAsyncResult) result = NULL;
    g_auto(GStrv) warnings = NULL;
    g_autoptr(GError) error = NULL;

    ward_manager_run_hook_async(f->manager, guest.name, "start", "begin", xml, NULL, on_result,
                                &result);
    WAIT(result);
    warnings = ward_manager_run_hook_finish(f->manager, result, &error);
    g_assert_no_error(error);
    assert_capacity(f, 0, 1, 0);
    guest.dom = virDomainCreateXML(f->conn, plain, 0);
    g_assert_nonnull(guest.dom);
    virDomainGetUUIDString(guest.dom, guest.uuid);
    g_assert_true(run_hook(f, &guest, "started", &error));
    WAIT_LIFE(&guest, RUNNING);
    assert_capacity(f, 1, 0, 0);
    assert_lives(f, "guest9 defined admitted, guest9 admitted building, guest9 building running");
    stop(f, &guest);
    WAIT(!find(f, &guest));
    WAIT(capacity(f).used == 0);
    assert_capacity(f, 0, 0, 0);
    assert_lives(f, "guest9 running stopping, guest9 stopping reclaiming, guest9 reclaiming gone");
    virDomainFree(guest.dom);
}

static void
test_refusal_and_wait(Fixture *f, gconstpointer data)
{
    g_auto(Guest) first = define(f, 1, "");
    g_auto(Guest) second = define(f, 2, "enforcement='preferred'");
    g_auto(Guest) third = define(f, 3, "admission='wait' timeout='600'");
    g_autoptr(GAsyncResult) waited = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) warnings = NULL;

    change_machine(f, "host", "trustdomain-keys", "1");
    start(f, &first);
    g_assert_false(run_hook(f, &second, "start", &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_REFUSED);
    g_assert_nonnull(strstr(error->message, "of 1 keys 1 are in use; stop a trust domain"));
    g_clear_error(&error);
    begin_hook(f, &third, "start", NULL, &waited);
    WAIT(capacity(f).waiting == 1);
    g_assert_null(waited);
    stop(f, &first);
    WAIT(waited);
    warnings = ward_manager_run_hook_finish(f->manager, waited, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_strv_length(warnings), ==, 0);
    WAIT_LIFE(&third, ADMITTED);
    assert_capacity(f, 0, 1, 0);
}

static void
test_caller_that_goes(Fixture *f, gconstpointer data)
{
    g_auto(Guest) first = define(f, 1, "");
    g_auto(Guest) second = define(f, 2, "admission='wait' timeout='600'");
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GAsyncResult) waited = NULL;
    g_autoptr(GError) error = NULL;

    change_machine(f, "host", "trustdomain-keys", "1");
    start(f, &first);
    begin_hook(f, &second, "start", cancellable, &waited);
    WAIT(capacity(f).waiting == 1);
    g_cancellable_cancel(cancellable);
    WAIT(waited);
    g_assert_null(ward_manager_run_hook_finish(f->manager, waited, &error));
    g_assert_cmpuint(capacity(f).waiting, ==, 0);
    stop(f, &first);
    WAIT_LIFE(&first, DEFINED);
    assert_capacity(f, 0, 0, 0);
}

/* Only some switches of the machine; a guest that virtward was not asked about uses keys, too. */
static void
test_unprotected_guest_is_counted(Fixture *f, gconstpointer data)
{
    g_auto(Guest) guest = define(f, 1, "");

    g_assert_cmpint(virDomainSetMetadata(guest.dom, VIR_DOMAIN_METADATA_ELEMENT, NULL, "ward",
                                         WARD_XML_NAMESPACE, VIR_DOMAIN_AFFECT_CONFIG),
                    ==, 0);
    g_assert_cmpint(virDomainCreate(guest.dom), ==, 0);
    WAIT(capacity(f).used == 1);
    g_assert_cmpint(virDomainDestroy(guest.dom), ==, 0);
    WAIT(capacity(f).used == 0);
    assert_lives(f, "");
}

static void
test_slow_reclaim(Fixture *f, gconstpointer data)
{
    g_auto(Guest) guest = define(f, 1, "");

    WAIT_LIFE(&guest, DEFINED);
    start(f, &guest);
    change_machine(f, guest.uuid, "trustdomain-reclaim-ms", "300");
    WAIT_LIFE(&guest, RUNNING);
    g_string_truncate(f->lives, 0);
    stop(f, &guest);
    WAIT_LIFE(&guest, RECLAIMING);
    WAIT_LIFE(&guest, DEFINED); /* by itself: nobody else looks */
    assert_lives(f, "guest1 running stopping, guest1 stopping reclaiming, guest1 reclaiming gone, "
                    "guest1 gone defined");
}

static gboolean
fail_to_read(WardProvider *provider,
             const WardTarget *target,
             WardTrustdomainActual *actual,
             GError **error)
{
    g_set_error_literal(error, WARD_ERROR, WARD_ERROR_FAILED, "it does not answer");
    return FALSE;
}

/* Nothing is concluded from that: neither an end, nor a reboot. */
static void
test_host_that_does_not_answer(Fixture *f, gconstpointer data)
{
    g_auto(Guest) guest = define(f, 1, "enforcement='preferred'");
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(f->provider);
    gpointer real = iface->trustdomain_read;

    WAIT_LIFE(&guest, DEFINED);
    start(f, &guest);
    g_string_truncate(f->lives, 0);
    iface->trustdomain_read = fail_to_read;
    emit(f, &guest, WARD_DOMAIN_EVENT_LIFECYCLE);
    WAIT(g_str_equal(ward_domain_get_status(find(f, &guest)), "degraded"));
    g_assert_nonnull(strstr(ward_domain_get_reason(find(f, &guest)), "it does not answer"));
    assert_capacity(f, 1, 0, 0);
    iface->trustdomain_read = real;
    emit(f, &guest, WARD_DOMAIN_EVENT_LIFECYCLE);
    WAIT(g_str_equal(ward_domain_get_status(find(f, &guest)), "protected"));
    WAIT_LIFE(&guest, RUNNING);
    assert_lives(f, "");
}

/* A leak is of the host: daemons, and starts that go well, come and go. */
static void
test_leak(Fixture *f, gconstpointer data)
{
    g_auto(Guest) guest = define(f, 1, "");

    WAIT_LIFE(&guest, DEFINED);
    start(f, &guest);
    change_machine(f, guest.uuid, "trustdomain-leaks", "true");
    WAIT_LIFE(&guest, RUNNING);
    g_string_truncate(f->lives, 0);
    stop(f, &guest);
    WAIT_LIFE(&guest, LEAKED);
    assert_lives(f,
                 "guest1 running stopping, guest1 stopping reclaiming, guest1 reclaiming leaked");
    assert_capacity(f, 0, 0, 1);

    stop_and_wait(&f->manager, &f->provider);
    start_manager(f);
    WAIT_LIFE(&guest, LEAKED);
    start(f, &guest);
    assert_capacity(f, 1, 0, 1);
    g_string_truncate(f->lives, 0);
    stop(f, &guest);
    WAIT_LIFE(&guest, LEAKED);
    assert_lives(f, "guest1 running stopping, guest1 stopping reclaiming, guest1 reclaiming gone, "
                    "guest1 gone leaked");
    g_assert_nonnull(ward_domain_get_actual(find(f, &guest))->common[1].reason);

    change_machine(f, "leak-1", NULL, NULL); /* the host was rebooted */
    WAIT_LIFE(&guest, DEFINED);
    assert_capacity(f, 0, 0, 0);
    g_assert_false(ward_marker_get(f->state_dir, guest.uuid, WARD_MARKER_LEAKED));
}

static void
test_restart_in_every_state(Fixture *f, gconstpointer data)
{
    static const struct {
        const char *state;
        WardTrustdomainLife active;
        WardTrustdomainLife inactive;
    } states[] = {
        {"assigned", WARD_TRUSTDOMAIN_LIFE_BUILDING, WARD_TRUSTDOMAIN_LIFE_DEFINED},
        {"configured", WARD_TRUSTDOMAIN_LIFE_BUILDING, WARD_TRUSTDOMAIN_LIFE_DEFINED},
        {"initialized", WARD_TRUSTDOMAIN_LIFE_RUNNING, WARD_TRUSTDOMAIN_LIFE_DEFINED},
        {"blocked", WARD_TRUSTDOMAIN_LIFE_STOPPING, WARD_TRUSTDOMAIN_LIFE_DEFINED},
        {"teardown", WARD_TRUSTDOMAIN_LIFE_RECLAIMING, WARD_TRUSTDOMAIN_LIFE_DEFINED},
    };
    g_auto(Guest) guest = define(f, 1, "");

    WAIT_LIFE(&guest, DEFINED);
    start(f, &guest);
    change_machine(f, guest.uuid, "trustdomain-stays", "true");
    for (gsize i = 0; i < G_N_ELEMENTS(states); i++) {
        change_machine(f, guest.uuid, "trustdomain-state", states[i].state);
        WAIT(life(f, &guest) == states[i].active);
        assert_capacity(f, 1, 0, 0);
    }
    stop(f, &guest);
    WAIT_LIFE(&guest, DEFINED);
}

/* A domain that ends, and is taken away, while no daemon looks, has no key any more. */
static void
test_end_that_nobody_saw(Fixture *f, gconstpointer data)
{
    {
        g_auto(Guest) guest = define(f, 1, "");

        WAIT_LIFE(&guest, DEFINED);
        start(f, &guest);
        stop_and_wait(&f->manager, &f->provider);
    }
    start_manager(f);
    assert_capacity(f, 0, 0, 0);
}

/* A daemon that dies between the hook's answer and QEMU. */
static void
test_restart_of_an_admitted_start(Fixture *f, gconstpointer data)
{
    g_auto(Guest) guest = define(f, 1, "");
    g_autoptr(GError) error = NULL;

    WAIT_LIFE(&guest, DEFINED);
    g_assert_true(run_hook(f, &guest, "start", &error));
    stop_and_wait(&f->manager, &f->provider);
    start_manager(f);
    WAIT_LIFE(&guest, ADMITTED);
    assert_capacity(f, 0, 1, 0);
    g_assert_cmpint(virDomainCreate(guest.dom), ==, 0);
    WAIT_LIFE(&guest, RUNNING);
    assert_capacity(f, 1, 0, 0);
    stop(f, &guest);
    WAIT_LIFE(&guest, DEFINED);

    g_assert_true(run_hook(f, &guest, "start", &error));
    stop_and_wait(&f->manager, &f->provider);
    start_manager(f);
    WAIT_LIFE(&guest, ADMITTED);
    g_assert_true(run_hook(f, &guest, "release", &error));
    WAIT_LIFE(&guest, DEFINED);
    assert_capacity(f, 0, 0, 0);
}

/* As many as a host may be asked for at once: never more than it has. */
static void
test_200_starts_over_31_keys(Fixture *f, gconstpointer data)
{
    enum { N = 200 };
    Guest guests[N];
    GAsyncResult *results[N] = {0};
    gboolean started[N] = {0};
    guint left = N;

    for (guint i = 0; i < N; i++) {
        guests[i] = define(f, i + 1, "admission='wait' timeout='600'");
        begin_hook(f, &guests[i], "start", NULL, &results[i]);
    }
    while (left > 0) {
        WardTrustdomainCapacity now = capacity(f);

        g_assert_cmpuint(now.used + now.reserved, <=, 31);
        for (guint i = 0; i < N; i++) {
            g_autoptr(GError) error = NULL;

            if (results[i] && !started[i]) {
                g_strfreev(ward_manager_run_hook_finish(f->manager, results[i], &error));
                g_assert_no_error(error);
                started[i] = TRUE;
                g_assert_cmpint(virDomainCreate(guests[i].dom), ==, 0);
                g_assert_true(run_hook(f, &guests[i], "started", &error));
            } else if (started[i] && guests[i].dom) {
                stop(f, &guests[i]);
                guest_clear(&guests[i]);
                guests[i].dom = NULL;
                g_object_unref(results[i]);
                left--;
            }
        }
    }
    WAIT(capacity(f).used == 0);
    assert_capacity(f, 0, 0, 0);
    stop_and_wait(&f->manager, &f->provider);
    {
        g_autofree char *path = g_build_filename(f->state_dir, MACHINE, NULL);
        g_autoptr(GKeyFile) machine = g_key_file_new();

        g_key_file_load_from_file(machine, path, G_KEY_FILE_NONE, NULL);
        g_assert_false(g_key_file_has_key(machine, "host", "trustdomain-refused", NULL));
    }
    start_manager(f);
}

#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns of leaks */
    ADD("/trustdomain/whole-life", test_whole_life);
    ADD("/trustdomain/failed-start", test_start_that_fails_gives_its_key_back);
    ADD("/trustdomain/transient-guest", test_transient_guest);
    ADD("/trustdomain/refusal-and-wait", test_refusal_and_wait);
    ADD("/trustdomain/caller-that-goes", test_caller_that_goes);
    ADD("/trustdomain/unprotected-guest", test_unprotected_guest_is_counted);
    ADD("/trustdomain/slow-reclaim", test_slow_reclaim);
    ADD("/trustdomain/host-that-does-not-answer", test_host_that_does_not_answer);
    ADD("/trustdomain/leak", test_leak);
    ADD("/trustdomain/restart-in-every-state", test_restart_in_every_state);
    ADD("/trustdomain/end-that-nobody-saw", test_end_that_nobody_saw);
    ADD("/trustdomain/restart-of-an-admitted-start", test_restart_of_an_admitted_start);
    ADD("/trustdomain/200-starts-over-31-keys", test_200_starts_over_31_keys);
    return g_test_run();
}
