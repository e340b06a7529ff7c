/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-domain-tree.h"

#include "protections/ward-exported-interface.h"
#include "ward-dbus-error.h"
#include "ward-dbus-names.h"
#include "ward-dbus-path.h"
#include "ward-domain-node.h"
#include "ward-live-properties.h"

#define TREE_PATH WARD_DBUS_PATH "/domain"
#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"
#define PROPERTIES "org.freedesktop.DBus.Properties"

/* Heard by one hook for all domains: handlers on each would take 500 bytes of every one. */
static const char *const domain_signals[] = {"changed", "event"};
#define N_DOMAIN_SIGNALS G_N_ELEMENTS(domain_signals)

static const WardExportedInterface *const interfaces[WARD_N_INTERFACES] = {
    [WARD_PROTECTION_TEARDOWN] = &ward_exported_teardown,
    [WARD_PROTECTION_TRUSTDOMAIN] = &ward_exported_trustdomain,
    [WARD_PROTECTION_INTROSPECTION] = &ward_exported_introspection,
    [WARD_PROTECTION_ISOLATION] = &ward_exported_isolation,
    [WARD_INTERFACE_DOMAIN] = &ward_exported_domain,
};

struct _WardDomainTree {
    GObject parent;

    WardExportContext *context;
    GDBusConnection *connection;
    guint subtree;
    GHashTable *nodes; /* UUID, the domain's own string, to WardDomainNode */
    gulong hooks[N_DOMAIN_SIGNALS];
    /* Never exported: domains are described by setting their properties and reading them back. */
    GDBusInterfaceSkeleton *templates[WARD_N_INTERFACES];
    GVariant *names[WARD_N_INTERFACES]; /* of the interfaces, for inventories */
};

/* the subtree */
static char **
tree_enumerate(GDBusConnection *connection, const char *sender, const char *path, gpointer data);
static GDBusInterfaceInfo **tree_introspect(GDBusConnection *connection,
                                            const char *sender,
                                            const char *path,
                                            const char *name,
                                            gpointer data);
static const GDBusInterfaceVTable *tree_dispatch(GDBusConnection *connection,
                                                 const char *sender,
                                                 const char *path,
                                                 const char *interface,
                                                 const char *name,
                                                 gpointer *out_data,
                                                 gpointer data);
static void tree_method_call(GDBusConnection *connection,
                             const char *sender,
                             const char *path,
                             const char *interface,
                             const char *method,
                             GVariant *parameters,
                             GDBusMethodInvocation *invocation,
                             gpointer data);
static GVariant *tree_get_property(GDBusConnection *connection,
                                   const char *sender,
                                   const char *path,
                                   const char *interface,
                                   const char *property,
                                   GError **error,
                                   gpointer data);
/* callbacks */
static gboolean
on_changed(GSignalInvocationHint *hint, guint n_values, const GValue *values, gpointer user_data);
static gboolean
on_event(GSignalInvocationHint *hint, guint n_values, const GValue *values, gpointer user_data);
/* nodes */
static WardDomainNode *find_node(WardDomainTree *self, const char *path);
static GVariant *find_told(WardDomainTree *self, const char *path, const char *interface);
static GVariant *build_entry(WardDomainTree *self, WardDomainNode *node);
static GVariant *build_shown(WardDomainTree *self, WardDomainNode *node);
static void update(WardDomainTree *self, WardDomainNode *node, guint interface);
static gboolean shows(WardDomain *domain, guint interface);
static GVariant *describe(WardDomainTree *self, WardDomain *domain, guint interface);
/* signals */
static void tell(WardDomainTree *self,
                 WardDomain *domain,
                 const char *interface,
                 const char *name,
                 GVariant *arguments);
static void tell_changed(
    WardDomainTree *self, WardDomain *domain, guint interface, GVariant *before, GVariant *now);
static void tell_added(WardDomainTree *self, WardDomain *domain, GVariant *added);
static void tell_removed(WardDomainTree *self, WardDomain *domain, GVariant *removed);
/* helpers */
static guint find_interface(const char *name);
static GVariant *build_interface(WardDomainTree *self, guint interface, GVariant *properties);

