/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-authorizer.h"

#include <unistd.h>

#include "ward-caller.h"
#include "ward-dbus-names.h"
#include "ward-error.h"
#include "ward-polkit.h"

typedef struct {
    const char *interface;
    const char *method;
    const char *action;
    gboolean trusted_only; /* polkit is not asked, so no rule of its can grant it */
} WardRule;

static const WardRule rules[] = {
    {WARD_DBUS_INTERFACE_HOST, "ValidateProtection", WARD_ACTION_HOST_VALIDATE},
    {WARD_DBUS_INTERFACE_HOST, "LookupDomain", WARD_ACTION_HOST_LOOKUP},
    {WARD_DBUS_INTERFACE_HOST, "GetTrustDomainCapacity", WARD_ACTION_TRUSTDOMAIN_CAPACITY},
    {WARD_DBUS_INTERFACE_HOST, "RunHook", WARD_ACTION_HOST_HOOK, .trusted_only = TRUE},
    {WARD_DBUS_INTERFACE_DOMAIN, "GetProtection", WARD_ACTION_DOMAIN_READ},
    {WARD_DBUS_INTERFACE_DOMAIN, "SetProtection", WARD_ACTION_DOMAIN_SET},
    {WARD_DBUS_INTERFACE_DOMAIN, "ClearProtection", WARD_ACTION_DOMAIN_CLEAR},
    {WARD_DBUS_INTERFACE_TEARDOWN, "Wait", WARD_ACTION_TEARDOWN_WAIT},
    {WARD_DBUS_INTERFACE_TEARDOWN, "Cancel", WARD_ACTION_TEARDOWN_CANCEL},
    {WARD_DBUS_INTERFACE_INTROSPECTION, "Attach", WARD_ACTION_INTROSPECTION_ATTACH},
    {WARD_DBUS_INTERFACE_INTROSPECTION, "Detach", WARD_ACTION_INTROSPECTION_DETACH},
    {WARD_DBUS_INTERFACE_ISOLATION, "SetState", WARD_ACTION_ISOLATION_SET},
    {WARD_DBUS_INTERFACE_ISOLATION, "GetStatistics", WARD_ACTION_ISOLATION_STATISTICS},
    {WARD_DBUS_INTERFACE_JOB, "Cancel", WARD_ACTION_JOB_CANCEL},
};

struct _WardAuthorizer {
    GObject parent;

    GBusType bus;
};

typedef struct {
    GDBusMethodInvocation *invocation;
    const WardRule *rule;
    char *domain_name;
    char *domain_uuid;
} WardCheck;

/* callbacks, in the order in which they come */
static void on_caller_uid(GObject *source, GAsyncResult *result, gpointer user_data);
static void on_polkit_answer(GObject *bus, GAsyncResult *result, gpointer user_data);
/* helpers */
static const WardRule *find_rule(const char *interface, const char *method);
static void return_denied(GTask *task, const char *why);
static void return_refusal(GTask *task, GError *error);
static void ward_check_free(WardCheck *check);

G_DEFINE_FINAL_TYPE(WardAuthorizer, ward_authorizer, G_TYPE_OBJECT)

static void
ward_authorizer_class_init(WardAuthorizerClass *klass)
{
}

static void
ward_authorizer_init(WardAuthorizer *self)
{
}

WardAuthorizer *
ward_authorizer_new(GBusType bus)
{
    WardAuthorizer *self = g_object_new(WARD_TYPE_AUTHORIZER, NULL);

    self->bus = bus;
    return self;
}

const char *
ward_authorizer_get_action(const char *interface, const char *method)
{
    const WardRule *rule = find_rule(interface, method);

    return rule ? rule->action : NULL;
}

void
ward_authorizer_check_async(WardAuthorizer *self,
                            GDBusMethodInvocation *invocation,
                            const char *domain_name,
                            const char *domain_uuid,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(self, NULL, callback, user_data);
    WardCheck *check = g_new0(WardCheck, 1);

    check->invocation = g_object_ref(invocation);
    check->rule = find_rule(g_dbus_method_invocation_get_interface_name(invocation),
                            g_dbus_method_invocation_get_method_name(invocation));
    check->domain_name = g_strdup(domain_name);
    check->domain_uuid = g_strdup(domain_uuid);
    g_task_set_task_data(task, check, (GDestroyNotify)ward_check_free);

    if (!check->rule)
        return_denied(task, "virtward has no authorization rule for this method, please report it");
    else
        ward_caller_get_uid_async(invocation, NULL, on_caller_uid, g_steal_pointer(&task));
}

gboolean
ward_authorizer_check_finish(WardAuthorizer *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

static void
on_caller_uid(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    WardAuthorizer *self = g_task_get_source_object(task);
    WardCheck *check = g_task_get_task_data(task);
    GDBusMethodInvocation *invocation = check->invocation;
    GDBusMessageFlags flags;
    g_autoptr(GError) error = NULL;
    uid_t uid;

    if (!ward_caller_get_uid_finish(result, &uid, &error)) {
        return_denied(task, error->message);
        return;
    }
    if (uid == 0 || uid == geteuid()) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    if (check->rule->trusted_only) {
        return_denied(task, "it is for libvirt's hook only");
        return;
    }
    if (self->bus != G_BUS_TYPE_SYSTEM) {
        return_denied(task, "a session bus serves its owner only");
        return;
    }
    flags = g_dbus_message_get_flags(g_dbus_method_invocation_get_message(invocation));
    ward_polkit_check_async(
        g_dbus_method_invocation_get_connection(invocation),
        g_dbus_method_invocation_get_sender(invocation), check->rule->action, check->domain_name,
        check->domain_uuid, (flags & G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION) != 0,
        ward_caller_get_cancellable(invocation), on_polkit_answer, g_steal_pointer(&task));
}

static void
on_polkit_answer(GObject *bus, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    GError *error = NULL;

    if (ward_polkit_check_finish(result, &error))
        g_task_return_boolean(task, TRUE);
    else
        return_refusal(task, error);
}

static const WardRule *
find_rule(const char *interface, const char *method)
{
    for (gsize i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (g_str_equal(rules[i].interface, interface) && g_str_equal(rules[i].method, method))
            return &rules[i];
    }
    return NULL;
}

static void
return_denied(GTask *task, const char *why)
{
    return_refusal(task, g_error_new_literal(WARD_ERROR, WARD_ERROR_ACCESS_DENIED, why));
}

/* Takes @error, and says in front of it what was refused, and on which domain. */
static void
return_refusal(GTask *task, GError *error)
{
    WardCheck *check = g_task_get_task_data(task);
    const char *interface = g_dbus_method_invocation_get_interface_name(check->invocation);
    const char *method = g_dbus_method_invocation_get_method_name(check->invocation);

    if (check->domain_name)
        g_prefix_error(&error, "%s.%s on domain '%s' is denied: ", interface, method,
                       check->domain_name);
    else
        g_prefix_error(&error, "%s.%s is denied: ", interface, method);
    g_task_return_error(task, error);
}

static void
ward_check_free(WardCheck *check)
{
    g_object_unref(check->invocation);
    g_free(check->domain_name);
    g_free(check->domain_uuid);
    g_free(check);
}
