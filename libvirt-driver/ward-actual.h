/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-actual.h: the actual state of a domain's protections, as last read from the host
 *
 * Ownership: WardActual is reference-counted (atomically) and never changes once the reconcile
 * that built it has handed it to the main loop, so any thread may read it without a lock.
 */
#pragma once

#include <glib.h>

#include "ward-settings.h"

G_BEGIN_DECLS

typedef enum {
    WARD_STATUS_OFF,         /* not wanted, and not in force */
    WARD_STATUS_PENDING,     /* wanted; the domain does not run */
    WARD_STATUS_ACTIVE,      /* wanted and in force */
    WARD_STATUS_UNAVAILABLE, /* preferred, and not in force */
    WARD_STATUS_FAILED,      /* required, and not in force */
} WardStatus;

/* What every protection has. */
typedef struct {
    WardStatus status;
    const char *provider; /* static: a provider's name */
    char *reason;         /* NULL when there is nothing to say */
} WardActualCommon;

typedef enum {
    WARD_TEARDOWN_PHASE_NONE,
    WARD_TEARDOWN_PHASE_SET_ASIDE,
    WARD_TEARDOWN_PHASE_RUNNING,
    WARD_TEARDOWN_PHASE_INTERRUPTED,
    WARD_TEARDOWN_PHASE_UNKNOWN,
} WardTeardownPhase;

/* How often it happened to a guest's memory since the domain was started. */
typedef struct {
    guint64 started;
    guint64 stopped;
    guint64 failed;
} WardTeardownCounts;

typedef struct {
    WardTeardownPhase phase;
    guint64 bytes_done;       /* of the running or last teardown */
    guint64 bytes_total;      /* 0: the provider cannot count */
    guint64 last_duration_us; /* 0: none finished yet */
    gboolean cancellable;
    gboolean exit_helper; /* QEMU's helper process for teardown at exit was seen */

    gboolean counted; /* the counts are known */
    WardTeardownCounts counts;
    gboolean last_failed; /* the Ultravisor refused to end the last one, with these two codes */
    guint16 rc;
    guint16 rrc;

    gboolean abandoned; /* set aside, and QEMU would have begun to destroy it by now */
    int perform_errno;  /* why the daemon could not do it instead; 0: it can, or did not try */
    guint look_ms;      /* when to look again though nothing tells of a change; 0: never */
} WardTeardownActual;

typedef enum {
    WARD_TRUSTDOMAIN_LIFE_DEFINED,
    WARD_TRUSTDOMAIN_LIFE_ADMITTED,
    WARD_TRUSTDOMAIN_LIFE_BUILDING,
    WARD_TRUSTDOMAIN_LIFE_RUNNING,
    WARD_TRUSTDOMAIN_LIFE_STOPPING,
    WARD_TRUSTDOMAIN_LIFE_RECLAIMING,
    WARD_TRUSTDOMAIN_LIFE_GONE,
    WARD_TRUSTDOMAIN_LIFE_LEAKED,
} WardTrustdomainLife;

/* What a reboot was seen to be. */
typedef enum {
    WARD_REBOOT_NONE,     /* there was none since the domain was started, or none was seen */
    WARD_REBOOT_RECREATE, /* libvirt made a new QEMU */
    WARD_REBOOT_RESET,    /* QEMU went on, with a new trust domain or the same */
} WardReboot;

/* How far the host has driven it: the states of linux/kvm_trustdomain.h, and UNKNOWN where the host
 * does not tell. */
typedef enum {
    WARD_TRUSTDOMAIN_NONE,
    WARD_TRUSTDOMAIN_ASSIGNED,
    WARD_TRUSTDOMAIN_CONFIGURED,
    WARD_TRUSTDOMAIN_INITIALIZED,
    WARD_TRUSTDOMAIN_BLOCKED,
    WARD_TRUSTDOMAIN_TEARDOWN,
    WARD_TRUSTDOMAIN_RECLAIMED,
    WARD_TRUSTDOMAIN_LEAKED,
    WARD_TRUSTDOMAIN_UNKNOWN,
} WardTrustdomainState;

/* What the host says; the life that follows from it is the domain's, see ward-trustdomain.c. */
typedef struct {
    gboolean known; /* the host was asked, and has answered */
    WardTrustdomainState state;
    guint key; /* its KeyID; 0: none, or unknown */
    guint vcpus;
    guint64 control_pages; /* these four: 4 KiB each */
    guint64 private_pages;
    guint64 reclaimed_pages;
    guint64 leaked_pages;
    guint64 created_us; /* these two: CLOCK_BOOTTIME; 0: not yet, or unknown */
    guint64 key_released_us;
    guint64 leak;        /* the host's last record of a leak of this domain; 0: none is known */
    guint64 leak_before; /* the one that was noted */
    guint look_ms;       /* when to look again though nothing tells of a change; 0: never */
} WardTrustdomainActual;

typedef struct {
    gboolean attached;
    gboolean broken; /* a tool was, and went away */
    gboolean gone;   /* so has the whole VM, whatever libvirt says of the domain */
    /* Between the last look and this one the tool was lost or let go, and one hooked again: why, as
     * the signal Unhooked says it. Static; NULL: no. */
    const char *rehooked;
} WardIntrospectionActual;

typedef enum {
    WARD_ISOLATION_OFF,
    WARD_ISOLATION_ON,
    WARD_ISOLATION_UNKNOWN,
} WardIsolationState;

typedef struct {
    WardIsolationState state;
    gboolean broken;     /* it is on, and the guest was entered without it all the same */
    gboolean from_start; /* it is on, and the guest was never entered without it */
    guint64 violations;  /* since the domain started: entries without it while it was on */
} WardIsolationActual;

typedef struct {
    WardActualCommon common[WARD_N_PROTECTIONS]; /* first */
    WardTeardownActual teardown;
    WardTrustdomainActual trustdomain;
    WardIntrospectionActual introspection;
    WardIsolationActual isolation;
} WardActual;

WardActual *ward_actual_new(void);
/* Of a domain on which nothing is wanted or in force: one that all such domains share. */
WardActual *ward_actual_new_off(void);
gboolean ward_actual_is_off(const WardActual *self);
/* Compares bytes where it can, so it may miss that two are equal, but not that they differ. */
gboolean ward_actual_equal(const WardActual *a, const WardActual *b);
WardActual *ward_actual_ref(WardActual *self);
void ward_actual_unref(WardActual *self);

/* Sets status and reason of @protection; takes the ownership of @reason. */
void ward_actual_set_status(WardActual *self,
                            WardProtection protection,
                            WardStatus status,
                            char *reason);

/* The words of the D-Bus properties. Static strings, but for what returns a char *. */
const char *ward_status_to_string(WardStatus status);
const char *ward_teardown_phase_to_string(WardTeardownPhase phase);
char *ward_teardown_describe_failure(const WardTeardownActual *self); /* of last_failed */
const char *ward_trustdomain_life_to_string(WardTrustdomainLife life);
const char *ward_reboot_to_string(WardReboot reboot); /* "" for none */
const char *ward_isolation_state_to_string(WardIsolationState state);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardActual, ward_actual_unref)

G_END_DECLS
