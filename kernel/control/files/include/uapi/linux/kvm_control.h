/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * KVM control: a manager's access to a VM that another process created.
 *
 * See Documentation/virt/kvm/control.rst.
 */
#ifndef _UAPI_LINUX_KVM_CONTROL_H
#define _UAPI_LINUX_KVM_CONTROL_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/kvm.h>

/* KVM_CHECK_EXTENSION; from a range of its own, far above upstream's. */
#define KVM_CAP_CONTROL			0x56440000

/* Bits of kvm_control_info's and kvm_control_policy's masks. */
#define KVM_CONTROL_TEARDOWN		(1ULL << 0)
#define KVM_CONTROL_TRUSTDOMAIN		(1ULL << 1)
#define KVM_CONTROL_INTROSPECTION	(1ULL << 2)
#define KVM_CONTROL_ISOLATION		(1ULL << 3)

/* What KVM_CONTROL_SET_POLICY can be asked for; the rest is only reported. */
#define KVM_CONTROL_POLICY_MASK		(KVM_CONTROL_TEARDOWN | \
					 KVM_CONTROL_ISOLATION)

/* Index of a bit's entry in kvm_control_info.item. */
#define KVM_CONTROL_NR_ITEMS		4

/* System ioctl; returns a control fd. */
struct kvm_control_open {
	__s32 pidfd;
	__u32 flags;
	__u64 padding[3];
};

#define KVM_CONTROL_OPEN	_IOW(KVMIO, 0xf0, struct kvm_control_open)

/* Bits of kvm_control_item.flags: it is on, but does not work any more. */
#define KVM_CONTROL_ITEM_BROKEN		(1U << 0)

/**
 * struct kvm_control_item - since when something is on, or off
 * @since_ns: CLOCK_BOOTTIME of the last change, 0 if there was none
 * @vcpus_entered: how many vCPUs had run guest code, or might have, at @since_ns
 * @flags: KVM_CONTROL_ITEM_*
 */
struct kvm_control_item {
	__u64 since_ns;
	__u32 vcpus_entered;
	__u32 flags;
};

/**
 * struct kvm_control_info - what KVM_CONTROL_GET_INFO returns
 * @supported: KVM_CONTROL_* bits that this VM can have
 * @active: KVM_CONTROL_* bits in force
 * @vcpus: number of vCPUs
 * @vcpus_entered: how many of them have run guest code, or might have
 * @first_entry_ns: CLOCK_BOOTTIME of the first of those entries, 0 if none
 * @events: number of events the VM has had so far
 * @item: one entry for each bit, in the order of the bits
 * @padding: zero
 */
struct kvm_control_info {
	__u64 supported;
	__u64 active;
	__u32 vcpus;
	__u32 vcpus_entered;
	__u64 first_entry_ns;
	__u64 events;
	struct kvm_control_item item[KVM_CONTROL_NR_ITEMS];
	__u64 padding[11];
};

#define KVM_CONTROL_GET_INFO	_IOR(KVMIO, 0xf1, struct kvm_control_info)

/**
 * struct kvm_control_policy - what KVM_CONTROL_SET_POLICY takes
 * @mask: KVM_CONTROL_* bits to change
 * @value: what they become
 * @padding: zero
 */
struct kvm_control_policy {
	__u64 mask;
	__u64 value;
	__u64 padding[2];
};

#define KVM_CONTROL_SET_POLICY	_IOW(KVMIO, 0xf2, struct kvm_control_policy)

/* Values of kvm_control_event.type, and what data[] holds. */
enum kvm_control_event_type {
	KVM_CONTROL_EVENT_FIRST_ENTRY = 1,	/* vCPU id */
	KVM_CONTROL_EVENT_POLICY = 2,		/* bits changed, bits in force */
	KVM_CONTROL_EVENT_DESTROYED = 3,	/* - */
	KVM_CONTROL_EVENT_BROKEN = 4,		/* bit, errno */
};

/**
 * struct kvm_control_event - a record that read() returns
 * @type: enum kvm_control_event_type
 * @lost: how many records before this one the reader was too slow for
 * @seq: number of the event in the VM's life, starting from 1
 * @time_ns: CLOCK_BOOTTIME
 * @data: depends on @type
 */
struct kvm_control_event {
	__u32 type;
	__u32 lost;
	__u64 seq;
	__u64 time_ns;
	__u64 data[5];
};

#endif /* _UAPI_LINUX_KVM_CONTROL_H */
