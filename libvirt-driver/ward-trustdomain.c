/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-trustdomain.c: the life of a domain's trust domain, and the key that is reserved for it
 *
 * A pass brings what libvirt and the host say, the hook what was admitted: here it is put together.
 * What libvirt says of a stop or a reboot decides whether the domain's key is kept for it.
 */
#include "ward-error.h"
#include "ward-manager-private.h"
#include "ward-marker.h"
#include "ward-trustdomain-life.h"

/* counting the host's keys */

gboolean
ward_trustdomain_count(WardProvider *provider, WardTrustdomainCapacity *capacity, GError **error)
{
    WardProviderInterface *iface = WARD_PROVIDER_GET_IFACE(provider);

    *capacity = (WardTrustdomainCapacity){0};
    if (iface->trustdomain_capacity)
        return iface->trustdomain_capacity(provider, capacity, error);
    g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                "the provider '%s' cannot count trust domain keys", iface->name);
    return FALSE;
}

static void
count_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    GError *error = NULL;

    if (ward_trustdomain_count(WARD_MANAGER(source)->provider, data, &error))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

static void
on_counted(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;

    g_task_propagate_boolean(G_TASK(result), &error);
    ward_admission_take_count(WARD_MANAGER(source)->admission, g_task_get_task_data(G_TASK(result)),
                              error);
}

static void
count(gpointer user_data)
{
    WardManager *self = user_data;
    GTask *task = g_task_new(self, NULL, on_counted, NULL);

    g_task_set_task_data(task, g_new0(WardTrustdomainCapacity, 1), g_free);
    ward_queue_push(&self->admission_queue, task, count_in_thread);
}

static void
on_waits(const char *uuid, guint n, gpointer user_data)
{
    WardDomain *domain = g_hash_table_lookup(WARD_MANAGER(user_data)->domains, uuid);

    g_message("domain '%s': waits for a trust domain key, %u in the queue",
              domain ? domain->name : uuid, n);
}

/* Nothing was heard of it: libvirt knows. */
static void
on_expired(const char *uuid, gpointer user_data)
{
    WardManager *self = user_data;
    WardDomain *domain = g_hash_table_lookup(self->domains, uuid);

    if (domain)
        ward_sync(self, domain, WARD_SYNC_LIBVIRT, NULL);
    else
        ward_admission_drop(self->admission, uuid);
}

WardAdmissions *
ward_trustdomain_new_admission(WardManager *self)
{
    static const WardAdmissionFuncs funcs = {count, on_waits, on_expired};

    return ward_admission_new(self->state_dir, &funcs, self);
}

/* life */

static void
move_to(WardDomain *domain, WardTrustdomainLife to)
{
    while (domain->life != to) {
        WardTrustdomainLife from = domain->life;
        g_autofree char *change = NULL;

        domain->life = ward_trustdomain_life_step(from, to);
        change = g_strdup_printf("%s %s", ward_trustdomain_life_to_string(from),
                                 ward_trustdomain_life_to_string(domain->life));
        ward_domain_emit_event(domain, WARD_PROTECTION_TRUSTDOMAIN, "LifeChanged", change, 0);
    }
}

static gboolean
has_key(const WardTrustdomainActual *now)
{
    return now->state >= WARD_TRUSTDOMAIN_ASSIGNED && now->state <= WARD_TRUSTDOMAIN_BLOCKED;
}

/* Not that of the trust domain that was there when the place was taken. */
static gboolean
has_new_key(WardDomain *domain, const WardTrustdomainActual *now)
{
    return has_key(now) && (!domain->old_created || now->created_us != domain->old_created);
}

static void
note_leak(WardManager *manager, WardDomain *domain, const WardTrustdomainActual *now)
{
    if (!now->known || now->leak == now->leak_before)
        return;
    if (now->leak)
        g_warning("domain '%s': its trust domain has leaked a key or memory of the host, which "
                  "only a reboot of the host brings back",
                  domain->name);
    ward_marker_set_number(manager->state_dir, domain->uuid, WARD_MARKER_LEAKED, now->leak);
}

