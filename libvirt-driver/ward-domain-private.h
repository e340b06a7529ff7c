/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-domain-private.h: the side of a domain that only the core sees
 */
#pragma once

#include "ward-domain.h"
#include "ward-queue.h"
#include "ward-reading.h"

G_BEGIN_DECLS

/* A host has many, so that every byte counts: what is small stands together. */
struct _WardDomain {
    GObject parent;

    char uuid[VIR_UUID_STRING_BUFLEN];

    /* Two queues, so that work on the host never waits behind a libvirt call: libvirt holds the
     * domain while its hook waits for us. */
    WardQueue libvirt_queue;
    WardQueue host_queue;

    guint ran : 1;            /* was seen running since it was started */
    guint starting_up : 1;    /* libvirt: its QEMU is not made yet */
    guint leaving : 1;        /* its memory is being copied away: migrated, or saved as it runs */
    guint teardown_place : 1; /* see ward-teardown-places.c */

    /* ward-sync.c */
    guint sync_running : 1;
    guint sync_again : 1;   /* another pass, when the running one ends */
    guint sync_libvirt : 1; /* the next pass reads libvirt */
    guint sync_asked : 1;   /* it was ever to be read from libvirt */
    guint sync_reads : 1;   /* the running pass has asked libvirt, which has not answered */
    guint sync_held : 1;    /* the running pass waits for the early one: see ward-hook.c */

    /* ward-hook.c: from the hook's "start" to the STARTED event or the hook's "release". libvirt
     * says in that time that the domain is not active, and yet it is about to be. */
    guint starting : 1;
    guint early_runs : 1; /* the pass over a QEMU that is being started is not over yet */
    guint early_ran : 1;  /* it is over, and found a QEMU */

    /* ward-trustdomain.c */
    guint life_known : 1; /* it was looked at before: from now on its steps are told */
    guint lived : 1;      /* its trust domain was seen running since the domain was started */
    guint had_key : 1;    /* when its life was last looked at */
    WardTrustdomainLife life : 4;
    WardReboot last_reboot : 2;
    virDomainState state : 8;

    int id;

    /* ward-sync.c */
    guint timer;    /* source: the next pass comes by itself */
    guint failures; /* passes in a row that left introspection not attached */
    guint reboots;  /* REBOOT events that the next pass tells the provider */
    guint looks;    /* passes to come by themselves after a reboot */

    char *name;
    char *unread;        /* why libvirt could not tell anything of it yet; NULL: it could */
    virDomainPtr listed; /* from libvirt's list, until the first reading uses it */
    WardNative *live;    /* NULL when not active */
    WardNative *config;  /* NULL when transient */
    WardActual *actual;
    WardSettings *applied; /* wanted at the last pass over the host; NULL: none yet */
    WardJob *teardown_job;

    guint64 had_created; /* when its life was last looked at: that trust domain's created_us */
    guint64 old_created; /* that of when a key was reserved, or its place kept */

    GPtrArray *waiting; /* GTasks that end with the next pass; NULL: none */
    GPtrArray *served;  /* GTasks that end with the running pass; NULL: none */

    GCancellable *early; /* ends the wait for a QEMU that is being started; NULL: none waits */
    GTask *proving;      /* the hook's "started" that waits for the end of the early pass */
};

WardDomain *ward_domain_new(const char *uuid, const char *name);

/* Takes over what @reading holds. */
void ward_domain_take_reading(WardDomain *self, WardReading *reading);

/* Remembers why there is no reading: it matters as long as there never was one. */
void ward_domain_set_unread(WardDomain *self, const char *reason);

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
