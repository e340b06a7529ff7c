/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-histogram.h: a histogram of times, as the kernel counts them
 *
 * It is an "at": the first entry counts what took less than 1 ns, entry n (from 0) what took from
 * 2^(n-1) to 2^n ns, and the last one all that took longer.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* "half under 65.6 us, 90 % under 131.1 us, all under 1.1 ms", or "-" when it counts nothing. To be
 * freed. @histogram may be NULL. */
char *ward_histogram_describe(GVariant *histogram);

G_END_DECLS
