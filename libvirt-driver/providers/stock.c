/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stock.c: what an unpatched kernel, QEMU and libvirt offer
 *
 * It can look, and seldom do more: what it cannot tell it calls unknown, with the reason.
 */
#include <string.h>

#include <sys/utsname.h>

#include "proc-comm.h"
#include "teardown-weight.h"
#include "ward-error.h"
#include "ward-providers.h"

/* The helper process of -run-with async-teardown=on, which is named after QEMU's pid (QEMU's s390x
 * code). */
#define QEMU_EXIT_PROCESS "cleanup/%d"

#define MAX_PROCESSES 100000 /* of /proc to look at */

#define WARD_TYPE_STOCK_PROVIDER (ward_stock_provider_get_type())
G_DECLARE_FINAL_TYPE(WardStockProvider, ward_stock_provider, WARD, STOCK_PROVIDER, GObject)

struct _WardStockProvider {
    GObject parent;

    char *root;
};

static void ward_stock_provider_iface_init(WardProviderInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE(WardStockProvider,
                              ward_stock_provider,
                              G_TYPE_OBJECT,
                              G_IMPLEMENT_INTERFACE(WARD_TYPE_PROVIDER,
                                                    ward_stock_provider_iface_init))

/* files of the host */

static char *
host_path(WardProvider *provider, const char *path)
{
    return g_strconcat(WARD_STOCK_PROVIDER(provider)->root, path, NULL);
}

/* The stripped text of a small file; NULL when it cannot be read. */
static char *
read_host(WardProvider *provider, const char *path)
{
    g_autofree char *full = host_path(provider, path);
    char *text = NULL;

    if (!g_file_get_contents(full, &text, NULL, NULL))
        return NULL;
    return g_strstrip(text);
}

static gboolean
host_says(WardProvider *provider, const char *path, const char *yes)
{
    g_autofree char *text = read_host(provider, path);

    return text && (g_str_equal(text, yes) || g_str_equal(text, "1"));
}

static gboolean
host_has(WardProvider *provider, const char *path)
{
    g_autofree char *full = host_path(provider, path);

    return g_file_test(full, G_FILE_TEST_EXISTS);
}

/* probing */

static void
probe_teardown(WardProvider *provider, WardSupport *support)
{
    struct utsname host;

    uname(&host);
    if (!host_has(provider, "/sys/firmware/uv"))
        ward_support_set(support, FALSE,
                         "protected guests are a feature of s390x with an Ultravisor; this host "
                         "(%s) has none",
                         host.machine);
    else if (!host_says(provider, "/sys/firmware/uv/prot_virt_host", "1"))
        ward_support_set(support, FALSE,
                         "the host does not run protected guests: boot it with prot_virt=1");
    else if (!host_has(provider, "/sys/module/kvm/parameters/async_destroy"))
        ward_support_set(support, FALSE,
                         "this kernel (%s) destroys protected guests synchronously: 6.2 or later, "
                         "or virtward's patches, are needed",
                         host.release);
    else if (!host_says(provider, "/sys/module/kvm/parameters/async_destroy", "Y"))
        ward_support_set(support, FALSE,
                         "asynchronous teardown is turned off: kvm.async_destroy=N");
    else
        ward_support_set(support, TRUE,
                         "the kernel's own (kvm.async_destroy=Y), for all domains alike");
}

static gboolean
capabilities_have_tdx(const char *capabilities)
{
    const char *security = capabilities ? strstr(capabilities, "<launchSecurity") : NULL;

    return security && strstr(security, "<value>tdx</value>");
}

/* "<resource> <number>" in a file of the misc controller, cgroup-v2.rst. */
static gboolean
read_misc(WardProvider *provider, const char *file, guint64 *value)
{
    static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

    for (gsize i = 0; i < G_N_ELEMENTS(mounts); i++) {
        g_autofree char *path = g_build_filename(mounts[i], file, NULL);
        g_autofree char *text = read_host(provider, path);
        g_auto(GStrv) lines = text ? g_strsplit(text, "\n", 64) : NULL;

        for (char **line = lines; line && *line; line++) {
            if (g_str_has_prefix(*line, "tdx ") &&
                g_ascii_string_to_unsigned(g_strstrip(*line + 4), 10, 0, G_MAXUINT64, value, NULL))
                return TRUE;
        }
    }
    return FALSE;
}

static void
probe_trustdomain(WardProvider *provider, const char *capabilities, WardSupport *support)
{
    const char *parameter = "/sys/module/kvm_intel/parameters/tdx";

    if (!host_has(provider, parameter))
        ward_support_set(support, FALSE,
                         "this kernel's KVM knows no trust domains: Linux 6.16 or later on an "
                         "Intel CPU with TDX is needed");
    else if (!host_says(provider, parameter, "Y"))
        ward_support_set(support, FALSE,
                         "TDX is off: enable it in the firmware and load kvm_intel with tdx=1");
    else if (!capabilities)
        ward_support_set(support, FALSE, "libvirt has not yet told what its QEMU can do");
    else if (!capabilities_have_tdx(capabilities))
        ward_support_set(support, FALSE,
                         "libvirt offers no <launchSecurity type='tdx'>: libvirt 11.6 or later "
                         "and QEMU 10.1 or later are needed");
    else
        ward_support_set(support, TRUE, "the kernel's, QEMU's and libvirt's own TDX");
}

static void
probe_introspection(WardProvider *provider, WardSupport *support)
{
    ward_support_set(support, FALSE,
                     host_has(provider, "/sys/module/kvm")
                         ? "this kernel's KVM has no introspection (KVMI): virtward's kernel "
                           "patches are needed"
                         : "this host runs no KVM, which introspection (KVMI) is a part of");
}

/* What there is instead is the flush on VM entry: say how it stands. */
static void
probe_isolation(WardProvider *provider, WardSupport *support)
{
    g_autofree char *flush =
        read_host(provider, "/sys/module/kvm_intel/parameters/vmentry_l1d_flush");

    if (!host_has(provider, "/sys/module/kvm"))
        ward_support_set(support, FALSE,
                         "this host runs no KVM, whose exits address space isolation is for");
    else
        ward_support_set(support, FALSE,
                         "this kernel has no address space isolation (ASI) for KVM: virtward's "
                         "kernel patches are needed%s%s",
                         flush ? "; until then vmentry_l1d_flush=" : "", flush ? flush : "");
}

static void
probe(WardProvider *provider,
      WardProtection protection,
      const char *capabilities,
      WardSupport *support)
{
    switch (protection) {
    case WARD_PROTECTION_TEARDOWN:
        probe_teardown(provider, support);
        break;
    case WARD_PROTECTION_TRUSTDOMAIN:
        probe_trustdomain(provider, capabilities, support);
        break;
    case WARD_PROTECTION_INTROSPECTION:
        probe_introspection(provider, support);
        break;
    case WARD_PROTECTION_ISOLATION:
        probe_isolation(provider, support);
        break;
    }
}

/* teardown */

static gboolean
teardown_set(WardProvider *provider,
             const WardTarget *target,
             WardTeardownMode mode,
             GError **error)
{
    if (mode != WARD_TEARDOWN_SYNC)
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                "teardown: without virtward's kernel patches onReboot='sync' cannot be set for "
                "one domain, only for all: kvm.async_destroy=N");
    return FALSE;
}

