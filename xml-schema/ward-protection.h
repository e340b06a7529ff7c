/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-protection.h: the four protections, in the one order that every layer uses
 *
 * The nickname of a protection is its name in XML elements, D-Bus dictionaries, commands, file
 * names and docs.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define WARD_XML_NAMESPACE "http://virtward.org/schemas/domain/1.0"
/* What every version of the namespace begins with: how an unknown version is told from a foreign
 * element. */
#define WARD_XML_NAMESPACE_STEM "http://virtward.org/schemas/domain/"
#define WARD_XML_PREFIX "ward"
#define WARD_XML_ROOT "protection"

typedef enum {
    WARD_PROTECTION_TEARDOWN,
    WARD_PROTECTION_TRUSTDOMAIN,
    WARD_PROTECTION_INTROSPECTION,
    WARD_PROTECTION_ISOLATION,
} WardProtection;

#define WARD_N_PROTECTIONS (WARD_PROTECTION_ISOLATION + 1)

/* A static string: "teardown", "trustdomain", "introspection" or "isolation". */
const char *ward_protection_to_string(WardProtection protection);
gboolean ward_protection_from_string(const char *name, WardProtection *protection);

G_END_DECLS
