/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-guarded.h: what every exported interface has beyond its generated skeleton
 *
 * - Each method call goes to the authorizer first, and to its handler only when it is allowed.
 *   There is no way around: the guard sits in the skeleton's own table of functions.
 * - The skeleton lives at least as long as the call.
 * - The dictionary of all properties is kept until one of them changes.
 *
 * All of it belongs to the main thread.
 */
#pragma once

#include "ward-authorizer.h"
#include "ward-manager.h"

G_BEGIN_DECLS

/* What all exported objects share. */
typedef struct {
    WardManager *manager;
    WardAuthorizer *authorizer;
} WardExportContext;

WardExportContext *ward_export_context_new(WardManager *manager, WardAuthorizer *authorizer);
WardExportContext *ward_export_context_ref(WardExportContext *self);
void ward_export_context_unref(WardExportContext *self);

/* To be called once, right after the skeleton was made, if it is to be called or exported. @domain
 * is NULL for what belongs to none.
 */
void ward_guarded_setup(GDBusInterfaceSkeleton *skeleton,
                        WardExportContext *context,
                        WardDomain *domain);

/* The skeleton that @invocation is a call of; borrowed. */
gpointer ward_guarded_get_object(GDBusMethodInvocation *invocation);

/* Borrowed; @skeleton is of a guarded type. */
WardManager *ward_guarded_get_manager(gpointer skeleton);
WardDomain *ward_guarded_get_domain(gpointer skeleton);

/* For the macro below. */
void ward_guarded_class_init(GObjectClass *klass);

/*
 * Defines the guarded subclass of a generated skeleton. The file then has
 *   static void type_name_handlers_init(Generated##Iface *iface);
 * which sets iface->handle_… of every method.
 */
#define WARD_DEFINE_GUARDED(TypeName, type_name, Generated, generated)                             \
    typedef struct {                                                                               \
        Generated##Skeleton parent;                                                                \
    } TypeName;                                                                                    \
    typedef struct {                                                                               \
        Generated##SkeletonClass parent;                                                           \
    } TypeName##Class;                                                                             \
    static void type_name##_handlers_init(Generated##Iface *iface);                                \
    static GType type_name##_get_type(void);                                                       \
    G_DEFINE_FINAL_TYPE_WITH_CODE(                                                                 \
        TypeName, type_name, generated##_skeleton_get_type(),                                      \
        G_IMPLEMENT_INTERFACE(generated##_get_type(), type_name##_handlers_init))                  \
    static void type_name##_class_init(TypeName##Class *klass)                                     \
    {                                                                                              \
        ward_guarded_class_init(G_OBJECT_CLASS(klass));                                            \
    }                                                                                              \
    static void type_name##_init(TypeName *self)                                                   \
    {                                                                                              \
    }

G_END_DECLS
