/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-admission: how fast starts of trust domains are decided, as `make bench` measures it
 *
 *   bench-admission DIR STARTS RUNS
 *
 * STARTS hooks "start begin", each of another trust domain, go through the daemon's core in this
 * process: their XML is parsed, the keys of the simulated machine (its file is in DIR, which is
 * empty) are counted, as many starts as there are keys are admitted and prepared for, and all
 * others refused. There is no D-Bus, and no libvirt: the hook calls none. Prints two lines a run:
 * "together" or "alone", by whether all are asked at once or each after the answer to the one
 * before, the microseconds, and how many were admitted.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ward-error.h"
#include "ward-manager.h"
#include "ward-providers.h"
#include "ward-xml.h"

#define XML                                                                                        \
    "<domain type='kvm'><name>%s</name><uuid>%s</uuid><memory unit='MiB'>1024</memory>"            \
    "<os><type>hvm</type></os><metadata><ward:protection xmlns:ward='" WARD_XML_NAMESPACE "'>"     \
    "<ward:trustdomain admission='refuse'/></ward:protection></metadata>"                          \
    "<launchSecurity type='tdx'/></domain>"

typedef struct {
    WardManager *manager;
    char **names;
    char **xmls;
    guint starts;
    guint answered;
    guint admitted;
} Bench;

static void
on_answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Bench *bench = user_data;
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) warnings = ward_manager_run_hook_finish(WARD_MANAGER(source), result, &error);

    if (error && !g_error_matches(error, WARD_ERROR, WARD_ERROR_REFUSED)) {
        fprintf(stderr, "bench-admission: %s\n", error->message);
        exit(EXIT_FAILURE);
    }
    bench->answered++;
    bench->admitted += warnings != NULL;
}

static void
call_hook(Bench *bench, guint i, const char *operation, const char *sub_operation)
{
    ward_manager_run_hook_async(bench->manager, bench->names[i], operation, sub_operation,
                                bench->xmls[i], NULL, on_answered, bench);
}

static void
wait_answers(Bench *bench, guint n)
{
    while (bench->answered < n)
        g_main_context_iteration(NULL, TRUE);
}

/* All keys are free again. */
static void
release(Bench *bench)
{
    bench->answered = 0;
    for (guint i = 0; i < bench->starts; i++)
        call_hook(bench, i, "release", "end");
    wait_answers(bench, bench->starts);
    while (g_main_context_iteration(NULL, FALSE))
        ;
}

static void
run(Bench *bench, const char *words, gboolean together)
{
    gint64 start = g_get_monotonic_time();

    bench->answered = bench->admitted = 0;
    for (guint i = 0; i < bench->starts; i++) {
        call_hook(bench, i, "start", "begin");
        if (!together)
            wait_answers(bench, i + 1);
    }
    wait_answers(bench, bench->starts);
    printf("%s %" G_GINT64_FORMAT " %u\n", words, g_get_monotonic_time() - start, bench->admitted);
    release(bench);
}

static void
prepare(Bench *bench)
{
    bench->names = g_new0(char *, bench->starts);
    bench->xmls = g_new0(char *, bench->starts);
    for (guint i = 0; i < bench->starts; i++) {
        g_autofree char *uuid = g_uuid_string_random();

        bench->names[i] = g_strdup_printf("bench-%u", i);
        bench->xmls[i] = g_strdup_printf(XML, bench->names[i], uuid);
    }
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(WardProvider) provider = NULL;
    Bench bench = {0};

    if (argc != 4) {
        fputs("bench-admission: see its source for how it is called\n", stderr);
        return EXIT_FAILURE;
    }
    bench.starts = atoi(argv[2]);
    provider = ward_simulated_provider_new(argv[1], &error);
    if (!provider) {
        fprintf(stderr, "bench-admission: %s\n", error->message);
        return EXIT_FAILURE;
    }
    bench.manager = ward_manager_new("test:///default", argv[1], provider);
    prepare(&bench);
    for (int i = 0; i < atoi(argv[3]); i++) {
        run(&bench, "together", TRUE);
        run(&bench, "alone", FALSE);
    }
    return EXIT_SUCCESS;
}
