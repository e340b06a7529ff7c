/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "simulated-trustdomain.h"

#include <time.h>

/* The host's group. */
#define GROUP_HOST "host"
#define KEY_KEYS "trustdomain-keys" /* how many there are */
#define KEY_REFUSED                                                                                \
    "trustdomain-refused"           /* how often QEMU found none: nobody should have let it        \
                                     */
#define KEY_LAST "trustdomain-last" /* number of the last group below */
#define KEYS_DEFAULT 31

/* A domain's group. Times are CLOCK_BOOTTIME, in microseconds. */
#define KEY_KEY "trustdomain-key"
#define KEY_STATE "trustdomain-state"
#define KEY_CREATED "trustdomain-created"
#define KEY_PAGES "trustdomain-pages"

/* What goes wrong, or slowly, in a machine whose file is edited while no daemon runs. */
#define KEY_STAYS "trustdomain-stays" /* in its state, whatever happens but its end */
#define KEY_LEAKS "trustdomain-leaks" /* its end leaves the key lost */
#define KEY_LEAKED_PAGES "trustdomain-leaked-pages"
#define KEY_RECLAIM_MS "trustdomain-reclaim-ms"

/* "reclaim-N" and "leak-N". */
#define PREFIX_RECLAIM "reclaim-"
#define PREFIX_LEAK "leak-"
#define KEY_DOMAIN "domain"
#define KEY_THE_KEY "key"
#define KEY_UNTIL "until"
#define KEY_THE_PAGES "pages"
#define KEY_TIME "time"

#define CONTROL_PAGES 12
#define PAGE_BYTES 4096

static const char *const states[] = {
    [WARD_TRUSTDOMAIN_NONE] = "none",
    [WARD_TRUSTDOMAIN_ASSIGNED] = "assigned",
    [WARD_TRUSTDOMAIN_CONFIGURED] = "configured",
    [WARD_TRUSTDOMAIN_INITIALIZED] = "initialized",
    [WARD_TRUSTDOMAIN_BLOCKED] = "blocked",
    [WARD_TRUSTDOMAIN_TEARDOWN] = "teardown",
};

static guint64
now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * G_GUINT64_CONSTANT(1000000) + now.tv_nsec / 1000;
}

static guint64
get_number(GKeyFile *machine, const char *group, const char *key)
{
    return g_key_file_get_uint64(machine, group, key, NULL);
}

static gboolean
get_switch(GKeyFile *machine, const char *group, const char *key)
{
    return g_key_file_get_boolean(machine, group, key, NULL);
}

static WardTrustdomainState
get_state(GKeyFile *machine, const char *uuid)
{
    g_autofree char *word = g_key_file_get_string(machine, uuid, KEY_STATE, NULL);

    for (guint i = 0; word && i < G_N_ELEMENTS(states); i++) {
        if (g_str_equal(word, states[i]))
            return i;
    }
    return WARD_TRUSTDOMAIN_NONE;
}

static void
set_state(GKeyFile *machine, const char *uuid, WardTrustdomainState state)
{
    g_key_file_set_string(machine, uuid, KEY_STATE, states[state]);
}

/* Whose memory is back by now. */
static void
end_reclaims(GKeyFile *machine)
{
    g_auto(GStrv) groups = g_key_file_get_groups(machine, NULL);
    guint64 now = now_us();

    for (char **group = groups; *group; group++) {
        if (g_str_has_prefix(*group, PREFIX_RECLAIM) &&
            get_number(machine, *group, KEY_UNTIL) <= now)
            g_key_file_remove_group(machine, *group, NULL);
    }
}

void
ward_simulated_trustdomain_count(GKeyFile *machine, WardTrustdomainCapacity *capacity)
{
    g_auto(GStrv) groups = NULL;

    end_reclaims(machine);
    groups = g_key_file_get_groups(machine, NULL);
    *capacity = (WardTrustdomainCapacity){.total = KEYS_DEFAULT, .knows_leaked = TRUE};
    if (g_key_file_has_key(machine, GROUP_HOST, KEY_KEYS, NULL))
        capacity->total = get_number(machine, GROUP_HOST, KEY_KEYS);
    for (char **group = groups; *group; group++) {
        if (g_str_has_prefix(*group, PREFIX_LEAK)) {
            capacity->leaked += get_number(machine, *group, KEY_THE_KEY) != 0;
            capacity->leaked_pages += get_number(machine, *group, KEY_THE_PAGES);
        } else if (g_str_has_prefix(*group, PREFIX_RECLAIM)) {
            capacity->used++;
        } else {
            capacity->used += g_key_file_has_key(machine, *group, KEY_KEY, NULL);
        }
    }
}

static gboolean
has_key(GKeyFile *machine, guint64 key)
{
    g_auto(GStrv) groups = g_key_file_get_groups(machine, NULL);

    for (char **group = groups; *group; group++) {
        if (get_number(machine, *group, KEY_KEY) == key ||
            get_number(machine, *group, KEY_THE_KEY) == key)
            return TRUE;
    }
    return FALSE;
}

/* 0: there is none left. */
static guint64
find_free_key(GKeyFile *machine)
{
    WardTrustdomainCapacity capacity;

    ward_simulated_trustdomain_count(machine, &capacity);
    for (guint64 key = 1; key <= capacity.total; key++) {
        if (!has_key(machine, key))
            return key;
    }
    return 0;
}

