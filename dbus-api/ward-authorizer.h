/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-authorizer.h: may this caller call this method?
 *
 * - A method with no rule is denied, to everybody.
 * - uid 0 and the daemon's own uid are allowed: polkit would never refuse root, and whoever has our
 *   uid can do all that we can.
 * - libvirt's hook is for these two only.
 * - Anybody else: on the system bus as polkit says for the rule's action, and denied when polkit
 *   does not answer; on a session bus denied, for such a bus is its owner's alone.
 *
 * All of it belongs to the main thread.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define WARD_TYPE_AUTHORIZER (ward_authorizer_get_type())
G_DECLARE_FINAL_TYPE(WardAuthorizer, ward_authorizer, WARD, AUTHORIZER, GObject)

WardAuthorizer *ward_authorizer_new(GBusType bus);

/* The polkit action of a method, or NULL when it has no rule. Static. */
const char *ward_authorizer_get_action(const char *interface, const char *method);

/* The domain that @invocation is about, if any. The question is dropped when the caller leaves the
 * bus. _finish() returns FALSE with WARD_ERROR_ACCESS_DENIED, or WARD_ERROR_CANCELLED. */
void ward_authorizer_check_async(WardAuthorizer *self,
                                 GDBusMethodInvocation *invocation,
                                 const char *domain_name,
                                 const char *domain_uuid,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);
gboolean ward_authorizer_check_finish(WardAuthorizer *self, GAsyncResult *result, GError **error);

G_END_DECLS
