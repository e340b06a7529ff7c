/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control-teardown.h"

#include <errno.h>
#include <linux/kvm_teardown.h>
#include <time.h>

#include "ward-error.h"

/* The kernel counts in pages of s390, whatever machine this is compiled on: teardown.rst. */
#define PAGE_BYTES G_GUINT64_CONSTANT(4096)

/* UVC_RC_EXECUTED, asm/uv.h: the Ultravisor's only return code that is no refusal. */
#define UV_RC_EXECUTED 1

/* QEMU performs at once what it has set aside. If the daemon is quicker, QEMU's own attempt finds
 * nothing and QEMU exits: so it gets much more time than it needs. */
#define ABANDONED_MS 10000

#define NS_PER_MS 1000000

/* The daemon's last attempt on one VM. */
typedef struct {
    guint64 prepared; /* number of the guest */
    gboolean running;
    int error; /* errno, of what the kernel's own account does not tell */
} Attempt;

struct _WardControlTeardown {
    GMutex lock;
    GHashTable *attempts; /* UUID to Attempt */
};

typedef struct {
    WardControlTeardown *teardown;
    WardControlVm *vm;
    WardProvider *provider;
    char *uuid;
    char *name;
} Perform;

WardControlTeardown *
ward_control_teardown_new(void)
{
    WardControlTeardown *self = g_atomic_rc_box_new0(WardControlTeardown);

    g_mutex_init(&self->lock);
    self->attempts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return self;
}

static void
control_teardown_clear(gpointer data)
{
    WardControlTeardown *self = data;

    g_hash_table_unref(self->attempts);
    g_mutex_clear(&self->lock);
}

WardControlTeardown *
ward_control_teardown_ref(WardControlTeardown *self)
{
    return g_atomic_rc_box_acquire(self);
}

void
ward_control_teardown_unref(WardControlTeardown *self)
{
    g_atomic_rc_box_release_full(self, control_teardown_clear);
}

void
ward_control_teardown_forget(WardControlTeardown *self, const char *uuid)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

    g_hash_table_remove(self->attempts, uuid);
}

/* the kernel's answers */

/* ENOTTY is a kernel with control and without teardown, EOPNOTSUPP another architecture. */
static gboolean
fail(GError **error, const char *name, const char *doing)
{
    int saved = errno;
    int code = WARD_ERROR_FAILED;

    if (saved == ENOTTY || saved == EOPNOTSUPP)
        code = WARD_ERROR_NOT_SUPPORTED;
    else if (saved == ENODEV)
        code = WARD_ERROR_INVALID_STATE;
    g_set_error(error, WARD_ERROR, code, "teardown: cannot %s domain '%s': %s", doing, name,
                code == WARD_ERROR_NOT_SUPPORTED ? "this kernel does not let its VMs' be steered"
                : saved == ENODEV                ? "its VM is gone"
                                                 : g_strerror(saved));
    return FALSE;
}

static gboolean
get_info(WardControlVm *vm,
         const WardTarget *target,
         struct kvm_teardown_info *info,
         GError **error)
{
    return ward_control_vm_ioctl(vm, KVM_TEARDOWN_GET_INFO, info) == 0 ||
           fail(error, target->name, "look at the teardowns of");
}

gboolean
ward_control_teardown_is_enabled(GError **error)
{
    struct kvm_teardown_info info;

    if (ward_control_try_ioctl(KVM_TEARDOWN_GET_INFO, &info) == 0)
        return TRUE;
    if (errno == ENOTTY || errno == EOPNOTSUPP)
        g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                    "this kernel does not let a manager steer it: virtward's patches for teardown "
                    "are not in it");
    else
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "the kernel cannot be asked whether it lets a manager steer it: %s",
                    g_strerror(errno));
    return FALSE;
}

