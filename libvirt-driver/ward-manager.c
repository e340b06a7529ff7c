/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-manager.c: the tables of domains and jobs, libvirt's events, the host's support
 */
#include "ward-manager.h"

#include "modules/ward-module.h"
#include "ward-error.h"
#include "ward-manager-private.h"

/* How many domains are read at once after connecting. More would keep later calls waiting in
 * libvirtd, which answers five of one client at a time (max_client_requests in libvirtd.conf). */
#define MAX_READING 4

/* How long a domain that hangs may keep others waiting at start. */
#define READY_SECONDS 10

enum {
    SIGNAL_DOMAIN_ADDED,
    SIGNAL_DOMAIN_REMOVED,
    SIGNAL_JOB_ADDED,
    SIGNAL_JOB_REMOVED,
    SIGNAL_HOST_CHANGED,
    SIGNAL_READY,
    N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(WardManager, ward_manager, G_TYPE_OBJECT)

/* domains */

WardDomain *
ward_manager_ensure_domain(WardManager *self, const char *uuid, const char *name)
{
    WardDomain *domain = g_hash_table_lookup(self->domains, uuid);

    if (domain)
        return domain;
    domain = ward_domain_new(uuid, name);
    g_hash_table_insert(self->domains, domain->uuid, domain);
    g_signal_emit(self, signals[SIGNAL_DOMAIN_ADDED], 0, domain);
    return domain;
}

void
ward_manager_remove_domain(WardManager *self, WardDomain *domain)
{
    g_autoptr(WardDomain) keep = g_object_ref(domain);

    if (g_hash_table_remove(self->domains, domain->uuid))
        g_signal_emit(self, signals[SIGNAL_DOMAIN_REMOVED], 0, domain);
}

/* jobs */

WardJob *
ward_manager_new_job(WardManager *self,
                     const char *operation,
                     WardDomain *domain,
                     const char *unit,
                     gboolean cancellable)
{
    return ward_job_new(++self->last_job, operation, domain->uuid, domain->name, unit, cancellable);
}

void
ward_manager_add_job(WardManager *self, WardJob *job)
{
    g_hash_table_insert(self->jobs, GUINT_TO_POINTER(ward_job_get_id(job)), g_object_ref(job));
    g_signal_emit(self, signals[SIGNAL_JOB_ADDED], 0, job);
}

void
ward_manager_end_job(WardManager *self, WardJob *job, const char *result, const char *message)
{
    g_autoptr(WardJob) keep = g_object_ref(job);

    ward_job_finish(job, result, message);
    if (g_hash_table_remove(self->jobs, GUINT_TO_POINTER(ward_job_get_id(job))))
        g_signal_emit(self, signals[SIGNAL_JOB_REMOVED], 0, job);
}

/* the host's support */

static void
host_support_clear(gpointer data)
{
    WardHostSupport *self = data;

    for (WardProtection p = 0; p < WARD_N_PROTECTIONS; p++)
        ward_support_clear(&self->support[p]);
}

WardHostSupport *
ward_host_support_new(WardProvider *provider,
                      const char *capabilities,
                      gulong libvirt_version,
                      gulong hypervisor_version)
{
    WardHostSupport *self = g_atomic_rc_box_new0(WardHostSupport);

    self->libvirt_version = libvirt_version;
    self->hypervisor_version = hypervisor_version;
    for (WardProtection p = 0; p < WARD_N_PROTECTIONS; p++)
        ward_provider_probe(provider, p, capabilities, &self->support[p]);
    return self;
}

WardHostSupport *
ward_host_support_ref(WardHostSupport *self)
{
    return g_atomic_rc_box_acquire(self);
}

void
ward_host_support_unref(WardHostSupport *self)
{
    g_atomic_rc_box_release_full(self, host_support_clear);
}

/* libvirt may take many seconds to look at a QEMU that it does not know yet. */
static void
probe_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    WardManager *self = source;
    virConnectPtr conn = ward_connection_acquire(self->connection, NULL);
    g_autofree char *capabilities = NULL;
    gulong qemu = 0;

    if (conn) {
        qemu = ward_connection_read_qemu_version(conn);
        capabilities = virConnectGetDomainCapabilities(conn, NULL, NULL, NULL, NULL, 0);
        ward_connection_release(self->connection, conn);
    }
    g_task_return_pointer(
        task,
        ward_host_support_new(self->provider, capabilities,
                              ward_connection_get_libvirt_version(self->connection), qemu),
        (GDestroyNotify)ward_host_support_unref);
}

static void
take_host_support(WardManager *self, WardHostSupport *host)
{
    ward_host_support_unref(self->host);
    self->host = host;
    g_signal_emit(self, signals[SIGNAL_HOST_CHANGED], 0);
}

