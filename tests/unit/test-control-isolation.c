/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-control-isolation.c: the control provider's isolation, and the module on top of it, on a
 * model of the patched kernel
 *
 * The model only answers; that the kernel does what it answers is tested in kernel/isolation, and
 * that both fit together in tests/lab.
 */
#include <errno.h>
#include <string.h>

#include "modules/ward-module.h"
#include "test-control-fixture.h"
#include "ward-error.h"

static const WardTarget target = {.uuid = UUID, .name = "guest", .pid = PID};

static WardIsolationSettings isolation;
static const WardSettings wanted = {.isolation = &isolation};

static void
set_up(Fixture *f, gconstpointer data)
{
    model_reset();
    isolation = (WardIsolationSettings){.on = TRUE};
    f->root = g_dir_make_tmp("ward-control-XXXXXX", NULL);
    start_provider(f);
}

static void
set_refusal(int refusal)
{
    model_lock()->isolation_refusal = refusal;
    model_unlock();
}

/* what the host offers */

static void
assert_probe(Fixture *f, gboolean supported, const char *provider, const char *reason)
{
    WardSupport support = {0};

    ward_provider_probe(f->provider, WARD_PROTECTION_ISOLATION, NULL, &support);
    g_assert_cmpint(support.supported, ==, supported);
    g_assert_cmpstr(support.provider, ==, provider);
    if (!strstr(support.reason, reason))
        g_error("'%s' does not say '%s'", support.reason, reason);
    ward_support_clear(&support);
}

static void
test_probe(Fixture *f, gconstpointer data)
{
    assert_probe(f, TRUE, "control", "the patched kernel's");
    set_refusal(EOPNOTSUPP);
    assert_probe(f, FALSE, "control", "boot with asi=on");
    set_refusal(EMFILE);
    assert_probe(f, FALSE, "control", "cannot be asked");
}

/* What a kernel with other patches only lacks, it lacks as an unpatched one does. */
static void
test_kernel_without_isolation(Fixture *f, gconstpointer data)
{
    set_refusal(ENOTTY);
    test_host_put(f->root, "/sys/module/kvm/x", "");
    test_host_put(f->root, "/sys/module/kvm_intel/parameters/vmentry_l1d_flush", "cond\n");
    assert_probe(f, FALSE, "stock", "patches are needed; until then vmentry_l1d_flush=cond");
}

/* the provider */

static WardIsolationActual
look(Fixture *f)
{
    WardIsolationActual actual = {0};
    g_autoptr(GError) error = NULL;

    g_assert_true(f->iface->isolation_read(f->provider, &target, &actual, &error));
    g_assert_no_error(error);
    return actual;
}

static void
set(Fixture *f, gboolean on)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(f->iface->isolation_set(f->provider, &target, on, &error));
    g_assert_no_error(error);
}

static void
test_read(Fixture *f, gconstpointer data)
{
    g_assert_cmpint(look(f).state, ==, WARD_ISOLATION_OFF);
    g_assert_false(look(f).from_start);
    set(f, TRUE);
    g_assert_cmpint(look(f).state, ==, WARD_ISOLATION_ON);
    g_assert_true(look(f).from_start);
    model_enter(FALSE);
    g_assert_true(look(f).from_start);
    g_assert_false(look(f).broken);
    set(f, FALSE);
    model_enter(FALSE);
    g_assert_cmpint(look(f).state, ==, WARD_ISOLATION_OFF);
    set(f, TRUE);
    g_assert_cmpint(look(f).state, ==, WARD_ISOLATION_ON);
    g_assert_false(look(f).from_start);
    g_assert_cmpuint(look(f).violations, ==, 0);
}

static void
test_statistics(Fixture *f, gconstpointer data)
{
    static const char *const names[] = {
        "entries-restricted", "entries-unrestricted", "violations",     "exits-fault",
        "exits-schedule",     "exits-userspace",      "exits-explicit", "flushes"};
    WardIsolationStatistics statistics = {0};
    g_autoptr(GVariant) variant = NULL;
    g_autoptr(GError) error = NULL;
    guint64 number;

    model_lock()->isolation = (struct kvm_isolation_stats){1, 2, 3, 4, 5, 6, 7, 8};
    model_unlock();
    g_assert_true(f->iface->isolation_statistics(f->provider, &target, &statistics, &error));
    g_assert_no_error(error);
    variant = g_variant_ref_sink(ward_isolation_statistics_to_variant(&statistics));
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_assert_true(g_variant_lookup(variant, names[i], "t", &number));
        g_assert_cmpuint(number, ==, i + 1);
    }
    g_assert_true(g_variant_lookup(variant, "time", "t", &number));
    g_assert_cmpuint(number, >, 0);
    g_assert_cmpuint(g_variant_n_children(variant), ==, G_N_ELEMENTS(names) + 1);
}

