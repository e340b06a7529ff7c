/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM control: what the rest of KVM sees of it.
 */
#ifndef __KVM_CONTROL_H
#define __KVM_CONTROL_H

#include <linux/errno.h>
#include <linux/types.h>
#include <uapi/linux/kvm_control.h>

struct kvm;
struct kvm_vcpu;

/**
 * struct kvm_control_ops - what a manager can switch for a VM
 * @supported: which KVM_CONTROL_* bits this VM can have
 * @set_policy: switch the bits in mask, a subset of @supported, to value
 *
 * @set_policy changes everything asked for, or nothing and returns an error.
 * After it has succeeded, a vCPU that begins its first KVM_RUN does so under
 * the new policy; what vCPUs that are in the guest need is its own business.
 * It may be asked for what is so already. It may sleep, and is called for one
 * VM at a time, running or not.
 */
struct kvm_control_ops {
	u64 (*supported)(struct kvm *kvm);
	int (*set_policy)(struct kvm *kvm, u64 mask, u64 value);
};

#ifdef CONFIG_KVM_CONTROL

int kvm_control_create_vm(struct kvm *kvm);
void kvm_control_destroy_vm(struct kvm *kvm);
void kvm_control_first_run(struct kvm_vcpu *vcpu);
long kvm_control_dev_ioctl_open(const struct kvm_control_open __user *uopen);

void kvm_control_born_active(struct kvm *kvm, u64 bit);
void kvm_control_set_active(struct kvm *kvm, u64 bit, bool on);
void kvm_control_set_broken(struct kvm *kvm, u64 bit, int error);
void kvm_control_event(struct kvm *kvm, u32 type, u64 data0, u64 data1);

const struct kvm_control_ops *kvm_arch_control_ops(struct kvm *kvm);

#else /* !CONFIG_KVM_CONTROL */

static inline int kvm_control_create_vm(struct kvm *kvm)
{
	return 0;
}

static inline void kvm_control_destroy_vm(struct kvm *kvm)
{
}

static inline void kvm_control_first_run(struct kvm_vcpu *vcpu)
{
}

static inline long
kvm_control_dev_ioctl_open(const struct kvm_control_open __user *uopen)
{
	return -EINVAL;
}

static inline void kvm_control_born_active(struct kvm *kvm, u64 bit)
{
}

static inline void kvm_control_set_active(struct kvm *kvm, u64 bit, bool on)
{
}

static inline void kvm_control_set_broken(struct kvm *kvm, u64 bit, int error)
{
}

static inline void kvm_control_event(struct kvm *kvm, u32 type, u64 data0,
				     u64 data1)
{
}

#endif /* CONFIG_KVM_CONTROL */

#endif /* __KVM_CONTROL_H */