static gboolean
host_runs(WardProvider *provider, const char *directory, const char *comm)
{
    g_autofree char *entry =
        ward_proc_find_comm(WARD_STOCK_PROVIDER(provider)->root, directory, comm, MAX_PROCESSES);

    return entry != NULL;
}

/* How much there is to do and was done, nobody outside the kernel can see. */
static gboolean
teardown_read(WardProvider *provider,
              const WardTarget *target,
              WardTeardownActual *actual,
              GError **error)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", target->pid);
    g_autofree char *helper = g_strdup_printf(QEMU_EXIT_PROCESS, target->pid);

    actual->phase = WARD_TEARDOWN_PHASE_UNKNOWN;
    if (target->pid == 0)
        return TRUE;
    actual->phase = host_runs(provider, tasks, WARD_TEARDOWN_THREAD) ? WARD_TEARDOWN_PHASE_RUNNING
                                                                     : WARD_TEARDOWN_PHASE_NONE;
    actual->exit_helper = host_runs(provider, "/proc", helper);
    return TRUE;
}

static gboolean
teardown_weigh(WardProvider *provider, const WardTarget *target, guint weight, GError **error)
{
    return ward_teardown_weight_set(WARD_STOCK_PROVIDER(provider)->root, target->pid, weight,
                                    error);
}

/* trustdomain */

static gboolean
trustdomain_capacity(WardProvider *provider, WardTrustdomainCapacity *capacity, GError **error)
{
    *capacity = (WardTrustdomainCapacity){0};
    if (read_misc(provider, "misc.capacity", &capacity->total) &&
        read_misc(provider, "misc.current", &capacity->used))
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                "this kernel does not count trust domain keys: there is no 'tdx' in the misc "
                "cgroup (Linux 6.16 or later, with TDX enabled)");
    return FALSE;
}

static gboolean
trustdomain_read(WardProvider *provider,
                 const WardTarget *target,
                 WardTrustdomainActual *actual,
                 GError **error)
{
    *actual = (WardTrustdomainActual){.known = TRUE, .state = WARD_TRUSTDOMAIN_UNKNOWN};
    return TRUE;
}

/* the object */

static void
ward_stock_provider_finalize(GObject *object)
{
    g_free(WARD_STOCK_PROVIDER(object)->root);
    G_OBJECT_CLASS(ward_stock_provider_parent_class)->finalize(object);
}

static void
ward_stock_provider_class_init(WardStockProviderClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = ward_stock_provider_finalize;
}

static void
ward_stock_provider_init(WardStockProvider *self)
{
}

static void
ward_stock_provider_iface_init(WardProviderInterface *iface)
{
    iface->name = "stock";
    iface->probe = probe;
    iface->teardown_set = teardown_set;
    iface->teardown_read = teardown_read;
    iface->teardown_weigh = teardown_weigh;
    iface->trustdomain_capacity = trustdomain_capacity;
    iface->trustdomain_read = trustdomain_read;
}

WardProvider *
ward_stock_provider_new(const char *root)
{
    WardStockProvider *self = g_object_new(WARD_TYPE_STOCK_PROVIDER, NULL);

    self->root = g_strdup(root);
    return WARD_PROVIDER(self);
}
