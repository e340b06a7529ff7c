/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * isolation.c: KVM runs the domain's exits on a restricted address space
 */
#include "ward-error.h"
#include "ward-module.h"

static gboolean
isolation_read(const WardModuleContext *context, GError **error)
{
    return WARD_PROVIDER_GET_IFACE(context->provider)
        ->isolation_read(context->provider, context->target, &context->actual->isolation, error);
}

static gboolean
isolation_set(const WardModuleContext *context, gboolean on, GError **error)
{
    WardIsolationState wanted = on ? WARD_ISOLATION_ON : WARD_ISOLATION_OFF;
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(context->provider);

    if (!isolation_read(context, error))
        return FALSE;
    if (context->actual->isolation.state == wanted)
        return TRUE;
    if (!iface->isolation_set(context->provider, context->target, on, error) ||
        !isolation_read(context, error))
        return FALSE;
    if (context->actual->isolation.state == wanted)
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED, "isolation: the kernel did not turn it %s",
                on ? "on" : "off");
    return FALSE;
}

static gboolean
isolation_apply(const WardModuleContext *context, GError **error)
{
    return isolation_set(context, context->wanted->isolation->on, error);
}

static gboolean
isolation_undo(const WardModuleContext *context, GError **error)
{
    return isolation_set(context, FALSE, error);
}

static void
isolation_notice(WardManager *manager, WardDomain *domain, const WardActual *before)
{
    const WardIsolationActual *now = &ward_domain_get_actual(domain)->isolation;

    if (now->entries_unrestricted > before->isolation.entries_unrestricted)
        ward_domain_emit_event(domain, WARD_PROTECTION_ISOLATION, "Violation", NULL,
                               now->entries_unrestricted);
}

static WardRemedy
isolation_remedy(const WardSettings *wanted)
{
    return ward_module_remedy_by_enforcement(wanted, WARD_PROTECTION_ISOLATION);
}

const WardModule ward_isolation_module = {
    .protection = WARD_PROTECTION_ISOLATION,
    .apply = isolation_apply,
    .undo = isolation_undo,
    .notice = isolation_notice,
    .remedy = isolation_remedy,
};
