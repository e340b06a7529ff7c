/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-error.h: the one error domain
 *
 * Every code has a D-Bus name, org.virtward.Error.<Name> (dbus-api/ward-dbus-error.c maps them in
 * both directions). A message says what failed, on which domain, and what to do about it.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define WARD_ERROR (ward_error_quark())

typedef enum {
    WARD_ERROR_FAILED,           /* nothing more precise is known */
    WARD_ERROR_INVALID_XML,      /* the protection XML is malformed or breaks the grammar */
    WARD_ERROR_INVALID_ARGUMENT, /* another argument of the caller's is out of range */
    WARD_ERROR_NOT_SUPPORTED,    /* this host, libvirt or QEMU cannot do it */
    WARD_ERROR_NOT_FOUND,        /* no such domain, job or protection */
    WARD_ERROR_INVALID_STATE,    /* the domain is not in a state that allows it */
    WARD_ERROR_BUSY,             /* it is being done already */
    WARD_ERROR_TIMED_OUT,        /* a limit in time was reached */
    WARD_ERROR_CANCELLED,        /* the caller, or a restart, ended it early */
    WARD_ERROR_ACCESS_DENIED,    /* the caller has no right to it */
    WARD_ERROR_NO_CAPACITY,      /* a host resource (TDX keys) is used up */
    WARD_ERROR_NOT_CONNECTED,    /* the daemon has no connection to libvirt at present */
    WARD_ERROR_LIBVIRT,          /* libvirt refused; its message is included */
    WARD_ERROR_REFUSED,          /* a required protection cannot be had: the domain must not run */
} WardError;

#define WARD_N_ERRORS (WARD_ERROR_REFUSED + 1)

GQuark ward_error_quark(void);

G_END_DECLS
