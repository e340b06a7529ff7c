/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * introspector.h: the connection to an introspection tool, up to the end of the handshake
 *
 * The tool listens and we connect. We say which guest it is (96 bytes), the tool answers with
 * the SHA-1 of the shared secret (24 bytes); both sides begin with the size of what they send, and
 * accept more than they know. The layout is libkvmi's.
 */
#pragma once

#include "ward-provider.h"

G_BEGIN_DECLS

/* A connected socket past the handshake, for the caller to close, or -1. With @secret the tool
 * must prove that it knows it; without, any answer is good. Blocks at most
 * @timeout_ms. */
int ward_introspector_connect(const WardSocket *address,
                              const WardTarget *target,
                              GBytes *secret,
                              guint timeout_ms,
                              GError **error);

G_END_DECLS
