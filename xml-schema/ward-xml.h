/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-xml.h: the domain XML extension, read and written
 *
 * The grammar is virtward-domain.rng. The parser checks all of it and more (ranges, lists of
 * names) with messages that say line, element or attribute, what was found and what is allowed,
 * which a RelaxNG validator cannot.
 *
 * Input is hostile: no entity is expanded (a document type declaration is refused), nothing is
 * fetched, size and depth are bounded before libxml2 allocates.
 * Errors are WARD_ERROR_INVALID_XML. All functions may be called from any thread.
 */
#pragma once

#include "ward-settings.h"

G_BEGIN_DECLS

#define WARD_XML_MAX_SIZE (8 * 1024 * 1024) /* bytes, a whole domain */
#define WARD_XML_MAX_DEPTH 64               /* elements, a whole domain */

/* One <ward:protection> element as a document of its own: what users pass to protection-set, or
 * <protection> without a namespace, which is what virDomainGetMetadata() returns. @length may be -1
 * for a NUL-terminated string. */
WardSettings *ward_settings_parse(const char *xml, gssize length, GError **error);

/* The <ward:protection> element, indented by two spaces, with every attribute written out and the
 * namespace declared. NULL when @self is empty. Parsing it gives settings equal to @self. */
char *ward_settings_format(const WardSettings *self);

/* The same without the namespace, as virDomainSetMetadata() takes it with WARD_XML_PREFIX and
 * WARD_XML_NAMESPACE as its other arguments: libvirt adds the namespace, and refuses XML that has
 * it already. NULL when @self is empty. */
char *ward_settings_format_metadata(const WardSettings *self);

/* What libvirt says natively about a domain, beside our element. */
typedef enum {
    WARD_LAUNCH_SECURITY_NONE,
    WARD_LAUNCH_SECURITY_S390_PV,
    WARD_LAUNCH_SECURITY_TDX,
    WARD_LAUNCH_SECURITY_OTHER, /* sev, sev-snp: none of ours */
} WardLaunchSecurity;

typedef struct {
    char *name;
    char *uuid;       /* canonical: lower case, with hyphens */
    GRefString *type; /* "kvm", "qemu", "test"; NULL when the document does not say */
    GRefString *arch; /* "x86_64", "s390x"; NULL when <os> does not say */
    guint64 memory_kib;
    WardLaunchSecurity launch_security;
    char *quote_socket;       /* <quoteGenerationService path=…> of tdx, or NULL */
    WardTeardownMode on_exit; /* native <features><async-teardown/>; UNSET when absent */
    GRefString *on_reboot;    /* native <on_reboot>: "restart", "destroy"… or NULL */
    WardSettings *settings;   /* never NULL; empty without our element */
    GError *settings_error;   /* our element, or all of it, is wrong; settings are empty then */
} WardDomainXml;

/* A complete <domain> document with <name> and <uuid>, as libvirt dumps it. An error in our element
 * does not fail the whole: the domain is there all the same, see settings_error. */
WardDomainXml *ward_domain_xml_parse(const char *xml, gssize length, GError **error);

/* Whether the document, as libvirt dumps it, may hold more for us than a name. Much quicker than to
 * parse it; the hook asks the same of every domain that starts. */
gboolean ward_domain_xml_concerns_us(const char *xml);
/* What all others are to us: without settings, and without all that only matters where there are.
 */
WardDomainXml *ward_domain_xml_new_plain(void);
/* What a document that cannot be parsed is to us: that @error, which it takes, and no more. */
WardDomainXml *ward_domain_xml_new_wrong(GError *error);
void ward_domain_xml_free(WardDomainXml *self);

/* Validates any document a user may hand in: a <domain> (which needs no <uuid> yet, and may be
 * without our element) or a bare <ward:protection>. */
WardSettings *ward_xml_validate(const char *xml, gssize length, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardDomainXml, ward_domain_xml_free)

G_END_DECLS
