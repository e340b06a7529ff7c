/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-element.h"
#include "ward-node.h"

static const char *const attributes[] = {"onReboot", "onExit", "enforcement", NULL};

static const char *const modes[] = {
    [WARD_TEARDOWN_UNSET] = "",
    [WARD_TEARDOWN_ASYNC] = "async",
    [WARD_TEARDOWN_SYNC] = "sync",
    NULL,
};

const char *
ward_teardown_mode_to_string(WardTeardownMode mode)
{
    g_return_val_if_fail((guint)mode <= WARD_TEARDOWN_SYNC, NULL);
    return modes[mode];
}

static gpointer
parse(const xmlNode *node, GError **error)
{
    WardTeardownSettings settings = {.on_reboot = WARD_TEARDOWN_ASYNC};
    guint on_reboot = settings.on_reboot;
    guint on_exit_mode = settings.on_exit;

    if (!ward_node_check(node, attributes, NULL, error) ||
        !ward_node_read_word(node, "onReboot", modes, &on_reboot, error) ||
        !ward_node_read_word(node, "onExit", modes, &on_exit_mode, error) ||
        !ward_node_read_enforcement(node, &settings.enforcement, error))
        return NULL;
    settings.on_reboot = on_reboot;
    settings.on_exit = on_exit_mode;
    return g_atomic_rc_box_dup(sizeof settings, &settings);
}

static void
format(gconstpointer settings, const char *indent, const char *prefix, GString *xml)
{
    const WardTeardownSettings *self = settings;

    g_string_append_printf(xml, "%s<%steardown onReboot=\"%s\"", indent, prefix,
                           ward_teardown_mode_to_string(self->on_reboot));
    if (self->on_exit != WARD_TEARDOWN_UNSET)
        g_string_append_printf(xml, " onExit=\"%s\"", ward_teardown_mode_to_string(self->on_exit));
    g_string_append_printf(xml, " enforcement=\"%s\"/>\n",
                           ward_enforcement_to_string(self->enforcement));
}

static gboolean
equal(gconstpointer a, gconstpointer b)
{
    const WardTeardownSettings *x = a;
    const WardTeardownSettings *y = b;

    return x->enforcement == y->enforcement && x->on_reboot == y->on_reboot &&
           x->on_exit == y->on_exit;
}

const WardElement ward_element_teardown = {
    .parse = parse,
    .format = format,
    .equal = equal,
};
