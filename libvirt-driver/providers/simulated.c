/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * simulated.c: a model of a patched host, for the demo and the tests
 *
 * Nothing here protects anything, and everybody who asks is told so. The machine it models is kept
 * in a file, one group for each running domain, because a daemon that is killed and started again
 * must find the machine as it left it; hooks of introspection tools are not, because a tool's
 * connection ends with the daemon.
 */
#include <fcntl.h>
#include <glib-unix.h>
#include <unistd.h>

#include "simulated-isolation.h"
#include "simulated-trustdomain.h"
#include "ward-error.h"
#include "ward-providers.h"

#define MACHINE_FILE "simulated-machine.conf"
#define TEARDOWN_BYTES_PER_SECOND (G_GUINT64_CONSTANT(32) * 1024 * 1024)

/* After that long a guest that is set aside is taken for one that QEMU forgot. */
#define TEARDOWN_ABANDONED_US (2 * G_USEC_PER_SEC)

/* The keys of a domain's group. Times are of the monotonic clock, in microseconds. */
#define KEY_TEARDOWN_MODE "teardown-mode"
#define KEY_TEARDOWN_START "teardown-start"
#define KEY_TEARDOWN_TOTAL "teardown-total"
#define KEY_TEARDOWN_CANCELLED "teardown-cancelled"
#define KEY_TEARDOWN_SET_ASIDE "teardown-set-aside"
#define KEY_TEARDOWN_STARTED "teardown-started" /* these three: how often */
#define KEY_TEARDOWN_STOPPED "teardown-stopped"
#define KEY_TEARDOWN_FAILED "teardown-failed"
#define KEY_TEARDOWN_WEIGHT "teardown-weight"

/* What goes wrong in a machine whose file is edited while no daemon runs, for the tests and the
 * demo: QEMU sets aside and does no more; the kernel refuses to perform it for others, with that
 * errno; the Ultravisor refuses, with rc << 16 | rrc. */
#define KEY_TEARDOWN_FORGETS "teardown-forgets"
#define KEY_TEARDOWN_PERFORM_ERRNO "teardown-perform-errno"
#define KEY_TEARDOWN_REFUSAL "teardown-refusal"

#define WARD_TYPE_SIMULATED_PROVIDER (ward_simulated_provider_get_type())
G_DECLARE_FINAL_TYPE(
    WardSimulatedProvider, ward_simulated_provider, WARD, SIMULATED_PROVIDER, GObject)

struct _WardSimulatedProvider {
    GObject parent;

    GMutex lock; /* guards all that follows */
    char *path;
    GKeyFile *machine;
    GHashTable *hooks; /* UUID to GSource of the tool's connection */
};

static void ward_simulated_provider_iface_init(WardProviderInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE(WardSimulatedProvider,
                              ward_simulated_provider,
                              G_TYPE_OBJECT,
                              G_IMPLEMENT_INTERFACE(WARD_TYPE_PROVIDER,
                                                    ward_simulated_provider_iface_init))

/* the machine */

static GMutexLocker *
lock_machine(WardProvider *provider)
{
    return g_mutex_locker_new(&WARD_SIMULATED_PROVIDER(provider)->lock);
}

static GKeyFile *
get_machine(WardProvider *provider)
{
    return WARD_SIMULATED_PROVIDER(provider)->machine;
}

static gboolean
save_machine(WardProvider *provider, GError **error)
{
    WardSimulatedProvider *self = WARD_SIMULATED_PROVIDER(provider);
    g_autoptr(GError) local = NULL;

    if (g_key_file_save_to_file(self->machine, self->path, &local))
        return TRUE;
    g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED, "cannot save the simulated machine: %s",
                local->message);
    return FALSE;
}

static gboolean
has_key(WardProvider *provider, const WardTarget *target, const char *key)
{
    return g_key_file_has_key(get_machine(provider), target->uuid, key, NULL);
}

static void
probe(WardProvider *provider,
      WardProtection protection,
      const char *capabilities,
      WardSupport *support)
{
    ward_support_set(support, TRUE, "simulated: a model of a patched host, nothing is protected");
}

