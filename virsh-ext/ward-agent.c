/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-agent.c: polkit's own agent for text terminals
 */
#include "ward-agent.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

/* Milliseconds; it takes some tens. */
#define AGENT_PATIENCE 5000
/* In the agent, where no other descriptor is in the way. */
#define AGENT_FD 3

/* The agent closes its end when it is registered, and also when it dies. */
static void
wait_until_closed(int fd)
{
    struct pollfd waited = {.fd = fd};
    int n;

    do
        n = poll(&waited, 1, AGENT_PATIENCE);
    while (n < 0 && errno == EINTR);
}

GSubprocess *
ward_agent_start(void)
{
    g_autofree char *path = g_find_program_in_path("pkttyagent");
    g_autofree char *process = g_strdup_printf("%d", getpid());
    g_autofree char *fd = g_strdup_printf("%d", AGENT_FD);
    /* An agent of the desktop goes first; outside of a session of logind there is none, and polkit
     * would not look for a fallback either. */
    const char *fallback = g_getenv("XDG_SESSION_ID") ? "--fallback" : NULL;
    const char *const argv[] = {path, "--process", process, "--notify-fd", fd, fallback, NULL};
    g_autoptr(GSubprocessLauncher) launcher = NULL;
    GSubprocess *agent;
    int ends[2];

    if (geteuid() == 0 || !isatty(STDIN_FILENO) || !path ||
        !g_unix_open_pipe(ends, FD_CLOEXEC, NULL))
        return NULL;
    launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDIN_INHERIT |
                                         G_SUBPROCESS_FLAGS_STDERR_SILENCE);
    g_subprocess_launcher_take_fd(launcher, ends[1], AGENT_FD);
    agent = g_subprocess_launcher_spawnv(launcher, argv, NULL);
    g_clear_object(&launcher); /* and with it our copy of the agent's end */
    if (agent)
        wait_until_closed(ends[0]);
    close(ends[0]);
    return agent;
}

void
ward_agent_stop(GSubprocess *agent)
{
    if (!agent)
        return;
    g_subprocess_send_signal(agent, SIGTERM);
    g_subprocess_wait(agent, NULL, NULL);
    g_object_unref(agent);
}
