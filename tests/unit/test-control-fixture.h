/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-control-fixture.h: the control provider on the model of the patched kernel
 */
#pragma once

#include "model-control-vm.h"
#include "test-host.h"
#include "ward-providers.h"

#define UUID "6d0a9a44-6d16-4a3d-9a43-000000000001"
#define PID 42

typedef struct {
    char *root;
    WardProvider *provider;
    WardProviderInterface *iface;
    guint changes; /* "changed" signals */
} Fixture;

static void
on_changed(WardProvider *provider, const char *uuid, Fixture *f)
{
    g_assert_cmpstr(uuid, ==, UUID);
    f->changes++;
}

/* As a daemon that has just started. */
static void
start_provider(Fixture *f)
{
    g_autoptr(GError) error = NULL;

    f->provider = ward_control_provider_new(f->root, &error);
    g_assert_no_error(error);
    f->iface = WARD_PROVIDER_GET_IFACE(f->provider);
    g_signal_connect(f->provider, "changed", G_CALLBACK(on_changed), f);
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    g_object_unref(f->provider);
    test_host_remove(f->root);
    g_free(f->root);
}
