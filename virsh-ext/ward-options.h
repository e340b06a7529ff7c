/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-options.h: options that several commands have
 */
#pragma once

#include "ward-cmd.h"

G_BEGIN_DECLS

/* Bits of the D-Bus API; the first two are those of virDomainModificationImpact. */
enum {
    WARD_FLAG_LIVE = 1 << 0,
    WARD_FLAG_CONFIG = 1 << 1,
    WARD_FLAG_UPDATE = 1 << 2,
};

#define WARD_OPTION_DOMAIN(completer)                                                              \
    {                                                                                              \
        "domain", WARD_OPT_STRING, WARD_OPT_REQUIRED, "domain name, id or uuid", completer         \
    }
#define WARD_OPTION_CONFIG                                                                         \
    {                                                                                              \
        "config", WARD_OPT_BOOL, 0, "affect next boot"                                             \
    }
#define WARD_OPTION_LIVE                                                                           \
    {                                                                                              \
        "live", WARD_OPT_BOOL, 0, "affect running domain"                                          \
    }
#define WARD_OPTION_CURRENT                                                                        \
    {                                                                                              \
        "current", WARD_OPT_BOOL, 0, "affect current domain"                                       \
    }
#define WARD_OPTION_FILE                                                                           \
    {                                                                                              \
        "file", WARD_OPT_STRING, 0, "file with the XML, - for standard input"                      \
    }
#define WARD_OPTION_XML(help)                                                                      \
    {                                                                                              \
        "xml", WARD_OPT_STRING, WARD_OPT_NAMED, help                                               \
    }

/* --live, --config and --current into bits; none of them, or --current, is 0. */
gboolean ward_options_get_impact(const WardCmd *cmd, guint *flags, GError **error);

/* The XML of --file or --xml, one of which has to be given. UTF-8, at most WARD_XML_MAX_SIZE. */
char *ward_options_read_xml(const WardCmd *cmd, GError **error);

/* Completers. They do not start the daemon. */
GStrv ward_complete_domains(WardShell *shell);
GStrv ward_complete_teardown(WardShell *shell); /* domains with a teardown, … */
GStrv ward_complete_trustdomain(WardShell *shell);
GStrv ward_complete_introspection(WardShell *shell);
GStrv ward_complete_isolation(WardShell *shell);
GStrv ward_complete_jobs(WardShell *shell);

G_END_DECLS
