/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control-isolation.h: a VM's address space isolation (ASI), through its control fd
 *
 * The kernel's side is kernel/isolation, its ABI linux/kvm_isolation.h there. Any thread; nothing
 * here blocks for longer than the kernel takes to bring all vCPUs out of the guest.
 *
 * Errors: WARD_ERROR.
 */
#pragma once

#include "control-vm.h"
#include "ward-provider.h"

G_BEGIN_DECLS

typedef enum {
    WARD_CONTROL_ISOLATION_ENABLED,
    WARD_CONTROL_ISOLATION_DISABLED, /* this kernel has it, and it is off since the host's boot */
    WARD_CONTROL_ISOLATION_ABSENT,   /* this kernel does not have it */
    WARD_CONTROL_ISOLATION_UNKNOWN,  /* it could not be asked: @error says why */
} WardControlIsolationAbility;

/* What the VMs of this kernel can have. */
WardControlIsolationAbility ward_control_isolation_ask(GError **error);

/* When it returns, no vCPU enters the guest any other way. */
gboolean ward_control_isolation_set(WardControlVm *vm,
                                    const WardTarget *target,
                                    gboolean on,
                                    GError **error);
gboolean ward_control_isolation_read(WardControlVm *vm,
                                     const WardTarget *target,
                                     WardIsolationActual *actual,
                                     GError **error);
gboolean ward_control_isolation_count(WardControlVm *vm,
                                      const WardTarget *target,
                                      WardIsolationStatistics *statistics,
                                      GError **error);

/* Whether the guest has never been entered without it. */
gboolean ward_control_isolation_prove(WardControlVm *vm, const WardTarget *target, GError **error);

G_END_DECLS
