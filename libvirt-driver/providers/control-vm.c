/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control-vm.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "ward-error.h"

#define EVENTS_AT_ONCE 32

struct _WardControlVm {
    char *uuid;
    int fd;
    WardControlVmFunc callback;
    gpointer user_data;
    GMutex lock;     /* guards source */
    GSource *source; /* NULL: stopped */
};

static void
control_vm_clear(gpointer data)
{
    WardControlVm *self = data;

    close(self->fd);
    g_free(self->uuid);
    g_mutex_clear(&self->lock);
}

WardControlVm *
ward_control_vm_ref(WardControlVm *self)
{
    return g_atomic_rc_box_acquire(self);
}

void
ward_control_vm_unref(WardControlVm *self)
{
    g_atomic_rc_box_release_full(self, control_vm_clear);
}

static void
unref_vm(gpointer data)
{
    ward_control_vm_unref(data);
}

static int
open_kvm(void)
{
    return open("/dev/kvm", O_RDWR | O_CLOEXEC);
}

gboolean
ward_control_check_extension(int capability)
{
    int kvm = open_kvm();
    int result;

    if (kvm < 0)
        return FALSE;
    result = ioctl(kvm, KVM_CHECK_EXTENSION, capability);
    close(kvm);
    return result > 0;
}

static gboolean
fail(WardControlVm *self, GError **error, const char *doing)
{
    int code = WARD_ERROR_FAILED;

    if (errno == ENODEV)
        code = WARD_ERROR_INVALID_STATE;
    else if (errno == EOPNOTSUPP)
        code = WARD_ERROR_NOT_SUPPORTED;
    g_set_error(error, WARD_ERROR, code, "control: cannot %s VM %s: %s", doing, self->uuid,
                errno == ENODEV ? "it is gone" : g_strerror(errno));
    return FALSE;
}

/* Most of what is read tells only that something changed: whoever is told looks himself. */
static gboolean
on_readable(int fd, GIOCondition condition, gpointer data)
{
    WardControlVm *self = data;
    struct kvm_control_event events[EVENTS_AT_ONCE];
    ssize_t n = read(fd, events, sizeof(events));
    gboolean gone = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    gsize n_events = n > 0 ? n / sizeof(events[0]) : 0;

    for (gsize i = 0; i < n_events; i++)
        gone |= events[i].type == KVM_CONTROL_EVENT_DESTROYED;
    self->callback(self->uuid, events, n_events, gone, self->user_data);
    return gone ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static void
watch(WardControlVm *self)
{
    self->source = g_unix_fd_source_new(self->fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
    g_source_set_callback(self->source, G_SOURCE_FUNC(on_readable), ward_control_vm_ref(self),
                          unref_vm);
    g_source_attach(self->source, NULL);
}

/* A pidfd pins the process, so the number cannot come to mean another one meanwhile. */
static int
open_control(GPid pid)
{
    struct kvm_control_open request = {.pidfd = pidfd_open(pid, 0)};
    int kvm = open_kvm();
    int fd = -1;
    int saved;

    if (request.pidfd >= 0 && kvm >= 0)
        fd = ioctl(kvm, KVM_CONTROL_OPEN, &request);
    saved = errno;
    if (kvm >= 0)
        close(kvm);
    if (request.pidfd >= 0)
        close(request.pidfd);
    errno = saved;
    return fd;
}

WardControlVm *
ward_control_vm_open(
    const char *uuid, GPid pid, WardControlVmFunc callback, gpointer user_data, GError **error)
{
    int fd = open_control(pid);
    WardControlVm *self;

    if (fd < 0) {
        gboolean none = errno == ENOENT || errno == ESRCH;

        g_set_error(error, WARD_ERROR, none ? WARD_ERROR_NOT_FOUND : WARD_ERROR_FAILED,
                    "control: cannot reach the VM of process %d: %s", pid,
                    none ? "it has none" : g_strerror(errno));
        return NULL;
    }
    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    self = g_atomic_rc_box_new0(WardControlVm);
    self->uuid = g_strdup(uuid);
    self->fd = fd;
    self->callback = callback;
    self->user_data = user_data;
    g_mutex_init(&self->lock);
    watch(self);
    return self;
}

void
ward_control_vm_stop(WardControlVm *self)
{
    GSource *source;

    g_mutex_lock(&self->lock);
    source = g_steal_pointer(&self->source);
    g_mutex_unlock(&self->lock);
    if (!source)
        return;
    g_source_destroy(source);
    g_source_unref(source);
}

gboolean
ward_control_vm_get_info(WardControlVm *self, struct kvm_control_info *info, GError **error)
{
    return ioctl(self->fd, KVM_CONTROL_GET_INFO, info) == 0 || fail(self, error, "look at");
}

gboolean
ward_control_vm_set_policy(WardControlVm *self, guint64 mask, guint64 value, GError **error)
{
    struct kvm_control_policy policy = {.mask = mask, .value = value};

    return ioctl(self->fd, KVM_CONTROL_SET_POLICY, &policy) == 0 ||
           fail(self, error, "set the policy of");
}

int
ward_control_vm_ioctl(WardControlVm *self, unsigned long request, void *argument)
{
    return ioctl(self->fd, request, argument);
}

int
ward_control_system_ioctl(unsigned long request, void *argument)
{
    int kvm = open_kvm();
    int result = kvm < 0 ? -1 : ioctl(kvm, request, argument);
    int saved = errno;

    if (kvm >= 0)
        close(kvm);
    errno = saved;
    return result;
}

int
ward_control_try_ioctl(unsigned long request, void *argument)
{
    int kvm = open_kvm();
    int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
    int fd = vm < 0 ? -1 : open_control(getpid());
    int result = fd < 0 ? -1 : ioctl(fd, request, argument);
    int saved = errno;

    if (fd >= 0)
        close(fd);
    if (vm >= 0)
        close(vm);
    if (kvm >= 0)
        close(kvm);
    errno = saved;
    return result;
}
