// SPDX-License-Identifier: GPL-2.0-only
/*
 * Isolated VMs: their vCPUs run, and are served, in a restricted address space.
 *
 * Every VM has one if the kernel was booted with asi=on. Whether its vCPUs enter
 * it is the VM's policy, which can change at any time. A CPU goes there right
 * before the guest runs, and stays until it touches what is missing, is scheduled,
 * or KVM_RUN returns.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitops.h>
#include <linux/kvm_control.h>
#include <linux/kvm_host.h>
#include <linux/memcontrol.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <asm/asi.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/special_insns.h>
#include <uapi/linux/kvm_isolation.h>

#include "isolation.h"

/* L1TF reads physical addresses: that nothing maps them is not enough. */
static noinstr void kvm_isolation_flush_data(void)
{
	if (static_cpu_has_bug(X86_BUG_L1TF) && cpu_feature_enabled(X86_FEATURE_FLUSH_L1D))
		native_wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
	x86_clear_cpu_buffers();
}

static noinstr void kvm_isolation_flush_control(void)
{
	indirect_branch_prediction_barrier();
}

static const struct asi_class kvm_asi_class = {
	.name		= "KVM",
	.flush_data	= kvm_isolation_flush_data,
	.flush_control	= kvm_isolation_flush_control,
};

/* Returns whether the next entry is to be a restricted one: as the policy is, but for mistakes. */
static __always_inline bool kvm_isolation_decide(struct kvm_vcpu *vcpu)
{
	struct kvm_isolation *isolation = vcpu->kvm->arch.isolation;
	bool on = READ_ONCE(isolation->on);

	vcpu->arch.isolation.on = on;
	if (on && !asi_forget_enter()) {
		asi_enter(&isolation->asi);
		return true;
	}
	asi_exit_irqs_off(ASI_EXIT_EXPLICIT);
	return false;
}

static __always_inline void kvm_isolation_violated(struct kvm_vcpu *vcpu)
{
	vcpu->arch.isolation.violations++;
	/* This also ends a run of exits that are handled without a look at requests. */
	arch_set_bit(KVM_REQ_ISOLATION_BROKEN & KVM_REQUEST_MASK,
		     (unsigned long *)&vcpu->requests);
}

/* What counts is what the CPU says. */
static __always_inline void kvm_isolation_check(struct kvm_vcpu *vcpu)
{
	struct kvm_isolation_vcpu *v = &vcpu->arch.isolation;

	struct asi *asi = &vcpu->kvm->arch.isolation->asi;

	if (asi_is_loaded(asi)) {
		v->restricted = asi;
		v->entries_restricted++;
		return;
	}
	v->restricted = NULL;
	v->entries_unrestricted++;
	if (v->on)
		kvm_isolation_violated(vcpu);
}

/* A fault after the check, where nothing may be missing: the entry is not what it counts as. */
static __always_inline void kvm_isolation_recount(struct kvm_vcpu *vcpu)
{
	struct kvm_isolation_vcpu *v = &vcpu->arch.isolation;

	v->entries_restricted--;
	v->entries_unrestricted++;
	kvm_isolation_violated(vcpu);
}

/* See kvm_isolation_prepare(). */
noinstr void __kvm_isolation_prepare(struct kvm_vcpu *vcpu)
{
	vcpu->arch.isolation.enter = kvm_isolation_decide(vcpu);
}
EXPORT_SYMBOL_GPL(__kvm_isolation_prepare);

/* See kvm_isolation_enter(). */
noinstr void __kvm_isolation_enter(struct kvm_vcpu *vcpu)
{
	/* A fault since it was prepared is made good here. From now on, nothing may be missing. */
	if (vcpu->arch.isolation.enter)
		asi_enter(&vcpu->kvm->arch.isolation->asi);
	kvm_isolation_check(vcpu);
}
EXPORT_SYMBOL_GPL(__kvm_isolation_enter);

