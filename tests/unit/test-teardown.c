/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-teardown.c: the teardown module: what it refuses, and what it says of a stock host
 */
#include <unistd.h>

#include "modules/ward-module.h"
#include "test-host.h"
#include "ward-error.h"
#include "ward-providers.h"
#include "ward-xml.h"

#define BEFORE 9005000 /* libvirt 9.5.0 */
#define SINCE 9006000  /* 9.6.0, the first with <async-teardown/> */

typedef struct {
    WardSupport support;
    WardSettings *wanted;
    WardDomainXml *xml;
    WardModuleContext context;
} Fixture;

/* A domain that has or lacks libvirt's <async-teardown/> and wants what @attributes say. */
static void
set_up(Fixture *f, const char *attributes, const char *features, const char *security)
{
    g_autofree char *text = g_strdup_printf(
        "<domain type='kvm'><name>guest</name><uuid>6d0a9a44-6d16-4a3d-9a43-000000000001</uuid>"
        "<memory unit='MiB'>16</memory><features>%s</features>%s<metadata>"
        "<ward:protection xmlns:ward='" WARD_XML_NAMESPACE "'><ward:teardown %s/>"
        "</ward:protection></metadata></domain>",
        features, security, attributes);
    g_autoptr(GError) error = NULL;

    f->xml = ward_domain_xml_parse(text, -1, &error);
    g_assert_no_error(error);
    f->wanted = f->xml->settings;
    f->support = (WardSupport){.supported = TRUE, .provider = "stock", .reason = (char *)""};
    f->context = (WardModuleContext){
        .support = &f->support,
        .wanted = f->wanted,
        .xml = f->xml,
    };
}

static void
tear_down(Fixture *f)
{
    ward_domain_xml_free(f->xml);
}

static void
test_on_exit(void)
{
    static const char *const yes = "<async-teardown enabled='yes'/>";
    static const char *const no = "<async-teardown enabled='no'/>";
    const struct {
        const char *attributes;
        const char *features;
        gulong version;
        const char *refusal; /* NULL: it is accepted */
    } cases[] = {
        {"", "", BEFORE, NULL},
        {"", yes, SINCE, NULL},
        {"onExit='async'", yes, SINCE, NULL},
        {"onExit='async'", "", BEFORE, "needs libvirt 9.6 or later, this is 9.5.0"},
        {"onExit='async'", "", SINCE, "needs <async-teardown enabled='yes'/>"},
        {"onExit='async'", no, SINCE, "needs <async-teardown enabled='yes'/>"},
        {"onExit='sync'", "", BEFORE, NULL},
        {"onExit='sync'", no, SINCE, NULL},
        {"onExit='sync'", yes, SINCE, "needs <async-teardown enabled='no'/>"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        Fixture f;

        set_up(&f, cases[i].attributes, cases[i].features, "<launchSecurity type='s390-pv'/>");
        f.context.libvirt_version = cases[i].version;
        g_assert_cmpint(ward_module_check(&ward_teardown_module, &f.context, &error), ==,
                        cases[i].refusal == NULL);
        if (cases[i].refusal) {
            g_assert_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED);
            if (!strstr(error->message, cases[i].refusal))
                g_error("'%s' is not in '%s'", cases[i].refusal, error->message);
        }
        tear_down(&f);
    }
}

static void
test_needs_a_protected_guest(void)
{
    g_autoptr(GError) error = NULL;
    Fixture f;

    set_up(&f, "", "", "");
    g_assert_false(ward_module_check(&ward_teardown_module, &f.context, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_NOT_SUPPORTED);
    g_assert_nonnull(strstr(error->message, "<launchSecurity type='s390-pv'/>"));
    tear_down(&f);
}

static char *
apply_on_stock(Fixture *f, GPid pid, WardTeardownActual *actual)
{
    g_autoptr(WardProvider) provider = ward_stock_provider_new("");
    const WardTarget target = {.uuid = "u", .name = "guest", .pid = pid};
    g_autoptr(WardActual) found = ward_actual_new();
    g_autoptr(GError) error = NULL;

    f->context.provider = provider;
    f->context.target = &target;
    f->context.actual = found;
    g_assert_true(ward_teardown_module.apply(&f->context, &error));
    g_assert_no_error(error);
    *actual = found->teardown;
    g_assert_cmpint(found->common[WARD_PROTECTION_TEARDOWN].status, ==, WARD_STATUS_ACTIVE);
    return g_strdup(found->common[WARD_PROTECTION_TEARDOWN].reason);
}

/* On this process, which no teardown runs in: what can be seen is shown, and what cannot is said.
 */
static void
test_stock_says_what_is_unknown(void)
{
    g_autofree char *reason = NULL;
    WardTeardownActual actual;
    Fixture f;

    set_up(&f, "", "", "<launchSecurity type='s390-pv'/>");
    reason = apply_on_stock(&f, getpid(), &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_NONE);
    g_assert_cmpuint(actual.bytes_total, ==, 0);
    g_assert_nonnull(strstr(reason, "how far"));
    g_assert_nonnull(strstr(reason, "unknown: this kernel does not tell"));
    tear_down(&f);
}

static void
test_stock_without_a_process_knows_nothing(void)
{
    g_autofree char *reason = NULL;
    WardTeardownActual actual;
    Fixture f;

    set_up(&f, "", "", "<launchSecurity type='s390-pv'/>");
    reason = apply_on_stock(&f, 0, &actual);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_UNKNOWN);
    g_assert_nonnull(strstr(reason, "cannot be found"));
    tear_down(&f);
}

/* A limit that the host has no means to keep is said to be so, and takes nothing away. */
static void
test_stock_cannot_keep_a_limit(void)
{
    g_autofree char *reason = NULL;
    WardTeardownActual actual;
    Fixture f;

    set_up(&f, "", "", "<launchSecurity type='s390-pv'/>");
    f.context.max_teardowns = 3;
    f.context.teardown_full = TRUE;
    reason = apply_on_stock(&f, getpid(), &actual);
    g_assert_nonnull(strstr(reason, "the limit of 3 teardowns at once cannot be kept"));
    tear_down(&f);
}

/* QEMU's thread, by its name; and this process is in no group of libvirt's. */
static void
test_weight_that_cannot_be_had_is_said(void)
{
    g_autofree char *reason = NULL;
    WardTeardownActual actual;
    TestCleanup cleanup;
    Fixture f;

    test_cleanup_begin(&cleanup);
    set_up(&f, "", "", "<launchSecurity type='s390-pv'/>");
    f.context.teardown_weight = 50;
    reason = apply_on_stock(&f, getpid(), &actual);
    test_cleanup_end(&cleanup);
    g_assert_cmpint(actual.phase, ==, WARD_TEARDOWN_PHASE_RUNNING);
    g_assert_nonnull(strstr(reason, "usual CPU weight and not with 50"));
    tear_down(&f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/teardown/on-exit", test_on_exit);
    g_test_add_func("/teardown/needs-a-protected-guest", test_needs_a_protected_guest);
    g_test_add_func("/teardown/stock-says-what-is-unknown", test_stock_says_what_is_unknown);
    g_test_add_func("/teardown/stock-without-a-process",
                    test_stock_without_a_process_knows_nothing);
    g_test_add_func("/teardown/stock-cannot-keep-a-limit", test_stock_cannot_keep_a_limit);
    g_test_add_func("/teardown/weight-that-cannot-be-had", test_weight_that_cannot_be_had_is_said);
    return g_test_run();
}
