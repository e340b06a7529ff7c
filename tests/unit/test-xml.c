/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-xml.c: examples, grammar, parser and libvirt agree about protection XML
 */
#include <libvirt/libvirt.h>
#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <string.h>

#include "ward-error.h"
#include "ward-kvmi-names.h"
#include "ward-xml.h"

#define NS "http://virtward.org/schemas/domain/1.0"
#define PROTECTION(body) "<ward:protection xmlns:ward='" NS "'>" body "</ward:protection>"
#define INTROSPECTION(body) PROTECTION("<ward:introspection>" body "</ward:introspection>")
#define SOCKET "<ward:socket type='unix' path='/run/a.sock'/>"
#define FIFTY "01234567890123456789012345678901234567890123456789"
#define PATH_106 "/12345" FIFTY FIFTY
#define PATH_107 PATH_106 "6"
#define LIBVIRT_GRAMMAR "/usr/share/libvirt/schemas/domain.rng"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNG, xmlRelaxNGFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNGParserCtxt, xmlRelaxNGFreeParserCtxt)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNGValidCtxt, xmlRelaxNGFreeValidCtxt)

static const char *const examples[] = {
    "teardown", "trustdomain", "introspection-unix", "introspection-vsock", "isolation", "all",
};

static char *
source_path(const char *relative)
{
    const char *root = g_getenv("WARD_SOURCE_ROOT");

    g_assert_nonnull(root);
    return g_build_filename(root, relative, NULL);
}

static char *
read_example(const char *name)
{
    g_autofree char *relative = g_strdup_printf("xml-schema/examples/%s.xml", name);
    g_autofree char *path = source_path(relative);
    g_autoptr(GError) error = NULL;
    char *xml = NULL;

    g_file_get_contents(path, &xml, NULL, &error);
    g_assert_no_error(error);
    return xml;
}

static void
ignore(void *data, const char *format, ...)
{
}

static xmlRelaxNG *
load_grammar(const char *path)
{
    g_autoptr(xmlRelaxNGParserCtxt) context = xmlRelaxNGNewParserCtxt(path);
    xmlRelaxNG *grammar = xmlRelaxNGParse(context);

    g_assert_nonnull(grammar);
    return grammar;
}

static gboolean
grammar_accepts(xmlRelaxNG *grammar, const char *xml)
{
    g_autoptr(xmlDoc) document = xmlReadDoc((const xmlChar *)xml, NULL, NULL, XML_PARSE_NONET);
    g_autoptr(xmlRelaxNGValidCtxt) context = xmlRelaxNGNewValidCtxt(grammar);

    g_assert_nonnull(document);
    xmlRelaxNGSetValidErrors(context, ignore, ignore, NULL);
    return xmlRelaxNGValidateDoc(context, document) == 0;
}

static xmlRelaxNG *
our_grammar(void)
{
    g_autofree char *path = source_path("xml-schema/virtward-domain.rng");

    return load_grammar(path);
}

static WardSettings *
parse(const char *xml)
{
    g_autoptr(GError) error = NULL;
    WardSettings *settings = ward_settings_parse(xml, -1, &error);

    g_assert_no_error(error);
    return settings;
}

static void
test_defaults(void)
{
    g_autoptr(WardSettings) s =
        parse(PROTECTION("<ward:teardown/><ward:trustdomain/>"
                         "<ward:introspection>" SOCKET "</ward:introspection><ward:isolation/>"));

    g_assert_cmpint(s->teardown->enforcement, ==, WARD_ENFORCEMENT_REQUIRED);
    g_assert_cmpint(s->teardown->on_reboot, ==, WARD_TEARDOWN_ASYNC);
    g_assert_cmpint(s->teardown->on_exit, ==, WARD_TEARDOWN_UNSET);
    g_assert_cmpint(s->trustdomain->enforcement, ==, WARD_ENFORCEMENT_REQUIRED);
    g_assert_cmpint(s->trustdomain->admission, ==, WARD_ADMISSION_REFUSE);
    g_assert_cmpuint(s->trustdomain->timeout, ==, 30);
    g_assert_cmpint(s->trustdomain->on_reboot, ==, WARD_TRUSTDOMAIN_RECREATE);
    g_assert_cmpint(s->introspection->enforcement, ==, WARD_ENFORCEMENT_REQUIRED);
    g_assert_cmpint(s->introspection->on_disconnect, ==, WARD_DISCONNECT_RETRY);
    g_assert_null(s->introspection->secret);
    g_assert_null(s->introspection->allowed_commands);
    g_assert_null(s->introspection->allowed_events);
    g_assert_cmpint(s->isolation->enforcement, ==, WARD_ENFORCEMENT_REQUIRED);
    g_assert_true(s->isolation->on);
}

