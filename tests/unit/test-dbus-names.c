/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paths and error names: what the daemon and its clients must agree on. */
#include <gio/gio.h>

#include "ward-dbus-error.h"
#include "ward-dbus-names.h"
#include "ward-dbus-path.h"

#define UUID "c7a5fdbd-edaf-9455-926a-d65c16db1809"
#define DOMAIN_PATH "/org/virtward/domain/_c7a5fdbd_edaf_9455_926a_d65c16db1809"

static void
domain_path_is_the_uuid_with_underscores(void)
{
    g_autofree char *path = ward_dbus_path_from_uuid(UUID);
    g_autofree char *uuid = ward_dbus_path_to_uuid(path);

    g_assert_cmpstr(path, ==, DOMAIN_PATH);
    g_assert_true(g_variant_is_object_path(path));
    g_assert_cmpstr(uuid, ==, UUID);
}

static void
other_paths_are_not_domains(void)
{
    const char *const others[] = {
        "/",
        "",
        "/org/virtward/domain/_",
        "/org/virtward/job/7",
        "/org/virtward/domain/" UUID,
        "/org/virtward/domain/_" UUID,
        DOMAIN_PATH "0",
        DOMAIN_PATH "/x",
        "/org/virtward/domain/_c7a5fdbd_edaf_9455_926a_d65c16db180g",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *uuid = ward_dbus_path_to_uuid(others[i]);

        g_assert_null(uuid);
    }
}

static void
job_path_is_the_id(void)
{
    g_autofree char *path = ward_dbus_path_from_job_id(4294967295);
    guint id = 0;

    g_assert_cmpstr(path, ==, "/org/virtward/job/4294967295");
    g_assert_true(ward_dbus_path_to_job_id(path, &id));
    g_assert_cmpuint(id, ==, 4294967295);
    g_assert_false(ward_dbus_path_to_job_id("/org/virtward/job/4294967296", &id));
    g_assert_false(ward_dbus_path_to_job_id("/org/virtward/job/-1", &id));
    g_assert_false(ward_dbus_path_to_job_id("/org/virtward/job/", &id));
    g_assert_false(ward_dbus_path_to_job_id(DOMAIN_PATH, &id));
}

static void
every_error_code_has_its_own_name(void)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint code = 0; code < WARD_N_ERRORS; code++) {
        const char *name = ward_dbus_error_get_name(code);

        g_assert_nonnull(name);
        g_assert_true(g_str_has_prefix(name, WARD_DBUS_ERROR_PREFIX));
        g_assert_true(g_dbus_is_interface_name(name));
        g_assert_true(g_hash_table_add(seen, (gpointer)name));
    }
}

static void
a_client_gets_the_code_back_from_the_name(void)
{
    for (guint code = 0; code < WARD_N_ERRORS; code++) {
        g_autoptr(GError) error =
            g_dbus_error_new_for_dbus_error(ward_dbus_error_get_name(code), "why");

        g_assert_error(error, WARD_ERROR, (int)code);
        g_assert_true(g_dbus_error_strip_remote_error(error));
        g_assert_cmpstr(error->message, ==, "why");
    }
}

static void
registering_twice_is_harmless(void)
{
    ward_dbus_error_register();
    a_client_gets_the_code_back_from_the_name();
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ward_dbus_error_register();
    g_test_add_func("/path/domain", domain_path_is_the_uuid_with_underscores);
    g_test_add_func("/path/not-a-domain", other_paths_are_not_domains);
    g_test_add_func("/path/job", job_path_is_the_id);
    g_test_add_func("/error/names", every_error_code_has_its_own_name);
    g_test_add_func("/error/round-trip", a_client_gets_the_code_back_from_the_name);
    g_test_add_func("/error/register-twice", registering_twice_is_harmless);
    return g_test_run();
}
