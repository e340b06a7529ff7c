/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-admission.h: which starts get a trust domain key, in order of arrival
 *
 * A key is reserved for a start from its admission until it is seen to have one: then the host
 * counts it as used. Whoever finds none left is refused, or waits; who waits is served before
 * whoever comes later, of either kind, and costs neither thread nor process of the daemon's.
 *
 * Never too many: a decision is made on a count of the host that was begun after the last
 * reservation was given up for having become a used key. Some keys are then counted twice for a
 * moment, none is ever missed.
 *
 * The place of a domain that is about to be made anew (a reboot) is kept for it, before all others.
 *
 * Reservations are files in the state directory, so that a daemon that starts anew counts them
 * again; they expire. Everything belongs to the main thread, and callbacks come from it.
 */
#pragma once

#include "ward-provider.h"
#include "ward-settings.h"

G_BEGIN_DECLS

/* How long an admitted start may take to be seen with a key, or to be heard of again. */
#define WARD_ADMISSION_EXPIRY_SECONDS 120

/* How long a place is kept for a domain that may be about to be made anew. */
#define WARD_ADMISSION_KEEP_SECONDS 30

/* How long a domain whose place was kept waits for the key that it had before. */
#define WARD_ADMISSION_RETURN_SECONDS 5

typedef struct _WardAdmissions WardAdmissions;
typedef struct _WardAdmissionStart WardAdmissionStart;

typedef struct {
    /* Counts the host's keys, and answers with ward_admission_take_count(); one at a time. */
    void (*count)(gpointer user_data);
    /* The start of @uuid waits, one of @n. */
    void (*waits)(const char *uuid, guint n, gpointer user_data);
    /* Nothing was heard of the start of @uuid, or it was not made anew. */
    void (*expired)(const char *uuid, gpointer user_data);
} WardAdmissionFuncs;

/* @error: NULL, it is admitted. Not called from within ward_admission_ask(). */
typedef void (*WardAdmissionFunc)(gpointer user_data, const GError *error);

/* @state_dir may be NULL: then nothing is remembered. Reservations of before are counted. */
WardAdmissions *
ward_admission_new(const char *state_dir, const WardAdmissionFuncs *funcs, gpointer user_data);
void ward_admission_free(WardAdmissions *self);

/* The start lives until @func was called or it is cancelled. @cancellable: the caller is gone when
 * it is cancelled, see ward_admission_cancel(); may be NULL. */
WardAdmissionStart *ward_admission_ask(WardAdmissions *self,
                                       const char *uuid,
                                       const WardTrustdomainSettings *settings,
                                       WardAdmissionFunc func,
                                       gpointer user_data);
/* Its caller has gone: @func is not called. */
void ward_admission_cancel(WardAdmissions *self, WardAdmissionStart *start);

/* The answer to count(); @error when the host cannot be counted. */
void ward_admission_take_count(WardAdmissions *self,
                               const WardTrustdomainCapacity *capacity,
                               const GError *error);

/* A key may have come free. */
void ward_admission_poke(WardAdmissions *self);

/* The domain has a key: it is the host's to count now. */
void ward_admission_settle(WardAdmissions *self, const char *uuid);
/* The domain had a key and may be about to be made anew. */
void ward_admission_keep(WardAdmissions *self, const char *uuid);
/* The start came to nothing, or the domain is not made anew. */
void ward_admission_drop(WardAdmissions *self, const char *uuid);

gboolean ward_admission_has(WardAdmissions *self, const char *uuid);   /* a reservation */
gboolean ward_admission_keeps(WardAdmissions *self, const char *uuid); /* one by keep */
/* One of before this daemon's time, of which libvirt may not tell yet. */
gboolean ward_admission_is_inherited(WardAdmissions *self, const char *uuid);
/* One that has expired, and libvirt was to be asked about. */
gboolean ward_admission_is_overdue(WardAdmissions *self, const char *uuid);
guint ward_admission_get_reserved(WardAdmissions *self);
guint ward_admission_get_waiting(WardAdmissions *self);

/* The daemon's own numbers, for somebody to read. A key is counted twice from when it is used until
 * that is seen: once is enough to show, so that the parts are never more than the whole. */
void ward_admission_fill(WardAdmissions *self, WardTrustdomainCapacity *capacity);

G_END_DECLS
