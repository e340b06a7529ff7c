/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-domain-tree.h: the objects of all domains, below /org/virtward/domain
 *
 * A host has many domains, and an object and a skeleton of GDBus's for each interface of each cost
 * 2 to 3 kB apiece: more than all that the daemon knows of the domain. So the domains are one
 * subtree on the connection. Of each only what was last told of it is kept, its entry of an
 * inventory: it answers reads, and what differs in the next one is what is signalled. A skeleton is
 * made for the length of a method call.
 *
 * An object has Domain1, and the interface of each protection as ward_domain_shows() says; it
 * follows the domain's signals by itself. All of it belongs to the main thread.
 */
#pragma once

#include "ward-guarded.h"

G_BEGIN_DECLS

#define WARD_TYPE_DOMAIN_TREE (ward_domain_tree_get_type())
G_DECLARE_FINAL_TYPE(WardDomainTree, ward_domain_tree, WARD, DOMAIN_TREE, GObject)

WardDomainTree *ward_domain_tree_new(WardExportContext *context);

/* Shows the tree on @connection, in place of any other; NULL: on none. */
void ward_domain_tree_set_connection(WardDomainTree *self, GDBusConnection *connection);

void ward_domain_tree_add(WardDomainTree *self, WardDomain *domain);
void ward_domain_tree_remove(WardDomainTree *self, WardDomain *domain);

/* Adds an entry of an inventory, {oa{sa{sv}}}, for each domain. */
void ward_domain_tree_describe(WardDomainTree *self, GVariantBuilder *objects);

G_END_DECLS
