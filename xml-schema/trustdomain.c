/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-element.h"
#include "ward-node.h"

static const char *const attributes[] = {"admission", "timeout", "onReboot", "enforcement", NULL};

static const char *const admissions[] = {
    [WARD_ADMISSION_REFUSE] = "refuse",
    [WARD_ADMISSION_WAIT] = "wait",
    NULL,
};

static const char *const reboots[] = {
    [WARD_TRUSTDOMAIN_RECREATE] = "recreate",
    [WARD_TRUSTDOMAIN_RESET] = "reset",
    [WARD_TRUSTDOMAIN_DESTROY] = "destroy",
    NULL,
};

const char *
ward_admission_to_string(WardAdmission admission)
{
    g_return_val_if_fail((guint)admission <= WARD_ADMISSION_WAIT, NULL);
    return admissions[admission];
}

const char *
ward_trustdomain_reboot_to_string(WardTrustdomainReboot reboot)
{
    g_return_val_if_fail((guint)reboot <= WARD_TRUSTDOMAIN_DESTROY, NULL);
    return reboots[reboot];
}

static gpointer
parse(const xmlNode *node, GError **error)
{
    WardTrustdomainSettings settings = {.timeout = WARD_ADMISSION_TIMEOUT_DEFAULT};
    guint admission = settings.admission;
    guint on_reboot = settings.on_reboot;

    if (!ward_node_check(node, attributes, NULL, error) ||
        !ward_node_read_word(node, "admission", admissions, &admission, error) ||
        !ward_node_read_number(node, "timeout", 1, WARD_ADMISSION_TIMEOUT_MAX, &settings.timeout,
                               error) ||
        !ward_node_read_word(node, "onReboot", reboots, &on_reboot, error) ||
        !ward_node_read_enforcement(node, &settings.enforcement, error))
        return NULL;
    settings.admission = admission;
    settings.on_reboot = on_reboot;
    return g_atomic_rc_box_dup(sizeof settings, &settings);
}

static void
format(gconstpointer settings, const char *indent, const char *prefix, GString *xml)
{
    const WardTrustdomainSettings *self = settings;

    g_string_append_printf(xml,
                           "%s<%strustdomain admission=\"%s\" timeout=\"%u\" onReboot=\"%s\""
                           " enforcement=\"%s\"/>\n",
                           indent, prefix, ward_admission_to_string(self->admission), self->timeout,
                           ward_trustdomain_reboot_to_string(self->on_reboot),
                           ward_enforcement_to_string(self->enforcement));
}

static gboolean
equal(gconstpointer a, gconstpointer b)
{
    const WardTrustdomainSettings *x = a;
    const WardTrustdomainSettings *y = b;

    return x->enforcement == y->enforcement && x->admission == y->admission &&
           x->timeout == y->timeout && x->on_reboot == y->on_reboot;
}

const WardElement ward_element_trustdomain = {
    .parse = parse,
    .format = format,
    .equal = equal,
};
