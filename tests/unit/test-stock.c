/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-stock.c: what the stock provider makes of a host, on trees of files and on this process
 */
#include <unistd.h>

#include "test-host.h"
#include "ward-error.h"
#include "ward-providers.h"

typedef struct {
    char *root;
    WardProvider *provider;
    WardSupport support;
} Fixture;

static void
set_up(Fixture *f, gconstpointer data)
{
    f->root = g_dir_make_tmp("ward-stock-XXXXXX", NULL);
    f->provider = ward_stock_provider_new(f->root);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    ward_support_clear(&f->support);
    g_object_unref(f->provider);
    test_host_remove(f->root);
    g_free(f->root);
}

#define ASSERT_PROBE(f, protection, capabilities, expected, word)                                  \
    G_STMT_START                                                                                   \
    {                                                                                              \
        ward_provider_probe((f)->provider, protection, capabilities, &(f)->support);               \
        g_assert_cmpint((f)->support.supported, ==, expected);                                     \
        g_assert_cmpstr((f)->support.provider, ==, "stock");                                       \
        if (!strstr((f)->support.reason, word))                                                    \
            g_error("'%s' is not in the reason '%s'", word, (f)->support.reason);                  \
    }                                                                                              \
    G_STMT_END

static void
test_teardown_support(Fixture *f, gconstpointer data)
{
    const WardProtection p = WARD_PROTECTION_TEARDOWN;

    ASSERT_PROBE(f, p, NULL, FALSE, "Ultravisor");
    test_host_put(f->root, "/sys/firmware/uv/prot_virt_host", "0\n");
    ASSERT_PROBE(f, p, NULL, FALSE, "prot_virt=1");
    test_host_put(f->root, "/sys/firmware/uv/prot_virt_host", "1\n");
    ASSERT_PROBE(f, p, NULL, FALSE, "6.2");
    test_host_put(f->root, "/sys/module/kvm/parameters/async_destroy", "N\n");
    ASSERT_PROBE(f, p, NULL, FALSE, "kvm.async_destroy=N");
    test_host_put(f->root, "/sys/module/kvm/parameters/async_destroy", "Y\n");
    ASSERT_PROBE(f, p, NULL, TRUE, "kernel's own");
}

static void
test_trustdomain_support(Fixture *f, gconstpointer data)
{
    const WardProtection p = WARD_PROTECTION_TRUSTDOMAIN;
    const char *without = "<domainCapabilities><features><launchSecurity supported='yes'>"
                          "<enum name='sectype'><value>sev</value></enum></launchSecurity>"
                          "</features></domainCapabilities>";
    const char *with = "<domainCapabilities><features><launchSecurity supported='yes'>"
                       "<enum name='sectype'><value>tdx</value></enum></launchSecurity>"
                       "</features></domainCapabilities>";

    ASSERT_PROBE(f, p, with, FALSE, "6.16");
    test_host_put(f->root, "/sys/module/kvm_intel/parameters/tdx", "N\n");
    ASSERT_PROBE(f, p, with, FALSE, "tdx=1");
    test_host_put(f->root, "/sys/module/kvm_intel/parameters/tdx", "Y\n");
    ASSERT_PROBE(f, p, NULL, FALSE, "not yet");
    ASSERT_PROBE(f, p, without, FALSE, "11.6");
    ASSERT_PROBE(f, p, with, TRUE, "own TDX");
}

static void
test_introspection_and_isolation_need_patches(Fixture *f, gconstpointer data)
{
    ASSERT_PROBE(f, WARD_PROTECTION_INTROSPECTION, NULL, FALSE, "no KVM");
    ASSERT_PROBE(f, WARD_PROTECTION_ISOLATION, NULL, FALSE, "no KVM");
    test_host_put(f->root, "/sys/module/kvm/parameters/halt_poll_ns", "200000\n");
    ASSERT_PROBE(f, WARD_PROTECTION_INTROSPECTION, NULL, FALSE, "patches are needed");
    ASSERT_PROBE(f, WARD_PROTECTION_ISOLATION, NULL, FALSE, "patches are needed");
    test_host_put(f->root, "/sys/module/kvm_intel/parameters/vmentry_l1d_flush", "cond\n");
    ASSERT_PROBE(f, WARD_PROTECTION_ISOLATION, NULL, FALSE, "vmentry_l1d_flush=cond");
}

