/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "ward-document.h"
#include "ward-element.h"
#include "ward-error.h"
#include "ward-node.h"
#include "ward-xml.h"

/* What libvirt uses when <quoteGenerationService> has no path (formatdomain, launch security). */
#define QUOTE_SOCKET_DEFAULT "/var/run/tdx-qgs/qgs.socket"

static const xmlNode *
child_of(const xmlNode *parent, const char *name)
{
    if (parent == NULL)
        return NULL;
    for (const xmlNode *child = parent->children; child != NULL; child = child->next) {
        if (child->type == XML_ELEMENT_NODE && child->ns == NULL && ward_node_is_named(child, name))
            return child;
    }
    return NULL;
}

/* The text of a child element without surrounding white space, or NULL. */
static char *
child_text(const xmlNode *parent, const char *name)
{
    const xmlNode *child = child_of(parent, name);
    xmlChar *content = child != NULL ? xmlNodeGetContent(child) : NULL;
    char *text = g_strdup((const char *)content);

    xmlFree(content);
    return text != NULL ? g_strstrip(text) : NULL;
}

/* libvirt reads a UUID with or without hyphens, in any case. */
static char *
canonical_uuid(const char *text)
{
    GString *uuid = g_string_sized_new(36);
    int n_digits = 0;

    for (; *text != '\0'; text++) {
        if (*text == '-' || g_ascii_isspace(*text))
            continue;
        if (!g_ascii_isxdigit(*text) || n_digits == 32) {
            n_digits = -1;
            break;
        }
        if (n_digits == 8 || n_digits == 12 || n_digits == 16 || n_digits == 20)
            g_string_append_c(uuid, '-');
        g_string_append_c(uuid, g_ascii_tolower(*text));
        n_digits++;
    }
    return g_string_free(uuid, n_digits != 32);
}

/* libvirt's scaled integers: "k" and "KiB" are 1024, "KB" is 1000, in any case; 0 when unknown. */
static guint64
unit_bytes(const char *unit)
{
    static const char letters[] = "kmgtpe";
    const char *letter;
    guint64 base, bytes = 1;

    if (g_ascii_strcasecmp(unit, "b") == 0 || g_ascii_strcasecmp(unit, "byte") == 0 ||
        g_ascii_strcasecmp(unit, "bytes") == 0)
        return 1;
    letter = *unit != '\0' ? strchr(letters, g_ascii_tolower(*unit)) : NULL;
    if (letter == NULL)
        return 0;
    if (unit[1] == '\0' || g_ascii_strcasecmp(unit + 1, "ib") == 0)
        base = 1024;
    else if (g_ascii_strcasecmp(unit + 1, "b") == 0)
        base = 1000;
    else
        return 0;
    for (const char *p = letters; p <= letter; p++)
        bytes *= base;
    return bytes;
}

static gboolean
read_memory(const xmlNode *root, guint64 *kib, GError **error)
{
    g_autofree char *text = child_text(root, "memory");
    g_autofree char *unit = NULL;
    guint64 number, bytes;

    if (text == NULL)
        return TRUE;
    unit = ward_node_get_attribute(child_of(root, "memory"), "unit");
    bytes = unit_bytes(unit != NULL ? unit : "KiB");
    if (bytes == 0 ||
        !g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64 / bytes, &number, NULL)) {
        ward_node_set_error(error, child_of(root, "memory"),
                            "'%s' with unit '%s' is not a size; allowed: a number of b, KiB, MiB, "
                            "GiB, TiB, KB, MB, GB or TB",
                            ward_node_clean_text(text),
                            unit != NULL ? ward_node_clean_text(unit) : "KiB");
        return FALSE;
    }
    number *= bytes;
    *kib = number / 1024 + (number % 1024 != 0);
    return TRUE;
}

static void
read_launch_security(const xmlNode *root, WardDomainXml *self)
{
    const xmlNode *node = child_of(root, "launchSecurity");
    const xmlNode *service = child_of(node, "quoteGenerationService");
    g_autofree char *type = node != NULL ? ward_node_get_attribute(node, "type") : NULL;

    if (node == NULL)
        return;
    if (g_strcmp0(type, "s390-pv") == 0)
        self->launch_security = WARD_LAUNCH_SECURITY_S390_PV;
    else if (g_strcmp0(type, "tdx") == 0)
        self->launch_security = WARD_LAUNCH_SECURITY_TDX;
    else
        self->launch_security = WARD_LAUNCH_SECURITY_OTHER;

    if (self->launch_security == WARD_LAUNCH_SECURITY_TDX && service != NULL) {
        self->quote_socket = ward_node_get_attribute(service, "path");
        if (self->quote_socket == NULL)
            self->quote_socket = g_strdup(QUOTE_SOCKET_DEFAULT);
    }
}

