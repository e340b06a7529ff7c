/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-xml-errors.c: every way for protection XML to be wrong has a message with the line, the
 * element or attribute, what was found and what is allowed
 */
#include <libxml/parser.h>
#include <string.h>

#include "ward-error.h"
#include "ward-xml.h"

#define NS "http://virtward.org/schemas/domain/1.0"
#define OPEN "<ward:protection xmlns:ward='" NS "'>"
#define CLOSE "</ward:protection>"
#define PROTECTION(body) OPEN "\n" body "\n" CLOSE
#define INTROSPECTION(body) PROTECTION("<ward:introspection>\n" body "\n</ward:introspection>")
#define SOCKET "<ward:socket type='unix' path='/run/a.sock'/>"
#define DOMAIN(metadata) "<domain type='test'><metadata>\n" metadata "\n</metadata></domain>"
#define TAG "<ward:protection xmlns:ward='" NS "'>"
#define PATH_ALLOWED "allowed: an absolute path of at most 107 bytes without control characters"
#define SECRET_ALLOWED "allowed: the UUID of a libvirt secret, as 'virsh secret-list' shows it"
#define TEN(x) x x x x x x x x x x
#define THIRTY "012345678901234567890123456789"
#define COMMANDS                                                                                   \
    "get-version, check-command, check-event, get-guest-info, get-vcpu-info, pause-vcpu, "         \
    "control-vm-events, control-events, control-cr, control-msr, control-ve, get-registers, "      \
    "set-registers, get-cpuid, get-xsave, read-physical, write-physical, inject-exception, "       \
    "get-page-access, set-page-access, get-map-token, get-mtrr-type, control-spp, "                \
    "get-page-write-bitmap, set-page-write-bitmap, control-cmd-response, set-ve-info-page, "       \
    "get-max-gfn, get-next-available-gfn, switch-ept-view, disable-ve, get-ept-view, "             \
    "vcpu-translate-gva, control-ept-view, vcpu-get-xcr, vcpu-set-xsave, query-physical, "         \
    "alloc-gfn, free-gfn, create-ept-view, destroy-ept-view, change-gfn, vcpu-control-singlestep"

typedef struct {
    const char *name;
    const char *xml;
    const char *message;
    gssize length; /* 0: up to the NUL */
} Case;

