/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-hook-client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ward-dbus-error.h"
#include "ward-dbus-names.h"
#include "ward-error.h"
#include "ward-xml.h"

#define CANCEL_LIMIT 1000 /* milliseconds */

typedef struct {
    char *domain;
    char *operation;
    char *sub_operation;
    GString *xml;
    WardDomainXml *parsed;
} Request;

typedef struct {
    const Request *request;
    GMainLoop *loop;
    GCancellable *cancellable;
    guint limit; /* milliseconds */
    gboolean expired;
    GStrv warnings; /* the daemon's answer, */
    GError *error;  /* or why there is none */
} Call;

static void
request_clear(Request *self)
{
    g_free(self->domain);
    g_free(self->operation);
    g_free(self->sub_operation);
    g_string_free(self->xml, TRUE);
    g_clear_pointer(&self->parsed, ward_domain_xml_free);
}

static void
call_clear(Call *self)
{
    g_clear_pointer(&self->loop, g_main_loop_unref);
    g_clear_object(&self->cancellable);
    g_strfreev(self->warnings);
    g_clear_error(&self->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Request, request_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Call, call_clear)

char *
ward_hook_bus_address(uid_t uid, const char *runtime_dir)
{
    g_autofree char *path = NULL;
    g_autofree char *escaped = NULL;

    if (uid == 0)
        return g_strdup("unix:path=/run/dbus/system_bus_socket");
    path = runtime_dir != NULL && *runtime_dir == '/'
               ? g_build_filename(runtime_dir, "bus", NULL)
               : g_strdup_printf("/run/user/%u/bus", (guint)uid);
    escaped = g_dbus_address_escape_value(path);
    return g_strconcat("unix:path=", escaped, NULL);
}

/* Whether the exit status decides about the domain; libvirt ignores it, or worse, elsewhere. */
static gboolean
decides(const Request *request)
{
    static const char *const operations[] = {"prepare", "start", "started", NULL};

    return g_strv_contains(operations, request->operation);
}

static G_GNUC_PRINTF(2, 3) void say(const Request *request, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    fprintf(stderr, "virtward: domain '%s': %s\n", request->domain, text);
}

static int
refuse(const Request *request)
{
    return decides(request) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static gboolean
read_stdin(GString *text, GError **error)
{
    char buffer[65536];
    gssize n;

    do {
        n = read(STDIN_FILENO, buffer, sizeof buffer);
        if (n < 0 && errno != EINTR) {
            int saved = errno;

            g_set_error(error, WARD_ERROR, WARD_ERROR_FAILED, "%s", g_strerror(saved));
            return FALSE;
        }
        if (n > 0)
            g_string_append_len(text, buffer, n);
    } while (n != 0 && text->len <= WARD_XML_MAX_SIZE);
    return TRUE;
}

/* The names of the wanted protections of one enforcement: "teardown, isolation". */
static char *
list_protections(const WardSettings *settings, WardEnforcement enforcement)
{
    GString *list = g_string_new(NULL);

    for (guint i = 0; i < WARD_N_PROTECTIONS; i++) {
        if (ward_settings_wants(settings, i) &&
            ward_settings_get_enforcement(settings, i) == enforcement)
            g_string_append_printf(list, "%s%s", list->len > 0 ? ", " : "",
                                   ward_protection_to_string(i));
    }
    return g_string_free(list, FALSE);
}

/* No answer: what now? */
static int
decide_alone(const Request *request, const char *why)
{
    const WardSettings *settings = request->parsed->settings;
    g_autofree char *required = list_protections(settings, WARD_ENFORCEMENT_REQUIRED);
    g_autofree char *preferred = list_protections(settings, WARD_ENFORCEMENT_PREFERRED);
    const char *advice = getuid() == 0 ? "see 'systemctl status virtwardd'"
                                       : "see whether 'virtwardd --bus session' runs";

    if (request->parsed->settings_error != NULL) {
        say(request,
            "%s, and its protection is not valid: %s; correct it with 'virsh edit', and %s", why,
            request->parsed->settings_error->message, advice);
        return refuse(request);
    }
    if (*required != '\0') {
        say(request, "%s, and it requires %s; %s", why, required, advice);
        return refuse(request);
    }
    if (*preferred != '\0')
        say(request, "warning: %s, so it goes on without %s; %s", why, preferred, advice);
    return EXIT_SUCCESS;
}

/* the call */

static gboolean
on_last_limit(gpointer data)
{
    Call *call = data;

    g_main_loop_quit(call->loop);
    return G_SOURCE_REMOVE;
}

/* What is under way ends by being cancelled; if even that hangs, we leave all the same. */
static gboolean
on_limit(gpointer data)
{
    Call *call = data;

    call->expired = TRUE;
    g_timeout_add(CANCEL_LIMIT, on_last_limit, call);
    g_cancellable_cancel(call->cancellable);
    return G_SOURCE_REMOVE;
}

static void
on_answer(GObject *source, GAsyncResult *result, gpointer data)
{
    Call *call = data;
    g_autoptr(GVariant) answer =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &call->error);

    if (answer != NULL)
        g_variant_get(answer, "(^as)", &call->warnings);
    g_main_loop_quit(call->loop);
}

static void
on_connected(GObject *source, GAsyncResult *result, gpointer data)
{
    Call *call = data;
    const Request *request = call->request;
    GDBusCallFlags flags =
        decides(request) ? G_DBUS_CALL_FLAGS_NONE : G_DBUS_CALL_FLAGS_NO_AUTO_START;
    g_autoptr(GDBusConnection) bus = g_dbus_connection_new_for_address_finish(result, &call->error);

    if (bus == NULL) {
        g_main_loop_quit(call->loop);
        return;
    }
    /* Without the daemon it is started by this where its answer matters, and the answer comes when
     * it has taken its name. Where it does not, a daemon that is about to return to a bus that was
     * started anew must not find its place taken. */
    g_dbus_connection_call(
        bus, WARD_DBUS_NAME, WARD_DBUS_PATH_HOST, WARD_DBUS_INTERFACE_HOST, "RunHook",
        g_variant_new("(ssss)", request->domain, request->operation, request->sub_operation,
                      request->xml->str),
        G_VARIANT_TYPE("(as)"), flags, G_MAXINT, call->cancellable, on_answer, call);
}

static void
call_daemon(Call *call, const char *bus_address)
{
    g_timeout_add(call->limit, on_limit, call);
    g_dbus_connection_new_for_address(bus_address,
                                      G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                          G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                      NULL, call->cancellable, on_connected, call);
    g_main_loop_run(call->loop);
}

static int
finish(Call *call)
{
    const Request *request = call->request;
    g_autofree char *why = NULL;

    /* A limit that came just after the answer takes nothing from it. */
    if (call->warnings != NULL) {
        for (guint i = 0; call->warnings[i] != NULL; i++)
            say(request, "warning: %s", call->warnings[i]);
        return EXIT_SUCCESS;
    }
    if (call->error == NULL || call->expired) {
        why = g_strdup_printf("virtwardd did not answer within %g s", call->limit / 1000.0);
        return decide_alone(request, why);
    }
    g_dbus_error_strip_remote_error(call->error);
    if (g_error_matches(call->error, WARD_ERROR, WARD_ERROR_REFUSED)) {
        say(request, "%s", call->error->message);
        return refuse(request);
    }
    why = g_strdup_printf("virtwardd does not answer (%s)", call->error->message);
    return decide_alone(request, why);
}

/* The daemon keeps a start waiting for a trust domain key, if the domain wants that. */
static guint
waiting_time(const Request *request)
{
    const WardTrustdomainSettings *trustdomain = request->parsed->settings->trustdomain;

    if (trustdomain == NULL || trustdomain->admission != WARD_ADMISSION_WAIT ||
        !g_str_equal(request->operation, "start"))
        return 0;
    return trustdomain->timeout * 1000;
}

int
ward_hook_run(char **argv, const char *bus_address, guint limit)
{
    g_auto(Request) request = {
        .domain = g_utf8_make_valid(argv[1], -1),
        .operation = g_utf8_make_valid(argv[2], -1),
        .sub_operation = g_utf8_make_valid(argv[3], -1),
        .xml = g_string_new(NULL),
    };
    g_auto(Call) call = {.request = &request};
    g_autoptr(GError) error = NULL;

    if (!read_stdin(request.xml, &error)) {
        say(&request, "cannot read its XML: %s; start it again", error->message);
        return refuse(&request);
    }
    request.parsed = ward_domain_xml_parse(request.xml->str, request.xml->len, &error);
    if (request.parsed == NULL) {
        say(&request, "its XML is not valid: %s; correct it with 'virsh edit'", error->message);
        return refuse(&request);
    }

    ward_dbus_error_register();
    call.loop = g_main_loop_new(NULL, FALSE);
    call.cancellable = g_cancellable_new();
    call.limit = limit + waiting_time(&request);
    call_daemon(&call, bus_address);
    return finish(&call);
}
