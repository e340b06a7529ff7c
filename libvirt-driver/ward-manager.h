/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-manager.h: the daemon's core, as dbus-api sees it
 *
 * The manager keeps a WardDomain for every domain of one libvirt connection, and brings what each
 * domain wants (its metadata) and what the host does (through a provider) together.
 *
 * Threads: all of it belongs to the main thread; blocking work is done elsewhere, in order for each
 * domain and without one domain waiting for another. Every _async function calls back in the
 * main context.
 *
 * Signals:
 *   "domain-added" (WardDomain), "domain-removed" (WardDomain),
 *   "job-added" (WardJob), "job-removed" (WardJob),
 *   "ready": once, when ward_manager_is_ready() becomes true,
 *   "host-changed": what ward_manager_get_connected() to _get_support() return may have changed.
 */
#pragma once

#include <gio/gio.h>

#include "ward-domain.h"
#include "ward-provider.h"

G_BEGIN_DECLS

#define WARD_TYPE_MANAGER (ward_manager_get_type())
G_DECLARE_FINAL_TYPE(WardManager, ward_manager, WARD, MANAGER, GObject)

/* Bits of the flags arguments. The first two are virDomainModificationImpact's, libvirt-domain.h.
 */
enum {
    WARD_AFFECT_CURRENT = 0,
    WARD_AFFECT_LIVE = 1,
    WARD_AFFECT_CONFIG = 2,
    WARD_AFFECT_UPDATE = 4, /* set only: protections not named stay as they are */
};

/* @state_dir must exist: small per-domain notes are kept there (see ward-marker.h). Registers
 * libvirt's event loop, so it comes before any libvirt connection. */
WardManager *ward_manager_new(const char *uri, const char *state_dir, WardProvider *provider);

/* How many domains may have a teardown at once; 0 for no limit. Before start. */
void ward_manager_set_max_teardowns(WardManager *self, guint max);

/* The cpu.weight of a teardown that runs, 1 to 10000; 0 to leave it. Before start. */
void ward_manager_set_teardown_weight(WardManager *self, guint weight);

/* Connects to libvirt, now and whenever the connection is lost. Never fails: see get_connected. */
void ward_manager_start(WardManager *self);

/* Ends every wait, lets running work finish or cancels it, and closes the connection. */
void ward_manager_stop(WardManager *self);

/* Whether the domains that were there at start have been read, or there is no use in waiting for
 * it: no connection, or a domain that hangs. What is known of a domain before may be wrong. */
gboolean ward_manager_is_ready(WardManager *self);

const char *ward_manager_get_uri(WardManager *self);
gboolean ward_manager_get_connected(WardManager *self);
const char *ward_manager_get_connection_error(WardManager *self); /* "" while connected */
const char *ward_manager_get_libvirt_version(WardManager *self);  /* "" when unknown */
gboolean ward_manager_get_simulated(WardManager *self);
const WardSupport *ward_manager_get_support(WardManager *self, WardProtection protection);

/* NULL and WARD_ERROR_NOT_FOUND: @key is a UUID, an id or a name. Borrowed. Only what is known
 * already. */
WardDomain *ward_manager_lookup_domain(WardManager *self, const char *key, GError **error);

/* The same, but libvirt is asked for a domain that is not known yet: the event that it was defined
 * may be under way. */
void ward_manager_find_domain_async(WardManager *self,
                                    const char *key,
                                    GCancellable *cancellable,
                                    GAsyncReadyCallback callback,
                                    gpointer user_data);
WardDomain * /* a reference */
ward_manager_find_domain_finish(WardManager *self, GAsyncResult *result, GError **error);

GList *ward_manager_get_domains(WardManager *self); /* (transfer container) */
GList *ward_manager_get_jobs(WardManager *self);    /* (transfer container) */

/* Sentences about what @settings want and this host cannot give; (transfer full), may be
 * empty. */
GStrv ward_manager_check_settings(WardManager *self, const WardSettings *settings);

void ward_manager_get_protection_async(WardManager *self,
                                       WardDomain *domain,
                                       guint flags,
                                       GCancellable *cancellable,
                                       GAsyncReadyCallback callback,
                                       gpointer user_data);
/* The XML, "" when there is none. */
char *ward_manager_get_protection_finish(WardManager *self, GAsyncResult *result, GError **error);

/* An empty @settings clears (WARD_AFFECT_UPDATE is then an error). */
void ward_manager_set_protection_async(WardManager *self,
                                       WardDomain *domain,
                                       WardSettings *settings,
                                       guint flags,
                                       GCancellable *cancellable,
                                       GAsyncReadyCallback callback,
                                       gpointer user_data);
gboolean
ward_manager_set_protection_finish(WardManager *self, GAsyncResult *result, GError **error);

/* One operation of a protection on a domain: attach, detach, cancel. All end in
 * ward_manager_operation_finish(). */
typedef enum {
    WARD_OPERATION_TEARDOWN_CANCEL,
    WARD_OPERATION_INTROSPECTION_ATTACH,
    WARD_OPERATION_INTROSPECTION_DETACH,
} WardOperation;

void ward_manager_operation_async(WardManager *self,
                                  WardDomain *domain,
                                  WardOperation operation,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);
gboolean ward_manager_operation_finish(WardManager *self, GAsyncResult *result, GError **error);

/* Waits until no teardown of @domain runs; @timeout in seconds, 0 for no limit. */
void ward_manager_teardown_wait_async(WardManager *self,
                                      WardDomain *domain,
                                      guint timeout,
                                      GCancellable *cancellable,
                                      GAsyncReadyCallback callback,
                                      gpointer user_data);
gboolean ward_manager_teardown_wait_finish(WardManager *self, GAsyncResult *result, GError **error);

/* An a{st}, not floating. */
void ward_manager_isolation_statistics_async(WardManager *self,
                                             WardDomain *domain,
                                             GCancellable *cancellable,
                                             GAsyncReadyCallback callback,
                                             gpointer user_data);
GVariant *
ward_manager_isolation_statistics_finish(WardManager *self, GAsyncResult *result, GError **error);

/* Does not wait for what else is being done with @domain. All 0 where there is nothing to read: the
 * domain does not run, or its provider does not count. */
void ward_manager_introspection_statistics_async(WardManager *self,
                                                 WardDomain *domain,
                                                 GAsyncReadyCallback callback,
                                                 gpointer user_data);
gboolean ward_manager_introspection_statistics_finish(WardManager *self,
                                                      GAsyncResult *result,
                                                      WardIntrospectionStatistics *statistics,
                                                      GError **error);

void ward_manager_trustdomain_capacity_async(WardManager *self,
                                             GCancellable *cancellable,
                                             GAsyncReadyCallback callback,
                                             gpointer user_data);
gboolean ward_manager_trustdomain_capacity_finish(WardManager *self,
                                                  GAsyncResult *result,
                                                  WardTrustdomainCapacity *capacity,
                                                  GError **error);

/* libvirt's qemu hook. Calls no libvirt function: libvirt holds the domain while it waits.
 * _finish() returns warnings (transfer full), or NULL and WARD_ERROR_REFUSED. */
void ward_manager_run_hook_async(WardManager *self,
                                 const char *domain_name,
                                 const char *operation,
                                 const char *sub_operation,
                                 const char *xml,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);
GStrv ward_manager_run_hook_finish(WardManager *self, GAsyncResult *result, GError **error);

G_END_DECLS