static void
test_every_value_is_read(void)
{
    g_autofree char *xml = read_example("all");
    g_autoptr(WardSettings) s = parse(xml);

    g_assert_cmpint(s->teardown->enforcement, ==, WARD_ENFORCEMENT_PREFERRED);
    g_assert_cmpint(s->teardown->on_reboot, ==, WARD_TEARDOWN_ASYNC);
    g_assert_cmpint(s->teardown->on_exit, ==, WARD_TEARDOWN_SYNC);
    g_assert_cmpint(s->trustdomain->admission, ==, WARD_ADMISSION_REFUSE);
    g_assert_cmpint(s->trustdomain->on_reboot, ==, WARD_TRUSTDOMAIN_DESTROY);
    g_assert_cmpint(s->introspection->on_disconnect, ==, WARD_DISCONNECT_DESTROY);
    g_assert_cmpint(s->introspection->socket.type, ==, WARD_SOCKET_UNIX);
    g_assert_cmpstr(s->introspection->socket.path, ==, "/run/introspector/guest.sock");
    g_assert_cmpstr(s->introspection->secret, ==, "3b5f1d2a-0c44-4d0e-9b7e-6a2f1c9d8e70");
    g_assert_cmpstr(s->introspection->allowed_commands[0], ==, "get-registers");
    g_assert_null(s->introspection->allowed_commands[1]);
    g_assert_cmpstr(s->introspection->allowed_events[0], ==, "breakpoint");
    g_assert_null(s->introspection->allowed_events[1]);
    g_assert_cmpint(s->isolation->enforcement, ==, WARD_ENFORCEMENT_PREFERRED);
}

static void
test_prefix_does_not_matter(void)
{
    g_autoptr(WardSettings) ward = parse(PROTECTION("<ward:isolation/>"));
    g_autoptr(WardSettings) other =
        parse("<w:protection xmlns:w='" NS "'><w:isolation/></w:protection>");
    g_autoptr(WardSettings) none = parse("<protection xmlns='" NS "'><isolation/></protection>");

    g_assert_true(ward_settings_equal(ward, other));
    g_assert_true(ward_settings_equal(ward, none));
}

static void
test_secret_in_upper_case(void)
{
    g_autoptr(WardSettings) settings = parse(INTROSPECTION(
        SOCKET "<ward:authentication secret='3B5F1D2A-0C44-4D0E-9B7E-6A2F1C9D8E70'/>"));

    g_assert_cmpstr(settings->introspection->secret, ==, "3b5f1d2a-0c44-4d0e-9b7e-6a2f1c9d8e70");
}

static void
test_format(void)
{
    g_autofree char *xml = read_example("all");
    g_autoptr(WardSettings) settings = parse(xml);
    g_autofree char *formatted = ward_settings_format(settings);

    g_assert_cmpstr(
        formatted, ==,
        "<ward:protection xmlns:ward=\"" NS "\">\n"
        "  <ward:teardown onReboot=\"async\" onExit=\"sync\" enforcement=\"preferred\"/>\n"
        "  <ward:trustdomain admission=\"refuse\" timeout=\"30\" onReboot=\"destroy\""
        " enforcement=\"required\"/>\n"
        "  <ward:introspection enforcement=\"required\" onDisconnect=\"destroy\">\n"
        "    <ward:socket type=\"unix\" path=\"/run/introspector/guest.sock\"/>\n"
        "    <ward:authentication secret=\"3b5f1d2a-0c44-4d0e-9b7e-6a2f1c9d8e70\"/>\n"
        "    <ward:allow command=\"get-registers\"/>\n"
        "    <ward:allow event=\"breakpoint\"/>\n"
        "  </ward:introspection>\n"
        "  <ward:isolation state=\"on\" enforcement=\"preferred\"/>\n"
        "</ward:protection>\n");
}

static void
test_example_round_trip(gconstpointer name)
{
    g_autoptr(xmlRelaxNG) grammar = our_grammar();
    g_autofree char *xml = read_example(name);
    g_autoptr(WardSettings) settings = parse(xml);
    g_autofree char *formatted = ward_settings_format(settings);
    g_autoptr(WardSettings) again = parse(formatted);

    g_assert_false(ward_settings_is_empty(settings));
    g_assert_true(ward_settings_equal(settings, again));
    g_assert_true(grammar_accepts(grammar, xml));
    g_assert_true(grammar_accepts(grammar, formatted));
}

