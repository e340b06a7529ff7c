/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-bus.h: the daemon's place on the bus, kept up
 *
 * Connects, takes the name org.virtward, and does both again, with back-off, when the bus was
 * lost. All of it belongs to the main thread.
 *
 * Signals:
 *   "opened" (GDBusConnection): connected. What is exported in a handler of it is there before
 *       anybody can find the name.
 *   "acquired": the name is ours.
 *   "closed": the connection is lost, and the name with it.
 *   "failed" (const char *why): the name is somebody else's, or there is no bus to begin with.
 *       Nothing more will happen.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define WARD_TYPE_BUS (ward_bus_get_type())
G_DECLARE_FINAL_TYPE(WardBus, ward_bus, WARD, BUS, GObject)

WardBus *ward_bus_new(GBusType type);
void ward_bus_start(WardBus *self);

/* Gives the name back and sends what is still to be sent. No signal after it. */
void ward_bus_stop(WardBus *self);

G_END_DECLS
