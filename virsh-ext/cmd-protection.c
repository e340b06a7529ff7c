/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-protection.c: what is common to the four protections
 */
#include "ward-commands.h"
#include "ward-error.h"
#include "ward-options.h"
#include "ward-shell.h"
#include "ward-view.h"

static const WardOptDef no_options[] = {{NULL}};

static void
add_capability(GPtrArray *records, GVariant *capabilities, WardProtection protection)
{
    const char *name = ward_protection_to_string(protection);
    WardRecord *record = ward_record_new();
    gboolean supported = FALSE;
    const char *provider = "";
    const char *reason = "";

    if (capabilities)
        g_variant_lookup(capabilities, name, "(b&s&s)", &supported, &provider, &reason);
    ward_record_add_string(record, "protection", "Protection", name);
    ward_record_add_boolean(record, "supported", "Supported", supported);
    ward_record_add_string(record, "provider", "Provider", provider);
    ward_record_add_string(record, "reason", "Reason", reason);
    g_ptr_array_add(records, record);
}

static int
protection_capabilities(WardShell *shell, const WardCmd *cmd, GError **error)
{
    static const char *const headings[] = {"Protection", "Supported", "Provider", "Reason", NULL};
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)ward_record_free);
    g_autoptr(GVariant) capabilities = NULL;
    WardClient *client = ward_shell_get_client(shell, error);

    if (!client)
        return 1;
    capabilities =
        g_variant_lookup_value(client->host, "Capabilities", G_VARIANT_TYPE("a{s(bss)}"));
    for (WardProtection i = 0; i < WARD_N_PROTECTIONS; i++)
        add_capability(records, capabilities, i);
    ward_shell_warn(shell, TRUE);
    ward_shell_print_records(shell, "capabilities", headings, records);
    return 0;
}

/* What the protection does at the moment, in one word. */
static const char *
state_word(WardProtection protection, GVariant *properties)
{
    switch (protection) {
    case WARD_PROTECTION_TEARDOWN:
        return ward_properties_string(properties, "Phase");
    case WARD_PROTECTION_TRUSTDOMAIN:
        return ward_properties_string(properties, "Life");
    case WARD_PROTECTION_INTROSPECTION:
        return ward_properties_boolean(properties, "Attached") ? "attached" : "detached";
    case WARD_PROTECTION_ISOLATION:
        return ward_properties_string(properties, "State");
    }
    return "";
}

static WardRecord *
list_record(const WardView *view)
{
    WardRecord *record = ward_record_new();

    ward_record_add_string(record, "name", "Name", view->name);
    ward_record_add_string(record, "uuid", NULL, ward_properties_string(view->domain, "Uuid"));
    ward_record_add_string(record, "state", "State", ward_properties_string(view->domain, "State"));
    ward_record_add_string(record, "status", "Status",
                           ward_properties_string(view->domain, "Status"));
    ward_record_add_string(record, "reason", NULL, ward_properties_string(view->domain, "Reason"));
    for (WardProtection i = 0; i < WARD_N_PROTECTIONS; i++) {
        const char *name = ward_protection_to_string(i);

        ward_record_add_string(record, name, name,
                               ward_properties_string(view->protections[i], "Status"));
    }
    return record;
}

/* Wanted, or still in force. */
static gboolean
has_protection(const WardView *view)
{
    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        if (view->protections[i])
            return TRUE;
    }
    return !g_str_equal(ward_properties_string(view->domain, "Status"), "unprotected");
}

static int
protection_list(WardShell *shell, const WardCmd *cmd, GError **error)
{
    static const char *const headings[] = {"Name",        "State",         "Status",    "Teardown",
                                           "Trustdomain", "Introspection", "Isolation", NULL};
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)ward_record_free);
    g_autoptr(GPtrArray) views = NULL;
    WardClient *client = ward_shell_get_client(shell, error);

    views = client ? ward_view_fetch_all(client, error) : NULL;
    if (!views)
        return 1;
    ward_shell_warn(shell, FALSE);
    for (guint i = 0; i < views->len; i++) {
        const WardView *view = views->pdata[i];

        if (ward_cmd_has(cmd, "all") || has_protection(view))
            g_ptr_array_add(records, list_record(view));
    }
    ward_shell_print_records(shell, "domains", headings, records);
    return 0;
}

/* Properties with the keys that JSON has: "OnReboot" is "onReboot". */
static GVariant *
rename_properties(GVariant *properties)
{
    GVariantBuilder builder;
    GVariantIter iter;
    const char *name;
    GVariant *value;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_iter_init(&iter, properties);
    while (g_variant_iter_loop(&iter, "{&sv}", &name, &value)) {
        g_autofree char *key = g_strdup(name);

        key[0] = g_ascii_tolower(key[0]);
        g_variant_builder_add(&builder, "{sv}", key, value);
    }
    return g_variant_builder_end(&builder);
}

