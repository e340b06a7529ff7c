/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-admission.h"

#include "ward-error.h"
#include "ward-marker.h"

/* While somebody waits: trust domains that are none of libvirt's come and go without a word. */
#define RECOUNT_SECONDS 1

/* A key that is reserved. */
typedef struct {
    WardAdmissions *admission;
    char *uuid;
    gboolean held;      /* used by now; counts until a count of the host has begun */
    gboolean kept;      /* for a domain that may be about to be made anew */
    gboolean inherited; /* from before this daemon */
    guint expiry;       /* source; 0: expired */
} Place;

struct _WardAdmissionStart {
    WardAdmissions *admission;
    char *uuid;
    WardAdmissionFunc func;
    gpointer user_data;
    gboolean waits;   /* may, at most limit seconds */
    gboolean returns; /* a place was kept for it */
    gboolean counted; /* it was there when the count began */
    guint limit;
    guint timer;   /* source: the end of the wait; 0: it does not wait yet */
    GError *error; /* the decision, while it is told */
};

struct _WardAdmissions {
    WardAdmissionFuncs funcs;
    gpointer user_data;
    char *state_dir;
    GHashTable *places; /* UUID, the place's own string, to Place */
    GQueue starts;      /* in their order; each a WardAdmissionStart */
    gboolean counting;
    gboolean again;                   /* another count, when the running one ends */
    guint recount;                    /* source */
    WardTrustdomainCapacity capacity; /* as last counted */
};

/* places */

static void
place_free(gpointer data)
{
    Place *place = data;

    g_clear_handle_id(&place->expiry, g_source_remove);
    g_free(place->uuid);
    g_free(place);
}

static void
set_marker(WardAdmissions *self, const char *uuid, gboolean value)
{
    if (self->state_dir)
        ward_marker_set(self->state_dir, uuid, WARD_MARKER_ADMITTED, value);
}

/* A number in the file: so many seconds is it kept for a domain that may be made anew. */
static void
set_marker_kept(WardAdmissions *self, const char *uuid)
{
    if (self->state_dir)
        ward_marker_set_number(self->state_dir, uuid, WARD_MARKER_ADMITTED,
                               WARD_ADMISSION_KEEP_SECONDS);
}

static gboolean
on_expired(gpointer data)
{
    Place *place = data;
    WardAdmissions *self = place->admission;
    g_autofree char *uuid = g_strdup(place->uuid);

    place->expiry = 0;
    place->inherited = FALSE;
    if (place->kept)
        ward_admission_drop(self, uuid);
    self->funcs.expired(uuid, self->user_data);
    return G_SOURCE_REMOVE;
}

static void
place_expect(Place *place, guint seconds)
{
    g_clear_handle_id(&place->expiry, g_source_remove);
    place->expiry = g_timeout_add_seconds(seconds, on_expired, place);
}

static Place *
get_place(WardAdmissions *self, const char *uuid)
{
    Place *place = g_hash_table_lookup(self->places, uuid);

    return place && !place->held ? place : NULL;
}

/* The one that there is, or a new one. */
static Place *
take_place(WardAdmissions *self, const char *uuid)
{
    Place *place = g_hash_table_lookup(self->places, uuid);

    if (!place) {
        place = g_new0(Place, 1);
        place->admission = self;
        place->uuid = g_strdup(uuid);
        g_hash_table_insert(self->places, place->uuid, place);
    }
    place->held = place->kept = place->inherited = FALSE;
    return place;
}

static gboolean
is_held(gpointer uuid, gpointer place, gpointer unused)
{
    return ((Place *)place)->held;
}

guint
ward_admission_get_reserved(WardAdmissions *self)
{
    GHashTableIter iter;
    gpointer place;
    guint n = 0;

    g_hash_table_iter_init(&iter, self->places);
    while (g_hash_table_iter_next(&iter, NULL, &place))
        n += !((Place *)place)->held;
    return n;
}

gboolean
ward_admission_has(WardAdmissions *self, const char *uuid)
{
    return get_place(self, uuid) != NULL;
}

gboolean
ward_admission_keeps(WardAdmissions *self, const char *uuid)
{
    Place *place = get_place(self, uuid);

    return place && place->kept;
}

gboolean
ward_admission_is_overdue(WardAdmissions *self, const char *uuid)
{
    Place *place = get_place(self, uuid);

    return place && !place->expiry;
}

gboolean
ward_admission_is_inherited(WardAdmissions *self, const char *uuid)
{
    Place *place = get_place(self, uuid);

    return place && place->inherited;
}

/* starts */

static void
start_free(WardAdmissionStart *start)
{
    g_clear_handle_id(&start->timer, g_source_remove);
    g_clear_error(&start->error);
    g_free(start->uuid);
    g_free(start);
}

/* It is not in the queue any more. Takes the start. */
static void
start_end(WardAdmissionStart *start)
{
    start->func(start->user_data, start->error);
    start_free(start);
}

