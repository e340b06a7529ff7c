/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-agent.h: polkit's own agent for text terminals, so that polkit can ask for a password
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Starts pkttyagent for this process and waits until it is ready. NULL when nobody could answer it
 * (standard input is no terminal, or the user is root, whom polkit does not ask) and when it is not
 * installed: calls are then refused with the name of the action, as without it. */
GSubprocess *ward_agent_start(void);

/* Ends it; NULL does nothing. */
void ward_agent_stop(GSubprocess *agent);

G_END_DECLS
