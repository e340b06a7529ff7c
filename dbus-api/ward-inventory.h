/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-inventory.h: GetManagedObjects
 *
 * Answers for GDBusObjectManagerServer, which knows nothing of the tree of domains. The tree has
 * the bytes of each domain's entry, and so the answer is put together anew for every call.
 *
 * All of it belongs to the main thread.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define WARD_TYPE_INVENTORY (ward_inventory_get_type())
G_DECLARE_FINAL_TYPE(WardInventory, ward_inventory, WARD, INVENTORY, GObject)

WardInventory *ward_inventory_new(void);

/* Adds an entry, {oa{sa{sv}}}, for each object. */
typedef void (*WardInventorySource)(GVariantBuilder *objects, gpointer user_data);

/* Where the objects are; NULL when there are none any more. */
void ward_inventory_set_source(WardInventory *self, WardInventorySource source, gpointer user_data);

/* Answers on @connection until ward_inventory_remove_from() with the id that is returned. */
guint ward_inventory_add_to(WardInventory *self, GDBusConnection *connection);
void ward_inventory_remove_from(GDBusConnection *connection, guint id);

/* Calls are kept unanswered, however long, until this says that all is known. */
void ward_inventory_set_complete(WardInventory *self);

G_END_DECLS
