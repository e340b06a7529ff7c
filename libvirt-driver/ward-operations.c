/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-operations.c: what D-Bus asks for
 *
 * Changes of what is wanted go into libvirt's metadata, and the pass that follows makes them so;
 * there is no other way in.
 */
#include <libvirt/virterror.h>

#include "modules/ward-module.h"
#include "ward-error.h"
#include "ward-manager-private.h"
#include "ward-marker.h"

typedef struct {
    WardDomain *domain;
    WardSettings *settings;
    guint flags;
    WardHostSupport *host;
} Change;

static void
change_free(gpointer data)
{
    Change *self = data;

    g_object_unref(self->domain);
    ward_settings_unref(self->settings);
    ward_host_support_unref(self->host);
    g_free(self);
}

/* flags */

static gboolean
check_flags(guint flags, GError **error)
{
    const guint known = WARD_AFFECT_LIVE | WARD_AFFECT_CONFIG | WARD_AFFECT_UPDATE;

    if (!(flags & ~known))
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                "unknown flags 0x%x; known are 1 (live), 2 (config), 4 (update)", flags & ~known);
    return FALSE;
}

/* Neither live nor config: the domain as it is, which is live when it is active. */
static gboolean
resolve_flags(WardNative *live, WardNative *config, guint *flags, GError **error)
{
    if (!(*flags & (WARD_AFFECT_LIVE | WARD_AFFECT_CONFIG)))
        *flags |= live ? WARD_AFFECT_LIVE : WARD_AFFECT_CONFIG;
    if ((*flags & WARD_AFFECT_LIVE) && !live) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_STATE,
                    "it is not running: only its persistent settings can be used (config)");
        return FALSE;
    }
    if ((*flags & WARD_AFFECT_CONFIG) && !config) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_STATE,
                    "it is transient and has no persistent settings, only live ones");
        return FALSE;
    }
    return TRUE;
}

static gboolean
require_connection(WardManager *self, GError **error)
{
    virConnectPtr conn = ward_connection_ref_shared(self->connection, error);

    if (conn)
        virConnectClose(conn);
    return conn != NULL;
}

/* reading the protection */

typedef struct {
    WardDomain *domain;
    guint flags;
} Question;

static void
question_free(gpointer data)
{
    Question *self = data;

    g_object_unref(self->domain);
    g_free(self);
}

static void
answer_protection(WardManager *self, WardDomain *domain, GTask *owned)
{
    g_autoptr(GTask) task = owned;
    Question *question = g_task_get_task_data(task);
    GError *error = NULL;
    WardNative *native;
    char *xml;

    if ((question->flags & WARD_AFFECT_LIVE) && (question->flags & WARD_AFFECT_CONFIG)) {
        g_task_return_new_error(task, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                                "live and config are different documents: ask for one");
        return;
    }
    if (!resolve_flags(domain->live, domain->config, &question->flags, &error)) {
        g_prefix_error(&error, "domain '%s': ", domain->name);
        g_task_return_error(task, error);
        return;
    }
    native = question->flags & WARD_AFFECT_LIVE ? domain->live : domain->config;
    if (native->xml->settings_error) {
        g_task_return_error(task, g_error_copy(native->xml->settings_error));
        return;
    }
    xml = ward_settings_format(native->xml->settings);
    g_task_return_pointer(task, xml ? xml : g_strdup(""), g_free);
}

void
ward_manager_get_protection_async(WardManager *self,
                                  WardDomain *domain,
                                  guint flags,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data)
{
    GTask *task = g_task_new(self, cancellable, callback, user_data);
    Question *question = g_new0(Question, 1);

    question->domain = g_object_ref(domain);
    question->flags = flags;
    g_task_set_task_data(task, question, question_free);
    ward_sync_when_known(self, domain, task, answer_protection);
}