G_DEFINE_FINAL_TYPE(WardDomainTree, ward_domain_tree, G_TYPE_OBJECT)

static void
ward_domain_tree_dispose(GObject *object)
{
    WardDomainTree *self = WARD_DOMAIN_TREE(object);

    ward_domain_tree_set_connection(self, NULL);
    for (guint i = 0; i < N_DOMAIN_SIGNALS && self->hooks[i]; i++) {
        g_signal_remove_emission_hook(g_signal_lookup(domain_signals[i], WARD_TYPE_DOMAIN),
                                      self->hooks[i]);
        self->hooks[i] = 0;
    }
    g_clear_pointer(&self->nodes, g_hash_table_unref);
    for (guint i = 0; i < WARD_N_INTERFACES; i++) {
        g_clear_object(&self->templates[i]);
        g_clear_pointer(&self->names[i], g_variant_unref);
    }
    g_clear_pointer(&self->context, ward_export_context_unref);
    G_OBJECT_CLASS(ward_domain_tree_parent_class)->dispose(object);
}

static void
ward_domain_tree_class_init(WardDomainTreeClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = ward_domain_tree_dispose;
}

static void
ward_domain_tree_init(WardDomainTree *self)
{
    static const GSignalEmissionHook handlers[] = {on_changed, on_event};

    self->nodes =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)ward_domain_node_free);
    for (guint i = 0; i < WARD_N_INTERFACES; i++) {
        self->templates[i] = g_object_new(interfaces[i]->get_type(), NULL);
        self->names[i] = g_variant_ref_sink(g_variant_new_string(interfaces[i]->get_info()->name));
    }
    g_type_class_unref(g_type_class_ref(WARD_TYPE_DOMAIN)); /* makes the signals */
    for (guint i = 0; i < N_DOMAIN_SIGNALS; i++)
        self->hooks[i] = g_signal_add_emission_hook(
            g_signal_lookup(domain_signals[i], WARD_TYPE_DOMAIN), 0, handlers[i], self, NULL);
}

WardDomainTree *
ward_domain_tree_new(WardExportContext *context)
{
    WardDomainTree *self = g_object_new(WARD_TYPE_DOMAIN_TREE, NULL);

    self->context = ward_export_context_ref(context);
    return self;
}

void
ward_domain_tree_set_connection(WardDomainTree *self, GDBusConnection *connection)
{
    static const GDBusSubtreeVTable vtable = {tree_enumerate, tree_introspect, tree_dispatch};
    g_autoptr(GError) error = NULL;

    if (self->connection)
        g_dbus_connection_unregister_subtree(self->connection, self->subtree);
    g_set_object(&self->connection, connection);
    if (!connection)
        return;
    /* To unenumerated nodes: a call must not cost a list of all domains. */
    self->subtree = g_dbus_connection_register_subtree(
        connection, TREE_PATH, &vtable, G_DBUS_SUBTREE_FLAGS_DISPATCH_TO_UNENUMERATED_NODES, self,
        NULL, &error);
    if (!self->subtree)
        g_critical("cannot show the domains: %s", error->message);
}

void
ward_domain_tree_add(WardDomainTree *self, WardDomain *domain)
{
    WardDomainNode *node = ward_domain_node_new(domain);

    for (guint i = 0; i < WARD_N_INTERFACES; i++) {
        g_autoptr(GVariant) properties = describe(self, domain, i);

        ward_domain_node_set_told(node, i, properties);
    }
    g_hash_table_insert(self->nodes, (gpointer)ward_domain_get_uuid(domain), node);
    tell_added(self, domain, build_shown(self, node));
}

void
ward_domain_tree_remove(WardDomainTree *self, WardDomain *domain)
{
    WardDomainNode *node = g_hash_table_lookup(self->nodes, ward_domain_get_uuid(domain));

    g_return_if_fail(node);
    tell_removed(self, domain, build_shown(self, node));
    g_hash_table_remove(self->nodes, ward_domain_get_uuid(domain));
}

void
ward_domain_tree_describe(WardDomainTree *self, GVariantBuilder *objects)
{
    GHashTableIter iter;
    gpointer node;

    g_hash_table_iter_init(&iter, self->nodes);
    while (g_hash_table_iter_next(&iter, NULL, &node))
        g_variant_builder_add_value(objects, build_entry(self, node));
}

