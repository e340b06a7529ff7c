/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-introspection.c: a tool that watches the guest from outside
 */
#include "ward-commands.h"
#include "ward-error.h"
#include "ward-histogram.h"
#include "ward-options.h"
#include "ward-shell.h"
#include "ward-socket.h"
#include "ward-view.h"

static const WardOptDef info_options[] = {
    WARD_OPTION_DOMAIN(ward_complete_introspection),
    {NULL},
};

/* Counters, which no inventory has: they are read when they are asked for. */
static gboolean
add_statistics(WardClient *client, const char *path, WardRecord *record, GError **error)
{
    g_autoptr(GVariant) properties =
        ward_client_get_properties(client, path, WARD_DBUS_INTERFACE_INTROSPECTION, error);
    g_autoptr(GVariant) times = NULL;
    g_autofree char *text = NULL;

    if (!properties)
        return FALSE;
    times = g_variant_lookup_value(properties, "ReplyTimes", G_VARIANT_TYPE("at"));
    /* A daemon from before that does not count. */
    if (!times)
        return TRUE;
    text = ward_histogram_describe(times);
    ward_record_add_number(record, "commands", "Commands sent",
                           ward_properties_number(properties, "Commands"));
    ward_record_add_number(record, "errors", "Errors",
                           ward_properties_number(properties, "Errors"));
    ward_record_add_number(record, "events", "Events sent",
                           ward_properties_number(properties, "Events"));
    ward_record_add(record, "replyTimes", "Replies", times, text);
    return TRUE;
}

static int
introspection_info(WardShell *shell, const WardCmd *cmd, GError **error)
{
    g_autoptr(WardView) view = NULL;
    g_autoptr(WardRecord) record = NULL;
    g_auto(GStrv) commands = NULL;
    g_auto(GStrv) events = NULL;
    GVariant *properties;
    WardClient *client = ward_shell_get_client(shell, error);

    view = client ? ward_view_fetch_with(client, ward_cmd_get_string(cmd, "domain"),
                                         WARD_PROTECTION_INTROSPECTION, error)
                  : NULL;
    if (!view)
        return 1;
    ward_shell_warn(shell, FALSE);
    properties = view->protections[WARD_PROTECTION_INTROSPECTION];
    commands = ward_properties_names(properties, "AllowedCommands");
    events = ward_properties_names(properties, "AllowedEvents");
    record = ward_shell_new_record(shell);
    ward_view_add_common(view, WARD_PROTECTION_INTROSPECTION, record);
    ward_record_add_boolean(record, "attached", "Attached",
                            ward_properties_boolean(properties, "Attached"));
    ward_record_add_string(record, "socket", "Socket",
                           ward_properties_string(properties, "Socket"));
    ward_record_add_string(record, "onDisconnect", "On disconnect",
                           ward_properties_string(properties, "OnDisconnect"));
    ward_record_add_names(record, "allowedCommands", "Commands", (const char *const *)commands);
    ward_record_add_names(record, "allowedEvents", "Events", (const char *const *)events);
    if (!add_statistics(client, view->path, record, error))
        return 1;
    ward_shell_print_record(shell, record);
    return 0;
}

/* Gives the running domain the socket, with everything else of its introspection as it is. */
static gboolean
set_socket(WardClient *client, const char *path, const WardSocket *socket, GError **error)
{
    g_autoptr(GVariant) old =
        ward_client_call(client, path, WARD_DBUS_INTERFACE_DOMAIN, "GetProtection",
                         g_variant_new("(u)", WARD_FLAG_LIVE), "(s)", error);
    g_autoptr(GVariant) reply = NULL;
    g_autofree char *xml = NULL;
    const char *old_xml;

    if (!old)
        return FALSE;
    g_variant_get(old, "(&s)", &old_xml);
    xml = ward_socket_put(old_xml, socket, error);
    if (xml)
        reply = ward_client_call(client, path, WARD_DBUS_INTERFACE_DOMAIN, "SetProtection",
                                 g_variant_new("(su)", xml, WARD_FLAG_LIVE | WARD_FLAG_UPDATE),
                                 NULL, error);
    return reply != NULL;
}

