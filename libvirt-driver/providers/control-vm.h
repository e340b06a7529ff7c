/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control-vm.h: one VM behind the kernel's control door (Documentation/virt/kvm/control.rst in
 * kernel/control/files)
 *
 * Ownership: reference-counted (atomically). Threads: any; the callback runs in the main context.
 * Errors: WARD_ERROR, NOT_FOUND when the process has no VM, INVALID_STATE when the VM is gone.
 */
#pragma once

#include <glib.h>
#include <linux/kvm_control.h>

G_BEGIN_DECLS

typedef struct _WardControlVm WardControlVm;

/* These happened to the VM @uuid; @gone: it was destroyed, nothing more will come. */
typedef void (*WardControlVmFunc)(const char *uuid,
                                  const struct kvm_control_event *events,
                                  gsize n_events,
                                  gboolean gone,
                                  gpointer user_data);

/* Whether this kernel has the door at all, and KVM_CAP_* of the system fd. */
gboolean ward_control_check_extension(int capability);

WardControlVm *ward_control_vm_open(
    const char *uuid, GPid pid, WardControlVmFunc callback, gpointer user_data, GError **error);
WardControlVm *ward_control_vm_ref(WardControlVm *self);
void ward_control_vm_unref(WardControlVm *self);

/* No callback after this; the descriptor is closed with the last reference. */
void ward_control_vm_stop(WardControlVm *self);

gboolean
ward_control_vm_get_info(WardControlVm *self, struct kvm_control_info *info, GError **error);
/* Sets what the bits of @mask become. NOT_SUPPORTED for what this VM cannot have. */
gboolean
ward_control_vm_set_policy(WardControlVm *self, guint64 mask, guint64 value, GError **error);

/* ioctl() on the control fd: -1 and errno when it fails. */
int ward_control_vm_ioctl(WardControlVm *self, unsigned long request, void *argument);

/* The same on /dev/kvm. */
int ward_control_system_ioctl(unsigned long request, void *argument);

/* And on the control fd of an empty VM of this process, made for the length of the call: what
 * the VMs of this kernel know can be asked before there is a domain. */
int ward_control_try_ioctl(unsigned long request, void *argument);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardControlVm, ward_control_vm_unref)

G_END_DECLS
