/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * introspection.c: an outside tool hooks the running guest
 *
 * The tool listens; we connect, shake hands, and give the connection to the provider.
 */
#include <glib/gstdio.h>

#include "introspector.h"
#include "ward-error.h"
#include "ward-module.h"

/* For connect and handshake together: the 10 s that QEMU's patches for KVMI gave a tool. */
#define HANDSHAKE_MS 10000

static gboolean
introspection_check(const WardModuleContext *context, GError **error)
{
    gboolean real = g_str_equal(context->support->provider, "control");

    if (!real || !context->xml || g_strcmp0(context->xml->type, "kvm") == 0)
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                "introspection: it is KVM's, and this is a domain of type='%s'; make it "
                "type='kvm', or remove <ward:introspection>",
                context->xml->type);
    return FALSE;
}

static gboolean
introspection_read(const WardModuleContext *context, GError **error)
{
    return WARD_PROVIDER_GET_IFACE(context->provider)
        ->introspection_read(context->provider, context->target, &context->actual->introspection,
                             error);
}

static gboolean
introspection_attach(const WardModuleContext *context, GError **error)
{
    const WardIntrospectionSettings *settings = context->wanted->introspection;
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(context->provider);
    g_autoptr(GBytes) secret = NULL;
    gboolean hooked;
    int fd;

    if (settings->secret) {
        secret = ward_connection_get_secret(context->connection, settings->secret, error);
        if (!secret)
            return FALSE;
    }
    fd = ward_introspector_connect(&settings->socket, context->target, secret, HANDSHAKE_MS, error);
    if (fd < 0)
        return FALSE;
    hooked = iface->introspection_hook(context->provider, context->target, settings, fd, error);
    g_close(fd, NULL);
    return hooked && introspection_read(context, error);
}

static gboolean
same_names(GStrv a, GStrv b)
{
    if (!a || !b)
        return a == b;
    return g_strv_equal((const char *const *)a, (const char *const *)b);
}

/* Whether the tool was hooked on other terms than are wanted now. */
static gboolean
terms_changed(const WardModuleContext *context)
{
    const WardIntrospectionSettings *was =
        context->applied ? context->applied->introspection : NULL;
    const WardIntrospectionSettings *now = context->wanted->introspection;
    g_autofree char *old_socket = NULL;
    g_autofree char *new_socket = NULL;

    if (!was)
        return FALSE;
    old_socket = ward_socket_to_string(&was->socket);
    new_socket = ward_socket_to_string(&now->socket);
    return !g_str_equal(old_socket, new_socket) || g_strcmp0(was->secret, now->secret) != 0 ||
           !same_names(was->allowed_commands, now->allowed_commands) ||
           !same_names(was->allowed_events, now->allowed_events);
}

/* A tool that went away may be there again at once, and yet the guest ran without it: where that
 * must not be, the domain is stopped before the tool is tried again. */
static gboolean
must_stop_first(const WardModuleContext *context)
{
    gboolean lost =
        context->previous->introspection.attached || context->actual->introspection.broken;

    switch (context->wanted->introspection->on_disconnect) {
    case WARD_DISCONNECT_PAUSE:
        return lost && context->running;
    case WARD_DISCONNECT_DESTROY:
        return lost;
    default:
        return FALSE;
    }
}

static gboolean
unhook(const WardModuleContext *context, GError **error)
{
    return WARD_PROVIDER_GET_IFACE(context->provider)
               ->introspection_unhook(context->provider, context->target, error) &&
           introspection_read(context, error);
}

/* A domain without a VM of KVM's has no tool that could be let go. */
static gboolean
introspection_undo(const WardModuleContext *context, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (unhook(context, &local) || g_error_matches(local, WARD_ERROR, WARD_ERROR_NOT_FOUND) ||
        g_error_matches(local, WARD_ERROR, WARD_ERROR_INVALID_STATE))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&local));
    return FALSE;
}

/* Neither is a failure, however required it is: the operator asked for it, or nothing runs that
 * could be watched, and what is saved now must not have a tool's changes in it. */
