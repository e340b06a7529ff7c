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

/* Whether this guest had one when it was looked at before. */
static gboolean
had_tool(const WardModuleContext *context)
{
    return context->previous->introspection.attached && !context->another;
}

/* A tool that went away may be there again at once, and yet the guest ran without it: where that
 * must not be, the domain is stopped before the tool is tried again. */
static gboolean
must_stop_first(const WardModuleContext *context)
{
    gboolean lost = had_tool(context) || context->actual->introspection.broken;

    switch (context->wanted->introspection->on_disconnect) {
    case WARD_DISCONNECT_PAUSE:
        return lost && context->running;
    case WARD_DISCONNECT_DESTROY:
        return lost;
    default:
        return FALSE;
    }
}

/* It was hooked as QEMU was made, and has gone before the hook's "started". Another one would be
 * too late to be in force from the first instruction, and would hide why. */
static gboolean
lost_in_start(const WardModuleContext *context)
{
    return context->made && context->actual->introspection.broken &&
           context->wanted->introspection->enforcement == WARD_ENFORCEMENT_REQUIRED;
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

    if (unhook(context, &local) || ward_module_is_without_vm(local))
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

/* @let_go: just now, to be hooked on other terms. */
static gboolean
may_attach(const WardModuleContext *context, gboolean let_go, GError **error)
{
    const WardIntrospectionSettings *wanted = context->wanted->introspection;
    g_autofree char *socket = NULL;

    if (context->failed_before) {
        g_set_error_literal(error, WARD_ERROR, WARD_ERROR_FAILED, context->failed_before);
        return FALSE;
    }
    if (!let_go && must_stop_first(context)) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "introspection: the tool went away (onDisconnect='%s')",
                    ward_disconnect_to_string(wanted->on_disconnect));
        return FALSE;
    }
    if (!let_go && lost_in_start(context)) {
        socket = ward_socket_to_string(&wanted->socket);
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "introspection: the tool at %s went away while the domain started", socket);
        return FALSE;
    }
    return TRUE;
}

static gboolean
introspection_apply(const WardModuleContext *context, GError **error)
{
    const WardIntrospectionActual *actual = &context->actual->introspection;
    g_autoptr(GError) failure = NULL;
    gboolean rests;
    gboolean let_go;

    if (!introspection_read(context, &failure)) {
        context->actual->introspection.gone = ward_module_is_without_vm(failure);
        g_propagate_error(error, g_steal_pointer(&failure));
        return FALSE;
    }
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
    if (!may_attach(context, let_go, error) || !introspection_attach(context, error))
        return FALSE;
    if (had_tool(context))
        context->actual->introspection.rehooked = let_go ? "settings" : "disconnect";
    else if (context->previous->introspection.attached)
        context->actual->introspection.rehooked = "stopped";
    return TRUE;
}

/* What the early pass has found in a QEMU that libvirt does not show yet stays true: nobody is to
 * be told that the tool has gone, and then that it is there again. */
static void
introspection_look(const WardModuleContext *context)
{
    const WardActualCommon *before = &context->previous->common[WARD_PROTECTION_INTROSPECTION];

    if (!context->made)
        return;
    context->actual->introspection = context->previous->introspection;
    context->actual->introspection.rehooked = NULL;
    ward_actual_set_status(context->actual, WARD_PROTECTION_INTROSPECTION, before->status,
                           g_strdup(before->reason));
}

static const char *
unhook_reason(WardManager *manager, WardDomain *domain)
{
    /* The kernel tells of the end sooner than libvirt. */
    if (!ward_domain_is_active(domain) || ward_domain_get_actual(domain)->introspection.gone)
        return "stopped";
    if (!ward_domain_get_wanted(domain)->introspection)
        return "settings";
    if (domain->leaving)
        return "migration";
    if (ward_manager_is_detached(manager, domain))
        return "detach";
    return g_str_equal(ward_domain_get_state(domain), "running") ? "disconnect" : "suspended";
}

/* Of a tool that is attached no more, whether another one is or not. */
static void
tell_unhooked(WardDomain *domain, const WardIntrospectionSettings *settings, const char *reason)
{
    if (g_str_equal(reason, "disconnect"))
        ward_domain_emit_event(domain, WARD_PROTECTION_INTROSPECTION, "PeerGone",
                               ward_disconnect_to_string(settings->on_disconnect), 0);
    ward_domain_emit_event(domain, WARD_PROTECTION_INTROSPECTION, "Unhooked", reason, 0);
}

static void
introspection_notice(WardManager *manager, WardDomain *domain, const WardActual *before)
{
    const WardIntrospectionActual *now = &ward_domain_get_actual(domain)->introspection;
    const WardIntrospectionSettings *settings = ward_domain_get_wanted(domain)->introspection;
    g_autofree char *socket = settings ? ward_socket_to_string(&settings->socket) : g_strdup("");

    if (before->introspection.attached && !now->attached)
        tell_unhooked(domain, settings, unhook_reason(manager, domain));
    else if (now->rehooked && settings)
        tell_unhooked(domain, settings, now->rehooked);
    if (now->attached && (now->rehooked || !before->introspection.attached))
        ward_domain_emit_event(domain, WARD_PROTECTION_INTROSPECTION, "Hooked", socket, 0);
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
    .look = introspection_look,
    .undo = introspection_undo,
    .notice = introspection_notice,
    .remedy = introspection_remedy,
};
