/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-guarded.h"

#include "ward-dbus-error.h"

typedef struct {
    WardExportContext *context;
    WardDomain *domain;
    GVariant *properties; /* NULL: out of date */
} WardGuard;

/* what the class has instead of the generated functions */
static GDBusInterfaceVTable *guarded_get_vtable(GDBusInterfaceSkeleton *skeleton);
static GVariant *guarded_get_properties(GDBusInterfaceSkeleton *skeleton);
static void guarded_notify(GObject *object, GParamSpec *pspec);
static void guarded_method_call(GDBusConnection *connection,
                                const char *sender,
                                const char *path,
                                const char *interface,
                                const char *method,
                                GVariant *parameters,
                                GDBusMethodInvocation *invocation,
                                gpointer user_data);
static GVariant *guarded_get_property(GDBusConnection *connection,
                                      const char *sender,
                                      const char *path,
                                      const char *interface,
                                      const char *property,
                                      GError **error,
                                      gpointer user_data);
/* callbacks */
static void on_ready(WardManager *manager, GDBusMethodInvocation *invocation);
static void on_authorized(GObject *authorizer, GAsyncResult *result, gpointer user_data);
/* helpers */
static GQuark guard_quark(void);
static GQuark skeleton_quark(void);
static WardGuard *get_guard(gpointer skeleton);
static void authorize(GDBusMethodInvocation *invocation);
static GDBusInterfaceSkeletonClass *generated_class(gpointer skeleton);
static const GDBusInterfaceVTable *generated_vtable(GDBusInterfaceSkeleton *skeleton);
static void ward_guard_free(WardGuard *guard);
static void ward_export_context_clear(WardExportContext *self);

G_DEFINE_QUARK(ward_guard, guard)
G_DEFINE_QUARK(ward_guarded_skeleton, skeleton)

WardExportContext *
ward_export_context_new(WardManager *manager, WardAuthorizer *authorizer)
{
    WardExportContext *self = g_rc_box_new0(WardExportContext);

    self->manager = g_object_ref(manager);
    self->authorizer = g_object_ref(authorizer);
    return self;
}

WardExportContext *
ward_export_context_ref(WardExportContext *self)
{
    return g_rc_box_acquire(self);
}

void
ward_export_context_unref(WardExportContext *self)
{
    g_rc_box_release_full(self, (GDestroyNotify)ward_export_context_clear);
}

void
ward_guarded_setup(GDBusInterfaceSkeleton *skeleton, WardExportContext *context, WardDomain *domain)
{
    WardGuard *guard = g_new0(WardGuard, 1);

    guard->context = ward_export_context_ref(context);
    guard->domain = domain ? g_object_ref(domain) : NULL;
    g_object_set_qdata_full(G_OBJECT(skeleton), guard_quark(), guard,
                            (GDestroyNotify)ward_guard_free);
}

gpointer
ward_guarded_get_object(GDBusMethodInvocation *invocation)
{
    return g_object_get_qdata(G_OBJECT(invocation), skeleton_quark());
}

WardManager *
ward_guarded_get_manager(gpointer skeleton)
{
    return get_guard(skeleton)->context->manager;
}

WardDomain *
ward_guarded_get_domain(gpointer skeleton)
{
    return get_guard(skeleton)->domain;
}

void
ward_guarded_class_init(GObjectClass *klass)
{
    GDBusInterfaceSkeletonClass *skeleton_class = G_DBUS_INTERFACE_SKELETON_CLASS(klass);

    klass->notify = guarded_notify;
    skeleton_class->get_vtable = guarded_get_vtable;
    skeleton_class->get_properties = guarded_get_properties;
}

static GDBusInterfaceVTable *
guarded_get_vtable(GDBusInterfaceSkeleton *skeleton)
{
    static GDBusInterfaceVTable vtable = {guarded_method_call, guarded_get_property, NULL};

    return &vtable;
}

static GVariant *
guarded_get_properties(GDBusInterfaceSkeleton *skeleton)
{
    WardGuard *guard = get_guard(skeleton);

    if (!guard)
        return generated_class(skeleton)->get_properties(skeleton);
    if (!guard->properties) {
        guard->properties = g_variant_ref_sink(generated_class(skeleton)->get_properties(skeleton));
    }
    return g_variant_ref(guard->properties);
}