/* The example inside a complete domain. */
static char *
domain_with(const char *type, const char *example)
{
    g_autofree char *xml = read_example(example);

    return g_strdup_printf("<domain type='%s'><name>%s</name>"
                           "<uuid>6695eb01-f6a4-8304-79aa-97f2502e193e</uuid>"
                           "<metadata><app:other xmlns:app='urn:app'/>%s</metadata>"
                           "<memory unit='MiB'>64</memory><vcpu>1</vcpu>"
                           "<os><type arch='i686'>hvm</type></os></domain>",
                           type, example, strstr(xml, "<ward:protection"));
}

static void
test_example_in_libvirt(gconstpointer name)
{
    g_autofree char *xml = read_example(name);
    g_autofree char *domain_xml = domain_with("test", name);
    g_autoptr(WardSettings) expected = parse(xml);
    g_autoptr(WardDomainXml) dumped = NULL;
    g_autoptr(WardSettings) read_back = NULL;
    virConnectPtr connection = virConnectOpen("test:///default");
    virDomainPtr domain =
        virDomainDefineXMLFlags(connection, domain_xml, VIR_DOMAIN_DEFINE_VALIDATE);
    char *dump, *metadata;

    g_assert_nonnull(domain);
    g_assert_cmpint(virDomainCreate(domain), ==, 0);
    dump = virDomainGetXMLDesc(domain, 0);
    metadata = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, NS, 0);

    dumped = ward_domain_xml_parse(dump, -1, NULL);
    g_assert_nonnull(dumped);
    g_assert_no_error(dumped->settings_error);
    g_assert_cmpstr(dumped->name, ==, name);
    g_assert_cmpuint(dumped->memory_kib, ==, 65536);
    g_assert_true(ward_settings_equal(dumped->settings, expected));
    read_back = parse(metadata);
    g_assert_true(ward_settings_equal(read_back, expected));

    free(dump);
    free(metadata);
    virDomainDestroy(domain);
    virDomainUndefine(domain);
    virDomainFree(domain);
    virConnectClose(connection);
}

/* What the daemon does to change the settings of a domain. */
static void
test_set_in_libvirt(void)
{
    g_autofree char *xml = read_example("all");
    g_autoptr(WardSettings) settings = parse(xml);
    g_autofree char *formatted = ward_settings_format_metadata(settings);
    g_autoptr(WardDomainXml) dumped = NULL;
    virConnectPtr connection = virConnectOpen("test:///default");
    virDomainPtr domain = virDomainLookupByName(connection, "test");
    char *dump;

    g_assert_cmpint(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, formatted,
                                         WARD_XML_PREFIX, NS, VIR_DOMAIN_AFFECT_LIVE),
                    ==, 0);
    dump = virDomainGetXMLDesc(domain, 0);
    dumped = ward_domain_xml_parse(dump, -1, NULL);
    g_assert_no_error(dumped->settings_error);
    g_assert_true(ward_settings_equal(dumped->settings, settings));

    free(dump);
    virDomainFree(domain);
    virConnectClose(connection);
}

static void
test_example_in_libvirt_grammar(gconstpointer name)
{
    g_autofree char *xml = domain_with("qemu", name);
    g_autoptr(xmlRelaxNG) grammar = NULL;

    if (!g_file_test(LIBVIRT_GRAMMAR, G_FILE_TEST_EXISTS)) {
        g_test_skip("libvirt's grammar is not installed");
        return;
    }
    grammar = load_grammar(LIBVIRT_GRAMMAR);
    g_assert_true(grammar_accepts(grammar, xml));
    g_assert_false(grammar_accepts(grammar, "<domain type='qemu'><nonsense/></domain>"));
}

typedef enum {
    BOTH,
    NEITHER,
    GRAMMAR_ONLY, /* what the head of the grammar says it cannot express */
} Accepts;

