/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-trustdomain-reboot.c: reboots of trust domains: by a new QEMU, in place, and those that end
 */
#include "test-trustdomain-fixture.h"

/* libvirt's way: the hook hears of an end and a start, and the event comes at some time. */
static void
test_reboot_by_recreation(Fixture *f, gconstpointer data)
{
    gboolean early = GPOINTER_TO_INT(data);
    g_auto(Guest) guest = define(f, 1, "");
    g_auto(Guest) other = define(f, 2, "admission='wait' timeout='600'");
    g_autoptr(GAsyncResult) waited = NULL;
    g_autoptr(GError) error = NULL;
    guint64 created;

    change_machine(f, "host", "trustdomain-keys", "1");
    start(f, &guest);
    created = ward_domain_get_actual(find(f, &guest))->trustdomain.created_us;
    begin_hook(f, &other, "start", NULL, &waited);
    WAIT(capacity(f).waiting == 1);
    g_string_truncate(f->lives, 0);
    ward_marker_set(f->state_dir, guest.uuid, WARD_MARKER_DETACHED, TRUE);

    stop_is = early ? STOP_RECREATED : STOP_UNTOLD;
    g_assert_true(run_hook(f, &guest, "release", &error));
    g_assert_cmpint(virDomainDestroy(guest.dom), ==, 0);
    emit(f, &guest, WARD_DOMAIN_EVENT_LIFECYCLE); /* it is looked at, whatever was told */
    WAIT(capacity(f).used == 0);
    assert_capacity(f, 0, 1, 0);
    run_hook(f, &guest, "start", &error);
    g_assert_no_error(error);
    if (!early)
        emit(f, &guest, WARD_DOMAIN_EVENT_STOPPED_RECREATED);
    g_assert_cmpint(virDomainCreate(guest.dom), ==, 0);
    g_assert_true(run_hook(f, &guest, "started", &error));
    g_assert_no_error(error);
    stop_is = STOP_AS_IT_IS;
    WAIT_LIFE(&guest, RUNNING);
    assert_lives(f, "guest1 running stopping, guest1 stopping reclaiming, guest1 reclaiming gone, "
                    "guest1 gone admitted, guest1 admitted building, guest1 building running");
    g_assert_cmpuint(ward_domain_get_actual(find(f, &guest))->trustdomain.created_us, !=, created);
    g_assert_cmpint(ward_domain_get_last_reboot(find(f, &guest)), ==, WARD_REBOOT_RECREATE);
    g_assert_true(ward_marker_get(f->state_dir, guest.uuid, WARD_MARKER_DETACHED));
    g_assert_null(waited); /* it did not get in between */
    stop(f, &guest);
    WAIT(waited);
    WAIT(!ward_marker_get(f->state_dir, guest.uuid, WARD_MARKER_DETACHED));
}

/* QEMU's own way: libvirt tells of a reboot and of no end. */
static void
test_reboot_in_place(Fixture *f, gconstpointer data)
{
    g_auto(Guest) guest = define(f, 1, "onReboot='reset'");

    WAIT_LIFE(&guest, DEFINED);
    start(f, &guest);
    g_string_truncate(f->lives, 0);
    emit(f, &guest, WARD_DOMAIN_EVENT_REBOOT);
    WAIT(f->lives->len);
    assert_lives(f, "guest1 running stopping, guest1 stopping reclaiming, guest1 reclaiming gone, "
                    "guest1 gone building, guest1 building running");
    g_assert_cmpint(ward_domain_get_last_reboot(find(f, &guest)), ==, WARD_REBOOT_RESET);
    assert_capacity(f, 1, 0, 0);
}

/* A libvirt that ends a trust domain at its reboot: nothing is kept for it. */
static void
test_reboot_that_destroys(Fixture *f, gconstpointer data)
{
    g_auto(Guest) guest = define(f, 1, "");
    g_auto(Guest) other = define(f, 2, "admission='wait' timeout='600'");
    g_autoptr(GAsyncResult) waited = NULL;

    change_machine(f, "host", "trustdomain-keys", "1");
    start(f, &guest);
    begin_hook(f, &other, "start", NULL, &waited);
    WAIT(capacity(f).waiting == 1);
    g_assert_null(waited);
    stop(f, &guest);
    WAIT(waited);
    WAIT_LIFE(&guest, DEFINED);
    g_assert_cmpint(ward_domain_get_last_reboot(find(f, &guest)), ==, WARD_REBOOT_NONE);
}

#define ADD(name, function, data)                                                                  \
    g_test_add(name, Fixture, GINT_TO_POINTER(data), set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/trustdomain-reboot/recreation/event-first", test_reboot_by_recreation, TRUE);
    ADD("/trustdomain-reboot/recreation/hook-first", test_reboot_by_recreation, FALSE);
    ADD("/trustdomain-reboot/in-place", test_reboot_in_place, 0);
    ADD("/trustdomain-reboot/that-destroys", test_reboot_that_destroys, 0);
    return g_test_run();
}
