/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-view.h: domains and jobs as the daemon shows them, of one moment
 */
#pragma once

#include "ward-client.h"
#include "ward-output.h"
#include "ward-protection.h"

G_BEGIN_DECLS

typedef struct {
    char *path;
    char *name;
    GVariant *domain;                          /* a{sv} of Domain1 */
    GVariant *protections[WARD_N_PROTECTIONS]; /* a{sv}; NULL: not wanted and not in force */
} WardView;

/* An a{oa{sa{sv}}} into views (WardView) of its domains, sorted by name. */
GPtrArray *ward_view_list(GVariant *objects);
void ward_view_free(WardView *self);

/* All domains. */
GPtrArray *ward_view_fetch_all(WardClient *client, GError **error);

/* @domain: a name, an id or a UUID. */
WardView *ward_view_fetch(WardClient *client, const char *domain, GError **error);

/* The same, but it is an error when the domain does not have @protection. */
WardView *ward_view_fetch_with(WardClient *client,
                               const char *domain,
                               WardProtection protection,
                               GError **error);

/* The object path, from the daemon. */
char *ward_view_lookup(WardClient *client, const char *domain, GError **error);

/* The fields that <noun>-info has for every protection. */
void ward_view_add_common(const WardView *self, WardProtection protection, WardRecord *record);

/* Its D-Bus interface. Static. */
const char *ward_view_interface(WardProtection protection);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardView, ward_view_free)

G_END_DECLS
