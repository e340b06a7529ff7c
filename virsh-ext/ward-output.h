/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-output.h: what commands tell, as a table, as lines of label and value, or as JSON
 *
 * A command fills records; each field has a value for JSON and a text for people. Sizes are bytes,
 * durations microseconds, times microseconds since the Epoch.
 * Texts come from outside: control characters are written as \xNN, so that no name and no message
 * can steer a terminal.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _WardRecord WardRecord;

WardRecord *ward_record_new(void);
void ward_record_free(WardRecord *self);

/* @label: the heading or label; NULL for what only JSON shows. Takes a floating @value. */
void ward_record_add(
    WardRecord *self, const char *key, const char *label, GVariant *value, const char *text);
void ward_record_add_string(WardRecord *self,
                            const char *key,
                            const char *label,
                            const char *value); /* "" is "-" for people */
void ward_record_add_boolean(WardRecord *self, const char *key, const char *label, gboolean value);
void ward_record_add_number(WardRecord *self, const char *key, const char *label, guint64 value);
void ward_record_add_size(WardRecord *self, const char *key, const char *label, guint64 bytes);
void ward_record_add_duration(WardRecord *self, const char *key, const char *label, guint64 usec);
void ward_record_add_names(WardRecord *self,
                           const char *key,
                           const char *label,
                           const char *const *names); /* none: "all" for people */

/* A floating a{sv}, in the order of the fields. */
GVariant *ward_record_to_variant(const WardRecord *self);

/* "Label:   value" lines of the fields that have a label. */
char *ward_format_fields(const WardRecord *self);

/* "label text, label text", of the same fields. */
char *ward_record_join(const WardRecord *self);

/* virsh's table. @headings has as many entries as each of the @records (WardRecord) has fields with
 * a label. @quiet: the rows alone. */
char *ward_format_table(const char *const *headings, GPtrArray *records, gboolean quiet);

/* One document, without a new line at the end; @compact: on one line. Takes a floating @value. */
char *ward_format_json(GVariant *value, gboolean compact);

/* @text with control characters and what is not UTF-8 as \xNN. */
char *ward_escape(const char *text);

/* "1.500 GiB", "0.250 s". To be freed. */
char *ward_format_size(guint64 bytes);
char *ward_format_duration(guint64 usec);
/* "50 %", "-" when @total is 0. */
char *ward_format_percent(guint64 done, guint64 total);
/* The progress line that follows a carriage return: "Teardown: [=====     ]  50 %". */
char *ward_format_progress(const char *what, guint64 done, guint64 total);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardRecord, ward_record_free)

G_END_DECLS
