/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-control-teardown.c: the control provider's teardown on a model of the patched kernel
 *
 * No test machine has an Ultravisor. The model is of what the kernel's documentation says; that the
 * kernel does that is tested in kernel/teardown, on a model of the Ultravisor.
 */
#include <errno.h>

#include "modules/ward-module.h"
#include "test-control-fixture.h"
#include "test-wait.h"
#include "ward-error.h"

#define LONG_AGO 60 /* seconds; longer than any QEMU is waited for */

static const WardTarget target = {.uuid = UUID, .name = "guest", .pid = PID};

static void
set_up(Fixture *f, gconstpointer data)
{
    model_reset();
    f->root = g_dir_make_tmp("ward-control-XXXXXX", NULL);
    test_host_put(f->root, "/proc/42/task/42/comm", "qemu-system-s39\n");
    start_provider(f);
}

static void
read_teardown(Fixture *f, WardTeardownActual *actual)
{
    g_autoptr(GError) error = NULL;

    *actual = (WardTeardownActual){0};
    g_assert_true(f->iface->teardown_read(f->provider, &target, actual, &error));
    g_assert_no_error(error);
}

static WardTeardownPhase
phase(Fixture *f)
{
    WardTeardownActual actual;

    read_teardown(f, &actual);
    return actual.phase;
}

#define ASSERT_REFUSED(call, code, word)                                                           \
    G_STMT_START                                                                                   \
    {                                                                                              \
        g_autoptr(GError) refused = NULL;                                                          \
        GError **error = &refused;                                                                 \
                                                                                                   \
        g_assert_false(call);                                                                      \
        g_assert_error(refused, WARD_ERROR, code);                                                 \
        if (!strstr(refused->message, word))                                                       \
            g_error("'%s' is not in '%s'", word, refused->message);                                \
    }                                                                                              \
    G_STMT_END

static void
assert_probe(Fixture *f, int refusal, gboolean supported, const char *provider, const char *word)
{
    WardSupport support = {0};

    model_lock()->probe_refusal = refusal;
    model_unlock();
    ward_provider_probe(f->provider, WARD_PROTECTION_TEARDOWN, NULL, &support);
    g_assert_cmpint(support.supported, ==, supported);
    g_assert_cmpstr(support.provider, ==, provider);
    if (!strstr(support.reason, word))
        g_error("'%s' is not in the reason '%s'", word, support.reason);
    ward_support_clear(&support);
}

static void
test_probe(Fixture *f, gconstpointer data)
{
    /* An x86 host, say: the kernel is not even asked. */
    assert_probe(f, 0, FALSE, "stock", "Ultravisor");
    test_host_put(f->root, "/sys/firmware/uv/prot_virt_host", "1\n");
    assert_probe(f, 0, FALSE, "stock", "6.2");
    test_host_put(f->root, "/sys/module/kvm/parameters/async_destroy", "Y\n");
    assert_probe(f, 0, TRUE, "control", "for each domain");
    assert_probe(f, ENOTTY, TRUE, "stock", "patches for teardown are not in it");
    assert_probe(f, EOPNOTSUPP, TRUE, "stock", "for all domains alike");
    assert_probe(f, EMFILE, TRUE, "stock", "cannot be asked");
}

static void
test_policy(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(f->iface->teardown_set(f->provider, &target, WARD_TEARDOWN_SYNC, &error));
    g_assert_no_error(error);
    g_assert_false(model_prepare(0));
    g_assert_true(f->iface->teardown_set(f->provider, &target, WARD_TEARDOWN_ASYNC, &error));
    g_assert_no_error(error);
    g_assert_true(model_prepare(0));
}

static void
test_policy_of_a_host_that_has_it_off(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) none = NULL;

    model_lock()->off_on_host = TRUE;
    model_unlock();
    ASSERT_REFUSED(f->iface->teardown_set(f->provider, &target, WARD_TEARDOWN_ASYNC, error),
                   WARD_ERROR_FAILED, "kvm.async_destroy=N");
    g_assert_true(f->iface->teardown_set(f->provider, &target, WARD_TEARDOWN_SYNC, &none));
    g_assert_no_error(none);
}

