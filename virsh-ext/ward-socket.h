/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-socket.h: the socket of introspection-attach
 *
 * Errors are WARD_ERROR_INVALID_ARGUMENT.
 */
#pragma once

#include "ward-settings.h"

G_BEGIN_DECLS

/* "unix:PATH" or "vsock:CID:PORT", what ward_socket_to_string() writes. Checks the form only:
 * ranges are the daemon's to check. Clear with ward_socket_clear(). */
gboolean ward_socket_parse(const char *text, WardSocket *socket, GError **error);
void ward_socket_clear(WardSocket *socket);

/* A protection element with introspection alone: that of @xml, which is one too or "", with
 * @socket in place of its own. WARD_ERROR_INVALID_XML when @xml is wrong. */
char *ward_socket_put(const char *xml, const WardSocket *socket, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WardSocket, ward_socket_clear)

G_END_DECLS