static void
on_probed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    WardManager *self = WARD_MANAGER(source);
    WardHostSupport *host = g_task_propagate_pointer(G_TASK(result), NULL);

    if (host)
        take_host_support(self, host);
}

/* the connection */

static void
set_ready(WardManager *self)
{
    g_clear_handle_id(&self->ready_timer, g_source_remove);
    if (self->ready)
        return;
    self->ready = TRUE;
    ward_teardown_places_open(self);
    g_signal_emit(self, signals[SIGNAL_READY], 0);
}

static WardDomain *
ensure_dom(WardManager *self, virDomainPtr dom)
{
    char uuid[VIR_UUID_STRING_BUFLEN];

    virDomainGetUUIDString(dom, uuid);
    return ward_manager_ensure_domain(self, uuid, virDomainGetName(dom));
}

/* Whoever waits is told of those that were not read, too. */
static gboolean
on_ready_timeout(gpointer data)
{
    WardManager *self = data;

    self->ready_timer = 0;
    for (guint i = 0; i < self->unread->len; i++)
        ensure_dom(self, self->unread->pdata[i]);
    set_ready(self);
    return G_SOURCE_REMOVE;
}

static void read_next(WardManager *self);

static void
on_read(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(WardManager) self = user_data;

    self->reading--;
    read_next(self);
}

/* Keeps MAX_READING of the domains that were listed under way. Each is made known when its turn
 * comes: to tell of all at once takes more memory than to know them. */
static void
read_next(WardManager *self)
{
    while (self->reading < MAX_READING && self->unread->len > 0) {
        virDomainPtr dom = g_ptr_array_steal_index_fast(self->unread, self->unread->len - 1);
        WardDomain *domain = ensure_dom(self, dom);

        ward_domain_set_listed(domain, dom);
        self->reading++;
        ward_sync(self, domain, WARD_SYNC_LIBVIRT,
                  g_task_new(NULL, NULL, on_read, g_object_ref(self)));
    }
    if (self->reading == 0)
        set_ready(self);
}

void
ward_manager_free_dom(gpointer dom)
{
    virDomainFree(dom);
}

static GHashTable *
get_uuids(GPtrArray *doms)
{
    GHashTable *uuids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < doms->len; i++) {
        char uuid[VIR_UUID_STRING_BUFLEN];

        virDomainGetUUIDString(doms->pdata[i], uuid);
        g_hash_table_add(uuids, g_strdup(uuid));
    }
    return uuids;
}

static void
forget_unlisted(WardManager *self, GPtrArray *doms)
{
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(self->provider);
    g_autoptr(GHashTable) uuids = iface->forget_others ? get_uuids(doms) : NULL;

    if (uuids)
        iface->forget_others(self->provider, uuids);
}

static void
list_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    WardManager *self = source;
    GError *error = NULL;
    virConnectPtr conn = ward_connection_ref_shared(self->connection, &error);
    virDomainPtr *doms = NULL;
    GPtrArray *list;
    int n = -1;

    if (conn) {
        ward_connection_begin_call(self->connection);
        n = virConnectListAllDomains(conn, &doms, 0);
        ward_connection_end_call(self->connection);
        if (n < 0)
            ward_connection_set_error(&error, "cannot list the domains");
        virConnectClose(conn);
    }
    if (n < 0) {
        g_task_return_error(task, error);
        return;
    }
    list = g_ptr_array_new_full(n, ward_manager_free_dom);
    for (int i = 0; i < n; i++)
        g_ptr_array_add(list, doms[i]);
    free(doms);
    forget_unlisted(self, list);
    g_task_return_pointer(task, list, (GDestroyNotify)g_ptr_array_unref);
}

/* Those that are not in the list have gone while nobody looked. */
static void
remove_unlisted(WardManager *self, GPtrArray *doms)
{
    g_autoptr(GHashTable) listed = get_uuids(doms);
    g_autoptr(GList) domains = g_hash_table_get_values(self->domains);

    for (GList *l = domains; l; l = l->next) {
        WardDomain *domain = l->data;

        if (!g_hash_table_contains(listed, domain->uuid))
            ward_sync(self, domain, WARD_SYNC_LIBVIRT, NULL);
    }
}

static void
on_listed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    WardManager *self = WARD_MANAGER(source);
    g_autoptr(GError) error = NULL;
    GPtrArray *doms = g_task_propagate_pointer(G_TASK(result), &error);

    if (!doms) {
        g_warning("%s", error->message);
        set_ready(self);
        return;
    }
    remove_unlisted(self, doms);
    g_ptr_array_unref(self->unread);
    self->unread = doms;
    read_next(self);
}

