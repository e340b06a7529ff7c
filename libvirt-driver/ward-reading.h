/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-reading.h: what libvirt says of a domain at one moment
 */
#pragma once

#include <libvirt/libvirt.h>

#include "ward-native.h"

G_BEGIN_DECLS

typedef struct {
    char *name;           /* NULL: gone */
    int id;               /* -1: not active */
    int state;            /* virDomainState */
    WardNative *live;     /* NULL: not active */
    WardNative *config;   /* NULL: transient */
    gboolean starting_up; /* its QEMU is not made yet: the vCPUs have not run */
    gboolean leaving;     /* its memory is being copied away; see ward_reading_look_at_job() */
} WardReading;

/* Of a domain that is gone. */
WardReading *ward_reading_new_gone(void);

typedef enum {
    WARD_READING_BRIEF, /* a domain that does not concern us has ward_native_new_plain() */
    WARD_READING_WHOLE, /* about to concern us: all that is checked then */
} WardReadingScope;

/* Asks libvirt: worker thread. WARD_ERROR_NOT_FOUND: the domain is gone. */
WardReading *ward_reading_new(virDomainPtr dom, WardReadingScope scope, GError **error);
/* Also asks for that, which may have to wait for QEMU as the rest does not. */
void ward_reading_look_at_job(WardReading *self, virDomainPtr dom);
void ward_reading_free(WardReading *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardReading, ward_reading_free)

G_END_DECLS
