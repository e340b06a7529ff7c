/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-told.h"

static WardTold *
tell(const char *text)
{
    g_autoptr(GVariant) properties =
        g_variant_ref_sink(g_variant_new_parsed("{'Status': <%s>, 'Number': <uint64 7>}", text));

    return ward_told_new(properties);
}

static void
assert_says(GVariant *properties, const char *text)
{
    const char *status = NULL;
    guint64 number = 0;

    g_assert_true(g_variant_lookup(properties, "Status", "&s", &status));
    g_assert_cmpstr(status, ==, text);
    g_assert_true(g_variant_lookup(properties, "Number", "t", &number));
    g_assert_cmpuint(number, ==, 7);
}

static void
assert_told(WardTold *told, const char *text)
{
    g_autoptr(GVariant) properties = ward_told_get(told);

    assert_says(properties, text);
}

static void
test_bytes_stay_while_they_are_needed(void)
{
    WardTold *told = tell("on");
    g_autoptr(GVariant) properties = ward_told_get(told);

    ward_told_free(told);
    assert_says(properties, "on");
    g_assert_null(ward_told_get(NULL));
}

static void
test_domains_that_say_the_same_share_it(void)
{
    WardTold *one = tell("on"), *same = tell("on"), *other = tell("off");
    g_autoptr(GVariant) properties = ward_told_get(one);

    g_assert_true(one == same);
    g_assert_true(one != other);
    ward_told_free(one);
    assert_told(same, "on");
    assert_told(other, "off");
    ward_told_free(same);
    assert_says(properties, "on");
    /* Nobody says it any more: it is made anew. */
    one = tell("on");
    assert_told(one, "on");
    ward_told_free(one);
    ward_told_free(other);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/told/bytes-stay-while-they-are-needed",
                    test_bytes_stay_while_they_are_needed);
    g_test_add_func("/told/alike-share-it", test_domains_that_say_the_same_share_it);
    return g_test_run();
}
