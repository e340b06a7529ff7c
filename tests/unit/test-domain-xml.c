/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-domain-xml.c: what is read of a libvirt domain beside our element, and where our element
 * may be
 */
#include "ward-error.h"
#include "ward-xml.h"

#define NS "http://virtward.org/schemas/domain/1.0"
#define IDENTITY "<name>vm</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"

/* A domain with @body after its name and UUID. */
static WardDomainXml *
parse(const char *body)
{
    g_autofree char *xml = g_strdup_printf("<domain type='kvm'>" IDENTITY "%s</domain>", body);
    g_autoptr(GError) error = NULL;
    WardDomainXml *domain = ward_domain_xml_parse(xml, -1, &error);

    g_assert_no_error(error);
    return domain;
}

static void
test_everything(void)
{
    g_autoptr(WardDomainXml) domain =
        parse("<memory unit='KiB'>4194304</memory>"
              "<metadata><ward:protection xmlns:ward='" NS "'><ward:teardown/></ward:protection>"
              "</metadata><os><type arch='x86_64' machine='q35'>hvm</type></os>"
              "<features><acpi/><async-teardown enabled='no'/></features>"
              "<on_reboot>restart</on_reboot>"
              "<launchSecurity type='tdx'><policy>0x10000001</policy>"
              "<quoteGenerationService path='/run/qgs.sock'/></launchSecurity>");

    g_assert_cmpstr(domain->name, ==, "vm");
    g_assert_cmpstr(domain->uuid, ==, "6695eb01-f6a4-8304-79aa-97f2502e193f");
    g_assert_cmpstr(domain->type, ==, "kvm");
    g_assert_cmpstr(domain->arch, ==, "x86_64");
    g_assert_cmpuint(domain->memory_kib, ==, 4194304);
    g_assert_cmpint(domain->launch_security, ==, WARD_LAUNCH_SECURITY_TDX);
    g_assert_cmpstr(domain->quote_socket, ==, "/run/qgs.sock");
    g_assert_cmpint(domain->on_exit, ==, WARD_TEARDOWN_SYNC);
    g_assert_cmpstr(domain->on_reboot, ==, "restart");
    g_assert_no_error(domain->settings_error);
    g_assert_nonnull(domain->settings->teardown);
    g_assert_null(domain->settings->isolation);
}

static void
test_nothing(void)
{
    g_autoptr(WardDomainXml) domain = parse("");

    g_assert_null(domain->arch);
    g_assert_cmpuint(domain->memory_kib, ==, 0);
    g_assert_cmpint(domain->launch_security, ==, WARD_LAUNCH_SECURITY_NONE);
    g_assert_null(domain->quote_socket);
    g_assert_cmpint(domain->on_exit, ==, WARD_TEARDOWN_UNSET);
    g_assert_null(domain->on_reboot);
    g_assert_no_error(domain->settings_error);
    g_assert_true(ward_settings_is_empty(domain->settings));
}

static void
test_memory_units(void)
{
    static const struct {
        const char *element;
        guint64 kib;
    } cases[] = {
        {"<memory>2048</memory>", 2048},
        {"<memory> 2048\n</memory>", 2048},
        {"<memory unit='b'>1</memory>", 1},
        {"<memory unit='bytes'>2049</memory>", 3},
        {"<memory unit='KB'>1024</memory>", 1000},
        {"<memory unit='k'>5</memory>", 5},
        {"<memory unit='MiB'>3</memory>", 3072},
        {"<memory unit='m'>3</memory>", 3072},
        {"<memory unit='MB'>1</memory>", 977},
        {"<memory unit='GiB'>2</memory>", 2097152},
        {"<memory unit='TiB'>1</memory>", 1073741824},
        {"<memory unit='PiB'>1</memory>", G_GUINT64_CONSTANT(1) << 40},
        {"<memory unit='E'>15</memory>", G_GUINT64_CONSTANT(15) << 50},
        {"<memory>18014398509481983</memory>", 18014398509481983},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(WardDomainXml) domain = parse(cases[i].element);

        g_assert_cmpuint(domain->memory_kib, ==, cases[i].kib);
    }
}

