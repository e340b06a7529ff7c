/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test-hook-run.h"

void
test_hook_result_clear(HookResult *self)
{
    g_clear_pointer(&self->out, g_bytes_unref);
    g_free(self->errors);
}

static void
on_hook_ended(GObject *source, GAsyncResult *asynchronous, gpointer data)
{
    HookResult *result = data;
    GSubprocess *process = G_SUBPROCESS(source);
    g_autoptr(GBytes) errors = NULL;
    g_autoptr(GError) error = NULL;
    const char *text;
    gsize length;

    g_subprocess_communicate_finish(process, asynchronous, &result->out, &errors, &error);
    g_assert_no_error(error);
    g_assert_true(g_subprocess_get_if_exited(process));
    result->status = g_subprocess_get_exit_status(process);
    text = g_bytes_get_data(errors, &length);
    result->errors = length > 0 ? g_strndup(text, length) : g_strdup("");
    result->done = TRUE;
}

HookResult
test_hook_run(const char *address, guint limit, const char *operation, GBytes *input)
{
    g_autofree char *program = g_test_build_filename(G_TEST_BUILT, "test-hook-first-stage", NULL);
    g_autofree char *milliseconds = g_strdup_printf("%u", limit);
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) process = NULL;
    HookResult result = {0};
    const char *sub_operation =
        g_str_equal(operation, "stopped") || g_str_equal(operation, "release") ? "end" : "begin";

    process = g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
                                   G_SUBPROCESS_FLAGS_STDERR_PIPE,
                               &error, program, "vm", operation, sub_operation, "-", address,
                               milliseconds, NULL);
    g_assert_no_error(error);
    g_subprocess_communicate_async(process, input, NULL, on_hook_ended, &result);
    while (!result.done)
        g_main_context_iteration(NULL, TRUE);
    return result;
}