/* Another architecture, or a kernel with control and without teardown. */
static void
test_falls_back_to_stock(Fixture *f, gconstpointer data)
{
    static const int refusals[] = {EOPNOTSUPP, ENOTTY};
    g_autoptr(GError) none = NULL;
    WardTeardownActual actual;

    test_host_put(f->root, "/proc/42/task/43/comm", "async_cleanup\n");
    for (gsize i = 0; i < G_N_ELEMENTS(refusals); i++) {
        model_lock()->refusal = refusals[i];
        model_unlock();
        g_assert_true(f->iface->teardown_set(f->provider, &target, WARD_TEARDOWN_ASYNC, &none));
        ASSERT_REFUSED(f->iface->teardown_set(f->provider, &target, WARD_TEARDOWN_SYNC, error),
                       WARD_ERROR_NOT_SUPPORTED, "for all");
        ASSERT_REFUSED(f->iface->teardown_cancel(f->provider, &target, error),
                       WARD_ERROR_NOT_SUPPORTED, "guest");
        g_assert_true(f->iface->prove(f->provider, &target, NULL, WARD_PROTECTION_TEARDOWN, &none));
        read_teardown(f, &actual);
        g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_RUNNING); /* seen at QEMU */
        g_assert_false(actual.cancellable);
        g_assert_false(actual.counted);
        g_assert_cmpuint(actual.bytes_total, ==, 0);
    }
    g_assert_no_error(none);
}

static void
test_vm_that_is_gone(Fixture *f, gconstpointer data)
{
    WardTeardownActual actual = {0};

    model_lock()->refusal = ENODEV;
    model_unlock();
    ASSERT_REFUSED(f->iface->teardown_set(f->provider, &target, WARD_TEARDOWN_ASYNC, error),
                   WARD_ERROR_INVALID_STATE, "gone");
    ASSERT_REFUSED(f->iface->teardown_read(f->provider, &target, &actual, error),
                   WARD_ERROR_INVALID_STATE, "gone");
    ASSERT_REFUSED(f->iface->teardown_cancel(f->provider, &target, error), WARD_ERROR_INVALID_STATE,
                   "gone");
    ASSERT_REFUSED(f->iface->teardown_perform(f->provider, &target, error),
                   WARD_ERROR_INVALID_STATE, "gone");
}

static void
test_domain_without_a_process(Fixture *f, gconstpointer data)
{
    const WardTarget none = {.uuid = UUID, .name = "guest"};

    ASSERT_REFUSED(f->iface->teardown_set(f->provider, &none, WARD_TEARDOWN_ASYNC, error),
                   WARD_ERROR_NOT_FOUND, "guest");
}

