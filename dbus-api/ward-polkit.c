/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-polkit.h"

#include <polkit/polkit.h>

#include "ward-error.h"

struct _WardPolkit {
    GObject parent;

    /* libpolkit uses the process-wide connection to the system bus. We hold it only to keep it
     * from ending the process when the bus goes away, and to notice that. */
    GDBusConnection *bus;
    PolkitAuthority *authority;
};

typedef struct {
    char *sender;
    char *action;
    char *domain_name;
    char *domain_uuid;
    gboolean interactive;
} WardPolkitQuestion;

/* callbacks, in the order in which they come */
static void on_bus(GObject *source, GAsyncResult *result, gpointer user_data);
static void on_authority(GObject *source, GAsyncResult *result, gpointer user_data);
static void on_checked(GObject *authority, GAsyncResult *result, gpointer user_data);
static void on_bus_closed(WardPolkit *self);
/* helpers */
static void ask(WardPolkit *self, GTask *task);
static void return_no_answer(GTask *task, const GError *error);
static void ward_polkit_drop(WardPolkit *self);
static void ward_polkit_question_free(WardPolkitQuestion *question);

G_DEFINE_FINAL_TYPE(WardPolkit, ward_polkit, G_TYPE_OBJECT)

static void
ward_polkit_dispose(GObject *object)
{
    ward_polkit_drop(WARD_POLKIT(object));
    G_OBJECT_CLASS(ward_polkit_parent_class)->dispose(object);
}

static void
ward_polkit_class_init(WardPolkitClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = ward_polkit_dispose;
}

static void
ward_polkit_init(WardPolkit *self)
{
}

WardPolkit *
ward_polkit_new(void)
{
    return g_object_new(WARD_TYPE_POLKIT, NULL);
}

void
ward_polkit_check_async(WardPolkit *self,
                        const char *sender,
                        const char *action,
                        const char *domain_name,
                        const char *domain_uuid,
                        gboolean interactive,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
    GTask *task = g_task_new(self, cancellable, callback, user_data);
    WardPolkitQuestion *question = g_new0(WardPolkitQuestion, 1);

    question->sender = g_strdup(sender);
    question->action = g_strdup(action);
    question->domain_name = g_strdup(domain_name);
    question->domain_uuid = g_strdup(domain_uuid);
    question->interactive = interactive;
    g_task_set_task_data(task, question, (GDestroyNotify)ward_polkit_question_free);

    if (self->authority)
        ask(self, task);
    else
        g_bus_get(G_BUS_TYPE_SYSTEM, cancellable, on_bus, task);
}

gboolean
ward_polkit_check_finish(WardPolkit *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

static void
on_bus(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusConnection) bus = g_bus_get_finish(result, &error);
    WardPolkit *self = g_task_get_source_object(task);
    GCancellable *cancellable = g_task_get_cancellable(task);

    if (!bus) {
        return_no_answer(task, error);
        return;
    }
    if (bus != self->bus) {
        ward_polkit_drop(self);
        self->bus = g_object_ref(bus);
        g_dbus_connection_set_exit_on_close(bus, FALSE);
        g_signal_connect_object(bus, "closed", G_CALLBACK(on_bus_closed), self, G_CONNECT_SWAPPED);
    }
    polkit_authority_get_async(cancellable, on_authority, g_steal_pointer(&task));
}

static void
on_authority(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PolkitAuthority) authority = polkit_authority_get_finish(result, &error);
    WardPolkit *self = g_task_get_source_object(task);

    if (!authority) {
        return_no_answer(task, error);
        return;
    }
    g_set_object(&self->authority, authority);
    ask(self, g_steal_pointer(&task));
}

static void
ask(WardPolkit *self, GTask *task)
{
    WardPolkitQuestion *question = g_task_get_task_data(task);
    g_autoptr(PolkitSubject) subject = polkit_system_bus_name_new(question->sender);
    g_autoptr(PolkitDetails) details = polkit_details_new();

    if (question->domain_name)
        polkit_details_insert(details, "domain_name", question->domain_name);
    if (question->domain_uuid)
        polkit_details_insert(details, "domain_uuid", question->domain_uuid);
    polkit_authority_check_authorization(
        self->authority, subject, question->action, details,
        question->interactive ? POLKIT_CHECK_AUTHORIZATION_FLAGS_ALLOW_USER_INTERACTION
                              : POLKIT_CHECK_AUTHORIZATION_FLAGS_NONE,
        g_task_get_cancellable(task), on_checked, task);
}

static void
on_checked(GObject *authority, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(PolkitAuthorizationResult) answer =
        polkit_authority_check_authorization_finish(POLKIT_AUTHORITY(authority), result, &error);
    WardPolkitQuestion *question = g_task_get_task_data(task);

    if (!answer) {
        /* Perhaps this was the connection of a bus that is gone: the next question starts anew. */
        if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
            ward_polkit_drop(g_task_get_source_object(task));
        return_no_answer(task, error);
    } else if (polkit_authorization_result_get_is_authorized(answer))
        g_task_return_boolean(task, TRUE);
    else if (polkit_authorization_result_get_is_challenge(answer))
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

static void
on_bus_closed(WardPolkit *self)
{
    ward_polkit_drop(self);
}

/* Fails closed: no answer is a no. */
static void
return_no_answer(GTask *task, const GError *error)
{
    WardPolkitQuestion *question = g_task_get_task_data(task);

    if (g_task_return_error_if_cancelled(task))
        return;
    g_task_return_new_error(task, WARD_ERROR, WARD_ERROR_ACCESS_DENIED,
                            "polkit cannot be asked about %s (%s); call as root, or see to it that "
                            "polkitd is installed and runs",
                            question->action, error->message);
}

/* The library makes a new connection only when nobody holds the old one. */
static void
ward_polkit_drop(WardPolkit *self)
{
    if (self->bus)
        g_signal_handlers_disconnect_by_data(self->bus, self);
    g_clear_object(&self->authority);
    g_clear_object(&self->bus);
}

static void
ward_polkit_question_free(WardPolkitQuestion *question)
{
    g_free(question->sender);
    g_free(question->action);
    g_free(question->domain_name);
    g_free(question->domain_uuid);
    g_free(question);
}
