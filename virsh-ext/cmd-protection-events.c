/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-protection-events.c: protection-events, after virsh's event
 */
#include <stdio.h>

#include "ward-commands.h"
#include "ward-dbus-path.h"
#include "ward-error.h"
#include "ward-options.h"
#include "ward-shell.h"
#include "ward-view.h"
#include "ward-wait.h"

#define INTERFACE_PROPERTIES "org.freedesktop.DBus.Properties"

/* The arguments of a signal as fields of a record. A label shows the field to people, too. */
typedef struct {
    const char *key;
    const char *label;
    enum { DETAIL_STRING, DETAIL_SIZE, DETAIL_DURATION, DETAIL_NUMBER } type;
} Detail;

typedef struct {
    const char *name;
    const char *interface;
    const char *signal;
    Detail details[3];
} EventType;

/* protection-status is no signal of its own but a change of Domain1.Status. */
static const EventType types[] = {
    {"protection-status", WARD_DBUS_INTERFACE_DOMAIN, NULL},
    {"teardown-started",
     WARD_DBUS_INTERFACE_TEARDOWN,
     "Started",
     {{"bytesTotal", "size", DETAIL_SIZE}}},
    {"teardown-finished",
     WARD_DBUS_INTERFACE_TEARDOWN,
     "Finished",
     {{"duration", "took", DETAIL_DURATION}}},
    {"teardown-interrupted",
     WARD_DBUS_INTERFACE_TEARDOWN,
     "Interrupted",
     {{"bytesLeft", "left", DETAIL_SIZE}}},
    {"teardown-failed",
     WARD_DBUS_INTERFACE_TEARDOWN,
     "Failed",
     {{"message", "reason", DETAIL_STRING},
      {"rc", NULL, DETAIL_NUMBER},
      {"rrc", NULL, DETAIL_NUMBER}}},
    {"trustdomain-life-changed",
     WARD_DBUS_INTERFACE_TRUSTDOMAIN,
     "LifeChanged",
     {{"oldLife", "was", DETAIL_STRING}, {"newLife", "is", DETAIL_STRING}}},
    {"introspection-hooked",
     WARD_DBUS_INTERFACE_INTROSPECTION,
     "Hooked",
     {{"socket", "socket", DETAIL_STRING}}},
    {"introspection-unhooked",
     WARD_DBUS_INTERFACE_INTROSPECTION,
     "Unhooked",
     {{"cause", "cause", DETAIL_STRING}}},
    {"introspection-peer-gone",
     WARD_DBUS_INTERFACE_INTROSPECTION,
     "PeerGone",
     {{"action", "action", DETAIL_STRING}}},
    {"isolation-violation",
     WARD_DBUS_INTERFACE_ISOLATION,
     "Violation",
     {{"violations", "violations", DETAIL_NUMBER}}},
};

typedef struct {
    WardShell *shell;
    WardWait wait;
    const EventType *only; /* NULL: all types */
    gboolean once;
    gboolean timestamp;
    guint count;
} Listener;

static GStrv
complete_event(WardShell *shell)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();

    for (guint i = 0; i < G_N_ELEMENTS(types); i++)
        g_strv_builder_add(names, types[i].name);
    return g_strv_builder_end(names);
}

static const EventType *
find_type(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        if (g_str_equal(types[i].name, name))
            return &types[i];
    }
    return NULL;
}

/* How virsh writes the time of an event. */
static char *
format_now(void)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *seconds = g_date_time_format(now, "%F %T");

    return g_strdup_printf("%s.%03d+0000", seconds, g_date_time_get_microsecond(now) / 1000);
}