gboolean
ward_control_teardown_set(WardControlVm *vm,
                          const WardTarget *target,
                          WardTeardownMode mode,
                          GError **error)
{
    guint64 value = mode == WARD_TEARDOWN_SYNC ? 0 : KVM_CONTROL_TEARDOWN;
    struct kvm_teardown_info info;
    g_autoptr(GError) local = NULL;

    if (!get_info(vm, target, &info, error))
        return FALSE;
    if (ward_control_vm_set_policy(vm, KVM_CONTROL_TEARDOWN, value, &local))
        return TRUE;
    if (!g_error_matches(local, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&local), "teardown: ");
        return FALSE;
    }
    /* There is a door, and nothing behind it: all teardowns of this host are synchronous. */
    if (mode == WARD_TEARDOWN_SYNC)
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                "teardown: domain '%s' cannot have it: asynchronous teardown is turned off on this "
                "host (kvm.async_destroy=N)",
                target->name);
    return FALSE;
}

gboolean
ward_control_teardown_prove(WardControlVm *vm,
                            const WardTarget *target,
                            const struct kvm_control_item *item,
                            GError **error)
{
    struct kvm_teardown_info info;

    if (!get_info(vm, target, &info, error))
        return FALSE;
    /* It matters when a guest is set aside, and without a guest that ran there is none. */
    if (item->vcpus_entered == 0 || info.prepared == 0)
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                "teardown: domain '%s' had set %" G_GUINT64_FORMAT
                " guests aside, perhaps before it was in force",
                target->name, (guint64)info.prepared);
    return FALSE;
}

gboolean
ward_control_teardown_cancel(WardControlVm *vm, const WardTarget *target, GError **error)
{
    if (ward_control_vm_ioctl(vm, KVM_TEARDOWN_INTERRUPT, NULL) == 0)
        return TRUE;
    if (errno != EINVAL)
        return fail(error, target->name, "interrupt the teardown of");
    g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_STATE, "domain '%s': no teardown is running",
                target->name);
    return FALSE;
}

/* what is read */

static WardTeardownPhase
get_phase(const struct kvm_teardown_info *info)
{
    if (info->state & KVM_TEARDOWN_RUNNING)
        return WARD_TEARDOWN_PHASE_RUNNING;
    if (info->state & KVM_TEARDOWN_SET_ASIDE)
        return WARD_TEARDOWN_PHASE_SET_ASIDE;
    return info->state & KVM_TEARDOWN_INTERRUPTED ? WARD_TEARDOWN_PHASE_INTERRUPTED
                                                  : WARD_TEARDOWN_PHASE_NONE;
}

static guint64
get_boottime_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * G_GUINT64_CONSTANT(1000000000) + now.tv_nsec;
}

/* Whether QEMU has had its time, or when it will have. One attempt for each guest: what the kernel
 * refused once it would refuse again. */
static void
look_at_set_aside(WardControlTeardown *self,
                  const char *uuid,
                  const struct kvm_teardown_info *info,
                  WardTeardownActual *actual)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
    const Attempt *attempt = g_hash_table_lookup(self->attempts, uuid);
    guint64 now = get_boottime_ns();
    guint64 age_ms = now > info->prepared_ns ? (now - info->prepared_ns) / NS_PER_MS : 0;

    if (attempt && attempt->prepared == info->prepared) {
        actual->perform_errno = attempt->error;
        return;
    }
    actual->abandoned = age_ms >= ABANDONED_MS;
    if (!actual->abandoned)
        actual->look_ms = ABANDONED_MS - age_ms;
}