char *
ward_manager_get_protection_finish(WardManager *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* changing the protection */

static gboolean
write_metadata(virDomainPtr dom, WardSettings *settings, unsigned int flags, GError **error)
{
    const char *name = virDomainGetName(dom); /* before the call: it resets libvirt's last error */
    g_autofree char *xml = ward_settings_format_metadata(settings);

    if (virDomainSetMetadata(dom, VIR_DOMAIN_METADATA_ELEMENT, xml, xml ? WARD_XML_PREFIX : NULL,
                             WARD_XML_NAMESPACE, flags) == 0)
        return TRUE;
    /* Nothing to clear is as good as cleared. */
    if (!xml && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN_METADATA)
        return TRUE;
    ward_connection_set_error(error, "cannot write the %s metadata of domain '%s'",
                              flags & VIR_DOMAIN_AFFECT_LIVE ? "live" : "persistent", name);
    return FALSE;
}

/* What is to be written: for an update, into what is there now. That was read in the domain's
 * queue, so that two updates at once do not undo each other. */
static WardSettings *
merge_change(WardNative *current, Change *change, GError **error)
{
    if (!(change->flags & WARD_AFFECT_UPDATE))
        return ward_settings_ref(change->settings);
    if (!current->xml->settings_error)
        return ward_settings_update(current->xml->settings, change->settings);
    g_propagate_prefixed_error(error, g_error_copy(current->xml->settings_error),
                               "what is there cannot be updated, only replaced: ");
    return NULL;
}

/* A required protection that this host does not have must not be written into a running domain,
 * where it could only pause it. */
static gboolean
check_live(Change *change, WardNative *native, const WardSettings *live, GError **error)
{
    for (WardProtection p = 0; p < WARD_N_PROTECTIONS; p++) {
        WardModuleContext context = {
            .support = &change->host->support[p],
            .libvirt_version = change->host->libvirt_version,
            .wanted = live,
            .xml = native->xml,
        };

        if (!ward_settings_wants(live, p) ||
            ward_settings_get_enforcement(live, p) == WARD_ENFORCEMENT_PREFERRED)
            continue;
        if (!ward_module_check(ward_module_get(p), &context, error)) {
            g_prefix_error(error, "nothing was changed: ");
            return FALSE;
        }
    }
    return TRUE;
}

/* Persistent first: if the second write fails, the running domain is as it was. */
static gboolean
write_change(virDomainPtr dom, Change *change, GError **error)
{
    g_autoptr(WardReading) now = ward_reading_new(dom, WARD_READING_WHOLE, error);
    g_autoptr(WardSettings) live = NULL;
    g_autoptr(WardSettings) config = NULL;

    if (!now || !resolve_flags(now->live, now->config, &change->flags, error))
        return FALSE;
    if (change->flags & WARD_AFFECT_LIVE) {
        live = merge_change(now->live, change, error);
        if (!live || !check_live(change, now->live, live, error))
            return FALSE;
    }
    if (change->flags & WARD_AFFECT_CONFIG) {
        config = merge_change(now->config, change, error);
        if (!config || !write_metadata(dom, config, VIR_DOMAIN_AFFECT_CONFIG, error))
            return FALSE;
    }
    return !live || write_metadata(dom, live, VIR_DOMAIN_AFFECT_LIVE, error);
}

static gboolean
find_and_write(virConnectPtr conn, Change *change, GError **error)
{
    virDomainPtr dom = virDomainLookupByUUIDString(conn, change->domain->uuid);
    gboolean ok;

    if (!dom) {
        ward_connection_set_error(error, "cannot find domain %s", change->domain->uuid);
        return FALSE;
    }
    ok = write_change(dom, change, error);
    virDomainFree(dom);
    return ok;
}

static void
write_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    WardManager *self = source;
    GError *error = NULL;
    virConnectPtr conn = ward_connection_acquire(self->connection, &error);
    gboolean ok = FALSE;

    if (conn) {
        ok = find_and_write(conn, data, &error);
        ward_connection_release(self->connection, conn);
    }
    if (ok)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void
on_synced(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;

    if (g_task_propagate_boolean(G_TASK(result), &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void
on_written(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    WardManager *self = WARD_MANAGER(source);
    Change *change = g_task_get_task_data(G_TASK(result));
    GError *error = NULL;

    if (!g_task_propagate_boolean(G_TASK(result), &error)) {
        g_prefix_error(&error, "domain '%s': ", change->domain->name);
        g_task_return_error(task, error);
        return;
    }
    /* New terms deserve a new try. */
    if (change->flags & WARD_AFFECT_LIVE)
        ward_marker_set(self->state_dir, change->domain->uuid, WARD_MARKER_DETACHED, FALSE);
    ward_sync(self, change->domain, WARD_SYNC_LIBVIRT,
              g_task_new(NULL, NULL, on_synced, g_steal_pointer(&task)));
}

static gboolean
may_change(WardManager *self, const WardSettings *settings, guint flags, GError **error)
{
    if (!require_connection(self, error) || !check_flags(flags, error))
        return FALSE;
    if (!(flags & WARD_AFFECT_UPDATE) || !ward_settings_is_empty(settings))
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                "there is nothing in the protection to update it with");
    return FALSE;
}

void
ward_manager_set_protection_async(WardManager *self,
                                  WardDomain *domain,
                                  WardSettings *settings,
                                  guint flags,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(self, cancellable, callback, user_data);
    GError *error = NULL;
    Change *change;
    GTask *write;

    if (!may_change(self, settings, flags, &error)) {
        g_prefix_error(&error, "domain '%s': ", domain->name);
        g_task_return_error(task, error);
        return;
    }
    change = g_new0(Change, 1);
    change->domain = g_object_ref(domain);
    change->settings = ward_settings_ref(settings);
    change->flags = flags;
    change->host = ward_host_support_ref(self->host);
    /* Once begun it is seen to its end: a caller that leaves does not stop it halfway. */
    write = g_task_new(self, NULL, on_written, g_steal_pointer(&task));
    g_task_set_task_data(write, change, change_free);
    ward_queue_push(&domain->libvirt_queue, write, write_in_thread);
}

gboolean
ward_manager_set_protection_finish(WardManager *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
