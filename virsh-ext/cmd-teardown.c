/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-teardown.c: asynchronous teardown of protected guests
 */
#include <stdio.h>
#include <unistd.h>

#include "ward-commands.h"
#include "ward-error.h"
#include "ward-options.h"
#include "ward-shell.h"
#include "ward-view.h"
#include "ward-wait.h"

/* The provider "stock" sees that a teardown runs, and no more. */
static char *
format_progress(GVariant *teardown)
{
    if (g_str_equal(ward_properties_string(teardown, "Provider"), "stock"))
        return g_strdup("unknown");
    return ward_format_percent(ward_properties_number(teardown, "BytesDone"),
                               ward_properties_number(teardown, "BytesTotal"));
}

static char *
format_last(GVariant *teardown)
{
    guint64 duration = ward_properties_number(teardown, "LastDuration");

    if (g_str_equal(ward_properties_string(teardown, "Provider"), "stock"))
        return g_strdup("unknown");
    if (*ward_properties_string(teardown, "LastError"))
        return g_strdup("failed");
    return duration ? ward_format_duration(duration) : g_strdup("-");
}

static WardRecord *
list_record(const WardView *view)
{
    GVariant *teardown = view->protections[WARD_PROTECTION_TEARDOWN];
    g_autofree char *progress = format_progress(teardown);
    g_autofree char *last = format_last(teardown);
    WardRecord *record = ward_record_new();

    ward_record_add_string(record, "name", "Name", view->name);
    ward_record_add_string(record, "uuid", NULL, ward_properties_string(view->domain, "Uuid"));
    ward_record_add_string(record, "status", "Status", ward_properties_string(teardown, "Status"));
    ward_record_add_string(record, "onReboot", "On reboot",
                           ward_properties_string(teardown, "OnReboot"));
    ward_record_add_string(record, "onExit", "On exit", ward_properties_string(teardown, "OnExit"));
    ward_record_add_string(record, "phase", "Phase", ward_properties_string(teardown, "Phase"));
    ward_record_add(record, "bytesDone", "Progress",
                    g_variant_new_uint64(ward_properties_number(teardown, "BytesDone")), progress);
    ward_record_add_number(record, "bytesTotal", NULL,
                           ward_properties_number(teardown, "BytesTotal"));
    ward_record_add(record, "lastDuration", "Last took",
                    g_variant_new_uint64(ward_properties_number(teardown, "LastDuration")), last);
    ward_record_add_string(record, "lastError", NULL,
                           ward_properties_string(teardown, "LastError"));
    ward_record_add_string(record, "provider", NULL, ward_properties_string(teardown, "Provider"));
    ward_record_add_string(record, "reason", NULL, ward_properties_string(teardown, "Reason"));
    return record;
}

static int
teardown_list(WardShell *shell, const WardCmd *cmd, GError **error)
{
    static const char *const headings[] = {"Name",  "Status",   "On reboot", "On exit",
                                           "Phase", "Progress", "Last took", NULL};
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)ward_record_free);
    g_autoptr(GPtrArray) views = NULL;
    WardClient *client = ward_shell_get_client(shell, error);

    views = client ? ward_view_fetch_all(client, error) : NULL;
    if (!views)
        return 1;
    ward_shell_warn(shell, FALSE);
    for (guint i = 0; i < views->len; i++) {
        const WardView *view = views->pdata[i];

        if (view->protections[WARD_PROTECTION_TEARDOWN])
            g_ptr_array_add(records, list_record(view));
    }
    ward_shell_print_records(shell, "teardowns", headings, records);
    return 0;
}

typedef struct {
    WardShell *shell;
    WardWait wait;
    guint64 done;
    guint64 total;
    gboolean running; /* a progress is shown for a running teardown only */
    gboolean drawn;
    GVariant *reply;
    GError *error;
} Teardown;

/* On stderr, like virsh's, so that it does not mix with what a script reads. */
static void
draw(Teardown *teardown)
{
    g_autofree char *line = NULL;

    if (!teardown->running || teardown->shell->quiet || !isatty(STDERR_FILENO))
        return;
    line = ward_format_progress("Teardown", teardown->done, teardown->total);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
    teardown->drawn = TRUE;
}

/* The end may come before the last of the numbers. */
static void
end_drawing(Teardown *teardown)
{
    if (!teardown->drawn)
        return;
    if (teardown->reply && teardown->total > 0 && !teardown->running) {
        teardown->done = teardown->total;
        teardown->running = TRUE;
        draw(teardown);
    }
    fputc('\n', stderr);
}

static void
take_properties(Teardown *teardown, GVariant *properties)
{
    guint64 number;
    const char *phase;

    if (g_variant_lookup(properties, "BytesDone", "t", &number))
        teardown->done = number;
    if (g_variant_lookup(properties, "BytesTotal", "t", &number))
        teardown->total = number;
    if (g_variant_lookup(properties, "Phase", "&s", &phase))
        teardown->running = g_str_equal(phase, "running") || g_str_equal(phase, "set-aside");
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
    g_autoptr(GVariant) changed = NULL;

    if (!g_variant_is_of_type(arguments, G_VARIANT_TYPE("(sa{sv}as)")))
        return;
    changed = g_variant_get_child_value(arguments, 1);
    take_properties(data, changed);
    draw(data);
}

