/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control-isolation.h"

#include <errno.h>
#include <linux/kvm_isolation.h>

#include "ward-error.h"

#define NOT_BOOTED_WITH_IT                                                                         \
    "address space isolation (ASI) is off on this host since it was booted: boot with asi=on"

/* the kernel's answers */

static gboolean
fail(GError **error, const WardTarget *target, const char *doing)
{
    int saved = errno;
    int code = WARD_ERROR_FAILED;
    const char *why = g_strerror(saved);

    if (saved == EOPNOTSUPP) {
        code = WARD_ERROR_NOT_SUPPORTED;
        why = NOT_BOOTED_WITH_IT;
    } else if (saved == ENOTTY) {
        code = WARD_ERROR_NOT_SUPPORTED;
        why = "this kernel has no address space isolation (ASI) for KVM";
    } else if (saved == ENODEV) {
        code = WARD_ERROR_INVALID_STATE;
        why = "its VM is gone";
    }
    g_set_error(error, WARD_ERROR, code, "isolation: cannot %s domain '%s': %s", doing,
                target->name, why);
    return FALSE;
}

static gboolean
get_stats(WardControlVm *vm,
          const WardTarget *target,
          struct kvm_isolation_stats *stats,
          GError **error)
{
    return ward_control_vm_ioctl(vm, KVM_ISOLATION_GET_STATS, stats) == 0 ||
           fail(error, target, "read the counters of");
}

WardControlIsolationAbility
ward_control_isolation_ask(GError **error)
{
    struct kvm_isolation_stats stats;

    if (ward_control_try_ioctl(KVM_ISOLATION_GET_STATS, &stats) == 0)
        return WARD_CONTROL_ISOLATION_ENABLED;
    switch (errno) {
    case EOPNOTSUPP:
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED, NOT_BOOTED_WITH_IT);
        return WARD_CONTROL_ISOLATION_DISABLED;
    case ENOTTY:
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "virtward's patches for isolation are not in this kernel");
        return WARD_CONTROL_ISOLATION_ABSENT;
    default:
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "the kernel cannot be asked whether it has address space isolation (ASI): %s",
                    g_strerror(errno));
        return WARD_CONTROL_ISOLATION_UNKNOWN;
    }
}

/* the VM */

gboolean
ward_control_isolation_set(WardControlVm *vm, const WardTarget *target, gboolean on, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (ward_control_vm_set_policy(vm, KVM_CONTROL_ISOLATION, on ? KVM_CONTROL_ISOLATION : 0,
                                   &local))
        return TRUE;
    if (g_error_matches(local, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED))
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "isolation: domain '%s' cannot have it: " NOT_BOOTED_WITH_IT, target->name);
    else
        g_propagate_prefixed_error(error, g_steal_pointer(&local), "isolation: ");
    return FALSE;
}

/* The counters come last: a violation that the first reading missed is in them. */
gboolean
ward_control_isolation_read(WardControlVm *vm,
                            const WardTarget *target,
                            WardIsolationActual *actual,
                            GError **error)
{
    const struct kvm_control_item *item;
    struct kvm_control_info info;
    struct kvm_isolation_stats stats;

    if (!ward_control_vm_get_info(vm, &info, error) || !get_stats(vm, target, &stats, error))
        return FALSE;
    item = &info.item[WARD_PROTECTION_ISOLATION];
    *actual = (WardIsolationActual){
        .state = info.active & KVM_CONTROL_ISOLATION ? WARD_ISOLATION_ON : WARD_ISOLATION_OFF,
        .violations = stats.violations,
    };
    if (actual->state == WARD_ISOLATION_OFF)
        return TRUE;
    actual->broken = item->flags & KVM_CONTROL_ITEM_BROKEN;
    actual->from_start = item->vcpus_entered == 0 && stats.entries_unrestricted == 0;
    return TRUE;
}

gboolean
ward_control_isolation_count(WardControlVm *vm,
                             const WardTarget *target,
                             WardIsolationStatistics *statistics,
                             GError **error)
{
    struct kvm_isolation_stats stats;

    if (!get_stats(vm, target, &stats, error))
        return FALSE;
    *statistics = (WardIsolationStatistics){
        .time_us = g_get_monotonic_time(),
        .entries_restricted = stats.entries_restricted,
        .entries_unrestricted = stats.entries_unrestricted,
        .violations = stats.violations,
        .exits_fault = stats.exits_fault,
        .exits_schedule = stats.exits_schedule,
        .exits_userspace = stats.exits_userspace,
        .exits_explicit = stats.exits_explicit,
        .flushes = stats.flushes,
    };
    return TRUE;
}

gboolean
ward_control_isolation_prove(WardControlVm *vm, const WardTarget *target, GError **error)
{
    const struct kvm_control_item *item;
    struct kvm_control_info info;
    struct kvm_isolation_stats stats;

    if (!ward_control_vm_get_info(vm, &info, error) || !get_stats(vm, target, &stats, error))
        return FALSE;
    item = &info.item[WARD_PROTECTION_ISOLATION];
    if (!(info.active & KVM_CONTROL_ISOLATION))
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "isolation: somebody has turned it off on domain '%s'", target->name);
    else if (item->vcpus_entered > 0)
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "isolation: %u of %u vCPUs of domain '%s' had entered the guest before it was "
                    "in force",
                    item->vcpus_entered, info.vcpus, target->name);
    else if (stats.entries_unrestricted > 0)
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "isolation: the guest of domain '%s' was entered %" G_GUINT64_FORMAT
                    " times without it",
                    target->name, (guint64)stats.entries_unrestricted);
    else
        return TRUE;
    return FALSE;
}
