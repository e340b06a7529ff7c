/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-isolation.c: address space isolation
 */
#include "ward-commands.h"
#include "ward-error.h"
#include "ward-options.h"
#include "ward-shell.h"
#include "ward-view.h"
#include "ward-xml.h"

/* As the D-Bus API names them, in the order of the table. */
static const char *const counters[][3] = {
    {"entries-restricted", "entriesRestricted", "Entries with"},
    {"entries-unrestricted", "entriesUnrestricted", "Entries without"},
    {"exits-fault", "exitsFault", "Exits, fault"},
    {"exits-schedule", "exitsSchedule", "Exits, schedule"},
    {"exits-userspace", "exitsUserspace", "Exits, user space"},
    {"exits-explicit", "exitsExplicit", "Exits, explicit"},
    {"flushes", "flushes", "Flushes"},
};

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
    {NULL},
};

static int
isolation_stats(WardShell *shell, const WardCmd *cmd, GError **error)
{
    g_autoptr(WardView) view = NULL;
    g_autoptr(WardRecord) record = NULL;
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) statistics = NULL;
    WardClient *client = ward_shell_get_client(shell, error);

    view = client ? ward_view_fetch_with(client, ward_cmd_get_string(cmd, "domain"),
                                         WARD_PROTECTION_ISOLATION, error)
                  : NULL;
    if (view)
        reply = ward_client_call(client, view->path, WARD_DBUS_INTERFACE_ISOLATION, "GetStatistics",
                                 NULL, "(a{st})", error);
    if (!reply)
        return 1;
    ward_shell_warn(shell, FALSE);
    statistics = g_variant_get_child_value(reply, 0);
    record = ward_shell_new_record(shell);
    ward_record_add_string(record, "domain", "Domain", view->name);
    for (guint i = 0; i < G_N_ELEMENTS(counters); i++) {
        guint64 number;

        if (g_variant_lookup(statistics, counters[i][0], "t", &number))
            ward_record_add_number(record, counters[i][1], counters[i][2], number);
    }
    ward_shell_print_record(shell, record);
    return 0;
}

static const WardCmdDef commands[] = {
    {"isolation-set", isolation_set, set_options, WARD_CMD_CHANGES,
     "turn the isolation of a domain on or off",
     "Turns address space isolation on or off, in the domain's metadata and, with --live, in the\n"
     "    running domain."},
    {"isolation-stats", isolation_stats, stats_options, 0,
     "show statistics of a domain's isolation",
     "Counts entries into the guest with and without isolation, and what ended isolation, since "
     "the\n"
     "    domain started."},
    {NULL},
};

const WardCmdGroup ward_group_isolation = {"isolation", "Isolation", commands};