/* Applying the settings may have attached the tool already, and Attach then says that it is busy.
 */
static gboolean
attach(WardClient *client, const char *path, gboolean after_set, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(GVariant) reply = ward_client_call(client, path, WARD_DBUS_INTERFACE_INTROSPECTION,
                                                 "Attach", NULL, NULL, &failure);

    if (reply || (after_set && g_error_matches(failure, WARD_ERROR, WARD_ERROR_BUSY)))
        return TRUE;
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static const WardOptDef attach_options[] = {
    WARD_OPTION_DOMAIN(ward_complete_domains),
    {"socket", WARD_OPT_STRING, 0, "where the tool listens: unix:PATH or vsock:CID:PORT"},
    {NULL},
};

static int
introspection_attach(WardShell *shell, const WardCmd *cmd, GError **error)
{
    const char *domain = ward_cmd_get_string(cmd, "domain");
    const char *text = ward_cmd_get_string(cmd, "socket");
    g_auto(WardSocket) socket = {0};
    g_autoptr(WardView) view = NULL;
    GVariant *properties;
    WardClient *client;
    gboolean set;

    if (text && !ward_socket_parse(text, &socket, error))
        return 1;
    client = ward_shell_get_client(shell, error);
    view = client ? ward_view_fetch(client, domain, error) : NULL;
    if (!view)
        return 1;
    properties = view->protections[WARD_PROTECTION_INTROSPECTION];
    if (!properties && !text) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                    "domain '%s' has no introspection: say with --socket where the tool listens",
                    view->name);
        return 1;
    }
    set = text && !g_str_equal(ward_properties_string(properties, "Socket"), text);
    if (set && !set_socket(client, view->path, &socket, error))
        return 1;
    if (!attach(client, view->path, set, error))
        return 1;
    ward_shell_print_change(shell, view->path, "attached", "Introspection of domain '%s' attached",
                            view->name);
    return 0;
}

static int
introspection_detach(WardShell *shell, const WardCmd *cmd, GError **error)
{
    g_autoptr(WardView) view = NULL;
    g_autoptr(GVariant) reply = NULL;
    WardClient *client = ward_shell_get_client(shell, error);

    view = client ? ward_view_fetch_with(client, ward_cmd_get_string(cmd, "domain"),
                                         WARD_PROTECTION_INTROSPECTION, error)
                  : NULL;
    if (view)
        reply = ward_client_call(client, view->path, WARD_DBUS_INTERFACE_INTROSPECTION, "Detach",
                                 NULL, NULL, error);
    if (!reply)
        return 1;
    ward_shell_print_change(shell, view->path, "detached", "Introspection of domain '%s' detached",
                            view->name);
    return 0;
}

static const WardCmdDef commands[] = {
    {"introspection-attach", introspection_attach, attach_options, WARD_CMD_CHANGES,
     "attach an introspection tool to a running domain",
     "Connects to the tool that listens on the socket and lets it watch the domain. With "
     "--socket,\n"
     "    a domain without introspection gets one, and a domain with another socket gets this "
     "one,\n"
     "    both until it is shut off."},
    {"introspection-detach", introspection_detach, info_options, WARD_CMD_CHANGES,
     "detach the introspection tool from a domain",
     "Asks the tool to let go of the domain. It stays detached until introspection-attach or the\n"
     "    domain's next start."},
    {"introspection-info", introspection_info, info_options, 0,
     "show the introspection of a domain",
     "Shows the settings of the domain's introspection, whether the tool is attached, and what "
     "tools\n"
     "    have done and how long they took since the domain was started."},
    {NULL},
};

const WardCmdGroup ward_group_introspection = {"introspection", "Introspection", commands};
