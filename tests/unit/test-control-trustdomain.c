/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-control-trustdomain.c: the control provider's trust domains on a model of the patched kernel
 *
 * No test machine has TDX. The model answers what the kernel's documentation says; that the kernel
 * does that is tested in kernel/trustdomain, on a model of the TDX module.
 */
#include <errno.h>

#include "test-control-fixture.h"
#include "test-wait.h"
#include "ward-error.h"

static const WardTarget running = {.uuid = UUID, .name = "guest", .pid = PID};
static const WardTarget stopped = {.uuid = UUID, .name = "guest"};

static void
set_up(Fixture *f, gconstpointer data)
{
    model_reset();
    f->root = g_dir_make_tmp("ward-control-XXXXXX", NULL);
    start_provider(f);
}

static WardTrustdomainActual
look(Fixture *f, const WardTarget *target)
{
    g_autoptr(GError) error = NULL;
    WardTrustdomainActual actual = {0};

    g_assert_true(f->iface->trustdomain_read(f->provider, target, &actual, &error));
    g_assert_no_error(error);
    g_assert_true(actual.known);
    return actual;
}

static void
set_state(guint32 state)
{
    model_lock()->trustdomain.state = state;
    model_unlock();
}

static void
test_every_state(Fixture *f, gconstpointer data)
{
    static const WardTrustdomainState states[] = {
        [KVM_TRUSTDOMAIN_NONE] = WARD_TRUSTDOMAIN_NONE,
        [KVM_TRUSTDOMAIN_ASSIGNED] = WARD_TRUSTDOMAIN_ASSIGNED,
        [KVM_TRUSTDOMAIN_CONFIGURED] = WARD_TRUSTDOMAIN_CONFIGURED,
        [KVM_TRUSTDOMAIN_INITIALIZED] = WARD_TRUSTDOMAIN_INITIALIZED,
        [KVM_TRUSTDOMAIN_BLOCKED] = WARD_TRUSTDOMAIN_BLOCKED,
        [KVM_TRUSTDOMAIN_TEARDOWN] = WARD_TRUSTDOMAIN_TEARDOWN,
        [KVM_TRUSTDOMAIN_RECLAIMED] = WARD_TRUSTDOMAIN_RECLAIMED,
        [KVM_TRUSTDOMAIN_LEAKED] = WARD_TRUSTDOMAIN_LEAKED,
        [KVM_TRUSTDOMAIN_LEAKED + 1] = WARD_TRUSTDOMAIN_UNKNOWN, /* of a kernel to come */
    };

    for (guint i = 0; i < G_N_ELEMENTS(states); i++) {
        set_state(i);
        g_assert_cmpint(look(f, &running).state, ==, states[i]);
    }
    set_state(G_MAXUINT32);
    g_assert_cmpint(look(f, &running).state, ==, WARD_TRUSTDOMAIN_UNKNOWN);
}

static void
test_numbers(Fixture *f, gconstpointer data)
{
    WardTrustdomainActual actual;

    model_lock()->trustdomain = (struct kvm_trustdomain_info){
        .state = KVM_TRUSTDOMAIN_INITIALIZED,
        .hkid = 7,
        .vcpus = 4,
        .control_pages = 30,
        .private_pages = 1000,
        .reclaimed_pages = 10,
        .leaked_pages = 1,
        .created_ns = 5999,
        .key_released_ns = G_MAXUINT64,
    };
    model_unlock();
    actual = look(f, &running);
    g_assert_cmpuint(actual.key, ==, 7);
    g_assert_cmpuint(actual.vcpus, ==, 4);
    g_assert_cmpuint(actual.control_pages, ==, 30);
    g_assert_cmpuint(actual.private_pages, ==, 1000);
    g_assert_cmpuint(actual.reclaimed_pages, ==, 10);
    g_assert_cmpuint(actual.leaked_pages, ==, 1);
    g_assert_cmpuint(actual.created_us, ==, 5);
    g_assert_cmpuint(actual.key_released_us, ==, G_MAXUINT64 / 1000);
    g_assert_cmpuint(actual.leak, ==, 0);
}

