/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-client.h: virsh-ward's side of the D-Bus API
 *
 * Calls are plain ones on the connection rather than generated proxies: a call here needs no limit
 * in time (a teardown may take minutes) and lets polkit ask for a password, neither of which the
 * generated functions can pass on.
 *
 * Errors that the daemon replies with are WARD_ERROR with the daemon's message; others say what is
 * the matter with the daemon or the bus, and what to do.
 * Everything belongs to the main thread.
 */
#pragma once

#include <gio/gio.h>

#include "ward-dbus-names.h"
#include "ward-protection.h"

G_BEGIN_DECLS

typedef struct {
    GDBusConnection *connection;
    GBusType bus;
    GVariant *host; /* a{sv}: the properties of Host1, as of ward_client_refresh() */
} WardClient;

/* Connects to the bus, not yet to the daemon. */
WardClient *ward_client_new(GBusType bus, GError **error);
void ward_client_free(WardClient *self);

/* Reads the host's properties, which starts the daemon when the bus can, and returns when it knows
 * its domains. @uri: what the user asked for, or NULL; fails when the daemon watches another one.
 */
gboolean ward_client_refresh(WardClient *self, const char *uri, GError **error);

/* "system" or "session". */
const char *ward_client_bus_name(const WardClient *self);

/* Takes a floating @arguments, which may be NULL. @reply_type may be NULL for "()". Without limit
 * in time. */
GVariant *ward_client_call(WardClient *self,
                           const char *path,
                           const char *interface,
                           const char *method,
                           GVariant *arguments,
                           const char *reply_type,
                           GError **error);

/* Puts in the place of an error that GDBus returned what it means to the user. */
void ward_client_explain(const WardClient *self, GError **error);

/* a{sv} */
GVariant *ward_client_get_properties(WardClient *self,
                                     const char *path,
                                     const char *interface,
                                     GError **error);

/* a{oa{sa{sv}}}: everything there is, of one moment. */
GVariant *ward_client_get_objects(WardClient *self, GError **error);

/* Name of the domain whose object is @path, from the daemon; its UUID when the daemon has no such
 * object (any more). */
char *ward_client_get_domain_name(WardClient *self, const char *path);

/* Values of an a{sv}, which may be NULL; "" , FALSE, 0 and the empty array when there is none of
 * that name and type. Strings are borrowed from @properties, arrays belong to the caller. */
const char *ward_properties_string(GVariant *properties, const char *name);
gboolean ward_properties_boolean(GVariant *properties, const char *name);
guint64 ward_properties_number(GVariant *properties, const char *name); /* types t and u */
GStrv ward_properties_names(GVariant *properties, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardClient, ward_client_free)

G_END_DECLS
