/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-domain-node.h"

#include "ward-live-properties.h"
#include "ward-told.h"

/* Of Domain1, what no two domains have in common. */
static const char *const own_properties[] = {"Name", "Uuid", NULL};

struct _WardDomainNode {
    WardDomain *domain;
    char *name;             /* as it was last told */
    WardTold *told;         /* of Domain1, without own_properties */
    WardTold **protections; /* at their numbers, NULL: not shown; NULL when none ever was */
};

WardDomainNode *
ward_domain_node_new(WardDomain *domain)
{
    WardDomainNode *self = g_new0(WardDomainNode, 1);

    self->domain = g_object_ref(domain);
    return self;
}

void
ward_domain_node_free(WardDomainNode *self)
{
    for (guint i = 0; i < WARD_N_INTERFACES; i++)
        ward_domain_node_set_told(self, i, NULL);
    g_free(self->protections);
    g_free(self->name);
    g_object_unref(self->domain);
    g_free(self);
}

WardDomain *
ward_domain_node_get_domain(WardDomainNode *self)
{
    return self->domain;
}

static WardTold *
find_told(WardDomainNode *self, guint interface)
{
    if (interface == WARD_INTERFACE_DOMAIN)
        return self->told;
    return self->protections ? self->protections[interface] : NULL;
}

gboolean
ward_domain_node_has_told(WardDomainNode *self, guint interface)
{
    return find_told(self, interface) != NULL;
}

/* Floating: a {sv}. */
static GVariant *
build_own(const char *name, const char *value)
{
    return g_variant_new_dict_entry(g_variant_new_string(name),
                                    g_variant_new_variant(g_variant_new_string(value)));
}

/* Floating: an a{sv} of @common and what is the domain's own. By hand, since an inventory is made
 * of these: a builder takes longer. */
static GVariant *
add_own(WardDomainNode *self, GVariant *common)
{
    gsize n = g_variant_n_children(common);
    g_autoptr(GPtrArray) all = g_ptr_array_new_full(n + 2, (GDestroyNotify)g_variant_unref);

    g_ptr_array_add(all, g_variant_ref_sink(build_own("Name", self->name)));
    g_ptr_array_add(all, g_variant_ref_sink(build_own("Uuid", ward_domain_get_uuid(self->domain))));
    for (gsize i = 0; i < n; i++)
        g_ptr_array_add(all, g_variant_get_child_value(common, i));
    return g_variant_new_array(G_VARIANT_TYPE("{sv}"), (GVariant *const *)all->pdata, all->len);
}

GVariant *
ward_domain_node_get_told(WardDomainNode *self, guint interface)
{
    g_autoptr(GVariant) told = ward_told_get(find_told(self, interface));

    if (interface != WARD_INTERFACE_DOMAIN || !told)
        return g_steal_pointer(&told);
    return g_variant_ref_sink(add_own(self, told));
}

static void
set_domain(WardDomainNode *self, GVariant *properties)
{
    g_autoptr(GVariant) common =
        ward_live_properties_leave_out(own_properties, g_variant_ref(properties));

    g_free(self->name);
    g_variant_lookup(properties, "Name", "s", &self->name);
    self->told = ward_told_new(common);
}

void
ward_domain_node_set_told(WardDomainNode *self, guint interface, GVariant *properties)
{
    WardTold *old = find_told(self, interface);

    if (interface == WARD_INTERFACE_DOMAIN) {
        self->told = NULL;
        if (properties)
            set_domain(self, properties);
    } else if (properties || old) {
        if (!self->protections)
            self->protections = g_new0(WardTold *, WARD_N_PROTECTIONS);
        self->protections[interface] = properties ? ward_told_new(properties) : NULL;
    }
    g_clear_pointer(&old, ward_told_free);
}
