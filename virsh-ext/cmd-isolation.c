/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-isolation.c: address space isolation
 */
#include "ward-commands.h"
#include "ward-error.h"
#include "ward-options.h"
#include "ward-shell.h"
#include "ward-view.h"
#include "ward-wait.h"
#include "ward-xml.h"

/* As the D-Bus API names them, in the order of the table. */
static const char *const counters[][3] = {
    {"entries-restricted", "entriesRestricted", "Entries with"},
    {"entries-unrestricted", "entriesUnrestricted", "Entries without"},
    {"violations", "violations", "Violations"},
    {"exits-fault", "exitsFault", "Exits, fault"},
    {"exits-schedule", "exitsSchedule", "Exits, schedule"},
    {"exits-userspace", "exitsUserspace", "Exits, user space"},
    {"exits-explicit", "exitsExplicit", "Exits, explicit"},
    {"flushes", "flushes", "Flushes"},
};

/* Two readings, a{st}: @before is NULL when there is only one. */
typedef struct {
    GVariant *before;
    GVariant *now;
    guint64 elapsed_us;
} Readings;

static GStrv
complete_state(WardShell *shell)
{
    static const char *const states[] = {"on", "off", NULL};

    return g_strdupv((char **)states);
}

static const WardOptDef set_options[] = {
    WARD_OPTION_DOMAIN(ward_complete_domains),
    {"state", WARD_OPT_STRING, WARD_OPT_REQUIRED, "on or off", complete_state},
    WARD_OPTION_CONFIG,
    WARD_OPTION_LIVE,
    WARD_OPTION_CURRENT,
    {NULL},
};

/* A domain without isolation has no object to tell: it gets the element. */
static GVariant *
set_by_element(WardClient *client, const char *path, gboolean on, guint flags, GError **error)
{
    WardIsolationSettings isolation = {.on = on};
    WardSettings wanted = {.isolation = &isolation};
    g_autofree char *xml = ward_settings_format(&wanted);

    return ward_client_call(client, path, WARD_DBUS_INTERFACE_DOMAIN, "SetProtection",
                            g_variant_new("(su)", xml, flags | WARD_FLAG_UPDATE), NULL, error);
}

static GVariant *
set_state(WardClient *client, const WardView *view, const char *state, guint flags, GError **error)
{
    if (!view->protections[WARD_PROTECTION_ISOLATION])
        return set_by_element(client, view->path, g_str_equal(state, "on"), flags, error);
    return ward_client_call(client, view->path, WARD_DBUS_INTERFACE_ISOLATION, "SetState",
                            g_variant_new("(su)", state, flags), NULL, error);
}

static int
isolation_set(WardShell *shell, const WardCmd *cmd, GError **error)
{
    const char *state = ward_cmd_get_string(cmd, "state");
    g_autoptr(WardView) view = NULL;
    g_autoptr(GVariant) reply = NULL;
    WardClient *client;
    guint flags;

    if (!g_str_equal(state, "on") && !g_str_equal(state, "off")) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                    "'%s' is not a state of isolation: it is on or off", state);
        return 1;
    }
    if (!ward_options_get_impact(cmd, &flags, error))
        return 1;
    client = ward_shell_get_client(shell, error);
    view = client ? ward_view_fetch(client, ward_cmd_get_string(cmd, "domain"), error) : NULL;
    if (view)
        reply = set_state(client, view, state, flags, error);
    if (!reply)
        return 1;
    ward_shell_print_change(shell, view->path, "set", "Isolation of domain '%s' set to %s",
                            view->name, state);
    return 0;
}

static const WardOptDef stats_options[] = {
    WARD_OPTION_DOMAIN(ward_complete_isolation),
    {"interval", WARD_OPT_INT, 0, "read twice, so many seconds apart, and show rates"},
    {NULL},
};

static guint64
lookup(GVariant *statistics, const char *name)
{
    guint64 number = 0;

    if (statistics)
        g_variant_lookup(statistics, name, "t", &number);
    return number;
}

/* How often, of late or since the domain was started. */
static guint64
count(const Readings *readings, const char *name)
{
    return lookup(readings->now, name) - lookup(readings->before, name);
}

static double
get_rate(const Readings *readings, const char *name)
{
    return (double)count(readings, name) * G_USEC_PER_SEC / readings->elapsed_us;
}

static GVariant *
read_statistics(WardClient *client, const WardView *view, GError **error)
{
    g_autoptr(GVariant) reply = ward_client_call(client, view->path, WARD_DBUS_INTERFACE_ISOLATION,
                                                 "GetStatistics", NULL, "(a{st})", error);

    return reply ? g_variant_get_child_value(reply, 0) : NULL;
}

/* Another guest counts from 0 again. */
static gboolean
compare(Readings *readings, const WardView *view, GError **error)
{
    guint64 before = lookup(readings->before, "time");
    guint64 now = lookup(readings->now, "time");
    gboolean same = TRUE;

    for (guint i = 0; i < G_N_ELEMENTS(counters); i++)
        same &= lookup(readings->now, counters[i][0]) >= lookup(readings->before, counters[i][0]);
    if (same && now > before) {
        readings->elapsed_us = now - before;
        return TRUE;
    }
    g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_STATE,
                same ? "domain '%s': the daemon does not tell when it read the statistics"
                     : "domain '%s' was started anew meanwhile",
                view->name);
    return FALSE;
}

