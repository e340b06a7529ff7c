/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-settings.h: the wanted state of a domain, as <ward:protection> says it
 *
 * Ownership: WardSettings is reference-counted (atomically) and never changes once a parser or
 * ward_settings_update() returned it, so any thread may read any reference without a lock.
 * A protection that is not wanted is a NULL pointer, not a struct of defaults.
 */
#pragma once

#include <glib.h>

#include "ward-protection.h"

G_BEGIN_DECLS

/* Whether the domain may run without the protection. The default is "required": a protection that
 * silently is not there is worse than a refused start. */
typedef enum {
    WARD_ENFORCEMENT_REQUIRED,
    WARD_ENFORCEMENT_PREFERRED,
} WardEnforcement;

typedef enum {
    WARD_TEARDOWN_UNSET, /* only for onExit: libvirt's own <async-teardown/> decides */
    WARD_TEARDOWN_ASYNC,
    WARD_TEARDOWN_SYNC,
} WardTeardownMode;

typedef struct {
    WardEnforcement enforcement;
    WardTeardownMode on_reboot; /* default async */
    WardTeardownMode on_exit;   /* default unset */
} WardTeardownSettings;

typedef enum {
    WARD_ADMISSION_REFUSE, /* no key free: the start fails at once */
    WARD_ADMISSION_WAIT,   /* no key free: the start waits its turn, at most timeout seconds */
} WardAdmission;

typedef enum {
    WARD_TRUSTDOMAIN_RECREATE, /* a reboot builds a new trust domain */
    WARD_TRUSTDOMAIN_RESET,    /* QEMU resets the trust domain in place (QEMU >= 11.0) */
    WARD_TRUSTDOMAIN_DESTROY,  /* a reboot ends the domain */
} WardTrustdomainReboot;

#define WARD_ADMISSION_TIMEOUT_DEFAULT 30
#define WARD_ADMISSION_TIMEOUT_MAX 3600

typedef struct {
    WardEnforcement enforcement;
    WardAdmission admission;
    unsigned int timeout; /* seconds, 1 to WARD_ADMISSION_TIMEOUT_MAX */
    WardTrustdomainReboot on_reboot;
} WardTrustdomainSettings;

typedef enum {
    WARD_DISCONNECT_RETRY,   /* connect again, with back-off */
    WARD_DISCONNECT_PAUSE,   /* suspend the domain, connect again, resume it */
    WARD_DISCONNECT_DESTROY, /* destroy the domain */
} WardDisconnect;

typedef enum {
    WARD_SOCKET_UNIX,
    WARD_SOCKET_VSOCK,
} WardSocketType;

/* sizeof(sun_path) less the terminating NUL, unix(7). */
#define WARD_SOCKET_PATH_MAX 107

typedef struct {
    WardSocketType type;
    char *path;        /* unix: absolute */
    unsigned int cid;  /* vsock: neither VMADDR_CID_HYPERVISOR nor VMADDR_CID_ANY, vsock(7) */
    unsigned int port; /* vsock: not VMADDR_PORT_ANY */
} WardSocket;

typedef struct {
    WardEnforcement enforcement;
    WardDisconnect on_disconnect; /* default retry */
    WardSocket socket;
    char *secret; /* UUID of the libvirt secret that authenticates the tool, or NULL */
    /* What the tool may use, by KVMI name (ward-kvmi-names.h), in document order.
     * NULL: no <allow> of that sort, so all of it. */
    GStrv allowed_commands;
    GStrv allowed_events;
} WardIntrospectionSettings;

typedef struct {
    WardEnforcement enforcement;
    gboolean on;
} WardIsolationSettings;

typedef struct _WardSettings WardSettings;

struct _WardSettings {
    WardTeardownSettings *teardown;
    WardTrustdomainSettings *trustdomain;
    WardIntrospectionSettings *introspection;
    WardIsolationSettings *isolation;
};

/* Settings in which nothing is wanted: what a domain without <ward:protection> has. */
WardSettings *ward_settings_new_empty(void);
WardSettings *ward_settings_ref(WardSettings *self);
void ward_settings_unref(WardSettings *self);

gboolean ward_settings_equal(const WardSettings *a, const WardSettings *b);
gboolean ward_settings_is_empty(const WardSettings *self);
gboolean ward_settings_wants(const WardSettings *self, WardProtection protection);

/* The enforcement of @protection; REQUIRED when it is not wanted at all. */
WardEnforcement ward_settings_get_enforcement(const WardSettings *self, WardProtection protection);

/* New settings: those of @self, but with every protection that @changes wants taken from there. */
WardSettings *ward_settings_update(const WardSettings *self, const WardSettings *changes);

/* New settings: those of @self without @protection. */
WardSettings *ward_settings_without(const WardSettings *self, WardProtection protection);

/* "required"/"preferred" and so on: the attribute values of the XML, which D-Bus and the commands
 * show too. Static strings; WARD_TEARDOWN_UNSET is "". */
const char *ward_enforcement_to_string(WardEnforcement enforcement);
const char *ward_teardown_mode_to_string(WardTeardownMode mode);
const char *ward_admission_to_string(WardAdmission admission);
const char *ward_trustdomain_reboot_to_string(WardTrustdomainReboot reboot);
const char *ward_disconnect_to_string(WardDisconnect disconnect);

/* "unix:/run/x.sock" or "vsock:3:1234". */
char *ward_socket_to_string(const WardSocket *socket);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(WardSettings, ward_settings_unref)

G_END_DECLS
