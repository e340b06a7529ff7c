/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-providers.h: the host providers there are
 */
#pragma once

#include "ward-provider.h"

G_BEGIN_DECLS

/* @name: "control", "stock", "simulated", or "auto" for the best real one that this host can have.
 * @state_dir is where the simulated machine is kept. WARD_ERROR_INVALID_ARGUMENT for another name.
 */
WardProvider *ward_providers_create(const char *name, const char *state_dir, GError **error);

/* In these two @root is prepended to /proc and /sys: "" but in tests. */

/* NOT_SUPPORTED on a kernel without virtward's patches. What that kernel does not do itself, the
 * stock provider does. */
WardProvider *ward_control_provider_new(const char *root, GError **error);

WardProvider *ward_stock_provider_new(const char *root);

/* The machine is kept in @state_dir, so that a daemon started again finds the same machine, as it
 * would find the same kernel. */
WardProvider *ward_simulated_provider_new(const char *state_dir, GError **error);

G_END_DECLS