/* the subtree */

static char **
tree_enumerate(GDBusConnection *connection, const char *sender, const char *path, gpointer data)
{
    WardDomainTree *self = data;
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    GHashTableIter iter;
    gpointer uuid;

    g_hash_table_iter_init(&iter, self->nodes);
    while (g_hash_table_iter_next(&iter, &uuid, NULL)) {
        g_autofree char *node = ward_dbus_path_from_uuid(uuid);

        g_strv_builder_add(names, node + strlen(TREE_PATH "/"));
    }
    return g_strv_builder_end(names);
}

/* @name is NULL for the path above the domains, which is no object. */
static GDBusInterfaceInfo **
tree_introspect(GDBusConnection *connection,
                const char *sender,
                const char *path,
                const char *name,
                gpointer data)
{
    g_autofree char *full = name ? g_strconcat(TREE_PATH "/", name, NULL) : NULL;
    WardDomainNode *node = full ? find_node(data, full) : NULL;
    g_autoptr(GPtrArray) infos = g_ptr_array_new();

    if (!node)
        return NULL;
    for (guint i = 0; i < WARD_N_INTERFACES; i++) {
        if (ward_domain_node_has_told(node, i))
            g_ptr_array_add(infos, g_dbus_interface_info_ref(interfaces[i]->get_info()));
    }
    g_ptr_array_add(infos, NULL);
    return (GDBusInterfaceInfo **)g_ptr_array_steal(infos, NULL);
}

/* The domain may be gone before the function of the table is called: it looks for it again. */
static const GDBusInterfaceVTable *
tree_dispatch(GDBusConnection *connection,
              const char *sender,
              const char *path,
              const char *interface,
              const char *name,
              gpointer *out_data,
              gpointer data)
{
    static const GDBusInterfaceVTable vtable = {tree_method_call, tree_get_property, NULL};
    /* Without that function GDBus calls the one for methods, which need not answer at once. */
    static const GDBusInterfaceVTable live_vtable = {tree_method_call, NULL, NULL};
    guint i = find_interface(interface);

    *out_data = data;
    return i < WARD_N_INTERFACES && interfaces[i]->live ? &live_vtable : &vtable;
}

static void
tree_method_call(GDBusConnection *connection,
                 const char *sender,
                 const char *path,
                 const char *interface,
                 const char *method,
                 GVariant *parameters,
                 GDBusMethodInvocation *invocation,
                 gpointer data)
{
    WardDomainTree *self = data;
    WardDomainNode *node = find_node(self, path);
    gboolean properties = g_str_equal(interface, PROPERTIES);
    g_autoptr(GVariant) told = NULL;
    g_autoptr(GDBusInterfaceSkeleton) skeleton = NULL;

    if (properties)
        g_variant_get_child(parameters, 0, "&s", &interface);
    told = find_told(self, path, interface);
    if (!told) {
        g_autoptr(GError) error =
            g_error_new(WARD_ERROR, WARD_ERROR_NOT_FOUND, "%s has no %s any more", path, interface);

        ward_dbus_return_error(invocation, error);
        return;
    }
    if (properties) {
        ward_live_properties_answer(interfaces[find_interface(interface)], self->context->manager,
                                    ward_domain_node_get_domain(node), told, invocation);
        return;
    }
    skeleton = g_object_new(interfaces[find_interface(interface)]->get_type(), NULL);
    ward_guarded_setup(skeleton, self->context, ward_domain_node_get_domain(node));
    g_dbus_interface_skeleton_get_vtable(skeleton)->method_call(
        connection, sender, path, interface, method, parameters, invocation, skeleton);
}

static GVariant *
tree_get_property(GDBusConnection *connection,
                  const char *sender,
                  const char *path,
                  const char *interface,
                  const char *property,
                  GError **error,
                  gpointer data)
{
    g_autoptr(GVariant) told = find_told(data, path, interface);

    if (told)
        return g_variant_lookup_value(told, property, NULL);
    g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_FOUND, "%s has no %s any more", path, interface);
    return NULL;
}

/* callbacks */

