/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-trustdomain-life.h: the life of a trust domain as a state machine
 *
 * Where it is follows from what libvirt, the host and the admission say at one moment; nothing is
 * kept, so that a daemon that starts anew finds it again. How it got there is made of the legal
 * steps in between: a host that is looked at too late has taken them all the same.
 *
 * Pure functions, any thread.
 */
#pragma once

#include "ward-actual.h"

G_BEGIN_DECLS

/* Who brings a step about. */
typedef enum {
    WARD_LIFE_DRIVER_NONE,    /* there is no such step */
    WARD_LIFE_DRIVER_HOOK,    /* libvirt's hook, which the daemon answers */
    WARD_LIFE_DRIVER_LIBVIRT, /* libvirt's events and what it says of the domain */
    WARD_LIFE_DRIVER_HOST,    /* what the provider reads or is told */
} WardLifeDriver;

WardLifeDriver ward_trustdomain_life_get_driver(WardTrustdomainLife from, WardTrustdomainLife to);

/* The next step of the shortest way from @from to @to; @to itself when they are the same. */
WardTrustdomainLife ward_trustdomain_life_step(WardTrustdomainLife from, WardTrustdomainLife to);

/* What is known of one domain at one moment. */
typedef struct {
    gboolean active;   /* libvirt: it has a QEMU */
    gboolean starting; /* libvirt: not all of that QEMU is made yet, or the hook has announced it */
    gboolean admitted; /* a key is reserved for a start of it */
    gboolean kept;     /* or in case that it is made anew */
    WardTrustdomainState host;
    gboolean leak_new; /* the trust domain that has just ended leaked */
    gboolean leak_old; /* the host still lists a leak of one before */
} WardLifeFacts;

/* Where a trust domain is now; where it stays if nothing else happens. */
WardTrustdomainLife ward_trustdomain_life_find(const WardLifeFacts *facts);

/* Whether the trust domain of that life has a QEMU, or the host has something of it. */
gboolean ward_trustdomain_life_is_under_way(WardTrustdomainLife life);

G_END_DECLS
