/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-document.h: hostile text into an XML tree (internal to xml-schema)
 *
 * Refused: a document type declaration (so no entity but the five of XML), text that is not UTF-8,
 * and anything above the bounds of ward-xml.h. Nothing is ever fetched.
 */
#pragma once

#include <glib.h>
#include <libxml/tree.h>

G_BEGIN_DECLS

/* Elements and attributes together: bounds the memory that a dense document turns into. */
#define WARD_XML_MAX_NODES (1024 * 1024)

/* A tree with a root element. Each element knows its line, see ward_node_get_line(). */
xmlDoc *ward_document_parse(const char *xml, gssize length, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

G_END_DECLS
