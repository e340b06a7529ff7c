/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-protection.h"

static const char *const protection_names[WARD_N_PROTECTIONS] = {
    [WARD_PROTECTION_TEARDOWN] = "teardown",
    [WARD_PROTECTION_TRUSTDOMAIN] = "trustdomain",
    [WARD_PROTECTION_INTROSPECTION] = "introspection",
    [WARD_PROTECTION_ISOLATION] = "isolation",
};

const char *
ward_protection_to_string(WardProtection protection)
{
    g_return_val_if_fail((guint)protection < WARD_N_PROTECTIONS, NULL);
    return protection_names[protection];
}

gboolean
ward_protection_from_string(const char *name, WardProtection *protection)
{
    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        if (g_strcmp0(name, protection_names[i]) == 0) {
            *protection = i;
            return TRUE;
        }
    }
    return FALSE;
}