static void
add_detail(WardRecord *record, const Detail *detail, GVariant *value)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
        ward_record_add_string(record, detail->key, detail->label,
                               g_variant_get_string(value, NULL));
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT16))
        ward_record_add_number(record, detail->key, detail->label, g_variant_get_uint16(value));
    if (!g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64))
        return;
    if (detail->type == DETAIL_SIZE)
        ward_record_add_size(record, detail->key, detail->label, g_variant_get_uint64(value));
    else if (detail->type == DETAIL_DURATION)
        ward_record_add_duration(record, detail->key, detail->label, g_variant_get_uint64(value));
    else
        ward_record_add_number(record, detail->key, detail->label, g_variant_get_uint64(value));
}

static void
print_event(Listener *listener, const char *event, const char *domain, WardRecord *record)
{
    g_autofree char *now = format_now();
    g_autofree char *text = NULL;

    if (listener->shell->format == WARD_FORMAT_JSON) {
        ward_record_add_string(record, "time", NULL, now);
        text = ward_format_json(ward_record_to_variant(record), TRUE);
        g_print("%s\n", text);
    } else {
        g_autofree char *name = ward_escape(domain);

        text = ward_record_join(record);
        g_print("%s%sevent '%s' for domain '%s'%s%s\n", listener->timestamp ? now : "",
                listener->timestamp ? ": " : "", event, name, text[0] ? ": " : "", text);
    }
    fflush(stdout);
    listener->count++;
    if (listener->once)
        ward_wait_done(&listener->wait);
}

static WardRecord *
new_event(Listener *listener, const char *event, const char *domain)
{
    WardRecord *record = ward_shell_new_record(listener->shell);

    ward_record_add_string(record, "event", NULL, event);
    ward_record_add_string(record, "domain", NULL, domain);
    return record;
}

static gboolean
is_wanted(const Listener *listener, const EventType *type, const char *path)
{
    if (listener->once && listener->count > 0)
        return FALSE;
    return (!listener->only || listener->only == type) &&
           g_str_has_prefix(path, WARD_DBUS_PATH_DOMAIN_PREFIX);
}

static void
on_signal(GDBusConnection *connection,
          const char *sender,
          const char *path,
          const char *interface,
          const char *signal_name,
          GVariant *arguments,
          gpointer data)
{
    Listener *listener = data;
    g_autofree char *domain = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        const EventType *type = &types[i];
        g_autoptr(WardRecord) record = NULL;

        if (g_strcmp0(type->signal, signal_name) != 0 || !g_str_equal(type->interface, interface) ||
            !is_wanted(listener, type, path))
            continue;
        domain = ward_client_get_domain_name(listener->shell->client, path);
        record = new_event(listener, type->name, domain);
        for (guint j = 0; j < G_N_ELEMENTS(type->details) && type->details[j].key; j++) {
            g_autoptr(GVariant) value = j < g_variant_n_children(arguments)
                                            ? g_variant_get_child_value(arguments, j)
                                            : NULL;

            if (value)
                add_detail(record, &type->details[j], value);
        }
        print_event(listener, type->name, domain, record);
        return;
    }
}

static void
on_properties_changed(GDBusConnection *connection,
                      const char *sender,
                      const char *path,
                      const char *interface,
                      const char *signal_name,
                      GVariant *arguments,
                      gpointer data)
{
    static const Detail detail = {"status", "status", DETAIL_STRING};
    Listener *listener = data;
    g_autoptr(GVariant) changed = NULL;
    g_autoptr(GVariant) status = NULL;
    g_autoptr(WardRecord) record = NULL;
    g_autofree char *domain = NULL;

    if (!is_wanted(listener, &types[0], path) ||
        !g_variant_is_of_type(arguments, G_VARIANT_TYPE("(sa{sv}as)")))
        return;
    changed = g_variant_get_child_value(arguments, 1);
    status = g_variant_lookup_value(changed, "Status", G_VARIANT_TYPE_STRING);
    if (!status)
        return;
    domain = ward_client_get_domain_name(listener->shell->client, path);
    record = new_event(listener, types[0].name, domain);
    add_detail(record, &detail, status);
    print_event(listener, types[0].name, domain, record);
}