/* Most domains of a host want no teardown, and some have no VM: nobody is to be told of that. */
static void
test_nothing_to_take_away(Fixture *f, gconstpointer data)
{
    const WardTarget none = {.uuid = UUID, .name = "guest"};
    g_autoptr(WardActual) actual = ward_actual_new();
    g_autoptr(GError) error = NULL;
    WardModuleContext context = {
        .provider = f->provider,
        .target = &none,
        .actual = actual,
    };

    g_assert_true(ward_teardown_module.undo(&context, &error));
    g_assert_no_error(error);
    g_assert_true(f->iface->teardown_set(f->provider, &target, WARD_TEARDOWN_SYNC, &error));
    context.target = &target;
    g_assert_true(ward_teardown_module.undo(&context, &error));
    g_assert_no_error(error);
    g_assert_true(model_prepare(0));
    model_lock()->refusal = ENODEV;
    model_unlock();
    g_assert_true(ward_teardown_module.undo(&context, &error));
    g_assert_no_error(error);
    model_lock()->refusal = EIO;
    model_unlock();
    g_assert_false(ward_teardown_module.undo(&context, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_FAILED);
}

static void
test_every_state(Fixture *f, gconstpointer data)
{
    static const struct {
        guint32 state;
        WardTeardownPhase phase;
    } states[] = {
        {0, WARD_TEARDOWN_PHASE_NONE},
        {KVM_TEARDOWN_SET_ASIDE, WARD_TEARDOWN_PHASE_SET_ASIDE},
        {KVM_TEARDOWN_RUNNING, WARD_TEARDOWN_PHASE_RUNNING},
        {KVM_TEARDOWN_INTERRUPTED, WARD_TEARDOWN_PHASE_INTERRUPTED},
        {KVM_TEARDOWN_SET_ASIDE | KVM_TEARDOWN_RUNNING, WARD_TEARDOWN_PHASE_RUNNING},
        {KVM_TEARDOWN_RUNNING | KVM_TEARDOWN_INTERRUPTED, WARD_TEARDOWN_PHASE_RUNNING},
        {KVM_TEARDOWN_SET_ASIDE | KVM_TEARDOWN_INTERRUPTED, WARD_TEARDOWN_PHASE_SET_ASIDE},
        {KVM_TEARDOWN_SET_ASIDE | KVM_TEARDOWN_RUNNING | KVM_TEARDOWN_INTERRUPTED,
         WARD_TEARDOWN_PHASE_RUNNING},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(states); i++) {
        model_lock()->info.state = states[i].state;
        model_unlock();
        g_assert_cmpint(phase(f), ==, states[i].phase);
    }
}

static void
test_numbers(Fixture *f, gconstpointer data)
{
    WardTeardownActual actual;

    model_lock()->info = (struct kvm_teardown_info){
        .state = KVM_TEARDOWN_RUNNING,
        .pages_done = 25,
        .pages_total = 100,
        .duration_ns = 1,
        .started = 7,
        .stopped = 2,
        .failed = 1,
        .rc = 0x0102,
        .rrc = 0x0304,
    };
    model_unlock();
    read_teardown(f, &actual);
    g_assert_cmpuint(actual.bytes_done, ==, 25 * 4096);
    g_assert_cmpuint(actual.bytes_total, ==, 100 * 4096);
    g_assert_cmpuint(actual.last_duration_us, ==, 1); /* 0 would be: none finished yet */
    g_assert_true(actual.cancellable);
    g_assert_true(actual.counted);
    g_assert_cmpuint(actual.counts.started, ==, 7);
    g_assert_cmpuint(actual.counts.stopped, ==, 2);
    g_assert_cmpuint(actual.counts.failed, ==, 1);
    g_assert_true(actual.last_failed);
    g_assert_cmpuint(actual.rc, ==, 0x0102);
    g_assert_cmpuint(actual.rrc, ==, 0x0304);

    model_lock()->info.rc = 1; /* one failed, and a later one did not */
    model_unlock();
    read_teardown(f, &actual);
    g_assert_false(actual.last_failed);

    model_lock()->info.pages_total = G_MAXUINT64;
    model_unlock();
    read_teardown(f, &actual);
    g_assert_cmpuint(actual.bytes_total, >=, actual.bytes_done);
}

static void
test_events_are_a_reason_to_look(Fixture *f, gconstpointer data)
{
    g_assert_cmpint(phase(f), ==, WARD_TEARDOWN_PHASE_NONE);
    g_assert_true(model_prepare(0));
    model_wake_reader(FALSE);
    WAIT(f->changes == 1);
    g_assert_cmpint(phase(f), ==, WARD_TEARDOWN_PHASE_SET_ASIDE);
    model_qemu_performs(100);
    model_wake_reader(FALSE);
    WAIT(f->changes == 2);
    g_assert_cmpint(phase(f), ==, WARD_TEARDOWN_PHASE_RUNNING);
    model_end_teardown(0);
    model_wake_reader(TRUE);
    WAIT(f->changes == 3);
}

/* The kernel keeps it all: a daemon that starts anew finds what it has not seen begin. */
static void
test_restart(Fixture *f, gconstpointer data)
{
    WardTeardownActual actual;

    g_assert_true(model_prepare(0));
    model_qemu_performs(100);
    model_lock()->info.pages_done = 30;
    model_unlock();
    g_object_unref(f->provider);
    start_provider(f);
    read_teardown(f, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_RUNNING);
    g_assert_cmpuint(actual.bytes_done, ==, 30 * 4096);
    model_end_teardown(0x01020304);
    read_teardown(f, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_NONE);
    g_assert_true(actual.last_failed);
    g_object_unref(f->provider);
    start_provider(f);
    read_teardown(f, &actual);
    g_assert_true(actual.last_failed);
    g_assert_cmpuint(actual.rc, ==, 0x0102);
}

static void
test_cancel(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) none = NULL;
    WardTeardownActual actual;

    ASSERT_REFUSED(f->iface->teardown_cancel(f->provider, &target, error), WARD_ERROR_INVALID_STATE,
                   "no teardown");
    g_assert_true(model_prepare(0));
    model_qemu_performs(100);
    g_assert_true(f->iface->teardown_cancel(f->provider, &target, &none));
    g_assert_no_error(none);
    read_teardown(f, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_INTERRUPTED);
    g_assert_cmpuint(actual.counts.stopped, ==, 1);

    /* What was ended on purpose is not begun again. */
    g_assert_false(actual.abandoned);
    g_assert_true(f->iface->teardown_perform(f->provider, &target, &none));
    g_assert_cmpuint(model_lock()->performs, ==, 0);
    model_unlock();
}