static void
add_protections(WardRecord *record, const WardView *view)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    for (WardProtection i = 0; i < WARD_N_PROTECTIONS; i++) {
        if (view->protections[i])
            g_variant_builder_add(&builder, "{sv}", ward_protection_to_string(i),
                                  rename_properties(view->protections[i]));
    }
    ward_record_add(record, "protections", NULL, g_variant_builder_end(&builder), "");
}

static GPtrArray *
protection_records(const WardView *view)
{
    GPtrArray *records = g_ptr_array_new_with_free_func((GDestroyNotify)ward_record_free);

    for (WardProtection i = 0; i < WARD_N_PROTECTIONS; i++) {
        GVariant *properties = view->protections[i];
        WardRecord *record;

        if (!properties)
            continue;
        record = ward_record_new();
        ward_record_add_string(record, "", "Protection", ward_protection_to_string(i));
        ward_record_add_string(record, "", "Status", ward_properties_string(properties, "Status"));
        ward_record_add_string(record, "", "State", state_word(i, properties));
        ward_record_add_string(record, "", "Enforcement",
                               ward_properties_string(properties, "Enforcement"));
        ward_record_add_string(record, "", "Provider",
                               ward_properties_string(properties, "Provider"));
        ward_record_add_string(record, "", "Reason", ward_properties_string(properties, "Reason"));
        g_ptr_array_add(records, record);
    }
    return records;
}

static void
print_info(WardShell *shell, const WardView *view)
{
    static const char *const headings[] = {"Protection", "Status", "State", "Enforcement",
                                           "Provider",   "Reason", NULL};
    g_autoptr(WardRecord) record = ward_shell_new_record(shell);
    g_autoptr(GPtrArray) records = NULL;

    ward_record_add_string(record, "name", "Name", view->name);
    ward_record_add_string(record, "uuid", "UUID", ward_properties_string(view->domain, "Uuid"));
    ward_record_add_string(record, "state", "State", ward_properties_string(view->domain, "State"));
    ward_record_add_string(record, "status", "Status",
                           ward_properties_string(view->domain, "Status"));
    ward_record_add_string(record, "reason", "Reason",
                           ward_properties_string(view->domain, "Reason"));
    add_protections(record, view);
    ward_shell_print_record(shell, record);
    records = protection_records(view);
    if (shell->format == WARD_FORMAT_TABLE && records->len > 0) {
        ward_shell_print_extra(shell, "\n");
        ward_shell_print_records(shell, "", headings, records);
    }
}

static int
print_xml(WardShell *shell, const char *path, guint flags, GError **error)
{
    g_autoptr(WardRecord) record = ward_shell_new_record(shell);
    g_autoptr(GVariant) reply =
        ward_client_call(shell->client, path, WARD_DBUS_INTERFACE_DOMAIN, "GetProtection",
                         g_variant_new("(u)", flags), "(s)", error);
    const char *xml;

    if (!reply)
        return 1;
    g_variant_get(reply, "(&s)", &xml);
    ward_record_add_string(record, "xml", NULL, xml);
    if (shell->format == WARD_FORMAT_JSON)
        ward_shell_print_record(shell, record);
    else if (xml[0])
        g_print("%s%s", xml, g_str_has_suffix(xml, "\n") ? "" : "\n");
    return 0;
}

static const WardOptDef info_options[] = {
    WARD_OPTION_DOMAIN(ward_complete_domains),
    {"xml", WARD_OPT_BOOL, 0, "print the protection element of the domain's XML instead"},
    WARD_OPTION_CONFIG,
    WARD_OPTION_LIVE,
    WARD_OPTION_CURRENT,
    {NULL},
};

static int
protection_info(WardShell *shell, const WardCmd *cmd, GError **error)
{
    const char *domain = ward_cmd_get_string(cmd, "domain");
    g_autofree char *path = NULL;
    g_autoptr(WardView) view = NULL;
    WardClient *client;
    guint flags;

    if (!ward_options_get_impact(cmd, &flags, error) ||
        !ward_cmd_exclusive(cmd, "live", "config", error))
        return 1;
    if (flags != 0 && !ward_cmd_has(cmd, "xml")) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                    "--live and --config choose the XML of --xml: the state is always live");
        return 1;
    }
    client = ward_shell_get_client(shell, error);
    if (client && ward_cmd_has(cmd, "xml")) {
        path = ward_view_lookup(client, domain, error);
        return path ? print_xml(shell, path, flags, error) : 1;
    }
    view = client ? ward_view_fetch(client, domain, error) : NULL;
    if (!view)
        return 1;
    ward_shell_warn(shell, FALSE);
    print_info(shell, view);
    return 0;
}

/* Takes over @arguments. */
static int
change_protection(WardShell *shell,
                  const WardCmd *cmd,
                  const char *method,
                  GVariant *arguments,
                  const char *done,
                  GError **error)
{
    const char *domain = ward_cmd_get_string(cmd, "domain");
    g_autoptr(GVariant) keep = g_variant_ref_sink(arguments);
    WardClient *client = ward_shell_get_client(shell, error);
    g_autofree char *path = client ? ward_view_lookup(client, domain, error) : NULL;
    g_autoptr(GVariant) reply = NULL;

    if (path)
        reply =
            ward_client_call(client, path, WARD_DBUS_INTERFACE_DOMAIN, method, keep, NULL, error);
    if (!reply)
        return 1;
    ward_shell_print_change(shell, path, done, "Protection of domain '%s' %s", domain, done);
    return 0;
}

