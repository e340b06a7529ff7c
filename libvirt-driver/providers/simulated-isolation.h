/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * simulated-isolation.h: the address space isolation of the simulated machine
 *
 * Its guests are entered at a steady rate. They never break out of it, unless the machine's file is
 * edited while no daemon runs: "isolation-violations" is how often they did. The caller locks the
 * machine and saves it.
 */
#pragma once

#include "ward-provider.h"

G_BEGIN_DECLS

/* QEMU is about to make the VM. */
void ward_simulated_isolation_arm(GKeyFile *machine, const char *uuid, gboolean on);
/* Returns whether the machine has changed. */
gboolean ward_simulated_isolation_set(GKeyFile *machine, const char *uuid, gboolean on);
void
ward_simulated_isolation_read(GKeyFile *machine, const char *uuid, WardIsolationActual *actual);
void ward_simulated_isolation_count(GKeyFile *machine,
                                    const char *uuid,
                                    WardIsolationStatistics *statistics);

G_END_DECLS
