/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Isolation of VMs: what a manager can read on a control fd.
 *
 * See Documentation/virt/kvm/isolation.rst.
 */
#ifndef _UAPI_LINUX_KVM_ISOLATION_H
#define _UAPI_LINUX_KVM_ISOLATION_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/kvm.h>

/**
 * struct kvm_isolation_stats - counters of a VM, since it was created
 * @entries_restricted: VM entries with a restricted address space loaded
 * @entries_unrestricted: the others
 * @violations: how many of those there were while isolation was on: always zero
 * @exits_fault: how often a CPU left the restricted address space, since it
 *		 touched what is not mapped there,
 * @exits_schedule: since the vCPU's thread was scheduled,
 * @exits_userspace: since KVM_RUN returned,
 * @exits_explicit: for any other reason
 * @flushes: how often a CPU's buffers or branch predictors were cleared
 * @padding: zero
 */
struct kvm_isolation_stats {
	__u64 entries_restricted;
	__u64 entries_unrestricted;
	__u64 violations;
	__u64 exits_fault;
	__u64 exits_schedule;
	__u64 exits_userspace;
	__u64 exits_explicit;
	__u64 flushes;
	__u64 padding[8];
};

#define KVM_ISOLATION_GET_STATS	_IOR(KVMIO, 0xf6, struct kvm_isolation_stats)

#endif /* _UAPI_LINUX_KVM_ISOLATION_H */