/* The node of the domain that emitted; NULL when it is none of ours. */
static WardDomainNode *
find_emitter(WardDomainTree *self, const GValue *values)
{
    WardDomain *domain = g_value_get_object(&values[0]);
    WardDomainNode *node = g_hash_table_lookup(self->nodes, ward_domain_get_uuid(domain));

    return node && ward_domain_node_get_domain(node) == domain ? node : NULL;
}

static gboolean
on_changed(GSignalInvocationHint *hint, guint n_values, const GValue *values, gpointer user_data)
{
    WardDomainNode *node = find_emitter(user_data, values);

    for (guint i = 0; node && i < WARD_N_INTERFACES; i++)
        update(user_data, node, i);
    return G_SOURCE_CONTINUE;
}

/* Whoever gets the signal has been told the properties that belong to it. One of an interface that
 * goes away with it comes before that. */
static gboolean
on_event(GSignalInvocationHint *hint, guint n_values, const GValue *values, gpointer user_data)
{
    WardDomainTree *self = user_data;
    WardDomain *domain = g_value_get_object(&values[0]);
    WardDomainNode *node = find_emitter(self, values);
    WardProtection protection = g_value_get_int(&values[1]);
    const char *name = g_value_get_string(&values[2]);
    const WardExportedInterface *interface = interfaces[protection];
    g_autoptr(GVariant) arguments = NULL;

    if (!node)
        return G_SOURCE_CONTINUE;
    if (shows(domain, protection))
        update(self, node, protection);
    if (ward_domain_node_has_told(node, protection) && interface->build_signal)
        arguments = interface->build_signal(name, g_value_get_string(&values[3]),
                                            g_value_get_uint64(&values[4]));
    if (!arguments)
        return G_SOURCE_CONTINUE;
    g_variant_ref_sink(arguments);
    tell(self, domain, interface->get_info()->name, name, arguments);
    return G_SOURCE_CONTINUE;
}

/* nodes */

static WardDomainNode *
find_node(WardDomainTree *self, const char *path)
{
    g_autofree char *uuid = ward_dbus_path_to_uuid(path);

    return uuid ? g_hash_table_lookup(self->nodes, uuid) : NULL;
}

/* (transfer full); NULL when there is no such object, or it does not have the interface. */
static GVariant *
find_told(WardDomainTree *self, const char *path, const char *interface)
{
    WardDomainNode *node = find_node(self, path);
    guint i = find_interface(interface);

    return node && i < WARD_N_INTERFACES ? ward_domain_node_get_told(node, i) : NULL;
}

/* Floating: an entry of an inventory, {oa{sa{sv}}}. */
static GVariant *
build_entry(WardDomainTree *self, WardDomainNode *node)
{
    WardDomain *domain = ward_domain_node_get_domain(node);
    g_autofree char *path = ward_dbus_path_from_uuid(ward_domain_get_uuid(domain));

    return g_variant_new_dict_entry(g_variant_new_object_path(path), build_shown(self, node));
}

/* Floating: an a{sa{sv}} of all that was told. */
static GVariant *
build_shown(WardDomainTree *self, WardDomainNode *node)
{
    GVariant *shown[WARD_N_INTERFACES];
    guint n = 0;

    for (guint i = 0; i < WARD_N_INTERFACES; i++) {
        g_autoptr(GVariant) told = ward_domain_node_get_told(node, i);

        if (told)
            shown[n++] = g_variant_new_dict_entry(self->names[i], told);
    }
    return g_variant_new_array(G_VARIANT_TYPE("{sa{sv}}"), shown, n);
}

static void
update(WardDomainTree *self, WardDomainNode *node, guint interface)
{
    WardDomain *domain = ward_domain_node_get_domain(node);
    g_autoptr(GVariant) before = ward_domain_node_get_told(node, interface);
    g_autoptr(GVariant) now = describe(self, domain, interface);

    if (before == now || (before && now && g_variant_equal(before, now)))
        return;
    ward_domain_node_set_told(node, interface, now);
    if (before && now)
        tell_changed(self, domain, interface, before, now);
    else if (now)
        tell_added(self, domain, build_interface(self, interface, now));
    else
        tell_removed(self, domain, build_interface(self, interface, before));
}

