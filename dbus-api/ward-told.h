/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-told.h: what the bus was last told of an interface of a domain, in as few bytes as that
 * takes
 *
 * Its properties, an a{sv}, serialised: a GVariant that holds them takes a hundred bytes more, and
 * a tree of GVariants ten times as much. Never changed after it was made. Domains have most in
 * common, so there is one for all that say the same.
 *
 * To be used in the main thread; what ward_told_get() returns can go to others.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _WardTold WardTold;

/* Does not take @properties. */
WardTold *ward_told_new(GVariant *properties);
void ward_told_free(WardTold *self);

/* (transfer full): not a copy, it keeps the bytes. NULL for NULL. */
GVariant *ward_told_get(WardTold *self);

G_END_DECLS
