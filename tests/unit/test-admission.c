/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-admission.c: who gets a trust domain key, in which order, and that there are never too many
 */
#include <glib/gstdio.h>
#include <utime.h>

#include "test-host.h"
#include "test-wait.h"
#include "ward-admission.h"
#include "ward-error.h"
#include "ward-marker.h"

#define N_KEYS 31
#define UUID "6d0a9a44-6d16-4a3d-9a43-%012u"

typedef struct {
    char *state_dir;
    WardAdmissions *admissions;
    WardTrustdomainCapacity host;
    WardTrustdomainCapacity begun; /* as it was when the last count began */
    guint counts;
    guint answered;
    GString *decided; /* "3+ 4- ": admitted, refused */
    char *last_error;
    char *expired;
    GPtrArray *told; /* Start, to be freed */
} Fixture;

typedef struct {
    Fixture *f;
    guint number;
    WardAdmissionStart *start; /* NULL: decided */
} Start;

static const WardTrustdomainSettings refuse = {.admission = WARD_ADMISSION_REFUSE, .timeout = 30};
static const WardTrustdomainSettings wait = {.admission = WARD_ADMISSION_WAIT, .timeout = 600};

static void
count(gpointer data)
{
    Fixture *f = data;

    f->counts++;
    f->begun = f->host;
}

static void
on_waits(const char *uuid, guint n, gpointer data)
{
    Fixture *f = data;

    g_assert_cmpuint(n, ==, ward_admission_get_waiting(f->admissions));
}

static void
on_expired(const char *uuid, gpointer data)
{
    Fixture *f = data;

    g_free(f->expired);
    f->expired = g_strdup(uuid);
}

/* As a daemon that has just started. */
static void
start_daemon(Fixture *f)
{
    static const WardAdmissionFuncs funcs = {count, on_waits, on_expired};

    f->admissions = ward_admission_new(f->state_dir, &funcs, f);
}

static void
set_up(Fixture *f, gconstpointer data)
{
    f->state_dir = g_dir_make_tmp("ward-admission-XXXXXX", NULL);
    f->decided = g_string_new("");
    f->host = (WardTrustdomainCapacity){.total = N_KEYS, .knows_leaked = TRUE};
    f->told = g_ptr_array_new_with_free_func(g_free);
    start_daemon(f);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    ward_admission_free(f->admissions);
    g_ptr_array_unref(f->told);
    g_string_free(f->decided, TRUE);
    g_free(f->last_error);
    g_free(f->expired);
    test_host_remove(f->state_dir);
    g_free(f->state_dir);
}

static const char *
uuid_of(guint number)
{
    static char uuids[4][40];
    static guint next;
    char *uuid = uuids[next++ % G_N_ELEMENTS(uuids)];

    g_snprintf(uuid, sizeof(uuids[0]), UUID, number);
    return uuid;
}

static void
on_decided(gpointer data, const GError *error)
{
    Start *start = data;

    start->start = NULL;
    g_string_append_printf(start->f->decided, "%u%c ", start->number, error ? '-' : '+');
    if (!error)
        return;
    g_assert_error(error, WARD_ERROR, WARD_ERROR_NO_CAPACITY);
    g_free(start->f->last_error);
    start->f->last_error = g_strdup(error->message);
}

static Start *
ask(Fixture *f, guint number, const WardTrustdomainSettings *settings)
{
    Start *start = g_new0(Start, 1);

    start->f = f;
    start->number = number;
    g_ptr_array_add(f->told, start);
    start->start = ward_admission_ask(f->admissions, uuid_of(number), settings, on_decided, start);
    return start;
}

/* The host's answer to the count that runs. */
static void
answer(Fixture *f)
{
    f->answered++;
    ward_admission_take_count(f->admissions, &f->host, NULL);
}

/* All counts that were asked for. */
static void
answer_all(Fixture *f)
{
    while (f->answered < f->counts)
        answer(f);
}

static void
assert_decided(Fixture *f, const char *expected)
{
    g_assert_cmpstr(f->decided->str, ==, expected);
    g_string_truncate(f->decided, 0);
}

static void
assert_says(Fixture *f, const char *words)
{
    if (!f->last_error || !strstr(f->last_error, words))
        g_error("'%s' is not in '%s'", words, f->last_error ? f->last_error : "");
}

static void
test_order(Fixture *f, gconstpointer data)
{
    f->host.total = 2;
    ask(f, 1, &wait);
    ask(f, 2, &refuse);
    ask(f, 3, &wait);
    ask(f, 4, &refuse);
    ask(f, 5, &wait);
    assert_decided(f, ""); /* nobody is told from within ask() */
    answer_all(f);
    assert_decided(f, "1+ 2+ 4- ");
    assert_says(f, "of 2 keys 0 are in use, 2 reserved for starts under way, and 1 start waits");
    g_assert_cmpuint(ward_admission_get_waiting(f->admissions), ==, 2);
    g_assert_cmpuint(ward_admission_get_reserved(f->admissions), ==, 2);

    ward_admission_drop(f->admissions, uuid_of(1));
    ask(f, 6, &refuse); /* comes after those who wait, whatever its kind */
    answer_all(f);
    assert_decided(f, "3+ 6- ");
    ward_admission_drop(f->admissions, uuid_of(2));
    answer_all(f);
    assert_decided(f, "5+ ");
}