/* libvirt has been asked, and nothing is under way that it might not tell of. */
static gboolean
may_be_over(WardManager *manager, WardDomain *domain)
{
    if (!ward_connection_is_open(manager->connection))
        return FALSE;
    return ward_admission_is_overdue(manager->admission, domain->uuid) ||
           (!domain->starting && !ward_admission_is_inherited(manager->admission, domain->uuid));
}

/* A reservation is over when the host counts the key, or when nothing has become of the start. */
static void
update_place(WardManager *manager, WardDomain *domain, const WardTrustdomainActual *now)
{
    WardAdmissions *admission = manager->admission;
    const char *uuid = domain->uuid;
    gboolean active = ward_domain_is_active(domain);
    gboolean seen = has_new_key(domain, now) ||
                    (now->state == WARD_TRUSTDOMAIN_UNKNOWN && active && !domain->starting);

    if (!ward_admission_has(admission, uuid))
        return;
    if (ward_admission_keeps(admission, uuid)) {
        /* Made anew by QEMU itself; libvirt's re-creation comes through the hook. */
        if (active && has_new_key(domain, now))
            ward_admission_settle(admission, uuid);
    } else if (seen) {
        ward_admission_settle(admission, uuid);
    } else if (!active && may_be_over(manager, domain)) {
        ward_admission_drop(admission, uuid);
    }
}

static void
keep_place(WardManager *manager, WardDomain *domain)
{
    domain->old_created = domain->had_created;
    ward_admission_keep(manager->admission, domain->uuid);
}

static WardLifeFacts
get_facts(WardManager *manager, WardDomain *domain, gboolean leaked)
{
    const WardTrustdomainActual *now = &domain->actual->trustdomain;
    gboolean kept = ward_admission_keeps(manager->admission, domain->uuid);

    return (WardLifeFacts){
        .active = ward_domain_is_active(domain),
        .starting = domain->starting || domain->starting_up,
        .admitted = ward_admission_has(manager->admission, domain->uuid) && !kept,
        .kept = kept,
        .host = now->state,
        .leak_new = now->leak && leaked,
        .leak_old = now->leak && !leaked,
    };
}

/* The steps of a trust domain that ended and of another that has taken its place since. */
static void
replace(WardDomain *domain)
{
    if (domain->last_reboot == WARD_REBOOT_NONE)
        domain->last_reboot = WARD_REBOOT_RESET;
    move_to(domain, WARD_TRUSTDOMAIN_LIFE_GONE);
}

static void
follow_steps(WardManager *manager, WardDomain *domain, gboolean leaked)
{
    const WardTrustdomainActual *now = &domain->actual->trustdomain;
    WardLifeFacts facts = get_facts(manager, domain, leaked);
    WardTrustdomainLife life = ward_trustdomain_life_find(&facts);

    if (!domain->life_known) /* the first look tells nobody of what came before */
        domain->life = life;
    else if (has_key(now) && domain->had_created && now->created_us != domain->had_created &&
             domain->life == WARD_TRUSTDOMAIN_LIFE_RUNNING)
        replace(domain);
    if (life == WARD_TRUSTDOMAIN_LIFE_LEAKED && !leaked &&
        ward_trustdomain_life_is_under_way(domain->life))
        move_to(domain, WARD_TRUSTDOMAIN_LIFE_GONE);
    move_to(domain, life);
    domain->life_known = TRUE;
    domain->lived =
        ward_domain_is_active(domain) && (domain->lived || life == WARD_TRUSTDOMAIN_LIFE_RUNNING);
    domain->had_key = has_key(now);
    domain->had_created = now->created_us;
}

