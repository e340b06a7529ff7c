/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-kvmi-names.h: the names of KVMI commands and events, as <ward:allow> writes them
 *
 * Numbers are those of the KVMI protocol, version 1, as libkvmi speaks it.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    const char *name;
    unsigned int id;
} WardKvmiName;

/* Both tables end with a NULL name. */
extern const WardKvmiName ward_kvmi_commands[];
extern const WardKvmiName ward_kvmi_events[];

/* -1 when there is no such name. */
int ward_kvmi_command_from_name(const char *name);
int ward_kvmi_event_from_name(const char *name);

G_END_DECLS
