/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * KVM control: the teardown of protected guests, as a manager sees it.
 *
 * See Documentation/virt/kvm/teardown.rst.
 */
#ifndef _UAPI_LINUX_KVM_TEARDOWN_H
#define _UAPI_LINUX_KVM_TEARDOWN_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/kvm.h>

/* Bits of kvm_teardown_info.state; none: nothing is left of earlier guests. */
#define KVM_TEARDOWN_SET_ASIDE		0x1
#define KVM_TEARDOWN_RUNNING		0x2
#define KVM_TEARDOWN_INTERRUPTED	0x4

/**
 * struct kvm_teardown_info - what KVM_TEARDOWN_GET_INFO returns
 * @state: KVM_TEARDOWN_* bits
 * @running: how many teardowns are running
 * @interrupted: how many were interrupted and are not cleaned up yet
 * @rc: Ultravisor return code of the last teardown that ended
 * @rrc: reason code that goes with @rc
 * @pages_done: pages that the teardown that started last has destroyed
 * @pages_total: how many it is expected to destroy
 * @prepared_ns: CLOCK_BOOTTIME of the last time a guest was set aside
 * @started_ns: CLOCK_BOOTTIME of the last start
 * @duration_ns: how long the last one that finished took, from its start
 * @prepared: how many guests were set aside so far
 * @started: how many teardowns were started so far
 * @finished: how many of them finished
 * @stopped: how many of them were interrupted
 * @failed: how many of them the Ultravisor refused to finish
 * @padding: zero
 */
struct kvm_teardown_info {
	__u32 state;
	__u32 running;
	__u32 interrupted;
	__u16 rc;
	__u16 rrc;
	__u64 pages_done;
	__u64 pages_total;
	__u64 prepared_ns;
	__u64 started_ns;
	__u64 duration_ns;
	__u64 prepared;
	__u64 started;
	__u64 finished;
	__u64 stopped;
	__u64 failed;
	__u64 padding[4];
};

#define KVM_TEARDOWN_GET_INFO	_IOR(KVMIO, 0xf8, struct kvm_teardown_info)

/**
 * struct kvm_teardown_perform - what KVM_TEARDOWN_PERFORM takes and returns
 * @flags: zero
 * @rc: out, Ultravisor return code
 * @rrc: out, Ultravisor return reason code
 * @padding: zero
 */
struct kvm_teardown_perform {
	__u32 flags;
	__u16 rc;
	__u16 rrc;
	__u64 padding[3];
};

#define KVM_TEARDOWN_PERFORM	_IOWR(KVMIO, 0xf9, struct kvm_teardown_perform)

#define KVM_TEARDOWN_INTERRUPT	_IO(KVMIO, 0xfa)

/*
 * Values of kvm_control_event.type. data[0] is the number of the guest, in the
 * order in which the VM's guests were set aside, counted from 1.
 */
enum kvm_teardown_event_type {
	KVM_TEARDOWN_EVENT_PREPARED = 0x100,	/* number, - */
	KVM_TEARDOWN_EVENT_STARTED = 0x101,	/* number, pages to destroy */
	KVM_TEARDOWN_EVENT_FINISHED = 0x102,	/* number, duration in ns */
	KVM_TEARDOWN_EVENT_INTERRUPTED = 0x103,	/* number, pages left */
	KVM_TEARDOWN_EVENT_FAILED = 0x104,	/* number, rc << 16 | rrc */
};

#endif /* _UAPI_LINUX_KVM_TEARDOWN_H */
