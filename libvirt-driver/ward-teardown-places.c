/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-teardown-places.c: how many domains of the host may have a teardown at once
 *
 * A domain has a place while its teardown runs, or while the daemon is about to begin one. QEMU
 * asks nobody before it begins, so while all places are taken the domains without one are switched
 * to synchronous teardown. Guests that reboot at the same moment may still be more than the limit.
 */
#include "ward-manager-private.h"

void
ward_manager_set_max_teardowns(WardManager *self, guint max)
{
    self->max_teardowns = max;
}

void
ward_manager_set_teardown_weight(WardManager *self, guint weight)
{
    self->teardown_weight = weight;
}

gboolean
ward_teardown_places_are_taken(WardManager *self)
{
    return self->max_teardowns && self->teardown_places >= self->max_teardowns;
}

gboolean
ward_teardown_places_has_free(WardManager *self)
{
    return self->ready && !ward_teardown_places_are_taken(self);
}

/* All who want a teardown are brought to what holds from now on. */
static void
sync_all(WardManager *self)
{
    GHashTableIter iter;
    gpointer domain;

    g_hash_table_iter_init(&iter, self->domains);
    while (g_hash_table_iter_next(&iter, NULL, &domain)) {
        if (ward_domain_is_active(domain) && ward_domain_get_wanted(domain)->teardown)
            ward_sync(self, domain, WARD_SYNC_HOST, NULL);
    }
}

void
ward_teardown_places_set(WardManager *self, WardDomain *domain, gboolean has_place)
{
    gboolean taken = ward_teardown_places_are_taken(self);

    if (domain->teardown_place == has_place)
        return;
    domain->teardown_place = has_place;
    self->teardown_places += has_place ? 1 : -1;
    if (taken != ward_teardown_places_are_taken(self) &&
        !g_cancellable_is_cancelled(self->cancellable))
        sync_all(self);
}

void
ward_teardown_places_open(WardManager *self)
{
    if (self->max_teardowns && !g_cancellable_is_cancelled(self->cancellable))
        sync_all(self);
}
