/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-element.h: what each protection's element is to the rest of xml-schema (internal)
 *
 * One table of functions for each protection, in teardown.c, trustdomain.c, introspection.c and
 * isolation.c. Adding an attribute touches one of those files and the grammar.
 *
 * Settings of a protection live in an atomic reference-counted box (g_atomic_rc_box_*), so that
 * several WardSettings share them, and begin with their WardEnforcement.
 */
#pragma once

#include <glib.h>
#include <libxml/tree.h>

#include "ward-settings.h"

G_BEGIN_DECLS

typedef struct {
    gpointer (*parse)(const xmlNode *node, GError **error);
    /* Appends the element, indented by @indent; @prefix is "ward:" or "". */
    void (*format)(gconstpointer settings, const char *indent, const char *prefix, GString *xml);
    gboolean (*equal)(gconstpointer a, gconstpointer b);
    void (*clear)(gpointer settings); /* frees the members; NULL when there is nothing to free */
} WardElement;

extern const WardElement ward_element_teardown;
extern const WardElement ward_element_trustdomain;
extern const WardElement ward_element_introspection;
extern const WardElement ward_element_isolation;

const WardElement *ward_element_get(WardProtection protection);

/* Where @self keeps the settings of @protection. */
/* Empty, and the caller's to fill in. */
WardSettings *ward_settings_new(void);
gpointer *ward_settings_slot(WardSettings *self, WardProtection protection);

/* ward-xml.c: <ward:protection>, whose name and namespace the caller has checked. */
WardSettings *ward_settings_from_node(const xmlNode *node, GError **error);

/* ward-xml.c: the <ward:protection> of a <domain>. FALSE when something of ours is there but
 * wrong; TRUE with NULL when there is none. */
gboolean ward_settings_find_node(const xmlNode *domain, const xmlNode **node, GError **error);

G_END_DECLS