static void
test_capacity(Fixture *f, gconstpointer data)
{
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(f->provider);
    WardTrustdomainCapacity capacity;
    g_autoptr(GError) error = NULL;

    g_assert_false(iface->trustdomain_capacity(f->provider, &capacity, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED);
    g_clear_error(&error);

    test_host_put(f->root, "/sys/fs/cgroup/misc.capacity", "sev 15\ntdx 31\n");
    test_host_put(f->root, "/sys/fs/cgroup/misc.current", "sev 0\ntdx 7\n");
    g_assert_true(iface->trustdomain_capacity(f->provider, &capacity, &error));
    g_assert_cmpuint(capacity.total, ==, 31);
    g_assert_cmpuint(capacity.used, ==, 7);
    g_assert_false(capacity.knows_leaked);
}

/* What is no number of ours is none, and never one of another resource. */
static void
test_hostile_capacity(Fixture *f, gconstpointer data)
{
    static const char *const texts[] = {
        "",          "\n\n",         "tdx\n",
        "tdx \n",    "tdx many\n",   "tdx -1\n",
        "tdx 1 2\n", "tdx 0x1f\n",   "tdx 99999999999999999999999\n",
        "tdxx 31\n", "sev_tdx 31\n", "tdx\t31\n",
        "TDX 31\n",
    };
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(f->provider);
    WardTrustdomainCapacity capacity;

    test_host_put(f->root, "/sys/fs/cgroup/misc.current", "tdx 7\n");
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;

        test_host_put(f->root, "/sys/fs/cgroup/misc.capacity", texts[i]);
        g_assert_false(iface->trustdomain_capacity(f->provider, &capacity, &error));
        g_assert_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED);
        g_assert_nonnull(strstr(error->message, "6.16"));
    }
}

static void
read_teardown(WardProvider *provider, GPid pid, WardTeardownActual *actual)
{
    const WardTarget target = {.uuid = "u", .name = "n", .pid = pid};
    g_autoptr(GError) error = NULL;

    *actual = (WardTeardownActual){0};
    g_assert_true(
        WARD_PROVIDER_GET_IFACE(provider)->teardown_read(provider, &target, actual, &error));
    g_assert_no_error(error);
}

static void
test_teardown_of_processes(Fixture *f, gconstpointer data)
{
    WardTeardownActual actual;

    test_host_put(f->root, "/proc/41/comm", "cleanup/42\n");
    test_host_put(f->root, "/proc/42/comm", "qemu-system-s39\n");
    test_host_put(f->root, "/proc/42/task/42/comm", "qemu-system-s39\n");
    read_teardown(f->provider, 42, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_NONE);
    g_assert_true(actual.exit_helper);
    test_host_put(f->root, "/proc/42/task/43/comm", "async_cleanup\n");
    read_teardown(f->provider, 42, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_RUNNING);
    read_teardown(f->provider, 4, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_NONE);
    g_assert_false(actual.exit_helper);
    read_teardown(f->provider, 0, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_UNKNOWN);
}

/* The same in the real /proc: QEMU names its thread just so. */
static void
test_teardown_of_a_real_thread(Fixture *f, gconstpointer data)
{
    g_autoptr(WardProvider) provider = ward_stock_provider_new("");
    WardTeardownActual actual;
    TestCleanup cleanup;

    read_teardown(provider, getpid(), &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_NONE);
    test_cleanup_begin(&cleanup);
    read_teardown(provider, getpid(), &actual);
    test_cleanup_end(&cleanup);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_RUNNING);
    /* It can be joined before it is gone from /proc, which the emulation of s390x shows. */
    while (actual.phase == WARD_TEARDOWN_PHASE_RUNNING)
        read_teardown(provider, getpid(), &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_NONE);
}

#define GROUPS "/machine.slice/machine-qemu.scope/libvirt"
#define OURS "/sys/fs/cgroup" GROUPS "/virtward-teardown"

