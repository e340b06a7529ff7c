/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control-introspection-none.c: control-introspection.h where the kernel has none of it
 *
 * Introspection is x86_64's, and so is the header of its ABI.
 */
#include "control-introspection.h"

#include "ward-error.h"

static gboolean
refuse(GError **error)
{
    g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                "introspection is there on x86_64 only");
    return FALSE;
}

gboolean
ward_control_introspection_is_enabled(GError **error)
{
    return refuse(error);
}

gboolean
ward_control_introspection_is_attached(const struct kvm_control_info *info)
{
    return FALSE;
}

gboolean
ward_control_introspection_hook(WardControlVm *vm,
                                const WardTarget *target,
                                const WardIntrospectionSettings *settings,
                                int socket_fd,
                                GError **error)
{
    return refuse(error);
}

gboolean
ward_control_introspection_unhook(WardControlVm *vm, const WardTarget *target, GError **error)
{
    return refuse(error);
}

gboolean
ward_control_introspection_read_statistics(WardControlVm *vm,
                                           const WardTarget *target,
                                           WardIntrospectionStatistics *statistics,
                                           GError **error)
{
    return refuse(error);
}