static void
test_numbers(Fixture *f, gconstpointer data)
{
    f->host.used = 25;
    f->host.leaked = 6;
    ask(f, 1, &refuse);
    answer_all(f);
    assert_decided(f, "1- ");
    assert_says(f, "of 31 keys 25 are in use, 6 leaked until the host reboots");
    assert_says(f, "stop a trust domain, or let the start wait");
}

/* A key is counted by the host before, or after, its reservation ends, but never in neither. */
static void
test_no_key_is_missed_between_two_counts(Fixture *f, gconstpointer data)
{
    f->host.total = 1;
    ask(f, 1, &refuse);
    answer_all(f);
    assert_decided(f, "1+ ");
    ask(f, 2, &refuse); /* a count begins: the host says 0 */
    ward_admission_settle(f->admissions, uuid_of(1));
    g_assert_false(ward_admission_has(f->admissions, uuid_of(1)));
    answer(f);
    assert_decided(f, "2- ");
    f->host.used = 1;
    ask(f, 3, &refuse);
    answer_all(f);
    assert_decided(f, "3- ");
    f->host.used = 0;
    ask(f, 4, &refuse);
    answer_all(f);
    assert_decided(f, "4+ ");
}

/* Who comes while the host is being counted waits for the next count: a key may be free by then. */
static void
test_late_comer_gets_a_count_of_its_own(Fixture *f, gconstpointer data)
{
    f->host.used = N_KEYS;
    ask(f, 1, &refuse);
    ask(f, 2, &refuse);
    g_assert_cmpuint(f->counts, ==, 1);
    answer(f);
    assert_decided(f, "1- ");
    f->host.used = N_KEYS - 1;
    answer(f);
    assert_decided(f, "2+ ");
    g_assert_cmpuint(f->counts, ==, f->answered);
}

static void
test_hostile_numbers(Fixture *f, gconstpointer data)
{
    static const WardTrustdomainCapacity hosts[] = {
        {.total = 0},
        {.total = 3, .used = G_MAXUINT64},
        {.total = G_MAXUINT64, .used = G_MAXUINT64, .leaked = G_MAXUINT64},
        {.total = 5, .used = 3, .leaked = G_MAXUINT64 - 1},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(hosts); i++) {
        f->host = hosts[i];
        ask(f, 1, &refuse);
        answer_all(f);
        assert_decided(f, "1- ");
    }
}

static void
on_refused(gpointer data, const GError *error)
{
    g_assert_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED);
    *(gboolean *)data = TRUE;
}

static void
test_host_that_cannot_be_counted(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = g_error_new(WARD_ERROR, WARD_ERROR_NOT_SUPPORTED, "no tdx");
    gboolean refused = FALSE;

    ward_admission_ask(f->admissions, uuid_of(1), &wait, on_refused, &refused);
    ward_admission_take_count(f->admissions, NULL, error);
    g_assert_true(refused);
    g_assert_cmpuint(ward_admission_get_reserved(f->admissions), ==, 0);
}

static void
test_wait_ends(Fixture *f, gconstpointer data)
{
    const WardTrustdomainSettings brief = {.admission = WARD_ADMISSION_WAIT, .timeout = 1};

    f->host.used = N_KEYS;
    ask(f, 1, &brief);
    ask(f, 2, &wait);
    answer_all(f);
    while (!f->decided->len) {
        g_main_context_iteration(NULL, TRUE);
        answer_all(f); /* it is counted again and again: who else uses keys tells nobody */
    }
    assert_decided(f, "1- ");
    assert_says(f, "no key came free within 1 s (admission='wait'): of 31 keys 31 are in use, and "
                   "1 start waits for one");
    f->host.used = N_KEYS - 1;
    while (!f->decided->len) {
        g_main_context_iteration(NULL, TRUE);
        answer_all(f);
    }
    assert_decided(f, "2+ ");
}

static void
test_caller_that_goes(Fixture *f, gconstpointer data)
{
    Start *gone;

    f->host.total = 1;
    ask(f, 1, &wait);
    gone = ask(f, 2, &wait);
    ask(f, 3, &wait);
    answer_all(f);
    ward_admission_cancel(f->admissions, gone->start);
    g_assert_cmpuint(ward_admission_get_waiting(f->admissions), ==, 1);
    ward_admission_drop(f->admissions, uuid_of(1));
    answer_all(f);
    assert_decided(f, "1+ 3+ ");
}

