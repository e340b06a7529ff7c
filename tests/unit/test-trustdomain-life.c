/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-trustdomain-life.c: the state machine of a trust domain's life: every step that there is,
 * and that there is no other
 */
#include "ward-trustdomain-life.h"

#define N_LIVES (WARD_TRUSTDOMAIN_LIFE_LEAKED + 1)

#define DEFINED WARD_TRUSTDOMAIN_LIFE_DEFINED
#define ADMITTED WARD_TRUSTDOMAIN_LIFE_ADMITTED
#define BUILDING WARD_TRUSTDOMAIN_LIFE_BUILDING
#define RUNNING WARD_TRUSTDOMAIN_LIFE_RUNNING
#define STOPPING WARD_TRUSTDOMAIN_LIFE_STOPPING
#define RECLAIMING WARD_TRUSTDOMAIN_LIFE_RECLAIMING
#define GONE WARD_TRUSTDOMAIN_LIFE_GONE
#define LEAKED WARD_TRUSTDOMAIN_LIFE_LEAKED

/* Rows: from; columns: to, in the order of the enum. n: there is no such step. */
static const char *const table[N_LIVES] = {
    /*  d a b r s c g l */
    "- h o n n n n o", /* defined */
    "l - o n n n n l", /* admitted */
    "n n - l l n n n", /* building */
    "n n n - l n n n", /* running */
    "n n n n - o n n", /* stopping */
    "n n n n n - o o", /* reclaiming */
    "l h o n n n - o", /* gone */
    "o h o n n n n -", /* leaked */
};

static void
test_every_step(void)
{
    for (guint from = 0; from < N_LIVES; from++) {
        for (guint to = 0; to < N_LIVES; to++) {
            WardLifeDriver expected = WARD_LIFE_DRIVER_NONE;

            switch (table[from][2 * to]) {
            case 'h':
                expected = WARD_LIFE_DRIVER_HOOK;
                break;
            case 'l':
                expected = WARD_LIFE_DRIVER_LIBVIRT;
                break;
            case 'o':
                expected = WARD_LIFE_DRIVER_HOST;
                break;
            default:
                break;
            }
            g_assert_cmpint(ward_trustdomain_life_get_driver(from, to), ==, expected);
        }
    }
}

/* "defined admitted building" and so on. */
static char *
walk(WardTrustdomainLife from, WardTrustdomainLife to)
{
    GString *way = g_string_new(ward_trustdomain_life_to_string(from));

    for (guint steps = 0; from != to; steps++) {
        WardTrustdomainLife next = ward_trustdomain_life_step(from, to);

        g_assert_cmpuint(steps, <, N_LIVES);
        g_assert_cmpint(ward_trustdomain_life_get_driver(from, next), !=, WARD_LIFE_DRIVER_NONE);
        from = next;
        g_string_append_printf(way, " %s", ward_trustdomain_life_to_string(from));
    }
    return g_string_free(way, FALSE);
}

static void
test_no_step_is_skipped(void)
{
    static const struct {
        WardTrustdomainLife from;
        WardTrustdomainLife to;
        const char *way;
    } ways[] = {
        {DEFINED, DEFINED, "defined"},
        {DEFINED, RUNNING, "defined building running"},
        {ADMITTED, RUNNING, "admitted building running"},
        {BUILDING, DEFINED, "building stopping reclaiming gone defined"},
        {RUNNING, DEFINED, "running stopping reclaiming gone defined"},
        {RUNNING, ADMITTED, "running stopping reclaiming gone admitted"},
        {RUNNING, LEAKED, "running stopping reclaiming leaked"},
        {RUNNING, BUILDING, "running stopping reclaiming gone building"},
        {STOPPING, RUNNING, "stopping reclaiming gone building running"},
        {GONE, LEAKED, "gone leaked"},
        {LEAKED, RUNNING, "leaked building running"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autofree char *way = walk(ways[i].from, ways[i].to);

        g_assert_cmpstr(way, ==, ways[i].way);
    }
    /* And from everywhere to everywhere by legal steps. */
    for (guint from = 0; from < N_LIVES; from++) {
        for (guint to = 0; to < N_LIVES; to++)
            g_free(walk(from, to));
    }
}

static void
test_life_follows_from_facts(void)
{
    static const struct {
        WardLifeFacts facts;
        WardTrustdomainLife life;
    } cases[] = {
        {{.host = WARD_TRUSTDOMAIN_NONE}, DEFINED},
        {{.host = WARD_TRUSTDOMAIN_RECLAIMED}, DEFINED},
        {{.kept = TRUE}, GONE},
        {{.kept = TRUE, .leak_new = TRUE}, LEAKED},
        {{.kept = TRUE, .host = WARD_TRUSTDOMAIN_TEARDOWN}, RECLAIMING},
        {{.leak_new = TRUE}, LEAKED},
        {{.leak_old = TRUE}, LEAKED},
        {{.host = WARD_TRUSTDOMAIN_LEAKED}, LEAKED},
        {{.starting = TRUE}, DEFINED}, /* it still waits */
        {{.starting = TRUE, .admitted = TRUE}, ADMITTED},
        {{.admitted = TRUE}, ADMITTED}, /* of before this daemon */
        {{.starting = TRUE, .admitted = TRUE, .leak_old = TRUE}, ADMITTED},
        {{.starting = TRUE, .host = WARD_TRUSTDOMAIN_ASSIGNED}, BUILDING},
        {{.active = TRUE, .host = WARD_TRUSTDOMAIN_CONFIGURED}, BUILDING},
        {{.admitted = TRUE, .host = WARD_TRUSTDOMAIN_ASSIGNED}, BUILDING},
        {{.active = TRUE, .starting = TRUE, .host = WARD_TRUSTDOMAIN_INITIALIZED}, BUILDING},
        {{.active = TRUE, .host = WARD_TRUSTDOMAIN_INITIALIZED}, RUNNING},
        {{.active = TRUE, .host = WARD_TRUSTDOMAIN_INITIALIZED, .leak_old = TRUE}, RUNNING},
        {{.active = TRUE, .host = WARD_TRUSTDOMAIN_BLOCKED}, STOPPING},
        {{.host = WARD_TRUSTDOMAIN_INITIALIZED}, STOPPING}, /* libvirt has let go of it */
        {{.host = WARD_TRUSTDOMAIN_CONFIGURED}, STOPPING},
        {{.host = WARD_TRUSTDOMAIN_TEARDOWN}, RECLAIMING},
        {{.active = TRUE, .host = WARD_TRUSTDOMAIN_TEARDOWN}, RECLAIMING},
        {{.active = TRUE, .host = WARD_TRUSTDOMAIN_NONE}, GONE}, /* QEMU makes it anew */
        {{.active = TRUE, .host = WARD_TRUSTDOMAIN_UNKNOWN}, RUNNING},
        {{.active = TRUE, .starting = TRUE, .host = WARD_TRUSTDOMAIN_UNKNOWN}, BUILDING},
        {{.host = WARD_TRUSTDOMAIN_UNKNOWN}, DEFINED},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpint(ward_trustdomain_life_find(&cases[i].facts), ==, cases[i].life);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/trustdomain-life/every-step", test_every_step);
    g_test_add_func("/trustdomain-life/no-step-is-skipped", test_no_step_is_skipped);
    g_test_add_func("/trustdomain-life/follows-from-facts", test_life_follows_from_facts);
    return g_test_run();
}
