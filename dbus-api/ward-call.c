/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-call.h"

#include "ward-dbus-error.h"

typedef struct {
    char *xml;
    gboolean whole_domain;
} WardCallText;

/* callbacks */
static void parse_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable);
static void on_protection_set(GObject *manager, GAsyncResult *result, gpointer user_data);
static void on_operation(GObject *manager, GAsyncResult *result, gpointer user_data);
/* helpers */
static void return_nothing(GDBusMethodInvocation *invocation, const GError *error);
static void ward_call_text_free(WardCallText *text);

gboolean
ward_call_check_flags(GDBusMethodInvocation *invocation, guint flags, guint allowed)
{
    g_autoptr(GError) error = NULL;

    if (!(flags & ~allowed))
        return TRUE;
    g_set_error(&error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                "%s does not take flags 0x%x: only bits of 0x%x are allowed",
                g_dbus_method_invocation_get_method_name(invocation), flags, allowed);
    ward_dbus_return_error(invocation, error);
    return FALSE;
}

gboolean
ward_call_check_size(GDBusMethodInvocation *invocation, const char *argument, const char *text)
{
    g_autoptr(GError) error = NULL;
    gsize length = strlen(text);

    if (length <= WARD_XML_MAX_SIZE)
        return TRUE;
    g_set_error(&error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT,
                "%s: the argument '%s' has %" G_GSIZE_FORMAT " bytes, more than the %u allowed",
                g_dbus_method_invocation_get_method_name(invocation), argument, length,
                (guint)WARD_XML_MAX_SIZE);
    ward_dbus_return_error(invocation, error);
    return FALSE;
}

void
ward_call_parse_async(GDBusMethodInvocation *invocation,
                      const char *xml,
                      gboolean whole_domain,
                      GAsyncReadyCallback callback)
{
    g_autoptr(GTask) task = g_task_new(invocation, NULL, callback, NULL);
    WardCallText *text = g_new0(WardCallText, 1);

    text->xml = g_strdup(xml);
    text->whole_domain = whole_domain;
    g_task_set_task_data(task, text, (GDestroyNotify)ward_call_text_free);
    g_task_run_in_thread(task, parse_in_thread);
}

WardSettings *
ward_call_parse_finish(GDBusMethodInvocation *invocation, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

void
ward_call_set_protection(GDBusMethodInvocation *invocation,
                         WardManager *manager,
                         WardDomain *domain,
                         WardSettings *settings,
                         guint flags)
{
    ward_manager_set_protection_async(manager, domain, settings, flags, NULL, on_protection_set,
                                      invocation);
}

void
ward_call_operation(GDBusMethodInvocation *invocation,
                    WardManager *manager,
                    WardDomain *domain,
                    WardOperation operation)
{
    ward_manager_operation_async(manager, domain, operation, NULL, on_operation, invocation);
}

static void
parse_in_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    WardCallText *text = data;
    GError *error = NULL;
    WardSettings *settings = text->whole_domain ? ward_xml_validate(text->xml, -1, &error)
                                                : ward_settings_parse(text->xml, -1, &error);

    if (settings)
        g_task_return_pointer(task, settings, (GDestroyNotify)ward_settings_unref);
    else
        g_task_return_error(task, error);
}

static void
on_protection_set(GObject *manager, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;

    ward_manager_set_protection_finish(WARD_MANAGER(manager), result, &error);
    return_nothing(user_data, error);
}

static void
on_operation(GObject *manager, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;

    ward_manager_operation_finish(WARD_MANAGER(manager), result, &error);
    return_nothing(user_data, error);
}

static void
return_nothing(GDBusMethodInvocation *invocation, const GError *error)
{
    if (error)
        ward_dbus_return_error(invocation, error);
    else
        g_dbus_method_invocation_return_value(invocation, NULL);
}

static void
ward_call_text_free(WardCallText *text)
{
    g_free(text->xml);
    g_free(text);
}