/* A model of the files that the kernel shows: no group is really made. */
static void
put_groups(Fixture *f, const char *group)
{
    g_autofree char *text = g_strdup_printf("9:cpu:/old\n0::%s\n", group);

    test_host_put(f->root, "/proc/42/task/42/comm", "qemu-system-s39\n");
    test_host_put(f->root, "/proc/42/task/43/comm", "async_cleanup\n");
    test_host_put(f->root, "/proc/42/task/43/cgroup", text);
    test_host_put(f->root, OURS "/cgroup.type", "");
    test_host_put(f->root, OURS "/cgroup.threads", "");
}

static gboolean
weigh(Fixture *f, GError **error)
{
    const WardTarget target = {.uuid = "u", .name = "n", .pid = 42};

    return WARD_PROVIDER_GET_IFACE(f->provider)->teardown_weigh(f->provider, &target, 50, error);
}

static void
assert_file(Fixture *f, const char *path, const char *expected)
{
    g_autofree char *full = g_strconcat(f->root, path, NULL);
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(full, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, expected);
}

static void
test_teardown_weight(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(weigh(f, &error)); /* no such thread */
    put_groups(f, GROUPS "/emulator");
    g_assert_false(weigh(f, &error)); /* as if the cpu controller were not enabled */
    g_assert_error(error, WARD_ERROR, WARD_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "cpu.weight"));
    g_clear_error(&error);
    assert_file(f, OURS "/cgroup.threads", "");

    test_host_put(f->root, OURS "/cpu.weight", "");
    g_assert_true(weigh(f, &error));
    g_assert_no_error(error);
    assert_file(f, OURS "/cgroup.type", "threaded");
    assert_file(f, OURS "/cpu.weight", "50");
    assert_file(f, OURS "/cgroup.threads", "43");

    test_host_put(f->root, OURS "/cgroup.threads", "");
    test_host_put(f->root, "/proc/42/task/43/cgroup", "0::" GROUPS "/virtward-teardown\n");
    g_assert_true(weigh(f, &error));
    assert_file(f, OURS "/cgroup.threads", ""); /* it is there already */
}

static void
test_teardown_weight_needs_libvirts_groups(Fixture *f, gconstpointer data)
{
    static const char *const groups[] = {"/user.slice", "/", "/../other/emulator"};

    for (gsize i = 0; i < G_N_ELEMENTS(groups); i++) {
        g_autoptr(GError) error = NULL;

        put_groups(f, groups[i]);
        g_assert_false(weigh(f, &error));
        g_assert_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED);
    }
}

static void
test_providers_by_name(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(WardProvider) best = ward_providers_create("auto", f->root, &error);
    g_autoptr(WardProvider) model = ward_providers_create("simulated", f->root, &error);

    /* Which one depends on the kernel that this runs on; a model is never chosen by itself. */
    g_assert_cmpstr(ward_provider_get_name(best), !=, "simulated");
    g_assert_cmpstr(ward_provider_get_name(model), ==, "simulated");
    g_assert_null(ward_providers_create("magic", f->root, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT);
}

static void
test_damaged_machine_is_refused(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    test_host_put(f->root, "/simulated-machine.conf", "not a key file\n");
    g_assert_null(ward_simulated_provider_new(f->root, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "simulated-machine.conf"));
}

#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/stock/teardown-support", test_teardown_support);
    ADD("/stock/trustdomain-support", test_trustdomain_support);
    ADD("/stock/introspection-and-isolation-need-patches",
        test_introspection_and_isolation_need_patches);
    ADD("/stock/trustdomain-capacity", test_capacity);
    ADD("/stock/hostile-capacity", test_hostile_capacity);
    ADD("/stock/teardown-of-processes", test_teardown_of_processes);
    ADD("/stock/teardown-of-a-real-thread", test_teardown_of_a_real_thread);
    ADD("/stock/teardown-weight", test_teardown_weight);
    ADD("/stock/teardown-weight-needs-groups", test_teardown_weight_needs_libvirts_groups);
    ADD("/providers/by-name", test_providers_by_name);
    ADD("/simulated/damaged-machine-is-refused", test_damaged_machine_is_refused);
    return g_test_run();
}
