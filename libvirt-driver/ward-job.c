/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-job.h"

struct _WardJob {
    GObject parent;

    guint id;
    char *operation;
    char *domain_uuid;
    char *domain_name;
    char *unit;
    gboolean cancellable;
    gint64 start_time;
    guint64 done;
    guint64 total;
    gboolean finished;
};

enum {
    PROP_0,
    PROP_DONE,
    PROP_TOTAL,
    N_PROPS,
};

static GParamSpec *props[N_PROPS];
static guint finished_signal;

G_DEFINE_FINAL_TYPE(WardJob, ward_job, G_TYPE_OBJECT)

static void
ward_job_get_property(GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
    WardJob *self = WARD_JOB(object);

    switch (prop_id) {
    case PROP_DONE:
        g_value_set_uint64(value, self->done);
        break;
    case PROP_TOTAL:
        g_value_set_uint64(value, self->total);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, prop_id, pspec);
    }
}

static void
ward_job_finalize(GObject *object)
{
    WardJob *self = WARD_JOB(object);

    g_free(self->operation);
    g_free(self->domain_uuid);
    g_free(self->domain_name);
    g_free(self->unit);
    G_OBJECT_CLASS(ward_job_parent_class)->finalize(object);
}

static void
ward_job_class_init(WardJobClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

    object_class->get_property = ward_job_get_property;
    object_class->finalize = ward_job_finalize;
    props[PROP_DONE] = g_param_spec_uint64("done", NULL, NULL, 0, G_MAXUINT64, 0, flags);
    props[PROP_TOTAL] = g_param_spec_uint64("total", NULL, NULL, 0, G_MAXUINT64, 0, flags);
    g_object_class_install_properties(object_class, N_PROPS, props);
    finished_signal = g_signal_new("finished", WARD_TYPE_JOB, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
}

static void
ward_job_init(WardJob *self)
{
    self->start_time = g_get_real_time();
}

WardJob *
ward_job_new(guint id,
             const char *operation,
             const char *domain_uuid,
             const char *domain_name,
             const char *unit,
             gboolean cancellable)
{
    WardJob *self = g_object_new(WARD_TYPE_JOB, NULL);

    self->id = id;
    self->operation = g_strdup(operation);
    self->domain_uuid = g_strdup(domain_uuid);
    self->domain_name = g_strdup(domain_name);
    self->unit = g_strdup(unit);
    self->cancellable = cancellable;
    return self;
}

guint
ward_job_get_id(WardJob *self)
{
    return self->id;
}

const char *
ward_job_get_operation(WardJob *self)
{
    return self->operation;
}

const char *
ward_job_get_domain_uuid(WardJob *self)
{
    return self->domain_uuid;
}

const char *
ward_job_get_domain_name(WardJob *self)
{
    return self->domain_name;
}

const char *
ward_job_get_unit(WardJob *self)
{
    return self->unit;
}

gboolean
ward_job_get_cancellable(WardJob *self)
{
    return self->cancellable;
}

gint64
ward_job_get_start_time(WardJob *self)
{
    return self->start_time;
}

guint64
ward_job_get_done(WardJob *self)
{
    return self->done;
}

guint64
ward_job_get_total(WardJob *self)
{
    return self->total;
}

void
ward_job_set_progress(WardJob *self, guint64 done, guint64 total)
{
    g_object_freeze_notify(G_OBJECT(self));
    if (self->total != total) {
        self->total = total;
        g_object_notify_by_pspec(G_OBJECT(self), props[PROP_TOTAL]);
    }
    if (self->done != done) {
        self->done = done;
        g_object_notify_by_pspec(G_OBJECT(self), props[PROP_DONE]);
    }
    g_object_thaw_notify(G_OBJECT(self));
}

void
ward_job_finish(WardJob *self, const char *result, const char *message)
{
    g_return_if_fail(!self->finished);
    self->finished = TRUE;
    g_signal_emit(self, finished_signal, 0, result, message ? message : "");
}
