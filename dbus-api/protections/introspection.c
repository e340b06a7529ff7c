/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* introspection.c: org.virtward.Introspection1 */
#include "ward-call.h"
#include "ward-dbus-generated.h"
#include "ward-exported-interface.h"

WARD_DEFINE_GUARDED(WardGuardedIntrospection,
                    ward_guarded_introspection,
                    WardDBusIntrospection1,
                    ward_dbus_introspection1)

static gboolean
handle_attach(WardDBusIntrospection1 *object, GDBusMethodInvocation *invocation)
{
    ward_call_operation(invocation, ward_guarded_get_manager(object),
                        ward_guarded_get_domain(object), WARD_OPERATION_INTROSPECTION_ATTACH);
    return TRUE;
}

static gboolean
handle_detach(WardDBusIntrospection1 *object, GDBusMethodInvocation *invocation)
{
    ward_call_operation(invocation, ward_guarded_get_manager(object),
                        ward_guarded_get_domain(object), WARD_OPERATION_INTROSPECTION_DETACH);
    return TRUE;
}

static void
ward_guarded_introspection_handlers_init(WardDBusIntrospection1Iface *iface)
{
    iface->handle_attach = handle_attach;
    iface->handle_detach = handle_detach;
}

static void
update(GDBusInterfaceSkeleton *skeleton, WardDomain *domain)
{
    static const char *const none[] = {NULL};
    const WardIntrospectionSettings *wanted = WARD_EXPORTED_SETTINGS(domain, introspection);
    const WardIntrospectionActual *actual = &ward_domain_get_actual(domain)->introspection;
    g_autofree char *socket = wanted ? ward_socket_to_string(&wanted->socket) : NULL;

    g_object_set(skeleton, "attached", actual->attached, "socket", socket ? socket : "",
                 "on-disconnect", wanted ? ward_disconnect_to_string(wanted->on_disconnect) : "",
                 "allowed-commands",
                 wanted && wanted->allowed_commands ? wanted->allowed_commands : (GStrv)none,
                 "allowed-events",
                 wanted && wanted->allowed_events ? wanted->allowed_events : (GStrv)none, NULL);
}

static GVariant *
build_signal(const char *name, const char *detail_text, guint64 detail)
{
    if (g_str_equal(name, "Hooked") || g_str_equal(name, "Unhooked") ||
        g_str_equal(name, "PeerGone"))
        return g_variant_new("(s)", detail_text);
    return NULL;
}

const WardExportedInterface ward_exported_introspection = {
    .get_info = ward_dbus_introspection1_interface_info,
    .get_type = ward_guarded_introspection_get_type,
    .update = update,
    .build_signal = build_signal,
};