/* Whatever libvirt was about to do, it does no more. */
static void
forget_intentions(WardManager *self)
{
    GHashTableIter iter;
    gpointer domain;

    g_ptr_array_set_size(self->unread, 0);
    g_hash_table_iter_init(&iter, self->domains);
    while (g_hash_table_iter_next(&iter, NULL, &domain)) {
        ward_domain_set_listed(domain, NULL);
        WARD_DOMAIN(domain)->starting = FALSE;
    }
}

static void
on_opened(WardConnection *connection, WardManager *self)
{
    gulong version = ward_connection_get_libvirt_version(connection);

    g_free(self->libvirt_version);
    self->libvirt_version = version ? g_strdup_printf("%lu.%lu.%lu", version / 1000000,
                                                      version / 1000 % 1000, version % 1000)
                                    : g_strdup("");
    forget_intentions(self);
    /* What is known without asking QEMU, at once: a hook may come before the probe is done. */
    take_host_support(self, ward_host_support_new(self->provider, NULL, version, 0));
    ward_queue_push(&self->host_queue, g_task_new(self, self->cancellable, on_probed, NULL),
                    probe_in_thread);
    ward_queue_push(&self->list_queue, g_task_new(self, self->cancellable, on_listed, NULL),
                    list_in_thread);
}

static void
on_closed(WardConnection *connection, WardManager *self)
{
    forget_intentions(self);
    set_ready(self);
    g_signal_emit(self, signals[SIGNAL_HOST_CHANGED], 0);
}

static void
on_domain_event(WardConnection *connection, virDomainPtr dom, int event, WardManager *self)
{
    WardDomain *domain = ensure_dom(self, dom);

    switch (event) {
    case WARD_DOMAIN_EVENT_REBOOT:
        ward_trustdomain_note_rebooted(domain);
        ward_sync_note_reboot(self, domain);
        return;
    case WARD_DOMAIN_EVENT_LEAVING:
        ward_sync_note_leaving(self, domain);
        return;
    case WARD_DOMAIN_EVENT_SUSPENDED:
        ward_sync_note_suspended(self, domain);
        return;
    case WARD_DOMAIN_EVENT_STOPPED_RECREATED:
        /* The hook may have announced the new one already. */
        ward_trustdomain_note_stopped(self, domain, TRUE);
        domain->leaving = FALSE;
        break;
    case WARD_DOMAIN_EVENT_STOPPED:
        ward_trustdomain_note_stopped(self, domain, FALSE);
        domain->starting = domain->leaving = FALSE;
        break;
    case WARD_DOMAIN_EVENT_STARTED:
        domain->starting = domain->leaving = FALSE;
        break;
    default:
        break;
    }
    ward_sync(self, domain, WARD_SYNC_LIBVIRT, NULL);
}

static void
on_provider_changed(WardProvider *provider, const char *uuid, WardManager *self)
{
    WardDomain *domain = g_hash_table_lookup(self->domains, uuid);

    if (domain)
        ward_sync(self, domain, WARD_SYNC_HOST, NULL);
}

/* the object */

static void
ward_manager_finalize(GObject *object)
{
    WardManager *self = WARD_MANAGER(object);

    g_ptr_array_unref(self->unread);
    g_free(self->uri);
    g_free(self->state_dir);
    g_free(self->libvirt_version);
    g_object_unref(self->provider);
    g_object_unref(self->connection);
    ward_host_support_unref(self->host);
    g_hash_table_unref(self->domains);
    g_hash_table_unref(self->jobs);
    g_object_unref(self->cancellable);
    ward_admission_free(self->admission);
    G_OBJECT_CLASS(ward_manager_parent_class)->finalize(object);
}

static guint
add_signal(const char *name, GType argument)
{
    return g_signal_new(name, WARD_TYPE_MANAGER, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                        G_TYPE_NONE, argument == G_TYPE_NONE ? 0 : 1, argument);
}

static void
ward_manager_class_init(WardManagerClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = ward_manager_finalize;
    signals[SIGNAL_DOMAIN_ADDED] = add_signal("domain-added", WARD_TYPE_DOMAIN);
    signals[SIGNAL_DOMAIN_REMOVED] = add_signal("domain-removed", WARD_TYPE_DOMAIN);
    signals[SIGNAL_JOB_ADDED] = add_signal("job-added", WARD_TYPE_JOB);
    signals[SIGNAL_JOB_REMOVED] = add_signal("job-removed", WARD_TYPE_JOB);
    signals[SIGNAL_HOST_CHANGED] = add_signal("host-changed", G_TYPE_NONE);
    signals[SIGNAL_READY] = add_signal("ready", G_TYPE_NONE);
}

