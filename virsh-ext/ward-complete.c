/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-complete.c: what could come next in a command
 */
#include "ward-complete.h"

#include <string.h>
#include <unistd.h>

#include "passthrough.h"
#include "ward-dbus-path.h"
#include "ward-options.h"
#include "ward-uri.h"
#include "ward-view.h"

/* Everything the daemon has; NULL when it does not run. */
static GVariant *
get_objects(WardShell *shell)
{
    const char *uri = ward_uri_named(shell->uri);
    GBusType bus = shell->bus == G_BUS_TYPE_NONE ? ward_uri_choose_bus(uri, geteuid()) : shell->bus;
    g_autoptr(WardClient) client = ward_client_new(bus, NULL);
    g_autoptr(GVariant) reply = NULL;

    if (client)
        reply = g_dbus_connection_call_sync(
            client->connection, WARD_DBUS_NAME, WARD_DBUS_PATH,
            "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL,
            G_VARIANT_TYPE("(a{oa{sa{sv}}})"), G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, NULL);
    return reply ? g_variant_get_child_value(reply, 0) : NULL;
}

/* Names of the domains with @protection; all when it is WARD_N_PROTECTIONS. */
static GStrv
list_domains(WardShell *shell, guint protection)
{
    g_autoptr(GVariant) objects = get_objects(shell);
    g_autoptr(GPtrArray) views = objects ? ward_view_list(objects) : NULL;
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();

    for (guint i = 0; views && i < views->len; i++) {
        const WardView *view = views->pdata[i];

        if (protection == WARD_N_PROTECTIONS || view->protections[protection])
            g_strv_builder_add(names, view->name);
    }
    return g_strv_builder_end(names);
}

GStrv
ward_complete_domains(WardShell *shell)
{
    return list_domains(shell, WARD_N_PROTECTIONS);
}

GStrv
ward_complete_teardown(WardShell *shell)
{
    return list_domains(shell, WARD_PROTECTION_TEARDOWN);
}

GStrv
ward_complete_trustdomain(WardShell *shell)
{
    return list_domains(shell, WARD_PROTECTION_TRUSTDOMAIN);
}

GStrv
ward_complete_introspection(WardShell *shell)
{
    return list_domains(shell, WARD_PROTECTION_INTROSPECTION);
}

GStrv
ward_complete_isolation(WardShell *shell)
{
    return list_domains(shell, WARD_PROTECTION_ISOLATION);
}

GStrv
ward_complete_jobs(WardShell *shell)
{
    g_autoptr(GVariant) objects = get_objects(shell);
    g_autoptr(GStrvBuilder) ids = g_strv_builder_new();
    GVariantIter iter;
    const char *path;
    guint id;

    if (!objects)
        return NULL;
    g_variant_iter_init(&iter, objects);
    while (g_variant_iter_next(&iter, "{&o@a{sa{sv}}}", &path, NULL)) {
        if (ward_dbus_path_to_job_id(path, &id)) {
            g_autofree char *text = g_strdup_printf("%u", id);

            g_strv_builder_add(ids, text);
        }
    }
    return g_strv_builder_end(ids);
}

/* Those of @candidates, which may be NULL, that begin with @text, with @before in front of each. */
static GStrv
filter(GStrv candidates, const char *before, const char *text)
{
    g_autoptr(GStrvBuilder) selected = g_strv_builder_new();

    for (guint i = 0; candidates && candidates[i]; i++) {
        g_autofree char *whole = g_strconcat(before, candidates[i], NULL);

        if (candidates[i][0] && g_str_has_prefix(candidates[i], text))
            g_strv_builder_add(selected, whole);
    }
    return g_strv_builder_end(selected);
}

static GStrv
complete_virsh(WardShell *shell, const char *const *words)
{
    g_autoptr(GPtrArray) args = g_ptr_array_new();
    g_autofree char *output = NULL;
    g_auto(GStrv) lines = NULL;
    const char *last = "";

    g_ptr_array_add(args, (gpointer) "complete");
    g_ptr_array_add(args, (gpointer) "--");
    for (; *words; words++) {
        last = *words;
        g_ptr_array_add(args, (gpointer)last);
    }
    g_ptr_array_add(args, NULL);
    if (!ward_passthrough_capture(shell, (const char *const *)args->pdata, TRUE, &output, NULL))
        return NULL;
    lines = g_strsplit(output, "\n", -1);
    return filter(lines, "", last);
}

static GStrv
complete_commands(WardShell *shell, const char *const *words)
{
    g_auto(GStrv) virsh = complete_virsh(shell, words);
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    g_auto(GStrv) all = NULL;

    for (guint i = 0; ward_shell_groups[i]; i++) {
        for (const WardCmdDef *def = ward_shell_groups[i]->commands; def->name; def++) {
            gboolean has = virsh && g_strv_contains((const char *const *)virsh, def->name);

            if (!(def->flags & WARD_CMD_HIDDEN) && !has)
                g_strv_builder_add(names, def->name);
        }
    }
    if (virsh)
        g_strv_builder_addv(names, (const char **)virsh);
    all = g_strv_builder_end(names);
    return filter(all, "", words[0]);
}

/* Options that are not yet among @words. */
static GStrv
complete_options(const WardCmdDef *def, const char *const *words, const char *text)
{
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();
    g_auto(GStrv) all = NULL;

    for (const WardOptDef *option = def->options; option->name; option++) {
        g_autofree char *name = g_strconcat("--", option->name, NULL);

        if (!g_strv_contains(words, name))
            g_strv_builder_add(names, name);
    }
    all = g_strv_builder_end(names);
    return filter(all, "", text);
}

static GStrv
complete_value(WardShell *shell, const WardOptDef *option, const char *before, const char *text)
{
    g_auto(GStrv) candidates = NULL;

    if (!option || !option->complete)
        return NULL;
    candidates = option->complete(shell);
    return filter(candidates, before, text);
}

static GStrv
complete_ours(WardShell *shell, const WardCmdDef *def, const char *const *words)
{
    guint n = g_strv_length((char **)words);
    g_autofree const char **before = g_memdup2(words, n * sizeof(char *));
    const char *last = words[n - 1];
    const char *equals = strchr(last, '=');

    before[n - 1] = NULL;
    if (g_str_has_prefix(last, "--") && equals) {
        g_autofree char *name = g_strndup(last + 2, equals - last - 2);
        g_autofree char *start = g_strndup(last, equals - last + 1);

        return complete_value(shell, ward_cmd_find_option(def, name), start, equals + 1);
    }
    if (last[0] == '-')
        return complete_options(def, before, last);
    return complete_value(shell, ward_cmd_find_next_value(def, before), "", last);
}

GStrv
ward_complete(WardShell *shell, const char *const *words)
{
    const WardCmdDef *def;

    if (!words[0])
        return NULL;
    if (!words[1])
        return complete_commands(shell, words);
    def = ward_shell_find_command(words[0]);
    if (!def || def->flags & WARD_CMD_SHELL)
        return complete_virsh(shell, words);
    return complete_ours(shell, def, words + 1);
}
