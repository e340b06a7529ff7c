/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-shell.c: the state of one run, and how commands print
 */
#include "ward-shell.h"

#include <stdio.h>
#include <unistd.h>

#include "ward-commands.h"
#include "ward-error.h"
#include "ward-uri.h"

const WardCmdGroup *const ward_shell_groups[] = {
    &ward_group_protection,    &ward_group_teardown,  &ward_group_trustdomain,
    &ward_group_introspection, &ward_group_isolation, &ward_group_job,
    &ward_group_help,          &ward_group_shell,     NULL,
};

WardShell *
ward_shell_new(void)
{
    WardShell *self = g_new0(WardShell, 1);

    self->virsh_options = g_ptr_array_new_with_free_func(g_free);
    self->bus = G_BUS_TYPE_NONE;
    return self;
}

void
ward_shell_free(WardShell *self)
{
    if (!self)
        return;
    g_free(self->uri);
    g_ptr_array_unref(self->virsh_options);
    g_clear_pointer(&self->client, ward_client_free);
    g_free(self);
}

const WardCmdDef *
ward_shell_find_command(const char *name)
{
    for (guint i = 0; ward_shell_groups[i]; i++) {
        for (const WardCmdDef *def = ward_shell_groups[i]->commands; def->name; def++) {
            if (g_str_equal(def->name, name))
                return def;
        }
    }
    return NULL;
}

const WardCmdGroup *
ward_shell_find_group(const char *keyword)
{
    for (guint i = 0; ward_shell_groups[i]; i++) {
        if (g_strcmp0(ward_shell_groups[i]->keyword, keyword) == 0)
            return ward_shell_groups[i];
    }
    return NULL;
}

WardClient *
ward_shell_get_client(WardShell *self, GError **error)
{
    const char *uri = ward_uri_named(self->uri);
    GBusType bus = self->bus == G_BUS_TYPE_NONE ? ward_uri_choose_bus(uri, geteuid()) : self->bus;

    if (self->client &&
        (self->client->bus != bus || g_dbus_connection_is_closed(self->client->connection)))
        g_clear_pointer(&self->client, ward_client_free);
    if (!self->client)
        self->client = ward_client_new(bus, error);
    if (!self->client || !ward_client_refresh(self->client, uri, error))
        return NULL;
    return self->client;
}

void
ward_shell_warn(WardShell *self, gboolean loud)
{
    GVariant *host = self->client->host;

    fflush(stdout);
    if (ward_properties_boolean(host, "Simulated") && (loud || !self->quiet))
        g_printerr("warning: the host is SIMULATED: the daemon runs a model, and no protection "
                   "shown here is real\n");
    if (!ward_properties_boolean(host, "Connected")) {
        g_autofree char *why = ward_escape(ward_properties_string(host, "ConnectionError"));

        g_printerr("warning: the daemon has no connection to libvirt, and shows what it saw last: "
                   "%s\n",
                   why);
    }
}

WardRecord *
ward_shell_new_record(WardShell *self)
{
    WardRecord *record = ward_record_new();

    ward_record_add_boolean(record, "simulated", NULL,
                            ward_properties_boolean(self->client->host, "Simulated"));
    return record;
}

void
ward_shell_print_record(WardShell *self, WardRecord *record)
{
    g_autofree char *text = NULL;

    if (self->format == WARD_FORMAT_JSON) {
        text = ward_format_json(ward_record_to_variant(record), FALSE);
        g_print("%s\n", text);
    } else {
        text = ward_format_fields(record);
        g_print("%s", text);
    }
}

void
ward_shell_print_records(WardShell *self,
                         const char *key,
                         const char *const *headings,
                         GPtrArray *records)
{
    g_autoptr(WardRecord) document = ward_shell_new_record(self);
    g_autofree char *table = NULL;
    GVariantBuilder builder;

    if (self->format == WARD_FORMAT_TABLE) {
        table = ward_format_table(headings, records, self->quiet);
        g_print("%s", table);
        return;
    }
    g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
    for (guint i = 0; i < records->len; i++)
        g_variant_builder_add_value(&builder, ward_record_to_variant(records->pdata[i]));
    ward_record_add(document, key, NULL, g_variant_builder_end(&builder), "");
    ward_shell_print_record(self, document);
}

void
ward_shell_print_change(
    WardShell *self, const char *path, const char *result, const char *format, ...)
{
    g_autoptr(GVariant) domain =
        ward_client_get_properties(self->client, path, WARD_DBUS_INTERFACE_DOMAIN, NULL);
    const char *status = ward_properties_string(domain, "Status");
    const char *reason = ward_properties_string(domain, "Reason");
    va_list arguments;

    ward_shell_warn(self, FALSE);
    if (self->format == WARD_FORMAT_JSON) {
        g_autoptr(WardRecord) record = ward_shell_new_record(self);

        ward_record_add_string(record, "domain", NULL, ward_properties_string(domain, "Name"));
        ward_record_add_string(record, "result", NULL, result);
        ward_record_add_string(record, "status", NULL, status);
        ward_record_add_string(record, "reason", NULL, reason);
        ward_shell_print_record(self, record);
    } else if (!self->quiet) {
        g_autofree char *text = NULL;
        g_autofree char *escaped = NULL;

        va_start(arguments, format);
        text = g_strdup_vprintf(format, arguments);
        va_end(arguments);
        escaped = ward_escape(text);
        g_print("%s\n", escaped);
    }
    if (g_str_equal(status, "degraded") || g_str_equal(status, "failed")) {
        g_autofree char *why = ward_escape(reason);

        g_printerr("warning: the domain is %s now: %s\n", status, why);
    }
}

void
ward_shell_print_extra(WardShell *self, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    if (self->quiet || self->format == WARD_FORMAT_JSON)
        return;
    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_print("%s", text);
}

void
ward_shell_print_error(const GError *error)
{
    g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);

    fflush(stdout);
    for (char **line = lines; *line; line++) {
        g_autofree char *escaped = ward_escape(*line);

        if (line == lines)
            g_printerr("error: %s\n", escaped);
        else if (escaped[0])
            g_printerr("       %s\n", escaped);
    }
}