static const struct {
    Accepts accepts;
    const char *xml;
} documents[] = {
    {BOTH, PROTECTION("")},
    {BOTH, PROTECTION("<!-- c --><?p i?> \n")},
    {BOTH, PROTECTION("<ward:isolation/><ward:teardown/>")},
    {BOTH, PROTECTION("<ward:isolation> \n </ward:isolation>")},
    {BOTH, "<protection xmlns='" NS "'><isolation/></protection>"},
    {BOTH, PROTECTION("<ward:trustdomain timeout='1'/>")},
    {BOTH, PROTECTION("<ward:trustdomain timeout='3600'/>")},
    {BOTH, PROTECTION("<ward:trustdomain timeout='0030'/>")},
    {BOTH, INTROSPECTION("<ward:allow event='cr'/>" SOCKET "<ward:allow command='get-cpuid'/>")},
    {BOTH, INTROSPECTION("<ward:socket type='unix' path='" PATH_107 "'/>")},
    {BOTH, INTROSPECTION("<ward:socket port='0' cid='1' type='vsock'/>")},
    {BOTH, INTROSPECTION("<ward:socket type='vsock' cid='4294967294' port='4294967294'/>")},
    {BOTH,
     INTROSPECTION(SOCKET "<ward:allow command='pause-vcpu'/><ward:allow event='pause-vcpu'/>")},
    {BOTH, PROTECTION("<x:y xmlns:x='urn:x' x:a='1' b='2'>text<z xmlns=''/></x:y>")},
    {BOTH, PROTECTION("<ward:isolation xmlns:x='urn:x' x:a='1'><x:y/></ward:isolation>")},
    {BOTH, INTROSPECTION("<x:y xmlns:x='urn:x'/>" SOCKET "<x:y xmlns:x='urn:x'/>")},
    {BOTH, "<ward:protection xmlns:ward='" NS "' xml:lang='en'/>"},

    {NEITHER, "<other xmlns='" NS "'/>"},
    {NEITHER, "<protection xmlns='urn:other'/>"},
    {NEITHER, "<protection xmlns='http://virtward.org/schemas/domain/2.0'/>"},
    {NEITHER, PROTECTION("<ward:other/>")},
    {NEITHER, PROTECTION("<isolation/>")},
    {NEITHER, PROTECTION("text")},
    {NEITHER, PROTECTION("<ward:isolation/><ward:isolation/>")},
    {NEITHER, PROTECTION("<ward:isolation>on</ward:isolation>")},
    {NEITHER, PROTECTION("<ward:isolation state=''/>")},
    {NEITHER, PROTECTION("<ward:isolation state=' on '/>")},
    {NEITHER, PROTECTION("<ward:isolation state='ON'/>")},
    {NEITHER, PROTECTION("<ward:isolation ward:state='on'/>")},
    {NEITHER, PROTECTION("<ward:isolation other='on'/>")},
    {NEITHER, PROTECTION("<ward:isolation enforcement='maybe'/>")},
    {NEITHER, PROTECTION("<ward:teardown onReboot='destroy'/>")},
    {NEITHER, PROTECTION("<ward:teardown onExit=''/>")},
    {NEITHER, PROTECTION("<ward:trustdomain timeout='0'/>")},
    {NEITHER, PROTECTION("<ward:trustdomain timeout='3601'/>")},
    {NEITHER, PROTECTION("<ward:trustdomain timeout='4294967297'/>")},
    {NEITHER, PROTECTION("<ward:trustdomain timeout='99999999999999999999999'/>")},
    {NEITHER, PROTECTION("<ward:trustdomain timeout='+5'/>")},
    {NEITHER, PROTECTION("<ward:trustdomain timeout=' 5'/>")},
    {NEITHER, PROTECTION("<ward:trustdomain timeout='5.0'/>")},
    {NEITHER, PROTECTION("<ward:trustdomain timeout=''/>")},
    {NEITHER, PROTECTION("<ward:trustdomain admission='maybe'/>")},
    {NEITHER, PROTECTION("<ward:introspection/>")},
    {NEITHER, INTROSPECTION(SOCKET SOCKET)},
    {NEITHER, INTROSPECTION("<ward:socket type='unix'/>")},
    {NEITHER, INTROSPECTION("<ward:socket type='unix' path=''/>")},
    {NEITHER, INTROSPECTION("<ward:socket type='unix' path='a'/>")},
    {NEITHER, INTROSPECTION("<ward:socket type='unix' path='/a&#10;'/>")},
    {NEITHER, INTROSPECTION("<ward:socket type='unix' path='/a&#x80;'/>")},
    {NEITHER, INTROSPECTION("<ward:socket type='unix' path='" PATH_107 "8'/>")},
    {NEITHER, INTROSPECTION("<ward:socket type='unix' path='/a' port='1'/>")},
    {NEITHER, INTROSPECTION("<ward:socket type='vsock' cid='0' port='1'/>")},
    {NEITHER, INTROSPECTION("<ward:socket type='vsock' cid='4294967295' port='1'/>")},
    {NEITHER, INTROSPECTION("<ward:socket type='vsock' cid='3' port='4294967295'/>")},
    {NEITHER, INTROSPECTION("<ward:socket type='vsock' cid='3'/>")},
    {NEITHER, INTROSPECTION("<ward:socket type='tcp' cid='3' port='1'/>")},
    {NEITHER, INTROSPECTION(SOCKET "<ward:authentication/>")},
    {NEITHER, INTROSPECTION(SOCKET "<ward:authentication secret='3b5f1d2a'/>")},
    {NEITHER, INTROSPECTION(SOCKET "<ward:allow/>")},
    {NEITHER, INTROSPECTION(SOCKET "<ward:allow command='event'/>")},
    {NEITHER, INTROSPECTION(SOCKET "<ward:allow command='get-cpuid' event='cr'/>")},

    {GRAMMAR_ONLY, INTROSPECTION(SOCKET "<ward:allow event='cr'/><ward:allow event='cr'/>")},
    /* 107 characters, 108 bytes. */
    {GRAMMAR_ONLY, INTROSPECTION("<ward:socket type='unix' path='" PATH_106 "\xc3\xa9'/>")},
    {GRAMMAR_ONLY, PROTECTION("<n:isolation xmlns:n='http://virtward.org/schemas/domain/2.0'/>")},
    {GRAMMAR_ONLY, "<!DOCTYPE protection>" PROTECTION("")},
};

