/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-dbus-error.h"

#include "ward-dbus-names.h"

static WardError nearest_code(const GError *error);

static const char *const names[WARD_N_ERRORS] = {
    [WARD_ERROR_FAILED] = WARD_DBUS_ERROR_PREFIX "Failed",
    [WARD_ERROR_INVALID_XML] = WARD_DBUS_ERROR_PREFIX "InvalidXml",
    [WARD_ERROR_INVALID_ARGUMENT] = WARD_DBUS_ERROR_PREFIX "InvalidArgument",
    [WARD_ERROR_NOT_SUPPORTED] = WARD_DBUS_ERROR_PREFIX "NotSupported",
    [WARD_ERROR_NOT_FOUND] = WARD_DBUS_ERROR_PREFIX "NotFound",
    [WARD_ERROR_INVALID_STATE] = WARD_DBUS_ERROR_PREFIX "InvalidState",
    [WARD_ERROR_BUSY] = WARD_DBUS_ERROR_PREFIX "Busy",
    [WARD_ERROR_TIMED_OUT] = WARD_DBUS_ERROR_PREFIX "TimedOut",
    [WARD_ERROR_CANCELLED] = WARD_DBUS_ERROR_PREFIX "Cancelled",
    [WARD_ERROR_ACCESS_DENIED] = WARD_DBUS_ERROR_PREFIX "AccessDenied",
    [WARD_ERROR_NO_CAPACITY] = WARD_DBUS_ERROR_PREFIX "NoCapacity",
    [WARD_ERROR_NOT_CONNECTED] = WARD_DBUS_ERROR_PREFIX "NotConnected",
    [WARD_ERROR_LIBVIRT] = WARD_DBUS_ERROR_PREFIX "Libvirt",
    [WARD_ERROR_REFUSED] = WARD_DBUS_ERROR_PREFIX "Refused",
};

void
ward_dbus_error_register(void)
{
    /* g_dbus_error_register_error() refuses a second registration, and says so in its result. */
    for (guint i = 0; i < WARD_N_ERRORS; i++)
        g_dbus_error_register_error(WARD_ERROR, i, names[i]);
}

const char *
ward_dbus_error_get_name(WardError code)
{
    g_return_val_if_fail((guint)code < WARD_N_ERRORS, names[WARD_ERROR_FAILED]);
    return names[code];
}

void
ward_dbus_return_error(GDBusMethodInvocation *invocation, const GError *error)
{
    /* Messages quote what others wrote: a string that is not UTF-8 cannot be sent. */
    g_autofree char *message = g_utf8_make_valid(error->message, -1);

    g_dbus_method_invocation_return_dbus_error(
        invocation, ward_dbus_error_get_name(nearest_code(error)), message);
}

static WardError
nearest_code(const GError *error)
{
    if (error->domain == WARD_ERROR && (guint)error->code < WARD_N_ERRORS)
        return error->code;
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return WARD_ERROR_CANCELLED;
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
        return WARD_ERROR_TIMED_OUT;
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED))
        return WARD_ERROR_NOT_SUPPORTED;
    return WARD_ERROR_FAILED;
}