static void
on_reply(GObject *source, GAsyncResult *result, gpointer data)
{
    Teardown *teardown = data;

    teardown->reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &teardown->error);
    ward_wait_done(&teardown->wait);
}

/* Until the daemon answers or the user interrupts, which leaves the teardown alone. */
static void
wait_for_reply(Teardown *teardown, WardClient *client, const char *path, guint timeout)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();

    draw(teardown);
    g_dbus_connection_call(client->connection, WARD_DBUS_NAME, path, WARD_DBUS_INTERFACE_TEARDOWN,
                           "Wait", g_variant_new("(u)", timeout), G_VARIANT_TYPE("(s)"),
                           G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, G_MAXINT, cancellable,
                           on_reply, teardown);
    if (ward_wait_run(&teardown->wait, 0) == WARD_WAIT_INTERRUPTED) {
        g_cancellable_cancel(cancellable);
        while (!teardown->reply && !teardown->error)
            g_main_context_iteration(NULL, TRUE);
    }
}

static int
finish_wait(Teardown *teardown, const WardView *view, GError **error)
{
    g_autoptr(WardRecord) record = ward_shell_new_record(teardown->shell);
    const char *phase = "";

    if (teardown->wait.end == WARD_WAIT_INTERRUPTED) {
        g_printerr("wait interrupted: the teardown of domain '%s' goes on\n", view->name);
        return WARD_EXIT_INTERRUPTED;
    }
    if (!teardown->reply) {
        ward_client_explain(teardown->shell->client, &teardown->error);
        g_propagate_error(error, g_steal_pointer(&teardown->error));
        return 1;
    }
    g_variant_get(teardown->reply, "(&s)", &phase);
    if (g_str_equal(phase, "set-aside"))
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "domain '%s' has an old guest set aside that nobody tears down: "
                    "protection-info has the reason",
                    view->name);
    else if (!g_str_equal(phase, "none"))
        g_set_error(error, WARD_ERROR, WARD_ERROR_CANCELLED,
                    "the teardown of domain '%s' was interrupted: what is left of the memory is "
                    "destroyed with the domain",
                    view->name);
    if (teardown->shell->format == WARD_FORMAT_JSON) {
        ward_record_add_string(record, "domain", NULL, view->name);
        ward_record_add_string(record, "phase", NULL, phase);
        ward_shell_print_record(teardown->shell, record);
    } else if (g_str_equal(phase, "none")) {
        ward_shell_print_extra(teardown->shell, "No teardown of domain '%s' is running\n",
                               view->name);
    }
    return 0;
}

static const WardOptDef wait_options[] = {
    WARD_OPTION_DOMAIN(ward_complete_teardown),
    {"timeout", WARD_OPT_INT, 0, "seconds to wait at most"},
    {NULL},
};

static int
teardown_wait(WardShell *shell, const WardCmd *cmd, GError **error)
{
    Teardown teardown = {.shell = shell};
    g_autoptr(WardView) view = NULL;
    WardClient *client;
    guint timeout = 0;
    guint subscription;
    int status;

    if (!ward_cmd_get_uint(cmd, "timeout", 1, G_MAXINT, &timeout, error))
        return 1;
    client = ward_shell_get_client(shell, error);
    view = client ? ward_view_fetch_with(client, ward_cmd_get_string(cmd, "domain"),
                                         WARD_PROTECTION_TEARDOWN, error)
                  : NULL;
    if (!view)
        return 1;
    ward_shell_warn(shell, FALSE);
    take_properties(&teardown, view->protections[WARD_PROTECTION_TEARDOWN]);
    subscription = g_dbus_connection_signal_subscribe(
        client->connection, WARD_DBUS_NAME, "org.freedesktop.DBus.Properties", "PropertiesChanged",
        view->path, WARD_DBUS_INTERFACE_TEARDOWN, G_DBUS_SIGNAL_FLAGS_NONE, on_properties_changed,
        &teardown, NULL);
    wait_for_reply(&teardown, client, view->path, timeout);
    g_dbus_connection_signal_unsubscribe(client->connection, subscription);
    end_drawing(&teardown);
    status = finish_wait(&teardown, view, error);
    g_clear_pointer(&teardown.reply, g_variant_unref);
    g_clear_error(&teardown.error);
    return status;
}

static const WardOptDef no_options[] = {{NULL}};

static const WardCmdDef commands[] = {
    {"teardown-list", teardown_list, no_options, 0, "list domains with a teardown",
     "Lists the domains that have a teardown protection, and how far a running teardown is."},
    {"teardown-wait", teardown_wait, wait_options, 0, "wait for the teardown of a domain to end",
     "Waits until no teardown of the domain is running, with a progress bar on a terminal.\n"
     "    Control-C ends the wait; the teardown goes on."},
    {NULL},
};

const WardCmdGroup ward_group_teardown = {"teardown", "Teardown", commands};
