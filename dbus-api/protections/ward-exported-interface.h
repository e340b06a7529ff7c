/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-exported-interface.h: what the tree of domains knows of an interface
 *
 * One table per interface, in the file of its name. All of it belongs to the main thread.
 */
#pragma once

#include "ward-guarded.h"

G_BEGIN_DECLS

typedef struct {
    GDBusInterfaceInfo *(*get_info)(void);

    /* The guarded skeleton's type. */
    GType (*get_type)(void);

    /* Sets the properties that only this interface has. */
    void (*update)(GDBusInterfaceSkeleton *skeleton, WardDomain *domain);

    /* The arguments of the D-Bus signal @name, from those of the domain's "event"; a floating
     * reference, or NULL when there is no such signal. The function is NULL when there is none at
     * all. */
    GVariant *(*build_signal)(const char *name, const char *detail_text, guint64 detail);

    /* Names of the properties that are read when they are asked for, with a NULL at the end, and
     * how: an a{sv} of all of them, floating. NULL when there are none. See
     * ward-live-properties.h. */
    const char *const *live;
    void (*read_live)(WardManager *manager,
                      WardDomain *domain,
                      GAsyncReadyCallback callback,
                      gpointer user_data);
    GVariant *(*read_live_finish)(WardManager *manager, GAsyncResult *result, GError **error);
} WardExportedInterface;

extern const WardExportedInterface ward_exported_teardown;
extern const WardExportedInterface ward_exported_trustdomain;
extern const WardExportedInterface ward_exported_introspection;
extern const WardExportedInterface ward_exported_isolation;
extern const WardExportedInterface ward_exported_domain;

/* Sets the properties that every protection has. */
void ward_exported_update_common(GDBusInterfaceSkeleton *skeleton,
                                 WardDomain *domain,
                                 WardProtection protection);

/* The settings of a protection that D-Bus shows: the wanted ones, or, while only the next start
 * wants it, those of the persistent XML. An expression, NULL when there are none at all. */
#define WARD_EXPORTED_SETTINGS(domain, protection)                                                 \
    (ward_domain_get_wanted(domain)->protection                                                    \
         ? ward_domain_get_wanted(domain)->protection                                              \
         : ward_domain_get_wanted_config(domain)->protection)

G_END_DECLS
