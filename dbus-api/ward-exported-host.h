/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-exported-host.h: the object /org/virtward/host
 *
 * It follows the manager's "host-changed". All of it belongs to the main thread.
 */
#pragma once

#include "ward-guarded.h"

G_BEGIN_DECLS

/* (transfer full), not exported yet. */
GDBusObjectSkeleton *ward_exported_host_new(WardExportContext *context);

G_END_DECLS
