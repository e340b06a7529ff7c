/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-exported-host.h"

#include "ward-call.h"
#include "ward-caller.h"
#include "ward-dbus-error.h"
#include "ward-dbus-generated.h"
#include "ward-dbus-names.h"
#include "ward-dbus-path.h"

/* D-Bus methods */
static gboolean handle_validate_protection(WardDBusHost1 *object,
                                           GDBusMethodInvocation *invocation,
                                           const char *xml);
static gboolean
handle_lookup_domain(WardDBusHost1 *object, GDBusMethodInvocation *invocation, const char *key);
static gboolean handle_get_trust_domain_capacity(WardDBusHost1 *object,
                                                 GDBusMethodInvocation *invocation);
static gboolean handle_run_hook(WardDBusHost1 *object,
                                GDBusMethodInvocation *invocation,
                                const char *domain,
                                const char *operation,
                                const char *sub_operation,
                                const char *xml);
/* callbacks */
static void on_host_changed(WardManager *manager, gpointer user_data);
static void on_parsed(GObject *invocation, GAsyncResult *result, gpointer user_data);
static void on_found(GObject *manager, GAsyncResult *result, gpointer user_data);
static void on_capacity(GObject *manager, GAsyncResult *result, gpointer user_data);
static void on_hook(GObject *manager, GAsyncResult *result, gpointer user_data);
/* helpers */
static GVariant *build_capabilities(WardManager *manager);
static GVariant *build_capacity(const WardTrustdomainCapacity *capacity);

WARD_DEFINE_GUARDED(WardGuardedHost, ward_guarded_host, WardDBusHost1, ward_dbus_host1)

static void
ward_guarded_host_handlers_init(WardDBusHost1Iface *iface)
{
    iface->handle_validate_protection = handle_validate_protection;
    iface->handle_lookup_domain = handle_lookup_domain;
    iface->handle_get_trust_domain_capacity = handle_get_trust_domain_capacity;
    iface->handle_run_hook = handle_run_hook;
}

GDBusObjectSkeleton *
ward_exported_host_new(WardExportContext *context)
{
    GDBusObjectSkeleton *object = g_dbus_object_skeleton_new(WARD_DBUS_PATH_HOST);
    g_autoptr(GDBusInterfaceSkeleton) host = g_object_new(ward_guarded_host_get_type(), NULL);

    ward_guarded_setup(host, context, NULL);
    g_signal_connect_object(context->manager, "host-changed", G_CALLBACK(on_host_changed), host, 0);
    on_host_changed(context->manager, host);
    g_dbus_object_skeleton_add_interface(object, host);
    return object;
}

static void
on_host_changed(WardManager *manager, gpointer user_data)
{
    g_object_set(user_data, "api-version", WARD_DBUS_API_VERSION, "version", WARD_VERSION, "uri",
                 ward_manager_get_uri(manager), "connected", ward_manager_get_connected(manager),
                 "connection-error", ward_manager_get_connection_error(manager), "libvirt-version",
                 ward_manager_get_libvirt_version(manager), "simulated",
                 ward_manager_get_simulated(manager), "capabilities", build_capabilities(manager),
                 NULL);
}

static gboolean
handle_validate_protection(WardDBusHost1 *object,
                           GDBusMethodInvocation *invocation,
                           const char *xml)
{
    if (ward_call_check_size(invocation, "xml", xml))
        ward_call_parse_async(invocation, xml, TRUE, on_parsed);
    return TRUE;
}

static void
on_parsed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    GDBusMethodInvocation *invocation = G_DBUS_METHOD_INVOCATION(source);
    WardDBusHost1 *object = ward_guarded_get_object(invocation);
    g_autoptr(GError) error = NULL;
    g_autoptr(WardSettings) settings = ward_call_parse_finish(invocation, result, &error);
    g_auto(GStrv) warnings = NULL;

    if (!settings) {
        ward_dbus_return_error(invocation, error);
        return;
    }
    warnings = ward_manager_check_settings(ward_guarded_get_manager(object), settings);
    ward_dbus_host1_complete_validate_protection(object, invocation, (const char *const *)warnings);
}

