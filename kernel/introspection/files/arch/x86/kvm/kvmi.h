/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __KVM_X86_KVMI_H
#define __KVM_X86_KVMI_H

/*
 * KVM introspection: what the rest of KVM on x86 asks it about instructions of
 * the guest that a tool may want to see.
 */

#include <linux/kvm_host.h>
#include <uapi/linux/kvmi.h>

#include "kvm_emulate.h"

#ifdef CONFIG_KVM_INTROSPECTION

bool __kvmi_watches_cr(struct kvm_vcpu *vcpu, unsigned int cr);
bool __kvmi_cr_write(struct kvm_vcpu *vcpu, unsigned int cr, unsigned long *val);
bool __kvmi_watches_msr(struct kvm_vcpu *vcpu, u32 msr);
bool __kvmi_msr_write(struct kvm_vcpu *vcpu, u32 msr, u64 *val);
bool __kvmi_insn(struct kvm_vcpu *vcpu, enum x86_intercept intercept, u8 length);
bool __kvmi_hypercall(struct kvm_vcpu *vcpu);
int kvmi_finish_hypercall(struct kvm_vcpu *vcpu);

/* Whether the tool has said what is to become of just this. */
static inline bool kvmi_is_approved(struct kvm_vcpu *vcpu, u8 event)
{
	return vcpu->introspection.approved &&
	       vcpu->introspection.pending.id == event;
}

/* Whether the tool that is interested in this vCPU wants to see this event. */
static inline bool __kvmi_watches(struct kvm_vcpu *vcpu, u8 event)
{
	return vcpu->introspection.watch->events & BIT_ULL(event);
}

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

static inline bool __kvmi_insn(struct kvm_vcpu *vcpu,
			       enum x86_intercept intercept, u8 length)
{
	return false;
}

static inline bool __kvmi_hypercall(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline bool __kvmi_watches(struct kvm_vcpu *vcpu, u8 event)
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

/*
 * Whether an instruction of the guest is to cause an event, KVMI_EVENT_*. Who
 * has intercepted it leaves it to the emulator then, see kvmi_insn().
 */
static inline bool kvmi_watches(struct kvm_vcpu *vcpu, u8 event)
{
	return kvmi_watched(vcpu) && __kvmi_watches(vcpu, event);
}

/*
 * The emulator has decoded an instruction of @length bytes, and found no reason
 * to refuse it. Returns true if the tool is to be asked first.
 */
static inline bool kvmi_insn(struct kvm_vcpu *vcpu, enum x86_intercept intercept,
			     u8 length)
{
	return kvmi_watched(vcpu) && __kvmi_insn(vcpu, intercept, length);
}

/* The guest makes a hypercall. Returns true if it is one for the tool. */
static inline bool kvmi_hypercall(struct kvm_vcpu *vcpu)
{
	return kvmi_watched(vcpu) && __kvmi_hypercall(vcpu);
}

#endif /* __KVM_X86_KVMI_H */