static const Case cases[] = {
    /* Names */
    {"unknown-element", PROTECTION("<ward:tear-down/>"),
     "line 2: <ward:tear-down>: unknown element in <ward:protection>; allowed: teardown, "
     "trustdomain, introspection, isolation"},
    {"unknown-child-element", INTROSPECTION(SOCKET "\n<ward:sokcet/>"),
     "line 4: <ward:sokcet>: unknown element in <ward:introspection>; allowed: socket, "
     "authentication, allow"},
    {"child-where-none-is-allowed", PROTECTION("<ward:isolation>\n<ward:x/></ward:isolation>"),
     "line 3: <ward:x>: unknown element in <ward:isolation>; allowed: none"},
    {"unknown-attribute", PROTECTION("<ward:teardown onreboot='async'/>"),
     "line 2: <ward:teardown>: unknown attribute 'onreboot'; allowed: onReboot, onExit, "
     "enforcement"},
    {"unknown-attribute-of-protection", "<ward:protection xmlns:ward='" NS "' version='1'/>",
     "line 1: <ward:protection>: unknown attribute 'version'; allowed: none"},
    {"unknown-attribute-of-unix-socket",
     INTROSPECTION("<ward:socket type='unix' path='/a' cid='3'/>"),
     "line 3: <ward:socket>: unknown attribute 'cid'; allowed: type, path"},
    {"unknown-attribute-of-vsock-socket",
     INTROSPECTION("<ward:socket type='vsock' cid='3' port='4' path='/a'/>"),
     "line 3: <ward:socket>: unknown attribute 'path'; allowed: type, cid, port"},
    {"attribute-with-our-prefix", PROTECTION("<ward:teardown ward:onReboot='async'/>"),
     "line 2: <ward:teardown>: attribute 'onReboot' has a prefix; write it without"},
    {"attribute-with-undeclared-prefix", PROTECTION("<ward:teardown x:onReboot='async'/>"),
     "line 2: <ward:teardown>: unknown attribute 'x:onReboot'; allowed: onReboot, onExit, "
     "enforcement"},
    {"child-without-namespace", PROTECTION("<isolation/>"),
     "line 2: <isolation>: no namespace; allowed: elements in " NS},
    {"child-of-other-version",
     PROTECTION("<n:isolation xmlns:n='http://virtward.org/schemas/domain/2.0'/>"),
     "line 2: <n:isolation>: namespace 'http://virtward.org/schemas/domain/2.0' is not its "
     "parent's; allowed: " NS},
    {"other-prefix-in-the-message",
     "<w:protection xmlns:w='" NS "'>\n\n<w:teardown onExit='never'/></w:protection>",
     "line 3: <w:teardown>: attribute 'onExit' is 'never'; allowed: async, sync"},
    {"text", PROTECTION("<ward:isolation>\n on </ward:isolation>"),
     "line 2: <ward:isolation>: text 'on'; allowed: attributes and elements only"},
    {"cdata", PROTECTION("<![CDATA[isolation]]>"),
     "line 1: <ward:protection>: text 'isolation'; allowed: attributes and elements only"},

    /* Values */
    {"bad-teardown-on-reboot", PROTECTION("<ward:teardown onReboot='Async'/>"),
     "line 2: <ward:teardown>: attribute 'onReboot' is 'Async'; allowed: async, sync"},
    {"empty-teardown-on-exit", PROTECTION("<ward:teardown onExit=''/>"),
     "line 2: <ward:teardown>: attribute 'onExit' is ''; allowed: async, sync"},
    {"bad-enforcement", PROTECTION("<ward:teardown enforcement='optional'/>"),
     "line 2: <ward:teardown>: attribute 'enforcement' is 'optional'; allowed: required, "
     "preferred"},
    {"bad-admission", PROTECTION("<ward:trustdomain admission='queue'/>"),
     "line 2: <ward:trustdomain>: attribute 'admission' is 'queue'; allowed: refuse, wait"},
    {"bad-trustdomain-on-reboot", PROTECTION("<ward:trustdomain onReboot='async'/>"),
     "line 2: <ward:trustdomain>: attribute 'onReboot' is 'async'; allowed: recreate, reset, "
     "destroy"},
    {"bad-on-disconnect", PROTECTION("<ward:introspection onDisconnect='ignore'/>"),
     "line 2: <ward:introspection>: attribute 'onDisconnect' is 'ignore'; allowed: retry, pause, "
     "destroy"},
    {"bad-isolation-state", PROTECTION("<ward:isolation state='yes'/>"),
     "line 2: <ward:isolation>: attribute 'state' is 'yes'; allowed: off, on"},
    {"bad-socket-type", INTROSPECTION("<ward:socket type='tcp'/>"),
     "line 3: <ward:socket>: attribute 'type' is 'tcp'; allowed: unix, vsock"},
    {"unknown-command", INTROSPECTION(SOCKET "<ward:allow command='READ_PHYSICAL'/>"),
     "line 3: <ward:allow>: attribute 'command' is 'READ_PHYSICAL'; allowed: " COMMANDS},
    {"unknown-event", INTROSPECTION(SOCKET "<ward:allow event='cr3'/>"),
     "line 3: <ward:allow>: attribute 'event' is 'cr3'; allowed: unhook, cr, msr, xsetbv, "
     "breakpoint, hypercall, pf, trap, descriptor, create-vcpu, pause-vcpu, singlestep, cpuid"},
    {"bad-secret", INTROSPECTION(SOCKET "<ward:authentication secret='hunter2'/>"),
     "line 3: <ward:authentication>: attribute 'secret' is 'hunter2'; " SECRET_ALLOWED},
    {"long-value-is-cut",
     PROTECTION("<ward:isolation state='" TEN("0123456789") "cut"
                                                            "'/>"),
     "line 2: <ward:isolation>: attribute 'state' is '" TEN("0123456789") "'; allowed: off, on"},
    {"control-characters-are-not-quoted", PROTECTION("<ward:isolation state='o&#10;n&#x85;'/>"),
     "line 2: <ward:isolation>: attribute 'state' is 'o?n?'; allowed: off, on"},

    /* Numbers */
    {"timeout-zero", PROTECTION("<ward:trustdomain timeout='0'/>"),
     "line 2: <ward:trustdomain>: attribute 'timeout' is '0'; allowed: 1 to 3600"},
    {"timeout-too-long", PROTECTION("<ward:trustdomain timeout='3601'/>"),
     "line 2: <ward:trustdomain>: attribute 'timeout' is '3601'; allowed: 1 to 3600"},
    {"timeout-overflow", PROTECTION("<ward:trustdomain timeout='18446744073709551617'/>"),
     "line 2: <ward:trustdomain>: attribute 'timeout' is '18446744073709551617'; allowed: 1 to "
     "3600"},
    {"timeout-negative", PROTECTION("<ward:trustdomain timeout='-1'/>"),
     "line 2: <ward:trustdomain>: attribute 'timeout' is '-1'; allowed: 1 to 3600"},
    {"timeout-sign", PROTECTION("<ward:trustdomain timeout='+5'/>"),
     "line 2: <ward:trustdomain>: attribute 'timeout' is '+5'; allowed: 1 to 3600"},
    {"timeout-space", PROTECTION("<ward:trustdomain timeout=' 5'/>"),
     "line 2: <ward:trustdomain>: attribute 'timeout' is ' 5'; allowed: 1 to 3600"},
    {"timeout-unit", PROTECTION("<ward:trustdomain timeout='5s'/>"),
     "line 2: <ward:trustdomain>: attribute 'timeout' is '5s'; allowed: 1 to 3600"},
    {"timeout-hexadecimal", PROTECTION("<ward:trustdomain timeout='0x5'/>"),
     "line 2: <ward:trustdomain>: attribute 'timeout' is '0x5'; allowed: 1 to 3600"},
    {"timeout-empty", PROTECTION("<ward:trustdomain timeout=''/>"),
     "line 2: <ward:trustdomain>: attribute 'timeout' is ''; allowed: 1 to 3600"},
    {"cid-hypervisor", INTROSPECTION("<ward:socket type='vsock' cid='0' port='1'/>"),
     "line 3: <ward:socket>: attribute 'cid' is '0'; allowed: 1 to 4294967294"},
    {"cid-any", INTROSPECTION("<ward:socket type='vsock' cid='4294967295' port='1'/>"),
     "line 3: <ward:socket>: attribute 'cid' is '4294967295'; allowed: 1 to 4294967294"},
    {"cid-overflow", INTROSPECTION("<ward:socket type='vsock' cid='4294967299' port='1'/>"),
     "line 3: <ward:socket>: attribute 'cid' is '4294967299'; allowed: 1 to 4294967294"},
    {"port-any", INTROSPECTION("<ward:socket type='vsock' cid='3' port='4294967295'/>"),
     "line 3: <ward:socket>: attribute 'port' is '4294967295'; allowed: 0 to 4294967294"},

    /* Paths */
    {"relative-path", INTROSPECTION("<ward:socket type='unix' path='run/a.sock'/>"),
     "line 3: <ward:socket>: attribute 'path' is 'run/a.sock'; " PATH_ALLOWED},
    {"empty-path", INTROSPECTION("<ward:socket type='unix' path=''/>"),
     "line 3: <ward:socket>: attribute 'path' is ''; " PATH_ALLOWED},
    {"long-path", INTROSPECTION("<ward:socket type='unix' path='/" TEN("0123456789") "1234567'/>"),
     "line 3: <ward:socket>: attribute 'path' is '/" THIRTY THIRTY THIRTY
     "012345678'; " PATH_ALLOWED},
    {"path-with-newline", INTROSPECTION("<ward:socket type='unix' path='/run/a&#10;b'/>"),
     "line 3: <ward:socket>: attribute 'path' is '/run/a?b'; " PATH_ALLOWED},
    {"path-with-delete", INTROSPECTION("<ward:socket type='unix' path='/run/a&#x7f;b'/>"),
     "line 3: <ward:socket>: attribute 'path' is '/run/a?b'; " PATH_ALLOWED},

    /* Missing and too many */
    {"missing-socket", PROTECTION("<ward:introspection/>"),
     "line 2: <ward:introspection>: no element 'socket'; allowed: exactly one"},
    {"missing-socket-type", INTROSPECTION("<ward:socket path='/a'/>"),
     "line 3: <ward:socket>: attribute 'type' is missing; allowed: unix, vsock"},
    {"missing-path", INTROSPECTION("<ward:socket type='unix'/>"),
     "line 3: <ward:socket>: attribute 'path' is missing; " PATH_ALLOWED},
    {"missing-cid", INTROSPECTION("<ward:socket type='vsock' port='1'/>"),
     "line 3: <ward:socket>: attribute 'cid' is missing; allowed: 1 to 4294967294"},
    {"missing-port", INTROSPECTION("<ward:socket type='vsock' cid='3'/>"),
     "line 3: <ward:socket>: attribute 'port' is missing; allowed: 0 to 4294967294"},
    {"missing-secret", INTROSPECTION(SOCKET "<ward:authentication/>"),
     "line 3: <ward:authentication>: attribute 'secret' is missing; " SECRET_ALLOWED},
    {"empty-allow", INTROSPECTION(SOCKET "<ward:allow/>"),
     "line 3: <ward:allow>: neither attribute 'command' nor 'event'; allowed: exactly one of "
     "command, event"},
    {"allow-of-both", INTROSPECTION(SOCKET "<ward:allow command='get-cpuid' event='cr'/>"),
     "line 3: <ward:allow>: both attributes 'command' and 'event'; allowed: exactly one of "
     "command, event"},
    {"allow-twice",
     INTROSPECTION(SOCKET "<ward:allow event='cr'/>\n<ward:allow event='msr'/>\n"
                          "<ward:allow event='cr'/>"),
     "line 5: <ward:allow>: event 'cr' is allowed twice; allowed: once"},
    {"two-sockets", INTROSPECTION(SOCKET "\n" SOCKET),
     "line 4: <ward:socket>: a second one; allowed: exactly one"},
    {"two-authentications",
     INTROSPECTION(SOCKET "<ward:authentication secret='3b5f1d2a-0c44-4d0e-9b7e-6a2f1c9d8e70'/>\n"
                          "<ward:authentication secret='3b5f1d2a-0c44-4d0e-9b7e-6a2f1c9d8e70'/>"),
     "line 4: <ward:authentication>: a second one; allowed: at most one"},
    {"two-teardowns", PROTECTION("<ward:teardown/>\n<ward:teardown/>"),
     "line 3: <ward:teardown>: a second one; allowed: at most one"},
    {"two-protections", DOMAIN(OPEN CLOSE "\n" OPEN CLOSE),
     "line 3: <ward:protection>: a second one; allowed: at most one"},
    {"two-protections-in-two-metadata",
     "<domain><metadata>" OPEN CLOSE "</metadata>\n<metadata>" OPEN CLOSE "</metadata></domain>",
     "line 2: <ward:protection>: a second one; allowed: at most one"},

    /* The element itself */
    {"other-version", "<ward:protection xmlns:ward='http://virtward.org/schemas/domain/2.0'/>",
     "line 1: <ward:protection>: unknown namespace version "
     "'http://virtward.org/schemas/domain/2.0'; allowed: " NS},
    {"other-version-in-domain",
     DOMAIN("<ward:protection xmlns:ward='http://virtward.org/schemas/domain/1.1'/>"),
     "line 2: <ward:protection>: unknown namespace version "
     "'http://virtward.org/schemas/domain/1.1'; allowed: " NS},
    {"other-root", "<ward:teardown xmlns:ward='" NS "'/>",
     "line 1: <ward:teardown>: unknown element; allowed: protection"},
    {"foreign-root", "<network/>",
     "line 1: <network>: unknown root element; allowed: <domain>, " TAG},
    {"teardown-in-metadata", DOMAIN("<ward:teardown xmlns:ward='" NS "'/>"),
     "line 2: <ward:teardown>: unknown element; allowed: protection"},
    {"undeclared-prefix", DOMAIN("<ward:protection/>"),
     "line 2: <ward:protection>: no namespace; allowed: " TAG},
    {"no-namespace-in-domain", DOMAIN("<protection/>"),
     "line 2: <protection>: no namespace; allowed: " TAG},
    {"outside-metadata", "<domain>\n" OPEN CLOSE "</domain>",
     "line 2: <ward:protection>: not in <metadata>; allowed: only there"},

    /* Not XML, or not XML that we read */
    {"document-type", "<!DOCTYPE domain>\n<domain/>",
     "line 1: a document type declaration (<!DOCTYPE) is not allowed"},
    {"unknown-entity", PROTECTION("&isolation;"),
     "line 2: the XML is not well-formed: Entity 'isolation' not defined"},
    {"unclosed-element", PROTECTION("<ward:isolation>"),
     "line 3: the XML is not well-formed: Opening and ending tag mismatch: isolation line 2 and "
     "protection"},
    {"attribute-twice", PROTECTION("<ward:isolation state='on' state='off'/>"),
     "line 2: the XML is not well-formed: Attribute state redefined"},
    {"no-element", "", "line 1: the XML is not well-formed: Document is empty"},
    {"comment-only", "<!-- -->",
     "line 1: the XML is not well-formed: Start tag expected, '<' not found"},
    {"not-utf-8", PROTECTION("<!-- \xe9 -->"),
     "line 2: the XML is not UTF-8 (byte 0xe9); allowed: UTF-8 text"},
    {"cut-utf-8", OPEN "\n\n\xc3", "line 3: the XML is not UTF-8 (byte 0xc3); allowed: UTF-8 text"},
    {"nul-byte", OPEN CLOSE "\n\0<!-- -->",
     "line 2: the XML contains a NUL byte; allowed: UTF-8 text", sizeof(OPEN CLOSE) + 9},
};