static void
set_resting(const WardModuleContext *context)
{
    const char *why = "introspection: the domain is suspended, the tool is attached again when it "
                      "runs";

    if (context->detached)
        why = "introspection: detached on request";
    else if (context->leaving)
        why = "introspection: the domain is migrated or saved, the tool is attached again if it "
              "stays";
    ward_actual_set_status(context->actual, WARD_PROTECTION_INTROSPECTION, WARD_STATUS_UNAVAILABLE,
                           g_strdup(why));
}

static gboolean
introspection_apply(const WardModuleContext *context, GError **error)
{
    const WardIntrospectionActual *actual = &context->actual->introspection;
    gboolean rests;
    gboolean let_go;

    if (!introspection_read(context, error))
        return FALSE;
    /* A domain that is restored, or started paused, has its tool before it first runs. */
    rests = context->detached || context->leaving ||
            (context->suspended && (context->ran || !actual->attached));
    let_go = actual->attached && (rests || terms_changed(context));
    if (let_go && !unhook(context, error))
        return FALSE;
    if (rests) {
        set_resting(context);
        return TRUE;
    }
    if (actual->attached)
        return TRUE;
    if (context->failed_before) {
        g_set_error_literal(error, WARD_ERROR, WARD_ERROR_FAILED, context->failed_before);
        return FALSE;
    }
    if (!let_go && must_stop_first(context)) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "introspection: the tool went away (onDisconnect='%s')",
                    ward_disconnect_to_string(context->wanted->introspection->on_disconnect));
        return FALSE;
    }
    return introspection_attach(context, error);
}

static const char *
unhook_reason(WardDomain *domain)
{
    if (!ward_domain_is_active(domain))
        return "stopped";
    if (!ward_domain_get_wanted(domain)->introspection)
        return "settings";
    if (domain->leaving)
        return "migration";
    if (g_str_equal(ward_domain_get_state(domain), "paused"))
        return "suspended";
    return "detach";
}

static void
introspection_notice(WardManager *manager, WardDomain *domain, const WardActual *before)
{
    const WardActual *now = ward_domain_get_actual(domain);
    const WardIntrospectionSettings *settings = ward_domain_get_wanted(domain)->introspection;
    g_autofree char *socket = settings ? ward_socket_to_string(&settings->socket) : g_strdup("");

    if (now->introspection.attached && !before->introspection.attached)
        ward_domain_emit_event(domain, WARD_PROTECTION_INTROSPECTION, "Hooked", socket, 0);
    if (now->introspection.attached || !before->introspection.attached)
        return;
    if (settings && g_str_equal(ward_domain_get_state(domain), "running") && !domain->leaving &&
        !ward_manager_is_detached(manager, domain)) {
        ward_domain_emit_event(domain, WARD_PROTECTION_INTROSPECTION, "PeerGone",
                               ward_disconnect_to_string(settings->on_disconnect), 0);
        ward_domain_emit_event(domain, WARD_PROTECTION_INTROSPECTION, "Unhooked", "disconnect", 0);
    } else {
        ward_domain_emit_event(domain, WARD_PROTECTION_INTROSPECTION, "Unhooked",
                               unhook_reason(domain), 0);
    }
}

/* The tool may go away for many reasons: onDisconnect decides, and what is not there at start is
 * the hook's business. */
static WardRemedy
introspection_remedy(const WardSettings *wanted)
{
    switch (wanted->introspection->on_disconnect) {
    case WARD_DISCONNECT_PAUSE:
        return WARD_REMEDY_PAUSE;
    case WARD_DISCONNECT_DESTROY:
        return WARD_REMEDY_DESTROY;
    default:
        return WARD_REMEDY_NONE;
    }
}

const WardModule ward_introspection_module = {
    .protection = WARD_PROTECTION_INTROSPECTION,
    .check = introspection_check,
    .apply = introspection_apply,
    .undo = introspection_undo,
    .notice = introspection_notice,
    .remedy = introspection_remedy,
};
