/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-domain.h: what the daemon knows of one domain: a cache of libvirt (wanted) and of the host
 * (actual), never a store of its own
 *
 * All of it belongs to the main thread.
 *
 * Signal "changed": anything below may have changed.
 * Signal "event" (WardProtection, const char *name, const char *detail_text, guint64 detail): a
 * thing that happened to a protection, named as the D-Bus signal of the protection's interface
 * ("Finished", "Hooked", "LifeChanged"…). For LifeChanged @detail_text is "old new".
 */
#pragma once

#include <glib-object.h>

#include "ward-actual.h"
#include "ward-job.h"

G_BEGIN_DECLS

#define WARD_TYPE_DOMAIN (ward_domain_get_type())
G_DECLARE_FINAL_TYPE(WardDomain, ward_domain, WARD, DOMAIN, GObject)

const char *ward_domain_get_uuid(WardDomain *self);
const char *ward_domain_get_name(WardDomain *self);
const char *ward_domain_get_state(WardDomain *self);  /* libvirt's word */
gboolean ward_domain_is_active(WardDomain *self);     /* has a running or paused guest */
int ward_domain_get_id(WardDomain *self);             /* libvirt's id, -1 when not active */
const char *ward_domain_get_status(WardDomain *self); /* "protected"…: see Domain1.Status */
const char *ward_domain_get_reason(WardDomain *self); /* never NULL */

/* What is wanted of the domain as it is: the live settings when it is active, else the persistent
 * ones. Never NULL; borrowed. */
const WardSettings *ward_domain_get_wanted(WardDomain *self);
const WardSettings *ward_domain_get_wanted_config(WardDomain *self);
const WardActual *ward_domain_get_actual(WardDomain *self); /* never NULL; borrowed */

/* Of its trust domain: where it is, and what its last reboot was seen to be. */
WardTrustdomainLife ward_domain_get_life(WardDomain *self);
WardReboot ward_domain_get_last_reboot(WardDomain *self);

/* Whether the interface of @protection belongs on the domain's object: wanted, or in force. */
gboolean ward_domain_shows(WardDomain *self, WardProtection protection);

WardJob *ward_domain_get_teardown_job(WardDomain *self); /* NULL when none runs; borrowed */

G_END_DECLS
