/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * isolation.c: KVM runs the domain's exits on a restricted address space
 */
#include "ward-error.h"
#include "ward-module.h"

/* To be kept from it, a domain needs no host that has it. */
static gboolean
isolation_needs_host(const WardSettings *wanted)
{
    return wanted->isolation->on;
}

static gboolean
isolation_check(const WardModuleContext *context, GError **error)
{
    gboolean real = g_str_equal(context->support->provider, "control");

    if (!context->wanted->isolation->on || !real || !context->xml ||
        g_strcmp0(context->xml->type, "kvm") == 0)
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                "isolation: it is KVM's, and this is a domain of type='%s'; make it type='kvm', or "
                "remove <ward:isolation>",
                context->xml->type);
    return FALSE;
}

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

/* A domain without a VM of KVM's, or on a host without isolation, has none. */
static gboolean
isolation_turn_off(const WardModuleContext *context, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (!context->support->supported || isolation_set(context, FALSE, &local) ||
        ward_module_is_without_vm(local))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&local));
    return FALSE;
}

/* What was broken is not made whole by going on: only an operator knows what the guest may have
 * learned meanwhile. */
static gboolean
isolation_apply(const WardModuleContext *context, GError **error)
{
    const WardIsolationActual *actual = &context->actual->isolation;

    if (!context->wanted->isolation->on)
        return isolation_turn_off(context, error);
    if (!isolation_set(context, TRUE, error))
        return FALSE;
    if (!actual->broken)
        return TRUE;
    g_set_error(
        error, WARD_ERROR, WARD_ERROR_FAILED,
        "isolation: while it was on, the host's kernel entered the guest without it "
        "(%" G_GUINT64_FORMAT
        " times since the domain was started); restart the domain, or turn isolation off and on "
        "again",
        actual->violations);
    return FALSE;
}

/* Only what this daemon has seen wanted is taken away. Else it may be the control group's, whose
 * VMs begin with it, and more than was asked for is better than less. */
static gboolean
isolation_undo(const WardModuleContext *context, GError **error)
{
    return !context->applied || isolation_turn_off(context, error);
}

/* What the early pass has found in a QEMU that libvirt does not show yet stays true. */
static void
isolation_look(const WardModuleContext *context)
{
    const WardActualCommon *before = &context->previous->common[WARD_PROTECTION_ISOLATION];

    if (!context->made)
        return;
    context->actual->isolation = context->previous->isolation;
    ward_actual_set_status(context->actual, WARD_PROTECTION_ISOLATION, before->status,
                           g_strdup(before->reason));
}

static void
isolation_notice(WardManager *manager, WardDomain *domain, const WardActual *before)
{
    const WardIsolationActual *now = &ward_domain_get_actual(domain)->isolation;

    if (now->violations > before->isolation.violations)
        ward_domain_emit_event(domain, WARD_PROTECTION_ISOLATION, "Violation", NULL,
                               now->violations);
}

static WardRemedy
isolation_remedy(const WardSettings *wanted)
{
    return ward_module_remedy_by_enforcement(wanted, WARD_PROTECTION_ISOLATION);
}

const WardModule ward_isolation_module = {
    .protection = WARD_PROTECTION_ISOLATION,
    .needs_host = isolation_needs_host,
    .check = isolation_check,
    .apply = isolation_apply,
    .look = isolation_look,
    .undo = isolation_undo,
    .notice = isolation_notice,
    .remedy = isolation_remedy,
};