/* Nothing is known of the domain yet, or what is known of it is about to be read again. */
static gboolean
is_unread(WardManager *manager, WardDomain *domain)
{
    if (!ward_domain_get_native(domain) ||
        (domain->starting && !ward_domain_get_wanted(domain)->trustdomain))
        return TRUE; /* a start that only the hook knows of yet */
    return (domain->sync_libvirt || domain->sync_reads) &&
           ward_connection_is_open(manager->connection);
}

void
ward_trustdomain_follow(WardManager *manager, WardDomain *domain, const WardActual *before)
{
    const WardTrustdomainActual *now = &domain->actual->trustdomain;
    gboolean leaked = now->leak && now->leak != now->leak_before;

    if (!ward_domain_get_wanted(domain)->trustdomain && ward_domain_get_native(domain) &&
        !domain->starting) {
        domain->life_known = domain->lived = domain->had_key = FALSE;
        domain->life = WARD_TRUSTDOMAIN_LIFE_DEFINED;
        ward_admission_drop(manager->admission, domain->uuid);
        return;
    }
    if (is_unread(manager, domain))
        return;
    if (ward_domain_is_active(domain) && !now->known) {
        /* The host does not answer: what was, goes on to be. */
        if (!domain->starting)
            ward_admission_settle(manager->admission, domain->uuid);
        return;
    }
    note_leak(manager, domain, now);
    if (ward_domain_is_active(domain) && domain->lived && domain->had_key &&
        now->state == WARD_TRUSTDOMAIN_NONE)
        keep_place(manager, domain);
    update_place(manager, domain, now);
    follow_steps(manager, domain, leaked);
}

/* what the hook and libvirt's events say */

void
ward_trustdomain_note_admitted(WardManager *manager, WardDomain *domain)
{
    domain->life_known = TRUE;
    domain->lived = FALSE;
    domain->old_created = domain->had_created;
    if (ward_trustdomain_life_is_under_way(domain->life))
        move_to(domain, WARD_TRUSTDOMAIN_LIFE_GONE); /* libvirt starts nothing that still runs */
    move_to(domain, WARD_TRUSTDOMAIN_LIFE_ADMITTED);
    ward_domain_emit_changed(domain);
}

/* A reboot that libvirt makes a stop and a start of looks like a stop here. */
void
ward_trustdomain_note_released(WardManager *manager, WardDomain *domain)
{
    const WardTrustdomainSettings *wanted = ward_domain_get_wanted(domain)->trustdomain;

    if (wanted && domain->lived && wanted->on_reboot != WARD_TRUSTDOMAIN_DESTROY)
        keep_place(manager, domain);
    else
        ward_admission_drop(manager->admission, domain->uuid);
}

void
ward_trustdomain_note_stopped(WardManager *manager, WardDomain *domain, gboolean recreated)
{
    if (recreated) {
        domain->last_reboot = WARD_REBOOT_RECREATE;
        if (domain->lived && !domain->starting)
            keep_place(manager, domain);
    } else {
        domain->last_reboot = WARD_REBOOT_NONE;
        if (ward_admission_keeps(manager->admission, domain->uuid))
            ward_admission_drop(manager->admission, domain->uuid);
    }
}

/* If libvirt makes a new QEMU for it, that is said later, or was said before. */
void
ward_trustdomain_note_rebooted(WardDomain *domain)
{
    if (domain->lived && domain->last_reboot != WARD_REBOOT_RECREATE)
        domain->last_reboot = WARD_REBOOT_RESET;
}

/* A transient domain that libvirt has forgotten: its object goes, too. */
void
ward_trustdomain_note_gone(WardManager *manager, WardDomain *domain)
{
    if (domain->life_known && ward_trustdomain_life_is_under_way(domain->life))
        move_to(domain, WARD_TRUSTDOMAIN_LIFE_GONE);
    domain->life_known = FALSE;
    ward_admission_drop(manager->admission, domain->uuid);
}
