/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control-teardown.h: the teardown of a VM's old guests, through its control fd
 *
 * The kernel's side is kernel/teardown, its ABI linux/kvm_teardown.h there. Any thread; nothing
 * here waits for a teardown.
 *
 * Errors: WARD_ERROR; NOT_SUPPORTED where this kernel or architecture has none of this, so that the
 * caller can do with what the stock kernel has.
 */
#pragma once

#include "control-vm.h"
#include "ward-provider.h"

G_BEGIN_DECLS

/* What is kept of the teardowns that this daemon performs itself. Reference-counted. */
typedef struct _WardControlTeardown WardControlTeardown;

WardControlTeardown *ward_control_teardown_new(void);
WardControlTeardown *ward_control_teardown_ref(WardControlTeardown *self);
void ward_control_teardown_unref(WardControlTeardown *self);
void ward_control_teardown_forget(WardControlTeardown *self, const char *uuid);

/* Whether the VMs of this kernel have it. */
gboolean ward_control_teardown_is_enabled(GError **error);

gboolean ward_control_teardown_set(WardControlVm *vm,
                                   const WardTarget *target,
                                   WardTeardownMode mode,
                                   GError **error);
gboolean ward_control_teardown_read(WardControlTeardown *self,
                                    WardControlVm *vm,
                                    const WardTarget *target,
                                    WardTeardownActual *actual,
                                    GError **error);

/* Whether what was set held before the first guest could be set aside; @item is the protection's
 * of kvm_control_info. */
gboolean ward_control_teardown_prove(WardControlVm *vm,
                                     const WardTarget *target,
                                     const struct kvm_control_item *item,
                                     GError **error);

/* What the VM's process runs ends too, and it takes that for success: it does not begin again. */
gboolean ward_control_teardown_cancel(WardControlVm *vm, const WardTarget *target, GError **error);

/* Tears down, in a thread of its own, what is set aside. @provider tells of the change when that
 * has ended; the kernel's events tell when it has begun. */
gboolean ward_control_teardown_perform(WardControlTeardown *self,
                                       WardControlVm *vm,
                                       const WardTarget *target,
                                       WardProvider *provider,
                                       GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardControlTeardown, ward_control_teardown_unref)

G_END_DECLS