static void
read_async_teardown(const xmlNode *root, WardDomainXml *self)
{
    const xmlNode *node = child_of(child_of(root, "features"), "async-teardown");
    g_autofree char *enabled = node != NULL ? ward_node_get_attribute(node, "enabled") : NULL;

    /* libvirt takes the element without the attribute as "yes". */
    if (node != NULL)
        self->on_exit = g_strcmp0(enabled, "no") == 0 ? WARD_TEARDOWN_SYNC : WARD_TEARDOWN_ASYNC;
}

static gboolean
read_identity(const xmlNode *root, WardDomainXml *self, GError **error)
{
    g_autofree char *uuid = child_text(root, "uuid");

    self->name = child_text(root, "name");
    if (self->name == NULL || *self->name == '\0') {
        ward_node_set_error(error, root, "no element 'name'; allowed: exactly one");
        return FALSE;
    }
    self->uuid = uuid != NULL ? canonical_uuid(uuid) : NULL;
    if (self->uuid == NULL) {
        ward_node_set_error(error, root, "no valid element 'uuid'; allowed: exactly one");
        return FALSE;
    }
    return TRUE;
}

static void
read_settings(const xmlNode *root, WardDomainXml *self)
{
    const xmlNode *node;

    if (ward_settings_find_node(root, &node, &self->settings_error) && node != NULL)
        self->settings = ward_settings_from_node(node, &self->settings_error);
    if (self->settings == NULL)
        self->settings = ward_settings_new_empty();
}

/* Words that most domains have in common. Takes @word, which may be NULL. */
static GRefString *
intern(char *word)
{
    GRefString *interned = word != NULL ? g_ref_string_new_intern(word) : NULL;

    g_free(word);
    return interned;
}

WardDomainXml *
ward_domain_xml_parse(const char *xml, gssize length, GError **error)
{
    g_autoptr(xmlDoc) document = ward_document_parse(xml, length, error);
    g_autoptr(WardDomainXml) self = NULL;
    const xmlNode *root, *type;

    if (document == NULL)
        return NULL;
    root = xmlDocGetRootElement(document);
    if (root->ns != NULL || !ward_node_is_named(root, "domain")) {
        ward_node_set_error(error, root, "unknown root element; allowed: <domain>");
        return NULL;
    }

    self = g_new0(WardDomainXml, 1);
    if (!read_identity(root, self, error) || !read_memory(root, &self->memory_kib, error))
        return NULL;
    type = child_of(child_of(root, "os"), "type");
    self->type = intern(ward_node_get_attribute(root, "type"));
    self->arch = type != NULL ? intern(ward_node_get_attribute(type, "arch")) : NULL;
    self->on_reboot = intern(child_text(root, "on_reboot"));
    read_launch_security(root, self);
    read_async_teardown(root, self);
    read_settings(root, self);
    return g_steal_pointer(&self);
}

gboolean
ward_domain_xml_concerns_us(const char *xml)
{
    return strstr(xml, WARD_XML_NAMESPACE_STEM) != NULL || strstr(xml, "<launchSecurity") != NULL;
}

WardDomainXml *
ward_domain_xml_new_plain(void)
{
    WardDomainXml *self = g_new0(WardDomainXml, 1);

    self->settings = ward_settings_new_empty();
    return self;
}

WardDomainXml *
ward_domain_xml_new_wrong(GError *error)
{
    WardDomainXml *self = ward_domain_xml_new_plain();

    self->settings_error = error;
    return self;
}

void
ward_domain_xml_free(WardDomainXml *self)
{
    if (self == NULL)
        return;
    g_free(self->name);
    g_free(self->uuid);
    g_clear_pointer(&self->type, g_ref_string_release);
    g_clear_pointer(&self->arch, g_ref_string_release);
    g_free(self->quote_socket);
    g_clear_pointer(&self->on_reboot, g_ref_string_release);
    g_clear_pointer(&self->settings, ward_settings_unref);
    g_clear_error(&self->settings_error);
    g_free(self);
}
