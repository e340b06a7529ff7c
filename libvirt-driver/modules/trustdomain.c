/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trustdomain.c: the life of an Intel TDX domain
 *
 * libvirt builds the trust domain (<launchSecurity type='tdx'>); this follows it. What becomes of
 * it at a reboot is decided by libvirt and QEMU: the domain does not start where that is not what
 * is wanted, as far as it can be told before.
 */
#include "ward-error.h"
#include "ward-module.h"
#include "ward-quote-service.h"

/* libvirt 11.6 is the first to know type='tdx', and makes a new QEMU for a reboot. */
#define LIBVIRT_WITH_TDX 11006000

/* QEMU 11.0 is the first that can reset a trust domain in place. */
#define QEMU_WITH_RESET 11000000

#define VERSION_FORMAT "%lu.%lu.%lu"
#define VERSION_ARGS(version) (version) / 1000000, (version) / 1000 % 1000, (version) % 1000

/* What a reboot will certainly not be, on this host: NULL: it may be what is wanted. */
static char *
find_reboot_problem(const WardModuleContext *context)
{
    WardTrustdomainReboot wanted = context->wanted->trustdomain->on_reboot;
    const char *native = context->xml ? context->xml->on_reboot : NULL;
    gboolean destroys = g_strcmp0(native, "destroy") == 0;
    gulong qemu = context->hypervisor_version;

    if (native && wanted == WARD_TRUSTDOMAIN_DESTROY && !destroys)
        return g_strdup_printf("onReboot='destroy' needs <on_reboot>destroy</on_reboot> in the "
                               "domain: with '%s' libvirt makes a new QEMU",
                               native);
    if (wanted != WARD_TRUSTDOMAIN_DESTROY && destroys)
        return g_strdup_printf("onReboot='%s' needs <on_reboot>restart</on_reboot> in the domain: "
                               "with 'destroy' libvirt ends it",
                               ward_trustdomain_reboot_to_string(wanted));
    if (wanted == WARD_TRUSTDOMAIN_RESET && qemu && qemu < QEMU_WITH_RESET)
        return g_strdup_printf("onReboot='reset' needs QEMU 11.0 or later, this is " VERSION_FORMAT
                               "; onReboot='recreate' is what libvirt does with it",
                               VERSION_ARGS(qemu));
    return NULL;
}

/* A guest that runs is in no danger from what its next reboot will be. */
static gboolean
check_start(const WardModuleContext *context, GError **error)
{
    g_autofree char *problem = find_reboot_problem(context);

    if (problem) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED, "trustdomain: %s", problem);
        return FALSE;
    }
    return !context->xml || !context->xml->quote_socket ||
           ward_quote_service_check(context->xml->quote_socket, error);
}

static gboolean
trustdomain_check(const WardModuleContext *context, GError **error)
{
    if (context->libvirt_version && context->libvirt_version < LIBVIRT_WITH_TDX) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "trustdomain: libvirt 11.6 or later is needed for trust domains, this "
                    "is " VERSION_FORMAT,
                    VERSION_ARGS(context->libvirt_version));
        return FALSE;
    }
    if (context->xml && context->xml->launch_security != WARD_LAUNCH_SECURITY_TDX) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "trustdomain: the domain has no <launchSecurity type='tdx'>, so it is no "
                    "trust domain; add it, or remove <ward:trustdomain>");
        return FALSE;
    }
    return context->target || check_start(context, error);
}

/* A leak that the host lists no more is none. */
static gboolean
read_host(const WardModuleContext *context, const WardTarget *target, GError **error)
{
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(context->provider);
    WardTrustdomainActual *actual = &context->actual->trustdomain;

    if (!iface->trustdomain_read ||
        !iface->trustdomain_read(context->provider, target, actual, error))
        return FALSE;
    actual->leak_before = context->known_leak;
    if (!actual->leak && context->known_leak && iface->trustdomain_has_leak &&
        iface->trustdomain_has_leak(context->provider, context->known_leak))
        actual->leak = context->known_leak;
    return TRUE;
}

/* In force, and there is something to say. NULL: there is not. */
static char *
make_note(const WardModuleContext *context)
{
    const WardTrustdomainActual *actual = &context->actual->trustdomain;
    g_autofree char *problem = find_reboot_problem(context);

    if (actual->state == WARD_TRUSTDOMAIN_NONE)
        return g_strdup("QEMU has no trust domain at the moment: it is being made anew, or ends");
    if (problem)
        return g_strdup_printf("the next reboot will not be what is wanted: %s", problem);
    if (context->last_reboot == WARD_REBOOT_RECREATE &&
        context->wanted->trustdomain->on_reboot == WARD_TRUSTDOMAIN_RESET)
        return g_strdup("onReboot='reset' is wanted, and the last reboot was a re-creation: this "
                        "libvirt makes a new QEMU");
    if (actual->state == WARD_TRUSTDOMAIN_UNKNOWN)
        return g_strdup("its key, its memory, and whether it leaks are unknown: this kernel does "
                        "not tell");
    return NULL;
}

static gboolean
trustdomain_apply(const WardModuleContext *context, GError **error)
{
    if (!read_host(context, context->target, error))
        return FALSE;
    ward_actual_set_status(context->actual, WARD_PROTECTION_TRUSTDOMAIN, WARD_STATUS_ACTIVE,
                           make_note(context));
    return TRUE;
}

static void
trustdomain_look(const WardModuleContext *context)
{
    g_autoptr(GError) error = NULL;

    if (!read_host(context, context->domain, &error))
        g_debug("domain '%s': %s", context->domain->name, error->message);
    else if (context->actual->trustdomain.leak)
        ward_actual_set_status(context->actual, WARD_PROTECTION_TRUSTDOMAIN, WARD_STATUS_PENDING,
                               g_strdup("a trust domain of the domain has leaked a key or memory "
                                        "of the host: only a reboot of the host brings it back"));
}

/* The element only steers admission and reboot: without it the trust domain lives on. */
static gboolean
trustdomain_undo(const WardModuleContext *context, GError **error)
{
    return TRUE;
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
    .look = trustdomain_look,
    .undo = trustdomain_undo,
    .notice = ward_trustdomain_follow,
    .remedy = trustdomain_remedy,
};
