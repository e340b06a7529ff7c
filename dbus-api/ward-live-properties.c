/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-live-properties.h"

#include "ward-dbus-error.h"
#include "ward-error.h"

typedef struct {
    const WardExportedInterface *interface;
    GVariant *told;
    GDBusMethodInvocation *invocation;
} WardLiveCall;

static gboolean
is_live(const WardExportedInterface *interface, const char *property)
{
    return interface->live && g_strv_contains(interface->live, property);
}

GVariant *
ward_live_properties_leave_out(const char *const *names, GVariant *properties)
{
    g_autoptr(GVariant) all = properties;
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

    if (!names)
        return g_steal_pointer(&all);
    g_variant_dict_init(&dict, all);
    for (const char *const *name = names; *name; name++)
        g_variant_dict_remove(&dict, *name);
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

static void
return_one(GDBusMethodInvocation *invocation, GVariant *properties)
{
    g_autoptr(GVariant) value = NULL;
    const char *property;

    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s&s)", NULL, &property);
    value = g_variant_lookup_value(properties, property, NULL);
    /* GDBus has looked it up in the interface. */
    g_return_if_fail(value);
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(v)", value));
}

/* @live: an a{sv}. */
static void
return_all(GDBusMethodInvocation *invocation, GVariant *told, GVariant *live)
{
    g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(told);
    GVariantIter iter;
    const char *name;
    GVariant *value;

    g_variant_iter_init(&iter, live);
    while (g_variant_iter_loop(&iter, "{&sv}", &name, &value))
        g_variant_dict_insert_value(&dict, name, value);
    g_dbus_method_invocation_return_value(invocation,
                                          g_variant_new("(@a{sv})", g_variant_dict_end(&dict)));
}

static gboolean
is_for_all(GDBusMethodInvocation *invocation)
{
    return g_str_equal(g_dbus_method_invocation_get_method_name(invocation), "GetAll");
}

static void
on_read(GObject *manager, GAsyncResult *result, gpointer user_data)
{
    WardLiveCall *call = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) live =
        call->interface->read_live_finish(WARD_MANAGER(manager), result, &error);

    if (!live)
        ward_dbus_return_error(call->invocation, error);
    else if (is_for_all(call->invocation))
        return_all(call->invocation, call->told, g_variant_ref_sink(live));
    else
        return_one(call->invocation, g_variant_ref_sink(live));
    g_variant_unref(call->told);
    g_free(call);
}

static gboolean
wants_live(const WardExportedInterface *interface, GDBusMethodInvocation *invocation)
{
    const char *property;

    if (is_for_all(invocation))
        return TRUE;
    g_variant_get(g_dbus_method_invocation_get_parameters(invocation), "(&s&s)", NULL, &property);
    return is_live(interface, property);
}

void
ward_live_properties_answer(const WardExportedInterface *interface,
                            WardManager *manager,
                            WardDomain *domain,
                            GVariant *told,
                            GDBusMethodInvocation *invocation)
{
    WardLiveCall *call;

    if (!wants_live(interface, invocation)) {
        return_one(invocation, told);
        return;
    }
    call = g_new0(WardLiveCall, 1);
    call->interface = interface;
    call->told = g_variant_ref(told);
    call->invocation = invocation;
    interface->read_live(manager, domain, on_read, call);
}