static void
ward_manager_init(WardManager *self)
{
    self->libvirt_version = g_strdup("");
    self->domains = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_object_unref);
    self->jobs = g_hash_table_new_full(NULL, NULL, NULL, g_object_unref);
    self->cancellable = g_cancellable_new();
    self->unread = g_ptr_array_new_with_free_func(ward_manager_free_dom);
}

WardManager *
ward_manager_new(const char *uri, const char *state_dir, WardProvider *provider)
{
    WardManager *self = g_object_new(WARD_TYPE_MANAGER, NULL);

    self->uri = g_strdup(uri);
    self->state_dir = g_strdup(state_dir);
    self->provider = g_object_ref(provider);
    self->host = ward_host_support_new(provider, NULL, 0, 0);
    self->connection = ward_connection_new(uri);
    self->admission = ward_trustdomain_new_admission(self);
    g_signal_connect_object(self->connection, "opened", G_CALLBACK(on_opened), self, 0);
    g_signal_connect_object(self->connection, "closed", G_CALLBACK(on_closed), self, 0);
    g_signal_connect_object(self->connection, "domain-event", G_CALLBACK(on_domain_event), self, 0);
    g_signal_connect_object(provider, "changed", G_CALLBACK(on_provider_changed), self, 0);
    return self;
}

void
ward_manager_start(WardManager *self)
{
    self->ready_timer = g_timeout_add_seconds(READY_SECONDS, on_ready_timeout, self);
    ward_connection_start(self->connection);
}

void
ward_manager_stop(WardManager *self)
{
    GHashTableIter iter;
    gpointer value;

    g_cancellable_cancel(self->cancellable);
    g_clear_handle_id(&self->ready_timer, g_source_remove);
    g_hash_table_iter_init(&iter, self->domains);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        WardDomain *domain = value;

        g_clear_handle_id(&domain->timer, g_source_remove);
    }
    forget_intentions(self);
    ward_connection_stop(self->connection);
}

gboolean
ward_manager_is_ready(WardManager *self)
{
    return self->ready;
}

const char *
ward_manager_get_uri(WardManager *self)
{
    return self->uri;
}

gboolean
ward_manager_get_connected(WardManager *self)
{
    return ward_connection_is_open(self->connection);
}

const char *
ward_manager_get_connection_error(WardManager *self)
{
    return ward_connection_get_error(self->connection);
}

const char *
ward_manager_get_libvirt_version(WardManager *self)
{
    return self->libvirt_version;
}

gboolean
ward_manager_get_simulated(WardManager *self)
{
    return g_str_equal(ward_provider_get_name(self->provider), "simulated");
}

const WardSupport *
ward_manager_get_support(WardManager *self, WardProtection protection)
{
    return &self->host->support[protection];
}

static gboolean
domain_matches_name(gpointer key, gpointer value, gpointer name)
{
    return g_str_equal(ward_domain_get_name(value), name);
}

static gboolean
domain_matches_id(gpointer key, gpointer value, gpointer id)
{
    return ward_domain_get_id(value) == GPOINTER_TO_INT(id);
}

WardDomain *
ward_manager_lookup_domain(WardManager *self, const char *key, GError **error)
{
    g_autofree char *lower = g_ascii_strdown(key, -1);
    WardDomain *domain = g_hash_table_lookup(self->domains, lower);
    guint64 id;

    if (!domain && g_ascii_string_to_unsigned(key, 10, 0, G_MAXINT, &id, NULL))
        domain = g_hash_table_find(self->domains, domain_matches_id, GINT_TO_POINTER((int)id));
    if (!domain)
        domain = g_hash_table_find(self->domains, domain_matches_name, (gpointer)key);
    if (!domain)
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_FOUND,
                    "there is no domain with the name, UUID or id '%s' at %s", key, self->uri);
    return domain;
}

GList *
ward_manager_get_domains(WardManager *self)
{
    return g_hash_table_get_values(self->domains);
}

GList *
ward_manager_get_jobs(WardManager *self)
{
    return g_hash_table_get_values(self->jobs);
}

GStrv
ward_manager_check_settings(WardManager *self, const WardSettings *settings)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (WardProtection p = 0; p < WARD_N_PROTECTIONS; p++) {
        WardModuleContext context = {
            .support = &self->host->support[p],
            .libvirt_version = self->host->libvirt_version,
            .hypervisor_version = self->host->hypervisor_version,
            .wanted = settings,
        };
        g_autoptr(GError) error = NULL;

        if (ward_settings_wants(settings, p) &&
            !ward_module_check(ward_module_get(p), &context, &error))
            g_strv_builder_add(builder, error->message);
    }
    return g_strv_builder_end(builder);
}
