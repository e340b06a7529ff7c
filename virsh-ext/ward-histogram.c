/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-histogram.h"

/* The first entry that has, with those before it, at least @share of all. */
static gsize
find_share(const guint64 *counts, gsize n, double share)
{
    double all = 0;
    double sum = 0;
    gsize i;

    for (i = 0; i < n; i++)
        all += counts[i];
    for (i = 0; i < n - 1; i++) {
        sum += counts[i];
        if (sum >= all * share)
            break;
    }
    return i;
}

/* Rounded up, so that it stays a limit. */
static char *
format_nanoseconds(double ns)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    gsize unit = 0;
    double tenths;

    for (; ns >= 1000 && unit < G_N_ELEMENTS(units) - 1; unit++)
        ns /= 1000;
    tenths = (double)(guint64)MIN(ns * 10, 1e18);
    if (tenths < ns * 10)
        tenths++;
    return g_strdup_printf(unit ? "%.1f %s" : "%.0f %s", tenths / 10, units[unit]);
}

static char *
format_limit(gsize entry, gsize n)
{
    gboolean open = entry == n - 1;
    g_autofree char *text = NULL;
    double ns = 1;

    for (gsize i = open ? 1 : 0; i < entry; i++)
        ns *= 2;
    text = format_nanoseconds(ns);
    return g_strdup_printf("%s %s", open ? "over" : "under", text);
}

char *
ward_histogram_describe(GVariant *histogram)
{
    gsize n = 0;
    const guint64 *counts =
        histogram ? g_variant_get_fixed_array(histogram, &n, sizeof *counts) : NULL;
    g_autofree char *half = NULL, *most = NULL, *all = NULL;
    gboolean any = FALSE;

    for (gsize i = 0; i < n; i++)
        any |= counts[i] > 0;
    if (!any)
        return g_strdup("-");
    half = format_limit(find_share(counts, n, 0.5), n);
    most = format_limit(find_share(counts, n, 0.9), n);
    all = format_limit(find_share(counts, n, 1), n);
    return g_strdup_printf("half %s, 90 %% %s, all %s", half, most, all);
}
