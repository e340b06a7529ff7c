/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-providers.h"

#include "ward-error.h"

WardProvider *
ward_providers_create(const char *name, const char *state_dir, GError **error)
{
    if (g_str_equal(name, "auto")) {
        WardProvider *control = ward_control_provider_new("", NULL);

        return control ? control : ward_stock_provider_new("");
    }
    if (g_str_equal(name, "control"))
        return ward_control_provider_new("", error);
    if (g_str_equal(name, "stock"))
        return ward_stock_provider_new("");
    if (g_str_equal(name, "simulated"))
        return ward_simulated_provider_new(state_dir, error);
    g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                "there is no provider '%s': auto, control, stock or simulated", name);
    return NULL;
}
