/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-native.h"

static void
native_clear(gpointer data)
{
    WardNative *self = data;

    ward_domain_xml_free(self->xml);
}

WardNative *
ward_native_new(WardDomainXml *xml)
{
    WardNative *self = g_atomic_rc_box_new0(WardNative);

    self->xml = xml;
    return self;
}

WardNative *
ward_native_new_plain(void)
{
    static WardNative *plain;

    if (g_once_init_enter(&plain))
        g_once_init_leave(&plain, ward_native_new(ward_domain_xml_new_plain()));
    return ward_native_ref(plain);
}

WardNative *
ward_native_ref(WardNative *self)
{
    return g_atomic_rc_box_acquire(self);
}

void
ward_native_unref(WardNative *self)
{
    g_atomic_rc_box_release_full(self, native_clear);
}
