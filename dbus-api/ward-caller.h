/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-caller.h: who made a D-Bus call, and whether it still waits for the answer
 *
 * All of it belongs to the main thread.
 */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* The uid that the bus vouches for. */
void ward_caller_get_uid_async(GDBusMethodInvocation *invocation,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);
gboolean ward_caller_get_uid_finish(GAsyncResult *result, uid_t *uid, GError **error);

/* Cancelled when the caller leaves the bus. Borrowed: it lives as long as @invocation, and so does
 * the watch on the bus, so only calls that can take long should ask for it. */
GCancellable *ward_caller_get_cancellable(GDBusMethodInvocation *invocation);

G_END_DECLS
