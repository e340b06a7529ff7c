/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-provider.h: where a protection touches the machine
 *
 * One interface, three kinds: "control" (the patched kernel), "stock" (what an unpatched kernel,
 * QEMU or libvirt offers) and "simulated" (a model, for the demo and the tests).
 *
 * Threads: everything but the signals is called from worker threads and may block. Calls about one
 * domain never overlap; calls about different domains do, so an implementation locks what domains
 * share. Signals are emitted in the main context.
 *
 * Errors: WARD_ERROR; NOT_SUPPORTED, with the reason, for what this provider does not have. Every
 * function may be NULL in the interface, which means just that.
 */
#pragma once

#include <gio/gio.h>

#include "ward-actual.h"

G_BEGIN_DECLS

/* Whether a host, or a domain, can have a protection. */
typedef struct {
    gboolean supported;
    const char *provider; /* static */
    char *reason;         /* what it rests on, or what is missing; never NULL */
} WardSupport;

void ward_support_clear(WardSupport *self);
void ward_support_set(WardSupport *self, gboolean supported, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* A running domain, as a provider needs to know it. Borrowed for the length of a call. */
typedef struct {
    const char *uuid;
    const char *name;
    GPid pid; /* of QEMU; 0 when there is none (test driver) or not yet */
    guint64 memory_bytes;
} WardTarget;

/* The 16 bytes of the UUID, in the order of its text. */
void ward_target_get_uuid(const WardTarget *self, guint8 uuid[16]);

/* Of the host's trust domain keys. */
typedef struct {
    guint64 total;
    guint64 used;   /* of living trust domains and of those whose memory is being reclaimed */
    guint64 leaked; /* lost until the host reboots */
    guint64 leaked_pages;
    gboolean knows_leaked;

    guint reserved; /* these two are the daemon's own, no provider knows them */
    guint waiting;
} WardTrustdomainCapacity;

/* What the tools of a domain have done since it was started. */
#define WARD_INTROSPECTION_REPLY_TIMES 40
typedef struct {
    guint64 commands;
    guint64 errors; /* commands that failed, and tools that broke the protocol */
    guint64 events;
    /* How many replies to events took how long: the first less than 1 ns, entry n from 2^(n-1) to
     * 2^n ns, the last all longer ones. */
    guint64 reply_times[WARD_INTROSPECTION_REPLY_TIMES];
} WardIntrospectionStatistics;

/* How a domain's guest was entered and left, since the domain was started. */
typedef struct {
    guint64 time_us; /* of the monotonic clock: when this was read */
    guint64 entries_restricted;
    guint64 entries_unrestricted; /* whether isolation was on or off */
    guint64 violations;           /* those of them while it was on */
    guint64 exits_fault;          /* these four: what ended the restricted address space */
    guint64 exits_schedule;
    guint64 exits_userspace;
    guint64 exits_explicit;
    guint64 flushes;
} WardIsolationStatistics;

/* Name to counter, guint64 in an a{st}; a floating reference. */
GVariant *ward_isolation_statistics_to_variant(const WardIsolationStatistics *self);

#define WARD_TYPE_PROVIDER (ward_provider_get_type())
G_DECLARE_INTERFACE(WardProvider, ward_provider, WARD, PROVIDER, GObject)

struct _WardProviderInterface {
    GTypeInterface parent;

    /* "control", "stock" or "simulated"; static. */
    const char *name;

    /* What the host can do. @capabilities is libvirt's domain capabilities XML, or NULL. */
    void (*probe)(WardProvider *self,
                  WardProtection protection,
                  const char *capabilities,
                  WardSupport *support);

    /* The domain is about to start: whatever must hold before its first instruction is armed here.
     * It is called while libvirt's hook waits: no libvirt call, and soon done. */
    gboolean (*arm)(WardProvider *self,
                    const WardTarget *target,
                    const WardSettings *settings,
                    GError **error);

    /* After arm: whether QEMU has got far enough for the rest of this table to work on the domain,
     * and its vCPUs probably do not run yet. Asked again and again while the domain starts. NULL:
     * there is nothing to be gained before the domain runs. */
    gboolean (*is_ready)(WardProvider *self, const WardTarget *target);

    /* The domain's vCPUs are about to be reported as running: did @protection hold before the
     * first of them entered the guest? @wanted has it. */
    gboolean (*prove)(WardProvider *self,
                      const WardTarget *target,
                      const WardSettings *wanted,
                      WardProtection protection,
                      GError **error);

    /* The domain is gone: everything kept for it may go. @target has no pid. */
    void (*forget)(WardProvider *self, const WardTarget *target);
    /* @uuids (a set) are all domains that there are: others that are kept have gone unseen. */
    void (*forget_others)(WardProvider *self, GHashTable *uuids);

    /* teardown */
    gboolean (*teardown_set)(WardProvider *self,
                             const WardTarget *target,
                             WardTeardownMode on_reboot,
                             GError **error);
    gboolean (*teardown_read)(WardProvider *self,
                              const WardTarget *target,
                              WardTeardownActual *actual,
                              GError **error);
    gboolean (*teardown_cancel)(WardProvider *self, const WardTarget *target, GError **error);
    /* Begins to destroy, in a thread of its own, what was set aside and nobody destroys
     * (WardTeardownActual.abandoned). "changed" tells when it has begun and ended. */
    gboolean (*teardown_perform)(WardProvider *self, const WardTarget *target, GError **error);
    /* The share of CPU time of the domain's running teardown, against the domain's other threads:
     * as cpu.weight of a control group, 1 to 10000. */
    gboolean (*teardown_weigh)(WardProvider *self,
                               const WardTarget *target,
                               guint weight,
                               GError **error);
    /* libvirt reported a reboot of the guest. */
    void (*teardown_rebooted)(WardProvider *self, const WardTarget *target);

    /* trustdomain */
    gboolean (*trustdomain_capacity)(WardProvider *self,
                                     WardTrustdomainCapacity *capacity,
                                     GError **error);
    /* Also of a domain that does not run (its target has no pid): what is left of its last one. */
    gboolean (*trustdomain_read)(WardProvider *self,
                                 const WardTarget *target,
                                 WardTrustdomainActual *actual,
                                 GError **error);
    /* Whether the host still lists the leak that trustdomain_read once found. */
    gboolean (*trustdomain_has_leak)(WardProvider *self, guint64 leak);
    /* libvirt says that a TDX domain runs, or was rebooted: for a host that learns it only so. */
    void (*trustdomain_running)(WardProvider *self, const WardTarget *target);
    void (*trustdomain_rebooted)(WardProvider *self, const WardTarget *target);

    /* introspection: @socket_fd is connected and past the handshake; the provider keeps what it
     * needs of it for as long as the domain is hooked, the caller closes its own. */
    gboolean (*introspection_hook)(WardProvider *self,
                                   const WardTarget *target,
                                   const WardIntrospectionSettings *settings,
                                   int socket_fd,
                                   GError **error);
    gboolean (*introspection_unhook)(WardProvider *self, const WardTarget *target, GError **error);
    gboolean (*introspection_read)(WardProvider *self,
                                   const WardTarget *target,
                                   WardIntrospectionActual *actual,
                                   GError **error);
    /* The one function that may be called while another one works on the domain: it must not wait
     * for that. @target has no pid, and the domain was read before. NOT_FOUND: it has no VM. */
    gboolean (*introspection_statistics)(WardProvider *self,
                                         const WardTarget *target,
                                         WardIntrospectionStatistics *statistics,
                                         GError **error);

    /* isolation */
    gboolean (*isolation_set)(WardProvider *self,
                              const WardTarget *target,
                              gboolean on,
                              GError **error);
    gboolean (*isolation_read)(WardProvider *self,
                               const WardTarget *target,
                               WardIsolationActual *actual,
                               GError **error);
    gboolean (*isolation_statistics)(WardProvider *self,
                                     const WardTarget *target,
                                     WardIsolationStatistics *statistics,
                                     GError **error);
};

/*
 * Signal "changed" (const char *uuid): something about the domain is not as it was: a teardown
 * began or ended, a tool went away, a guest was entered unrestricted. The core reads again.
 */
void ward_provider_emit_changed(WardProvider *self, const char *uuid); /* from any thread */

const char *ward_provider_get_name(WardProvider *self);
void ward_provider_probe(WardProvider *self,
                         WardProtection protection,
                         const char *capabilities,
                         WardSupport *support);

G_END_DECLS
