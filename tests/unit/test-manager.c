/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-manager.c: the core on libvirt's test driver and the simulated machine
 */
#include <dlfcn.h>
#include <glib/gstdio.h>
#include <libvirt/libvirt.h>

#include "test-stop.h"
#include "ward-error.h"
#include "ward-manager-private.h"
#include "ward-providers.h"
#include "ward-xml.h"

#define URI "test:///default"
#define PROTECTION(body)                                                                           \
    "<ward:protection xmlns:ward='" WARD_XML_NAMESPACE "'>" body "</ward:protection>"

typedef struct {
    char *state_dir;
    WardProvider *provider;
    WardManager *manager;
    virConnectPtr conn;
    virDomainPtr dom;
    char uuid[VIR_UUID_STRING_BUFLEN];
    GString *events;
} Fixture;

/* The simulated machine tears down 32 MiB a second: with as much as that, its work can be seen by
 * a test that is kept waiting for a while. */
#define MEMORY_MIB 128
#define MEMORY (G_GUINT64_CONSTANT(1024) * 1024 * MEMORY_MIB)

/* How many of the next readings of the guest's XML fail; the daemon reads in threads. */
static gint bad_readings;

/* Stands before libvirt's own. */
char *
virDomainGetXMLDesc(virDomainPtr dom, unsigned int flags)
{
    char *(*real)(virDomainPtr, unsigned int) = dlsym(RTLD_NEXT, "virDomainGetXMLDesc");

    if (g_str_equal(virDomainGetName(dom), "guest") && g_atomic_int_get(&bad_readings) > 0) {
        g_atomic_int_add(&bad_readings, -1);
        return NULL;
    }
    return real(dom, flags);
}

static virDomainPtr
define_named(Fixture *f, const char *name, guint number, const char *protection)
{
    g_autofree char *xml = g_strdup_printf(
        "<domain type='test'><name>%s</name><uuid>6d0a9a44-6d16-4a3d-9a43-%012u</uuid>"
        "<memory unit='MiB'>%d</memory><os><type>hvm</type></os><metadata>%s</metadata></domain>",
        name, number, MEMORY_MIB, protection);
    virDomainPtr dom = virDomainDefineXML(f->conn, xml);

    g_assert_nonnull(dom);
    return dom;
}

static void
define(Fixture *f, const char *protection)
{
    f->dom = define_named(f, "guest", 1, protection);
    virDomainGetUUIDString(f->dom, f->uuid);
}

static WardDomain *
find(Fixture *f)
{
    return ward_manager_lookup_domain(f->manager, f->uuid, NULL);
}

static const char *
status(Fixture *f)
{
    WardDomain *domain = find(f);

    return domain ? ward_domain_get_status(domain) : "absent";
}

static const WardActual *
actual(Fixture *f)
{
    return ward_domain_get_actual(find(f));
}

static void
on_job_finished(WardJob *job, const char *result, const char *message, Fixture *f)
{
    g_string_append_printf(f->events, "job %s '%s'\n", result, message);
}

static void
on_job_added(WardManager *manager, WardJob *job, Fixture *f)
{
    g_signal_connect(job, "finished", G_CALLBACK(on_job_finished), f);
}

static void
on_event(WardDomain *domain,
         WardProtection protection,
         const char *name,
         const char *text,
         guint64 detail,
         Fixture *f)
{
    g_string_append_printf(f->events, "%s %" G_GUINT64_FORMAT "\n", name, detail);
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
    g_signal_connect(f->manager, "job-added", G_CALLBACK(on_job_added), f);
    g_signal_connect(f->manager, "domain-added", G_CALLBACK(on_domain_added), f);
    ward_manager_start(f->manager);
    WAIT(ward_manager_get_connected(f->manager));
    WAIT(ward_manager_lookup_domain(f->manager, "test", NULL));
}

