/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-exporter.h: the manager's objects on the bus
 *
 * Keeps an object for the host and for every domain and job of the manager, whether there is a
 * connection or not. All of it belongs to the main thread.
 */
#pragma once

#include "ward-manager.h"

G_BEGIN_DECLS

#define WARD_TYPE_EXPORTER (ward_exporter_get_type())
G_DECLARE_FINAL_TYPE(WardExporter, ward_exporter, WARD, EXPORTER, GObject)

/* @bus decides who may call: see ward-authorizer.h. */
WardExporter *ward_exporter_new(WardManager *manager, GBusType bus);

/* Shows all objects on @connection, in place of any other; NULL: on none. */
void ward_exporter_set_connection(WardExporter *self, GDBusConnection *connection);

G_END_DECLS
