/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asynchronous teardown of protected guests, as managers see and steer it.
 */
#ifndef _KVM_S390_TEARDOWN_H
#define _KVM_S390_TEARDOWN_H

#include <linux/kvm_host.h>
#include <asm/gmap.h>

/**
 * struct kvm_s390_teardown_run - one teardown, while it runs
 * @kvm: the VM whose guest it was
 * @number: which one of the VM's guests
 * @started_ns: when the run began
 * @done: pages destroyed
 * @total: pages that it is expected to destroy
 * @by_manager: it is not the VM's process that runs it
 */
struct kvm_s390_teardown_run {
	struct kvm *kvm;
	u64 number;
	u64 started_ns;
	u64 done;
	u64 total;
	bool by_manager;
};

#ifdef CONFIG_KVM_CONTROL

void kvm_s390_teardown_init(struct kvm *kvm);
bool kvm_s390_teardown_is_off(struct kvm *kvm);
bool kvm_s390_teardown_may_resume(struct kvm *kvm);
u64 kvm_s390_teardown_prepared(struct kvm *kvm);
void kvm_s390_teardown_begin(struct kvm_s390_teardown_run *run,
			     struct kvm *kvm, u64 number, bool resumed);
int kvm_s390_teardown_walk(struct kvm_s390_teardown_run *run);
void kvm_s390_teardown_interrupted(struct kvm_s390_teardown_run *run);
void kvm_s390_teardown_ended(struct kvm_s390_teardown_run *run, bool failed,
			     u16 rc, u16 rrc);
void kvm_s390_teardown_disposed(struct kvm *kvm, u64 number, bool failed,
				u16 rc, u16 rrc);
void kvm_s390_teardown_all_disposed(struct kvm *kvm);

#else /* !CONFIG_KVM_CONTROL */

static inline void kvm_s390_teardown_init(struct kvm *kvm)
{
}

static inline bool kvm_s390_teardown_is_off(struct kvm *kvm)
{
	return false;
}

static inline bool kvm_s390_teardown_may_resume(struct kvm *kvm)
{
	return false;
}

static inline u64 kvm_s390_teardown_prepared(struct kvm *kvm)
{
	return 0;
}

static inline void kvm_s390_teardown_begin(struct kvm_s390_teardown_run *run,
					   struct kvm *kvm, u64 number,
					   bool resumed)
{
	run->kvm = kvm;
}

static inline int kvm_s390_teardown_walk(struct kvm_s390_teardown_run *run)
{
	return s390_uv_destroy_range_interruptible(run->kvm->mm, 0, TASK_SIZE_MAX);
}

static inline void
kvm_s390_teardown_interrupted(struct kvm_s390_teardown_run *run)
{
}

static inline void kvm_s390_teardown_ended(struct kvm_s390_teardown_run *run,
					   bool failed, u16 rc, u16 rrc)
{
}

static inline void kvm_s390_teardown_disposed(struct kvm *kvm, u64 number,
					      bool failed, u16 rc, u16 rrc)
{
}

static inline void kvm_s390_teardown_all_disposed(struct kvm *kvm)
{
}

#endif /* CONFIG_KVM_CONTROL */

#endif /* _KVM_S390_TEARDOWN_H */
