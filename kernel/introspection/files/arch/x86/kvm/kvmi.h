/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_X86_KVMI_H
#define __KVM_X86_KVMI_H

/*
 * KVM introspection: what the rest of KVM on x86 asks it about instructions of
 * the guest that a tool may want to see.
 */

#include <linux/kvm_host.h>

#ifdef CONFIG_KVM_INTROSPECTION

bool __kvmi_watches_cr(struct kvm_vcpu *vcpu, unsigned int cr);
bool __kvmi_cr_write(struct kvm_vcpu *vcpu, unsigned int cr, unsigned long *val);
bool __kvmi_watches_msr(struct kvm_vcpu *vcpu, u32 msr);
bool __kvmi_msr_write(struct kvm_vcpu *vcpu, u32 msr, u64 *val);

/* Whether any tool was ever interested in this vCPU. */
static inline bool kvmi_watched(struct kvm_vcpu *vcpu)
{
	return vcpu->introspection.watch;
}

#else /* !CONFIG_KVM_INTROSPECTION */

static inline bool kvmi_watched(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline bool __kvmi_watches_cr(struct kvm_vcpu *vcpu, unsigned int cr)
{
	return false;
}

static inline bool __kvmi_cr_write(struct kvm_vcpu *vcpu, unsigned int cr,
				   unsigned long *val)
{
	return false;
}

static inline bool __kvmi_watches_msr(struct kvm_vcpu *vcpu, u32 msr)
{
	return false;
}

static inline bool __kvmi_msr_write(struct kvm_vcpu *vcpu, u32 msr, u64 *val)
{
	return false;
}

#endif /* CONFIG_KVM_INTROSPECTION */

/* Whether writes of a control register must be intercepted. */
static inline bool kvmi_watches_cr(struct kvm_vcpu *vcpu, unsigned int cr)
{
	return kvmi_watched(vcpu) && __kvmi_watches_cr(vcpu, cr);
}

/*
 * The guest writes @val to a control register. Returns true if the tool is to
 * be asked first: leave everything as it is and go back to the guest. What it
 * answers is carried out by the emulator, where @val may have changed.
 */
static inline bool kvmi_cr_write(struct kvm_vcpu *vcpu, unsigned int cr,
				 unsigned long *val)
{
	return kvmi_watched(vcpu) && __kvmi_cr_write(vcpu, cr, val);
}

/* Whether writes of an MSR must be intercepted. */
static inline bool kvmi_watches_msr(struct kvm_vcpu *vcpu, u32 msr)
{
	return kvmi_watched(vcpu) && __kvmi_watches_msr(vcpu, msr);
}

/* As kvmi_cr_write(), for an MSR. */
static inline bool kvmi_msr_write(struct kvm_vcpu *vcpu, u32 msr, u64 *val)
{
	return kvmi_watched(vcpu) && __kvmi_msr_write(vcpu, msr, val);
}

#endif /* __KVM_X86_KVMI_H */
