/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.c: the patched kernel, through a control fd for each running VM
 *
 * What the kernel at hand cannot do of it, the stock provider does as well as it can: every
 * protection says which of the two it has.
 *
 * A control fd is opened when it is first needed and kept until the VM is gone. The kernel keeps
 * everything that counts, so a daemon that starts anew opens it again and finds all as it was.
 */
#include "control-introspection.h"
#include "control-isolation.h"
#include "control-teardown.h"
#include "control-trustdomain.h"
#include "control-vm.h"
#include "ward-error.h"
#include "ward-providers.h"

/* How often it is looked whether QEMU still has the thread that a guest was set aside for. */
#define LOOK_AT_QEMU_MS 1000

#define WARD_TYPE_CONTROL_PROVIDER (ward_control_provider_get_type())
G_DECLARE_FINAL_TYPE(WardControlProvider, ward_control_provider, WARD, CONTROL_PROVIDER, GObject)

struct _WardControlProvider {
    GObject parent;

    WardProvider *stock;
    GMutex lock;     /* guards vms */
    GHashTable *vms; /* UUID to Vm */
    WardControlTeardown *teardown;
    WardControlTrustdomain *trustdomain;
};

static void ward_control_provider_iface_init(WardProviderInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE(WardControlProvider,
                              ward_control_provider,
                              G_TYPE_OBJECT,
                              G_IMPLEMENT_INTERFACE(WARD_TYPE_PROVIDER,
                                                    ward_control_provider_iface_init))

static WardProvider *
get_stock(WardProvider *provider)
{
    return WARD_CONTROL_PROVIDER(provider)->stock;
}

static WardProviderInterface *
stock_iface(WardProvider *provider)
{
    return WARD_PROVIDER_GET_IFACE(get_stock(provider));
}

/* the VMs */

typedef struct {
    WardControlVm *vm;
    GPid pid;
} Vm;

static void
drop_vm(gpointer data)
{
    Vm *entry = data;

    ward_control_vm_stop(entry->vm);
    ward_control_vm_unref(entry->vm);
    g_free(entry);
}

static void
on_vm_event(const char *uuid,
            const struct kvm_control_event *events,
            gsize n_events,
            gboolean gone,
            gpointer data)
{
    WardControlProvider *self = data;

    for (gsize i = 0; i < n_events; i++)
        ward_control_trustdomain_take_event(self->trustdomain, uuid, &events[i]);

    if (gone) {
        g_mutex_lock(&self->lock);
        g_hash_table_remove(self->vms, uuid);
        g_mutex_unlock(&self->lock);
    }
    ward_provider_emit_changed(WARD_PROVIDER(self), uuid);
}

/* Of the process that the domain has, or, when it has none (any more), of the last. Needs the lock;
 * borrowed. */
static WardControlVm *
lookup_vm(WardControlProvider *self, const WardTarget *target)
{
    Vm *entry = g_hash_table_lookup(self->vms, target->uuid);

    return entry && (target->pid == 0 || target->pid == entry->pid) ? entry->vm : NULL;
}

/* A reference, or NULL with NOT_FOUND when the domain has no VM (yet). */
static WardControlVm *
get_vm(WardProvider *provider, const WardTarget *target, GError **error)
{
    WardControlProvider *self = WARD_CONTROL_PROVIDER(provider);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
    WardControlVm *vm = lookup_vm(self, target);
    Vm *entry;

    if (vm)
        return ward_control_vm_ref(vm);
    if (target->pid == 0) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_FOUND,
                    "control: domain '%s' has no QEMU process that can be found", target->name);
        return NULL;
    }
    vm = ward_control_vm_open(target->uuid, target->pid, on_vm_event, self, error);
    if (!vm)
        return NULL;
    entry = g_new0(Vm, 1);
    entry->vm = vm;
    entry->pid = target->pid;
    g_hash_table_replace(self->vms, g_strdup(target->uuid), entry);
    return ward_control_vm_ref(vm);
}

static gboolean
read_info(WardProvider *provider,
          const WardTarget *target,
          struct kvm_control_info *info,
          GError **error)
{
    g_autoptr(WardControlVm) vm = get_vm(provider, target, error);

    return vm && ward_control_vm_get_info(vm, info, error);
}

/* Where the stock kernel's cannot be had, there is nothing to steer either. */
static void
probe_teardown(WardProvider *provider, WardSupport *support)
{
    g_autofree char *stock_reason = NULL;
    g_autoptr(GError) error = NULL;

    ward_provider_probe(get_stock(provider), WARD_PROTECTION_TEARDOWN, NULL, support);
    if (!support->supported)
        return;
    if (ward_control_teardown_is_enabled(&error)) {
        support->provider = ward_provider_get_name(provider);
        ward_support_set(support, TRUE, "the patched kernel's, for each domain");
        return;
    }
    stock_reason = g_steal_pointer(&support->reason);
    ward_support_set(support, TRUE, "%s; %s", stock_reason, error->message);
}