/* One that is made anew goes before those that wait, and needs no key but its own. */
static void
test_place_is_kept(Fixture *f, gconstpointer data)
{
    f->host.total = 2;
    f->host.used = 2; /* 1 and another */
    ask(f, 8, &wait);
    answer_all(f);
    ward_admission_keep(f->admissions, uuid_of(1));
    g_assert_true(ward_admission_keeps(f->admissions, uuid_of(1)));
    f->host.used = 1; /* it ends */
    ward_admission_poke(f->admissions);
    answer_all(f);
    assert_decided(f, "");
    ask(f, 9, &refuse);
    ask(f, 1, &refuse);
    answer_all(f);
    assert_decided(f, "9- 1+ ");
    g_assert_false(ward_admission_keeps(f->admissions, uuid_of(1)));
    g_assert_true(ward_admission_has(f->admissions, uuid_of(1)));
}

/* It waits for the key that it had, even if it wants to be refused at once. */
static void
test_kept_place_waits_for_the_reclaim(Fixture *f, gconstpointer data)
{
    f->host.total = 1;
    f->host.used = 1;
    ask(f, 8, &wait);
    answer_all(f);
    ward_admission_keep(f->admissions, uuid_of(1));
    ask(f, 1, &refuse);
    answer_all(f);
    assert_decided(f, "");
    g_assert_cmpuint(ward_admission_get_waiting(f->admissions), ==, 2);
    f->host.used = 0;
    ward_admission_poke(f->admissions);
    answer_all(f);
    assert_decided(f, "1+ ");
}

/* Its key leaked: then there is none for it, and the place is given up. */
static void
test_kept_place_without_a_key(Fixture *f, gconstpointer data)
{
    f->host.total = 1;
    f->host.leaked = 1;
    ward_admission_keep(f->admissions, uuid_of(1));
    ask(f, 1, &refuse);
    answer_all(f);
    while (!f->decided->len) {
        g_main_context_iteration(NULL, TRUE);
        answer_all(f);
    }
    assert_decided(f, "1- ");
    assert_says(f, "1 leaked until the host reboots");
    g_assert_cmpuint(ward_admission_get_reserved(f->admissions), ==, 0);
}

static void
test_restart(Fixture *f, gconstpointer data)
{
    f->host.total = 2;
    ask(f, 1, &refuse);
    ask(f, 2, &refuse);
    answer_all(f);
    assert_decided(f, "1+ 2+ ");
    ward_admission_settle(f->admissions, uuid_of(2));
    f->host.used = 1;
    ward_admission_free(f->admissions);
    f->counts = f->answered = 0;
    start_daemon(f);
    g_assert_cmpuint(ward_admission_get_reserved(f->admissions), ==, 1);
    g_assert_true(ward_admission_is_inherited(f->admissions, uuid_of(1)));
    ask(f, 3, &refuse);
    answer_all(f);
    assert_decided(f, "3- ");
    ward_admission_drop(f->admissions, uuid_of(1));
    ask(f, 3, &refuse);
    answer_all(f);
    assert_decided(f, "3+ ");
}

static void
set_age(Fixture *f, guint number, gint64 age)
{
    g_autofree char *name = g_strdup_printf("%s.admitted", uuid_of(number));
    g_autofree char *path = g_build_filename(f->state_dir, name, NULL);
    struct utimbuf times = {.modtime = g_get_real_time() / G_USEC_PER_SEC - age};

    times.actime = times.modtime;
    g_assert_cmpint(g_utime(path, &times), ==, 0);
}

/* It dies between a domain's end and its next start, or its user's. */
static void
test_restart_with_a_kept_place(Fixture *f, gconstpointer data)
{
    f->host.total = 1;
    ward_admission_keep(f->admissions, uuid_of(1));
    ward_admission_free(f->admissions);
    start_daemon(f);
    g_assert_true(ward_admission_keeps(f->admissions, uuid_of(1)));
    ask(f, 2, &refuse);
    ask(f, 1, &refuse);
    answer_all(f);
    assert_decided(f, "2- 1+ ");

    ward_admission_keep(f->admissions, uuid_of(1));
    ward_admission_free(f->admissions);
    set_age(f, 1, WARD_ADMISSION_KEEP_SECONDS);
    start_daemon(f);
    g_assert_cmpuint(ward_admission_get_reserved(f->admissions), ==, 0);
}