static gboolean
handle_lookup_domain(WardDBusHost1 *object, GDBusMethodInvocation *invocation, const char *key)
{
    if (ward_call_check_size(invocation, "domain", key))
        ward_manager_find_domain_async(ward_guarded_get_manager(object), key, NULL, on_found,
                                       invocation);
    return TRUE;
}

static void
on_found(GObject *manager, GAsyncResult *result, gpointer user_data)
{
    GDBusMethodInvocation *invocation = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(WardDomain) domain =
        ward_manager_find_domain_finish(WARD_MANAGER(manager), result, &error);
    g_autofree char *path = NULL;

    if (!domain) {
        ward_dbus_return_error(invocation, error);
        return;
    }
    path = ward_dbus_path_from_uuid(ward_domain_get_uuid(domain));
    ward_dbus_host1_complete_lookup_domain(NULL, invocation, path);
}

static gboolean
handle_get_trust_domain_capacity(WardDBusHost1 *object, GDBusMethodInvocation *invocation)
{
    ward_manager_trustdomain_capacity_async(ward_guarded_get_manager(object), NULL, on_capacity,
                                            invocation);
    return TRUE;
}

static void
on_capacity(GObject *manager, GAsyncResult *result, gpointer user_data)
{
    GDBusMethodInvocation *invocation = user_data;
    WardTrustdomainCapacity capacity = {0};
    g_autoptr(GError) error = NULL;

    if (ward_manager_trustdomain_capacity_finish(WARD_MANAGER(manager), result, &capacity, &error))
        ward_dbus_host1_complete_get_trust_domain_capacity(NULL, invocation,
                                                           build_capacity(&capacity));
    else
        ward_dbus_return_error(invocation, error);
}

/* libvirt's hook has a limit of time of its own: when it is gone, so is the need for an answer. */
static gboolean
handle_run_hook(WardDBusHost1 *object,
                GDBusMethodInvocation *invocation,
                const char *domain,
                const char *operation,
                const char *sub_operation,
                const char *xml)
{
    if (!ward_call_check_size(invocation, "xml", xml))
        return TRUE;
    ward_manager_run_hook_async(ward_guarded_get_manager(object), domain, operation, sub_operation,
                                xml, ward_caller_get_cancellable(invocation), on_hook, invocation);
    return TRUE;
}

static void
on_hook(GObject *manager, GAsyncResult *result, gpointer user_data)
{
    GDBusMethodInvocation *invocation = user_data;
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) warnings = ward_manager_run_hook_finish(WARD_MANAGER(manager), result, &error);

    if (warnings)
        ward_dbus_host1_complete_run_hook(NULL, invocation, (const char *const *)warnings);
    else
        ward_dbus_return_error(invocation, error);
}

static GVariant *
build_capabilities(WardManager *manager)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{s(bss)}"));
    for (WardProtection p = 0; p < WARD_N_PROTECTIONS; p++) {
        const WardSupport *support = ward_manager_get_support(manager, p);

        g_variant_builder_add(&builder, "{s(bss)}", ward_protection_to_string(p),
                              support->supported, support->provider, support->reason);
    }
    return g_variant_builder_end(&builder);
}

/* What is reserved or leaked is in use too, for whoever wants a key. */
static GVariant *
build_capacity(const WardTrustdomainCapacity *capacity)
{
    const guint64 parts[] = {capacity->used, capacity->reserved, capacity->leaked};
    guint64 left = capacity->total;
    GVariantBuilder builder;

    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
        left -= MIN(left, parts[i]);

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{st}"));
    g_variant_builder_add(&builder, "{st}", "total", capacity->total);
    g_variant_builder_add(&builder, "{st}", "used", capacity->used);
    g_variant_builder_add(&builder, "{st}", "free", left);
    g_variant_builder_add(&builder, "{st}", "reserved", (guint64)capacity->reserved);
    g_variant_builder_add(&builder, "{st}", "waiting", (guint64)capacity->waiting);
    if (capacity->knows_leaked) {
        g_variant_builder_add(&builder, "{st}", "leaked", capacity->leaked);
        g_variant_builder_add(&builder, "{st}", "leaked-pages", capacity->leaked_pages);
    }
    return g_variant_builder_end(&builder);
}
