/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-hook-second-stage.c: the hook's second stage with the bus and the time limit from two more
 * arguments, which the first stage passes on and libvirt never gives
 *
 *   DOMAIN OPERATION SUB-OPERATION EXTRA ADDRESS MILLISECONDS
 */
#include <stdlib.h>

#include "ward-hook-client.h"

int
main(int argc, char **argv)
{
    g_assert_cmpint(argc, ==, 7);
    return ward_hook_run(argv, argv[5], atoi(argv[6]));
}
