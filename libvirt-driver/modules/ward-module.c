/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-module.h"

#include "ward-error.h"

const WardModule *
ward_module_get(WardProtection protection)
{
    static const WardModule *const modules[WARD_N_PROTECTIONS] = {
        &ward_teardown_module,
        &ward_trustdomain_module,
        &ward_introspection_module,
        &ward_isolation_module,
    };

    return modules[protection];
}

gboolean
ward_module_check(const WardModule *self, const WardModuleContext *context, GError **error)
{
    gboolean needed = !self->needs_host || self->needs_host(context->wanted);

    if (needed && !context->support->supported) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED, "%s: %s",
                    ward_protection_to_string(self->protection), context->support->reason);
        return FALSE;
    }
    return !self->check || self->check(context, error);
}

WardRemedy
ward_module_remedy_by_enforcement(const WardSettings *wanted, WardProtection protection)
{
    return ward_settings_get_enforcement(wanted, protection) == WARD_ENFORCEMENT_REQUIRED
               ? WARD_REMEDY_PAUSE
               : WARD_REMEDY_NONE;
}

gboolean
ward_module_is_without_vm(const GError *failure)
{
    return g_error_matches(failure, WARD_ERROR, WARD_ERROR_NOT_FOUND) ||
           g_error_matches(failure, WARD_ERROR, WARD_ERROR_INVALID_STATE);
}
