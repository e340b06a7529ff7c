/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-exported-job.h: the object of a job, /org/virtward/job/N
 *
 * It follows the job's progress by itself, and tells its end. All of it belongs to the main thread.
 */
#pragma once

#include "ward-guarded.h"

G_BEGIN_DECLS

/* (transfer full), not exported yet. */
GDBusObjectSkeleton *ward_exported_job_new(WardExportContext *context, WardJob *job);

G_END_DECLS