static void
assert_refused(const char *xml, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(ward_domain_xml_parse(xml, -1, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_XML);
    g_assert_cmpstr(error->message, ==, message);
}

static void
test_bad_memory(void)
{
    static const char *const allowed =
        "is not a size; allowed: a number of b, KiB, MiB, GiB, TiB, KB, MB, GB or TB";
    static const struct {
        const char *element;
        const char *found;
    } cases[] = {
        {"<memory>lots</memory>", "'lots' with unit 'KiB'"},
        {"<memory>-1</memory>", "'-1' with unit 'KiB'"},
        {"<memory></memory>", "'' with unit 'KiB'"},
        {"<memory unit='KiBi'>1</memory>", "'1' with unit 'KiBi'"},
        {"<memory unit=''>1</memory>", "'1' with unit ''"},
        {"<memory unit='page'>1</memory>", "'1' with unit 'page'"},
        {"<memory unit='EiB'>16</memory>", "'16' with unit 'EiB'"},
        {"<memory>18014398509481984</memory>", "'18014398509481984' with unit 'KiB'"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *xml =
            g_strdup_printf("<domain>" IDENTITY "\n%s</domain>", cases[i].element);
        g_autofree char *message =
            g_strdup_printf("line 2: <memory>: %s %s", cases[i].found, allowed);

        assert_refused(xml, message);
    }
}

static void
test_uuid_forms(void)
{
    static const char *const forms[] = {
        "6695eb01-f6a4-8304-79aa-97f2502e193f",
        "6695EB01-F6A4-8304-79AA-97F2502E193F",
        "6695eb01f6a4830479aa97f2502e193f",
        "\n  6695eb01-f6a4-8304-79aa97f2502e193f ",
    };

    for (guint i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autofree char *xml =
            g_strdup_printf("<domain><name>vm</name><uuid>%s</uuid></domain>", forms[i]);
        g_autoptr(WardDomainXml) domain = ward_domain_xml_parse(xml, -1, NULL);

        g_assert_nonnull(domain);
        g_assert_cmpstr(domain->uuid, ==, "6695eb01-f6a4-8304-79aa-97f2502e193f");
    }
}

static void
test_identity_is_required(void)
{
    static const char *const no_uuid =
        "line 1: <domain>: no valid element 'uuid'; allowed: exactly one";
    static const char *const no_name = "line 1: <domain>: no element 'name'; allowed: exactly one";

    assert_refused("<domain><name>vm</name></domain>", no_uuid);
    assert_refused("<domain><name>vm</name><uuid/></domain>", no_uuid);
    assert_refused("<domain><name>vm</name><uuid>6695eb01</uuid></domain>", no_uuid);
    assert_refused("<domain><name>vm</name><uuid>6695eb01f6a4830479aa97f2502e193f0</uuid></domain>",
                   no_uuid);
    assert_refused("<domain><name>vm</name><uuid>z695eb01f6a4830479aa97f2502e193f</uuid></domain>",
                   no_uuid);
    assert_refused("<domain><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid></domain>", no_name);
    assert_refused("<network/>", "line 1: <network>: unknown root element; allowed: <domain>");
}

static void
test_validate_needs_no_identity(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(WardSettings) settings = ward_xml_validate("<domain type='kvm'/>", -1, &error);

    g_assert_no_error(error);
    g_assert_true(ward_settings_is_empty(settings));
}

static void
test_launch_security(void)
{
    static const struct {
        const char *element;
        WardLaunchSecurity expected;
        const char *quote_socket;
    } cases[] = {
        {"<launchSecurity type='s390-pv'/>", WARD_LAUNCH_SECURITY_S390_PV, NULL},
        {"<launchSecurity type='tdx'/>", WARD_LAUNCH_SECURITY_TDX, NULL},
        {"<launchSecurity type='tdx'><quoteGenerationService/></launchSecurity>",
         WARD_LAUNCH_SECURITY_TDX, "/var/run/tdx-qgs/qgs.socket"},
        {"<launchSecurity type='sev'><policy>1</policy></launchSecurity>",
         WARD_LAUNCH_SECURITY_OTHER, NULL},
        {"<launchSecurity type='sev-snp'><quoteGenerationService path='/x'/></launchSecurity>",
         WARD_LAUNCH_SECURITY_OTHER, NULL},
        {"<launchSecurity/>", WARD_LAUNCH_SECURITY_OTHER, NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(WardDomainXml) domain = parse(cases[i].element);

        g_assert_cmpint(domain->launch_security, ==, cases[i].expected);
        g_assert_cmpstr(domain->quote_socket, ==, cases[i].quote_socket);
    }
}

static void
test_async_teardown(void)
{
    static const struct {
        const char *element;
        WardTeardownMode expected;
    } cases[] = {
        {"<features><acpi/></features>", WARD_TEARDOWN_UNSET},
        {"<features><async-teardown/></features>", WARD_TEARDOWN_ASYNC},
        {"<features><async-teardown enabled='yes'/></features>", WARD_TEARDOWN_ASYNC},
        {"<features><async-teardown enabled='no'/></features>", WARD_TEARDOWN_SYNC},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(WardDomainXml) domain = parse(cases[i].element);

        g_assert_cmpint(domain->on_exit, ==, cases[i].expected);
    }
}

static void
test_bad_settings_leave_the_domain(void)
{
    g_autoptr(WardDomainXml) domain =
        parse("\n<metadata><w:protection xmlns:w='" NS "'><w:teardown/><w:isolation state='x'/>"
              "</w:protection></metadata>");

    g_assert_cmpstr(domain->name, ==, "vm");
    g_assert_true(ward_settings_is_empty(domain->settings));
    g_assert_error(domain->settings_error, WARD_ERROR, WARD_ERROR_INVALID_XML);
    g_assert_cmpstr(domain->settings_error->message, ==,
                    "line 2: <w:isolation>: attribute 'state' is 'x'; allowed: off, on");
}

/* Metadata of others, with all that libvirt lets through: a prefix that nothing declares too. */
static void
test_foreign_metadata_is_left_alone(void)
{
    g_autoptr(WardDomainXml) domain = parse(
        "<metadata><app:protection xmlns:app='urn:app' x='1'>text<y:z/><teardown/>"
        "</app:protection><ward:protection xmlns:ward='" NS "'><ward:isolation state='off'/>"
        "</ward:protection><ward:protection xmlns:ward='http://example.org/ward/1.0'/></metadata>");

    g_assert_no_error(domain->settings_error);
    g_assert_nonnull(domain->settings->isolation);
    g_assert_false(domain->settings->isolation->on);
    g_assert_null(domain->settings->teardown);
}

static void
test_namespace_may_be_declared_above(void)
{
    static const char xml[] = "<domain xmlns:w='" NS "'>" IDENTITY
                              "<metadata><w:protection><w:isolation/></w:protection></metadata>"
                              "</domain>";
    g_autoptr(WardDomainXml) domain = ward_domain_xml_parse(xml, -1, NULL);

    g_assert_nonnull(domain);
    g_assert_nonnull(domain->settings->isolation);
}

static void
test_names_are_kept_as_they_are(void)
{
    static const char xml[] = "<domain><name>a &amp; b \xc3\xa9</name>"
                              "<uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid></domain>";
    g_autoptr(WardDomainXml) domain = ward_domain_xml_parse(xml, -1, NULL);

    g_assert_cmpstr(domain->name, ==, "a & b \xc3\xa9");
}

static void
test_eight_mebibytes(void)
{
    g_autoptr(GString) xml = g_string_new("<domain type='kvm'>" IDENTITY "<metadata>");
    g_autoptr(WardDomainXml) domain = NULL;
    g_autoptr(GError) error = NULL;
    static const char end[] = "</devices></domain>";

    g_string_append(xml, "<ward:protection xmlns:ward='" NS "'><ward:isolation/>"
                         "</ward:protection></metadata><devices>");
    for (guint i = 0; xml->len < WARD_XML_MAX_SIZE - 200; i++)
        g_string_append_printf(xml,
                               "<hostdev mode='subsystem' type='pci'><source><address "
                               "domain='0x%04x'/></source></hostdev>\n",
                               i & 0xffff);
    g_string_append(xml, end);
    g_assert_cmpuint(xml->len, <=, WARD_XML_MAX_SIZE);

    domain = ward_domain_xml_parse(xml->str, xml->len, &error);
    g_assert_no_error(error);
    g_assert_nonnull(domain->settings->isolation);
}

/* Told by the text alone, as libvirt dumps it. */
static void
test_what_concerns_us(void)
{
    static const char *const ours[] = {
        "<metadata><ward:protection xmlns:ward='" NS "'><ward:teardown/></ward:protection>",
        "<metadata><p:mistake xmlns:p='http://virtward.org/schemas/domain/9.0'/>",
        "<launchSecurity type='tdx'>",
    };
    static const char *const others[] = {
        "<metadata><other:protection xmlns:other='http://example.org/1.0'/>",
        "<title>ward:protection and launchSecurity</title>",
    };

    for (guint i = 0; i < G_N_ELEMENTS(ours); i++)
        g_assert_true(ward_domain_xml_concerns_us(ours[i]));
    for (guint i = 0; i < G_N_ELEMENTS(others); i++)
        g_assert_false(ward_domain_xml_concerns_us(others[i]));
}

static void
test_plain(void)
{
    g_autoptr(WardDomainXml) domain = ward_domain_xml_new_plain();

    g_assert_true(ward_settings_is_empty(domain->settings));
    g_assert_no_error(domain->settings_error);
    g_assert_cmpint(domain->launch_security, ==, WARD_LAUNCH_SECURITY_NONE);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/domain-xml/everything", test_everything);
    g_test_add_func("/domain-xml/nothing", test_nothing);
    g_test_add_func("/domain-xml/memory-units", test_memory_units);
    g_test_add_func("/domain-xml/bad-memory", test_bad_memory);
    g_test_add_func("/domain-xml/uuid-forms", test_uuid_forms);
    g_test_add_func("/domain-xml/identity-is-required", test_identity_is_required);
    g_test_add_func("/domain-xml/validate-needs-no-identity", test_validate_needs_no_identity);
    g_test_add_func("/domain-xml/launch-security", test_launch_security);
    g_test_add_func("/domain-xml/async-teardown", test_async_teardown);
    g_test_add_func("/domain-xml/bad-settings-leave-the-domain",
                    test_bad_settings_leave_the_domain);
    g_test_add_func("/domain-xml/foreign-metadata-is-left-alone",
                    test_foreign_metadata_is_left_alone);
    g_test_add_func("/domain-xml/namespace-may-be-declared-above",
                    test_namespace_may_be_declared_above);
    g_test_add_func("/domain-xml/names-are-kept-as-they-are", test_names_are_kept_as_they_are);
    g_test_add_func("/domain-xml/what-concerns-us", test_what_concerns_us);
    g_test_add_func("/domain-xml/plain", test_plain);
    g_test_add_func("/domain-xml/eight-mebibytes", test_eight_mebibytes);
    return g_test_run();
}
