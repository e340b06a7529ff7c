/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ward-reading.h"

#include "ward-connection.h"

static WardNative *
read_xml(virDomainPtr dom, unsigned int flags, WardReadingScope scope, GError **error)
{
    const char *name = virDomainGetName(dom); /* before the call: it resets libvirt's last error */
    g_autofree char *xml = virDomainGetXMLDesc(dom, flags);
    g_autoptr(GError) wrong = NULL;
    WardDomainXml *parsed;

    if (!xml) {
        ward_connection_set_error(error, "cannot read the XML of domain '%s'", name);
        return NULL;
    }
    if (scope == WARD_READING_BRIEF && !ward_domain_xml_concerns_us(xml))
        return ward_native_new_plain();
    parsed = ward_domain_xml_parse(xml, -1, &wrong);
    if (!parsed) {
        /* It will be the same the next time: that is what there is to know of it. */
        g_prefix_error(&wrong, "the XML of domain '%s' cannot be read: ", name);
        parsed = ward_domain_xml_new_wrong(g_steal_pointer(&wrong));
    }
    return ward_native_new(parsed);
}

static gboolean
read_live(WardReading *self, virDomainPtr dom, WardReadingScope scope, GError **error)
{
    const char *name = virDomainGetName(dom);
    int reason;

    if (virDomainGetState(dom, &self->state, &reason, 0) < 0) {
        ward_connection_set_error(error, "cannot read the state of domain '%s'", name);
        return FALSE;
    }
    self->starting_up = self->state == VIR_DOMAIN_PAUSED && reason == VIR_DOMAIN_PAUSED_STARTING_UP;
    self->live = read_xml(dom, 0, scope, error);
    return self->live != NULL;
}

WardReading *
ward_reading_new_gone(void)
{
    WardReading *self = g_new0(WardReading, 1);

    self->id = -1;
    self->state = VIR_DOMAIN_SHUTOFF;
    return self;
}

WardReading *
ward_reading_new(virDomainPtr dom, WardReadingScope scope, GError **error)
{
    g_autoptr(WardReading) self = ward_reading_new_gone();
    unsigned int id = virDomainGetID(dom);

    self->name = g_strdup(virDomainGetName(dom));
    if (id != (unsigned int)-1) {
        self->id = id;
        if (!read_live(self, dom, scope, error))
            return NULL;
        if (virDomainIsPersistent(dom) != 1)
            return g_steal_pointer(&self);
    }
    self->config = read_xml(dom, VIR_DOMAIN_XML_INACTIVE, scope, error);
    return self->config ? g_steal_pointer(&self) : NULL;
}

void
ward_reading_look_at_job(WardReading *self, virDomainPtr dom)
{
    virDomainJobInfo info;

    self->leaving = self->id != -1 && virDomainGetJobInfo(dom, &info) == 0 &&
                    (info.type == VIR_DOMAIN_JOB_BOUNDED || info.type == VIR_DOMAIN_JOB_UNBOUNDED);
}

void
ward_reading_free(WardReading *self)
{
    g_free(self->name);
    g_clear_pointer(&self->live, ward_native_unref);
    g_clear_pointer(&self->config, ward_native_unref);
    g_free(self);
}
