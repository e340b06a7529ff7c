/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules: each method has the one that its documentation says, each action can be found in the
 * polkit policy, and a method without a rule is denied even to root.
 * What polkit itself answers is tested with the real one, in tests/integration.
 */
#include "test-dbus-client.h"
#include "ward-authorizer.h"
#include "ward-dbus-generated.h"

static char *
read_source(const char *path)
{
    g_autofree char *full = g_build_filename(g_getenv("WARD_SOURCE_ROOT"), path, NULL);
    g_autoptr(GError) error = NULL;
    char *text = NULL;

    g_file_get_contents(full, &text, NULL, &error);
    g_assert_no_error(error);
    return text;
}

typedef GDBusInterfaceInfo *(*InfoFunction)(void);

static const InfoFunction interfaces[] = {
    ward_dbus_host1_interface_info,          ward_dbus_domain1_interface_info,
    ward_dbus_teardown1_interface_info,      ward_dbus_trust_domain1_interface_info,
    ward_dbus_introspection1_interface_info, ward_dbus_isolation1_interface_info,
    ward_dbus_job1_interface_info,
};

/* The action that the comment above <method name="@method"> names. */
static char *
documented_action(const char *xml, const char *method)
{
    g_autofree char *tag = g_strdup_printf("<method name=\"%s\"", method);
    const char *here = strstr(xml, tag);
    g_autofree char *before = NULL;
    char *action, *end;

    g_assert_nonnull(here);
    before = g_strndup(xml, here - xml);
    action = g_strrstr(before, "Action: ");
    g_assert_nonnull(action);
    g_assert_null(strstr(action, "<method"));
    action += strlen("Action: ");
    end = strchr(action, '\n');
    g_assert_true(end && end[-1] == '.');
    return g_strndup(action, end - 1 - action);
}

static void
every_method_has_its_documented_rule(void)
{
    guint methods = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(interfaces); i++) {
        GDBusInterfaceInfo *info = interfaces[i]();
        g_autofree char *path = g_strdup_printf("dbus-api/interfaces/%s.xml", info->name);
        g_autofree char *xml = read_source(path);

        for (GDBusMethodInfo **m = info->methods; m && *m; m++, methods++) {
            g_autofree char *documented = documented_action(xml, (*m)->name);

            g_assert_cmpstr(ward_authorizer_get_action(info->name, (*m)->name), ==, documented);
        }
    }
    g_assert_cmpuint(methods, >=, 14);
}

static void
every_action_is_in_the_policy(void)
{
    g_autofree char *policy = read_source("dbus-api/data/org.virtward.policy");
    guint listed = 0, used = 0;

    for (const char *p = policy; (p = strstr(p, "<action id=")); p++)
        listed++;
    for (gsize i = 0; i < G_N_ELEMENTS(interfaces); i++) {
        GDBusInterfaceInfo *info = interfaces[i]();

        for (GDBusMethodInfo **m = info->methods; m && *m; m++, used++) {
            const char *action = ward_authorizer_get_action(info->name, (*m)->name);
            g_autofree char *tag = g_strdup_printf("<action id=\"%s\">", action);

            g_assert_nonnull(strstr(policy, tag));
        }
    }
    g_assert_cmpuint(listed, ==, used);
}

/* An object with one method, guarded by the authorizer alone. */
typedef struct {
    TestBus *bus;
    GDBusConnection *service;
    GDBusConnection *client;
    WardAuthorizer *authorizer;
    guint object;
    guint allowed;
} Fixture;

static void
on_checked(GObject *source, GAsyncResult *result, gpointer user_data)
{
    GDBusMethodInvocation *invocation = user_data;
    Fixture *f = g_dbus_method_invocation_get_user_data(invocation);
    g_autoptr(GError) error = NULL;

    if (!ward_authorizer_check_finish(WARD_AUTHORIZER(source), result, &error)) {
        ward_dbus_return_error(invocation, error);
        return;
    }
    f->allowed++;
    g_dbus_method_invocation_return_value(invocation, NULL);
}

static void
on_method_call(GDBusConnection *connection,
               const char *sender,
               const char *path,
               const char *interface,
               const char *method,
               GVariant *parameters,
               GDBusMethodInvocation *invocation,
               gpointer user_data)
{
    Fixture *f = user_data;

    ward_authorizer_check_async(f->authorizer, invocation, "vm", NULL, on_checked, invocation);
}

static void
set_up(Fixture *f, gconstpointer data)
{
    static const GDBusInterfaceVTable vtable = {on_method_call, NULL, NULL};
    const char *interface = data;
    g_autofree char *xml = g_strdup_printf("<node><interface name='%s'><method name='Detach'/>"
                                           "<method name='Forgotten'/></interface></node>",
                                           interface);
    g_autoptr(GDBusNodeInfo) node = g_dbus_node_info_new_for_xml(xml, NULL);

    f->bus = test_bus_start();
    f->service = connect_to_test_bus(f->bus);
    f->client = connect_to_test_bus(f->bus);
    f->authorizer = ward_authorizer_new(G_BUS_TYPE_SESSION);
    f->object = g_dbus_connection_register_object(f->service, "/x", node->interfaces[0], &vtable, f,
                                                  NULL, NULL);
    g_assert_cmpuint(f->object, !=, 0);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    g_dbus_connection_unregister_object(f->service, f->object);
    g_dbus_connection_close_sync(f->client, NULL, NULL);
    g_dbus_connection_close_sync(f->service, NULL, NULL);
    g_object_unref(f->client);
    g_object_unref(f->service);
    g_object_unref(f->authorizer);
    test_bus_stop(f->bus);
}

static GVariant *
ask(Fixture *f, const char *interface, const char *method, GError **error)
{
    return call(f->client, g_dbus_connection_get_unique_name(f->service), "/x", interface, method,
                NULL, error);
}

static void
our_own_uid_is_allowed(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = ask(f, data, "Detach", &error);

    g_assert_no_error(error);
    g_assert_nonnull(reply);
    g_assert_cmpuint(f->allowed, ==, 1);
}

static void
a_method_without_a_rule_is_denied(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = ask(f, data, "Forgotten", &error);

    g_assert_null(reply);
    g_assert_error(error, WARD_ERROR, WARD_ERROR_ACCESS_DENIED);
    g_assert_nonnull(strstr(error->message, "Forgotten"));
    g_assert_nonnull(strstr(error->message, "'vm'"));
    g_assert_cmpuint(f->allowed, ==, 0);
}

static void
a_rule_is_for_one_interface(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = ask(f, data, "Detach", &error);

    g_assert_null(reply);
    g_assert_error(error, WARD_ERROR, WARD_ERROR_ACCESS_DENIED);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ward_dbus_error_register();
    g_test_add_func("/rules/documented", every_method_has_its_documented_rule);
    g_test_add_func("/rules/policy", every_action_is_in_the_policy);
    g_test_add("/check/own-uid", Fixture, WARD_DBUS_INTERFACE_INTROSPECTION, set_up,
               our_own_uid_is_allowed, tear_down);
    g_test_add("/check/no-rule", Fixture, WARD_DBUS_INTERFACE_INTROSPECTION, set_up,
               a_method_without_a_rule_is_denied, tear_down);
    g_test_add("/check/other-interface", Fixture, WARD_DBUS_INTERFACE_ISOLATION, set_up,
               a_rule_is_for_one_interface, tear_down);
    return g_test_run();
}
