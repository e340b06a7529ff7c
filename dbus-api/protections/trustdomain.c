/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trustdomain.c: org.virtward.TrustDomain1 */
#include "ward-dbus-generated.h"
#include "ward-exported-interface.h"

WARD_DEFINE_GUARDED(WardGuardedTrustdomain,
                    ward_guarded_trustdomain,
                    WardDBusTrustDomain1,
                    ward_dbus_trust_domain1)

/* It has no methods: a trust domain lives with its libvirt domain. */
static void
ward_guarded_trustdomain_handlers_init(WardDBusTrustDomain1Iface *iface)
{
}

static void
update(GDBusInterfaceSkeleton *skeleton, WardDomain *domain)
{
    const WardTrustdomainSettings *wanted = WARD_EXPORTED_SETTINGS(domain, trustdomain);
    const WardTrustdomainActual *actual = &ward_domain_get_actual(domain)->trustdomain;

    g_object_set(skeleton, "life", ward_trustdomain_life_to_string(ward_domain_get_life(domain)),
                 "admission", wanted ? ward_admission_to_string(wanted->admission) : "", "timeout",
                 wanted ? wanted->timeout : 0, "on-reboot",
                 wanted ? ward_trustdomain_reboot_to_string(wanted->on_reboot) : "", "last-reboot",
                 ward_reboot_to_string(ward_domain_get_last_reboot(domain)), NULL);
    g_object_set(skeleton, "key-id", actual->key, "vcpus", actual->vcpus, "control-pages",
                 actual->control_pages, "private-pages", actual->private_pages, "reclaimed-pages",
                 actual->reclaimed_pages, "leaked-pages", actual->leaked_pages, "created-time",
                 actual->created_us, "key-released-time", actual->key_released_us, NULL);
}

static GVariant *
build_signal(const char *name, const char *detail_text, guint64 detail)
{
    g_auto(GStrv) lives = NULL;

    if (!g_str_equal(name, "LifeChanged"))
        return NULL;
    lives = g_strsplit(detail_text, " ", 2);
    g_return_val_if_fail(g_strv_length(lives) == 2, NULL);
    return g_variant_new("(ss)", lives[0], lives[1]);
}

const WardExportedInterface ward_exported_trustdomain = {
    .get_info = ward_dbus_trust_domain1_interface_info,
    .get_type = ward_guarded_trustdomain_get_type,
    .update = update,
    .build_signal = build_signal,
};
