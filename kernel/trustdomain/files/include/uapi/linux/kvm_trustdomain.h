/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * KVM control: trust domains, as a manager sees them.
 *
 * See Documentation/virt/kvm/trustdomain.rst.
 */
#ifndef _UAPI_LINUX_KVM_TRUSTDOMAIN_H
#define _UAPI_LINUX_KVM_TRUSTDOMAIN_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/kvm.h>

/* Values of kvm_trustdomain_info.state: how far the host has driven its life. */
enum kvm_trustdomain_state {
	KVM_TRUSTDOMAIN_NONE = 0,		/* nothing was created in the module yet */
	KVM_TRUSTDOMAIN_ASSIGNED = 1,		/* has a KeyID and a root page */
	KVM_TRUSTDOMAIN_CONFIGURED = 2,		/* key configured on every package */
	KVM_TRUSTDOMAIN_INITIALIZED = 3,	/* KVM_TDX_INIT_VM done */
	KVM_TRUSTDOMAIN_BLOCKED = 4,		/* vCPUs flushed: cannot run any more */
	KVM_TRUSTDOMAIN_TEARDOWN = 5,		/* KeyID given back; pages being reclaimed */
	KVM_TRUSTDOMAIN_RECLAIMED = 6,		/* nothing is left of it */
	KVM_TRUSTDOMAIN_LEAKED = 7,		/* the module did not give something back */
};

/**
 * struct kvm_trustdomain_info - what KVM_TRUSTDOMAIN_GET_INFO returns
 * @state: enum kvm_trustdomain_state
 * @hkid: its KeyID, 0 if it has none (any more)
 * @vcpus: vCPUs that were created in the module
 * @flags: zero
 * @control_pages: pages for the trust domain and its vCPUs that the module has
 * @private_pages: pages of the guest that the module has
 * @reclaimed_pages: pages that the module has given back
 * @leaked_pages: pages that it did not give back
 * @status: completion status of the SEAMCALL that failed last, 0 if none did
 * @status_leaf: which one that was
 * @created_ns: CLOCK_BOOTTIME of its creation in the module, 0 if not created
 * @key_released_ns: CLOCK_BOOTTIME of when the KeyID was given back, or 0
 * @padding: zero
 */
struct kvm_trustdomain_info {
	__u32 state;
	__u32 hkid;
	__u32 vcpus;
	__u32 flags;
	__u64 control_pages;
	__u64 private_pages;
	__u64 reclaimed_pages;
	__u64 leaked_pages;
	__u64 status;
	__u64 status_leaf;
	__u64 created_ns;
	__u64 key_released_ns;
	__u64 padding[6];
};

/* On a control fd */
#define KVM_TRUSTDOMAIN_GET_INFO	_IOR(KVMIO, 0xfb, struct kvm_trustdomain_info)

/**
 * struct kvm_trustdomain_capacity - what KVM_TRUSTDOMAIN_GET_CAPACITY returns
 * @flags: in: zero
 * @total: KeyIDs for guests
 * @used: assigned to trust domains, leaked ones not counted
 * @leaked: lost until the host reboots
 * @leaked_pages: pages lost until the host reboots
 * @leaks: how many records KVM_TRUSTDOMAIN_GET_LEAK has
 * @padding: in and out: zero
 */
struct kvm_trustdomain_capacity {
	__u32 flags;
	__u32 total;
	__u32 used;
	__u32 leaked;
	__u64 leaked_pages;
	__u64 leaks;
	__u64 padding[4];
};

/* On /dev/kvm */
#define KVM_TRUSTDOMAIN_GET_CAPACITY	_IOWR(KVMIO, 0xfc, struct kvm_trustdomain_capacity)

/**
 * struct kvm_trustdomain_leak - what KVM_TRUSTDOMAIN_GET_LEAK returns
 * @index: in: which record, from 0, the oldest first
 * @hkid: the KeyID that was lost, 0 if only pages were
 * @pid: the process that had the VM, in the caller's pid namespace; 0 if it is
 *	not in there
 * @padding0: in and out: zero
 * @leaf: the SEAMCALL that failed
 * @status: its completion status
 * @pages: how many pages were lost
 * @time_ns: CLOCK_BOOTTIME
 * @padding: in and out: zero
 */
struct kvm_trustdomain_leak {
	__u32 index;
	__u32 hkid;
	__s32 pid;
	__u32 padding0;
	__u64 leaf;
	__u64 status;
	__u64 pages;
	__u64 time_ns;
	__u64 padding[4];
};

/* On /dev/kvm */
#define KVM_TRUSTDOMAIN_GET_LEAK	_IOWR(KVMIO, 0xfd, struct kvm_trustdomain_leak)

/* Values of kvm_control_event.type, and what data[] holds. */
enum kvm_trustdomain_event_type {
	KVM_TRUSTDOMAIN_EVENT_STATE = 0x200,	/* old state, new state */
	KVM_TRUSTDOMAIN_EVENT_LEAKED = 0x201,	/* KeyID or 0, pages, leaf, status */
	KVM_TRUSTDOMAIN_EVENT_RELEASED = 0x202,	/* KeyID */
};

#endif /* _UAPI_LINUX_KVM_TRUSTDOMAIN_H */