static void
test_proof(Fixture *f, gconstpointer data)
{
    const WardProtection p = WARD_PROTECTION_TEARDOWN;
    g_autoptr(GError) none = NULL;

    g_assert_true(f->iface->prove(f->provider, &target, NULL, p, &none));
    model_lock()->control.item[p].vcpus_entered = 1; /* late, but no reboot came before */
    model_unlock();
    g_assert_true(f->iface->prove(f->provider, &target, NULL, p, &none));
    g_assert_no_error(none);
    g_assert_true(model_prepare(0));
    ASSERT_REFUSED(f->iface->prove(f->provider, &target, NULL, p, error), WARD_ERROR_FAILED,
                   "aside");
    model_lock()->control.item[p].vcpus_entered = 0;
    model_unlock();
    g_assert_true(f->iface->prove(f->provider, &target, NULL, p, &none));
}

static void
test_qemu_gets_its_time(Fixture *f, gconstpointer data)
{
    WardTeardownActual actual;

    g_assert_true(model_prepare(0));
    read_teardown(f, &actual);
    g_assert_false(actual.abandoned);
    g_assert_cmpuint(actual.look_ms, >, 0);
    g_assert_cmpuint(actual.bytes_total, ==, 0);
}

/* A QEMU that is slow and not dead would exit if it found nothing to perform. */
static void
test_qemu_that_is_about_to_is_left_alone(Fixture *f, gconstpointer data)
{
    WardTeardownActual actual;

    test_host_put(f->root, "/proc/42/task/43/comm", "async_cleanup\n");
    g_assert_true(model_prepare(LONG_AGO));
    read_teardown(f, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_SET_ASIDE);
    g_assert_false(actual.abandoned);
    g_assert_cmpuint(actual.look_ms, >, 0);
}

static void
perform_abandoned(Fixture *f)
{
    g_autoptr(GError) none = NULL;
    WardTeardownActual actual;

    g_assert_true(model_prepare(LONG_AGO));
    read_teardown(f, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_SET_ASIDE);
    g_assert_true(actual.abandoned);
    g_assert_true(f->iface->teardown_perform(f->provider, &target, &none));
    g_assert_no_error(none);
}

static void
test_daemon_performs(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) none = NULL;
    WardTeardownActual actual;

    perform_abandoned(f);
    model_wait_for_performer(); /* the call has returned, and the kernel's has not */
    g_assert_true(model_lock()->performer != g_thread_self());
    model_unlock();
    read_teardown(f, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_RUNNING);
    g_assert_true(f->iface->teardown_perform(f->provider, &target, &none));
    model_end_teardown(0);
    WAIT(f->changes == 1);
    read_teardown(f, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_NONE);
    g_assert_cmpint(actual.perform_errno, ==, 0);
    g_assert_cmpuint(model_lock()->performs, ==, 1);
    model_unlock();

    perform_abandoned(f); /* and the next guest */
    model_wait_for_performer();
    model_end_teardown(0);
    WAIT(f->changes == 2);
}

