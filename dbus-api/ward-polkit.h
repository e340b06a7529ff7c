/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-polkit.h: one question to polkit
 *
 * By its D-Bus interface, on the connection that the question came from: libpolkit would keep a
 * connection of its own, which has to be made again when the bus has gone and come back.
 * Main thread only.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/*
 * May @sender, a unique name on @bus, do @action? The domain is what the question is about, for
 * rules and for the text of a password prompt; both may be NULL. @interactive: somebody may be
 * asked for a password. Cancelling takes the question back.
 *
 * _finish() returns FALSE with WARD_ERROR_ACCESS_DENIED when polkit says no, or does not answer.
 */
void ward_polkit_check_async(GDBusConnection *bus,
                             const char *sender,
                             const char *action,
                             const char *domain_name,
                             const char *domain_uuid,
                             gboolean interactive,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
gboolean ward_polkit_check_finish(GAsyncResult *result, GError **error);

G_END_DECLS
