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

static const char *const live[] = {"Commands", "Errors", "Events", "ReplyTimes", NULL};

static void
read_live(WardManager *manager,
          WardDomain *domain,
          GAsyncReadyCallback callback,
          gpointer user_data)
{
    ward_manager_introspection_statistics_async(manager, domain, callback, user_data);
}

static GVariant *
read_live_finish(WardManager *manager, GAsyncResult *result, GError **error)
{
    WardIntrospectionStatistics statistics;
    GVariantBuilder builder;

    if (!ward_manager_introspection_statistics_finish(manager, result, &statistics, error))
        return NULL;
    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&builder, "{sv}", "Commands", g_variant_new_uint64(statistics.commands));
    g_variant_builder_add(&builder, "{sv}", "Errors", g_variant_new_uint64(statistics.errors));
    g_variant_builder_add(&builder, "{sv}", "Events", g_variant_new_uint64(statistics.events));
    g_variant_builder_add(&builder, "{sv}", "ReplyTimes",
                          g_variant_new_fixed_array(G_VARIANT_TYPE_UINT64, statistics.reply_times,
                                                    G_N_ELEMENTS(statistics.reply_times),
                                                    sizeof statistics.reply_times[0]));
    return g_variant_builder_end(&builder);
}

const WardExportedInterface ward_exported_introspection = {
    .get_info = ward_dbus_introspection1_interface_info,
    .get_type = ward_guarded_introspection_get_type,
    .update = update,
    .build_signal = build_signal,
    .live = live,
    .read_live = read_live,
    .read_live_finish = read_live_finish,
};
