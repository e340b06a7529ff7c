/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-document.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <string.h>

#include "ward-error.h"
#include "ward-node.h"
#include "ward-xml.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlParserCtxt, xmlFreeParserCtxt)

/* What one parse knows beside libxml2's own context; xmlParserCtxt._private points to it. */
typedef struct {
    GError *error; /* the first one: later ones are mostly its consequences */
    gsize n_nodes;
    guint depth; /* elements that are open */
} ParseState;

#if LIBXML_VERSION >= 21200
typedef const xmlError ParseError;
#else
typedef xmlError ParseError;
#endif

static gboolean
check_text(const char *xml, gsize length, GError **error)
{
    const char *end;

    if (length > WARD_XML_MAX_SIZE) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_XML,
                    "the XML is %" G_GSIZE_FORMAT " bytes long; allowed: at most %d", length,
                    WARD_XML_MAX_SIZE);
        return FALSE;
    }
    if (!g_utf8_validate_len(xml, length, &end)) {
        int line = 1;

        for (const char *p = xml; p < end; p++)
            line += *p == '\n';
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_XML,
                    *end == '\0'
                        ? "line %d: the XML contains a NUL byte; allowed: UTF-8 text"
                        : "line %d: the XML is not UTF-8 (byte 0x%02x); allowed: UTF-8 text",
                    line, (guint8)*end);
        return FALSE;
    }
    return TRUE;
}

static void
stop(xmlParserCtxt *context, const char *message)
{
    ParseState *state = context->_private;

    if (state->error == NULL)
        g_set_error(&state->error, WARD_ERROR, WARD_ERROR_INVALID_XML, "line %d: %s",
                    context->input != NULL ? context->input->line : 1, message);
    xmlStopParser(context);
}

/* Called for <!DOCTYPE before anything in it is read. */
static void
on_document_type(void *data,
                 const xmlChar *name,
                 const xmlChar *external_id,
                 const xmlChar *system_id)
{
    stop(data, "a document type declaration (<!DOCTYPE) is not allowed");
}

static void
on_start_element(void *data,
                 const xmlChar *name,
                 const xmlChar *prefix,
                 const xmlChar *uri,
                 int n_namespaces,
                 const xmlChar **namespaces,
                 int n_attributes,
                 int n_defaulted,
                 const xmlChar **attributes)
{
    xmlParserCtxt *context = data;
    ParseState *state = context->_private;

    state->n_nodes += 1 + n_namespaces + n_attributes;
    if (state->depth >= WARD_XML_MAX_DEPTH) {
        stop(context,
             "elements are nested too deep; allowed: " G_STRINGIFY(WARD_XML_MAX_DEPTH) " levels");
        return;
    }
    if (state->n_nodes > WARD_XML_MAX_NODES) {
        stop(context, "too many elements and attributes; allowed: 1048576");
        return;
    }
    state->depth++;
    xmlSAX2StartElementNs(data, name, prefix, uri, n_namespaces, namespaces, n_attributes,
                          n_defaulted, attributes);
    /* libxml2's own line number of an element ends at 65535. */
    if (context->node != NULL && context->input != NULL)
        ward_node_set_line(context->node, context->input->line);
}

static void
on_end_element(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    xmlParserCtxt *context = data;
    ParseState *state = context->_private;

    state->depth--;
    xmlSAX2EndElementNs(data, name, prefix, uri);
}

static void
on_error(void *data, ParseError *parse_error)
{
    xmlParserCtxt *context = data;
    ParseState *state = context->_private;
    g_autofree char *message = NULL;

    /* Below "fatal" are namespaces that foreign elements use without declaring them. */
    if (state->error != NULL || parse_error->level < XML_ERR_FATAL)
        return;
    message = g_utf8_make_valid(parse_error->message != NULL ? parse_error->message : "", -1);
    g_set_error(&state->error, WARD_ERROR, WARD_ERROR_INVALID_XML,
                "line %d: the XML is not well-formed: %s", parse_error->line,
                ward_node_clean_text(g_strchomp(message)));
}

xmlDoc *
ward_document_parse(const char *xml, gssize length, GError **error)
{
    ParseState state = {0};
    g_autoptr(xmlParserCtxt) context = NULL;
    g_autoptr(xmlDoc) document = NULL;
    gsize size = length < 0 ? strlen(xml) : (gsize)length;

    if (!check_text(xml, size, error))
        return NULL;

    context = xmlNewParserCtxt();
    if (context == NULL)
        g_error("out of memory for an XML parser");
    context->_private = &state;
    context->sax->internalSubset = on_document_type;
    context->sax->startElementNs = on_start_element;
    context->sax->endElementNs = on_end_element;
    context->sax->serror = on_error;

    document = xmlCtxtReadMemory(context, xml, (int)size, NULL, "UTF-8",
                                 XML_PARSE_NONET | XML_PARSE_IGNORE_ENC | XML_PARSE_NOWARNING);
    if (state.error != NULL) {
        g_propagate_error(error, state.error);
        return NULL;
    }
    if (document == NULL || xmlDocGetRootElement(document) == NULL) {
        g_set_error(error, WARD_ERROR, WARD_ERROR_INVALID_XML,
                    "line 1: the XML is not well-formed: no root element");
        return NULL;
    }
    return g_steal_pointer(&document);
}
