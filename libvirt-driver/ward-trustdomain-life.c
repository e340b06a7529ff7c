/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-trustdomain-life.h"

#define N_LIVES (WARD_TRUSTDOMAIN_LIFE_LEAKED + 1)

#define DEFINED WARD_TRUSTDOMAIN_LIFE_DEFINED
#define ADMITTED WARD_TRUSTDOMAIN_LIFE_ADMITTED
#define BUILDING WARD_TRUSTDOMAIN_LIFE_BUILDING
#define RUNNING WARD_TRUSTDOMAIN_LIFE_RUNNING
#define STOPPING WARD_TRUSTDOMAIN_LIFE_STOPPING
#define RECLAIMING WARD_TRUSTDOMAIN_LIFE_RECLAIMING
#define GONE WARD_TRUSTDOMAIN_LIFE_GONE
#define LEAKED WARD_TRUSTDOMAIN_LIFE_LEAKED

/* All legal steps. */
static const guint8 drivers[N_LIVES][N_LIVES] = {
    [DEFINED] =
        {
            [ADMITTED] = WARD_LIFE_DRIVER_HOOK,
            [BUILDING] = WARD_LIFE_DRIVER_HOST, /* a start that the hook was not asked about */
            [LEAKED] = WARD_LIFE_DRIVER_HOST,   /* a daemon that starts anew finds the record */
        },
    [ADMITTED] =
        {
            [BUILDING] = WARD_LIFE_DRIVER_HOST,
            [DEFINED] = WARD_LIFE_DRIVER_LIBVIRT, /* it came to nothing before there was a VM */
            [LEAKED] = WARD_LIFE_DRIVER_LIBVIRT,  /* the same, of a domain that had leaked before */
        },
    [BUILDING] =
        {
            [RUNNING] = WARD_LIFE_DRIVER_LIBVIRT,
            [STOPPING] = WARD_LIFE_DRIVER_LIBVIRT,
        },
    [RUNNING] = {[STOPPING] = WARD_LIFE_DRIVER_LIBVIRT},
    [STOPPING] = {[RECLAIMING] = WARD_LIFE_DRIVER_HOST},
    [RECLAIMING] =
        {
            [GONE] = WARD_LIFE_DRIVER_HOST,
            [LEAKED] = WARD_LIFE_DRIVER_HOST,
        },
    [GONE] =
        {
            [DEFINED] = WARD_LIFE_DRIVER_LIBVIRT,
            [ADMITTED] = WARD_LIFE_DRIVER_HOOK, /* libvirt makes it anew */
            [BUILDING] = WARD_LIFE_DRIVER_HOST, /* QEMU makes it anew */
            [LEAKED] = WARD_LIFE_DRIVER_HOST,   /* not this one, but one before */
        },
    [LEAKED] =
        {
            [DEFINED] = WARD_LIFE_DRIVER_HOST, /* the record is gone */
            [ADMITTED] = WARD_LIFE_DRIVER_HOOK,
            [BUILDING] = WARD_LIFE_DRIVER_HOST,
        },
};

WardLifeDriver
ward_trustdomain_life_get_driver(WardTrustdomainLife from, WardTrustdomainLife to)
{
    g_return_val_if_fail((guint)from < N_LIVES && (guint)to < N_LIVES, WARD_LIFE_DRIVER_NONE);
    return drivers[from][to];
}

/* From the end: the first life found that leads there in as few steps as @from does. */
WardTrustdomainLife
ward_trustdomain_life_step(WardTrustdomainLife from, WardTrustdomainLife to)
{
    guint distance[N_LIVES];

    g_return_val_if_fail((guint)from < N_LIVES && (guint)to < N_LIVES, to);
    if (from == to || drivers[from][to])
        return to;
    for (guint i = 0; i < N_LIVES; i++)
        distance[i] = i == to ? 0 : N_LIVES;
    for (guint round = 0; round < N_LIVES; round++) {
        for (guint i = 0; i < N_LIVES; i++) {
            for (guint j = 0; j < N_LIVES; j++) {
                if (drivers[i][j] && distance[j] + 1 < distance[i])
                    distance[i] = distance[j] + 1;
            }
        }
    }
    for (guint j = 0; j < N_LIVES; j++) {
        if (drivers[from][j] && distance[j] + 1 == distance[from])
            return j;
    }
    g_return_val_if_reached(to);
}

gboolean
ward_trustdomain_life_is_under_way(WardTrustdomainLife life)
{
    return life >= BUILDING && life <= RECLAIMING;
}

/* Nothing of a trust domain is on the host. */
static WardTrustdomainLife
find_without(const WardLifeFacts *facts)
{
    if (facts->admitted)
        return ADMITTED;
    if (facts->leak_new)
        return LEAKED;
    if (facts->kept || (facts->active && !facts->starting))
        return GONE; /* it is made anew, or QEMU is about to end */
    return facts->leak_old ? LEAKED : DEFINED;
}

WardTrustdomainLife
ward_trustdomain_life_find(const WardLifeFacts *facts)
{
    gboolean expected = facts->active || facts->starting || facts->admitted;

    switch (facts->host) {
    case WARD_TRUSTDOMAIN_ASSIGNED:
    case WARD_TRUSTDOMAIN_CONFIGURED:
        return expected ? BUILDING : STOPPING;
    case WARD_TRUSTDOMAIN_INITIALIZED:
        if (!expected)
            return STOPPING;
        return facts->active && !facts->starting ? RUNNING : BUILDING;
    case WARD_TRUSTDOMAIN_BLOCKED:
        return STOPPING;
    case WARD_TRUSTDOMAIN_TEARDOWN:
        return RECLAIMING;
    case WARD_TRUSTDOMAIN_LEAKED:
        return LEAKED;
    case WARD_TRUSTDOMAIN_UNKNOWN:
        if (facts->active)
            return facts->starting ? BUILDING : RUNNING;
        return find_without(facts);
    default:
        return find_without(facts);
    }
}