/* See kvm_isolation_prepare_and_enter(). */
noinstr void __kvm_isolation_prepare_and_enter(struct kvm_vcpu *vcpu)
{
	kvm_isolation_decide(vcpu);
	kvm_isolation_check(vcpu);
}
EXPORT_SYMBOL_GPL(__kvm_isolation_prepare_and_enter);

/* See kvm_isolation_resync(). */
noinstr void __kvm_isolation_resync(struct kvm_vcpu *vcpu)
{
	struct kvm_isolation_vcpu *v = &vcpu->arch.isolation;

	if (v->enter && unlikely(!asi_resync(&vcpu->kvm->arch.isolation->asi)) &&
	    v->restricted)
		kvm_isolation_recount(vcpu);
	asi_relax();
}
EXPORT_SYMBOL_GPL(__kvm_isolation_resync);

/* See kvm_isolation_exited(). */
noinstr void __kvm_isolation_recount(struct kvm_vcpu *vcpu)
{
	kvm_isolation_recount(vcpu);
}
EXPORT_SYMBOL_GPL(__kvm_isolation_recount);

/**
 * kvm_isolation_report() - tell the managers that a vCPU entered unrestricted
 * @vcpu: the vCPU, which should not have
 */
void kvm_isolation_report(struct kvm_vcpu *vcpu)
{
	kvm_control_set_broken(vcpu->kvm, KVM_CONTROL_ISOLATION, EFAULT);
}

static void kvm_isolation_add(u64 *stat, u64 now, u64 *added)
{
	*stat += now - *added;
	*added = now;
}

/* See kvm_isolation_put(). The vCPU's numbers are its own, the statistics the VM's. */
void __kvm_isolation_put(struct kvm_vcpu *vcpu)
{
	struct kvm_isolation *isolation = vcpu->kvm->arch.isolation;
	struct kvm_isolation_vcpu *v = &vcpu->arch.isolation;
	struct kvm_vm_stat *stat = &vcpu->kvm->stat;
	struct asi *asi = &isolation->asi;
	unsigned long flags;

	asi_exit(READ_ONCE(vcpu->scheduled_out) ? ASI_EXIT_SCHEDULE : ASI_EXIT_USERSPACE);

	if (v->entries_restricted == v->added_restricted &&
	    v->entries_unrestricted == v->added_unrestricted)
		return;
	raw_spin_lock_irqsave(&isolation->lock, flags);
	kvm_isolation_add(&stat->isolation_entries_restricted, v->entries_restricted,
			  &v->added_restricted);
	kvm_isolation_add(&stat->isolation_entries_unrestricted, v->entries_unrestricted,
			  &v->added_unrestricted);
	kvm_isolation_add(&stat->isolation_violations, v->violations, &v->added_violations);
	stat->isolation_exits_fault = atomic64_read(&asi->exits[ASI_EXIT_FAULT]);
	stat->isolation_exits_schedule = atomic64_read(&asi->exits[ASI_EXIT_SCHEDULE]);
	stat->isolation_exits_userspace = atomic64_read(&asi->exits[ASI_EXIT_USERSPACE]);
	stat->isolation_exits_explicit = atomic64_read(&asi->exits[ASI_EXIT_EXPLICIT]);
	stat->isolation_flushes = atomic64_read(&asi->flushes);
	raw_spin_unlock_irqrestore(&isolation->lock, flags);
}

/**
 * kvm_isolation_init_vm() - make the restricted address space of a new VM
 * @kvm: the VM
 */
int kvm_isolation_init_vm(struct kvm *kvm)
{
	struct kvm_isolation *isolation;
	int r;

	if (!asi_enabled())
		return 0;
	isolation = kzalloc(sizeof(*isolation), GFP_KERNEL_ACCOUNT);
	if (!isolation)
		return -ENOMEM;
	r = asi_init(&isolation->asi, &kvm_asi_class);
	if (r) {
		kfree(isolation);
		return r;
	}
	raw_spin_lock_init(&isolation->lock);
	kvm->arch.isolation = isolation;
	return 0;
}

