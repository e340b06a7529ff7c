/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * virtward-hook.c: the qemu hook's second stage, for domains with protections
 *
 * The first stage (virtward.c) runs it with libvirt's arguments, the XML on stdin and an
 * environment without anything that a user could have planted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ward-hook-client.h"

int
main(int argc, char **argv)
{
    g_autofree char *address = NULL;

    if (argc < 4) {
        fputs("virtward-hook: run by virtward, libvirt's qemu hook\n", stderr);
        return EXIT_FAILURE;
    }
    address = ward_hook_bus_address(getuid(), g_getenv("XDG_RUNTIME_DIR"));
    return ward_hook_run(argv, address, WARD_HOOK_LIMIT);
}