static gboolean
shows(WardDomain *domain, guint interface)
{
    return interface == WARD_INTERFACE_DOMAIN || ward_domain_shows(domain, interface);
}

/* (transfer full); NULL when the domain does not show @interface. */
static GVariant *
describe(WardDomainTree *self, WardDomain *domain, guint interface)
{
    GDBusInterfaceSkeleton *template = self->templates[interface];

    if (!shows(domain, interface))
        return NULL;
    if (interface != WARD_INTERFACE_DOMAIN)
        ward_exported_update_common(template, domain, interface);
    interfaces[interface]->update(template, domain);
    return ward_live_properties_leave_out(interfaces[interface]->live,
                                          g_dbus_interface_skeleton_get_properties(template));
}

/* signals */

/* From the domain's object, or, for those of the object manager, from the manager's. */
static void
tell(WardDomainTree *self,
     WardDomain *domain,
     const char *interface,
     const char *name,
     GVariant *arguments)
{
    g_autoptr(GVariant) keep = g_variant_ref_sink(arguments);
    g_autofree char *path = NULL;

    if (!self->connection)
        return;
    path = g_str_equal(interface, OBJECT_MANAGER)
               ? g_strdup(WARD_DBUS_PATH)
               : ward_dbus_path_from_uuid(ward_domain_get_uuid(domain));
    /* It fails only when the connection is gone. */
    g_dbus_connection_emit_signal(self->connection, NULL, path, interface, name, keep, NULL);
}

static void
tell_changed(
    WardDomainTree *self, WardDomain *domain, guint interface, GVariant *before, GVariant *now)
{
    GVariantBuilder changed;
    GVariantIter iter;
    const char *property;
    GVariant *value;

    g_variant_builder_init(&changed, G_VARIANT_TYPE("a{sv}"));
    g_variant_iter_init(&iter, now);
    while (g_variant_iter_loop(&iter, "{&sv}", &property, &value)) {
        g_autoptr(GVariant) old = g_variant_lookup_value(before, property, NULL);

        if (!old || !g_variant_equal(old, value))
            g_variant_builder_add(&changed, "{sv}", property, value);
    }
    tell(self, domain, PROPERTIES, "PropertiesChanged",
         g_variant_new("(sa{sv}as)", interfaces[interface]->get_info()->name, &changed, NULL));
}

/* Takes @added, an a{sa{sv}}. */
static void
tell_added(WardDomainTree *self, WardDomain *domain, GVariant *added)
{
    g_autofree char *path = ward_dbus_path_from_uuid(ward_domain_get_uuid(domain));
    g_autoptr(GVariant) interfaces_added = g_variant_take_ref(added);

    tell(self, domain, OBJECT_MANAGER, "InterfacesAdded",
         g_variant_new("(o@a{sa{sv}})", path, interfaces_added));
}

/* Takes @removed, an a{sa{sv}}, of which the names count. */
static void
tell_removed(WardDomainTree *self, WardDomain *domain, GVariant *removed)
{
    g_autofree char *path = ward_dbus_path_from_uuid(ward_domain_get_uuid(domain));
    g_autoptr(GVariant) interfaces_removed = g_variant_take_ref(removed);
    GVariantBuilder names;
    GVariantIter iter;
    const char *name;

    g_variant_builder_init(&names, G_VARIANT_TYPE("as"));
    g_variant_iter_init(&iter, interfaces_removed);
    while (g_variant_iter_next(&iter, "{&s@a{sv}}", &name, NULL))
        g_variant_builder_add(&names, "s", name);
    tell(self, domain, OBJECT_MANAGER, "InterfacesRemoved", g_variant_new("(oas)", path, &names));
}

/* WARD_N_INTERFACES when there is no such interface. */
static guint
find_interface(const char *name)
{
    guint i;

    for (i = 0; i < WARD_N_INTERFACES; i++) {
        if (g_str_equal(interfaces[i]->get_info()->name, name))
            break;
    }
    return i;
}

/* An a{sa{sv}}, floating, of one. */
static GVariant *
build_interface(WardDomainTree *self, guint interface, GVariant *properties)
{
    GVariant *entry = g_variant_new_dict_entry(self->names[interface], properties);

    return g_variant_new_array(NULL, &entry, 1);
}