static void
set_up(Fixture *f, gconstpointer data)
{
    f->state_dir = g_dir_make_tmp("ward-manager-XXXXXX", NULL);
    f->events = g_string_new("");
    start_manager(f);
    f->conn = virConnectOpen(URI);
    g_assert_nonnull(f->conn);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    g_autoptr(GDir) dir = NULL;
    const char *name;

    if (f->dom) {
        if (virDomainIsActive(f->dom) == 1)
            virDomainDestroy(f->dom);
        virDomainUndefine(f->dom);
        virDomainFree(f->dom);
    }
    virConnectClose(f->conn);
    stop_and_wait(&f->manager, &f->provider);
    dir = g_dir_open(f->state_dir, 0, NULL);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(f->state_dir, name, NULL);

        g_unlink(path);
    }
    g_rmdir(f->state_dir);
    g_free(f->state_dir);
    g_string_free(f->events, TRUE);
}

static void
on_result(GObject *source, GAsyncResult *result, gpointer user_data)
{
    GAsyncResult **slot = user_data;

    *slot = g_object_ref(result);
}

static gboolean
set_protection(Fixture *f, const char *xml, guint flags, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autoptr(WardSettings) settings =
        xml ? ward_settings_parse(xml, -1, error) : ward_settings_new_empty();

    if (!settings)
        return FALSE;
    ward_manager_set_protection_async(f->manager, find(f), settings, flags, NULL, on_result,
                                      &result);
    WAIT(result);
    return ward_manager_set_protection_finish(f->manager, result, error);
}

static gboolean
operate(Fixture *f, WardOperation operation, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;

    ward_manager_operation_async(f->manager, find(f), operation, NULL, on_result, &result);
    WAIT(result);
    return ward_manager_operation_finish(f->manager, result, error);
}

/* libvirt's test driver reboots a domain without an event, unlike the QEMU driver. */
static void
reboot(Fixture *f)
{
    g_signal_emit_by_name(f->manager->connection, "domain-event", f->dom, WARD_DOMAIN_EVENT_REBOOT);
}

static GStrv
run_hook(Fixture *f, const char *operation, const char *sub, GError **error)
{
    g_autoptr(GAsyncResult) result = NULL;
    g_autofree char *xml = virDomainGetXMLDesc(f->dom, 0);

    ward_manager_run_hook_async(f->manager, "guest", operation, sub, xml, NULL, on_result, &result);
    WAIT(result);
    return ward_manager_run_hook_finish(f->manager, result, error);
}

static void
test_follows_a_domain(Fixture *f, gconstpointer data)
{
    define(f, PROTECTION("<ward:isolation state='on'/>"));
    WAIT(g_str_equal(status(f), "pending"));
    g_assert_cmpint(virDomainCreate(f->dom), ==, 0);
    WAIT(g_str_equal(status(f), "protected"));
    g_assert_cmpint(actual(f)->isolation.state, ==, WARD_ISOLATION_ON);
    g_assert_cmpstr(actual(f)->common[WARD_PROTECTION_ISOLATION].provider, ==, "simulated");
    g_assert_cmpint(virDomainDestroy(f->dom), ==, 0);
    WAIT(g_str_equal(status(f), "pending"));
    g_assert_cmpint(virDomainUndefine(f->dom), ==, 0);
    WAIT(!find(f));
}

static void
test_lookup(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    WardDomain *test = ward_manager_lookup_domain(f->manager, "test", NULL);

    WAIT(ward_domain_get_id(test) == 1);
    g_assert_true(ward_manager_lookup_domain(f->manager, "1", NULL) == test);
    g_assert_true(ward_manager_lookup_domain(f->manager, "6695EB01-F6A4-8304-79AA-97F2502E193F",
                                             NULL) == test);
    g_assert_null(ward_manager_lookup_domain(f->manager, "nobody", &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, "nobody"));
}