guint
ward_admission_get_waiting(WardAdmissions *self)
{
    guint n = 0;

    for (GList *l = self->starts.head; l; l = l->next)
        n += ((WardAdmissionStart *)l->data)->timer != 0;
    return n;
}

void
ward_admission_fill(WardAdmissions *self, WardTrustdomainCapacity *capacity)
{
    guint64 left = capacity->total - MIN(capacity->total, capacity->used);

    left -= MIN(left, capacity->leaked);
    capacity->reserved = MIN(left, ward_admission_get_reserved(self));
    capacity->waiting = ward_admission_get_waiting(self);
}

/* What a user needs to see why, and what helps. */
static char *
describe(WardAdmissions *self)
{
    WardTrustdomainCapacity host = self->capacity;
    GString *text = g_string_new(NULL);

    ward_admission_fill(self, &host);
    g_string_append_printf(text, "of %" G_GUINT64_FORMAT " keys %" G_GUINT64_FORMAT " are in use",
                           host.total, host.used);
    if (host.reserved)
        g_string_append_printf(text, ", %u reserved for starts under way", host.reserved);
    if (host.leaked)
        g_string_append_printf(text, ", %" G_GUINT64_FORMAT " leaked until the host reboots",
                               host.leaked);
    if (host.waiting)
        g_string_append_printf(text, ", and %u start%s for one", host.waiting,
                               host.waiting == 1 ? " waits" : "s wait");
    return g_string_free(text, FALSE);
}

static GError *
make_refusal(WardAdmissions *self)
{
    g_autofree char *numbers = describe(self);

    return g_error_new(WARD_ERROR, WARD_ERROR_NO_CAPACITY,
                       "trustdomain: no key is free: %s; stop a trust domain, or let the start "
                       "wait with admission='wait'",
                       numbers);
}

static gboolean
on_limit(gpointer data)
{
    WardAdmissionStart *start = data;
    WardAdmissions *self = start->admission;
    g_autofree char *numbers = NULL;

    start->timer = 0;
    g_queue_remove(&self->starts, start);
    numbers = describe(self);
    start->error = g_error_new(WARD_ERROR, WARD_ERROR_NO_CAPACITY,
                               "trustdomain: no key came free within %u s%s: %s; stop a trust "
                               "domain, or start it later",
                               start->limit, start->waits ? " (admission='wait')" : "", numbers);
    if (start->returns)
        ward_admission_drop(self, start->uuid);
    start_end(start);
    return G_SOURCE_REMOVE;
}

/* decisions */

static void
begin_count(WardAdmissions *self)
{
    g_hash_table_foreach_remove(self->places, is_held, NULL);
    for (GList *l = self->starts.head; l; l = l->next)
        ((WardAdmissionStart *)l->data)->counted = TRUE;
    self->counting = TRUE;
    self->again = FALSE;
    self->funcs.count(self->user_data);
}

void
ward_admission_poke(WardAdmissions *self)
{
    if (g_queue_is_empty(&self->starts))
        return;
    if (self->counting)
        self->again = TRUE;
    else
        begin_count(self);
}

static gboolean
on_recount(gpointer data)
{
    WardAdmissions *self = data;

    self->recount = 0;
    ward_admission_poke(self);
    return G_SOURCE_REMOVE;
}

/* How many keys are left over; those of all places are not. */
static guint64
count_free(WardAdmissions *self, gboolean *overcommitted)
{
    const WardTrustdomainCapacity *host = &self->capacity;
    guint64 left = host->total;
    const guint64 parts[] = {host->used, host->leaked, g_hash_table_size(self->places)};

    *overcommitted = FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
        *overcommitted |= parts[i] > left;
        left -= MIN(left, parts[i]);
    }
    return left;
}

/* Whether it is decided: admitted, or refused with start->error. */
static gboolean
decide(WardAdmissions *self, WardAdmissionStart *start)
{
    gboolean overcommitted;
    guint64 left = count_free(self, &overcommitted);

    /* With a place it needs no other key; but the one that it had must be back. */
    if (get_place(self, start->uuid) ? !overcommitted : left > 0) {
        place_expect(take_place(self, start->uuid), WARD_ADMISSION_EXPIRY_SECONDS);
        set_marker(self, start->uuid, TRUE);
        return TRUE;
    }
    if (!start->waits && !start->returns) {
        start->error = make_refusal(self);
        return TRUE;
    }
    if (!start->timer) {
        start->timer = g_timeout_add_seconds(start->limit, on_limit, start);
        self->funcs.waits(start->uuid, ward_admission_get_waiting(self), self->user_data);
    }
    return FALSE;
}

/* Those of the queue that are decided now, in their order; @error: none can be. */
static GList *
decide_all(WardAdmissions *self, const GError *error)
{
    GList *decided = NULL;
    GList *next;

    for (GList *l = self->starts.head; l; l = next) {
        WardAdmissionStart *start = l->data;

        next = l->next;
        if (!start->counted)
            continue;
        if (error)
            start->error = g_error_copy(error);
        else if (!decide(self, start))
            continue;
        g_queue_delete_link(&self->starts, l);
        decided = g_list_prepend(decided, start);
    }
    return g_list_reverse(decided);
}