/*
 * A VM that can be a trust domain has other operations (kvm_arch_control_ops()), by
 * which its managers can neither see nor switch isolation: it never is on.
 */
static bool kvm_isolation_possible(struct kvm *kvm)
{
	return kvm->arch.isolation && kvm->arch.vm_type != KVM_X86_TDX_VM;
}

/**
 * kvm_isolation_post_init_vm() - begin with what the process's group says
 * @kvm: the VM, without vCPUs
 */
void kvm_isolation_post_init_vm(struct kvm *kvm)
{
	if (!kvm_isolation_possible(kvm) || !asi_cgroup_wants(kvm->mm))
		return;
	WRITE_ONCE(kvm->arch.isolation->on, true);
	kvm_control_born_active(kvm, KVM_CONTROL_ISOLATION);
}

/**
 * kvm_isolation_destroy_vm() - undo kvm_isolation_init_vm()
 * @kvm: the VM, whose vCPUs are gone
 */
void kvm_isolation_destroy_vm(struct kvm *kvm)
{
	if (!kvm->arch.isolation)
		return;
	asi_destroy(&kvm->arch.isolation->asi);
	kfree(kvm->arch.isolation);
	kvm->arch.isolation = NULL;
}

#ifdef CONFIG_KVM_CONTROL

static u64 kvm_isolation_supported(struct kvm *kvm)
{
	return kvm_isolation_possible(kvm) ? KVM_CONTROL_ISOLATION : 0;
}

/*
 * A vCPU decides after it is IN_GUEST_MODE, with a barrier in between: it sees the
 * new policy, or it is seen and waited for until it has left the guest.
 */
static int kvm_isolation_set_policy(struct kvm *kvm, u64 mask, u64 value)
{
	if (mask != KVM_CONTROL_ISOLATION)
		return -EOPNOTSUPP;
	WRITE_ONCE(kvm->arch.isolation->on, value & KVM_CONTROL_ISOLATION);
	kvm_make_all_cpus_request(kvm, KVM_REQ_OUTSIDE_GUEST_MODE);
	return 0;
}

static int kvm_isolation_get_stats(struct kvm *kvm, struct kvm_isolation_stats *stats)
{
	struct kvm_isolation *isolation = kvm->arch.isolation;
	struct kvm_isolation_vcpu *v;
	struct kvm_vcpu *vcpu;
	unsigned long i;

	if (!isolation)
		return -EOPNOTSUPP;
	kvm_for_each_vcpu(i, vcpu, kvm) {
		v = &vcpu->arch.isolation;
		stats->entries_restricted += READ_ONCE(v->entries_restricted);
		stats->entries_unrestricted += READ_ONCE(v->entries_unrestricted);
		stats->violations += READ_ONCE(v->violations);
	}
	stats->exits_fault = atomic64_read(&isolation->asi.exits[ASI_EXIT_FAULT]);
	stats->exits_schedule = atomic64_read(&isolation->asi.exits[ASI_EXIT_SCHEDULE]);
	stats->exits_userspace = atomic64_read(&isolation->asi.exits[ASI_EXIT_USERSPACE]);
	stats->exits_explicit = atomic64_read(&isolation->asi.exits[ASI_EXIT_EXPLICIT]);
	stats->flushes = atomic64_read(&isolation->asi.flushes);
	return 0;
}

const struct kvm_control_ops kvm_isolation_control_ops = {
	.supported		= kvm_isolation_supported,
	.set_policy		= kvm_isolation_set_policy,
	.get_isolation_stats	= kvm_isolation_get_stats,
};

#ifndef CONFIG_INTEL_TDX_HOST
const struct kvm_control_ops *kvm_arch_control_ops(struct kvm *kvm)
{
	return &kvm_isolation_control_ops;
}
#endif

#endif /* CONFIG_KVM_CONTROL */
