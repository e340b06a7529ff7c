/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-trustdomain-check.c: which trust domains may not start, and in which words
 */
#include "modules/ward-module.h"
#include "ward-error.h"
#include "ward-providers.h"
#include "ward-xml.h"

#define OLD_LIBVIRT 9000000
#define LIBVIRT 11006000
#define OLD_QEMU 10001000
#define QEMU 11000000

#define TDX "<launchSecurity type='tdx'/>"
#define QUOTES(path)                                                                               \
    "<launchSecurity type='tdx'><quoteGenerationService path='" path "'/></launchSecurity>"

/* @attributes of the element, @native: what libvirt's own elements say. */
static WardDomainXml *
parse(const char *attributes, const char *native)
{
    g_autofree char *text = g_strdup_printf(
        "<domain type='kvm'><name>guest</name><uuid>6d0a9a44-6d16-4a3d-9a43-000000000001</uuid>"
        "<memory unit='MiB'>16</memory>%s<metadata>"
        "<ward:protection xmlns:ward='" WARD_XML_NAMESPACE "'><ward:trustdomain %s/>"
        "</ward:protection></metadata></domain>",
        native, attributes);
    g_autoptr(GError) error = NULL;
    WardDomainXml *xml = ward_domain_xml_parse(text, -1, &error);

    g_assert_no_error(error);
    g_assert_no_error(xml->settings_error);
    return xml;
}

static void
test_starts(void)
{
    static const struct {
        const char *attributes;
        const char *native;
        gulong libvirt;
        gulong qemu;
        const char *refusal; /* NULL: it may start */
    } cases[] = {
        {"", TDX, LIBVIRT, OLD_QEMU, NULL},
        {"", TDX, 0, 0, NULL}, /* nothing is known yet */
        {"", TDX, OLD_LIBVIRT, 0,
         "libvirt 11.6 or later is needed for trust domains, this is 9.0.0"},
        {"", "", LIBVIRT, QEMU, "the domain has no <launchSecurity type='tdx'>"},
        {"", TDX "<on_reboot>restart</on_reboot>", LIBVIRT, QEMU, NULL},
        {"", TDX "<on_reboot>destroy</on_reboot>", LIBVIRT, QEMU,
         "onReboot='recreate' needs <on_reboot>restart</on_reboot>"},
        {"onReboot='reset'", TDX "<on_reboot>destroy</on_reboot>", LIBVIRT, QEMU,
         "onReboot='reset' needs <on_reboot>restart</on_reboot>"},
        {"onReboot='reset'", TDX "<on_reboot>restart</on_reboot>", LIBVIRT, QEMU, NULL},
        {"onReboot='reset'", TDX "<on_reboot>restart</on_reboot>", LIBVIRT, OLD_QEMU,
         "onReboot='reset' needs QEMU 11.0 or later, this is 10.1.0"},
        {"onReboot='reset'", TDX "<on_reboot>restart</on_reboot>", LIBVIRT, 0, NULL},
        {"onReboot='destroy'", TDX "<on_reboot>destroy</on_reboot>", LIBVIRT, OLD_QEMU, NULL},
        {"onReboot='destroy'", TDX "<on_reboot>restart</on_reboot>", LIBVIRT, QEMU,
         "onReboot='destroy' needs <on_reboot>destroy</on_reboot>"},
        {"", QUOTES("/nowhere/qgs.socket"), LIBVIRT, QEMU, "at '/nowhere/qgs.socket': there is no"},
        {"", QUOTES("relative"), LIBVIRT, QEMU, "is not absolute"},
    };
    const WardSupport support = {.supported = TRUE, .provider = "stock", .reason = (char *)""};

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(WardDomainXml) xml = parse(cases[i].attributes, cases[i].native);
        g_autoptr(GError) error = NULL;
        const WardModuleContext context = {
            .support = &support,
            .libvirt_version = cases[i].libvirt,
            .hypervisor_version = cases[i].qemu,
            .wanted = xml->settings,
            .xml = xml,
        };

        g_assert_cmpint(ward_module_check(&ward_trustdomain_module, &context, &error), ==,
                        cases[i].refusal == NULL);
        if (cases[i].refusal && !strstr(error->message, cases[i].refusal))
            g_error("'%s' is not in '%s'", cases[i].refusal, error->message);
    }
}

/* The settings alone, of no domain: what is native is not known. */
static void
test_settings_of_no_domain(void)
{
    const WardSupport support = {.supported = TRUE, .provider = "stock", .reason = (char *)""};
    g_autoptr(WardDomainXml) xml = parse("onReboot='destroy'", TDX);
    g_autoptr(GError) error = NULL;
    const WardModuleContext context = {
        .support = &support,
        .libvirt_version = LIBVIRT,
        .wanted = xml->settings,
    };

    g_assert_true(ward_module_check(&ward_trustdomain_module, &context, &error));
    g_assert_no_error(error);
}

/* What it says of a domain that runs; NULL: nothing. */
static char *
apply(const char *attributes, const char *native, gulong qemu, WardReboot last)
{
    g_autoptr(WardDomainXml) xml = parse(attributes, native);
    g_autoptr(WardProvider) provider = ward_stock_provider_new("");
    g_autoptr(WardActual) actual = ward_actual_new();
    const WardSupport support = {.supported = TRUE, .provider = "stock", .reason = (char *)""};
    const WardTarget target = {.uuid = "u", .name = "guest", .pid = 1};
    const WardModuleContext context = {
        .provider = provider,
        .support = &support,
        .libvirt_version = LIBVIRT,
        .hypervisor_version = qemu,
        .target = &target,
        .wanted = xml->settings,
        .xml = xml,
        .last_reboot = last,
        .actual = actual,
    };
    g_autoptr(GError) error = NULL;

    g_assert_true(ward_module_check(&ward_trustdomain_module, &context, &error));
    g_assert_true(ward_trustdomain_module.apply(&context, &error));
    g_assert_no_error(error);
    g_assert_cmpint(actual->common[WARD_PROTECTION_TRUSTDOMAIN].status, ==, WARD_STATUS_ACTIVE);
    return g_strdup(actual->common[WARD_PROTECTION_TRUSTDOMAIN].reason);
}

/* It goes on, whatever its next reboot will be, and whether quotes can be had. */
static void
test_running_domain_is_left_alone(void)
{
    g_autofree char *wrong =
        apply("", QUOTES("/nowhere") "<on_reboot>destroy</on_reboot>", QEMU, WARD_REBOOT_NONE);
    g_autofree char *recreated =
        apply("onReboot='reset'", TDX "<on_reboot>restart</on_reboot>", QEMU, WARD_REBOOT_RECREATE);
    g_autofree char *stock = apply("", TDX, QEMU, WARD_REBOOT_NONE);

    g_assert_nonnull(
        strstr(wrong, "the next reboot will not be what is wanted: onReboot='recreate'"));
    g_assert_nonnull(strstr(recreated, "the last reboot was a re-creation"));
    g_assert_nonnull(strstr(stock, "unknown: this kernel does not tell"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/trustdomain-check/starts", test_starts);
    g_test_add_func("/trustdomain-check/settings-of-no-domain", test_settings_of_no_domain);
    g_test_add_func("/trustdomain-check/running-domain", test_running_domain_is_left_alone);
    return g_test_run();
}