void
ward_admission_take_count(WardAdmissions *self,
                          const WardTrustdomainCapacity *capacity,
                          const GError *error)
{
    g_autoptr(GList) decided = NULL;

    self->counting = FALSE;
    if (!error)
        self->capacity = *capacity;
    decided = decide_all(self, error);
    for (GList *l = self->starts.head; l; l = l->next)
        self->again |= !((WardAdmissionStart *)l->data)->counted;
    for (GList *l = decided; l; l = l->next)
        start_end(l->data);
    if (self->again && !self->counting)
        ward_admission_poke(self);
    if (!g_queue_is_empty(&self->starts) && !self->recount)
        self->recount = g_timeout_add_seconds(RECOUNT_SECONDS, on_recount, self);
}

WardAdmissionStart *
ward_admission_ask(WardAdmissions *self,
                   const char *uuid,
                   const WardTrustdomainSettings *settings,
                   WardAdmissionFunc func,
                   gpointer user_data)
{
    WardAdmissionStart *start = g_new0(WardAdmissionStart, 1);
    Place *place = get_place(self, uuid);

    start->admission = self;
    start->uuid = g_strdup(uuid);
    start->func = func;
    start->user_data = user_data;
    start->waits = settings->admission == WARD_ADMISSION_WAIT;
    start->returns = place != NULL;
    start->limit = start->waits ? settings->timeout : WARD_ADMISSION_RETURN_SECONDS;
    if (place) {
        /* It must not expire under the start that came for it. */
        place->kept = place->inherited = FALSE;
        place_expect(place, MAX(start->limit * 2, WARD_ADMISSION_EXPIRY_SECONDS));
    }
    g_queue_push_tail(&self->starts, start);
    ward_admission_poke(self);
    return start;
}

void
ward_admission_cancel(WardAdmissions *self, WardAdmissionStart *start)
{
    g_queue_remove(&self->starts, start);
    if (start->returns)
        ward_admission_drop(self, start->uuid);
    start_free(start);
}

void
ward_admission_settle(WardAdmissions *self, const char *uuid)
{
    Place *place = get_place(self, uuid);

    if (!place)
        return;
    set_marker(self, uuid, FALSE);
    g_clear_handle_id(&place->expiry, g_source_remove);
    place->held = TRUE;
    if (!self->counting)
        g_hash_table_remove(self->places, uuid);
    ward_admission_poke(self);
}

void
ward_admission_keep(WardAdmissions *self, const char *uuid)
{
    Place *place = take_place(self, uuid);

    place->kept = TRUE;
    set_marker_kept(self, uuid);
    place_expect(place, WARD_ADMISSION_KEEP_SECONDS);
}

void
ward_admission_drop(WardAdmissions *self, const char *uuid)
{
    if (!get_place(self, uuid))
        return;
    set_marker(self, uuid, FALSE);
    g_hash_table_remove(self->places, uuid);
    ward_admission_poke(self);
}

static void
inherit_one(WardAdmissions *self, const char *uuid)
{
    guint age = ward_marker_get_age(self->state_dir, uuid, WARD_MARKER_ADMITTED);
    guint64 kept = ward_marker_get_number(self->state_dir, uuid, WARD_MARKER_ADMITTED);
    guint limit = kept ? WARD_ADMISSION_KEEP_SECONDS : WARD_ADMISSION_EXPIRY_SECONDS;
    Place *place;

    if (age >= limit) {
        set_marker(self, uuid, FALSE);
        return;
    }
    place = take_place(self, uuid);
    place->inherited = !kept;
    place->kept = kept != 0;
    place_expect(place, limit - age);
}

/* What a daemon before this one has admitted. */
static void
inherit(WardAdmissions *self)
{
    g_autoptr(GPtrArray) uuids = ward_marker_list(self->state_dir, WARD_MARKER_ADMITTED);

    for (guint i = 0; i < uuids->len; i++)
        inherit_one(self, uuids->pdata[i]);
}

WardAdmissions *
ward_admission_new(const char *state_dir, const WardAdmissionFuncs *funcs, gpointer user_data)
{
    WardAdmissions *self = g_new0(WardAdmissions, 1);

    self->funcs = *funcs;
    self->user_data = user_data;
    self->state_dir = g_strdup(state_dir);
    self->places = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, place_free);
    g_queue_init(&self->starts);
    if (state_dir)
        inherit(self);
    return self;
}

void
ward_admission_free(WardAdmissions *self)
{
    g_clear_handle_id(&self->recount, g_source_remove);
    g_queue_clear_full(&self->starts, (GDestroyNotify)start_free);
    g_hash_table_unref(self->places);
    g_free(self->state_dir);
    g_free(self);
}
