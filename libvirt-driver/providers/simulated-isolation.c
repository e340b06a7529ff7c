/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulated-isolation.h"

#define ENTRIES_PER_SECOND 1000
/* Of so many entries one is followed by something that ends the restricted address space. */
#define ENTRIES_PER_FAULT 500
#define ENTRIES_PER_SCHEDULE 1000
#define ENTRIES_PER_USERSPACE 500

/* The keys of a domain's group. Times are of the monotonic clock, in microseconds. */
#define KEY_SINCE "isolation-since" /* there is none: it is off */
#define KEY_OFF_SINCE "isolation-off-since"
#define KEY_FROM_START "isolation-from-start"
#define KEY_RESTRICTED "isolation-restricted" /* these two: entries, until the last change */
#define KEY_UNRESTRICTED "isolation-unrestricted"
#define KEY_VIOLATIONS "isolation-violations"
#define KEY_FORGIVEN "isolation-forgiven" /* violations of before it was last off */

static guint64
get_number(GKeyFile *machine, const char *uuid, const char *key)
{
    return g_key_file_get_uint64(machine, uuid, key, NULL);
}

static gboolean
is_on(GKeyFile *machine, const char *uuid)
{
    return g_key_file_has_key(machine, uuid, KEY_SINCE, NULL);
}

/* @total: what there was before @since, which may be no key. */
static guint64
count_entries(
    GKeyFile *machine, const char *uuid, const char *total, const char *since, guint64 now)
{
    guint64 begin = g_key_file_has_key(machine, uuid, since, NULL)
                        ? MIN(get_number(machine, uuid, since), now)
                        : now;

    return get_number(machine, uuid, total) + (now - begin) * ENTRIES_PER_SECOND / G_USEC_PER_SEC;
}

static void
switch_to(GKeyFile *machine, const char *uuid, gboolean on, guint64 now)
{
    g_key_file_remove_key(machine, uuid, on ? KEY_OFF_SINCE : KEY_SINCE, NULL);
    g_key_file_set_uint64(machine, uuid, on ? KEY_SINCE : KEY_OFF_SINCE, now);
}

void
ward_simulated_isolation_arm(GKeyFile *machine, const char *uuid, gboolean on)
{
    static const char *const counters[] = {KEY_RESTRICTED, KEY_UNRESTRICTED, KEY_VIOLATIONS,
                                           KEY_FORGIVEN};

    for (gsize i = 0; i < G_N_ELEMENTS(counters); i++)
        g_key_file_remove_key(machine, uuid, counters[i], NULL);
    switch_to(machine, uuid, on, g_get_monotonic_time());
    g_key_file_set_boolean(machine, uuid, KEY_FROM_START, on);
}

gboolean
ward_simulated_isolation_set(GKeyFile *machine, const char *uuid, gboolean on)
{
    guint64 now = g_get_monotonic_time();

    if (on == is_on(machine, uuid))
        return FALSE;
    g_key_file_set_uint64(machine, uuid, KEY_RESTRICTED,
                          count_entries(machine, uuid, KEY_RESTRICTED, KEY_SINCE, now));
    g_key_file_set_uint64(machine, uuid, KEY_UNRESTRICTED,
                          count_entries(machine, uuid, KEY_UNRESTRICTED, KEY_OFF_SINCE, now));
    g_key_file_set_uint64(machine, uuid, KEY_FORGIVEN, get_number(machine, uuid, KEY_VIOLATIONS));
    g_key_file_set_boolean(machine, uuid, KEY_FROM_START, FALSE);
    switch_to(machine, uuid, on, now);
    return TRUE;
}

void
ward_simulated_isolation_read(GKeyFile *machine, const char *uuid, WardIsolationActual *actual)
{
    gboolean on = is_on(machine, uuid);
    guint64 violations = get_number(machine, uuid, KEY_VIOLATIONS);

    *actual = (WardIsolationActual){
        .state = on ? WARD_ISOLATION_ON : WARD_ISOLATION_OFF,
        .broken = on && violations > get_number(machine, uuid, KEY_FORGIVEN),
        .from_start =
            on && !violations && g_key_file_get_boolean(machine, uuid, KEY_FROM_START, NULL),
        .violations = violations,
    };
}

void
ward_simulated_isolation_count(GKeyFile *machine,
                               const char *uuid,
                               WardIsolationStatistics *statistics)
{
    guint64 now = g_get_monotonic_time();
    guint64 restricted = count_entries(machine, uuid, KEY_RESTRICTED, KEY_SINCE, now);
    guint64 violations = get_number(machine, uuid, KEY_VIOLATIONS);

    *statistics = (WardIsolationStatistics){
        .time_us = now,
        .entries_restricted = restricted,
        .entries_unrestricted =
            count_entries(machine, uuid, KEY_UNRESTRICTED, KEY_OFF_SINCE, now) + violations,
        .violations = violations,
        .exits_fault = restricted / ENTRIES_PER_FAULT,
        .exits_schedule = restricted / ENTRIES_PER_SCHEDULE,
        .exits_userspace = restricted / ENTRIES_PER_USERSPACE,
        .flushes = restricted,
    };
}
