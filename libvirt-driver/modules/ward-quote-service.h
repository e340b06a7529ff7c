/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-quote-service.h: the service that signs what a trust domain measures (quotes)
 *
 * QEMU connects to it when the guest asks for a quote, and a guest that cannot get one fails late
 * and without a word on the host: so it is looked for before the start.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether somebody listens at the unix socket @path. Blocks, for a second at the most. WARD_ERROR
 * INVALID_ARGUMENT for what cannot be such a path, NOT_FOUND, TIMED_OUT, FAILED. */
gboolean ward_quote_service_check(const char *path, GError **error);

G_END_DECLS
