/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-element.h"
#include "ward-node.h"

static const char *const attributes[] = {"state", "enforcement", NULL};

static const char *const states[] = {[FALSE] = "off", [TRUE] = "on", NULL};

static gpointer
parse(const xmlNode *node, GError **error)
{
    WardIsolationSettings settings = {.on = TRUE};
    guint on = settings.on;

    if (!ward_node_check(node, attributes, NULL, error) ||
        !ward_node_read_word(node, "state", states, &on, error) ||
        !ward_node_read_enforcement(node, &settings.enforcement, error))
        return NULL;
    settings.on = on;
    return g_atomic_rc_box_dup(sizeof settings, &settings);
}

static void
format(gconstpointer settings, const char *indent, const char *prefix, GString *xml)
{
    const WardIsolationSettings *self = settings;

    g_string_append_printf(xml, "%s<%sisolation state=\"%s\" enforcement=\"%s\"/>\n", indent,
                           prefix, states[self->on != FALSE],
                           ward_enforcement_to_string(self->enforcement));
}

static gboolean
equal(gconstpointer a, gconstpointer b)
{
    const WardIsolationSettings *x = a;
    const WardIsolationSettings *y = b;

    return x->enforcement == y->enforcement && !x->on == !y->on;
}

const WardElement ward_element_isolation = {
    .parse = parse,
    .format = format,
    .equal = equal,
};
