/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * KVM isolation: what a manager is told of a VM's address space isolation.
 *
 * It is switched, and reported, as the policy KVM_CONTROL_ISOLATION of a
 * control fd: see linux/kvm_control.h.
 */
#ifndef _UAPI_LINUX_KVM_ISOLATION_H
#define _UAPI_LINUX_KVM_ISOLATION_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/kvm.h>

/**
 * struct kvm_isolation_stats - what KVM_ISOLATION_GET_STATS returns
 * @entries_restricted: entries into the guest from the restricted address space
 * @entries_unrestricted: entries from the full one, whatever the policy
 * @violations: those of @entries_unrestricted that happened while it was on
 * @exits_fault: exits to the full address space because of a page fault
 * @exits_schedule: because another task was scheduled
 * @exits_userspace: because KVM_RUN returned
 * @exits_explicit: because the kernel asked for it
 * @flushes: flushes of CPU state on the way into a guest
 * @padding: zero
 *
 * All of them count since the VM was created.
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

/* On a control fd. */
#define KVM_ISOLATION_GET_STATS	_IOR(KVMIO, 0xf6, struct kvm_isolation_stats)

#endif /* _UAPI_LINUX_KVM_ISOLATION_H */
