/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-live-properties.h: properties that change all the time, and are read when somebody asks
 *
 * A counter of the kernel's would have the daemon look at it again and again, and every client told
 * of each new value. It is read for Get and GetAll instead, and is in no PropertiesChanged,
 * InterfacesAdded or GetManagedObjects: its annotation EmitsChangedSignal says "false".
 *
 * All of it belongs to the main thread.
 */
#pragma once

#include "protections/ward-exported-interface.h"

G_BEGIN_DECLS

/* @properties, an a{sv}, without those called @names, which may be NULL. (transfer full) in and
 * out. */
GVariant *ward_live_properties_leave_out(const char *const *names, GVariant *properties);

/* Answers a call of org.freedesktop.DBus.Properties on an @interface that has some; @told are its
 * other properties. (transfer full) for @invocation. */
void ward_live_properties_answer(const WardExportedInterface *interface,
                                 WardManager *manager,
                                 WardDomain *domain,
                                 GVariant *told,
                                 GDBusMethodInvocation *invocation);

G_END_DECLS
