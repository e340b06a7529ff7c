/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-job.h: long work that can be watched and perhaps cancelled
 *
 * A job shows work that goes on elsewhere (in the kernel, mostly): it follows that work, it does
 * not do it. All of it belongs to the main thread.
 *
 * GObject properties, each notified: "done", "total" (guint64).
 * Signal "finished" (const char *result, const char *message): once, as the last thing.
 */
#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

#define WARD_TYPE_JOB (ward_job_get_type())
G_DECLARE_FINAL_TYPE(WardJob, ward_job, WARD, JOB, GObject)

WardJob *ward_job_new(guint id,
                      const char *operation,
                      const char *domain_uuid,
                      const char *domain_name,
                      const char *unit,
                      gboolean cancellable);

guint ward_job_get_id(WardJob *self);
const char *ward_job_get_operation(WardJob *self);
const char *ward_job_get_domain_uuid(WardJob *self);
const char *ward_job_get_domain_name(WardJob *self);
const char *ward_job_get_unit(WardJob *self);
gboolean ward_job_get_cancellable(WardJob *self);
gint64 ward_job_get_start_time(WardJob *self); /* microseconds since the Epoch */
guint64 ward_job_get_done(WardJob *self);
guint64 ward_job_get_total(WardJob *self);

void ward_job_set_progress(WardJob *self, guint64 done, guint64 total);
void ward_job_finish(WardJob *self, const char *result, const char *message);

G_END_DECLS
