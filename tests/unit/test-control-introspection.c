/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-control-introspection.c: the control provider's introspection on a model of the patched
 * kernel
 *
 * The model only answers; that the kernel does what it answers is tested in kernel/introspection,
 * and that both fit together in tests/lab.
 */
#include <errno.h>
#include <linux/kvmi.h>
#include <string.h>

#include "modules/ward-module.h"
#include "test-control-fixture.h"
#include "ward-error.h"

static const WardTarget target = {.uuid = UUID, .name = "guest", .pid = PID};
/* As it is asked for by who must not wait for the process. */
static const WardTarget by_uuid = {.uuid = UUID, .name = "guest"};

static struct kvm_introspection_stats counted;
static struct kvm_introspection_allow allowed;
static guint unhooks;
static int stats_refusal;

static int
answer_ioctl(unsigned long request, void *argument)
{
    switch (request) {
    case KVM_INTROSPECTION_ALLOW:
        allowed = *(struct kvm_introspection_allow *)argument;
        return 0;
    case KVM_INTROSPECTION_UNHOOK:
        unhooks++;
        return 0;
    case KVM_INTROSPECTION_HOOK:
    case KVM_INTROSPECTION_PREUNHOOK:
        return 0;
    case KVM_INTROSPECTION_GET_STATS:
        *(struct kvm_introspection_stats *)argument = counted;
        return stats_refusal;
    default:
        return ENOTTY;
    }
}

static void
set_up(Fixture *f, gconstpointer data)
{
    model_reset();
    model_lock()->introspection = answer_ioctl;
    model_unlock();
    memset(&counted, 0, sizeof counted);
    memset(&allowed, 0, sizeof allowed);
    unhooks = 0;
    stats_refusal = 0;
    f->root = g_dir_make_tmp("ward-control-XXXXXX", NULL);
    start_provider(f);
}

/* The provider knows the VM. */
static void
look(Fixture *f)
{
    WardIntrospectionActual actual;
    g_autoptr(GError) error = NULL;

    g_assert_true(f->iface->introspection_read(f->provider, &target, &actual, &error));
    g_assert_no_error(error);
}

