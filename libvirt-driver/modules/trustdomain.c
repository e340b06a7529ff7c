/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trustdomain.c: the life of an Intel TDX domain
 *
 * libvirt builds the trust domain (<launchSecurity type='tdx'>); this follows it.
 */
#include "ward-error.h"
#include "ward-module.h"

/* libvirt 11.6 is the first to know type='tdx'. */
#define LIBVIRT_WITH_TDX 11006000

static gboolean
trustdomain_check(const WardModuleContext *context, GError **error)
{
    if (context->libvirt_version && context->libvirt_version < LIBVIRT_WITH_TDX) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "trustdomain: libvirt 11.6 or later is needed for trust domains, this is "
                    "%lu.%lu.%lu",
                    context->libvirt_version / 1000000, context->libvirt_version / 1000 % 1000,
                    context->libvirt_version % 1000);
        return FALSE;
    }
    if (context->xml && context->xml->launch_security != WARD_LAUNCH_SECURITY_TDX) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "trustdomain: the domain has no <launchSecurity type='tdx'>, so it is no "
                    "trust domain; add it, or remove <ward:trustdomain>");
        return FALSE;
    }
    return TRUE;
}

static gboolean
trustdomain_apply(const WardModuleContext *context, GError **error)
{
    return WARD_PROVIDER_GET_IFACE(context->provider)
        ->trustdomain_read(context->provider, context->target, &context->actual->trustdomain,
                           error);
}

/* The element only steers admission and reboot: without it the trust domain lives on. */
static gboolean
trustdomain_undo(const WardModuleContext *context, GError **error)
{
    return TRUE;
}

static void
trustdomain_notice(WardManager *manager, WardDomain *domain, const WardActual *before)
{
    WardTrustdomainLife now = ward_domain_get_actual(domain)->trustdomain.life;
    g_autofree char *change = NULL;

    if (now == before->trustdomain.life)
        return;
    change = g_strdup_printf("%s %s", ward_trustdomain_life_to_string(before->trustdomain.life),
                             ward_trustdomain_life_to_string(now));
    ward_domain_emit_event(domain, WARD_PROTECTION_TRUSTDOMAIN, "LifeChanged", change, 0);
}

static WardRemedy
trustdomain_remedy(const WardSettings *wanted)
{
    return ward_module_remedy_by_enforcement(wanted, WARD_PROTECTION_TRUSTDOMAIN);
}

const WardModule ward_trustdomain_module = {
    .protection = WARD_PROTECTION_TRUSTDOMAIN,
    .check = trustdomain_check,
    .apply = trustdomain_apply,
    .undo = trustdomain_undo,
    .notice = trustdomain_notice,
    .remedy = trustdomain_remedy,
};