/* Leaves @status alone unless Control-C has ended the wait. */
static gboolean
read_again(WardClient *client,
           const WardView *view,
           guint interval,
           Readings *readings,
           int *status,
           GError **error)
{
    WardWait wait = {0};

    if (ward_wait_run(&wait, interval) == WARD_WAIT_INTERRUPTED) {
        *status = 130;
        return FALSE;
    }
    readings->before = g_steal_pointer(&readings->now);
    readings->now = read_statistics(client, view, error);
    return readings->now && compare(readings, view, error);
}

static void
add_counter(WardRecord *record, const Readings *readings, const char *const counter[3])
{
    g_autofree char *text = NULL;
    guint64 number;

    if (!g_variant_lookup(readings->now, counter[0], "t", &number))
        return;
    if (readings->before)
        text = g_strdup_printf("%" G_GUINT64_FORMAT " (%.1f/s)", number,
                               get_rate(readings, counter[0]));
    else
        text = g_strdup_printf("%" G_GUINT64_FORMAT, number);
    ward_record_add(record, counter[1], counter[2], g_variant_new_uint64(number), text);
}

/* What isolation costs hangs on how seldom its address space has to be left. */
static void
add_ratio(WardRecord *record, const Readings *readings)
{
    static const char *const exits[] = {"exits-fault", "exits-schedule", "exits-userspace",
                                        "exits-explicit"};
    g_autoptr(GVariant) first = g_variant_lookup_value(readings->now, exits[0], NULL);
    guint64 entries = count(readings, "entries-restricted");
    g_autofree char *text = NULL;
    double ratio;
    guint64 sum = 0;

    if (!first || !entries)
        return;
    for (guint i = 0; i < G_N_ELEMENTS(exits); i++)
        sum += count(readings, exits[i]);
    ratio = 100.0 * sum / entries;
    text = g_strdup_printf("%.2f", ratio);
    ward_record_add(record, "exitsPer100Entries", "Exits per 100 entries",
                    g_variant_new_double(ratio), text);
}

static void
add_rates(WardRecord *record, const Readings *readings)
{
    GVariantBuilder rates;

    g_variant_builder_init(&rates, G_VARIANT_TYPE_VARDICT);
    for (guint i = 0; i < G_N_ELEMENTS(counters); i++)
        g_variant_builder_add(&rates, "{sv}", counters[i][1],
                              g_variant_new_double(get_rate(readings, counters[i][0])));
    ward_record_add(record, "interval", NULL, g_variant_new_uint64(readings->elapsed_us), "");
    ward_record_add(record, "rates", NULL, g_variant_builder_end(&rates), "");
}

static void
print_readings(WardShell *shell, const WardView *view, const Readings *readings)
{
    g_autoptr(WardRecord) record = ward_shell_new_record(shell);

    ward_record_add_string(record, "domain", "Domain", view->name);
    for (guint i = 0; i < G_N_ELEMENTS(counters); i++)
        add_counter(record, readings, counters[i]);
    add_ratio(record, readings);
    if (readings->before)
        add_rates(record, readings);
    ward_shell_print_record(shell, record);
}

static int
isolation_stats(WardShell *shell, const WardCmd *cmd, GError **error)
{
    g_autoptr(WardView) view = NULL;
    WardClient *client;
    Readings readings = {0};
    guint interval = 0;
    int status = 1;

    if (!ward_cmd_get_uint(cmd, "interval", 1, G_MAXINT, &interval, error))
        return 1;
    client = ward_shell_get_client(shell, error);
    view = client ? ward_view_fetch_with(client, ward_cmd_get_string(cmd, "domain"),
                                         WARD_PROTECTION_ISOLATION, error)
                  : NULL;
    if (!view)
        return 1;
    readings.now = read_statistics(client, view, error);
    if (readings.now &&
        (!interval || read_again(client, view, interval, &readings, &status, error))) {
        ward_shell_warn(shell, FALSE);
        print_readings(shell, view, &readings);
        status = 0;
    }
    g_clear_pointer(&readings.before, g_variant_unref);
    g_clear_pointer(&readings.now, g_variant_unref);
    return status;
}

static const WardCmdDef commands[] = {
    {"isolation-set", isolation_set, set_options, WARD_CMD_CHANGES,
     "turn the isolation of a domain on or off",
     "Turns address space isolation on or off, in the domain's metadata and, with --live, in the\n"
     "    running domain."},
    {"isolation-stats", isolation_stats, stats_options, 0,
     "show statistics of a domain's isolation",
     "Counts entries into the guest with and without isolation, and exits from its address space "
     "by\n"
     "    their cause, since the domain was started. With --interval also how many there are in a "
     "second."},
    {NULL},
};

const WardCmdGroup ward_group_isolation = {"isolation", "Isolation", commands};