/* What is older than a start may take, or of another clock, or no domain's, is nobody's. */
static void
test_restart_after_long(Fixture *f, gconstpointer data)
{
    for (guint i = 1; i <= 3; i++)
        ward_marker_set(f->state_dir, uuid_of(i), WARD_MARKER_ADMITTED, TRUE);
    set_age(f, 1, WARD_ADMISSION_EXPIRY_SECONDS + 1);
    set_age(f, 2, -3600);
    set_age(f, 3, WARD_ADMISSION_EXPIRY_SECONDS - 1);
    ward_marker_set(f->state_dir, "no-uuid", WARD_MARKER_ADMITTED, TRUE);
    ward_admission_free(f->admissions);
    start_daemon(f);
    g_assert_cmpuint(ward_admission_get_reserved(f->admissions), ==, 1);
    g_assert_true(ward_admission_has(f->admissions, uuid_of(3)));
    g_assert_false(ward_marker_get(f->state_dir, uuid_of(1), WARD_MARKER_ADMITTED));
    WAIT(f->expired); /* a second later */
    g_assert_cmpstr(f->expired, ==, uuid_of(3));
    g_assert_false(ward_admission_is_inherited(f->admissions, uuid_of(3)));
    g_assert_true(ward_admission_is_overdue(f->admissions, uuid_of(3)));
}

/* Starts, stops and leaks at random, with a host that counts at its own time: the sum of what is
 * used and what is admitted never exceeds what there is. */
static void
test_200_starts_over_31_keys(Fixture *f, gconstpointer data)
{
    enum { N = 200 };
    Start *starts[N];
    gboolean used[N] = {0};
    gboolean admitted[N] = {0};
    gboolean stopped[N] = {0};
    guint done = 0;

    for (guint i = 0; i < N; i++)
        starts[i] = ask(f, i, &wait);
    while (done < N) {
        guint n = g_test_rand_int_range(0, N);
        guint holders = 0;

        if (f->answered < f->counts && g_test_rand_int_range(0, 3) == 0) {
            f->answered++;
            ward_admission_take_count(f->admissions, g_test_rand_bit() ? &f->host : &f->begun,
                                      NULL);
        }
        for (guint i = 0; i < N; i++) {
            admitted[i] |= starts[i]->start == NULL && !used[i] && !stopped[i];
            holders += admitted[i] || used[i];
        }
        g_assert_cmpuint(holders + f->host.leaked, <=, N_KEYS);
        if (admitted[n] && g_test_rand_int_range(0, 8) == 0) { /* the start fails */
            admitted[n] = FALSE;
            stopped[n] = TRUE;
            ward_admission_drop(f->admissions, uuid_of(n));
            done++;
        } else if (admitted[n]) { /* QEMU takes the key, and the daemon sees it */
            admitted[n] = FALSE;
            used[n] = TRUE;
            f->host.used++;
            ward_admission_settle(f->admissions, uuid_of(n));
        } else if (used[n]) { /* it stops; few leak */
            used[n] = FALSE;
            stopped[n] = TRUE;
            f->host.used--;
            f->host.leaked += f->host.leaked < 5 && g_test_rand_int_range(0, 20) == 0;
            ward_admission_poke(f->admissions);
            done++;
        }
    }
    g_assert_cmpuint(ward_admission_get_reserved(f->admissions), ==, 0);
    g_assert_cmpuint(ward_admission_get_waiting(f->admissions), ==, 0);
}

/* In the order of arrival, all of them. */
static void
test_200_wait_in_order(Fixture *f, gconstpointer data)
{
    g_autoptr(GString) expected = g_string_new("");

    f->host.total = 1;
    for (guint i = 0; i < 200; i++) {
        ask(f, i, &wait);
        g_string_append_printf(expected, "%u+ ", i);
    }
    for (guint i = 0; i < 200; i++) {
        answer_all(f);
        ward_admission_drop(f->admissions, uuid_of(i));
    }
    assert_decided(f, expected->str);
}

#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/admission/order", test_order);
    ADD("/admission/numbers", test_numbers);
    ADD("/admission/no-key-is-missed", test_no_key_is_missed_between_two_counts);
    ADD("/admission/late-comer", test_late_comer_gets_a_count_of_its_own);
    ADD("/admission/hostile-numbers", test_hostile_numbers);
    ADD("/admission/host-that-cannot-be-counted", test_host_that_cannot_be_counted);
    ADD("/admission/wait-ends", test_wait_ends);
    ADD("/admission/caller-that-goes", test_caller_that_goes);
    ADD("/admission/place-is-kept", test_place_is_kept);
    ADD("/admission/kept-place-waits-for-the-reclaim", test_kept_place_waits_for_the_reclaim);
    ADD("/admission/kept-place-without-a-key", test_kept_place_without_a_key);
    ADD("/admission/restart", test_restart);
    ADD("/admission/restart-with-a-kept-place", test_restart_with_a_kept_place);
    ADD("/admission/restart-after-long", test_restart_after_long);
    ADD("/admission/200-starts-over-31-keys", test_200_starts_over_31_keys);
    ADD("/admission/200-wait-in-order", test_200_wait_in_order);
    return g_test_run();
}
