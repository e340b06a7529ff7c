/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-exporter.h"

#include "ward-dbus-names.h"
#include "ward-dbus-path.h"
#include "ward-domain-tree.h"
#include "ward-exported-host.h"
#include "ward-exported-job.h"
#include "ward-inventory.h"

struct _WardExporter {
    GObject parent;

    WardExportContext *context;
    GDBusObjectManagerServer *objects; /* the host and the jobs */
    WardDomainTree *domains;
    GDBusConnection *connection;
    WardInventory *inventory;
    guint inventory_filter;
};

/* callbacks */
static void on_domain_added(WardManager *manager, WardDomain *domain, gpointer user_data);
static void on_domain_removed(WardManager *manager, WardDomain *domain, gpointer user_data);
static void on_job_added(WardManager *manager, WardJob *job, gpointer user_data);
static void on_job_removed(WardManager *manager, WardJob *job, gpointer user_data);
/* helpers */
static void export_object(WardExporter *self, GDBusObjectSkeleton *object);
static void describe(GVariantBuilder *objects, gpointer user_data);
static void describe_object(GVariantBuilder *objects, GDBusObject *object);

G_DEFINE_FINAL_TYPE(WardExporter, ward_exporter, G_TYPE_OBJECT)

static void
ward_exporter_dispose(GObject *object)
{
    WardExporter *self = WARD_EXPORTER(object);

    if (self->inventory) {
        ward_exporter_set_connection(self, NULL);
        ward_inventory_set_source(self->inventory, NULL, NULL);
    }
    g_clear_object(&self->inventory);
    g_clear_object(&self->domains);
    g_clear_object(&self->objects);
    g_clear_pointer(&self->context, ward_export_context_unref);
    G_OBJECT_CLASS(ward_exporter_parent_class)->dispose(object);
}

static void
ward_exporter_class_init(WardExporterClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = ward_exporter_dispose;
}

static void
ward_exporter_init(WardExporter *self)
{
}

WardExporter *
ward_exporter_new(WardManager *manager, GBusType bus)
{
    WardExporter *self = g_object_new(WARD_TYPE_EXPORTER, NULL);
    g_autoptr(WardAuthorizer) authorizer = ward_authorizer_new(bus);
    g_autoptr(GDBusObjectSkeleton) host = NULL;
    g_autoptr(GList) domains = ward_manager_get_domains(manager);
    g_autoptr(GList) jobs = ward_manager_get_jobs(manager);

    self->context = ward_export_context_new(manager, authorizer);
    self->inventory = ward_inventory_new();
    self->objects = g_dbus_object_manager_server_new(WARD_DBUS_PATH);
    self->domains = ward_domain_tree_new(self->context);
    ward_inventory_set_source(self->inventory, describe, self);
    if (ward_manager_is_ready(manager))
        ward_inventory_set_complete(self->inventory);
    else
        g_signal_connect_object(manager, "ready", G_CALLBACK(ward_inventory_set_complete),
                                self->inventory, G_CONNECT_SWAPPED);
    g_signal_connect_object(manager, "domain-added", G_CALLBACK(on_domain_added), self, 0);
    g_signal_connect_object(manager, "domain-removed", G_CALLBACK(on_domain_removed), self, 0);
    g_signal_connect_object(manager, "job-added", G_CALLBACK(on_job_added), self, 0);
    g_signal_connect_object(manager, "job-removed", G_CALLBACK(on_job_removed), self, 0);

    host = ward_exported_host_new(self->context);
    export_object(self, host);
    for (GList *i = domains; i; i = i->next)
        on_domain_added(manager, i->data, self);
    for (GList *i = jobs; i; i = i->next)
        on_job_added(manager, i->data, self);
    return self;
}

void
ward_exporter_set_connection(WardExporter *self, GDBusConnection *connection)
{
    if (self->connection)
        ward_inventory_remove_from(self->connection, self->inventory_filter);
    g_set_object(&self->connection, connection);
    if (connection)
        self->inventory_filter = ward_inventory_add_to(self->inventory, connection);
    g_dbus_object_manager_server_set_connection(self->objects, connection);
    ward_domain_tree_set_connection(self->domains, connection);
}

static void
on_domain_added(WardManager *manager, WardDomain *domain, gpointer user_data)
{
    WardExporter *self = user_data;

    ward_domain_tree_add(self->domains, domain);
}

static void
on_domain_removed(WardManager *manager, WardDomain *domain, gpointer user_data)
{
    WardExporter *self = user_data;

    ward_domain_tree_remove(self->domains, domain);
}

static void
on_job_added(WardManager *manager, WardJob *job, gpointer user_data)
{
    WardExporter *self = user_data;
    g_autoptr(GDBusObjectSkeleton) exported = ward_exported_job_new(self->context, job);

    export_object(self, exported);
}

static void
on_job_removed(WardManager *manager, WardJob *job, gpointer user_data)
{
    WardExporter *self = user_data;
    g_autofree char *path = ward_dbus_path_from_job_id(ward_job_get_id(job));

    g_dbus_object_manager_server_unexport(self->objects, path);
}

static void
export_object(WardExporter *self, GDBusObjectSkeleton *object)
{
    g_dbus_object_manager_server_export(self->objects, object);
}

static void
describe(GVariantBuilder *objects, gpointer user_data)
{
    WardExporter *self = user_data;
    GList *list = g_dbus_object_manager_get_objects(G_DBUS_OBJECT_MANAGER(self->objects));

    for (GList *i = list; i; i = i->next)
        describe_object(objects, i->data);
    g_list_free_full(list, g_object_unref);
    ward_domain_tree_describe(self->domains, objects);
}

static void
describe_object(GVariantBuilder *objects, GDBusObject *object)
{
    GVariantBuilder interfaces;
    GList *list = g_dbus_object_get_interfaces(object);

    g_variant_builder_init(&interfaces, G_VARIANT_TYPE("a{sa{sv}}"));
    for (GList *i = list; i; i = i->next) {
        g_autoptr(GVariant) properties = g_dbus_interface_skeleton_get_properties(i->data);
        const char *name = g_dbus_interface_get_info(i->data)->name;

        g_variant_builder_add(&interfaces, "{s@a{sv}}", name, properties);
    }
    g_list_free_full(list, g_object_unref);
    g_variant_builder_add(objects, "{oa{sa{sv}}}", g_dbus_object_get_object_path(object),
                          &interfaces);
}