static void
probe_trustdomain(WardProvider *provider, const char *capabilities, WardSupport *support)
{
    WardTrustdomainCapacity capacity;

    ward_provider_probe(get_stock(provider), WARD_PROTECTION_TRUSTDOMAIN, capabilities, support);
    if (!support->supported || !ward_control_trustdomain_count(&capacity, NULL))
        return;
    support->provider = ward_provider_get_name(provider);
    ward_support_set(support, TRUE, "QEMU's and libvirt's own TDX, on the patched kernel");
}

/* A kernel without it is as good as an unpatched one, whose reason says what there is instead. */
static void
probe_isolation(WardProvider *provider, WardSupport *support)
{
    g_autoptr(GError) error = NULL;

    switch (ward_control_isolation_ask(&error)) {
    case WARD_CONTROL_ISOLATION_ENABLED:
        ward_support_set(support, TRUE, "the patched kernel's address space isolation (ASI)");
        break;
    case WARD_CONTROL_ISOLATION_ABSENT:
        ward_provider_probe(get_stock(provider), WARD_PROTECTION_ISOLATION, NULL, support);
        break;
    default:
        ward_support_set(support, FALSE, "%s", error->message);
    }
}

static void
probe(WardProvider *provider,
      WardProtection protection,
      const char *capabilities,
      WardSupport *support)
{
    g_autoptr(GError) error = NULL;

    if (protection == WARD_PROTECTION_TEARDOWN)
        probe_teardown(provider, support);
    else if (protection == WARD_PROTECTION_TRUSTDOMAIN)
        probe_trustdomain(provider, capabilities, support);
    else if (protection == WARD_PROTECTION_ISOLATION)
        probe_isolation(provider, support);
    else if (ward_control_introspection_is_enabled(&error))
        ward_support_set(support, TRUE, "the patched kernel's KVMI");
    else
        ward_support_set(support, FALSE, "%s", error->message);
}

/* before and after a guest runs */

static gboolean
is_ready(WardProvider *provider, const WardTarget *target)
{
    g_autoptr(WardControlVm) vm = get_vm(provider, target, NULL);

    return vm != NULL;
}

/* What this kernel does not do itself, the stock provider does: whether @failure is of that sort.
 * Takes it over, to pass it on to @error when it is not. */
static gboolean
is_left_to_stock(GError *failure, GError **error)
{
    if (!g_error_matches(failure, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED)) {
        g_propagate_error(error, failure);
        return FALSE;
    }
    g_error_free(failure);
    return TRUE;
}

static gboolean
prove_teardown(WardProvider *provider, const WardTarget *target, GError **error)
{
    g_autoptr(WardControlVm) vm = get_vm(provider, target, error);
    struct kvm_control_info info;
    GError *failure = NULL;

    if (!vm || !ward_control_vm_get_info(vm, &info, error))
        return FALSE;
    return ward_control_teardown_prove(vm, target, &info.item[WARD_PROTECTION_TEARDOWN],
                                       &failure) ||
           is_left_to_stock(failure, error);
}

/* A domain without a VM has nothing to tell, but what its last one left behind. */
static gboolean
trustdomain_read(WardProvider *provider,
                 const WardTarget *target,
                 WardTrustdomainActual *actual,
                 GError **error)
{
    WardControlProvider *self = WARD_CONTROL_PROVIDER(provider);
    g_autoptr(WardControlVm) vm = NULL;
    g_autoptr(GError) none = NULL;
    GError *failure = NULL;

    vm = get_vm(provider, target, &none);
    if (!vm && !g_error_matches(none, WARD_ERROR, WARD_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&none));
        return FALSE;
    }
    return ward_control_trustdomain_read(self->trustdomain, vm, target, actual, &failure) ||
           (is_left_to_stock(failure, error) &&
            stock_iface(provider)->trustdomain_read(get_stock(provider), target, actual, error));
}

/* QEMU has made its guest by now: there is nothing left that could make it a trust domain. */
static gboolean
prove_trustdomain(WardProvider *provider, const WardTarget *target, GError **error)
{
    WardTrustdomainActual actual = {0};

    if (!trustdomain_read(provider, target, &actual, error))
        return FALSE;
    if (actual.state == WARD_TRUSTDOMAIN_INITIALIZED || actual.state == WARD_TRUSTDOMAIN_UNKNOWN)
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                "trustdomain: domain '%s' is about to run, and the host has made no trust domain "
                "of its VM",
                target->name);
    return FALSE;
}

