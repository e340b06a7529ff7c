/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control-trustdomain.h"

#include <errno.h>
#include <linux/kvm_trustdomain.h>

#include "ward-error.h"

/* Of the kernel's records of leaks, how many of the newest are looked at: it has one for each key,
 * and 64 more. */
#define MAX_RECORDS 4096

/* How often a QEMU that has no VM is looked at, for it may make another; and how often the pages of
 * one that ends. Nothing tells of either. */
#define LOOK_FOR_VM_MS 100
#define LOOK_AT_PAGES_MS 1000

#define NS_PER_US 1000

/* What the control fd of a VM has told of its leak. */
typedef struct {
    guint64 time_ns;
    guint32 key;
    guint64 pages;
    guint64 leaf;
    guint64 status;
    guint64 record; /* time_ns of the kernel's record; 0: not looked for yet */
} Leak;

struct _WardControlTrustdomain {
    GMutex lock;
    GHashTable *leaks; /* UUID to Leak */
};

WardControlTrustdomain *
ward_control_trustdomain_new(void)
{
    WardControlTrustdomain *self = g_new0(WardControlTrustdomain, 1);

    g_mutex_init(&self->lock);
    self->leaks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return self;
}

void
ward_control_trustdomain_free(WardControlTrustdomain *self)
{
    g_hash_table_unref(self->leaks);
    g_mutex_clear(&self->lock);
    g_free(self);
}

/* A stock kernel answers what it does not know on /dev/kvm with EINVAL. */
static gboolean
fail_to_count(GError **error)
{
    int saved = errno;
    gboolean none = saved == ENOTTY || saved == EOPNOTSUPP || saved == EINVAL;

    g_set_error(error, WARD_ERROR, none ? WARD_ERROR_NOT_SUPPORTED : WARD_ERROR_FAILED,
                "trustdomain: the kernel does not tell of the host's keys: %s",
                none ? "virtward's patches for trust domains are not in it, or TDX is off"
                     : g_strerror(saved));
    return FALSE;
}

/* ENOTTY is a kernel with control and without trust domains. */
static gboolean
fail_to_read(GError **error, const char *name)
{
    int saved = errno;

    if (saved == EOPNOTSUPP)
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "trustdomain: the VM of domain '%s' is no trust domain", name);
    else
        g_set_error(
            error, WARD_ERROR, saved == ENOTTY ? WARD_ERROR_NOT_SUPPORTED : WARD_ERROR_FAILED,
            "trustdomain: the kernel does not tell of domain '%s': %s", name, g_strerror(saved));
    return FALSE;
}

gboolean
ward_control_trustdomain_count(WardTrustdomainCapacity *capacity, GError **error)
{
    struct kvm_trustdomain_capacity host = {0};

    if (ward_control_system_ioctl(KVM_TRUSTDOMAIN_GET_CAPACITY, &host) < 0)
        return fail_to_count(error);
    *capacity = (WardTrustdomainCapacity){
        .total = host.total,
        .used = host.used,
        .leaked = host.leaked,
        .leaked_pages = host.leaked_pages,
        .knows_leaked = TRUE,
    };
    return TRUE;
}

/* leaks */

typedef gboolean (*Matches)(const struct kvm_trustdomain_leak *record, gconstpointer data);

/* The newest record that @matches; its time, or 0. */
static guint64
find_record(Matches matches, gconstpointer data)
{
    struct kvm_trustdomain_capacity host = {0};
    guint64 n;

    if (ward_control_system_ioctl(KVM_TRUSTDOMAIN_GET_CAPACITY, &host) < 0)
        return 0;
    n = MIN(host.leaks, G_MAXUINT32);
    for (guint64 i = n; i > 0 && n - i < MAX_RECORDS; i--) {
        struct kvm_trustdomain_leak record = {.index = i - 1};

        if (ward_control_system_ioctl(KVM_TRUSTDOMAIN_GET_LEAK, &record) == 0 &&
            matches(&record, data))
            return record.time_ns;
    }
    return 0;
}

