/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-exported-interface.h"

void
ward_exported_update_common(GDBusInterfaceSkeleton *skeleton,
                            WardDomain *domain,
                            WardProtection protection)
{
    const WardActualCommon *actual = &ward_domain_get_actual(domain)->common[protection];
    const WardSettings *wanted = ward_domain_get_wanted(domain);
    const char *enforcement = "";

    if (!ward_settings_wants(wanted, protection))
        wanted = ward_domain_get_wanted_config(domain);
    if (ward_settings_wants(wanted, protection))
        enforcement = ward_enforcement_to_string(ward_settings_get_enforcement(wanted, protection));
    g_object_set(skeleton, "status", ward_status_to_string(actual->status), "provider",
                 actual->provider ? actual->provider : "", "reason",
                 actual->reason ? actual->reason : "", "enforcement", enforcement, NULL);
}