/* teardown */

static gboolean
teardown_set(WardProvider *provider,
             const WardTarget *target,
             WardTeardownMode mode,
             GError **error)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);
    g_autofree char *was =
        g_key_file_get_string(get_machine(provider), target->uuid, KEY_TEARDOWN_MODE, NULL);
    const char *word = ward_teardown_mode_to_string(mode);

    if (g_strcmp0(was, word) == 0)
        return TRUE;
    g_key_file_set_string(get_machine(provider), target->uuid, KEY_TEARDOWN_MODE, word);
    return save_machine(provider, error);
}

/* Needs the lock. */
static guint64
get_number(WardProvider *provider, const WardTarget *target, const char *key)
{
    return g_key_file_get_uint64(get_machine(provider), target->uuid, key, NULL);
}

/* Needs the lock. */
static void
set_number(WardProvider *provider, const WardTarget *target, const char *key, guint64 value)
{
    g_key_file_set_uint64(get_machine(provider), target->uuid, key, value);
}

/* Needs the lock. */
static void
read_progress(WardProvider *provider, const WardTarget *target, WardTeardownActual *actual)
{
    guint64 start = get_number(provider, target, KEY_TEARDOWN_START);
    guint64 end = get_number(provider, target, KEY_TEARDOWN_CANCELLED);
    guint64 total = get_number(provider, target, KEY_TEARDOWN_TOTAL);
    guint64 refusal = get_number(provider, target, KEY_TEARDOWN_REFUSAL);
    guint64 now = end ? end : (guint64)g_get_monotonic_time();
    gdouble done = (now - start) / 1e6 * TEARDOWN_BYTES_PER_SECOND;

    actual->bytes_total = total;
    actual->bytes_done = done < total ? (guint64)done : total;
    if (actual->bytes_done < total) {
        actual->phase = end ? WARD_TEARDOWN_PHASE_INTERRUPTED : WARD_TEARDOWN_PHASE_RUNNING;
        return;
    }
    actual->last_failed = refusal != 0;
    actual->counts.failed += actual->last_failed;
    actual->rc = refusal ? refusal >> 16 : 1;
    actual->rrc = refusal;
    if (!actual->last_failed)
        actual->last_duration_us = total * G_USEC_PER_SEC / TEARDOWN_BYTES_PER_SECOND;
}

/* Needs the lock. */
static void
read_teardown(WardProvider *provider, const WardTarget *target, WardTeardownActual *actual)
{
    guint64 since = get_number(provider, target, KEY_TEARDOWN_SET_ASIDE);
    guint64 age = g_get_monotonic_time() - since;

    *actual = (WardTeardownActual){
        .cancellable = TRUE,
        .counted = TRUE,
        .counts = {.started = get_number(provider, target, KEY_TEARDOWN_STARTED),
                   .stopped = get_number(provider, target, KEY_TEARDOWN_STOPPED),
                   .failed = get_number(provider, target, KEY_TEARDOWN_FAILED)},
    };
    if (has_key(provider, target, KEY_TEARDOWN_START))
        read_progress(provider, target, actual);
    if (!since || actual->phase == WARD_TEARDOWN_PHASE_RUNNING)
        return;
    actual->phase = WARD_TEARDOWN_PHASE_SET_ASIDE;
    actual->bytes_done = actual->bytes_total = 0;
    if (age < TEARDOWN_ABANDONED_US)
        actual->look_ms = (TEARDOWN_ABANDONED_US - age) / 1000 + 1;
    else
        actual->perform_errno = get_number(provider, target, KEY_TEARDOWN_PERFORM_ERRNO);
    actual->abandoned = age >= TEARDOWN_ABANDONED_US && !actual->perform_errno;
}

static gboolean
teardown_read(WardProvider *provider,
              const WardTarget *target,
              WardTeardownActual *actual,
              GError **error)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    read_teardown(provider, target, actual);
    return TRUE;
}

