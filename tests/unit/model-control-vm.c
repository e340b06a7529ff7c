/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model-control-vm.h"

#include <errno.h>
#include <time.h>

#include "ward-error.h"

/* The number of its bit. */
#define ISOLATION_ITEM 3

#define NS G_GUINT64_CONSTANT(1000000000)

struct _WardControlVm {
    char *uuid;
    WardControlVmFunc callback;
    gpointer user_data;
};

static GMutex lock;
static GCond cond;
static ModelKernel model;
static guint32 refusal; /* how the teardown that runs ended */
static gboolean ended;
static gboolean interrupted;
static WardControlVm *reader; /* whose control fd is watched; borrowed */

ModelKernel *
model_lock(void)
{
    g_mutex_lock(&lock);
    return &model;
}

void
model_unlock(void)
{
    g_mutex_unlock(&lock);
}

void
model_reset(void)
{
    g_mutex_lock(&lock);
    model = (ModelKernel){
        .control = {.supported = KVM_CONTROL_TEARDOWN | KVM_CONTROL_ISOLATION,
                    .active = KVM_CONTROL_TEARDOWN,
                    .vcpus = 1},
    };
    ended = interrupted = FALSE;
    g_mutex_unlock(&lock);
}

/* the guest's life; all with the lock held */

static guint64
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * NS + now.tv_nsec;
}

static void
begin(gboolean resumed, guint64 total)
{
    if (resumed)
        model.info.interrupted--;
    else
        model.info.state &= ~KVM_TEARDOWN_SET_ASIDE;
    if (!model.info.interrupted)
        model.info.state &= ~KVM_TEARDOWN_INTERRUPTED;
    model.info.state |= KVM_TEARDOWN_RUNNING;
    model.info.running = 1;
    model.info.started++;
    model.info.pages_done = 0;
    model.info.pages_total = total;
    model.info.started_ns = now_ns();
    ended = interrupted = FALSE;
}

static void
end(void)
{
    model.info.state &= ~KVM_TEARDOWN_RUNNING;
    model.info.running = 0;
    if (interrupted) {
        model.info.state |= KVM_TEARDOWN_INTERRUPTED;
        model.info.interrupted++;
        model.info.stopped++;
        return;
    }
    model.info.rc = refusal ? refusal >> 16 : 1;
    model.info.rrc = refusal;
    if (refusal) {
        model.info.failed++;
        return;
    }
    model.info.pages_done = model.info.pages_total;
    model.info.finished++;
    model.info.duration_ns = now_ns() - model.info.started_ns + 1;
}

void
model_enter(gboolean violating)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);
    gboolean on = (model.control.active & KVM_CONTROL_ISOLATION) != 0;

    model.control.vcpus_entered = 1;
    if (on && !violating) {
        model.isolation.entries_restricted++;
        return;
    }
    model.isolation.entries_unrestricted++;
    if (!on)
        return;
    model.isolation.violations++;
    model.control.item[ISOLATION_ITEM].flags |= KVM_CONTROL_ITEM_BROKEN;
}

gboolean
model_prepare(guint age_seconds)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);

    if (!(model.control.active & KVM_CONTROL_TEARDOWN) ||
        (model.info.state & KVM_TEARDOWN_SET_ASIDE))
        return FALSE;
    model.info.state |= KVM_TEARDOWN_SET_ASIDE;
    model.info.prepared++;
    model.info.prepared_ns = now_ns() - age_seconds * NS;
    return TRUE;
}

void
model_qemu_performs(guint64 total)
{
    g_mutex_lock(&lock);
    begin(FALSE, total);
    g_mutex_unlock(&lock);
}

void
model_wait_for_performer(void)
{
    g_mutex_lock(&lock);
    while (!model.performer)
        g_cond_wait(&cond, &lock);
    g_mutex_unlock(&lock);
}

/* A performer does the rest in its own thread, and is waited for. */
void
model_end_teardown(guint32 with)
{
    g_mutex_lock(&lock);
    refusal = with;
    ended = TRUE;
    g_cond_broadcast(&cond);
    if (!model.performer)
        end();
    while (model.performer)
        g_cond_wait(&cond, &lock);
    g_mutex_unlock(&lock);
}

void
model_tell(const struct kvm_control_event *event, gboolean gone)
{
    WardControlVm *vm = ward_control_vm_ref(reader);

    vm->callback(vm->uuid, event, event ? 1 : 0, gone, vm->user_data);
    ward_control_vm_unref(vm);
}

void
model_wake_reader(gboolean gone)
{
    model_tell(NULL, gone);
}

/* KVM_TEARDOWN_*; with the lock held: 0 or an errno */

static int
perform(struct kvm_teardown_perform *request)
{
    gboolean resumed = !(model.info.state & KVM_TEARDOWN_SET_ASIDE);
    int result;

    model.performs++;
    if (request->flags)
        return EINVAL;
    if (model.perform_refusal)
        return model.perform_refusal;
    if (resumed && !model.info.interrupted)
        return EINVAL;
    begin(resumed, 1024);
    model.performer = g_thread_self();
    g_cond_broadcast(&cond);
    while (!ended && !interrupted)
        g_cond_wait(&cond, &lock);
    end();
    request->rc = interrupted ? 1 : model.info.rc;
    request->rrc = interrupted ? 42 : model.info.rrc;
    result = refusal && !interrupted ? EIO : 0;
    model.performer = NULL;
    g_cond_broadcast(&cond);
    return result;
}

