/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-provider.h"

G_DEFINE_INTERFACE(WardProvider, ward_provider, G_TYPE_OBJECT)

typedef struct {
    WardProvider *provider;
    char *uuid;
} Change;

static guint changed_signal;

static void
ward_provider_default_init(WardProviderInterface *iface)
{
    changed_signal = g_signal_new("changed", WARD_TYPE_PROVIDER, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
change_free(gpointer data)
{
    Change *change = data;

    g_object_unref(change->provider);
    g_free(change->uuid);
    g_free(change);
}

static gboolean
emit_change(gpointer data)
{
    Change *change = data;

    g_signal_emit(change->provider, changed_signal, 0, change->uuid);
    return G_SOURCE_REMOVE;
}

void
ward_provider_emit_changed(WardProvider *self, const char *uuid)
{
    Change *change = g_new0(Change, 1);

    change->provider = g_object_ref(self);
    change->uuid = g_strdup(uuid);
    g_idle_add_full(G_PRIORITY_DEFAULT, emit_change, change, change_free);
}

const char *
ward_provider_get_name(WardProvider *self)
{
    return WARD_PROVIDER_GET_IFACE(self)->name;
}

void
ward_provider_probe(WardProvider *self,
                    WardProtection protection,
                    const char *capabilities,
                    WardSupport *support)
{
    support->provider = ward_provider_get_name(self);
    WARD_PROVIDER_GET_IFACE(self)->probe(self, protection, capabilities, support);
}

void
ward_support_clear(WardSupport *self)
{
    g_clear_pointer(&self->reason, g_free);
}

void
ward_support_set(WardSupport *self, gboolean supported, const char *format, ...)
{
    va_list args;

    g_free(self->reason);
    self->supported = supported;
    va_start(args, format);
    self->reason = g_strdup_vprintf(format, args);
    va_end(args);
}

GVariant *
ward_isolation_statistics_to_variant(const WardIsolationStatistics *self)
{
    const struct {
        const char *name;
        guint64 value;
    } numbers[] = {
        {"time", self->time_us},
        {"entries-restricted", self->entries_restricted},
        {"entries-unrestricted", self->entries_unrestricted},
        {"violations", self->violations},
        {"exits-fault", self->exits_fault},
        {"exits-schedule", self->exits_schedule},
        {"exits-userspace", self->exits_userspace},
        {"exits-explicit", self->exits_explicit},
        {"flushes", self->flushes},
    };
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a{st}"));
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        g_variant_builder_add(&builder, "{st}", numbers[i].name, numbers[i].value);
    return g_variant_builder_end(&builder);
}

void
ward_target_get_uuid(const WardTarget *self, guint8 uuid[16])
{
    const char *text = self->uuid;

    for (gsize i = 0; i < 16 && *text; text++) {
        if (*text == '-')
            continue;
        uuid[i++] = g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]);
        text++;
    }
}
