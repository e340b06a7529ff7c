/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-dbus-error.h: WARD_ERROR on the bus, org.virtward.Error.<Name>
 *
 * Used by the daemon and by its clients. All functions may be called from any thread.
 */
#pragma once

#include <gio/gio.h>

#include "ward-error.h"

G_BEGIN_DECLS

/* Teaches GDBus the names of all codes, in both directions: replies that the daemon makes of a
 * WARD_ERROR, and the errors that a client's calls return. Call it once before the first message;
 * again does no harm. */
void ward_dbus_error_register(void);

/* "org.virtward.Error.NotFound" and so on; static. */
const char *ward_dbus_error_get_name(WardError code);

/* Ends @invocation with @error, whatever its domain: what is not a WARD_ERROR becomes the nearest
 * one. Takes the reference to @invocation, as all g_dbus_method_invocation_return_ functions do,
 * but not @error. */
void ward_dbus_return_error(GDBusMethodInvocation *invocation, const GError *error);

G_END_DECLS
