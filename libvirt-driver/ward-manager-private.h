/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-manager-private.h: what the files of the core share
 *
 *   ward-manager.c     the tables of domains and jobs, libvirt's events, the host's support
 *   ward-sync.c        when a domain is looked at, and what libvirt says of it
 *   ward-pass.c        one pass over one domain: the host is brought to what is wanted
 *   ward-teardown-places.c  how many teardowns run at once
 *   ward-admission.c   which starts get a trust domain key
 *   ward-trustdomain.c the life of a domain's trust domain
 *   ward-hook.c        libvirt's qemu hook
 *   ward-operations.c  what D-Bus asks for: the wanted state
 *   ward-requests.c    what D-Bus asks for: all else
 */
#pragma once

#include "ward-admission.h"
#include "ward-connection.h"
#include "ward-domain-private.h"
#include "ward-manager.h"

G_BEGIN_DECLS

/* What the host offers, as last probed. Shared with worker threads; never changed once made. */
typedef struct {
    WardSupport support[WARD_N_PROTECTIONS];
    gulong libvirt_version;
    gulong hypervisor_version; /* of QEMU; 0: unknown, or another hypervisor */
} WardHostSupport;

WardHostSupport *ward_host_support_new(WardProvider *provider,
                                       const char *capabilities,
                                       gulong libvirt_version,
                                       gulong hypervisor_version);
WardHostSupport *ward_host_support_ref(WardHostSupport *self);
void ward_host_support_unref(WardHostSupport *self);

struct _WardManager {
    GObject parent;

    char *uri;
    char *state_dir;
    char *libvirt_version;
    WardProvider *provider;
    WardConnection *connection;
    WardHostSupport *host;
    GHashTable *domains; /* UUID, the domain's own string, to WardDomain */
    GHashTable *jobs;    /* id to WardJob */
    guint last_job;
    GCancellable *cancellable; /* cancelled by ward_manager_stop() */
    WardQueue host_queue;      /* work about the host as a whole */
    WardQueue list_queue;      /* listing domains, which a probe must not delay */
    GPtrArray *unread;         /* virDomainPtr: to read after connecting */
    guint reading;             /* of them, how many are being read */
    gboolean ready;
    guint ready_timer;         /* source: the longest that anybody waits for it */
    WardAdmissions *admission; /* of starts that need a trust domain key */
    WardQueue admission_queue; /* counting keys, which nothing may delay */
    guint max_teardowns;       /* 0: no limit */
    guint teardown_places;     /* taken, of those */
    guint teardown_weight;     /* 0: none is set */
};

/* ward-manager.c */
WardDomain *ward_manager_ensure_domain(WardManager *self, const char *uuid, const char *name);
void ward_manager_remove_domain(WardManager *self, WardDomain *domain);
WardJob *ward_manager_new_job(WardManager *self,
                              const char *operation,
                              WardDomain *domain,
                              const char *unit,
                              gboolean cancellable);
void ward_manager_add_job(WardManager *self, WardJob *job);
void ward_manager_end_job(WardManager *self, WardJob *job, const char *result, const char *message);
void ward_manager_free_dom(gpointer dom); /* virDomainFree(), as GDestroyNotify wants it */

/* What becomes of a running domain that a protection failed on. */
typedef enum {
    WARD_REMEDY_NONE,
    WARD_REMEDY_PAUSE,
    WARD_REMEDY_DESTROY,
} WardRemedy;

/* ward-sync.c */
typedef enum {
    WARD_SYNC_HOST,    /* look at the host only */
    WARD_SYNC_LIBVIRT, /* read libvirt again first */
} WardSyncScope;

gboolean ward_manager_is_detached(WardManager *self, WardDomain *domain);

/* Starts a pass, or another one after the one that runs. @task, if any (transfer full), returns
 * TRUE when a pass that began after this call has ended. */
void ward_sync(WardManager *self, WardDomain *domain, WardSyncScope scope, GTask *task);

typedef void (*WardKnownFunc)(WardManager *self, WardDomain *domain, GTask *task);

/* Calls @func with @task (transfer full; its source object is the manager) when the domain is
 * known to run, or else after libvirt was asked: the event that it was started may be under way,
 * and nobody should be told that it does not run after `virsh start` has returned. */
