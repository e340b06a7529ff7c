/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-actual.h"

static void
actual_clear(gpointer data)
{
    WardActual *self = data;

    for (guint i = 0; i < WARD_N_PROTECTIONS; i++)
        g_free(self->common[i].reason);
}

WardActual *
ward_actual_new(void)
{
    WardActual *self = g_atomic_rc_box_new0(WardActual);

    for (guint i = 0; i < WARD_N_PROTECTIONS; i++)
        self->common[i].provider = "";
    self->isolation.state = WARD_ISOLATION_OFF;
    return self;
}

WardActual *
ward_actual_new_off(void)
{
    static WardActual *off;

    if (g_once_init_enter(&off))
        g_once_init_leave(&off, ward_actual_new());
    return ward_actual_ref(off);
}

gboolean
ward_actual_is_off(const WardActual *self)
{
    const WardTeardownActual *teardown = &self->teardown;

    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        if (self->common[i].status != WARD_STATUS_OFF || self->common[i].reason)
            return FALSE;
    }
    return teardown->phase == WARD_TEARDOWN_PHASE_NONE && !teardown->last_duration_us &&
           !teardown->exit_helper && !teardown->last_failed &&
           self->trustdomain.state == WARD_TRUSTDOMAIN_NONE && !self->trustdomain.leak &&
           !self->introspection.attached && !self->introspection.broken &&
           self->isolation.state == WARD_ISOLATION_OFF && !self->isolation.violations;
}

gboolean
ward_actual_equal(const WardActual *a, const WardActual *b)
{
    gsize common = sizeof a->common;

    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        const WardActualCommon *one = &a->common[i], *other = &b->common[i];

        if (one->status != other->status || g_strcmp0(one->provider, other->provider) != 0 ||
            g_strcmp0(one->reason, other->reason) != 0)
            return FALSE;
    }
    return memcmp((const char *)a + common, (const char *)b + common, sizeof *a - common) == 0;
}

WardActual *
ward_actual_ref(WardActual *self)
{
    return g_atomic_rc_box_acquire(self);
}

void
ward_actual_unref(WardActual *self)
{
    g_atomic_rc_box_release_full(self, actual_clear);
}

void
ward_actual_set_status(WardActual *self, WardProtection protection, WardStatus status, char *reason)
{
    WardActualCommon *common = &self->common[protection];

    common->status = status;
    g_free(common->reason);
    common->reason = reason;
}

const char *
ward_status_to_string(WardStatus status)
{
    static const char *const words[] = {"off", "pending", "active", "unavailable", "failed"};

    return words[status];
}

const char *
ward_teardown_phase_to_string(WardTeardownPhase phase)
{
    static const char *const words[] = {"none", "set-aside", "running", "interrupted", "unknown"};

    return words[phase];
}

char *
ward_teardown_describe_failure(const WardTeardownActual *self)
{
    return g_strdup_printf("the Ultravisor refused to end the old guest (rc 0x%04x, rrc 0x%04x); "
                           "the memory that was donated for it is lost",
                           self->rc, self->rrc);
}

const char *
ward_trustdomain_life_to_string(WardTrustdomainLife life)
{
    static const char *const words[] = {"defined",  "admitted",   "building", "running",
                                        "stopping", "reclaiming", "gone",     "leaked"};

    return words[life];
}

const char *
ward_reboot_to_string(WardReboot reboot)
{
    static const char *const words[] = {"", "recreate", "reset"};

    return words[reboot];
}

const char *
ward_isolation_state_to_string(WardIsolationState state)
{
    static const char *const words[] = {"off", "on", "unknown"};

    return words[state];
}