static void
on_daemon_gone(GDBusConnection *connection, const char *name, gpointer data)
{
    g_printerr("warning: virtward's daemon has left the bus; listening for when it is back\n");
}

static void
listen(Listener *listener, GDBusConnection *connection, guint timeout)
{
    guint watch =
        g_bus_watch_name_on_connection(connection, WARD_DBUS_NAME, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                       NULL, on_daemon_gone, listener, NULL);

    ward_wait_run(&listener->wait, timeout);
    g_bus_unwatch_name(watch);
}

static int
report_end(const Listener *listener)
{
    if (listener->wait.end == WARD_WAIT_INTERRUPTED)
        ward_shell_print_extra(listener->shell, "event loop interrupted\n");
    if (listener->wait.end == WARD_WAIT_TIMED_OUT)
        ward_shell_print_extra(listener->shell, "event loop timed out\n");
    ward_shell_print_extra(listener->shell, "events received: %u\n", listener->count);
    return listener->count > 0 ? 0 : 1;
}

static int
list_types(WardShell *shell)
{
    g_auto(GStrv) names = complete_event(shell);

    if (shell->format == WARD_FORMAT_JSON) {
        g_autoptr(WardRecord) record = ward_record_new();

        ward_record_add_names(record, "events", NULL, (const char *const *)names);
        ward_shell_print_record(shell, record);
        return 0;
    }
    for (char **name = names; *name; name++)
        g_print("%s\n", *name);
    return 0;
}

const WardOptDef ward_options_protection_events[] = {
    {"domain", WARD_OPT_STRING, 0, "filter by domain name, id or uuid", ward_complete_domains},
    {"event", WARD_OPT_STRING, 0, "which event type to wait for (default: all)", complete_event},
    {"loop", WARD_OPT_BOOL, 0, "loop until timeout or interrupt, rather than one-shot"},
    {"timeout", WARD_OPT_INT, 0, "timeout seconds"},
    {"list", WARD_OPT_BOOL, 0, "list valid event types"},
    {"timestamp", WARD_OPT_BOOL, 0, "show timestamp for each printed event"},
    {NULL},
};

int
ward_cmd_protection_events(WardShell *shell, const WardCmd *cmd, GError **error)
{
    const char *event = ward_cmd_get_string(cmd, "event");
    const char *domain = ward_cmd_get_string(cmd, "domain");
    Listener listener = {
        .shell = shell,
        .once = !ward_cmd_has(cmd, "loop"),
        .timestamp = ward_cmd_has(cmd, "timestamp"),
    };
    g_autofree char *path = NULL;
    WardClient *client;
    guint timeout = 0;
    guint ids[2];

    if (ward_cmd_has(cmd, "list"))
        return list_types(shell);
    if (event && !(listener.only = find_type(event))) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                    "unknown event type %s: see protection-events --list", event);
        return 1;
    }
    if (!ward_cmd_get_uint(cmd, "timeout", 1, G_MAXINT, &timeout, error))
        return 1;
    client = ward_shell_get_client(shell, error);
    if (client && domain)
        path = ward_view_lookup(client, domain, error);
    if (!client || (domain && !path))
        return 1;
    ward_shell_warn(shell, FALSE);
    ids[0] = g_dbus_connection_signal_subscribe(client->connection, WARD_DBUS_NAME, NULL, NULL,
                                                path, NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_signal,
                                                &listener, NULL);
    ids[1] = g_dbus_connection_signal_subscribe(
        client->connection, WARD_DBUS_NAME, INTERFACE_PROPERTIES, "PropertiesChanged", path,
        WARD_DBUS_INTERFACE_DOMAIN, G_DBUS_SIGNAL_FLAGS_NONE, on_properties_changed, &listener,
        NULL);
    listen(&listener, client->connection, timeout);
    for (guint i = 0; i < G_N_ELEMENTS(ids); i++)
        g_dbus_connection_signal_unsubscribe(client->connection, ids[i]);
    return report_end(&listener);
}
