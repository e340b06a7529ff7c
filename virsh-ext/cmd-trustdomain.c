/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-trustdomain.c: the life of TDX domains
 */
#include "ward-commands.h"
#include "ward-options.h"
#include "ward-shell.h"
#include "ward-view.h"

/* D-Bus's name, JSON's, and people's. */
static const char *const capacity_keys[][3] = {
    {"total", "total", "Total"},
    {"used", "used", "Used"},
    {"free", "free", "Free"},
    {"reserved", "reserved", "Reserved"},
    {"leaked", "leaked", "Leaked"},
    {"leaked-pages", "leakedPages", "Leaked pages"},
    {"waiting", "waiting", "Waiting starts"},
};

/* Of the trust domain as it is. */
static const char *const info_keys[][3] = {
    {"KeyId", "keyId", "Key"},
    {"Vcpus", "vcpus", "vCPUs"},
    {"ControlPages", "controlPages", "Control pages"},
    {"PrivatePages", "privatePages", "Private pages"},
    {"ReclaimedPages", "reclaimedPages", "Reclaimed pages"},
    {"LeakedPages", "leakedPages", "Leaked pages"},
    {"CreatedTime", "createdTime", NULL},
    {"KeyReleasedTime", "keyReleasedTime", NULL},
};

static int
trustdomain_capacity(WardShell *shell, const WardCmd *cmd, GError **error)
{
    g_autoptr(WardRecord) record = NULL;
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) capacity = NULL;
    WardClient *client = ward_shell_get_client(shell, error);

    if (client)
        reply = ward_client_call(client, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST,
                                 "GetTrustDomainCapacity", NULL, "(a{st})", error);
    if (!reply)
        return 1;
    ward_shell_warn(shell, FALSE);
    capacity = g_variant_get_child_value(reply, 0);
    record = ward_shell_new_record(shell);
    for (guint i = 0; i < G_N_ELEMENTS(capacity_keys); i++) {
        guint64 number;

        if (g_variant_lookup(capacity, capacity_keys[i][0], "t", &number))
            ward_record_add_number(record, capacity_keys[i][1], capacity_keys[i][2], number);
    }
    ward_shell_print_record(shell, record);
    return 0;
}

static const WardOptDef info_options[] = {
    WARD_OPTION_DOMAIN(ward_complete_trustdomain),
    {NULL},
};

/* A number that is 0 tells people nothing: there is none, or the host does not tell. */
static void
add_numbers(WardRecord *record, GVariant *trustdomain)
{
    for (guint i = 0; i < G_N_ELEMENTS(info_keys); i++) {
        guint64 number = ward_properties_number(trustdomain, info_keys[i][0]);

        ward_record_add_number(record, info_keys[i][1], number ? info_keys[i][2] : NULL, number);
    }
}

static int
trustdomain_info(WardShell *shell, const WardCmd *cmd, GError **error)
{
    g_autoptr(WardView) view = NULL;
    g_autoptr(WardRecord) record = NULL;
    GVariant *trustdomain;
    WardClient *client = ward_shell_get_client(shell, error);

    view = client ? ward_view_fetch_with(client, ward_cmd_get_string(cmd, "domain"),
                                         WARD_PROTECTION_TRUSTDOMAIN, error)
                  : NULL;
    if (!view)
        return 1;
    ward_shell_warn(shell, FALSE);
    trustdomain = view->protections[WARD_PROTECTION_TRUSTDOMAIN];
    record = ward_shell_new_record(shell);
    ward_view_add_common(view, WARD_PROTECTION_TRUSTDOMAIN, record);
    ward_record_add_string(record, "life", "Life", ward_properties_string(trustdomain, "Life"));
    ward_record_add_string(record, "admission", "Admission",
                           ward_properties_string(trustdomain, "Admission"));
    ward_record_add_number(record, "timeout", "Timeout",
                           ward_properties_number(trustdomain, "Timeout"));
    ward_record_add_string(record, "onReboot", "On reboot",
                           ward_properties_string(trustdomain, "OnReboot"));
    ward_record_add_string(record, "lastReboot", "Last reboot",
                           ward_properties_string(trustdomain, "LastReboot"));
    add_numbers(record, trustdomain);
    ward_shell_print_record(shell, record);
    return 0;
}

static const WardOptDef no_options[] = {{NULL}};

static const WardCmdDef commands[] = {
    {"trustdomain-capacity", trustdomain_capacity, no_options, 0,
     "show how many trust domains the host can hold",
     "Counts the keys (HKIDs) for trust domains: in use, reserved for starts under way, lost "
     "until\n"
     "    the host reboots, and free; and the starts that wait for one. What the host does not "
     "tell\n"
     "    is left out."},
    {"trustdomain-info", trustdomain_info, info_options, 0, "show the trust domain of a domain",
     "Shows the settings of the domain's trust domain, where it is in its life, and what it has "
     "of\n"
     "    the host: its key, and pages of 4 KiB."},
    {NULL},
};

const WardCmdGroup ward_group_trustdomain = {"trustdomain", "Trust Domain", commands};
