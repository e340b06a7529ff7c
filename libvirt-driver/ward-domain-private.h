/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-domain-private.h: the side of a domain that only the core sees
 */
#pragma once

#include "ward-domain.h"
#include "ward-queue.h"
#include "ward-reading.h"

G_BEGIN_DECLS

struct _WardDomain {
    GObject parent;

    char *uuid;
    char *name;
    int id;
    int state;
    virDomainPtr listed;  /* from libvirt's list, until the first reading uses it */
    WardNative *live;     /* NULL when not active */
    WardNative *config;   /* NULL when transient */
    gboolean ran;         /* was seen running since it was started */
    gboolean starting_up; /* libvirt: its QEMU is not made yet */
    gboolean leaving;     /* its memory is being copied away: migrated, or saved as it runs */
    WardActual *actual;
    WardSettings *applied; /* wanted at the last pass over the host; NULL: none yet */
    WardJob *teardown_job;
    WardTeardownCounts teardown_since; /* as it was before that job */
    gboolean teardown_place;           /* see ward-teardown-places.c */

    /* ward-trustdomain.c */
    WardTrustdomainLife life;
    gboolean life_known; /* it was looked at before: from now on its steps are told */
    gboolean lived;      /* its trust domain was seen running since the domain was started */
    gboolean had_key;    /* when its life was last looked at, */
    guint64 had_created; /* and that trust domain's created_us */
    guint64 old_created; /* that of when a key was reserved, or its place kept */
    WardReboot last_reboot;

    /* Two queues, so that work on the host never waits behind a libvirt call: libvirt holds the
     * domain while its hook waits for us. */
    WardQueue *libvirt_queue;
    WardQueue *host_queue;

    /* ward-sync.c */
    gboolean sync_running;
    gboolean sync_again;   /* another pass, when the running one ends */
    gboolean sync_libvirt; /* the next pass reads libvirt */
    gboolean sync_reads;   /* the running pass has asked libvirt, which has not answered */
    gboolean sync_held;    /* the running pass waits for the early one: see ward-hook.c */
    GQueue waiting;        /* GTasks that end with the next pass */
    GQueue served;         /* GTasks that end with the running pass */
    guint timer;           /* source: the next pass comes by itself */
    guint failures;        /* passes in a row that left introspection not attached */
    guint reboots;         /* REBOOT events that the next pass tells the provider */
    guint looks;           /* passes to come by themselves after a reboot */

    /* ward-hook.c: from the hook's "start" to the STARTED event or the hook's "release". libvirt
     * says in that time that the domain is not active, and yet it is about to be. */
    gboolean starting;
    GCancellable *early; /* ends the wait for a QEMU that is being started; NULL: none waits */
    gboolean early_runs; /* the pass over that QEMU is not over yet */
    gboolean early_ran;  /* it is over, and found a QEMU */
    GTask *proving;      /* the hook's "started" that waits for its end */
};

WardDomain *ward_domain_new(const char *uuid, const char *name);

/* Takes over what @reading holds. */
void ward_domain_take_reading(WardDomain *self, WardReading *reading);

/* (transfer full) for @dom, which may be NULL. */
void ward_domain_set_listed(WardDomain *self, virDomainPtr dom);

/* What libvirt last said of the domain as it is; NULL before anything is known. Borrowed. */
WardNative *ward_domain_get_native(WardDomain *self);

void ward_domain_set_actual(WardDomain *self, WardActual *actual);
void ward_domain_set_teardown_job(WardDomain *self, WardJob *job);
void ward_domain_emit_changed(WardDomain *self);
void ward_domain_emit_event(WardDomain *self,
                            WardProtection protection,
                            const char *name,
                            const char *detail_text,
                            guint64 detail);

G_END_DECLS
