/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-node.h"

#include <string.h>

#include "ward-error.h"

/* Characters of a piece of text that a message shows. */
#define QUOTE_MAX 100

int
ward_node_get_line(const xmlNode *node)
{
    return GPOINTER_TO_INT(node->_private);
}

void
ward_node_set_line(xmlNode *node, int line)
{
    node->_private = GINT_TO_POINTER(line);
}

static const char *
uri_of(const xmlNs *ns)
{
    return ns != NULL && ns->href != NULL ? (const char *)ns->href : "";
}

gboolean
ward_node_is_ours(const xmlNode *node)
{
    return g_str_has_prefix(uri_of(node->ns), WARD_XML_NAMESPACE_STEM);
}

gboolean
ward_node_is_named(const xmlNode *node, const char *name)
{
    return strcmp((const char *)node->name, name) == 0;
}

char *
ward_node_clean_text(char *text)
{
    const char *from = text;
    char *to = text;

    for (int n = 0; *from != '\0' && n < QUOTE_MAX; n++) {
        const char *next = g_utf8_next_char(from);

        if (g_unichar_iscntrl(g_utf8_get_char(from))) {
            *to++ = '?';
        } else {
            memmove(to, from, next - from);
            to += next - from;
        }
        from = next;
    }
    *to = '\0';
    return text;
}

/* As the document writes it, for the user to find it: with its own prefix. */
static char *
qualified_name(const xmlNode *node)
{
    const char *prefix =
        node->ns != NULL && node->ns->prefix != NULL ? (const char *)node->ns->prefix : NULL;
    g_autofree char *name = prefix != NULL ? g_strdup_printf("%s:%s", prefix, node->name)
                                           : g_strdup((const char *)node->name);

    return ward_node_clean_text(g_steal_pointer(&name));
}

void
ward_node_set_error(GError **error, const xmlNode *node, const char *format, ...)
{
    g_autofree char *name = qualified_name(node);
    g_autofree char *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_XML, "line %d: <%s>: %s",
                ward_node_get_line(node), name, message);
}

static char *
join(const char *const *words)
{
    GString *text = g_string_new(NULL);

    for (; words != NULL && *words != NULL; words++) {
        if (**words != '\0')
            g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "", *words);
    }
    return g_string_free(g_string_append(text, text->len > 0 ? "" : "none"), FALSE);
}

static gboolean
check_attribute(const xmlNode *node,
                const xmlAttr *attribute,
                const char *const *allowed,
                GError **error)
{
    const char *uri = uri_of(attribute->ns);
    g_autofree char *name = NULL;
    g_autofree char *list = NULL;

    if (g_str_has_prefix(uri, WARD_XML_NAMESPACE_STEM)) {
        name = ward_node_clean_text(g_strdup((const char *)attribute->name));
        ward_node_set_error(error, node, "attribute '%s' has a prefix; write it without", name);
        return FALSE;
    }
    if (*uri != '\0' ||
        (allowed != NULL && g_strv_contains(allowed, (const char *)attribute->name)))
        return TRUE;

    name = ward_node_clean_text(g_strdup((const char *)attribute->name));
    list = join(allowed);
    ward_node_set_error(error, node, "unknown attribute '%s'; allowed: %s", name, list);
    return FALSE;
}

static gboolean
check_child_element(const xmlNode *node,
                    const xmlNode *child,
                    const char *const *allowed,
                    GError **error)
{
    const char *uri = uri_of(child->ns);
    g_autofree char *name = NULL;
    g_autofree char *list = NULL;

    if (strcmp(uri, uri_of(node->ns)) != 0) {
        if (*uri == '\0') {
            ward_node_set_error(error, child, "no namespace; allowed: elements in %s",
                                WARD_XML_NAMESPACE);
            return FALSE;
        }
        if (!ward_node_is_ours(child))
            return TRUE;
        name = ward_node_clean_text(g_strdup(uri));
        ward_node_set_error(error, child, "namespace '%s' is not its parent's; allowed: %s", name,
                            WARD_XML_NAMESPACE);
        return FALSE;
    }
    if (allowed != NULL && g_strv_contains(allowed, (const char *)child->name))
        return TRUE;

    name = qualified_name(node);
    list = join(allowed);
    ward_node_set_error(error, child, "unknown element in <%s>; allowed: %s", name, list);
    return FALSE;
}

