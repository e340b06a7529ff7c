/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-virsh-histogram.c: how long most replies took, in words
 */
#include "ward-histogram.h"

#define N 40

static void
check(const guint64 *counts, gsize n, const char *expected)
{
    g_autoptr(GVariant) histogram = g_variant_ref_sink(
        g_variant_new_fixed_array(G_VARIANT_TYPE_UINT64, counts, n, sizeof *counts));
    g_autofree char *text = ward_histogram_describe(histogram);

    g_assert_cmpstr(text, ==, expected);
}

static void
test_nothing(void)
{
    const guint64 counts[N] = {0};
    g_autofree char *none = ward_histogram_describe(NULL);

    g_assert_cmpstr(none, ==, "-");
    check(counts, N, "-");
    check(counts, 0, "-");
}

static void
test_shares(void)
{
    guint64 counts[N] = {[16] = 1};

    check(counts, N, "half under 65.6 us, 90 % under 65.6 us, all under 65.6 us");
    /* Half of them are not more than half, and nine of ten not more than nine. */
    counts[16] = 5;
    counts[17] = 4;
    counts[20] = 1;
    check(counts, N, "half under 65.6 us, 90 % under 131.1 us, all under 1.1 ms");
    counts[20] = 2;
    check(counts, N, "half under 131.1 us, 90 % under 1.1 ms, all under 1.1 ms");
}

static void
test_units(void)
{
    guint64 counts[N] = {[0] = 1};

    check(counts, N, "half under 1 ns, 90 % under 1 ns, all under 1 ns");
    counts[9] = 1;
    counts[10] = 8;
    counts[31] = 2;
    check(counts, N, "half under 1.1 us, 90 % under 2.2 s, all under 2.2 s");
}

/* The last entry has no end. */
static void
test_long(void)
{
    guint64 counts[N] = {[3] = 1, [N - 1] = 1};

    check(counts, N, "half under 8 ns, 90 % over 274.9 s, all over 274.9 s");
    check((guint64[]){5}, 1, "half over 1 ns, 90 % over 1 ns, all over 1 ns");
}

/* What another daemon may send: no crash, and no number that wraps around. */
static void
test_hostile(void)
{
    guint64 counts[200] = {[100] = G_MAXUINT64, [199] = G_MAXUINT64};
    g_autoptr(GVariant) histogram = g_variant_ref_sink(
        g_variant_new_fixed_array(G_VARIANT_TYPE_UINT64, counts, 200, sizeof *counts));
    g_autofree char *text = ward_histogram_describe(histogram);

    g_assert_true(g_str_has_prefix(text, "half under "));
    g_assert_nonnull(strstr(text, ", all over "));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/virsh-histogram/nothing", test_nothing);
    g_test_add_func("/virsh-histogram/shares", test_shares);
    g_test_add_func("/virsh-histogram/units", test_units);
    g_test_add_func("/virsh-histogram/long", test_long);
    g_test_add_func("/virsh-histogram/hostile", test_hostile);
    return g_test_run();
}
