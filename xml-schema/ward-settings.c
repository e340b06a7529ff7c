/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-settings.h"

#include "ward-element.h"

static const WardElement *const elements[WARD_N_PROTECTIONS] = {
    [WARD_PROTECTION_TEARDOWN] = &ward_element_teardown,
    [WARD_PROTECTION_TRUSTDOMAIN] = &ward_element_trustdomain,
    [WARD_PROTECTION_INTROSPECTION] = &ward_element_introspection,
    [WARD_PROTECTION_ISOLATION] = &ward_element_isolation,
};

const WardElement *
ward_element_get(WardProtection protection)
{
    g_return_val_if_fail((guint)protection < WARD_N_PROTECTIONS, NULL);
    return elements[protection];
}

gpointer *
ward_settings_slot(WardSettings *self, WardProtection protection)
{
    switch (protection) {
    case WARD_PROTECTION_TEARDOWN:
        return (gpointer *)&self->teardown;
    case WARD_PROTECTION_TRUSTDOMAIN:
        return (gpointer *)&self->trustdomain;
    case WARD_PROTECTION_INTROSPECTION:
        return (gpointer *)&self->introspection;
    case WARD_PROTECTION_ISOLATION:
        return (gpointer *)&self->isolation;
    }
    g_return_val_if_reached(NULL);
}

static gpointer
get_slot(const WardSettings *self, WardProtection protection)
{
    return *ward_settings_slot((WardSettings *)self, protection);
}

WardSettings *
ward_settings_new(void)
{
    return g_atomic_rc_box_new0(WardSettings);
}

/* One for all domains that are not protected. */
WardSettings *
ward_settings_new_empty(void)
{
    static WardSettings *empty;

    if (g_once_init_enter(&empty))
        g_once_init_leave(&empty, ward_settings_new());
    return ward_settings_ref(empty);
}

WardSettings *
ward_settings_ref(WardSettings *self)
{
    return g_atomic_rc_box_acquire(self);
}

static void
clear(gpointer data)
{
    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        gpointer settings = get_slot(data, i);

        if (settings == NULL)
            continue;
        if (elements[i]->clear != NULL)
            g_atomic_rc_box_release_full(settings, elements[i]->clear);
        else
            g_atomic_rc_box_release(settings);
    }
}

void
ward_settings_unref(WardSettings *self)
{
    g_atomic_rc_box_release_full(self, clear);
}

gboolean
ward_settings_equal(const WardSettings *a, const WardSettings *b)
{
    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        gconstpointer x = get_slot(a, i);
        gconstpointer y = get_slot(b, i);

        if (x == y)
            continue;
        if (x == NULL || y == NULL || !elements[i]->equal(x, y))
            return FALSE;
    }
    return TRUE;
}

gboolean
ward_settings_is_empty(const WardSettings *self)
{
    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        if (ward_settings_wants(self, i))
            return FALSE;
    }
    return TRUE;
}

gboolean
ward_settings_wants(const WardSettings *self, WardProtection protection)
{
    return get_slot(self, protection) != NULL;
}

WardEnforcement
ward_settings_get_enforcement(const WardSettings *self, WardProtection protection)
{
    const WardEnforcement *enforcement = get_slot(self, protection);

    return enforcement != NULL ? *enforcement : WARD_ENFORCEMENT_REQUIRED;
}

WardSettings *
ward_settings_update(const WardSettings *self, const WardSettings *changes)
{
    WardSettings *result = ward_settings_new();

    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        gpointer settings = get_slot(ward_settings_wants(changes, i) ? changes : self, i);

        if (settings != NULL)
            *ward_settings_slot(result, i) = g_atomic_rc_box_acquire(settings);
    }
    return result;
}

WardSettings *
ward_settings_without(const WardSettings *self, WardProtection protection)
{
    WardSettings *result = ward_settings_new();

    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        gpointer settings = get_slot(self, i);

        if (settings != NULL && i != protection)
            *ward_settings_slot(result, i) = g_atomic_rc_box_acquire(settings);
    }
    return result;
}

const char *
ward_enforcement_to_string(WardEnforcement enforcement)
{
    return enforcement == WARD_ENFORCEMENT_PREFERRED ? "preferred" : "required";
}