static gboolean
prove_introspection(WardProvider *provider, const WardTarget *target, GError **error)
{
    struct kvm_control_info info;
    const struct kvm_control_item *item = &info.item[WARD_PROTECTION_INTROSPECTION];

    if (!read_info(provider, target, &info, error))
        return FALSE;
    if (ward_control_introspection_is_attached(&info) && item->vcpus_entered == 0)
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                "introspection: %u of %u vCPUs of domain '%s' had entered the guest before it was "
                "in force",
                item->vcpus_entered, info.vcpus, target->name);
    return FALSE;
}

/* A domain that is to run without it needs no proof. */
static gboolean
prove_isolation(WardProvider *provider,
                const WardTarget *target,
                const WardIsolationSettings *wanted,
                GError **error)
{
    g_autoptr(WardControlVm) vm = NULL;

    if (!wanted->on)
        return TRUE;
    vm = get_vm(provider, target, error);
    return vm && ward_control_isolation_prove(vm, target, error);
}

static gboolean
prove(WardProvider *provider,
      const WardTarget *target,
      const WardSettings *wanted,
      WardProtection protection,
      GError **error)
{
    switch (protection) {
    case WARD_PROTECTION_TEARDOWN:
        return prove_teardown(provider, target, error);
    case WARD_PROTECTION_TRUSTDOMAIN:
        return prove_trustdomain(provider, target, error);
    case WARD_PROTECTION_INTROSPECTION:
        return prove_introspection(provider, target, error);
    case WARD_PROTECTION_ISOLATION:
        return prove_isolation(provider, target, wanted->isolation, error);
    }
    g_return_val_if_reached(FALSE);
}

static void
forget(WardProvider *provider, const WardTarget *target)
{
    WardControlProvider *self = WARD_CONTROL_PROVIDER(provider);
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
    WardControlVm *vm = lookup_vm(self, target);

    /* Its control fd goes on to tell how far the kernel is with it. */
    if (!vm || !ward_control_trustdomain_is_under_way(vm))
        g_hash_table_remove(self->vms, target->uuid);
    ward_control_teardown_forget(self->teardown, target->uuid);
}

/* teardown */

static gboolean
teardown_set(WardProvider *provider,
             const WardTarget *target,
             WardTeardownMode mode,
             GError **error)
{
    g_autoptr(WardControlVm) vm = get_vm(provider, target, error);
    GError *failure = NULL;

    if (!vm)
        return FALSE;
    return ward_control_teardown_set(vm, target, mode, &failure) ||
           (is_left_to_stock(failure, error) &&
            stock_iface(provider)->teardown_set(get_stock(provider), target, mode, error));
}

/* The stock provider sees what the kernel does not tell: QEMU's helper for the exit, and the thread
 * that QEMU performs a teardown with. While there is one, nothing is abandoned. */
static gboolean
teardown_read(WardProvider *provider,
              const WardTarget *target,
              WardTeardownActual *actual,
              GError **error)
{
    g_autoptr(WardControlVm) vm = get_vm(provider, target, error);
    WardControlTeardown *teardown = WARD_CONTROL_PROVIDER(provider)->teardown;
    WardTeardownActual seen = {0};
    GError *failure = NULL;

    if (!vm || !stock_iface(provider)->teardown_read(get_stock(provider), target, &seen, error))
        return FALSE;
    if (ward_control_teardown_read(teardown, vm, target, actual, &failure)) {
        actual->exit_helper = seen.exit_helper;
        if (actual->abandoned && seen.phase == WARD_TEARDOWN_PHASE_RUNNING) {
            actual->abandoned = FALSE;
            actual->look_ms = LOOK_AT_QEMU_MS;
        }
        return TRUE;
    }
    *actual = seen;
    return is_left_to_stock(failure, error);
}

static gboolean
teardown_cancel(WardProvider *provider, const WardTarget *target, GError **error)
{
    g_autoptr(WardControlVm) vm = get_vm(provider, target, error);

    return vm && ward_control_teardown_cancel(vm, target, error);
}

static gboolean
teardown_perform(WardProvider *provider, const WardTarget *target, GError **error)
{
    g_autoptr(WardControlVm) vm = get_vm(provider, target, error);

    return vm && ward_control_teardown_perform(WARD_CONTROL_PROVIDER(provider)->teardown, vm,
                                               target, provider, error);
}

/* introspection */

static gboolean
introspection_hook(WardProvider *provider,
                   const WardTarget *target,
                   const WardIntrospectionSettings *settings,
                   int socket_fd,
                   GError **error)
{
    g_autoptr(WardControlVm) vm = get_vm(provider, target, error);

    return vm && ward_control_introspection_hook(vm, target, settings, socket_fd, error);
}

static gboolean
introspection_unhook(WardProvider *provider, const WardTarget *target, GError **error)
{
    g_autoptr(WardControlVm) vm = get_vm(provider, target, error);

    return vm && ward_control_introspection_unhook(vm, target, error);
}

