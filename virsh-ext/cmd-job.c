/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-job.c: long work of the daemon
 */
#include "ward-commands.h"
#include "ward-dbus-path.h"
#include "ward-error.h"
#include "ward-options.h"
#include "ward-shell.h"

static char *
format_time(guint64 usec)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(usec / G_USEC_PER_SEC);
    g_autoptr(GDateTime) local = utc ? g_date_time_to_local(utc) : NULL;

    return local ? g_date_time_format(local, "%F %T%z") : g_strdup("-");
}

static WardRecord *
list_record(guint id, GVariant *job)
{
    guint64 done = ward_properties_number(job, "Done");
    guint64 total = ward_properties_number(job, "Total");
    guint64 start = ward_properties_number(job, "StartTime");
    g_autofree char *domain_uuid = ward_dbus_path_to_uuid(ward_properties_string(job, "Domain"));
    g_autofree char *progress = ward_format_percent(done, total);
    g_autofree char *started = format_time(start);
    WardRecord *record = ward_record_new();

    ward_record_add_number(record, "id", "Id", id);
    ward_record_add_string(record, "operation", "Operation",
                           ward_properties_string(job, "Operation"));
    ward_record_add_string(record, "domain", "Domain", ward_properties_string(job, "DomainName"));
    ward_record_add_string(record, "domainUuid", NULL, domain_uuid ? domain_uuid : "");
    ward_record_add(record, "done", "Progress", g_variant_new_uint64(done), progress);
    ward_record_add_number(record, "total", NULL, total);
    ward_record_add_string(record, "unit", NULL, ward_properties_string(job, "Unit"));
    ward_record_add(record, "startTime", "Started", g_variant_new_uint64(start), started);
    ward_record_add_boolean(record, "cancellable", "Cancellable",
                            ward_properties_boolean(job, "Cancellable"));
    return record;
}

static int
compare_ids(gconstpointer a, gconstpointer b)
{
    guint id_a = *(const guint *)a;
    guint id_b = *(const guint *)b;

    return (id_a > id_b) - (id_a < id_b);
}

/* The numbers of all jobs, in their order, of an a{oa{sa{sv}}}. */
static GArray *
job_ids(GVariant *objects)
{
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(guint));
    GVariantIter iter;
    const char *path;
    guint id;

    g_variant_iter_init(&iter, objects);
    while (g_variant_iter_next(&iter, "{&o@a{sa{sv}}}", &path, NULL)) {
        if (ward_dbus_path_to_job_id(path, &id))
            g_array_append_val(ids, id);
    }
    g_array_sort(ids, compare_ids);
    return ids;
}

static int
job_list(WardShell *shell, const WardCmd *cmd, GError **error)
{
    static const char *const headings[] = {"Id",      "Operation",   "Domain", "Progress",
                                           "Started", "Cancellable", NULL};
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)ward_record_free);
    g_autoptr(GVariant) objects = NULL;
    g_autoptr(GArray) ids = NULL;
    WardClient *client = ward_shell_get_client(shell, error);

    objects = client ? ward_client_get_objects(client, error) : NULL;
    if (!objects)
        return 1;
    ids = job_ids(objects);
    ward_shell_warn(shell, FALSE);
    for (guint i = 0; i < ids->len; i++) {
        guint id = g_array_index(ids, guint, i);
        g_autofree char *path = ward_dbus_path_from_job_id(id);
        g_autoptr(GVariant) object = g_variant_lookup_value(objects, path, NULL);
        g_autoptr(GVariant) job =
            g_variant_lookup_value(object, WARD_DBUS_INTERFACE_JOB, G_VARIANT_TYPE_VARDICT);

        if (job)
            g_ptr_array_add(records, list_record(id, job));
    }
    ward_shell_print_records(shell, "jobs", headings, records);
    return 0;
}

static const WardOptDef cancel_options[] = {
    {"id", WARD_OPT_INT, WARD_OPT_REQUIRED, "number of the job, of job-list", ward_complete_jobs},
    {NULL},
};

static int
job_cancel(WardShell *shell, const WardCmd *cmd, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(WardRecord) record = NULL;
    g_autofree char *path = NULL;
    WardClient *client;
    guint id;

    if (!ward_cmd_get_uint(cmd, "id", 0, G_MAXUINT, &id, error))
        return 1;
    client = ward_shell_get_client(shell, error);
    if (!client)
        return 1;
    path = ward_dbus_path_from_job_id(id);
    reply = ward_client_call(client, path, WARD_DBUS_INTERFACE_JOB, "Cancel", NULL, NULL, &failure);
    if (g_error_matches(failure, WARD_ERROR, WARD_ERROR_NOT_FOUND))
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_FOUND,
                    "there is no job %u (any more): see job-list", id);
    else if (!reply)
        g_propagate_prefixed_error(error, g_steal_pointer(&failure), "cannot cancel job %u: ", id);
    if (!reply)
        return 1;
    record = ward_shell_new_record(shell);
    ward_record_add_number(record, "job", NULL, id);
    ward_record_add_string(record, "result", NULL, "cancelled");
    if (shell->format == WARD_FORMAT_JSON)
        ward_shell_print_record(shell, record);
    ward_shell_print_extra(shell, "Job %u cancelled\n", id);
    return 0;
}

static const WardOptDef no_options[] = {{NULL}};

static const WardCmdDef commands[] = {
    {"job-list", job_list, no_options, 0, "list running jobs",
     "Lists the long work that the daemon does at the moment."},
    {"job-cancel", job_cancel, cancel_options, WARD_CMD_CHANGES, "end a job early",
     "Ends a job early, if that can be done: see the column Cancellable of job-list."},
    {NULL},
};

const WardCmdGroup ward_group_job = {"job", "Jobs", commands};
