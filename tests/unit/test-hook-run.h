/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-hook-run.h: libvirt's side of the qemu hook, for the tests of the hook
 *
 * Both stages run as programs. Only the bus address and the time limit are the test's, see
 * test-hook-second-stage.c.
 */
#pragma once

#include <gio/gio.h>
#include <unistd.h>

#define NS "http://virtward.org/schemas/domain/1.0"
#define DOMAIN(metadata)                                                                           \
    "<domain type='kvm'><name>vm</name><uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"          \
    "<metadata>" metadata "</metadata></domain>"
#define PROTECTED(body) DOMAIN("<ward:protection xmlns:ward='" NS "'>" body "</ward:protection>")

#define PLAIN DOMAIN("<app:x xmlns:app='urn:app'/>")
#define REQUIRED                                                                                   \
    PROTECTED("<ward:teardown enforcement='preferred'/><ward:trustdomain/><ward:isolation/>")
#define PREFERRED                                                                                  \
    PROTECTED("<ward:teardown enforcement='preferred'/><ward:isolation enforcement='preferred'/>")
#define INVALID PROTECTED("<ward:isolation state='maybe' enforcement='preferred'/>")
#define WAITING PROTECTED("<ward:trustdomain admission='wait' timeout='60'/>")

#define LIMIT 300      /* milliseconds, where the hook is to run into it */
#define PATIENCE 60000 /* milliseconds, where it is not */
#define ADVICE                                                                                     \
    (getuid() == 0 ? "see 'systemctl status virtwardd'"                                            \
                   : "see whether 'virtwardd --bus session' runs")

typedef struct {
    int status;
    GBytes *out;
    char *errors;
    gboolean done;
} HookResult;

void test_hook_result_clear(HookResult *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HookResult, test_hook_result_clear)

/* Runs the hook for the domain "vm", and serves the default main context until it ends. @limit is
 * in milliseconds. */
HookResult test_hook_run(const char *address, guint limit, const char *operation, GBytes *input);

/* Operations whose exit status decides about the domain, */
#define DECIDING "prepare", "start", "started"
/* those that only tell, */
#define TELLING "stopped", "release", "reconnect"
/* and those whose output becomes the domain's XML. */
#define FILTERS "migrate", "restore"

#define assert_says(result, ...)                                                                   \
    G_STMT_START                                                                                   \
    {                                                                                              \
        g_autofree char *expected_ = g_strconcat("virtward: domain 'vm': ", __VA_ARGS__, NULL);    \
        g_assert_cmpstr((result).errors, ==, expected_);                                           \
    }                                                                                              \
    G_STMT_END
