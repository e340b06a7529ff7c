/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control-trustdomain.h: trust domains as the patched kernel shows them
 *
 * The kernel's side is kernel/trustdomain, its ABI linux/kvm_trustdomain.h there. Any thread;
 * nothing here blocks.
 *
 * Errors: WARD_ERROR; NOT_SUPPORTED where this kernel has none of this, so that the caller can do
 * with what the stock kernel has.
 */
#pragma once

#include "control-vm.h"
#include "ward-provider.h"

G_BEGIN_DECLS

/* What is kept of VMs that are gone: which of the kernel's records of leaks is about whom. */
typedef struct _WardControlTrustdomain WardControlTrustdomain;

WardControlTrustdomain *ward_control_trustdomain_new(void);
void ward_control_trustdomain_free(WardControlTrustdomain *self);

gboolean ward_control_trustdomain_count(WardTrustdomainCapacity *capacity, GError **error);

/* @vm: NULL when the domain has none (any more). */
gboolean ward_control_trustdomain_read(WardControlTrustdomain *self,
                                       WardControlVm *vm,
                                       const WardTarget *target,
                                       WardTrustdomainActual *actual,
                                       GError **error);

/* Whether the host still has something of the VM to take back. */
gboolean ward_control_trustdomain_is_under_way(WardControlVm *vm);

gboolean ward_control_trustdomain_has_leak(guint64 leak);

/* The VM's control fd has told of @event. */
void ward_control_trustdomain_take_event(WardControlTrustdomain *self,
                                         const char *uuid,
                                         const struct kvm_control_event *event);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardControlTrustdomain, ward_control_trustdomain_free)

G_END_DECLS