static gboolean
teardown_cancel(WardProvider *provider, const WardTarget *target, GError **error)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);
    WardTeardownActual actual = {0};

    read_teardown(provider, target, &actual);
    if (actual.phase != WARD_TEARDOWN_PHASE_RUNNING) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_STATE,
                    "domain '%s': no teardown is running", target->name);
        return FALSE;
    }
    set_number(provider, target, KEY_TEARDOWN_CANCELLED, g_get_monotonic_time());
    set_number(provider, target, KEY_TEARDOWN_STOPPED, actual.counts.stopped + 1);
    return save_machine(provider, error);
}

/* More of it while an earlier teardown runs, a new teardown otherwise, with what an interrupted one
 * left. Needs the lock. */
static void
begin_teardown(WardProvider *provider, const WardTarget *target)
{
    guint64 total = target->memory_bytes;
    WardTeardownActual actual;

    read_teardown(provider, target, &actual);
    if (actual.phase == WARD_TEARDOWN_PHASE_RUNNING) {
        total += actual.bytes_total;
    } else {
        total += actual.bytes_total - actual.bytes_done;
        g_key_file_remove_key(get_machine(provider), target->uuid, KEY_TEARDOWN_CANCELLED, NULL);
        set_number(provider, target, KEY_TEARDOWN_START, g_get_monotonic_time());
        set_number(provider, target, KEY_TEARDOWN_FAILED, actual.counts.failed);
        set_number(provider, target, KEY_TEARDOWN_STARTED, actual.counts.started + 1);
    }
    set_number(provider, target, KEY_TEARDOWN_TOTAL, total);
}

static gboolean
teardown_perform(WardProvider *provider, const WardTarget *target, GError **error)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    if (!has_key(provider, target, KEY_TEARDOWN_SET_ASIDE))
        return TRUE;
    begin_teardown(provider, target);
    g_key_file_remove_key(get_machine(provider), target->uuid, KEY_TEARDOWN_SET_ASIDE, NULL);
    ward_provider_emit_changed(provider, target->uuid);
    return save_machine(provider, error);
}

static gboolean
teardown_weigh(WardProvider *provider, const WardTarget *target, guint weight, GError **error)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    if (get_number(provider, target, KEY_TEARDOWN_WEIGHT) == weight)
        return TRUE;
    set_number(provider, target, KEY_TEARDOWN_WEIGHT, weight);
    return save_machine(provider, error);
}

/* The memory of the guest that was is set aside, and QEMU begins to destroy it. A guest that resets
 * again while it boots is not protected yet, and leaves nothing behind. */
static void
teardown_rebooted(WardProvider *provider, const WardTarget *target)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);
    GKeyFile *machine = get_machine(provider);
    g_autofree char *mode = g_key_file_get_string(machine, target->uuid, KEY_TEARDOWN_MODE, NULL);
    g_autoptr(GError) error = NULL;

    if (g_strcmp0(mode, "async") != 0 || has_key(provider, target, KEY_TEARDOWN_SET_ASIDE))
        return;
    if (g_key_file_get_boolean(machine, target->uuid, KEY_TEARDOWN_FORGETS, NULL))
        set_number(provider, target, KEY_TEARDOWN_SET_ASIDE, g_get_monotonic_time());
    else
        begin_teardown(provider, target);
    if (!save_machine(provider, &error))
        g_warning("%s", error->message);
}

/* trustdomain */

static gboolean
trustdomain_capacity(WardProvider *provider, WardTrustdomainCapacity *capacity, GError **error)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    ward_simulated_trustdomain_count(get_machine(provider), capacity);
    return TRUE;
}

static gboolean
trustdomain_read(WardProvider *provider,
                 const WardTarget *target,
                 WardTrustdomainActual *actual,
                 GError **error)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    ward_simulated_trustdomain_read(get_machine(provider), target->uuid, actual);
    return TRUE;
}

static gboolean
trustdomain_has_leak(WardProvider *provider, guint64 leak)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    return ward_simulated_trustdomain_has_leak(get_machine(provider), leak);
}