static int
interrupt_running(void)
{
    if (!model.info.running)
        return EINVAL;
    interrupted = TRUE;
    if (model.performer)
        g_cond_broadcast(&cond);
    else
        end();
    return 0;
}

static int
dispatch(unsigned long request, void *argument)
{
    switch (request) {
    case KVM_TEARDOWN_GET_INFO:
        *(struct kvm_teardown_info *)argument = model.info;
        return 0;
    case KVM_TRUSTDOMAIN_GET_INFO:
        *(struct kvm_trustdomain_info *)argument = model.trustdomain;
        return 0;
    case KVM_ISOLATION_GET_STATS:
        *(struct kvm_isolation_stats *)argument = model.isolation;
        return 0;
    case KVM_TEARDOWN_PERFORM:
        return perform(argument);
    case KVM_TEARDOWN_INTERRUPT:
        return interrupt_running();
    default:
        return model.introspection ? model.introspection(request, argument) : ENOTTY;
    }
}

/* KVM_TRUSTDOMAIN_* of /dev/kvm; as above. */
static int
dispatch_system(unsigned long request, void *argument)
{
    struct kvm_trustdomain_leak *leak = argument;

    switch (request) {
    case KVM_TRUSTDOMAIN_GET_CAPACITY:
        *(struct kvm_trustdomain_capacity *)argument = model.capacity;
        return 0;
    case KVM_TRUSTDOMAIN_GET_LEAK:
        if (leak->index >= MIN(model.capacity.leaks, G_N_ELEMENTS(model.leaks)))
            return ENOENT;
        *leak = model.leaks[leak->index];
        return 0;
    default:
        return ENOTTY;
    }
}

static int
answer(int refused, unsigned long request, void *argument)
{
    g_mutex_lock(&lock);
    errno = refused ? refused : dispatch(request, argument);
    g_mutex_unlock(&lock);
    return errno ? -1 : 0;
}

/* control-vm.h */

gboolean
ward_control_check_extension(int capability)
{
    return capability == KVM_CAP_CONTROL;
}

WardControlVm *
ward_control_vm_open(
    const char *uuid, GPid pid, WardControlVmFunc callback, gpointer user_data, GError **error)
{
    WardControlVm *self;

    if (model.open_refusal) {
        g_set_error_literal(error, WARD_ERROR, WARD_ERROR_NOT_FOUND, "it has none");
        return NULL;
    }
    self = g_atomic_rc_box_new0(WardControlVm);
    model.opens++;
    self->uuid = g_strdup(uuid);
    self->callback = callback;
    self->user_data = user_data;
    reader = self;
    return self;
}

WardControlVm *
ward_control_vm_ref(WardControlVm *self)
{
    return g_atomic_rc_box_acquire(self);
}

static void
clear_vm(gpointer data)
{
    WardControlVm *self = data;

    g_free(self->uuid);
}

void
ward_control_vm_unref(WardControlVm *self)
{
    g_atomic_rc_box_release_full(self, clear_vm);
}

void
ward_control_vm_stop(WardControlVm *self)
{
    if (reader == self)
        reader = NULL;
}

gboolean
ward_control_vm_get_info(WardControlVm *self, struct kvm_control_info *info, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);

    *info = model.control;
    return TRUE;
}

gboolean
ward_control_vm_set_policy(WardControlVm *self, guint64 mask, guint64 value, GError **error)
{
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&lock);

    struct kvm_control_item *item = &model.control.item[ISOLATION_ITEM];
    gboolean isolation = mask & KVM_CONTROL_ISOLATION;

    if (isolation ? model.isolation_refusal : model.off_on_host) {
        g_set_error_literal(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED, "not supported");
        return FALSE;
    }
    model.sets++;
    if (isolation && (model.control.active & mask) != value) {
        item->since_ns = now_ns();
        item->vcpus_entered = model.control.vcpus_entered;
        item->flags = 0;
    }
    model.control.active = (model.control.active & ~mask) | value;
    return TRUE;
}

int
ward_control_vm_ioctl(WardControlVm *self, unsigned long request, void *argument)
{
    switch (request) {
    case KVM_TRUSTDOMAIN_GET_INFO:
        return answer(model.trustdomain_refusal, request, argument);
    case KVM_ISOLATION_GET_STATS:
        return answer(model.isolation_refusal, request, argument);
    default:
        return answer(model.refusal, request, argument);
    }
}

int
ward_control_system_ioctl(unsigned long request, void *argument)
{
    g_mutex_lock(&lock);
    errno = model.system_refusal ? model.system_refusal : dispatch_system(request, argument);
    g_mutex_unlock(&lock);
    return errno ? -1 : 0;
}

int
ward_control_try_ioctl(unsigned long request, void *argument)
{
    gboolean isolation = request == KVM_ISOLATION_GET_STATS;

    return answer(isolation ? model.isolation_refusal : model.probe_refusal, request, argument);
}
