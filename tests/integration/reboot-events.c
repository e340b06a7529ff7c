/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reboot-events.c: what libvirt's QEMU driver tells of a trust domain's reboot, for a daemon at its
 * test driver
 *
 * To be preloaded into virtwardd. The test driver restarts nothing and resets nothing, so its other
 * events are made into those that are missing:
 *   - while the file WARD_TEST_RECREATES exists, a domain that stops or starts does so because it
 * is recreated,
 *   - a domain that gets another title has been reset.
 * All else is as libvirt sends it.
 */
#include <dlfcn.h>
#include <libvirt/libvirt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libvirt 11.6's, in headers that may be older. */
#define STARTED_RECREATED 5
#define STOPPED_RECREATED 7

typedef struct {
    virConnectDomainEventGenericCallback callback;
    void *opaque;
} Listener;

static Listener lifecycle;
static Listener reboot;
static Listener metadata;

static int
on_lifecycle(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *opaque)
{
    if (access(getenv("WARD_TEST_RECREATES"), F_OK) == 0) {
        if (event == VIR_DOMAIN_EVENT_STARTED)
            detail = STARTED_RECREATED;
        if (event == VIR_DOMAIN_EVENT_STOPPED)
            detail = STOPPED_RECREATED;
    }
    return ((virConnectDomainEventCallback)(void *)lifecycle.callback)(conn, dom, event, detail,
                                                                       lifecycle.opaque);
}

static void
on_metadata(virConnectPtr conn, virDomainPtr dom, int type, const char *uri, void *opaque)
{
    if (type == VIR_DOMAIN_METADATA_TITLE)
        reboot.callback(conn, dom, reboot.opaque);
    else
        ((virConnectDomainEventMetadataChangeCallback)(void *)metadata.callback)(
            conn, dom, type, uri, metadata.opaque);
}

int
virConnectDomainEventRegisterAny(virConnectPtr conn,
                                 virDomainPtr dom,
                                 int id,
                                 virConnectDomainEventGenericCallback callback,
                                 void *opaque,
                                 virFreeCallback free_opaque)
{
    int (*real)(virConnectPtr, virDomainPtr, int, virConnectDomainEventGenericCallback, void *,
                virFreeCallback) = dlsym(RTLD_NEXT, "virConnectDomainEventRegisterAny");
    Listener listener = {callback, opaque};

    if (id == VIR_DOMAIN_EVENT_ID_LIFECYCLE) {
        lifecycle = listener;
        callback = VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle);
    } else if (id == VIR_DOMAIN_EVENT_ID_REBOOT) {
        reboot = listener;
    } else if (id == VIR_DOMAIN_EVENT_ID_METADATA_CHANGE) {
        metadata = listener;
        callback = VIR_DOMAIN_EVENT_CALLBACK(on_metadata);
    }
    return real(conn, dom, id, callback, opaque, free_opaque);
}
