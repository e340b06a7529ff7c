/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-module.h: what the core knows of a protection
 *
 * One table of functions for each protection; the core goes through the tables and knows none of
 * the four by name. check, apply and undo run in worker threads, one at a time for each domain;
 * notice runs in the main thread.
 */
#pragma once

#include "ward-connection.h"
#include "ward-manager-private.h"
#include "ward-native.h"
#include "ward-provider.h"

G_BEGIN_DECLS

typedef struct {
    WardProvider *provider;
    WardConnection *connection; /* for secrets; never for the domain, which a hook may hold */
    const WardSupport *support; /* what the host offers for this protection */
    gulong libvirt_version;     /* 0: unknown */
    gulong hypervisor_version;  /* of QEMU; 0: unknown, or another hypervisor */
    const WardTarget *target;   /* NULL: the domain is not active */
    const WardTarget *domain;   /* of look: the domain, which has no pid */
    guint64 known_leak;         /* of its trust domain, as noted; 0: none */
    const WardSettings *wanted;
    const WardSettings *applied; /* what the pass before applied; NULL: unknown */
    const WardDomainXml *xml;    /* what libvirt says natively; NULL: unknown */
    gboolean detached;           /* the operator detached introspection */
    gboolean suspended;          /* somebody else than this daemon paused the domain */
    gboolean running;            /* its vCPUs run: nobody paused it */
    gboolean ran;                /* they did, since the domain was started */
    gboolean leaving;            /* its memory is being copied away as they run */
    gboolean another;            /* previous is about a guest that has ended since */
    gboolean made;               /* of look: its QEMU is there, libvirt just does not say so yet */
    guint max_teardowns;         /* on this host at once; 0: no limit */
    guint teardown_weight;       /* of CPU time, while it runs; 0: as it is */
    gboolean teardown_place;     /* the domain has one of these places */
    gboolean teardown_full;      /* and else there is none */
    WardReboot last_reboot;      /* of its trust domain, as it was seen */
    const char *failed_before;   /* why the pass before failed; not to be tried again; or NULL */
    const WardActual *previous;  /* what the pass before found */
    WardActual *actual;          /* out: what apply and undo found */
} WardModuleContext;

typedef struct {
    WardProtection protection;

    /* Does what is wanted need a host that has the protection? NULL: always. */
    gboolean (*needs_host)(const WardSettings *wanted);

    /* Can what is wanted be had on this host, for this domain? The core has already asked
     * context->support. NULL: always. */
    gboolean (*check)(const WardModuleContext *context, GError **error);

    /* Brings a running domain to what is wanted and fills the module's part of context->actual.
     * Doing it again changes nothing. FALSE: it is not in force. The status is set to active
     * beforehand and to a failure when it returns FALSE; it may set another one itself. */
    gboolean (*apply)(const WardModuleContext *context, GError **error);

    /* The domain does not run: what is left on the host of when it did? NULL: nothing ever is. */
    void (*look)(const WardModuleContext *context);

    /* Takes it off a running domain that does not want it (any more). */
    gboolean (*undo)(const WardModuleContext *context, GError **error);

    /* The state went from @before to what @domain has now: tell who listens. NULL: nothing to. */
    void (*notice)(WardManager *manager, WardDomain *domain, const WardActual *before);

    /* When apply fails on a running domain. */
    WardRemedy (*remedy)(const WardSettings *wanted);
} WardModule;

extern const WardModule ward_teardown_module;
extern const WardModule ward_trustdomain_module;
extern const WardModule ward_introspection_module;
extern const WardModule ward_isolation_module;

const WardModule *ward_module_get(WardProtection protection);

/* support, if it is needed, then the module's own check. */
gboolean
ward_module_check(const WardModule *self, const WardModuleContext *context, GError **error);

/* The remedy of protections whose enforcement alone decides. */
WardRemedy ward_module_remedy_by_enforcement(const WardSettings *wanted, WardProtection protection);

/* Whether a provider failed because the domain has no VM of KVM's: then nothing is in force there.
 * @failure may be NULL. */
gboolean ward_module_is_without_vm(const GError *failure);

G_END_DECLS
