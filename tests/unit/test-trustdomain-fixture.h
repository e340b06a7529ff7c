/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-trustdomain-fixture.h: trust domains in the core, on libvirt's test driver and the simulated
 * machine; for one test program each
 *
 * libvirt 9.0 knows no <launchSecurity type='tdx'/>: here its version is another and the element is
 * put into the XML that it gives. What a newer libvirt does by itself is tested with one.
 */
#pragma once

#include <dlfcn.h>
#include <glib/gstdio.h>
#include <libvirt/libvirt.h>

#include "modules/ward-module.h"
#include "test-host.h"
#include "test-stop.h"
#include "ward-error.h"
#include "ward-manager-private.h"
#include "ward-marker.h"
#include "ward-providers.h"
#include "ward-xml.h"

#define URI "test:///default"
#define LIBVIRT_12_8 12008000
#define MACHINE "simulated-machine.conf"

typedef struct {
    char *state_dir;
    WardProvider *provider;
    WardManager *manager;
    virConnectPtr conn;
    GString *lives; /* "guest1 defined admitted, ..." */
} Fixture;

/* What becomes of libvirt's next event that a domain has stopped: its detail (7 is RECREATED), or
 * nothing. */
static enum { STOP_AS_IT_IS, STOP_RECREATED, STOP_UNTOLD } stop_is;
static virConnectDomainEventCallback lifecycle;

/* These three stand before libvirt's own. */

static int
on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *opaque)
{
    if (event == VIR_DOMAIN_EVENT_STOPPED && stop_is == STOP_UNTOLD)
        return 0;
    if (event == VIR_DOMAIN_EVENT_STOPPED && stop_is == STOP_RECREATED)
        detail = 7;
    return lifecycle(conn, dom, event, detail, opaque);
}

int
virConnectDomainEventRegisterAny(virConnectPtr conn,
                                 virDomainPtr dom,
                                 int id,
                                 virConnectDomainEventGenericCallback callback,
                                 void *opaque,
                                 virFreeCallback free_func)
{
    int (*real)(virConnectPtr, virDomainPtr, int, virConnectDomainEventGenericCallback, void *,
                virFreeCallback) = dlsym(RTLD_NEXT, "virConnectDomainEventRegisterAny");

    if (id == VIR_DOMAIN_EVENT_ID_LIFECYCLE) {
        lifecycle = (virConnectDomainEventCallback)(gpointer)callback;
        callback = VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle);
    }
    return real(conn, dom, id, callback, opaque, free_func);
}

int
virConnectGetLibVersion(virConnectPtr conn, unsigned long *version)
{
    *version = LIBVIRT_12_8;
    return 0;
}

char *
virDomainGetXMLDesc(virDomainPtr dom, unsigned int flags)
{
    char *(*real)(virDomainPtr, unsigned int) = dlsym(RTLD_NEXT, "virDomainGetXMLDesc");
    gboolean ours = g_str_has_prefix(virDomainGetName(dom), "guest");
    g_autofree char *xml = real(dom, flags);
    g_auto(GStrv) parts = xml && ours ? g_strsplit(xml, "</domain>", 2) : NULL;

    return parts ? g_strconcat(parts[0], "<launchSecurity type='tdx'/></domain>", NULL)
                 : g_steal_pointer(&xml);
}

static void
on_event(WardDomain *domain,
         WardProtection protection,
         const char *name,
         const char *text,
         guint64 detail,
         Fixture *f)
{
    if (g_str_equal(name, "LifeChanged"))
        g_string_append_printf(f->lives, "%s%s %s", f->lives->len ? ", " : "",
                               ward_domain_get_name(domain), text);
}

static void
on_domain_added(WardManager *manager, WardDomain *domain, Fixture *f)
{
    g_signal_connect(domain, "event", G_CALLBACK(on_event), f);
}

static void
start_manager(Fixture *f)
{
    g_autoptr(GError) error = NULL;

    f->provider = ward_simulated_provider_new(f->state_dir, &error);
    g_assert_no_error(error);
    f->manager = ward_manager_new(URI, f->state_dir, f->provider);
    g_signal_connect(f->manager, "domain-added", G_CALLBACK(on_domain_added), f);
    ward_manager_start(f->manager);
    WAIT(ward_manager_is_ready(f->manager));
}

static void
set_up(Fixture *f, gconstpointer data)
{
    f->state_dir = g_dir_make_tmp("ward-trustdomain-XXXXXX", NULL);
    f->lives = g_string_new("");
    f->conn = virConnectOpen(URI);
    g_assert_nonnull(f->conn);
    start_manager(f);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    stop_and_wait(&f->manager, &f->provider);
    virConnectClose(f->conn);
    test_host_remove(f->state_dir);
    g_free(f->state_dir);
    g_string_free(f->lives, TRUE);
}

typedef struct {
    virDomainPtr dom;
    char uuid[VIR_UUID_STRING_BUFLEN];
    char *name;
} Guest;