static void
test_grammar_agrees_with_parser(void)
{
    g_autoptr(xmlRelaxNG) grammar = our_grammar();

    for (guint i = 0; i < G_N_ELEMENTS(documents); i++) {
        const char *xml = documents[i].xml;
        g_autoptr(WardSettings) settings = NULL;
        g_autoptr(GError) error = NULL;

        g_test_message("%s", xml);
        settings = ward_settings_parse(xml, -1, &error);
        g_assert_cmpint(settings != NULL, ==, documents[i].accepts == BOTH);
        g_assert_cmpint(grammar_accepts(grammar, xml), ==, documents[i].accepts != NEITHER);
    }
}

static void
test_grammar_has_every_kvmi_name(void)
{
    g_autoptr(xmlRelaxNG) grammar = our_grammar();
    g_autoptr(GString) allowed = g_string_new(NULL);
    g_autofree char *xml = NULL;
    g_autofree char *rng_path = source_path("xml-schema/virtward-domain.rng");
    g_autofree char *rng = NULL;
    guint n_names = 0, n_values = 0;

    for (const WardKvmiName *n = ward_kvmi_commands; n->name != NULL; n++, n_names++)
        g_string_append_printf(allowed, "<ward:allow command='%s'/>", n->name);
    for (const WardKvmiName *n = ward_kvmi_events; n->name != NULL; n++, n_names++)
        g_string_append_printf(allowed, "<ward:allow event='%s'/>", n->name);
    xml = g_strdup_printf(INTROSPECTION(SOCKET "%s"), allowed->str);
    g_assert_true(grammar_accepts(grammar, xml));

    /* And no others: count the values from the definition of "command" on. */
    g_file_get_contents(rng_path, &rng, NULL, NULL);
    for (const char *p = strstr(rng, "<define name=\"command\">"); p != NULL; n_values++)
        p = strstr(p + 1, "<value ");
    g_assert_cmpuint(n_values - 1, ==, n_names);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/xml/defaults", test_defaults);
    g_test_add_func("/xml/every-value-is-read", test_every_value_is_read);
    g_test_add_func("/xml/prefix-does-not-matter", test_prefix_does_not_matter);
    g_test_add_func("/xml/secret-in-upper-case", test_secret_in_upper_case);
    g_test_add_func("/xml/format", test_format);
    g_test_add_func("/xml/set-in-libvirt", test_set_in_libvirt);
    g_test_add_func("/xml/grammar-agrees-with-parser", test_grammar_agrees_with_parser);
    g_test_add_func("/xml/grammar-has-every-kvmi-name", test_grammar_has_every_kvmi_name);
    for (guint i = 0; i < G_N_ELEMENTS(examples); i++) {
        g_autofree char *round_trip = g_strconcat("/xml/round-trip/", examples[i], NULL);
        g_autofree char *in_libvirt = g_strconcat("/xml/in-libvirt/", examples[i], NULL);
        g_autofree char *in_grammar = g_strconcat("/xml/in-libvirt-grammar/", examples[i], NULL);

        g_test_add_data_func(round_trip, examples[i], test_example_round_trip);
        g_test_add_data_func(in_libvirt, examples[i], test_example_in_libvirt);
        g_test_add_data_func(in_grammar, examples[i], test_example_in_libvirt_grammar);
    }
    return g_test_run();
}
