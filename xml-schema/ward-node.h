/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-node.h: elements and attributes of ours, read with precise errors (internal to xml-schema)
 *
 * Every message has the line, the element as the document writes it, what was found and what is
 * allowed. What a document says is quoted shortened and without control characters.
 *
 * "Ours" are the elements in the namespace of the <ward:protection> element itself: none at all in
 * the text that virDomainGetMetadata() returns, since libvirt takes it off there.
 */
#pragma once

#include <glib.h>
#include <libxml/tree.h>

#include "ward-settings.h"

G_BEGIN_DECLS

int ward_node_get_line(const xmlNode *node);
void ward_node_set_line(xmlNode *node, int line);

/* Whether the namespace is ours, any version of it. */
gboolean ward_node_is_ours(const xmlNode *node);

gboolean ward_node_is_named(const xmlNode *node, const char *name);

/* "line 3: <ward:teardown>: MESSAGE" */
void ward_node_set_error(GError **error, const xmlNode *node, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* Refuses attributes and child elements that are not in the lists (children may be NULL: none),
 * text, and our elements in a wrong namespace. Foreign attributes and elements are ignored. */
gboolean ward_node_check(const xmlNode *node,
                         const char *const *attributes,
                         const char *const *children,
                         GError **error);

/* The first, or next, child element in the namespace of its parent. */
xmlNode *ward_node_first(const xmlNode *parent);
xmlNode *ward_node_next(const xmlNode *node);

/* NULL when there is no such attribute; free with g_free(). */
char *ward_node_get_attribute(const xmlNode *node, const char *name);

/* "attribute 'NAME' is 'VALUE'; allowed: ALLOWED", or "is missing" for a NULL @value. */
void ward_node_set_value_error(
    GError **error, const xmlNode *node, const char *name, const char *value, const char *allowed);

/* Indexes @words, which end with NULL; an empty word cannot be written. Without the attribute
 * @value stays as it is. */
gboolean ward_node_read_word(
    const xmlNode *node, const char *name, const char *const *words, guint *value, GError **error);
gboolean
ward_node_read_enforcement(const xmlNode *node, WardEnforcement *enforcement, GError **error);
/* Decimal digits only. Without the attribute @value stays as it is. */
gboolean ward_node_read_number(const xmlNode *node,
                               const char *name,
                               guint minimum,
                               guint maximum,
                               guint *value,
                               GError **error);

/* The text with every control character replaced and cut after 100 characters, in place. */
char *ward_node_clean_text(char *text);

G_END_DECLS