static void
guest_clear(Guest *guest)
{
    if (virDomainIsActive(guest->dom) == 1)
        virDomainDestroy(guest->dom);
    virDomainUndefine(guest->dom);
    virDomainFree(guest->dom);
    g_free(guest->name);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Guest, guest_clear)

static WardDomain *
find(Fixture *f, const Guest *guest)
{
    return ward_manager_lookup_domain(f->manager, guest->uuid, NULL);
}

static WardTrustdomainLife
life(Fixture *f, const Guest *guest)
{
    WardDomain *domain = find(f, guest);

    return domain && domain->life_known ? ward_domain_get_life(domain) : (WardTrustdomainLife)-1;
}

#define WAIT_LIFE(guest, what) WAIT(life(f, guest) == WARD_TRUSTDOMAIN_LIFE_##what)

static char *
make_xml(const Guest *guest, guint number, const char *attributes)
{
    return g_strdup_printf(
        "<domain type='test'><name>%s</name><uuid>6d0a9a44-6d16-4a3d-9a43-%012u</uuid>"
        "<memory unit='MiB'>16</memory><os><type>hvm</type></os><metadata>"
        "<ward:protection xmlns:ward='" WARD_XML_NAMESPACE "'><ward:trustdomain %s/>"
        "</ward:protection></metadata></domain>",
        guest->name, number, attributes);
}

static Guest
define(Fixture *f, guint number, const char *attributes)
{
    Guest guest = {.name = g_strdup_printf("guest%u", number)};
    g_autofree char *xml = make_xml(&guest, number, attributes);

    guest.dom = virDomainDefineXML(f->conn, xml);
    g_assert_nonnull(guest.dom);
    virDomainGetUUIDString(guest.dom, guest.uuid);
    return guest;
}

static void
on_result(GObject *source, GAsyncResult *result, gpointer user_data)
{
    GAsyncResult **slot = user_data;

    *slot = g_object_ref(result);
}

static void
begin_hook(
    Fixture *f, const Guest *guest, const char *operation, GCancellable *c, GAsyncResult **result)
{
    g_autofree char *xml = virDomainGetXMLDesc(guest->dom, 0);
    const char *sub = g_str_equal(operation, "release") ? "end" : "begin";

    ward_manager_run_hook_async(f->manager, guest->name, operation, sub, xml, c, on_result, result);
}

static gboolean
run_hook(Fixture *f, const Guest *guest, const char *operation, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_auto(GStrv) warnings = NULL;

    begin_hook(f, guest, operation, NULL, &result);
    WAIT(result);
    warnings = ward_manager_run_hook_finish(f->manager, result, error);
    return warnings != NULL;
}

/* As libvirt starts one. */
static void
start(Fixture *f, const Guest *guest)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(run_hook(f, guest, "prepare", &error));
    g_assert_true(run_hook(f, guest, "start", &error));
    g_assert_no_error(error);
    g_assert_cmpint(virDomainCreate(guest->dom), ==, 0);
    g_assert_true(run_hook(f, guest, "started", &error));
    g_assert_no_error(error);
    WAIT_LIFE(guest, RUNNING);
}

static void
stop(Fixture *f, const Guest *guest)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(run_hook(f, guest, "release", &error));
    g_assert_cmpint(virDomainDestroy(guest->dom), ==, 0);
}

static void
assert_lives(Fixture *f, const char *expected)
{
    g_assert_cmpstr(f->lives->str, ==, expected);
    g_string_truncate(f->lives, 0);
}

/* The machine, between two daemons. @value: NULL takes the group @group away. */
static void
change_machine(Fixture *f, const char *group, const char *key, const char *value)
{
    g_autofree char *path = g_build_filename(f->state_dir, MACHINE, NULL);
    g_autoptr(GKeyFile) machine = g_key_file_new();

    stop_and_wait(&f->manager, &f->provider);
    g_key_file_load_from_file(machine, path, G_KEY_FILE_NONE, NULL);
    if (value)
        g_key_file_set_value(machine, group, key, value);
    else
        g_assert_true(g_key_file_remove_group(machine, group, NULL));
    g_assert_true(g_key_file_save_to_file(machine, path, NULL));
    start_manager(f);
}

static WardTrustdomainCapacity
capacity(Fixture *f)
{
    g_autoptr(GAsyncResult) result = NULL;
    WardTrustdomainCapacity found;
    g_autoptr(GError) error = NULL;

    ward_manager_trustdomain_capacity_async(f->manager, NULL, on_result, &result);
    WAIT(result);
    ward_manager_trustdomain_capacity_finish(f->manager, result, &found, &error);
    g_assert_no_error(error);
    return found;
}

static void
assert_capacity(Fixture *f, guint used, guint reserved, guint leaked)
{
    WardTrustdomainCapacity now = capacity(f);

    g_assert_cmpuint(now.used, ==, used);
    g_assert_cmpuint(now.reserved, ==, reserved);
    g_assert_cmpuint(now.leaked, ==, leaked);
}

static void
emit(Fixture *f, const Guest *guest, WardDomainEvent event)
{
    g_signal_emit_by_name(f->manager->connection, "domain-event", guest->dom, event);
}
