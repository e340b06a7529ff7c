/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-domain-node.h: what the bus was last told of one domain, interface by interface
 *
 * There is one for each domain, and most domains show Domain1 alone: every byte counts.
 * To be used in the main thread.
 */
#pragma once

#include "ward-domain.h"

G_BEGIN_DECLS

/* The interfaces that a domain may show: the protections', each at its number, and Domain1. */
#define WARD_INTERFACE_DOMAIN WARD_N_PROTECTIONS
#define WARD_N_INTERFACES (WARD_INTERFACE_DOMAIN + 1)

typedef struct _WardDomainNode WardDomainNode;

WardDomainNode *ward_domain_node_new(WardDomain *domain); /* keeps a reference */
void ward_domain_node_free(WardDomainNode *self);
WardDomain *ward_domain_node_get_domain(WardDomainNode *self); /* borrowed */

/* Whether @interface was shown. */
gboolean ward_domain_node_has_told(WardDomainNode *self, guint interface);

/* Its properties, an a{sv}. (transfer full); NULL when it was not shown. */
GVariant *ward_domain_node_get_told(WardDomainNode *self, guint interface);

/* Does not take @properties. NULL: it is not shown any more. */
void ward_domain_node_set_told(WardDomainNode *self, guint interface, GVariant *properties);

G_END_DECLS