/* The newest group of @prefix about @uuid; NULL: there is none. */
static char *
find_group(GKeyFile *machine, const char *prefix, const char *uuid)
{
    g_auto(GStrv) groups = g_key_file_get_groups(machine, NULL);
    char *found = NULL;

    for (char **group = groups; *group; group++) {
        g_autofree char *domain = g_key_file_get_string(machine, *group, KEY_DOMAIN, NULL);

        if (g_str_has_prefix(*group, prefix) && g_strcmp0(domain, uuid) == 0) {
            g_free(found);
            found = g_strdup(*group);
        }
    }
    return found;
}

void
ward_simulated_trustdomain_read(GKeyFile *machine, const char *uuid, WardTrustdomainActual *actual)
{
    g_autofree char *leak = NULL;
    g_autofree char *reclaim = NULL;

    end_reclaims(machine);
    leak = find_group(machine, PREFIX_LEAK, uuid);
    reclaim = find_group(machine, PREFIX_RECLAIM, uuid);
    *actual = (WardTrustdomainActual){
        .known = TRUE,
        .state = get_state(machine, uuid),
        .leak = leak ? get_number(machine, leak, KEY_TIME) : 0,
        .leaked_pages = leak ? get_number(machine, leak, KEY_THE_PAGES) : 0,
    };
    if (actual->state != WARD_TRUSTDOMAIN_NONE) {
        actual->key = get_number(machine, uuid, KEY_KEY);
        actual->created_us = get_number(machine, uuid, KEY_CREATED);
        actual->vcpus = 1;
        actual->control_pages = CONTROL_PAGES;
        actual->private_pages = get_number(machine, uuid, KEY_PAGES);
    } else if (reclaim) {
        guint64 until = get_number(machine, reclaim, KEY_UNTIL);

        actual->state = WARD_TRUSTDOMAIN_TEARDOWN;
        actual->look_ms = MIN((until - MIN(until, now_us())) / 1000 + 1, G_MAXINT);
    }
}

gboolean
ward_simulated_trustdomain_has_leak(GKeyFile *machine, guint64 leak)
{
    g_auto(GStrv) groups = g_key_file_get_groups(machine, NULL);

    for (char **group = groups; *group; group++) {
        if (g_str_has_prefix(*group, PREFIX_LEAK) && get_number(machine, *group, KEY_TIME) == leak)
            return TRUE;
    }
    return FALSE;
}

static void
build(GKeyFile *machine, const WardTarget *target)
{
    guint64 key = find_free_key(machine);

    if (!key) {
        g_key_file_set_uint64(machine, GROUP_HOST, KEY_REFUSED,
                              get_number(machine, GROUP_HOST, KEY_REFUSED) + 1);
        return;
    }
    g_key_file_set_uint64(machine, target->uuid, KEY_KEY, key);
    g_key_file_set_uint64(machine, target->uuid, KEY_CREATED, now_us());
    g_key_file_set_uint64(machine, target->uuid, KEY_PAGES, target->memory_bytes / PAGE_BYTES);
    set_state(machine, target->uuid, WARD_TRUSTDOMAIN_INITIALIZED);
}

gboolean
ward_simulated_trustdomain_run(GKeyFile *machine, const WardTarget *target)
{
    WardTrustdomainState state = get_state(machine, target->uuid);

    if (state == WARD_TRUSTDOMAIN_INITIALIZED || get_switch(machine, target->uuid, KEY_STAYS))
        return FALSE;
    if (state == WARD_TRUSTDOMAIN_NONE)
        build(machine, target);
    else
        set_state(machine, target->uuid, WARD_TRUSTDOMAIN_INITIALIZED);
    return TRUE;
}

/* A group of its own for what is left of a trust domain. */
static char *
add_group(GKeyFile *machine, const char *prefix, const char *uuid, guint64 key)
{
    guint64 number = get_number(machine, GROUP_HOST, KEY_LAST) + 1;
    char *group = g_strdup_printf("%s%" G_GUINT64_FORMAT, prefix, number);

    g_key_file_set_uint64(machine, GROUP_HOST, KEY_LAST, number);
    g_key_file_set_string(machine, group, KEY_DOMAIN, uuid);
    g_key_file_set_uint64(machine, group, KEY_THE_KEY, key);
    return group;
}

static void
leak(GKeyFile *machine, const char *uuid, guint64 key)
{
    g_autofree char *group = add_group(machine, PREFIX_LEAK, uuid, key);

    g_key_file_set_uint64(machine, group, KEY_THE_PAGES,
                          get_number(machine, uuid, KEY_LEAKED_PAGES));
    g_key_file_set_uint64(machine, group, KEY_TIME, now_us());
}

gboolean
ward_simulated_trustdomain_end(GKeyFile *machine, const char *uuid)
{
    guint64 reclaim_ms = get_number(machine, uuid, KEY_RECLAIM_MS);
    guint64 key = get_number(machine, uuid, KEY_KEY);
    g_autofree char *group = NULL;

    if (!g_key_file_has_key(machine, uuid, KEY_KEY, NULL))
        return FALSE;
    if (get_switch(machine, uuid, KEY_LEAKS)) {
        leak(machine, uuid, key);
    } else if (reclaim_ms) {
        group = add_group(machine, PREFIX_RECLAIM, uuid, key);
        g_key_file_set_uint64(machine, group, KEY_UNTIL, now_us() + reclaim_ms * 1000);
    }
    g_key_file_remove_key(machine, uuid, KEY_KEY, NULL);
    g_key_file_remove_key(machine, uuid, KEY_STATE, NULL);
    g_key_file_remove_key(machine, uuid, KEY_CREATED, NULL);
    return TRUE;
}

gboolean
ward_simulated_trustdomain_reset(GKeyFile *machine, const WardTarget *target)
{
    if (!ward_simulated_trustdomain_end(machine, target->uuid))
        return FALSE;
    build(machine, target);
    return TRUE;
}