static void
test_capacity(Fixture *f, gconstpointer data)
{
    static const int none[] = {ENOTTY, EOPNOTSUPP, EINVAL};
    WardTrustdomainCapacity capacity;
    g_autoptr(GError) error = NULL;

    model_lock()->capacity =
        (struct kvm_trustdomain_capacity){.total = 31, .used = 5, .leaked = 2, .leaked_pages = 9};
    model_unlock();
    g_assert_true(f->iface->trustdomain_capacity(f->provider, &capacity, &error));
    g_assert_cmpuint(capacity.total, ==, 31);
    g_assert_cmpuint(capacity.used, ==, 5);
    g_assert_cmpuint(capacity.leaked, ==, 2);
    g_assert_cmpuint(capacity.leaked_pages, ==, 9);
    g_assert_true(capacity.knows_leaked);

    for (gsize i = 0; i < G_N_ELEMENTS(none); i++) {
        model_lock()->system_refusal = none[i];
        model_unlock();
        g_assert_false(f->iface->trustdomain_capacity(f->provider, &capacity, &error));
        g_assert_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED);
        g_assert_nonnull(strstr(error->message, "misc"));
        g_clear_error(&error);
    }
    test_host_put(f->root, "/sys/fs/cgroup/misc.capacity", "tdx 15\n");
    test_host_put(f->root, "/sys/fs/cgroup/misc.current", "tdx 3\n");
    g_assert_true(f->iface->trustdomain_capacity(f->provider, &capacity, &error));
    g_assert_cmpuint(capacity.total, ==, 15);
    g_assert_false(capacity.knows_leaked);

    model_lock()->system_refusal = EMFILE; /* this is no reason to look elsewhere */
    model_unlock();
    g_assert_false(f->iface->trustdomain_capacity(f->provider, &capacity, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_FAILED);
}

static void
test_kernel_without_trust_domains(Fixture *f, gconstpointer data)
{
    model_lock()->trustdomain_refusal = ENOTTY;
    model_unlock();
    g_assert_cmpint(look(f, &running).state, ==, WARD_TRUSTDOMAIN_UNKNOWN);
}

static void
test_vm_that_is_no_trust_domain(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    WardTrustdomainActual actual;

    model_lock()->trustdomain_refusal = EOPNOTSUPP;
    model_unlock();
    g_assert_false(f->iface->trustdomain_read(f->provider, &running, &actual, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "'guest' is no trust domain"));
}

static void
test_domain_without_a_vm(Fixture *f, gconstpointer data)
{
    g_assert_cmpint(look(f, &stopped).state, ==, WARD_TRUSTDOMAIN_NONE);
    model_lock()->open_refusal = ENOENT;
    model_unlock();
    g_assert_cmpint(look(f, &running).state, ==, WARD_TRUSTDOMAIN_NONE);
    g_assert_cmpuint(look(f, &running).look_ms, >, 0); /* QEMU may make another */
    g_assert_cmpuint(look(f, &stopped).look_ms, ==, 0);
}

/* The hook's last word before the guest runs. */
static void
test_proof(Fixture *f, gconstpointer data)
{
    for (guint state = 0; state <= KVM_TRUSTDOMAIN_LEAKED; state++) {
        g_autoptr(GError) error = NULL;
        gboolean holds = state == KVM_TRUSTDOMAIN_INITIALIZED;

        set_state(state);
        g_assert_cmpint(
            f->iface->prove(f->provider, &running, NULL, WARD_PROTECTION_TRUSTDOMAIN, &error), ==,
            holds);
        if (!holds)
            g_assert_nonnull(strstr(error->message, "'guest' is about to run"));
    }
}

