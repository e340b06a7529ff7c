/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-kvmi-names.h"

#include <string.h>

/* Not here: EVENT_REPLY (0) and EVENT (1), which are framing, not something a tool asks for. */
const WardKvmiName ward_kvmi_commands[] = {
    {"get-version", 2},
    {"check-command", 3},
    {"check-event", 4},
    {"get-guest-info", 5},
    {"get-vcpu-info", 6},
    {"pause-vcpu", 7},
    {"control-vm-events", 8},
    {"control-events", 9},
    {"control-cr", 10},
    {"control-msr", 11},
    {"control-ve", 12},
    {"get-registers", 13},
    {"set-registers", 14},
    {"get-cpuid", 15},
    {"get-xsave", 16},
    {"read-physical", 17},
    {"write-physical", 18},
    {"inject-exception", 19},
    {"get-page-access", 20},
    {"set-page-access", 21},
    {"get-map-token", 22},
    {"get-mtrr-type", 23},
    {"control-spp", 24},
    {"get-page-write-bitmap", 25},
    {"set-page-write-bitmap", 26},
    {"control-cmd-response", 27},
    {"set-ve-info-page", 28},
    {"get-max-gfn", 29},
    {"get-next-available-gfn", 31},
    {"switch-ept-view", 32},
    {"disable-ve", 33},
    {"get-ept-view", 34},
    {"vcpu-translate-gva", 35},
    {"control-ept-view", 36},
    {"vcpu-get-xcr", 37},
    {"vcpu-set-xsave", 38},
    {"query-physical", 39},
    {"alloc-gfn", 41},
    {"free-gfn", 42},
    {"create-ept-view", 43},
    {"destroy-ept-view", 44},
    {"change-gfn", 60},
    {"vcpu-control-singlestep", 63},
    {NULL, 0},
};

const WardKvmiName ward_kvmi_events[] = {
    {"unhook", 0},      {"cr", 1},          {"msr", 2},    {"xsetbv", 3},     {"breakpoint", 4},
    {"hypercall", 5},   {"pf", 6},          {"trap", 7},   {"descriptor", 8}, {"create-vcpu", 9},
    {"pause-vcpu", 10}, {"singlestep", 11}, {"cpuid", 13}, {NULL, 0},
};

static int
find(const WardKvmiName *names, const char *name)
{
    for (; names->name != NULL; names++) {
        if (g_strcmp0(names->name, name) == 0)
            return names->id;
    }
    return -1;
}

int
ward_kvmi_command_from_name(const char *name)
{
    return find(ward_kvmi_commands, name);
}

int
ward_kvmi_event_from_name(const char *name)
{
    return find(ward_kvmi_events, name);
}