gboolean
ward_control_teardown_read(WardControlTeardown *self,
                           WardControlVm *vm,
                           const WardTarget *target,
                           WardTeardownActual *actual,
                           GError **error)
{
    struct kvm_teardown_info info;

    if (!get_info(vm, target, &info, error))
        return FALSE;
    *actual = (WardTeardownActual){
        .phase = get_phase(&info),
        .last_duration_us = (info.duration_ns + 999) / 1000,
        .cancellable = TRUE,
        .counted = TRUE,
        .counts = {.started = info.started, .stopped = info.stopped, .failed = info.failed},
        .last_failed = info.failed > 0 && info.rc != UV_RC_EXECUTED,
        .rc = info.rc,
        .rrc = info.rrc,
    };
    /* The pages are of a teardown that has begun: of what is set aside nobody knows how much. */
    if (actual->phase != WARD_TEARDOWN_PHASE_SET_ASIDE) {
        actual->bytes_total = MIN(info.pages_total, G_MAXUINT64 / PAGE_BYTES) * PAGE_BYTES;
        actual->bytes_done = MIN(info.pages_done * PAGE_BYTES, actual->bytes_total);
    }
    if (info.state & KVM_TEARDOWN_SET_ASIDE)
        look_at_set_aside(self, target->uuid, &info, actual);
    return TRUE;
}

/* what the daemon performs */

/* A refusal of the Ultravisor, and that somebody else was quicker, is in the kernel's account; of
 * a VM that is gone nobody asks. */
static gboolean
is_told_by_kernel(int error)
{
    return error == EIO || error == EINVAL || error == ENODEV;
}

static void
end_attempt(Perform *perform, int error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&perform->teardown->lock);
    Attempt *attempt = g_hash_table_lookup(perform->teardown->attempts, perform->uuid);

    if (!attempt) /* forgotten meanwhile */
        return;
    attempt->running = FALSE;
    attempt->error = is_told_by_kernel(error) ? 0 : error;
}

static gpointer
perform_in_thread(gpointer data)
{
    Perform *perform = data;
    struct kvm_teardown_perform request = {0};
    int error = ward_control_vm_ioctl(perform->vm, KVM_TEARDOWN_PERFORM, &request) == 0 ? 0 : errno;

    if (error && !is_told_by_kernel(error))
        g_warning("domain '%s': the kernel cannot tear down the guest that was set aside: %s",
                  perform->name, g_strerror(error));
    end_attempt(perform, error);
    ward_provider_emit_changed(perform->provider, perform->uuid);

    ward_control_teardown_unref(perform->teardown);
    ward_control_vm_unref(perform->vm);
    g_object_unref(perform->provider);
    g_free(perform->uuid);
    g_free(perform->name);
    g_free(perform);
    return NULL;
}

/* FALSE: one runs already, or was tried on that guest. */
static gboolean
begin_attempt(WardControlTeardown *self, const char *uuid, guint64 prepared)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);
    Attempt *attempt = g_hash_table_lookup(self->attempts, uuid);

    if (attempt && (attempt->running || attempt->prepared == prepared))
        return FALSE;
    attempt = g_new0(Attempt, 1);
    attempt->prepared = prepared;
    attempt->running = TRUE;
    g_hash_table_replace(self->attempts, g_strdup(uuid), attempt);
    return TRUE;
}

gboolean
ward_control_teardown_perform(WardControlTeardown *self,
                              WardControlVm *vm,
                              const WardTarget *target,
                              WardProvider *provider,
                              GError **error)
{
    struct kvm_teardown_info info;
    g_autoptr(GThread) thread = NULL;
    Perform *perform;

    if (!get_info(vm, target, &info, error))
        return FALSE;
    /* With nothing set aside the kernel would go on with what was interrupted on purpose. */
    if (!(info.state & KVM_TEARDOWN_SET_ASIDE) || !begin_attempt(self, target->uuid, info.prepared))
        return TRUE;
    perform = g_new0(Perform, 1);
    perform->teardown = ward_control_teardown_ref(self);
    perform->vm = ward_control_vm_ref(vm);
    perform->provider = g_object_ref(provider);
    perform->uuid = g_strdup(target->uuid);
    perform->name = g_strdup(target->name);
    thread = g_thread_new("teardown", perform_in_thread, perform);
    return TRUE;
}
