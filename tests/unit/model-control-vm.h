/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * model-control-vm.h: a model of the patched kernel behind the functions of control-vm.h
 *
 * There is one VM, of whoever asks. It answers KVM_TEARDOWN_* as
 * kernel/teardown/files/Documentation/virt/kvm/teardown.rst says, KVM_TRUSTDOMAIN_* and
 * KVM_ISOLATION_* with what it was given, and does nothing else: no kernel, no Ultravisor, no TDX
 * module and no guest is involved.
 */
#pragma once

#include <linux/kvm_isolation.h>
#include <linux/kvm_teardown.h>
#include <linux/kvm_trustdomain.h>

#include "control-vm.h"

typedef struct {
    int refusal;       /* errno of all of KVM_TEARDOWN_*; 0: they work */
    int probe_refusal; /* of the same on the empty VM */
    int perform_refusal;
    gboolean off_on_host;    /* kvm.async_destroy=N */
    int trustdomain_refusal; /* errno of KVM_TRUSTDOMAIN_GET_INFO */
    int system_refusal;      /* of KVM_TRUSTDOMAIN_* on /dev/kvm */
    int open_refusal;        /* of opening the control fd */
    int isolation_refusal;   /* of KVM_ISOLATION_GET_STATS, also on the empty VM */
    /* KVM_INTROSPECTION_*, whose header only x86_64 has: 0 or an errno. NULL: ENOTTY. */
    int (*introspection)(unsigned long request, void *argument);
    struct kvm_trustdomain_info trustdomain;
    struct kvm_trustdomain_capacity capacity;
    struct kvm_trustdomain_leak leaks[4]; /* capacity.leaks of them */

    guint opens; /* of control fds */
    guint sets;  /* of policies */
    struct kvm_control_info control;
    struct kvm_isolation_stats isolation;
    struct kvm_teardown_info info;

    guint performs; /* KVM_TEARDOWN_PERFORM, how often it was called */
    GThread *performer;
} ModelKernel;

/* To be changed and read between these two. */
ModelKernel *model_lock(void);
void model_unlock(void);

void model_reset(void);

/* A vCPU enters the guest: as the policy says, or, @violating, in spite of it. The manager is to be
 * told (model_tell). */
void model_enter(gboolean violating);

/* QEMU's side: a protected guest reboots, @age_seconds ago. FALSE: the kernel has answered EINVAL,
 * and QEMU tears the guest down synchronously. */
gboolean model_prepare(guint age_seconds);
void model_qemu_performs(guint64 total);

/* Until somebody is in KVM_TEARDOWN_PERFORM. */
void model_wait_for_performer(void);

/* The teardown that runs ends; 0, or rc << 16 | rrc of the Ultravisor's refusal. */
void model_end_teardown(guint32 refusal);

/* The control fd becomes readable. Main thread. */
void model_wake_reader(gboolean gone);
void model_tell(const struct kvm_control_event *event, gboolean gone);