static gboolean
check_text(const xmlNode *node, const xmlNode *text, GError **error)
{
    g_autofree char *quoted = NULL;
    const char *content = text->content != NULL ? (const char *)text->content : "";

    content += strspn(content, " \t\r\n");
    if (*content == '\0')
        return TRUE;
    quoted = ward_node_clean_text(g_strchomp(g_strdup(content)));
    ward_node_set_error(error, node, "text '%s'; allowed: attributes and elements only", quoted);
    return FALSE;
}

gboolean
ward_node_check(const xmlNode *node,
                const char *const *attributes,
                const char *const *children,
                GError **error)
{
    for (const xmlAttr *attribute = node->properties; attribute != NULL;
         attribute = attribute->next) {
        if (!check_attribute(node, attribute, attributes, error))
            return FALSE;
    }
    for (const xmlNode *child = node->children; child != NULL; child = child->next) {
        if (child->type == XML_ELEMENT_NODE) {
            if (!check_child_element(node, child, children, error))
                return FALSE;
        } else if (child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) {
            if (!check_text(node, child, error))
                return FALSE;
        }
    }
    return TRUE;
}

static xmlNode *
skip_foreign(const xmlNode *parent, xmlNode *node)
{
    while (node != NULL &&
           (node->type != XML_ELEMENT_NODE || strcmp(uri_of(node->ns), uri_of(parent->ns)) != 0))
        node = node->next;
    return node;
}

xmlNode *
ward_node_first(const xmlNode *parent)
{
    return skip_foreign(parent, parent->children);
}

xmlNode *
ward_node_next(const xmlNode *node)
{
    return skip_foreign(node->parent, node->next);
}

char *
ward_node_get_attribute(const xmlNode *node, const char *name)
{
    xmlChar *value = xmlGetNoNsProp((xmlNode *)node, (const xmlChar *)name);
    char *copy = g_strdup((const char *)value);

    xmlFree(value);
    return copy;
}

void
ward_node_set_value_error(
    GError **error, const xmlNode *node, const char *name, const char *value, const char *allowed)
{
    g_autofree char *quoted = NULL;

    if (value == NULL) {
        ward_node_set_error(error, node, "attribute '%s' is missing; allowed: %s", name, allowed);
        return;
    }
    quoted = ward_node_clean_text(g_strdup(value));
    ward_node_set_error(error, node, "attribute '%s' is '%s'; allowed: %s", name, quoted, allowed);
}

gboolean
ward_node_read_word(
    const xmlNode *node, const char *name, const char *const *words, guint *value, GError **error)
{
    g_autofree char *text = ward_node_get_attribute(node, name);
    g_autofree char *list = NULL;

    if (text == NULL)
        return TRUE;
    for (guint i = 0; words[i] != NULL; i++) {
        if (*text != '\0' && strcmp(words[i], text) == 0) {
            *value = i;
            return TRUE;
        }
    }
    list = join(words);
    ward_node_set_value_error(error, node, name, text, list);
    return FALSE;
}

gboolean
ward_node_read_enforcement(const xmlNode *node, WardEnforcement *enforcement, GError **error)
{
    static const char *const words[] = {"required", "preferred", NULL};
    guint value = *enforcement;

    if (!ward_node_read_word(node, "enforcement", words, &value, error))
        return FALSE;
    *enforcement = value;
    return TRUE;
}

gboolean
ward_node_read_number(const xmlNode *node,
                      const char *name,
                      guint minimum,
                      guint maximum,
                      guint *value,
                      GError **error)
{
    g_autofree char *text = ward_node_get_attribute(node, name);
    g_autofree char *allowed = NULL;
    guint64 number;

    if (text == NULL)
        return TRUE;
    if (g_ascii_string_to_unsigned(text, 10, minimum, maximum, &number, NULL)) {
        *value = number;
        return TRUE;
    }
    allowed = g_strdup_printf("%u to %u", minimum, maximum);
    ward_node_set_value_error(error, node, name, text, allowed);
    return FALSE;
}
