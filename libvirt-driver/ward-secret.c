/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ward-secret.c: a secret that libvirt keeps; see ward-connection.h */
#include "ward-connection.h"

GBytes *
ward_connection_get_secret(WardConnection *self, const char *uuid, GError **error)
{
    virConnectPtr conn = ward_connection_acquire(self, error);
    virSecretPtr secret;
    unsigned char *value = NULL;
    size_t size = 0;

    if (!conn)
        return NULL;
    secret = virSecretLookupByUUIDString(conn, uuid);
    if (secret)
        value = virSecretGetValue(secret, &size, 0);
    if (!value)
        ward_connection_set_error(error, "cannot read the libvirt secret %s", uuid);
    if (secret)
        virSecretFree(secret);
    ward_connection_release(self, conn);
    return value ? g_bytes_new_with_free_func(value, size, free, value) : NULL;
}
