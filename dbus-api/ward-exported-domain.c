/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ward-exported-domain.c: org.virtward.Domain1 */
#include "protections/ward-exported-interface.h"
#include "ward-call.h"
#include "ward-dbus-error.h"
#include "ward-dbus-generated.h"

/* D-Bus methods */
static gboolean
handle_get_protection(WardDBusDomain1 *object, GDBusMethodInvocation *invocation, guint flags);
static gboolean handle_set_protection(WardDBusDomain1 *object,
                                      GDBusMethodInvocation *invocation,
                                      const char *xml,
                                      guint flags);
static gboolean
handle_clear_protection(WardDBusDomain1 *object, GDBusMethodInvocation *invocation, guint flags);
/* callbacks */
static void on_protection_read(GObject *manager, GAsyncResult *result, gpointer user_data);
static void on_parsed(GObject *invocation, GAsyncResult *result, gpointer user_data);

WARD_DEFINE_GUARDED(WardGuardedDomain, ward_guarded_domain, WardDBusDomain1, ward_dbus_domain1)

static void
ward_guarded_domain_handlers_init(WardDBusDomain1Iface *iface)
{
    iface->handle_get_protection = handle_get_protection;
    iface->handle_set_protection = handle_set_protection;
    iface->handle_clear_protection = handle_clear_protection;
}

static gboolean
handle_get_protection(WardDBusDomain1 *object, GDBusMethodInvocation *invocation, guint flags)
{
    if (ward_call_check_flags(invocation, flags, WARD_AFFECT_LIVE | WARD_AFFECT_CONFIG))
        ward_manager_get_protection_async(ward_guarded_get_manager(object),
                                          ward_guarded_get_domain(object), flags, NULL,
                                          on_protection_read, invocation);
    return TRUE;
}

static void
on_protection_read(GObject *manager, GAsyncResult *result, gpointer user_data)
{
    GDBusMethodInvocation *invocation = user_data;
    g_autoptr(GError) error = NULL;
    g_autofree char *xml =
        ward_manager_get_protection_finish(WARD_MANAGER(manager), result, &error);

    if (xml)
        ward_dbus_domain1_complete_get_protection(NULL, invocation, xml);
    else
        ward_dbus_return_error(invocation, error);
}

static gboolean
handle_set_protection(WardDBusDomain1 *object,
                      GDBusMethodInvocation *invocation,
                      const char *xml,
                      guint flags)
{
    guint allowed = WARD_AFFECT_LIVE | WARD_AFFECT_CONFIG | WARD_AFFECT_UPDATE;

    if (ward_call_check_flags(invocation, flags, allowed) &&
        ward_call_check_size(invocation, "xml", xml))
        ward_call_parse_async(invocation, xml, FALSE, on_parsed);
    return TRUE;
}

static void
on_parsed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    GDBusMethodInvocation *invocation = G_DBUS_METHOD_INVOCATION(source);
    gpointer object = ward_guarded_get_object(invocation);
    WardDomain *domain = ward_guarded_get_domain(object);
    g_autoptr(GError) error = NULL;
    g_autoptr(WardSettings) settings = ward_call_parse_finish(invocation, result, &error);
    guint flags;

    if (!settings) {
        g_prefix_error(&error, "domain '%s': nothing was changed: ", ward_domain_get_name(domain));
        ward_dbus_return_error(invocation, error);
        return;
    }
    g_variant_get_child(g_dbus_method_invocation_get_parameters(invocation), 1, "u", &flags);
    ward_call_set_protection(invocation, ward_guarded_get_manager(object), domain, settings, flags);
}

static gboolean
handle_clear_protection(WardDBusDomain1 *object, GDBusMethodInvocation *invocation, guint flags)
{
    g_autoptr(WardSettings) nothing = ward_settings_new_empty();

    if (ward_call_check_flags(invocation, flags, WARD_AFFECT_LIVE | WARD_AFFECT_CONFIG))
        ward_call_set_protection(invocation, ward_guarded_get_manager(object),
                                 ward_guarded_get_domain(object), nothing, flags);
    return TRUE;
}

static void
update(GDBusInterfaceSkeleton *skeleton, WardDomain *domain)
{
    g_object_set(skeleton, "name", ward_domain_get_name(domain), "uuid",
                 ward_domain_get_uuid(domain), "state", ward_domain_get_state(domain), "status",
                 ward_domain_get_status(domain), "reason", ward_domain_get_reason(domain), NULL);
}

const WardExportedInterface ward_exported_domain = {
    .get_info = ward_dbus_domain1_interface_info,
    .get_type = ward_guarded_domain_get_type,
    .update = update,
};