static void
test_daemon_can_be_interrupted(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) none = NULL;

    perform_abandoned(f);
    model_wait_for_performer();
    g_assert_true(f->iface->teardown_cancel(f->provider, &target, &none));
    WAIT(f->changes == 1);
    g_assert_cmpint(phase(f), ==, WARD_TEARDOWN_PHASE_INTERRUPTED);
}

static void
test_daemon_meets_a_refusal_of_the_ultravisor(Fixture *f, gconstpointer data)
{
    WardTeardownActual actual;

    perform_abandoned(f);
    model_wait_for_performer();
    model_end_teardown(0x01020304);
    WAIT(f->changes == 1);
    read_teardown(f, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_NONE);
    g_assert_true(actual.last_failed);
    g_assert_cmpuint(actual.counts.failed, ==, 1);
    g_assert_cmpint(actual.perform_errno, ==, 0);
}

/* It stays visible, and is not tried again and again. */
static void
test_daemon_meets_a_refusal_of_the_kernel(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) none = NULL;
    WardTeardownActual actual;

    model_lock()->perform_refusal = EOPNOTSUPP;
    model_unlock();
    perform_abandoned(f);
    WAIT(f->changes == 1);
    read_teardown(f, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_SET_ASIDE);
    g_assert_cmpint(actual.perform_errno, ==, EOPNOTSUPP);
    g_assert_false(actual.abandoned);
    g_assert_cmpuint(actual.look_ms, ==, 0);
    g_assert_true(f->iface->teardown_perform(f->provider, &target, &none));

    /* The next guest gets its own attempt. */
    model_lock()->info.state = 0;
    model_unlock();
    perform_abandoned(f);
    WAIT(f->changes == 2);
    read_teardown(f, &actual);
    g_assert_false(actual.abandoned);
    g_assert_cmpuint(model_lock()->performs, ==, 2);
    model_unlock();
}

/* Between the look and the attempt. */
static void
test_qemu_is_quicker(Fixture *f, gconstpointer data)
{
    WardTeardownActual actual;

    model_lock()->perform_refusal = EINVAL;
    model_unlock();
    perform_abandoned(f);
    WAIT(f->changes == 1);
    read_teardown(f, &actual);
    g_assert_cmpint(actual.perform_errno, ==, 0);
}

#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns of failures */
    ADD("/control-teardown/probe", test_probe);
    ADD("/control-teardown/policy", test_policy);
    ADD("/control-teardown/policy-off-on-host", test_policy_of_a_host_that_has_it_off);
    ADD("/control-teardown/falls-back-to-stock", test_falls_back_to_stock);
    ADD("/control-teardown/vm-that-is-gone", test_vm_that_is_gone);
    ADD("/control-teardown/no-process", test_domain_without_a_process);
    ADD("/control-teardown/nothing-to-take-away", test_nothing_to_take_away);
    ADD("/control-teardown/every-state", test_every_state);
    ADD("/control-teardown/numbers", test_numbers);
    ADD("/control-teardown/events", test_events_are_a_reason_to_look);
    ADD("/control-teardown/restart", test_restart);
    ADD("/control-teardown/cancel", test_cancel);
    ADD("/control-teardown/proof", test_proof);
    ADD("/control-teardown/qemu-gets-its-time", test_qemu_gets_its_time);
    ADD("/control-teardown/qemu-is-about-to", test_qemu_that_is_about_to_is_left_alone);
    ADD("/control-teardown/performs", test_daemon_performs);
    ADD("/control-teardown/performs-interrupted", test_daemon_can_be_interrupted);
    ADD("/control-teardown/performs-ultravisor-refuses",
        test_daemon_meets_a_refusal_of_the_ultravisor);
    ADD("/control-teardown/performs-kernel-refuses", test_daemon_meets_a_refusal_of_the_kernel);
    ADD("/control-teardown/performs-qemu-is-quicker", test_qemu_is_quicker);
    return g_test_run();
}