static void
test_statistics(Fixture *f, gconstpointer data)
{
    WardIntrospectionStatistics statistics = {0};
    g_autoptr(GError) error = NULL;

    counted.commands = 12;
    counted.errors = 3;
    counted.events = 5;
    counted.reply_hist[0] = 1;
    counted.reply_hist[17] = 4;
    counted.reply_hist[KVM_INTROSPECTION_REPLY_HIST - 1] = 2;
    look(f);
    g_assert_true(f->iface->introspection_statistics(f->provider, &by_uuid, &statistics, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(statistics.commands, ==, 12);
    g_assert_cmpuint(statistics.errors, ==, 3);
    g_assert_cmpuint(statistics.events, ==, 5);
    g_assert_cmpmem(statistics.reply_times, sizeof statistics.reply_times, counted.reply_hist,
                    sizeof counted.reply_hist);
}

static void
assert_no_statistics(Fixture *f, int refusal, WardError code)
{
    WardIntrospectionStatistics statistics;
    g_autoptr(GError) error = NULL;

    stats_refusal = refusal;
    g_assert_false(f->iface->introspection_statistics(f->provider, &by_uuid, &statistics, &error));
    g_assert_error(error, WARD_ERROR, (int)code);
    g_assert_nonnull(strstr(error->message, "guest"));
}

static void
test_no_statistics(Fixture *f, gconstpointer data)
{
    /* It was never looked at: nobody opens a control fd for this. */
    assert_no_statistics(f, 0, WARD_ERROR_NOT_FOUND);
    g_assert_cmpuint(model_lock()->opens, ==, 0);
    model_unlock();
    look(f);
    assert_no_statistics(f, ENODEV, WARD_ERROR_NOT_FOUND);
    assert_no_statistics(f, ENOTTY, WARD_ERROR_NOT_SUPPORTED);
    assert_no_statistics(f, EPERM, WARD_ERROR_NOT_SUPPORTED);
    assert_no_statistics(f, EFAULT, WARD_ERROR_FAILED);
}

/* Names become the bits of their numbers, and no list at all the bits of everything. */
static void
test_allow_lists(Fixture *f, gconstpointer data)
{
    WardIntrospectionSettings settings = {
        .allowed_commands = (char *[]){"get-guest-info", "vcpu-control-singlestep", NULL},
        .allowed_events = (char *[]){"unhook", "cpuid", NULL},
    };
    g_autoptr(GError) error = NULL;

    g_assert_true(f->iface->introspection_hook(f->provider, &target, &settings, -1, &error));
    g_assert_cmphex(allowed.commands, ==, 1ull << 5 | 1ull << 63);
    g_assert_cmphex(allowed.events, ==, 1ull << 0 | 1ull << 13);
    settings.allowed_commands = settings.allowed_events = NULL;
    g_assert_true(f->iface->introspection_hook(f->provider, &target, &settings, -1, &error));
    g_assert_cmphex(allowed.commands, ==, G_MAXUINT64);
    g_assert_cmphex(allowed.events, ==, G_MAXUINT64);
    g_assert_no_error(error);
}

static gboolean
undo(Fixture *f, const WardTarget *whose, GError **error)
{
    g_autoptr(WardActual) actual = ward_actual_new();
    WardModuleContext context = {.provider = f->provider, .target = whose, .actual = actual};

    return ward_introspection_module.undo(&context, error);
}

/* Most domains of a host want no introspection, and some have no VM: nobody is to be told of it. */
static void
test_nothing_to_take_away(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(undo(f, &by_uuid, &error));
    g_assert_no_error(error);
    model_lock()->open_refusal = ENOENT;
    model_unlock();
    g_assert_true(undo(f, &target, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(unhooks, ==, 0);
    model_lock()->open_refusal = 0;
    model_unlock();
    g_assert_true(undo(f, &target, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(unhooks, ==, 1);
    model_lock()->refusal = EIO;
    model_unlock();
    g_assert_false(undo(f, &target, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_FAILED);
}

static gboolean
apply(Fixture *f, gboolean *gone)
{
    WardIntrospectionSettings introspection = {.socket = {.path = "/nobody"}};
    WardSettings wanted = {.introspection = &introspection};
    g_autoptr(WardActual) previous = ward_actual_new();
    g_autoptr(WardActual) actual = ward_actual_new();
    g_autoptr(GError) error = NULL;
    WardModuleContext context = {
        .provider = f->provider,
        .target = &target,
        .wanted = &wanted,
        .previous = previous,
        .actual = actual,
    };
    gboolean done = ward_introspection_module.apply(&context, &error);

    *gone = actual->introspection.gone;
    return done;
}

/* A tool whose VM has ended was not lost: libvirt just has not said so yet. */
static void
test_vm_that_is_gone(Fixture *f, gconstpointer data)
{
    gboolean gone;

    model_lock()->control.active |= KVM_CONTROL_INTROSPECTION;
    model_unlock();
    g_assert_true(apply(f, &gone));
    g_assert_false(gone);
    f->iface->forget(f->provider, &target);
    model_lock()->open_refusal = ENOENT;
    model_unlock();
    g_assert_false(apply(f, &gone));
    g_assert_true(gone);
}

#define ADD(path, test) g_test_add(path, Fixture, NULL, set_up, test, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/control-introspection/statistics", test_statistics);
    ADD("/control-introspection/no-statistics", test_no_statistics);
    ADD("/control-introspection/allow-lists", test_allow_lists);
    ADD("/control-introspection/nothing-to-take-away", test_nothing_to_take_away);
    ADD("/control-introspection/vm-that-is-gone", test_vm_that_is_gone);
    return g_test_run();
}
