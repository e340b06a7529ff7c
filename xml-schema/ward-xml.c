/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-xml.h"

#include <string.h>

#include "ward-document.h"
#include "ward-element.h"
#include "ward-error.h"
#include "ward-node.h"

#define PROTECTION_TAG                                                                             \
    "<" WARD_XML_PREFIX ":" WARD_XML_ROOT " xmlns:" WARD_XML_PREFIX "='" WARD_XML_NAMESPACE "'>"

static const char *const no_attributes[] = {NULL};

/* Whether @node, which is in some version of our namespace, is a <ward:protection> of this one. */
static gboolean
check_root(const xmlNode *node, GError **error)
{
    if (strcmp((const char *)node->ns->href, WARD_XML_NAMESPACE) != 0) {
        g_autofree char *uri = ward_node_clean_text(g_strdup((const char *)node->ns->href));

        ward_node_set_error(error, node, "unknown namespace version '%s'; allowed: %s", uri,
                            WARD_XML_NAMESPACE);
        return FALSE;
    }
    if (!ward_node_is_named(node, WARD_XML_ROOT)) {
        ward_node_set_error(error, node, "unknown element; allowed: " WARD_XML_ROOT);
        return FALSE;
    }
    return TRUE;
}

WardSettings *
ward_settings_from_node(const xmlNode *node, GError **error)
{
    const char *names[WARD_N_PROTECTIONS + 1] = {NULL};
    g_autoptr(WardSettings) settings = ward_settings_new();

    for (guint i = 0; i < WARD_N_PROTECTIONS; i++)
        names[i] = ward_protection_to_string(i);
    if (!ward_node_check(node, no_attributes, names, error))
        return NULL;

    for (xmlNode *child = ward_node_first(node); child != NULL; child = ward_node_next(child)) {
        WardProtection protection;
        gpointer *slot;

        if (!ward_protection_from_string((const char *)child->name, &protection))
            g_assert_not_reached();
        slot = ward_settings_slot(settings, protection);
        if (*slot != NULL) {
            ward_node_set_error(error, child, "a second one; allowed: at most one");
            return NULL;
        }
        *slot = ward_element_get(protection)->parse(child, error);
        if (*slot == NULL)
            return NULL;
    }
    return g_steal_pointer(&settings);
}

/* A document that is one <ward:protection>; @others says what else the caller would take. */
static WardSettings *
settings_from_root(const xmlNode *root, const char *others, GError **error)
{
    /* libvirt takes our namespace off in virDomainGetMetadata(). */
    if (root->ns == NULL && ward_node_is_named(root, WARD_XML_ROOT))
        return ward_settings_from_node(root, error);
    if (!ward_node_is_ours(root)) {
        ward_node_set_error(error, root, "unknown root element; allowed: %s" PROTECTION_TAG,
                            others);
        return NULL;
    }
    return check_root(root, error) ? ward_settings_from_node(root, error) : NULL;
}

WardSettings *
ward_settings_parse(const char *xml, gssize length, GError **error)
{
    g_autoptr(xmlDoc) document = ward_document_parse(xml, length, error);

    if (document == NULL)
        return NULL;
    return settings_from_root(xmlDocGetRootElement(document), "", error);
}

/* <protection>, or <ward:protection> with nothing that declares the prefix: libvirt would drop it
 * without a word. */
static gboolean
is_undeclared(const xmlNode *node)
{
    const char *name = (const char *)node->name;

    return node->ns == NULL &&
           (strcmp(name, WARD_XML_ROOT) == 0 || g_str_has_suffix(name, ":" WARD_XML_ROOT));
}

static gboolean
check_metadata_child(const xmlNode *child, const xmlNode **found, GError **error)
{
    if (is_undeclared(child)) {
        ward_node_set_error(error, child, "no namespace; allowed: " PROTECTION_TAG);
        return FALSE;
    }
    if (!ward_node_is_ours(child))
        return TRUE;
    if (!check_root(child, error))
        return FALSE;
    if (*found != NULL) {
        ward_node_set_error(error, child, "a second one; allowed: at most one");
        return FALSE;
    }
    *found = child;
    return TRUE;
}

gboolean
ward_settings_find_node(const xmlNode *domain, const xmlNode **node, GError **error)
{
    *node = NULL;
    for (const xmlNode *child = domain->children; child != NULL; child = child->next) {
        if (child->type != XML_ELEMENT_NODE)
            continue;
        if (ward_node_is_ours(child) || is_undeclared(child)) {
            ward_node_set_error(error, child, "not in <metadata>; allowed: only there");
            return FALSE;
        }
        if (!ward_node_is_named(child, "metadata") || child->ns != NULL)
            continue;
        for (const xmlNode *c = child->children; c != NULL; c = c->next) {
            if (c->type == XML_ELEMENT_NODE && !check_metadata_child(c, node, error))
                return FALSE;
        }
    }
    return TRUE;
}

WardSettings *
ward_xml_validate(const char *xml, gssize length, GError **error)
{
    g_autoptr(xmlDoc) document = ward_document_parse(xml, length, error);
    const xmlNode *root, *node;

    if (document == NULL)
        return NULL;
    root = xmlDocGetRootElement(document);
    if (root->ns != NULL || !ward_node_is_named(root, "domain"))
        return settings_from_root(root, "<domain>, ", error);
    if (!ward_settings_find_node(root, &node, error))
        return NULL;
    return node != NULL ? ward_settings_from_node(node, error) : ward_settings_new_empty();
}

static char *
format(const WardSettings *self, const char *prefix, const char *declaration)
{
    GString *xml;

    if (ward_settings_is_empty(self))
        return NULL;
    xml = g_string_new(NULL);
    g_string_append_printf(xml, "<%s" WARD_XML_ROOT "%s>\n", prefix, declaration);
    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        gconstpointer settings = *ward_settings_slot((WardSettings *)self, i);

        if (settings != NULL)
            ward_element_get(i)->format(settings, "  ", prefix, xml);
    }
    g_string_append_printf(xml, "</%s" WARD_XML_ROOT ">\n", prefix);
    return g_string_free(xml, FALSE);
}

char *
ward_settings_format(const WardSettings *self)
{
    return format(self, WARD_XML_PREFIX ":",
                  " xmlns:" WARD_XML_PREFIX "=\"" WARD_XML_NAMESPACE "\"");
}

char *
ward_settings_format_metadata(const WardSettings *self)
{
    return format(self, "", "");
}
