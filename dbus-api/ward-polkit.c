/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-polkit.h"

#include "ward-error.h"

/* polkit's reference, org.freedesktop.PolicyKit1.Authority. */
#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define ALLOW_USER_INTERACTION 1u /* CheckAuthorizationFlags */

typedef struct {
    char *action;
    char *id; /* by which the question is taken back */
} Question;

/* callbacks */
static void on_checked(GObject *bus, GAsyncResult *result, gpointer user_data);
/* helpers */
static GVariant *build_question(const char *sender,
                                const char *action,
                                const char *domain_name,
                                const char *domain_uuid,
                                gboolean interactive,
                                const char *id);
static void take_back(GDBusConnection *bus, const char *id);
static void return_answer(GTask *task, gboolean authorized, gboolean challenge);
static void return_no_answer(GTask *task, const GError *error);
static void question_free(Question *question);

void
ward_polkit_check_async(GDBusConnection *bus,
                        const char *sender,
                        const char *action,
                        const char *domain_name,
                        const char *domain_uuid,
                        gboolean interactive,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
    static guint64 last;
    GTask *task = g_task_new(bus, cancellable, callback, user_data);
    Question *question = g_new0(Question, 1);

    question->action = g_strdup(action);
    question->id = g_strdup_printf("virtward-%" G_GUINT64_FORMAT, ++last);
    g_task_set_task_data(task, question, (GDestroyNotify)question_free);
    /* No limit of time: somebody may have to find a password. */
    g_dbus_connection_call(
        bus, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization",
        build_question(sender, action, domain_name, domain_uuid, interactive, question->id),
        G_VARIANT_TYPE("((bba{ss}))"), G_DBUS_CALL_FLAGS_NONE, G_MAXINT, cancellable, on_checked,
        task);
}

gboolean
ward_polkit_check_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

static void
on_checked(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Question *question = g_task_get_task_data(task);
    GDBusConnection *bus = G_DBUS_CONNECTION(source);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer = g_dbus_connection_call_finish(bus, result, &error);
    gboolean authorized, challenge;

    if (g_task_return_error_if_cancelled(task)) {
        take_back(bus, question->id);
        return;
    }
    if (!answer) {
        return_no_answer(task, error);
        return;
    }
    g_variant_get(answer, "((bba{ss}))", &authorized, &challenge, NULL);
    return_answer(task, authorized, challenge);
}

static GVariant *
build_question(const char *sender,
               const char *action,
               const char *domain_name,
               const char *domain_uuid,
               gboolean interactive,
               const char *id)
{
    GVariantBuilder subject, details;

    g_variant_builder_init(&subject, G_VARIANT_TYPE("a{sv}"));
    g_variant_builder_add(&subject, "{sv}", "name", g_variant_new_string(sender));
    g_variant_builder_init(&details, G_VARIANT_TYPE("a{ss}"));
    if (domain_name)
        g_variant_builder_add(&details, "{ss}", "domain_name", domain_name);
    if (domain_uuid)
        g_variant_builder_add(&details, "{ss}", "domain_uuid", domain_uuid);
    return g_variant_new("((sa{sv})sa{ss}us)", "system-bus-name", &subject, action, &details,
                         interactive ? ALLOW_USER_INTERACTION : 0, id);
}

static void
take_back(GDBusConnection *bus, const char *id)
{
    g_dbus_connection_call(bus, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                           "CancelCheckAuthorization", g_variant_new("(s)", id), NULL,
                           G_DBUS_CALL_FLAGS_NO_AUTO_START, -1, NULL, NULL, NULL);
}

static void
return_answer(GTask *task, gboolean authorized, gboolean challenge)
{
    Question *question = g_task_get_task_data(task);

    if (authorized)
        g_task_return_boolean(task, TRUE);
    else if (challenge)
        g_task_return_new_error(task, WARD_ERROR, WARD_ERROR_ACCESS_DENIED,
                                "%s needs authentication; call as root, from a program that can "
                                "ask for a password, or let a polkit rule grant it",
                                question->action);
    else
        g_task_return_new_error(
            task, WARD_ERROR, WARD_ERROR_ACCESS_DENIED,
            "polkit does not grant %s; call as root, or let a polkit rule grant it",
            question->action);
}

/* Fails closed: no answer is a no. */
static void
return_no_answer(GTask *task, const GError *error)
{
    Question *question = g_task_get_task_data(task);

    g_task_return_new_error(task, WARD_ERROR, WARD_ERROR_ACCESS_DENIED,
                            "polkit cannot be asked about %s (%s); call as root, or see to it that "
                            "polkitd is installed and runs",
                            question->action, error->message);
}

static void
question_free(Question *question)
{
    g_free(question->action);
    g_free(question->id);
    g_free(question);
}