void ward_sync_when_known(WardManager *self, WardDomain *domain, GTask *task, WardKnownFunc func);

/* The pass over a QEMU that is being made, which others wait for, is over. What it failed at is not
 * tried again before the hook has told libvirt. */
void ward_sync_early_done(WardManager *self, WardDomain *domain);

/* The guest was reset or rebooted (libvirt cannot tell which). */
void ward_sync_note_reboot(WardManager *self, WardDomain *domain);

/* Its memory is being read, or about to be: a tool that changed it has to leave now. */
void ward_sync_note_leaving(WardManager *self, WardDomain *domain);
void ward_sync_note_suspended(WardManager *self, WardDomain *domain);

/* ward-teardown-places.c: @domain has a teardown, or is about to. Others are told what follows. */
void ward_teardown_places_set(WardManager *self, WardDomain *domain, gboolean has_place);
gboolean ward_teardown_places_are_taken(WardManager *self);
/* For the daemon's own work. Not before all domains were read: who has one is known only then. */
gboolean ward_teardown_places_has_free(WardManager *self);
void ward_teardown_places_open(WardManager *self);

/* ward-trustdomain.c. Any thread: */
gboolean
ward_trustdomain_count(WardProvider *provider, WardTrustdomainCapacity *capacity, GError **error);
/* Main thread: */
WardAdmissions *ward_trustdomain_new_admission(WardManager *self);
/* What is known of the domain has changed from @before: tells of its life, step by step. */
void ward_trustdomain_follow(WardManager *manager, WardDomain *domain, const WardActual *before);
void ward_trustdomain_note_admitted(WardManager *manager, WardDomain *domain);
void ward_trustdomain_note_released(WardManager *manager, WardDomain *domain);
void ward_trustdomain_note_stopped(WardManager *manager, WardDomain *domain, gboolean recreated);
void ward_trustdomain_note_rebooted(WardDomain *domain); /* QEMU goes on */
void ward_trustdomain_note_gone(WardManager *manager, WardDomain *domain);

/* ward-pass.c: the part of a pass that is about the host */
typedef struct _WardPass WardPass;

/* Main thread. @native is what is wanted, @active whether there is a guest. */
WardPass *
ward_pass_new(WardManager *manager, WardDomain *domain, WardNative *native, gboolean active);
void ward_pass_free(WardPass *self);
/* The reboots that the domain has seen become this pass's. */
void ward_pass_take_reboots(WardPass *self, WardDomain *domain);

/* It is about a guest that libvirt is making: nothing known of the domain's state is about that. */
void ward_pass_set_new_guest(WardPass *self);
/* What the pass before failed at is not tried again in this one: it would take as long again. */
void ward_pass_skip_failed(WardPass *self);

/* In a worker thread, on the domain's host queue. */
void ward_pass_run(WardPass *self);
/* Before the domain starts: refuse, warn, or arm. @warnings takes strings. Worker thread. */
gboolean ward_pass_check(WardPass *self, GPtrArray *warnings, GError **error);
gboolean ward_pass_arm(WardPass *self, GPtrArray *warnings, GError **error);
/* Whether there is anything to gain from a pass before the domain's vCPUs run. */
gboolean ward_pass_can_be_early(WardPass *self);
/* Waits for QEMU to be far enough for ward_pass_run(); FALSE when @cancellable, or the time that
 * a start may take, ends the wait. Worker thread. */
gboolean ward_pass_wait_ready(WardPass *self, GCancellable *cancellable);
/* After ward_pass_run() of a domain that starts: did all required protections hold from the first
 * instruction on? Worker thread. */
gboolean ward_pass_prove(WardPass *self, GPtrArray *warnings, GError **error);

/* Single operations of the provider. Worker thread. The statistics are a floating a{st}. */
gboolean ward_pass_cancel_teardown(WardPass *self, GError **error);
GVariant *ward_pass_isolation_statistics(WardPass *self, GError **error);

/* In the main thread, after the run: the domain gets what the pass found. */
void ward_pass_publish(WardPass *self, WardManager *manager, WardDomain *domain);

/* What should become of a running domain, now that the pass is over, and why. Main thread. */
WardRemedy ward_pass_get_remedy(WardPass *self, const char **reason);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardPass, ward_pass_free)

G_END_DECLS
