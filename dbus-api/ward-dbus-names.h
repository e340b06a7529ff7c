/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ward-dbus-names.h: every name on the bus, in one place
 */
#pragma once

#define WARD_DBUS_NAME "org.virtward"

/* Host1.ApiVersion. It grows when something is added. */
#define WARD_DBUS_API_VERSION 3

/* Objects. The object manager is at WARD_DBUS_PATH. */
#define WARD_DBUS_PATH "/org/virtward"
#define WARD_DBUS_PATH_HOST WARD_DBUS_PATH "/host"
#define WARD_DBUS_PATH_DOMAIN_PREFIX WARD_DBUS_PATH "/domain/_"
#define WARD_DBUS_PATH_JOB_PREFIX WARD_DBUS_PATH "/job/"
#define WARD_DBUS_PATH_NONE "/" /* the value of a path property that has no object */

#define WARD_DBUS_INTERFACE_HOST "org.virtward.Host1"
#define WARD_DBUS_INTERFACE_DOMAIN "org.virtward.Domain1"
#define WARD_DBUS_INTERFACE_TEARDOWN "org.virtward.Teardown1"
#define WARD_DBUS_INTERFACE_TRUSTDOMAIN "org.virtward.TrustDomain1"
#define WARD_DBUS_INTERFACE_INTROSPECTION "org.virtward.Introspection1"
#define WARD_DBUS_INTERFACE_ISOLATION "org.virtward.Isolation1"
#define WARD_DBUS_INTERFACE_JOB "org.virtward.Job1"

#define WARD_DBUS_ERROR_PREFIX "org.virtward.Error."

/* polkit actions, data/org.virtward.policy.in. */
#define WARD_ACTION_HOST_VALIDATE "org.virtward.host.validate"
#define WARD_ACTION_HOST_LOOKUP "org.virtward.host.lookup"
#define WARD_ACTION_HOST_HOOK "org.virtward.host.hook"
#define WARD_ACTION_DOMAIN_READ "org.virtward.domain.read"
#define WARD_ACTION_DOMAIN_SET "org.virtward.domain.set-protection"
#define WARD_ACTION_DOMAIN_CLEAR "org.virtward.domain.clear-protection"
#define WARD_ACTION_TEARDOWN_WAIT "org.virtward.teardown.wait"
#define WARD_ACTION_TEARDOWN_CANCEL "org.virtward.teardown.cancel"
#define WARD_ACTION_TRUSTDOMAIN_CAPACITY "org.virtward.trustdomain.capacity"
#define WARD_ACTION_INTROSPECTION_ATTACH "org.virtward.introspection.attach"
#define WARD_ACTION_INTROSPECTION_DETACH "org.virtward.introspection.detach"
#define WARD_ACTION_ISOLATION_SET "org.virtward.isolation.set"
#define WARD_ACTION_ISOLATION_STATISTICS "org.virtward.isolation.statistics"
#define WARD_ACTION_JOB_CANCEL "org.virtward.job.cancel"
