/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* isolation.c: org.virtward.Isolation1 */
#include "ward-call.h"
#include "ward-dbus-error.h"
#include "ward-dbus-generated.h"
#include "ward-exported-interface.h"

static void on_statistics(GObject *manager, GAsyncResult *result, gpointer user_data);
static WardSettings *build_settings(WardDomain *domain, const char *state, GError **error);

WARD_DEFINE_GUARDED(WardGuardedIsolation,
                    ward_guarded_isolation,
                    WardDBusIsolation1,
                    ward_dbus_isolation1)

static gboolean
handle_set_state(WardDBusIsolation1 *object,
                 GDBusMethodInvocation *invocation,
                 const char *state,
                 guint flags)
{
    WardDomain *domain = ward_guarded_get_domain(object);
    g_autoptr(WardSettings) settings = NULL;
    g_autoptr(GError) error = NULL;

    if (!ward_call_check_flags(invocation, flags, WARD_AFFECT_LIVE | WARD_AFFECT_CONFIG))
        return TRUE;
    settings = build_settings(domain, state, &error);
    if (settings)
        ward_call_set_protection(invocation, ward_guarded_get_manager(object), domain, settings,
                                 flags | WARD_AFFECT_UPDATE);
    else
        ward_dbus_return_error(invocation, error);
    return TRUE;
}

static gboolean
handle_get_statistics(WardDBusIsolation1 *object, GDBusMethodInvocation *invocation)
{
    ward_manager_isolation_statistics_async(ward_guarded_get_manager(object),
                                            ward_guarded_get_domain(object), NULL, on_statistics,
                                            invocation);
    return TRUE;
}

static void
on_statistics(GObject *manager, GAsyncResult *result, gpointer user_data)
{
    GDBusMethodInvocation *invocation = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) statistics =
        ward_manager_isolation_statistics_finish(WARD_MANAGER(manager), result, &error);

    if (statistics)
        ward_dbus_isolation1_complete_get_statistics(NULL, invocation, statistics);
    else
        ward_dbus_return_error(invocation, error);
}

static void
ward_guarded_isolation_handlers_init(WardDBusIsolation1Iface *iface)
{
    iface->handle_set_state = handle_set_state;
    iface->handle_get_statistics = handle_get_statistics;
}

/* The element with another state, through the one parser that there is. */
static WardSettings *
build_settings(WardDomain *domain, const char *state, GError **error)
{
    const WardIsolationSettings *wanted = WARD_EXPORTED_SETTINGS(domain, isolation);
    WardEnforcement enforcement = wanted ? wanted->enforcement : WARD_ENFORCEMENT_REQUIRED;
    g_autofree char *xml = NULL;

    if (!g_str_equal(state, "on") && !g_str_equal(state, "off")) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                    "domain '%s': the state of isolation is 'on' or 'off', not '%.32s'",
                    ward_domain_get_name(domain), state);
        return NULL;
    }
    xml = g_markup_printf_escaped("<" WARD_XML_PREFIX ":" WARD_XML_ROOT " xmlns:" WARD_XML_PREFIX
                                  "='" WARD_XML_NAMESPACE "'><" WARD_XML_PREFIX
                                  ":isolation state='%s' enforcement='%s'/></" WARD_XML_PREFIX
                                  ":" WARD_XML_ROOT ">",
                                  state, ward_enforcement_to_string(enforcement));
    return ward_settings_parse(xml, -1, error);
}

static void
update(GDBusInterfaceSkeleton *skeleton, WardDomain *domain)
{
    const WardIsolationSettings *wanted = WARD_EXPORTED_SETTINGS(domain, isolation);
    const WardIsolationActual *actual = &ward_domain_get_actual(domain)->isolation;

    g_object_set(skeleton, "wanted", wanted ? (wanted->on ? "on" : "off") : "", "state",
                 ward_isolation_state_to_string(actual->state), "from-start", actual->from_start,
                 "violations", actual->violations, NULL);
}

static GVariant *
build_signal(const char *name, const char *detail_text, guint64 detail)
{
    return g_str_equal(name, "Violation") ? g_variant_new("(t)", detail) : NULL;
}

const WardExportedInterface ward_exported_isolation = {
    .get_info = ward_dbus_isolation1_interface_info,
    .get_type = ward_guarded_isolation_get_type,
    .update = update,
    .build_signal = build_signal,
};