static void
test_live_and_config_are_apart(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    define(f, "");
    WAIT(g_str_equal(status(f), "unprotected"));
    g_assert_false(set_protection(f, PROTECTION("<ward:isolation/>"), WARD_AFFECT_LIVE, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_STATE);
    g_clear_error(&error);

    g_assert_cmpint(virDomainCreate(f->dom), ==, 0);
    WAIT(ward_domain_is_active(find(f)));
    g_assert_true(set_protection(f, PROTECTION("<ward:isolation/>"), WARD_AFFECT_LIVE, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(status(f), ==, "protected");
    g_assert_true(ward_settings_is_empty(ward_domain_get_wanted_config(find(f))));

    g_assert_true(set_protection(f, PROTECTION("<ward:teardown/>"),
                                 WARD_AFFECT_CONFIG | WARD_AFFECT_LIVE | WARD_AFFECT_UPDATE,
                                 &error));
    g_assert_nonnull(ward_domain_get_wanted(find(f))->isolation);
    g_assert_nonnull(ward_domain_get_wanted(find(f))->teardown);
    g_assert_null(ward_domain_get_wanted_config(find(f))->isolation);
    g_assert_nonnull(ward_domain_get_wanted_config(find(f))->teardown);

    g_assert_true(set_protection(f, NULL, WARD_AFFECT_LIVE | WARD_AFFECT_CONFIG, &error));
    g_assert_cmpstr(status(f), ==, "unprotected");
    g_assert_cmpint(actual(f)->isolation.state, ==, WARD_ISOLATION_OFF);
}

static void
test_unknown_flags_are_refused(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    define(f, "");
    WAIT(g_str_equal(status(f), "unprotected"));
    g_assert_false(set_protection(f, PROTECTION("<ward:isolation/>"), 8, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_ARGUMENT);
}

/* A mistake in the XML of a running domain is reported and takes nothing away. */
static void
test_bad_metadata_keeps_what_is_in_force(Fixture *f, gconstpointer data)
{
    define(f, PROTECTION("<ward:isolation state='on'/>"));
    g_assert_cmpint(virDomainCreate(f->dom), ==, 0);
    WAIT(g_str_equal(status(f), "protected"));
    g_assert_cmpint(virDomainSetMetadata(f->dom, VIR_DOMAIN_METADATA_ELEMENT,
                                         "<protection><isolation state='loud'/></protection>",
                                         "ward", WARD_XML_NAMESPACE, VIR_DOMAIN_AFFECT_LIVE),
                    ==, 0);
    WAIT(g_str_equal(status(f), "failed"));
    g_assert_nonnull(strstr(ward_domain_get_reason(find(f)), "loud"));
    g_assert_cmpint(actual(f)->isolation.state, ==, WARD_ISOLATION_ON);
}

/* No event follows that would make the daemon look again. */
static void
test_failed_reading_is_repeated(Fixture *f, gconstpointer data)
{
    define(f, PROTECTION("<ward:isolation state='on'/>"));
    WAIT(g_str_equal(status(f), "pending"));
    g_atomic_int_set(&bad_readings, 2);
    g_assert_cmpint(virDomainCreate(f->dom), ==, 0);
    WAIT(g_str_equal(status(f), "protected"));
    g_assert_cmpint(g_atomic_int_get(&bad_readings), ==, 0);
}

/* Nothing is known of it before: "unprotected" would be a guess. */
static void
test_domain_that_was_never_read_says_so(Fixture *f, gconstpointer data)
{
    g_atomic_int_set(&bad_readings, 2);
    define(f, PROTECTION("<ward:isolation state='on'/>"));
    WAIT(g_str_equal(status(f), "failed"));
    g_assert_nonnull(strstr(ward_domain_get_reason(find(f)), "cannot read"));
    WAIT(g_str_equal(status(f), "pending"));
    g_assert_cmpstr(ward_domain_get_reason(find(f)), ==, "");
}

/* Listed while it ran, and stopped before its turn to be read. */
static void
test_listed_domain_may_have_stopped(Fixture *f, gconstpointer data)
{
    g_autoptr(GAsyncResult) synced = NULL;
    virDomainPtr listed;

    define(f, PROTECTION("<ward:isolation state='on'/>"));
    g_assert_cmpint(virDomainCreate(f->dom), ==, 0);
    WAIT(find(f) && g_str_equal(status(f), "protected"));
    listed = virDomainLookupByUUIDString(f->conn, f->uuid);
    g_assert_cmpint(virDomainDestroy(f->dom), ==, 0);
    WAIT(g_str_equal(status(f), "pending"));
    g_assert_cmpuint(virDomainGetID(listed), !=, (unsigned int)-1);

    ward_domain_set_listed(find(f), listed);
    ward_sync(f->manager, find(f), WARD_SYNC_LIBVIRT, g_task_new(NULL, NULL, on_result, &synced));
    WAIT(synced);
    g_assert_cmpstr(status(f), ==, "pending");
    g_assert_cmpint(ward_domain_get_id(find(f)), ==, -1);
}

static void
test_reboot_makes_a_job(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    WardJob *job;

    define(f, PROTECTION("<ward:teardown onReboot='async'/>"));
    g_assert_cmpint(virDomainCreate(f->dom), ==, 0);
    WAIT(g_str_equal(status(f), "protected"));
    g_assert_false(operate(f, WARD_OPERATION_TEARDOWN_CANCEL, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_INVALID_STATE);
    g_clear_error(&error);

    reboot(f);
    WAIT(ward_domain_get_teardown_job(find(f)));
    job = ward_domain_get_teardown_job(find(f));
    g_assert_cmpuint(ward_job_get_total(job), ==, MEMORY);
    g_assert_true(operate(f, WARD_OPERATION_TEARDOWN_CANCEL, &error));
    g_assert_no_error(error);
    g_assert_cmpint(actual(f)->teardown.phase, ==, WARD_TEARDOWN_PHASE_INTERRUPTED);
    g_assert_null(ward_manager_get_jobs(f->manager));
}

/* The machine outlives the daemon, and so does what it does. */
static void
test_restart_finds_the_same_machine(Fixture *f, gconstpointer data)
{
    define(f, PROTECTION("<ward:teardown/><ward:isolation/>"));
    g_assert_cmpint(virDomainCreate(f->dom), ==, 0);
    WAIT(g_str_equal(status(f), "protected"));
    reboot(f);
    WAIT(ward_domain_get_teardown_job(find(f)));
    stop_and_wait(&f->manager, &f->provider);
    start_manager(f);
    WAIT(ward_domain_get_teardown_job(find(f)));
    g_assert_cmpint(actual(f)->isolation.state, ==, WARD_ISOLATION_ON);
    WAIT(!ward_domain_get_teardown_job(find(f)));
    g_assert_cmpuint(actual(f)->teardown.bytes_done, ==, MEMORY);
}

/* Something in the machine goes wrong from now on. The daemon is down while it is changed. */
static void
break_machine(Fixture *f, const char *key, guint64 value)
{
    g_autofree char *path = g_build_filename(f->state_dir, "simulated-machine.conf", NULL);
    g_autoptr(GKeyFile) machine = g_key_file_new();
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, value);

    stop_and_wait(&f->manager, &f->provider);
    g_assert_true(g_key_file_load_from_file(machine, path, G_KEY_FILE_NONE, NULL));
    g_key_file_set_value(machine, f->uuid, key, value == 1 ? "true" : text);
    g_assert_true(g_key_file_save_to_file(machine, path, NULL));
    start_manager(f);
    WAIT(find(f) && actual(f)->teardown.counted);
}

static void
test_failed_teardown_says_so(Fixture *f, gconstpointer data)
{
    g_autoptr(GAsyncResult) waited = NULL;
    g_autoptr(GError) error = NULL;

    define(f, PROTECTION("<ward:teardown/>"));
    g_assert_cmpint(virDomainCreate(f->dom), ==, 0);
    WAIT(find(f) && actual(f)->teardown.counted);
    break_machine(f, "teardown-refusal", 0x01020304);
    reboot(f);
    WAIT(ward_domain_get_teardown_job(find(f)));
    ward_manager_teardown_wait_async(f->manager, find(f), 0, NULL, on_result, &waited);
    WAIT(waited);
    g_assert_false(ward_manager_teardown_wait_finish(f->manager, waited, &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "rc 0x0102, rrc 0x0304"));
    g_assert_nonnull(strstr(f->events->str, "job failed 'the Ultravisor refused"));
    g_assert_nonnull(strstr(f->events->str, "Failed 16909060\n")); /* 0x01020304 */
    g_assert_null(strstr(f->events->str, "Finished"));
    g_assert_cmpstr(status(f), ==, "protected"); /* nobody is in danger */
    g_assert_nonnull(strstr(actual(f)->common[WARD_PROTECTION_TEARDOWN].reason, "0x0102"));

    /* Told once: a daemon that starts anew knows it, and did not see it happen. */
    g_clear_object(&waited);
    g_string_truncate(f->events, 0);
    stop_and_wait(&f->manager, &f->provider);
    start_manager(f);
    WAIT(find(f) && actual(f)->teardown.counted);
    g_assert_true(actual(f)->teardown.last_failed);
    reboot(f);
    WAIT(strstr(f->events->str, "Started"));
    g_assert_null(strstr(f->events->str, "Failed"));
}

static void
test_guest_that_qemu_forgets_is_torn_down(Fixture *f, gconstpointer data)
{
    g_autoptr(GAsyncResult) waited = NULL;
    g_autoptr(GError) error = NULL;

    define(f, PROTECTION("<ward:teardown/>"));
    g_assert_cmpint(virDomainCreate(f->dom), ==, 0);
    WAIT(find(f) && actual(f)->teardown.counted);
    break_machine(f, "teardown-forgets", TRUE);
    reboot(f);
    WAIT(actual(f)->teardown.phase == WARD_TEARDOWN_PHASE_SET_ASIDE);
    g_assert_null(ward_domain_get_teardown_job(find(f)));
    g_assert_cmpuint(actual(f)->teardown.bytes_total, ==, 0);
    ward_manager_teardown_wait_async(f->manager, find(f), 0, NULL, on_result, &waited);
    WAIT(waited); /* not before the daemon has done it */
    g_assert_true(ward_manager_teardown_wait_finish(f->manager, waited, &error));
    g_assert_no_error(error);
    g_assert_cmpint(actual(f)->teardown.phase, ==, WARD_TEARDOWN_PHASE_NONE);
    g_assert_cmpuint(actual(f)->teardown.bytes_done, ==, MEMORY);
    g_assert_nonnull(strstr(f->events->str, "job completed ''"));
    g_assert_null(strstr(f->events->str, "Failed"));
}

static void
test_hook_arms_and_proves(Fixture *f, gconstpointer data)
{
    g_auto(GStrv) warnings = NULL;
    g_autoptr(GError) error = NULL;

    define(f, PROTECTION("<ward:isolation/>"));
    /* For libvirt it does not run: a pass over what was read must not come after "started". */
    WAIT(g_str_equal(status(f), "pending"));
    g_strfreev(run_hook(f, "prepare", "begin", &error));
    g_assert_no_error(error);
    g_strfreev(run_hook(f, "start", "begin", &error));
    g_assert_no_error(error);
    warnings = run_hook(f, "started", "begin", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_strv_length(warnings), ==, 0);
    g_assert_cmpint(actual(f)->isolation.state, ==, WARD_ISOLATION_ON);
    g_strfreev(run_hook(f, "release", "end", &error));
    WAIT(actual(f)->isolation.state == WARD_ISOLATION_OFF);
}

static const WardActual *
actual_of_twin(Fixture *f)
{
    WardDomain *domain = ward_manager_lookup_domain(f->manager, "twin", NULL);

    return domain ? ward_domain_get_actual(domain) : NULL;
}

static void
test_domains_alike_share_what_is_known(Fixture *f, gconstpointer data)
{
    virDomainPtr twin;

    define(f, PROTECTION("<ward:isolation state='on'/>"));
    WAIT(g_str_equal(status(f), "pending"));
    twin = define_named(f, "twin", 2, PROTECTION("<ward:isolation state='on'/>"));
    WAIT(actual_of_twin(f) == actual(f));
    g_assert_cmpint(virDomainCreate(twin), ==, 0);
    WAIT(actual_of_twin(f)->common[WARD_PROTECTION_ISOLATION].status == WARD_STATUS_ACTIVE);
    g_assert_cmpint(actual(f)->common[WARD_PROTECTION_ISOLATION].status, ==, WARD_STATUS_PENDING);
    g_assert_cmpint(virDomainDestroy(twin), ==, 0);
    g_assert_cmpint(virDomainUndefine(twin), ==, 0);
    virDomainFree(twin);
}

static void
test_hook_refuses_what_is_not_there(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    /* libvirt 9.0 does not know asynchronous teardown at exit; a newer one wants it in the XML. */
    define(f, PROTECTION("<ward:teardown onExit='async'/>"));
    g_assert_null(run_hook(f, "prepare", "begin", &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_REFUSED);
    g_assert_nonnull(strstr(error->message, "onExit='async'"));
}

static void
test_hook_warns_of_what_is_preferred(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) warnings = NULL;

    define(f, PROTECTION("<ward:teardown onExit='async' enforcement='preferred'/>"));
    warnings = run_hook(f, "prepare", "begin", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(g_strv_length(warnings), ==, 1);
    g_assert_nonnull(strstr(warnings[0], "onExit='async'"));
}

static void
test_hook_refuses_bad_xml(Fixture *f, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    define(f, PROTECTION("<ward:isolation state='loud'/>"));
    g_assert_null(run_hook(f, "start", "begin", &error));
    g_assert_error(error, WARD_ERROR, WARD_ERROR_REFUSED);
    g_clear_error(&error);
    g_strfreev(run_hook(f, "reconnect", "begin", &error));
    g_assert_no_error(error);
}

#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL); /* it warns of failures */
    ADD("/manager/follows-a-domain", test_follows_a_domain);
    ADD("/manager/lookup", test_lookup);
    ADD("/manager/live-and-config-are-apart", test_live_and_config_are_apart);
    ADD("/manager/unknown-flags-are-refused", test_unknown_flags_are_refused);
    ADD("/manager/bad-metadata-keeps-what-is-in-force", test_bad_metadata_keeps_what_is_in_force);
    ADD("/manager/failed-reading-is-repeated", test_failed_reading_is_repeated);
    ADD("/manager/never-read-says-so", test_domain_that_was_never_read_says_so);
    ADD("/manager/listed-domain-may-have-stopped", test_listed_domain_may_have_stopped);
    ADD("/manager/reboot-makes-a-job", test_reboot_makes_a_job);
    ADD("/manager/restart-finds-the-same-machine", test_restart_finds_the_same_machine);
    ADD("/manager/failed-teardown-says-so", test_failed_teardown_says_so);
    ADD("/manager/forgotten-guest-is-torn-down", test_guest_that_qemu_forgets_is_torn_down);
    ADD("/manager/alike-share", test_domains_alike_share_what_is_known);
    ADD("/manager/hook-arms-and-proves", test_hook_arms_and_proves);
    ADD("/manager/hook-refuses-what-is-not-there", test_hook_refuses_what_is_not_there);
    ADD("/manager/hook-warns-of-what-is-preferred", test_hook_warns_of_what_is_preferred);
    ADD("/manager/hook-refuses-bad-xml", test_hook_refuses_bad_xml);
    return g_test_run();
}