static void
test_proof_where_the_kernel_does_not_tell(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    model_lock()->trustdomain_refusal = ENOTTY;
    model_unlock();
    g_assert_true(
        f->iface->prove(f->provider, &running, NULL, WARD_PROTECTION_TRUSTDOMAIN, &error));
    g_assert_no_error(error);
    model_lock()->trustdomain_refusal = EOPNOTSUPP; /* it tells that it is none */
    model_unlock();
    g_assert_false(
        f->iface->prove(f->provider, &running, NULL, WARD_PROTECTION_TRUSTDOMAIN, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_FAILED);
}

/* libvirt is done with it before the kernel is: it is followed to its end. */
static void
test_reclaim_is_followed(Fixture *f, gconstpointer data)
{
    set_state(KVM_TRUSTDOMAIN_INITIALIZED);
    look(f, &running);
    set_state(KVM_TRUSTDOMAIN_TEARDOWN);
    f->iface->forget(f->provider, &stopped);
    g_assert_cmpint(look(f, &stopped).state, ==, WARD_TRUSTDOMAIN_TEARDOWN);
    g_assert_cmpuint(look(f, &stopped).look_ms, >, 0); /* nothing tells of its pages */
    model_lock()->trustdomain_refusal = ENODEV;
    model_unlock();
    model_wake_reader(TRUE);
    WAIT(f->changes == 1);
    g_assert_cmpint(look(f, &stopped).state, ==, WARD_TRUSTDOMAIN_NONE);
}

static void
test_forgotten_when_it_is_over(Fixture *f, gconstpointer data)
{
    set_state(KVM_TRUSTDOMAIN_RECLAIMED);
    look(f, &running);
    f->iface->forget(f->provider, &stopped);
    set_state(KVM_TRUSTDOMAIN_INITIALIZED);
    g_assert_cmpint(look(f, &stopped).state, ==, WARD_TRUSTDOMAIN_NONE);
}

/* The VM of the process before may still be reclaimed. */
static void
test_another_process_is_another_vm(Fixture *f, gconstpointer data)
{
    const WardTarget next = {.uuid = UUID, .name = "guest", .pid = PID + 1};

    set_state(KVM_TRUSTDOMAIN_TEARDOWN);
    look(f, &running);
    look(f, &running);
    f->iface->forget(f->provider, &stopped);
    g_assert_cmpuint(model_lock()->opens, ==, 1);
    model_unlock();
    look(f, &next);
    g_assert_cmpuint(model_lock()->opens, ==, 2);
    model_unlock();
}

/* QEMU resets in place: another VM of the same process. */
static void
test_reset_in_place(Fixture *f, gconstpointer data)
{
    model_lock()->trustdomain =
        (struct kvm_trustdomain_info){.state = KVM_TRUSTDOMAIN_INITIALIZED, .created_ns = 1000};
    model_unlock();
    g_assert_cmpuint(look(f, &running).created_us, ==, 1);
    model_wake_reader(TRUE);
    WAIT(f->changes == 1);
    model_lock()->trustdomain.created_ns = 2000;
    model_unlock();
    g_assert_cmpuint(look(f, &running).created_us, ==, 2);
    g_assert_cmpuint(model_lock()->opens, ==, 2);
    model_unlock();
}

static void
leak(guint hkid, guint64 pages, guint64 time_ns)
{
    ModelKernel *model = model_lock();

    model->leaks[model->capacity.leaks++] = (struct kvm_trustdomain_leak){
        .hkid = hkid, .pages = pages, .leaf = 19, .status = 0x8000082400000000, .time_ns = time_ns};
    model->capacity.leaked += hkid != 0;
    model_unlock();
}

static void
tell_leak(guint hkid, guint64 pages, guint64 time_ns)
{
    const struct kvm_control_event event = {.type = KVM_TRUSTDOMAIN_EVENT_LEAKED,
                                            .time_ns = time_ns,
                                            .data = {hkid, pages, 19, 0x8000082400000000}};

    model_tell(&event, FALSE);
}

static void
test_leak(Fixture *f, gconstpointer data)
{
    set_state(KVM_TRUSTDOMAIN_INITIALIZED);
    look(f, &running);
    leak(3, 5, 100); /* these two are other domains' */
    leak(4, 6, 200);
    leak(5, 7, 300);
    tell_leak(5, 7, 299);
    model_lock()->trustdomain_refusal = ENODEV;
    model_unlock();
    model_wake_reader(TRUE);
    WAIT(f->changes == 2);
    f->iface->forget(f->provider, &stopped);
    g_assert_cmpuint(look(f, &stopped).leak, ==, 300); /* the record's time, not the event's */
    g_assert_cmpuint(look(f, &stopped).leaked_pages, ==, 7);
    g_assert_true(f->iface->trustdomain_has_leak(f->provider, 300));
    g_assert_false(f->iface->trustdomain_has_leak(f->provider, 299));

    /* A daemon that starts anew knows only what it has noted. */
    g_object_unref(f->provider);
    start_provider(f);
    g_assert_cmpuint(look(f, &stopped).leak, ==, 0);
    g_assert_true(f->iface->trustdomain_has_leak(f->provider, 300));
    model_lock()->capacity.leaks = 0; /* another boot */
    model_unlock();
    g_assert_false(f->iface->trustdomain_has_leak(f->provider, 300));
}

/* A number that no kernel has: the search ends all the same. */
static void
test_hostile_number_of_leaks(Fixture *f, gconstpointer data)
{
    model_lock()->capacity.leaks = G_MAXUINT64;
    model_unlock();
    g_assert_false(f->iface->trustdomain_has_leak(f->provider, 1));
}

static void
test_probe(Fixture *f, gconstpointer data)
{
    static const char *const with = "<launchSecurity supported='yes'><value>tdx</value>";
    WardSupport support = {0};

    test_host_put(f->root, "/sys/module/kvm_intel/parameters/tdx", "Y\n");
    ward_provider_probe(f->provider, WARD_PROTECTION_TRUSTDOMAIN, with, &support);
    g_assert_true(support.supported);
    g_assert_cmpstr(support.provider, ==, "control");
    model_lock()->system_refusal = ENOTTY;
    model_unlock();
    ward_provider_probe(f->provider, WARD_PROTECTION_TRUSTDOMAIN, with, &support);
    g_assert_true(support.supported);
    g_assert_cmpstr(support.provider, ==, "stock");
    test_host_put(f->root, "/sys/module/kvm_intel/parameters/tdx", "N\n");
    ward_provider_probe(f->provider, WARD_PROTECTION_TRUSTDOMAIN, with, &support);
    g_assert_false(support.supported);
    ward_support_clear(&support);
}

#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/control-trustdomain/every-state", test_every_state);
    ADD("/control-trustdomain/numbers", test_numbers);
    ADD("/control-trustdomain/capacity", test_capacity);
    ADD("/control-trustdomain/kernel-without-it", test_kernel_without_trust_domains);
    ADD("/control-trustdomain/no-trust-domain", test_vm_that_is_no_trust_domain);
    ADD("/control-trustdomain/proof", test_proof);
    ADD("/control-trustdomain/proof-where-unknown", test_proof_where_the_kernel_does_not_tell);
    ADD("/control-trustdomain/no-vm", test_domain_without_a_vm);
    ADD("/control-trustdomain/reclaim-is-followed", test_reclaim_is_followed);
    ADD("/control-trustdomain/forgotten-when-over", test_forgotten_when_it_is_over);
    ADD("/control-trustdomain/another-process", test_another_process_is_another_vm);
    ADD("/control-trustdomain/reset-in-place", test_reset_in_place);
    ADD("/control-trustdomain/leak", test_leak);
    ADD("/control-trustdomain/hostile-number-of-leaks", test_hostile_number_of_leaks);
    ADD("/control-trustdomain/probe", test_probe);
    return g_test_run();
}