static void
guarded_notify(GObject *object, GParamSpec *pspec)
{
    WardGuard *guard = get_guard(object);

    if (guard)
        g_clear_pointer(&guard->properties, g_variant_unref);
    G_OBJECT_CLASS(generated_class(object))->notify(object, pspec);
}

static void
guarded_method_call(GDBusConnection *connection,
                    const char *sender,
                    const char *path,
                    const char *interface,
                    const char *method,
                    GVariant *parameters,
                    GDBusMethodInvocation *invocation,
                    gpointer user_data)
{
    WardManager *manager = get_guard(user_data)->context->manager;

    g_object_set_qdata_full(G_OBJECT(invocation), skeleton_quark(), g_object_ref(user_data),
                            g_object_unref);
    /* The hook must not wait: libvirt may hold the very domain that is to be read. */
    if (ward_manager_is_ready(manager) || g_str_equal(method, "RunHook"))
        authorize(invocation);
    else
        g_signal_connect(manager, "ready", G_CALLBACK(on_ready), invocation);
}

/* A daemon that the bus has started for a call knows its domains a moment later. */
static void
on_ready(WardManager *manager, GDBusMethodInvocation *invocation)
{
    g_signal_handlers_disconnect_by_func(manager, on_ready, invocation);
    authorize(invocation);
}

static void
authorize(GDBusMethodInvocation *invocation)
{
    WardGuard *guard = get_guard(g_object_get_qdata(G_OBJECT(invocation), skeleton_quark()));
    WardDomain *domain = guard->domain;

    ward_authorizer_check_async(
        guard->context->authorizer, invocation, domain ? ward_domain_get_name(domain) : NULL,
        domain ? ward_domain_get_uuid(domain) : NULL, on_authorized, invocation);
}

static GVariant *
guarded_get_property(GDBusConnection *connection,
                     const char *sender,
                     const char *path,
                     const char *interface,
                     const char *property,
                     GError **error,
                     gpointer user_data)
{
    return generated_vtable(user_data)->get_property(connection, sender, path, interface, property,
                                                     error, user_data);
}

static void
on_authorized(GObject *authorizer, GAsyncResult *result, gpointer user_data)
{
    GDBusMethodInvocation *invocation = user_data;
    GDBusInterfaceSkeleton *skeleton = ward_guarded_get_object(invocation);
    g_autoptr(GError) error = NULL;

    if (!ward_authorizer_check_finish(WARD_AUTHORIZER(authorizer), result, &error)) {
        ward_dbus_return_error(invocation, error);
        return;
    }
    generated_vtable(skeleton)->method_call(g_dbus_method_invocation_get_connection(invocation),
                                            g_dbus_method_invocation_get_sender(invocation),
                                            g_dbus_method_invocation_get_object_path(invocation),
                                            g_dbus_method_invocation_get_interface_name(invocation),
                                            g_dbus_method_invocation_get_method_name(invocation),
                                            g_dbus_method_invocation_get_parameters(invocation),
                                            invocation, skeleton);
}

static WardGuard *
get_guard(gpointer skeleton)
{
    return g_object_get_qdata(G_OBJECT(skeleton), guard_quark());
}

/* A guarded type is final, so the class above an instance's own is the generated one. */
static GDBusInterfaceSkeletonClass *
generated_class(gpointer skeleton)
{
    return g_type_class_peek_parent(G_OBJECT_GET_CLASS(skeleton));
}

static const GDBusInterfaceVTable *
generated_vtable(GDBusInterfaceSkeleton *skeleton)
{
    return generated_class(skeleton)->get_vtable(skeleton);
}

static void
ward_guard_free(WardGuard *guard)
{
    ward_export_context_unref(guard->context);
    g_clear_object(&guard->domain);
    g_clear_pointer(&guard->properties, g_variant_unref);
    g_free(guard);
}

static void
ward_export_context_clear(WardExportContext *self)
{
    g_object_unref(self->manager);
    g_object_unref(self->authorizer);
}