/* Needs the lock. */
static void
save_if(WardProvider *provider, gboolean changed)
{
    g_autoptr(GError) error = NULL;

    if (changed && !save_machine(provider, &error))
        g_warning("%s", error->message);
}

static void
trustdomain_running(WardProvider *provider, const WardTarget *target)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    save_if(provider, ward_simulated_trustdomain_run(get_machine(provider), target));
}

static void
trustdomain_rebooted(WardProvider *provider, const WardTarget *target)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    save_if(provider, ward_simulated_trustdomain_reset(get_machine(provider), target));
}

/* introspection */

typedef struct {
    WardSimulatedProvider *provider; /* outlives it */
    char *uuid;
    int fd;
} HookedTool;

static void
hooked_tool_free(gpointer data)
{
    HookedTool *self = data;

    close(self->fd);
    g_free(self->uuid);
    g_free(self);
}

static gboolean
on_tool_gone(int fd, GIOCondition condition, gpointer data)
{
    HookedTool *tool = data;
    WardSimulatedProvider *self = tool->provider;
    g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&self->lock);

    ward_provider_emit_changed(WARD_PROVIDER(self), tool->uuid);
    g_hash_table_remove(self->hooks, tool->uuid);
    return G_SOURCE_REMOVE;
}

static gboolean
introspection_hook(WardProvider *provider,
                   const WardTarget *target,
                   const WardIntrospectionSettings *settings,
                   int socket_fd,
                   GError **error)
{
    WardSimulatedProvider *self = WARD_SIMULATED_PROVIDER(provider);
    g_autoptr(GMutexLocker) locker = lock_machine(provider);
    HookedTool *tool;
    GSource *source;

    if (g_hash_table_contains(self->hooks, target->uuid)) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_BUSY, "domain '%s': a tool is attached already",
                    target->name);
        return FALSE;
    }
    tool = g_new0(HookedTool, 1);
    tool->provider = self;
    tool->uuid = g_strdup(target->uuid);
    tool->fd = fcntl(socket_fd, F_DUPFD_CLOEXEC, 0);
    source = g_unix_fd_source_new(tool->fd, G_IO_HUP | G_IO_ERR);
    g_source_set_callback(source, G_SOURCE_FUNC(on_tool_gone), tool, hooked_tool_free);
    g_source_attach(source, NULL);
    g_hash_table_insert(self->hooks, g_strdup(target->uuid), source);
    return TRUE;
}

static gboolean
introspection_unhook(WardProvider *provider, const WardTarget *target, GError **error)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    g_hash_table_remove(WARD_SIMULATED_PROVIDER(provider)->hooks, target->uuid);
    return TRUE;
}

static gboolean
introspection_read(WardProvider *provider,
                   const WardTarget *target,
                   WardIntrospectionActual *actual,
                   GError **error)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    actual->attached =
        g_hash_table_contains(WARD_SIMULATED_PROVIDER(provider)->hooks, target->uuid);
    return TRUE;
}

/* isolation */

static gboolean
isolation_set(WardProvider *provider, const WardTarget *target, gboolean on, GError **error)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    return !ward_simulated_isolation_set(get_machine(provider), target->uuid, on) ||
           save_machine(provider, error);
}

static gboolean
isolation_read(WardProvider *provider,
               const WardTarget *target,
               WardIsolationActual *actual,
               GError **error)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    ward_simulated_isolation_read(get_machine(provider), target->uuid, actual);
    return TRUE;
}

static gboolean
isolation_statistics(WardProvider *provider,
                     const WardTarget *target,
                     WardIsolationStatistics *statistics,
                     GError **error)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    ward_simulated_isolation_count(get_machine(provider), target->uuid, statistics);
    return TRUE;
}

/* life */

static gboolean
arm(WardProvider *provider, const WardTarget *target, const WardSettings *settings, GError **error)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    /* libvirt makes another QEMU: the one before is gone, whether that was told or not. */
    ward_simulated_trustdomain_end(get_machine(provider), target->uuid);
    ward_simulated_isolation_arm(get_machine(provider), target->uuid,
                                 settings->isolation && settings->isolation->on);
    return save_machine(provider, error);
}

