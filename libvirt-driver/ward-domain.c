/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-domain-private.h"

enum {
    SIGNAL_CHANGED,
    SIGNAL_EVENT,
    N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(WardDomain, ward_domain, G_TYPE_OBJECT)

static void
ward_domain_finalize(GObject *object)
{
    WardDomain *self = WARD_DOMAIN(object);

    g_free(self->name);
    g_free(self->unread);
    ward_domain_set_listed(self, NULL);
    g_clear_pointer(&self->live, ward_native_unref);
    g_clear_pointer(&self->config, ward_native_unref);
    ward_actual_unref(self->actual);
    g_clear_pointer(&self->applied, ward_settings_unref);
    g_clear_object(&self->teardown_job);
    g_clear_pointer(&self->waiting, g_ptr_array_unref);
    g_clear_pointer(&self->served, g_ptr_array_unref);
    g_clear_handle_id(&self->timer, g_source_remove);
    g_clear_object(&self->early);
    G_OBJECT_CLASS(ward_domain_parent_class)->finalize(object);
}

static void
ward_domain_class_init(WardDomainClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = ward_domain_finalize;
    signals[SIGNAL_CHANGED] = g_signal_new("changed", WARD_TYPE_DOMAIN, G_SIGNAL_RUN_LAST, 0, NULL,
                                           NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_EVENT] =
        g_signal_new("event", WARD_TYPE_DOMAIN, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                     4, G_TYPE_INT, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_UINT64);
}

static void
ward_domain_init(WardDomain *self)
{
    self->id = -1;
    self->state = VIR_DOMAIN_SHUTOFF;
    self->actual = ward_actual_new_off();
}

WardDomain *
ward_domain_new(const char *uuid, const char *name)
{
    WardDomain *self = g_object_new(WARD_TYPE_DOMAIN, NULL);

    g_strlcpy(self->uuid, uuid, sizeof self->uuid);
    self->name = g_strdup(name);
    return self;
}

void
ward_domain_take_reading(WardDomain *self, WardReading *reading)
{
    if (reading->name && !g_str_equal(reading->name, self->name)) {
        g_free(self->name);
        self->name = g_steal_pointer(&reading->name);
    }
    self->state = reading->state;
    self->starting_up = reading->starting_up;
    /* Another id, another QEMU: reverting to a snapshot replaces it without a word in between. */
    self->ran = reading->id != -1 &&
                ((self->ran && reading->id == self->id) || reading->state == VIR_DOMAIN_RUNNING);
    self->leaving &= reading->leaving;
    self->id = reading->id;
    g_clear_pointer(&self->live, ward_native_unref);
    g_clear_pointer(&self->config, ward_native_unref);
    self->live = g_steal_pointer(&reading->live);
    self->config = g_steal_pointer(&reading->config);
    g_clear_pointer(&self->unread, g_free);
}

void
ward_domain_set_unread(WardDomain *self, const char *reason)
{
    if (ward_domain_get_native(self) || g_strcmp0(reason, self->unread) == 0)
        return;
    g_free(self->unread);
    self->unread = g_strdup(reason);
    ward_domain_emit_changed(self);
}

void
ward_domain_set_listed(WardDomain *self, virDomainPtr dom)
{
    if (self->listed)
        virDomainFree(self->listed);
    self->listed = dom;
}

WardNative *
ward_domain_get_native(WardDomain *self)
{
    return self->live ? self->live : self->config;
}

/* (transfer full): one that says the same, if that is at hand. Those of domains that do not run are
 * alike, and come one after the other. */
static WardActual *
share_actual(WardActual *actual)
{
    static WardActual *last;

    if (ward_actual_is_off(actual))
        return ward_actual_new_off();
    if (!last || !ward_actual_equal(last, actual)) {
        g_clear_pointer(&last, ward_actual_unref);
        last = ward_actual_ref(actual);
    }
    return ward_actual_ref(last);
}

void
ward_domain_set_actual(WardDomain *self, WardActual *actual)
{
    g_autoptr(WardActual) before = self->actual;

    self->actual = share_actual(actual);
}

void
ward_domain_set_teardown_job(WardDomain *self, WardJob *job)
{
    g_set_object(&self->teardown_job, job);
}

void
ward_domain_emit_changed(WardDomain *self)
{
    g_signal_emit(self, signals[SIGNAL_CHANGED], 0);
}

void
ward_domain_emit_event(WardDomain *self,
                       WardProtection protection,
                       const char *name,
                       const char *detail_text,
                       guint64 detail)
{
    g_info("domain '%s': %s %s %s", self->name, ward_protection_to_string(protection), name,
           detail_text ? detail_text : "");
    g_signal_emit(self, signals[SIGNAL_EVENT], 0, protection, name, detail_text, detail);
}

const char *
ward_domain_get_uuid(WardDomain *self)
{
    return self->uuid;
}

const char *
ward_domain_get_name(WardDomain *self)
{
    return self->name;
}

const char *
ward_domain_get_state(WardDomain *self)
{
    switch (self->state) {
    case VIR_DOMAIN_RUNNING:
    case VIR_DOMAIN_BLOCKED:
        return "running";
    case VIR_DOMAIN_PAUSED:
        return "paused";
    case VIR_DOMAIN_SHUTDOWN:
        return "shutdown";
    case VIR_DOMAIN_CRASHED:
        return "crashed";
    case VIR_DOMAIN_PMSUSPENDED:
        return "pmsuspended";
    default:
        return "shutoff";
    }
}

gboolean
ward_domain_is_active(WardDomain *self)
{
    return self->id != -1;
}

int
ward_domain_get_id(WardDomain *self)
{
    return self->id;
}

static const WardSettings *
native_settings(WardNative *native)
{
    static WardSettings *empty;

    if (native)
        return native->xml->settings;
    if (!empty)
        empty = ward_settings_new_empty();
    return empty;
}

const WardSettings *
ward_domain_get_wanted(WardDomain *self)
{
    return native_settings(ward_domain_get_native(self));
}

const WardSettings *
ward_domain_get_wanted_config(WardDomain *self)
{
    return native_settings(self->config);
}

const WardActual *
ward_domain_get_actual(WardDomain *self)
{
    return self->actual;
}

WardTrustdomainLife
ward_domain_get_life(WardDomain *self)
{
    return self->life;
}

WardReboot
ward_domain_get_last_reboot(WardDomain *self)
{
    return self->last_reboot;
}

gboolean
ward_domain_shows(WardDomain *self, WardProtection protection)
{
    return ward_settings_wants(ward_domain_get_wanted(self), protection) ||
           ward_settings_wants(ward_domain_get_wanted_config(self), protection) ||
           self->actual->common[protection].status != WARD_STATUS_OFF;
}

WardJob *
ward_domain_get_teardown_job(WardDomain *self)
{
    return self->teardown_job;
}

/* The first protection whose status is @status. */
static const WardActualCommon *
find_status(WardDomain *self, WardStatus status)
{
    for (WardProtection p = 0; p < WARD_N_PROTECTIONS; p++) {
        if (self->actual->common[p].status == status)
            return &self->actual->common[p];
    }
    return NULL;
}

const char *
ward_domain_get_status(WardDomain *self)
{
    WardNative *native = ward_domain_get_native(self);

    if (self->unread || (native && native->xml->settings_error))
        return "failed";
    if (ward_settings_is_empty(ward_domain_get_wanted(self)))
        return "unprotected";
    if (!ward_domain_is_active(self) || find_status(self, WARD_STATUS_PENDING))
        return "pending";
    if (find_status(self, WARD_STATUS_FAILED))
        return "failed";
    return find_status(self, WARD_STATUS_UNAVAILABLE) ? "degraded" : "protected";
}

const char *
ward_domain_get_reason(WardDomain *self)
{
    WardNative *native = ward_domain_get_native(self);
    const WardActualCommon *common;

    if (native && native->xml->settings_error)
        return native->xml->settings_error->message;
    if (self->unread)
        return self->unread;
    common = find_status(self, WARD_STATUS_FAILED);
    if (!common)
        common = find_status(self, WARD_STATUS_UNAVAILABLE);
    return common && common->reason ? common->reason : "";
}
