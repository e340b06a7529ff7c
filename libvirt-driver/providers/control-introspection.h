/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control-introspection.h: hooking a VM to an introspection tool through its control fd
 *
 * The kernel's side is kernel/introspection, its ABI linux/kvmi.h there. Any thread; may block for
 * as long as a tool may take to let go.
 */
#pragma once

#include "control-vm.h"
#include "ward-provider.h"

G_BEGIN_DECLS

/* Whether this kernel has KVMI and it is not turned off; NOT_SUPPORTED says why not. */
gboolean ward_control_introspection_is_enabled(GError **error);

/* Whether a tool is hooked and its connection works. */
gboolean ward_control_introspection_is_attached(const struct kvm_control_info *info);

/* Allows what @settings allow, then hooks. */
gboolean ward_control_introspection_hook(WardControlVm *vm,
                                         const WardTarget *target,
                                         const WardIntrospectionSettings *settings,
                                         int socket_fd,
                                         GError **error);

/* Asks the tool to let go, waits, and then cuts the connection in any case. */
gboolean
ward_control_introspection_unhook(WardControlVm *vm, const WardTarget *target, GError **error);

/* NOT_FOUND: the VM is gone. NOT_SUPPORTED: the kernel does not count, or introspection is off. */
gboolean ward_control_introspection_read_statistics(WardControlVm *vm,
                                                    const WardTarget *target,
                                                    WardIntrospectionStatistics *statistics,
                                                    GError **error);

G_END_DECLS