static void
test_refusals(Fixture *f, gconstpointer data)
{
    static const struct {
        int number;
        WardError code;
        const char *says;
    } cases[] = {
        {EOPNOTSUPP, WARD_ERROR_NOT_SUPPORTED, "boot with asi=on"},
        {ENOTTY, WARD_ERROR_NOT_SUPPORTED, "no address space isolation"},
        {ENODEV, WARD_ERROR_INVALID_STATE, "gone"},
        {EFAULT, WARD_ERROR_FAILED, "Bad address"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        WardIsolationStatistics statistics;
        WardIsolationActual actual;
        g_autoptr(GError) count = NULL;
        g_autoptr(GError) read = NULL;

        set_refusal(cases[i].number);
        g_assert_false(f->iface->isolation_statistics(f->provider, &target, &statistics, &count));
        g_assert_error(count, WARD_ERROR, (int)cases[i].code);
        g_assert_nonnull(strstr(count->message, cases[i].says));
        g_assert_nonnull(strstr(count->message, "guest"));
        g_assert_false(f->iface->isolation_read(f->provider, &target, &actual, &read));
        g_assert_error(read, WARD_ERROR, (int)cases[i].code);
    }
}

/* the proof at the start */

static void
assert_proof(Fixture *f, const char *failure)
{
    g_autoptr(GError) error = NULL;
    gboolean proven =
        f->iface->prove(f->provider, &target, &wanted, WARD_PROTECTION_ISOLATION, &error);

    if (!failure) {
        g_assert_no_error(error);
        g_assert_true(proven);
        return;
    }
    g_assert_false(proven);
    g_assert_error(error, WARD_ERROR, WARD_ERROR_FAILED);
    if (!strstr(error->message, failure) || !strstr(error->message, "'guest'"))
        g_error("'%s' does not say '%s'", error->message, failure);
}

static void
test_proof(Fixture *f, gconstpointer data)
{
    set(f, TRUE);
    assert_proof(f, NULL);
    model_enter(FALSE);
    assert_proof(f, NULL);
    model_enter(TRUE);
    assert_proof(f, "entered 1 times without it");
    set(f, FALSE);
    assert_proof(f, "turned it off");
    isolation.on = FALSE;
    assert_proof(f, NULL);
}

static void
test_proof_of_a_late_policy(Fixture *f, gconstpointer data)
{
    model_enter(FALSE);
    set(f, TRUE);
    assert_proof(f, "1 of 1 vCPUs");
}

/* the module */

typedef struct {
    gboolean done;
    WardActual *actual;
    char *failure;
} Pass;

static void
pass_clear(Pass *self)
{
    g_clear_pointer(&self->actual, ward_actual_unref);
    g_clear_pointer(&self->failure, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pass, pass_clear)

/* @applied: by the pass before; NULL: there was none. */
static Pass
run(Fixture *f,
    gboolean (*func)(const WardModuleContext *context, GError **error),
    const char *type,
    const WardSettings *applied)
{
    WardDomainXml xml = {.type = (char *)type};
    WardSupport support = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(WardActual) previous = ward_actual_new();
    Pass pass = {.actual = ward_actual_new()};
    WardModuleContext context = {
        .provider = f->provider,
        .target = &target,
        .support = &support,
        .wanted = &wanted,
        .applied = applied,
        .xml = &xml,
        .previous = previous,
        .actual = pass.actual,
    };

    ward_provider_probe(f->provider, WARD_PROTECTION_ISOLATION, NULL, &support);
    pass.done = (func == ward_isolation_module.undo ||
                 ward_module_check(&ward_isolation_module, &context, &error)) &&
                func(&context, &error);
    g_assert_cmpint(pass.done, ==, error == NULL);
    pass.failure = error ? g_strdup(error->message) : NULL;
    ward_support_clear(&support);
    return pass;
}

static void
assert_applied(Fixture *f, WardIsolationState state)
{
    g_auto(Pass) pass = run(f, ward_isolation_module.apply, "kvm", NULL);

    g_assert_cmpstr(pass.failure, ==, NULL);
    g_assert_cmpint(pass.actual->isolation.state, ==, state);
}

static void
assert_not_applied(Fixture *f, const char *type, const char *failure)
{
    g_auto(Pass) pass = run(f, ward_isolation_module.apply, type, NULL);

    g_assert_false(pass.done);
    if (!strstr(pass.failure, failure))
        g_error("'%s' does not say '%s'", pass.failure, failure);
}

/* A second time changes nothing, and neither does a daemon that is new. */
static void
test_apply(Fixture *f, gconstpointer data)
{
    assert_applied(f, WARD_ISOLATION_ON);
    g_assert_cmpuint(model_lock()->sets, ==, 1);
    model_unlock();
    g_object_unref(f->provider);
    start_provider(f);
    assert_applied(f, WARD_ISOLATION_ON);
    g_assert_cmpuint(model_lock()->sets, ==, 1);
    model_unlock();
    isolation.on = FALSE;
    assert_applied(f, WARD_ISOLATION_OFF);
    g_assert_cmpint(look(f).state, ==, WARD_ISOLATION_OFF);
}

static void
test_a_violation_fails_until_it_was_off(Fixture *f, gconstpointer data)
{
    const struct kvm_control_event event = {.type = KVM_CONTROL_EVENT_BROKEN,
                                            .data = {KVM_CONTROL_ISOLATION, EFAULT}};

    assert_applied(f, WARD_ISOLATION_ON);
    model_enter(TRUE);
    model_enter(TRUE);
    model_tell(&event, FALSE);
    while (f->changes == 0)
        g_main_context_iteration(NULL, TRUE);
    assert_not_applied(f, "kvm", "without it (2 times");
    assert_not_applied(f, "kvm", "off and on again");
    g_assert_cmpuint(look(f).violations, ==, 2);
    isolation.on = FALSE;
    assert_applied(f, WARD_ISOLATION_OFF);
    isolation.on = TRUE;
    assert_applied(f, WARD_ISOLATION_ON);
    g_assert_cmpuint(look(f).violations, ==, 2);
    g_assert_false(look(f).from_start);
}

static void
test_what_cannot_have_it(Fixture *f, gconstpointer data)
{
    assert_not_applied(f, "qemu", "type='qemu'");
    set_refusal(EOPNOTSUPP);
    assert_not_applied(f, "kvm", "boot with asi=on");
    g_assert_cmpuint(model_lock()->sets, ==, 0);
    model_unlock();
}

/* Whatever cannot have it is kept from it all the same. */
static void
test_off_needs_nothing(Fixture *f, gconstpointer data)
{
    isolation.on = FALSE;
    assert_applied(f, WARD_ISOLATION_OFF);
    set_refusal(EOPNOTSUPP);
    assert_applied(f, WARD_ISOLATION_OFF);
    set_refusal(0);
    model_lock()->open_refusal = ENOENT;
    model_unlock();
    assert_applied(f, WARD_ISOLATION_OFF);
}

static void
undo(Fixture *f, const WardSettings *applied)
{
    g_auto(Pass) pass = run(f, ward_isolation_module.undo, "kvm", applied);

    g_assert_cmpstr(pass.failure, ==, NULL);
}

static void
test_undo(Fixture *f, gconstpointer data)
{
    model_lock()->open_refusal = ENOENT;
    model_unlock();
    undo(f, &wanted);
    model_lock()->open_refusal = 0;
    model_unlock();
    set(f, TRUE);
    undo(f, &wanted);
    g_assert_cmpint(look(f).state, ==, WARD_ISOLATION_OFF);
}

/* A VM that its control group gives isolation to begins with it; a domain can still say no. */
static void
test_what_the_host_gives_stays(Fixture *f, gconstpointer data)
{
    model_lock()->control.active |= KVM_CONTROL_ISOLATION;
    model_unlock();
    undo(f, NULL);
    g_assert_cmpint(look(f).state, ==, WARD_ISOLATION_ON);
    isolation.on = FALSE;
    assert_applied(f, WARD_ISOLATION_OFF);
    g_assert_cmpint(look(f).state, ==, WARD_ISOLATION_OFF);
}

#define ADD(path, test) g_test_add(path, Fixture, NULL, set_up, test, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/control-isolation/probe", test_probe);
    ADD("/control-isolation/kernel-without-isolation", test_kernel_without_isolation);
    ADD("/control-isolation/read", test_read);
    ADD("/control-isolation/statistics", test_statistics);
    ADD("/control-isolation/refusals", test_refusals);
    ADD("/control-isolation/proof", test_proof);
    ADD("/control-isolation/proof-of-a-late-policy", test_proof_of_a_late_policy);
    ADD("/control-isolation/apply", test_apply);
    ADD("/control-isolation/violation", test_a_violation_fails_until_it_was_off);
    ADD("/control-isolation/what-cannot-have-it", test_what_cannot_have_it);
    ADD("/control-isolation/off-needs-nothing", test_off_needs_nothing);
    ADD("/control-isolation/undo", test_undo);
    ADD("/control-isolation/what-the-host-gives-stays", test_what_the_host_gives_stays);
    return g_test_run();
}
