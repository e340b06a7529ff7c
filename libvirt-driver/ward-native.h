/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-native.h: a parsed domain document that threads can share
 *
 * Reference-counted (atomically), never changed after it was made.
 */
#pragma once

#include "ward-xml.h"

G_BEGIN_DECLS

typedef struct {
    WardDomainXml *xml; /* never NULL */
} WardNative;

/* Takes the ownership of @xml. */
WardNative *ward_native_new(WardDomainXml *xml);
/* Of a domain that wants nothing and says nothing that concerns us: one that all such domains
 * share, with nothing in it. */
WardNative *ward_native_new_plain(void);
WardNative *ward_native_ref(WardNative *self);
void ward_native_unref(WardNative *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardNative, ward_native_unref)

G_END_DECLS
