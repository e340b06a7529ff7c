/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-view.c: domains as the daemon shows them, of one moment
 */
#include "ward-view.h"

#include "ward-error.h"

static const char *const interfaces[WARD_N_PROTECTIONS] = {
    [WARD_PROTECTION_TEARDOWN] = WARD_DBUS_INTERFACE_TEARDOWN,
    [WARD_PROTECTION_TRUSTDOMAIN] = WARD_DBUS_INTERFACE_TRUSTDOMAIN,
    [WARD_PROTECTION_INTROSPECTION] = WARD_DBUS_INTERFACE_INTROSPECTION,
    [WARD_PROTECTION_ISOLATION] = WARD_DBUS_INTERFACE_ISOLATION,
};

const char *
ward_view_interface(WardProtection protection)
{
    return interfaces[protection];
}

void
ward_view_free(WardView *self)
{
    if (!self)
        return;
    g_free(self->path);
    g_free(self->name);
    g_clear_pointer(&self->domain, g_variant_unref);
    for (guint i = 0; i < WARD_N_PROTECTIONS; i++)
        g_clear_pointer(&self->protections[i], g_variant_unref);
    g_free(self);
}

/* NULL when the object is not a domain. */
static WardView *
view_new(const char *path, GVariant *object)
{
    GVariant *domain =
        g_variant_lookup_value(object, WARD_DBUS_INTERFACE_DOMAIN, G_VARIANT_TYPE_VARDICT);
    WardView *self;

    if (!domain)
        return NULL;
    self = g_new0(WardView, 1);
    self->path = g_strdup(path);
    self->name = g_strdup(ward_properties_string(domain, "Name"));
    self->domain = domain;
    for (guint i = 0; i < WARD_N_PROTECTIONS; i++)
        self->protections[i] =
            g_variant_lookup_value(object, interfaces[i], G_VARIANT_TYPE_VARDICT);
    return self;
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
    const WardView *const *view_a = a;
    const WardView *const *view_b = b;

    return g_strcmp0((*view_a)->name, (*view_b)->name);
}

GPtrArray *
ward_view_list(GVariant *objects)
{
    GPtrArray *views = g_ptr_array_new_with_free_func((GDestroyNotify)ward_view_free);
    GVariantIter iter;
    const char *path;
    GVariant *object;

    g_variant_iter_init(&iter, objects);
    while (g_variant_iter_loop(&iter, "{&o@a{sa{sv}}}", &path, &object)) {
        WardView *view = view_new(path, object);

        if (view)
            g_ptr_array_add(views, view);
    }
    g_ptr_array_sort(views, compare_names);
    return views;
}

GPtrArray *
ward_view_fetch_all(WardClient *client, GError **error)
{
    g_autoptr(GVariant) objects = ward_client_get_objects(client, error);

    return objects ? ward_view_list(objects) : NULL;
}

char *
ward_view_lookup(WardClient *client, const char *domain, GError **error)
{
    g_autoptr(GVariant) reply =
        ward_client_call(client, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST, "LookupDomain",
                         g_variant_new("(s)", domain), "(o)", error);
    char *path = NULL;

    if (reply)
        g_variant_get(reply, "(o)", &path);
    return path;
}

WardView *
ward_view_fetch(WardClient *client, const char *domain, GError **error)
{
    g_autofree char *path = ward_view_lookup(client, domain, error);
    g_autoptr(GVariant) objects = path ? ward_client_get_objects(client, error) : NULL;
    g_autoptr(GVariant) object = NULL;
    WardView *view = NULL;

    if (!objects)
        return NULL;
    object = g_variant_lookup_value(objects, path, NULL);
    if (object)
        view = view_new(path, object);
    if (!view)
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_FOUND,
                    "domain '%s' has just been undefined: see protection-list --all", domain);
    return view;
}

WardView *
ward_view_fetch_with(WardClient *client,
                     const char *domain,
                     WardProtection protection,
                     GError **error)
{
    g_autoptr(WardView) view = ward_view_fetch(client, domain, error);

    if (!view)
        return NULL;
    if (!view->protections[protection]) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_FOUND,
                    "domain '%s' has no %s: its protection does not ask for it; see "
                    "protection-info and protection-set",
                    view->name, ward_protection_to_string(protection));
        return NULL;
    }
    return g_steal_pointer(&view);
}

void
ward_view_add_common(const WardView *self, WardProtection protection, WardRecord *record)
{
    GVariant *properties = self->protections[protection];

    ward_record_add_string(record, "name", "Name", self->name);
    ward_record_add_string(record, "uuid", "UUID", ward_properties_string(self->domain, "Uuid"));
    ward_record_add_string(record, "status", "Status",
                           ward_properties_string(properties, "Status"));
    ward_record_add_string(record, "reason", "Reason",
                           ward_properties_string(properties, "Reason"));
    ward_record_add_string(record, "provider", "Provider",
                           ward_properties_string(properties, "Provider"));
    ward_record_add_string(record, "enforcement", "Enforcement",
                           ward_properties_string(properties, "Enforcement"));
}