static gboolean
introspection_read(WardProvider *provider,
                   const WardTarget *target,
                   WardIntrospectionActual *actual,
                   GError **error)
{
    struct kvm_control_info info;

    if (!read_info(provider, target, &info, error))
        return FALSE;
    actual->attached = ward_control_introspection_is_attached(&info);
    actual->broken = (info.active & KVM_CONTROL_INTROSPECTION) && !actual->attached;
    return TRUE;
}

static gboolean
introspection_statistics(WardProvider *provider,
                         const WardTarget *target,
                         WardIntrospectionStatistics *statistics,
                         GError **error)
{
    g_autoptr(WardControlVm) vm = get_vm(provider, target, error);

    return vm && ward_control_introspection_read_statistics(vm, target, statistics, error);
}

/* isolation */

static gboolean
isolation_set(WardProvider *provider, const WardTarget *target, gboolean on, GError **error)
{
    g_autoptr(WardControlVm) vm = get_vm(provider, target, error);

    return vm && ward_control_isolation_set(vm, target, on, error);
}

static gboolean
isolation_read(WardProvider *provider,
               const WardTarget *target,
               WardIsolationActual *actual,
               GError **error)
{
    g_autoptr(WardControlVm) vm = get_vm(provider, target, error);

    return vm && ward_control_isolation_read(vm, target, actual, error);
}

static gboolean
isolation_statistics(WardProvider *provider,
                     const WardTarget *target,
                     WardIsolationStatistics *statistics,
                     GError **error)
{
    g_autoptr(WardControlVm) vm = get_vm(provider, target, error);

    return vm && ward_control_isolation_count(vm, target, statistics, error);
}

static gboolean
teardown_weigh(WardProvider *provider, const WardTarget *target, guint weight, GError **error)
{
    return stock_iface(provider)->teardown_weigh(get_stock(provider), target, weight, error);
}

/* trustdomain */

static gboolean
trustdomain_capacity(WardProvider *provider, WardTrustdomainCapacity *capacity, GError **error)
{
    GError *failure = NULL;

    return ward_control_trustdomain_count(capacity, &failure) ||
           (is_left_to_stock(failure, error) &&
            stock_iface(provider)->trustdomain_capacity(get_stock(provider), capacity, error));
}

static gboolean
trustdomain_has_leak(WardProvider *provider, guint64 leak)
{
    return ward_control_trustdomain_has_leak(leak);
}

/* the object */

static void
ward_control_provider_finalize(GObject *object)
{
    WardControlProvider *self = WARD_CONTROL_PROVIDER(object);

    g_hash_table_unref(self->vms);
    ward_control_teardown_unref(self->teardown);
    ward_control_trustdomain_free(self->trustdomain);
    g_mutex_clear(&self->lock);
    g_object_unref(self->stock);
    G_OBJECT_CLASS(ward_control_provider_parent_class)->finalize(object);
}

static void
ward_control_provider_class_init(WardControlProviderClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = ward_control_provider_finalize;
}

static void
ward_control_provider_init(WardControlProvider *self)
{
    g_mutex_init(&self->lock);
    self->vms = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, drop_vm);
    self->teardown = ward_control_teardown_new();
    self->trustdomain = ward_control_trustdomain_new();
}

static void
ward_control_provider_iface_init(WardProviderInterface *iface)
{
    iface->name = "control";
    iface->probe = probe;
    iface->is_ready = is_ready;
    iface->prove = prove;
    iface->forget = forget;
    iface->teardown_set = teardown_set;
    iface->teardown_read = teardown_read;
    iface->teardown_cancel = teardown_cancel;
    iface->teardown_perform = teardown_perform;
    iface->teardown_weigh = teardown_weigh;
    iface->trustdomain_capacity = trustdomain_capacity;
    iface->trustdomain_read = trustdomain_read;
    iface->trustdomain_has_leak = trustdomain_has_leak;
    iface->introspection_hook = introspection_hook;
    iface->introspection_unhook = introspection_unhook;
    iface->introspection_read = introspection_read;
    iface->introspection_statistics = introspection_statistics;
    iface->isolation_set = isolation_set;
    iface->isolation_read = isolation_read;
    iface->isolation_statistics = isolation_statistics;
}

WardProvider *
ward_control_provider_new(const char *root, GError **error)
{
    WardControlProvider *self;

    if (!ward_control_check_extension(KVM_CAP_CONTROL)) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "this kernel's KVM has no control: virtward's kernel patches are needed");
        return NULL;
    }
    self = g_object_new(WARD_TYPE_CONTROL_PROVIDER, NULL);
    self->stock = ward_stock_provider_new(root);
    return WARD_PROVIDER(self);
}
