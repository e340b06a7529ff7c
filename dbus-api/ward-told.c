/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-told.h"

/* In an atomic box of GLib's, which counts those who need the bytes, in any thread. */
struct _WardTold {
    guint32 size;
    guint32 domains; /* that were told this */
    guint64 bytes[]; /* as the type is aligned */
};

static GHashTable *tolds; /* a set of all */

static guint
told_hash(gconstpointer key)
{
    const WardTold *self = key;
    g_autoptr(GBytes) bytes = g_bytes_new_static(self->bytes, self->size);

    return g_bytes_hash(bytes);
}

static gboolean
told_equal(gconstpointer one, gconstpointer other)
{
    const WardTold *a = one, *b = other;

    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* Takes @self; returns the one that says the same. */
static WardTold *
share(WardTold *self)
{
    WardTold *known;

    if (!tolds)
        tolds = g_hash_table_new(told_hash, told_equal);
    known = g_hash_table_lookup(tolds, self);
    if (known) {
        g_atomic_rc_box_release(self);
        self = known;
    } else {
        g_hash_table_add(tolds, self);
    }
    self->domains++;
    return self;
}

WardTold *
ward_told_new(GVariant *properties)
{
    gsize size = g_variant_get_size(properties);
    WardTold *self = g_atomic_rc_box_alloc(sizeof *self + size);

    self->size = size;
    self->domains = 0;
    g_variant_store(properties, self->bytes);
    return share(self);
}

void
ward_told_free(WardTold *self)
{
    if (--self->domains > 0)
        return;
    g_hash_table_remove(tolds, self);
    g_atomic_rc_box_release(self);
}

GVariant *
ward_told_get(WardTold *self)
{
    if (!self)
        return NULL;
    return g_variant_ref_sink(g_variant_new_from_data(G_VARIANT_TYPE_VARDICT, self->bytes,
                                                      self->size, TRUE, g_atomic_rc_box_release,
                                                      g_atomic_rc_box_acquire(self)));
}
