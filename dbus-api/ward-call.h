/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-call.h: steps that several method handlers share
 *
 * All of it belongs to the main thread. Functions that return FALSE have ended the invocation with
 * an error, so the handler has nothing more to do.
 */
#pragma once

#include "ward-manager.h"
#include "ward-xml.h"

G_BEGIN_DECLS

/* FALSE when @flags has a bit that is not in @allowed. */
gboolean ward_call_check_flags(GDBusMethodInvocation *invocation, guint flags, guint allowed);

/* FALSE when @text is longer than WARD_XML_MAX_SIZE; @argument names it in the error. */
gboolean
ward_call_check_size(GDBusMethodInvocation *invocation, const char *argument, const char *text);

/* Parses @xml in a thread of its own, for a large document takes a while: with ward_xml_validate()
 * when it may be a whole domain, else with ward_settings_parse(). */
void ward_call_parse_async(GDBusMethodInvocation *invocation,
                           const char *xml,
                           gboolean whole_domain,
                           GAsyncReadyCallback callback);
WardSettings *
ward_call_parse_finish(GDBusMethodInvocation *invocation, GAsyncResult *result, GError **error);

/* Writes the settings and returns nothing, or the error, to the caller. */
void ward_call_set_protection(GDBusMethodInvocation *invocation,
                              WardManager *manager,
                              WardDomain *domain,
                              WardSettings *settings,
                              guint flags);

/* Does the operation and returns nothing, or the error, to the caller. It is not given up when the
 * caller leaves: half an operation helps nobody. */
void ward_call_operation(GDBusMethodInvocation *invocation,
                         WardManager *manager,
                         WardDomain *domain,
                         WardOperation operation);

G_END_DECLS