static void
forget(WardProvider *provider, const WardTarget *target)
{
    WardSimulatedProvider *self = WARD_SIMULATED_PROVIDER(provider);
    g_autoptr(GMutexLocker) locker = lock_machine(provider);

    g_hash_table_remove(self->hooks, target->uuid);
    ward_simulated_trustdomain_end(self->machine, target->uuid);
    save_if(provider, g_key_file_remove_group(self->machine, target->uuid, NULL));
}

static void
forget_others(WardProvider *provider, GHashTable *uuids)
{
    g_autoptr(GMutexLocker) locker = lock_machine(provider);
    GKeyFile *machine = get_machine(provider);
    g_auto(GStrv) groups = g_key_file_get_groups(machine, NULL);
    gboolean changed = FALSE;

    for (char **group = groups; *group; group++) {
        if (!g_uuid_string_is_valid(*group) || g_hash_table_contains(uuids, *group))
            continue;
        ward_simulated_trustdomain_end(machine, *group);
        changed |= g_key_file_remove_group(machine, *group, NULL);
    }
    save_if(provider, changed);
}

static void
destroy_hook(gpointer data)
{
    GSource *source = data;

    g_source_destroy(source);
    g_source_unref(source);
}

static void
ward_simulated_provider_finalize(GObject *object)
{
    WardSimulatedProvider *self = WARD_SIMULATED_PROVIDER(object);

    g_hash_table_unref(self->hooks);
    g_key_file_unref(self->machine);
    g_free(self->path);
    g_mutex_clear(&self->lock);
    G_OBJECT_CLASS(ward_simulated_provider_parent_class)->finalize(object);
}

static void
ward_simulated_provider_class_init(WardSimulatedProviderClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = ward_simulated_provider_finalize;
}

static void
ward_simulated_provider_init(WardSimulatedProvider *self)
{
    g_mutex_init(&self->lock);
    self->machine = g_key_file_new();
    self->hooks = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, destroy_hook);
}

static void
ward_simulated_provider_iface_init(WardProviderInterface *iface)
{
    iface->name = "simulated";
    iface->probe = probe;
    iface->arm = arm;
    iface->forget = forget;
    iface->forget_others = forget_others;
    iface->teardown_set = teardown_set;
    iface->teardown_read = teardown_read;
    iface->teardown_cancel = teardown_cancel;
    iface->teardown_perform = teardown_perform;
    iface->teardown_weigh = teardown_weigh;
    iface->teardown_rebooted = teardown_rebooted;
    iface->trustdomain_capacity = trustdomain_capacity;
    iface->trustdomain_read = trustdomain_read;
    iface->trustdomain_has_leak = trustdomain_has_leak;
    iface->trustdomain_running = trustdomain_running;
    iface->trustdomain_rebooted = trustdomain_rebooted;
    iface->introspection_hook = introspection_hook;
    iface->introspection_unhook = introspection_unhook;
    iface->introspection_read = introspection_read;
    iface->isolation_set = isolation_set;
    iface->isolation_read = isolation_read;
    iface->isolation_statistics = isolation_statistics;
}

WardProvider *
ward_simulated_provider_new(const char *state_dir, GError **error)
{
    g_autoptr(WardSimulatedProvider) self = g_object_new(WARD_TYPE_SIMULATED_PROVIDER, NULL);
    g_autoptr(GError) local = NULL;

    self->path = g_build_filename(state_dir, MACHINE_FILE, NULL);
    if (g_file_test(self->path, G_FILE_TEST_EXISTS) &&
        !g_key_file_load_from_file(self->machine, self->path, G_KEY_FILE_NONE, &local)) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED,
                    "cannot read the simulated machine in %s: %s; remove the file to start anew",
                    self->path, local->message);
        return NULL;
    }
    return WARD_PROVIDER(g_steal_pointer(&self));
}