static gboolean
is_of_event(const struct kvm_trustdomain_leak *record, gconstpointer data)
{
    const Leak *leak = data;

    return record->hkid == leak->key && record->pages == leak->pages &&
           record->leaf == leak->leaf && record->status == leak->status;
}

static gboolean
is_of_time(const struct kvm_trustdomain_leak *record, gconstpointer data)
{
    return record->time_ns == *(const guint64 *)data;
}

gboolean
ward_control_trustdomain_has_leak(guint64 leak)
{
    return find_record(is_of_time, &leak) != 0;
}

void
ward_control_trustdomain_take_event(WardControlTrustdomain *self,
                                    const char *uuid,
                                    const struct kvm_control_event *event)
{
    Leak *leak;

    if (event->type != KVM_TRUSTDOMAIN_EVENT_LEAKED)
        return;
    leak = g_new0(Leak, 1);
    *leak = (Leak){
        .time_ns = event->time_ns,
        .key = event->data[0],
        .pages = event->data[1],
        .leaf = event->data[2],
        .status = event->data[3],
    };
    g_mutex_lock(&self->lock);
    g_hash_table_replace(self->leaks, g_strdup(uuid), leak);
    g_mutex_unlock(&self->lock);
}

/* Of pages alone the kernel keeps a record of the first few: then the event stands for it. */
static void
read_leak(WardControlTrustdomain *self, const char *uuid, WardTrustdomainActual *actual)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
    Leak *leak = g_hash_table_lookup(self->leaks, uuid);

    if (!leak)
        return;
    if (!leak->record)
        leak->record = find_record(is_of_event, leak);
    if (!leak->record)
        leak->record = leak->time_ns;
    actual->leak = leak->record;
    actual->leaked_pages = MAX(actual->leaked_pages, leak->pages);
}

/* the state */

/* What this daemon does not know is not taken for something that it does. */
static WardTrustdomainState
get_state(guint32 state)
{
    G_STATIC_ASSERT((int)WARD_TRUSTDOMAIN_LEAKED == (int)KVM_TRUSTDOMAIN_LEAKED);
    return state <= KVM_TRUSTDOMAIN_LEAKED ? (WardTrustdomainState)state : WARD_TRUSTDOMAIN_UNKNOWN;
}

static gboolean
get_info(WardControlVm *vm, struct kvm_trustdomain_info *info)
{
    return ward_control_vm_ioctl(vm, KVM_TRUSTDOMAIN_GET_INFO, info) == 0;
}

gboolean
ward_control_trustdomain_is_under_way(WardControlVm *vm)
{
    struct kvm_trustdomain_info info = {0};

    return get_info(vm, &info) && info.state >= KVM_TRUSTDOMAIN_ASSIGNED &&
           info.state <= KVM_TRUSTDOMAIN_TEARDOWN;
}

gboolean
ward_control_trustdomain_read(WardControlTrustdomain *self,
                              WardControlVm *vm,
                              const WardTarget *target,
                              WardTrustdomainActual *actual,
                              GError **error)
{
    struct kvm_trustdomain_info info = {0};

    if (vm && !get_info(vm, &info)) {
        if (errno != ENODEV)
            return fail_to_read(error, target->name);
        info = (struct kvm_trustdomain_info){0};
    }
    *actual = (WardTrustdomainActual){
        .known = TRUE,
        .state = get_state(info.state),
        .key = info.hkid,
        .vcpus = info.vcpus,
        .control_pages = info.control_pages,
        .private_pages = info.private_pages,
        .reclaimed_pages = info.reclaimed_pages,
        .leaked_pages = info.leaked_pages,
        .created_us = info.created_ns / NS_PER_US,
        .key_released_us = info.key_released_ns / NS_PER_US,
    };
    if (!vm && target->pid)
        actual->look_ms = LOOK_FOR_VM_MS;
    else if (actual->state == WARD_TRUSTDOMAIN_TEARDOWN)
        actual->look_ms = LOOK_AT_PAGES_MS;
    read_leak(self, target->uuid, actual);
    return TRUE;
}