static void
test_message(gconstpointer data)
{
    const Case *c = data;
    g_autoptr(GError) error = NULL;
    WardSettings *settings = ward_xml_validate(c->xml, c->length > 0 ? c->length : -1, &error);

    g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_XML);
    g_assert_cmpstr(error->message, ==, c->message);
    g_assert_null(settings);
}

/* What validate refuses, the parser of a bare element refuses with the same words. */
static void
test_parse_agrees_with_validate(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Case *c = &cases[i];
        g_autoptr(GError) error = NULL;

        if (g_str_has_prefix(c->xml, "<domain") || g_str_equal(c->name, "foreign-root"))
            continue;
        g_assert_null(ward_settings_parse(c->xml, c->length > 0 ? c->length : -1, &error));
        g_assert_cmpstr(error->message, ==, c->message);
    }
}

static void
assert_refused(GString *xml, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(ward_xml_validate(xml->str, xml->len, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_XML);
    g_assert_cmpstr(error->message, ==, message);
}

static GString *
repeat(const char *text, guint n)
{
    GString *all = g_string_new(NULL);

    while (n-- > 0)
        g_string_append(all, text);
    return all;
}

static void
test_too_large(void)
{
    g_autofree char *spaces = g_strnfill(WARD_XML_MAX_SIZE, ' ');
    g_autoptr(GString) xml = g_string_new(OPEN CLOSE);
    WardSettings *settings;

    g_string_append_len(xml, spaces, WARD_XML_MAX_SIZE - xml->len);
    settings = ward_xml_validate(xml->str, xml->len, NULL);
    g_assert_nonnull(settings);
    ward_settings_unref(settings);

    g_string_append_c(xml, ' ');
    assert_refused(xml, "the XML is 8388609 bytes long; allowed: at most 8388608");
}

static void
test_too_deep(void)
{
    g_autoptr(GString) most = repeat("<a>", WARD_XML_MAX_DEPTH - 1);
    g_autoptr(GString) more = repeat("<a>", WARD_XML_MAX_DEPTH);
    g_autoptr(GString) xml = g_string_new("<domain>");
    WardSettings *settings;

    g_string_append(xml, most->str);
    for (int i = 0; i < WARD_XML_MAX_DEPTH - 1; i++)
        g_string_append(xml, "</a>");
    g_string_append(xml, "</domain>");
    settings = ward_xml_validate(xml->str, xml->len, NULL);
    g_assert_nonnull(settings);
    ward_settings_unref(settings);

    g_string_assign(xml, "<domain>\n");
    g_string_append(xml, more->str);
    assert_refused(xml, "line 2: elements are nested too deep; allowed: 64 levels");
}

static void
test_too_many_nodes(void)
{
    g_autoptr(GString) xml = repeat("<a b=''/>", 540000);

    g_string_prepend(xml, "<domain>");
    g_string_append(xml, "</domain>");
    assert_refused(xml, "line 1: too many elements and attributes; allowed: 1048576");
}

/* libxml2 itself stops counting lines at 65535. */
static void
test_line_beyond_65535(void)
{
    g_autoptr(GString) xml = repeat("\n", 100000);

    g_string_prepend(xml, OPEN);
    g_string_append(xml, "<ward:isolation state='?'/>" CLOSE);
    assert_refused(xml,
                   "line 100001: <ward:isolation>: attribute 'state' is '?'; allowed: off, on");
}

static void
test_entity_bomb_is_refused_unread(void)
{
    g_autoptr(GString) xml = g_string_new("<!DOCTYPE x [\n<!ENTITY a0 'ha'>\n");

    for (int i = 1; i < 30; i++)
        g_string_append_printf(xml, "<!ENTITY a%d '&a%d;&a%d;'>\n", i, i - 1, i - 1);
    g_string_append(xml, "]>\n<domain>&a29;</domain>");
    assert_refused(xml, "line 1: a document type declaration (<!DOCTYPE) is not allowed");
}

static int n_loads;

static xmlParserInput *
count_load(const char *url, const char *id, xmlParserCtxt *context)
{
    n_loads++;
    return NULL;
}

static void
test_external_entity_is_not_fetched(void)
{
    const char *const documents[] = {
        "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><domain>&e;</domain>",
        "<!DOCTYPE x SYSTEM 'file:///etc/hostname'><domain/>",
        "<!DOCTYPE x [<!ENTITY % p SYSTEM 'file:///etc/hostname'> %p;]><domain/>",
        "<!DOCTYPE x PUBLIC '-//a//b' 'http://127.0.0.1:1/'><domain/>",
    };
    xmlExternalEntityLoader loader = xmlGetExternalEntityLoader();

    xmlSetExternalEntityLoader(count_load);
    for (guint i = 0; i < G_N_ELEMENTS(documents); i++) {
        g_autoptr(GString) xml = g_string_new(documents[i]);

        assert_refused(xml, "line 1: a document type declaration (<!DOCTYPE) is not allowed");
    }
    g_assert_cmpint(n_loads, ==, 0);

    /* The counter does count: a parser that expands entities asks for the file. */
    xmlFreeDoc(xmlReadDoc((const xmlChar *)documents[0], NULL, NULL,
                          XML_PARSE_NOENT | XML_PARSE_NOERROR | XML_PARSE_NOWARNING));
    g_assert_cmpint(n_loads, >, 0);
    xmlSetExternalEntityLoader(loader);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strconcat("/xml-errors/", cases[i].name, NULL);

        g_test_add_data_func(path, &cases[i], test_message);
    }
    g_test_add_func("/xml-errors/parse-agrees-with-validate", test_parse_agrees_with_validate);
    g_test_add_func("/xml-errors/too-large", test_too_large);
    g_test_add_func("/xml-errors/too-deep", test_too_deep);
    g_test_add_func("/xml-errors/too-many-nodes", test_too_many_nodes);
    g_test_add_func("/xml-errors/line-beyond-65535", test_line_beyond_65535);
    g_test_add_func("/xml-errors/entity-bomb-is-refused-unread",
                    test_entity_bomb_is_refused_unread);
    g_test_add_func("/xml-errors/external-entity-is-not-fetched",
                    test_external_entity_is_not_fetched);
    return g_test_run();
}
