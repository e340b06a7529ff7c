/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-xml.c: a libFuzzer target for the XML of xml-schema
 *
 * Beside not to crash, leak or read what it should not: what was parsed is written and parsed
 * again without loss, what was refused has a message that can be shown, and the three parsers
 * agree with each other.
 */
#include <stdint.h>
#include <string.h>

#include "ward-error.h"
#include "ward-xml.h"

/* The longest is that of an unknown KVMI command, which lists them all. */
#define LONGEST_MESSAGE 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* G_DISABLE_ASSERT or not, and with the line in the report. */
#define check(condition)                                                                           \
    G_STMT_START                                                                                   \
    {                                                                                              \
        if (!(condition))                                                                          \
            g_error("%s:%d: %s", __FILE__, __LINE__, #condition);                                  \
    }                                                                                              \
    G_STMT_END

static void
check_error(const GError *error)
{
    check(error != NULL);
    check(g_error_matches(error, WARD_ERROR, WARD_ERROR_INVALID_XML));
    check(g_utf8_validate(error->message, -1, NULL));
    check(*error->message != '\0' && strlen(error->message) < LONGEST_MESSAGE);
    for (const char *p = error->message; *p != '\0'; p = g_utf8_next_char(p))
        check(!g_unichar_iscntrl(g_utf8_get_char(p)));
}

static void
check_reads_back(const WardSettings *settings, char *(*format)(const WardSettings *))
{
    g_autofree char *xml = format(settings);
    g_autofree char *again = NULL;
    g_autoptr(WardSettings) read_back = NULL;
    g_autoptr(GError) error = NULL;

    check((xml == NULL) == ward_settings_is_empty(settings));
    if (xml == NULL)
        return;
    read_back = ward_settings_parse(xml, -1, &error);
    check(error == NULL && read_back != NULL);
    check(ward_settings_equal(settings, read_back));
    again = format(read_back);
    check(strcmp(xml, again) == 0);
}

static void
check_settings(WardSettings *settings, const GError *error)
{
    check((settings == NULL) == (error != NULL));
    if (settings == NULL) {
        check_error(error);
        return;
    }
    check_reads_back(settings, ward_settings_format);
    check_reads_back(settings, ward_settings_format_metadata);
}

static void
check_domain(const WardDomainXml *domain, const GError *error, const WardSettings *valid)
{
    check((domain == NULL) == (error != NULL));
    if (domain == NULL) {
        check_error(error);
        return;
    }
    check(domain->name != NULL && g_uuid_string_is_valid(domain->uuid));
    check((domain->settings_error == NULL) == (valid != NULL));
    if (valid != NULL) {
        check(ward_settings_equal(domain->settings, valid));
    } else {
        check_error(domain->settings_error);
        check(ward_settings_is_empty(domain->settings));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *xml = (const char *)data;
    g_autoptr(GError) validate_error = NULL;
    g_autoptr(GError) parse_error = NULL;
    g_autoptr(GError) domain_error = NULL;
    g_autoptr(WardSettings) validated = ward_xml_validate(xml, size, &validate_error);
    g_autoptr(WardSettings) parsed = ward_settings_parse(xml, size, &parse_error);
    g_autoptr(WardDomainXml) domain = ward_domain_xml_parse(xml, size, &domain_error);

    check_settings(validated, validate_error);
    check_settings(parsed, parse_error);
    check(parsed == NULL || (validated != NULL && ward_settings_equal(parsed, validated)));
    check_domain(domain, domain_error, validated);
    return 0;
}
