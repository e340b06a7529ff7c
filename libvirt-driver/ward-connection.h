/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-connection.h: one connection to libvirt, kept up
 *
 * Opens the connection off the main loop, listens to domain events, and opens it again, with
 * back-off, whenever it is lost. Everything belongs to the main thread except the functions that
 * say otherwise.
 *
 * Over a network libvirt's keepalive always runs. On a local socket a peer that dies is seen at
 * once, so an idle daemon need not wake up to ask: it does that only while an answer is awaited
 * (ward-patience.h).
 *
 * Signals:
 *   "opened", "closed": the connection changed, or an attempt failed; on "opened" everything known
 *   before is stale.
 *   "domain-event" (virDomainPtr, WardDomainEvent): borrowed for the length of the signal.
 */
#pragma once

#include <gio/gio.h>
#include <libvirt/libvirt.h>

G_BEGIN_DECLS

typedef enum {
    WARD_DOMAIN_EVENT_LIFECYCLE,
    WARD_DOMAIN_EVENT_STARTED, /* of the lifecycle events: these four matter by themselves */
    WARD_DOMAIN_EVENT_STOPPED,
    WARD_DOMAIN_EVENT_STOPPED_RECREATED, /* libvirt makes a new QEMU for a reboot */
    WARD_DOMAIN_EVENT_SUSPENDED,
    WARD_DOMAIN_EVENT_LEAVING, /* its memory is being copied away: migrated, saved */
    WARD_DOMAIN_EVENT_REBOOT,
    WARD_DOMAIN_EVENT_METADATA,
} WardDomainEvent;

#define WARD_TYPE_CONNECTION (ward_connection_get_type())
G_DECLARE_FINAL_TYPE(WardConnection, ward_connection, WARD, CONNECTION, GObject)

WardConnection *ward_connection_new(const char *uri);
void ward_connection_start(WardConnection *self);
void ward_connection_stop(WardConnection *self);

gboolean ward_connection_is_open(WardConnection *self);
const char *ward_connection_get_error(WardConnection *self); /* "" while open */
gulong ward_connection_get_libvirt_version(WardConnection *self);

/* Worker thread. 0: unknown, or another hypervisor. */
gulong ward_connection_read_qemu_version(virConnectPtr conn);

/* Any thread. The connection that the events come on, for what cannot hang: a reference to free
 * with virConnectClose(), or NULL and NOT_CONNECTED. */
virConnectPtr ward_connection_ref_shared(WardConnection *self, GError **error);

/* Any thread. For one caller's calls, until ward_connection_release(); NULL and NOT_CONNECTED.
 * A connection to libvirtd serves a few calls at a time, and its client library may leave a call
 * waiting for another's answer: a domain that hangs must not share one with others. */
virConnectPtr ward_connection_acquire(WardConnection *self, GError **error);
void ward_connection_release(WardConnection *self, virConnectPtr conn);

/* A libvirt call goes out on another connection than such a one, or came back: see ward-patience.h.
 * Any thread. */
void ward_connection_begin_call(WardConnection *self);
void ward_connection_end_call(WardConnection *self);

/* The value of a libvirt secret. Any thread; blocks. */
GBytes *ward_connection_get_secret(WardConnection *self, const char *uuid, GError **error);

/* Sets @error from libvirt's last error of this thread: "@doing: <libvirt's message>". */
void ward_connection_set_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

G_END_DECLS
