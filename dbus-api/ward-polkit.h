/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-polkit.h: one question to polkit
 *
 * The library's connection to the bus is its own; when the bus goes away it is dropped, and made
 * again with the next question. All of it belongs to the main thread.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define WARD_TYPE_POLKIT (ward_polkit_get_type())
G_DECLARE_FINAL_TYPE(WardPolkit, ward_polkit, WARD, POLKIT, GObject)

WardPolkit *ward_polkit_new(void);

/*
 * May @sender, a unique name on the system bus, do @action? The domain is what the question is
 * about, for rules and for the text of a password prompt; both may be NULL. @interactive: somebody
 * may be asked for a password. Cancelling takes the question back.
 *
 * _finish() returns FALSE with WARD_ERROR_ACCESS_DENIED when polkit says no, or does not answer.
 */
void ward_polkit_check_async(WardPolkit *self,
                             const char *sender,
                             const char *action,
                             const char *domain_name,
                             const char *domain_uuid,
                             gboolean interactive,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);
gboolean ward_polkit_check_finish(WardPolkit *self, GAsyncResult *result, GError **error);

G_END_DECLS
