/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-patience.h: whether a peer on a local socket lives, while an answer is awaited
 *
 * One that dies is seen at once; one that hangs matters only to who waits. When an answer has been
 * awaited for five seconds the peer is asked for something that it answers whatever else it does,
 * and when that has had no answer for fifteen it is lost. Nobody is woken up while nobody waits.
 *
 * Not libvirt's keepalive: a connection can be given that once, and once it was stopped, so that an
 * idle daemon need not wake up, it cannot be had again.
 */
#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

typedef struct _WardPatience WardPatience;
typedef void (*WardPatienceFunc)(gpointer owner);

/* Belongs to its @owner, and to the main thread except for begin and end. @ask blocks until there
 * is an answer, in a thread of its own; @lost is called in the main thread, once for what is asked.
 */
WardPatience *ward_patience_new(GObject *owner, WardPatienceFunc ask, WardPatienceFunc lost);
void ward_patience_free(WardPatience *self);

/* From now on nothing is asked any more. */
void ward_patience_stop(WardPatience *self);

/* Somebody waits for an answer, and does so no longer. Any thread. */
void ward_patience_begin(WardPatience *self);
void ward_patience_end(WardPatience *self);

G_END_DECLS
