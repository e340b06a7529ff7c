/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * simulated-trustdomain.h: the trust domains of the simulated machine
 *
 * A domain's group has its living trust domain; what outlives a domain has groups of its own: a key
 * that is being reclaimed, and one that leaked, until somebody takes its group out of the file (the
 * host reboots). The caller locks the machine and saves it.
 */
#pragma once

#include "ward-provider.h"

G_BEGIN_DECLS

void ward_simulated_trustdomain_count(GKeyFile *machine, WardTrustdomainCapacity *capacity);
void
ward_simulated_trustdomain_read(GKeyFile *machine, const char *uuid, WardTrustdomainActual *actual);
gboolean ward_simulated_trustdomain_has_leak(GKeyFile *machine, guint64 leak);

/* These three return whether the machine has changed. */

/* QEMU runs: it has its trust domain now. */
gboolean ward_simulated_trustdomain_run(GKeyFile *machine, const WardTarget *target);
/* QEMU is gone. */
gboolean ward_simulated_trustdomain_end(GKeyFile *machine, const char *uuid);
/* QEMU resets in place: another trust domain, of the same process. */
gboolean ward_simulated_trustdomain_reset(GKeyFile *machine, const WardTarget *target);

G_END_DECLS