static const WardOptDef set_options[] = {
    WARD_OPTION_DOMAIN(ward_complete_domains),
    WARD_OPTION_FILE,
    WARD_OPTION_XML("the protection element itself"),
    {"update", WARD_OPT_BOOL, 0, "leave protections that the element does not name as they are"},
    WARD_OPTION_CONFIG,
    WARD_OPTION_LIVE,
    WARD_OPTION_CURRENT,
    {NULL},
};

static int
protection_set(WardShell *shell, const WardCmd *cmd, GError **error)
{
    g_autofree char *xml = NULL;
    guint flags;

    if (!ward_options_get_impact(cmd, &flags, error))
        return 1;
    if (ward_cmd_has(cmd, "update"))
        flags |= WARD_FLAG_UPDATE;
    xml = ward_options_read_xml(cmd, error);
    return xml ? change_protection(shell, cmd, "SetProtection", g_variant_new("(su)", xml, flags),
                                   "set", error)
               : 1;
}

static const WardOptDef clear_options[] = {
    WARD_OPTION_DOMAIN(ward_complete_domains),
    WARD_OPTION_CONFIG,
    WARD_OPTION_LIVE,
    WARD_OPTION_CURRENT,
    {NULL},
};

static int
protection_clear(WardShell *shell, const WardCmd *cmd, GError **error)
{
    guint flags;

    return ward_options_get_impact(cmd, &flags, error)
               ? change_protection(shell, cmd, "ClearProtection", g_variant_new("(u)", flags),
                                   "cleared", error)
               : 1;
}

static const WardOptDef validate_options[] = {
    WARD_OPTION_FILE,
    WARD_OPTION_XML("the XML itself"),
    {NULL},
};

static int
protection_validate(WardShell *shell, const WardCmd *cmd, GError **error)
{
    g_autofree char *xml = ward_options_read_xml(cmd, error);
    WardClient *client = xml ? ward_shell_get_client(shell, error) : NULL;
    g_autoptr(WardRecord) record = NULL;
    g_autoptr(GVariant) reply = NULL;
    g_autofree const char **warnings = NULL;

    if (client)
        reply = ward_client_call(client, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST,
                                 "ValidateProtection", g_variant_new("(s)", xml), "(as)", error);
    if (!reply)
        return 1;
    ward_shell_warn(shell, FALSE);
    g_variant_get(reply, "(^a&s)", &warnings);
    record = ward_shell_new_record(shell);
    ward_record_add_boolean(record, "valid", NULL, TRUE);
    ward_record_add_names(record, "warnings", NULL, warnings);
    if (shell->format == WARD_FORMAT_JSON)
        ward_shell_print_record(shell, record);
    for (guint i = 0; shell->format == WARD_FORMAT_TABLE && warnings[i]; i++) {
        g_autofree char *warning = ward_escape(warnings[i]);

        g_printerr("warning: %s\n", warning);
    }
    ward_shell_print_extra(shell, "The protection XML is valid\n");
    return 0;
}

static const WardOptDef list_options[] = {
    {"all", WARD_OPT_BOOL, 0, "list domains for which no protection is wanted, too"},
    {NULL},
};

static const WardCmdDef commands[] = {
    {"protection-capabilities", protection_capabilities, no_options, 0,
     "show which protections this host supports",
     "For each protection: whether the host supports it, who provides it, and why or why not."},
    {"protection-list", protection_list, list_options, 0, "list domains and their protections",
     "Lists the domains for which a protection is wanted or in force, with the status of each."},
    {"protection-info", protection_info, info_options, 0, "show the protections of a domain",
     "Shows what is wanted for the domain, and whether it is in force."},
    {"protection-set", protection_set, set_options, WARD_CMD_CHANGES,
     "set the protection of a domain",
     "Writes a protection element into the domain's metadata and applies it. Without --update the\n"
     "    element replaces all of the domain's protection."},
    {"protection-clear", protection_clear, clear_options, WARD_CMD_CHANGES,
     "take all protection off a domain",
     "Takes the protection element out of the domain's metadata, and off the running domain."},
    {"protection-validate", protection_validate, validate_options, 0,
     "check the XML of a protection or a domain",
     "Checks a protection element, or a domain with one, and changes nothing. Warns about what is\n"
     "    valid but cannot be had on this host."},
    {"protection-events", ward_cmd_protection_events, ward_options_protection_events, 0,
     "wait for events of protections",
     "Lists the types of events, or waits for events and prints them."},
    {NULL},
};

const WardCmdGroup ward_group_protection = {"protection", "Protection", commands};
