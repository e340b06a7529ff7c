/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "control-introspection.h"

#include <errno.h>
#include <linux/kvmi.h>
#include <string.h>

#include "ward-error.h"
#include "ward-kvmi-names.h"

/* How long a tool that was asked to let go may take to put the guest right, and how often it is
 * looked whether it has: the kernel's control fd wakes the daemon's main loop, not this thread. */
#define UNHOOK_SECONDS 60
#define UNHOOK_LOOK_US 20000

gboolean
ward_control_introspection_is_enabled(GError **error)
{
    if (ward_control_check_extension(KVM_CAP_INTROSPECTION))
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED,
                "introspection is turned off in this kernel: kvm.introspection=N");
    return FALSE;
}

gboolean
ward_control_introspection_is_attached(const struct kvm_control_info *info)
{
    return (info->active & KVM_CONTROL_INTROSPECTION) &&
           !(info->item[WARD_PROTECTION_INTROSPECTION].flags & KVM_CONTROL_ITEM_BROKEN);
}

static gboolean
is_attached(WardControlVm *vm)
{
    struct kvm_control_info info;

    return ward_control_vm_get_info(vm, &info, NULL) &&
           ward_control_introspection_is_attached(&info);
}

/* All names were checked when the XML was read. */
static guint64
make_mask(GStrv names, int (*from_name)(const char *name))
{
    guint64 mask = 0;

    if (!names)
        return G_MAXUINT64;
    for (char **name = names; *name; name++)
        mask |= G_GUINT64_CONSTANT(1) << from_name(*name);
    return mask;
}

static gboolean
allow(WardControlVm *vm,
      const WardTarget *target,
      const WardIntrospectionSettings *settings,
      GError **error)
{
    struct kvm_introspection_allow request = {
        .commands = make_mask(settings->allowed_commands, ward_kvmi_command_from_name),
        .events = make_mask(settings->allowed_events, ward_kvmi_event_from_name),
    };

    if (ward_control_vm_ioctl(vm, KVM_INTROSPECTION_ALLOW, &request) == 0)
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                "introspection: the kernel refuses the list of what is allowed on domain '%s': %s",
                target->name, g_strerror(errno));
    return FALSE;
}

gboolean
ward_control_introspection_hook(WardControlVm *vm,
                                const WardTarget *target,
                                const WardIntrospectionSettings *settings,
                                int socket_fd,
                                GError **error)
{
    struct kvm_introspection_hook hook = {.fd = socket_fd};

    /* A connection that broke stays until it is unhooked, and would be in the way. */
    if (!is_attached(vm))
        ward_control_vm_ioctl(vm, KVM_INTROSPECTION_UNHOOK, NULL);
    if (!allow(vm, target, settings, error))
        return FALSE;
    ward_target_get_uuid(target, hook.uuid);
    if (ward_control_vm_ioctl(vm, KVM_INTROSPECTION_HOOK, &hook) == 0)
        return TRUE;
    g_set_error(error, WARD_ERROR, errno == EEXIST ? WARD_ERROR_BUSY : WARD_ERROR_FAILED,
                "introspection: the kernel cannot hook domain '%s': %s", target->name,
                errno == EEXIST  ? "another tool is attached"
                : errno == EPERM ? "it is turned off (kvm.introspection=N)"
                                 : g_strerror(errno));
    return FALSE;
}

/* The tool lets go by closing its end, which the kernel then shows. */
static void
wait_for_tool(WardControlVm *vm, const WardTarget *target)
{
    gint64 deadline = g_get_monotonic_time() + UNHOOK_SECONDS * G_USEC_PER_SEC;

    while (is_attached(vm) && g_get_monotonic_time() < deadline)
        g_usleep(UNHOOK_LOOK_US);
    if (is_attached(vm))
        g_warning("domain '%s': the introspection tool has not let go in %d seconds, its "
                  "connection is cut",
                  target->name, UNHOOK_SECONDS);
}

gboolean
ward_control_introspection_unhook(WardControlVm *vm, const WardTarget *target, GError **error)
{
    /* A tool that did not ask for the event cannot be asked; it is cut off at once. */
    if (is_attached(vm) && ward_control_vm_ioctl(vm, KVM_INTROSPECTION_PREUNHOOK, NULL) == 0)
        wait_for_tool(vm, target);
    if (ward_control_vm_ioctl(vm, KVM_INTROSPECTION_UNHOOK, NULL) == 0 || errno == ENODEV)
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                "introspection: the kernel cannot unhook domain '%s': %s", target->name,
                g_strerror(errno));
    return FALSE;
}

static WardError
get_error_code(int number)
{
    switch (number) {
    case ENODEV:
        return WARD_ERROR_NOT_FOUND;
    case ENOTTY:
    case EPERM:
        return WARD_ERROR_NOT_SUPPORTED;
    default:
        return WARD_ERROR_FAILED;
    }
}

gboolean
ward_control_introspection_read_statistics(WardControlVm *vm,
                                           const WardTarget *target,
                                           WardIntrospectionStatistics *statistics,
                                           GError **error)
{
    struct kvm_introspection_stats stats;

    G_STATIC_ASSERT(sizeof stats.reply_hist == sizeof statistics->reply_times);
    if (ward_control_vm_ioctl(vm, KVM_INTROSPECTION_GET_STATS, &stats) != 0) {
        g_set_error(error, WARD_ERROR, get_error_code(errno),
                    "introspection: cannot read the statistics of domain '%s': %s", target->name,
                    g_strerror(errno));
        return FALSE;
    }
    statistics->commands = stats.commands;
    statistics->errors = stats.errors;
    statistics->events = stats.events;
    memcpy(statistics->reply_times, stats.reply_hist, sizeof stats.reply_hist);
    return TRUE;
}
