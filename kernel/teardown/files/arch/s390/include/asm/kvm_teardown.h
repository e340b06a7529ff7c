/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What KVM knows about the asynchronous teardown of a VM's protected guests.
 */
#ifndef _ASM_S390_KVM_TEARDOWN_H
#define _ASM_S390_KVM_TEARDOWN_H

#include <linux/spinlock.h>
#include <linux/types.h>

/**
 * struct kvm_s390_teardown - in struct kvm_s390_pv
 * @off: a manager forbids to set guests aside; read and written locklessly
 * @interrupt: running teardowns shall stop; read locklessly
 * @lock: protects everything below
 * @set_aside: a guest is set aside and its teardown has not started
 * @running: teardowns that are running
 * @interrupted: teardowns that were interrupted and are not cleaned up yet
 * @rc: Ultravisor return code of the last one that ended
 * @rrc: reason code that goes with @rc
 * @last: number of the guest whose teardown started last
 * @pages_done: pages that it has destroyed
 * @pages_total: how many it is expected to destroy
 * @prepared_ns: when a guest was last set aside
 * @started_ns: when a teardown last started
 * @duration_ns: how long the last one that finished took
 */
struct kvm_s390_teardown {
	bool off;
	bool interrupt;
	spinlock_t lock;	/* protects all below */
	bool set_aside;
	u32 running;
	u32 interrupted;
	u16 rc;
	u16 rrc;
	u64 last;
	u64 pages_done;
	u64 pages_total;
	u64 prepared_ns;
	u64 started_ns;
	u64 duration_ns;
};

#endif /* _ASM_S390_KVM_TEARDOWN_H */
