/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Isolated VMs: their vCPUs run, and are served, in a restricted address space.
 */
#ifndef __KVM_X86_ISOLATION_H
#define __KVM_X86_ISOLATION_H

#include <linux/kvm_host.h>
#include <asm/asi.h>

#ifdef CONFIG_MITIGATION_ADDRESS_SPACE_ISOLATION

/**
 * struct kvm_isolation - the isolation of a VM
 * @asi: its restricted address space
 * @on: whether its vCPUs enter that
 * @lock: protects what is added to the VM's statistics
 */
struct kvm_isolation {
	struct asi asi;
	bool on;
	raw_spinlock_t lock;	/* protects the VM's statistics */
};

int kvm_isolation_init_vm(struct kvm *kvm);
void kvm_isolation_post_init_vm(struct kvm *kvm);
void kvm_isolation_destroy_vm(struct kvm *kvm);
void kvm_isolation_report(struct kvm_vcpu *vcpu);
void __kvm_isolation_put(struct kvm_vcpu *vcpu);
void __kvm_isolation_prepare(struct kvm_vcpu *vcpu);
void __kvm_isolation_enter(struct kvm_vcpu *vcpu);
void __kvm_isolation_prepare_and_enter(struct kvm_vcpu *vcpu);
void __kvm_isolation_resync(struct kvm_vcpu *vcpu);
void __kvm_isolation_recount(struct kvm_vcpu *vcpu);

extern const struct kvm_control_ops kvm_isolation_control_ops;

/*
 * Before a VM entry, with interrupts off and the vCPU in IN_GUEST_MODE: whether
 * this entry is a restricted one is decided here, once.
 */
static __always_inline void kvm_isolation_prepare(struct kvm_vcpu *vcpu)
{
	if (asi_enabled())
		__kvm_isolation_prepare(vcpu);
}

/* Right before the VM entry: see that it is what was decided, and count it. */
static __always_inline void kvm_isolation_enter(struct kvm_vcpu *vcpu)
{
	if (asi_enabled())
		__kvm_isolation_enter(vcpu);
}

/* Both, where nothing can come in between, and CR3 is noted at the VM entry itself. */
static __always_inline void kvm_isolation_prepare_and_enter(struct kvm_vcpu *vcpu)
{
	if (asi_enabled())
		__kvm_isolation_prepare_and_enter(vcpu);
}

/*
 * Right after the VM exit: see that nothing has come between the check and the entry.
 * The first is for where kvm_isolation_enter() was used, and CR3 may be another one
 * than it was at the entry; after kvm_isolation_prepare_and_enter() it is not.
 */
static __always_inline void kvm_isolation_resync(struct kvm_vcpu *vcpu)
{
	if (asi_enabled())
		__kvm_isolation_resync(vcpu);
}

static __always_inline void kvm_isolation_exited(struct kvm_vcpu *vcpu)
{
	struct asi *restricted;

	if (!asi_enabled())
		return;
	restricted = vcpu->arch.isolation.restricted;
	if (restricted && unlikely(this_cpu_read(asi_cpu.curr) != restricted))
		__kvm_isolation_recount(vcpu);
	asi_relax();
}

/* The vCPU's thread is done with it for now. */
static inline void kvm_isolation_put(struct kvm_vcpu *vcpu)
{
	if (asi_enabled())
		__kvm_isolation_put(vcpu);
}

#else /* !CONFIG_MITIGATION_ADDRESS_SPACE_ISOLATION */

static inline int kvm_isolation_init_vm(struct kvm *kvm)
{
	return 0;
}

static inline void kvm_isolation_post_init_vm(struct kvm *kvm)
{
}

static inline void kvm_isolation_destroy_vm(struct kvm *kvm)
{
}

static inline void kvm_isolation_report(struct kvm_vcpu *vcpu)
{
}

#define kvm_isolation_control_ops kvm_control_no_ops

static __always_inline void kvm_isolation_prepare(struct kvm_vcpu *vcpu)
{
}

static __always_inline void kvm_isolation_enter(struct kvm_vcpu *vcpu)
{
}

static __always_inline void kvm_isolation_prepare_and_enter(struct kvm_vcpu *vcpu)
{
}

static __always_inline void kvm_isolation_resync(struct kvm_vcpu *vcpu)
{
}

static __always_inline void kvm_isolation_exited(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_isolation_put(struct kvm_vcpu *vcpu)
{
}

#endif /* CONFIG_MITIGATION_ADDRESS_SPACE_ISOLATION */

#endif /* __KVM_X86_ISOLATION_H */
