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
bool __kvmi_step_enter(struct kvm_vcpu *vcpu);
void __kvmi_step_exit(struct kvm_vcpu *vcpu);
bool __kvmi_step_skipped(struct kvm_vcpu *vcpu);
bool __kvmi_step_db(struct kvm_vcpu *vcpu, u64 *dr6);
void __kvmi_step_trapped(struct kvm_vcpu *vcpu);
bool __kvmi_breakpoint(struct kvm_vcpu *vcpu, u8 insn_len);
int kvmi_step_exception(struct kvm_vcpu *vcpu, u8 vector, u32 error_code,
			u64 address);
int kvmi_step_int(struct kvm_vcpu *vcpu);

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

/* Whether a tool steps through what this vCPU executes. */
static inline bool kvmi_steps(struct kvm_vcpu *vcpu)
{
	return kvmi_watched(vcpu) && vcpu->introspection.watch->arch.step.on;
}

/* Whether #BP must be intercepted. */
static inline bool kvmi_wants_breakpoints(struct kvm_vcpu *vcpu)
{
	return kvmi_watched(vcpu) && vcpu->introspection.watch->events &
				     BIT_ULL(KVMI_EVENT_BREAKPOINT);
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

static inline bool kvmi_steps(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline bool kvmi_wants_breakpoints(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline bool __kvmi_step_enter(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline void __kvmi_step_exit(struct kvm_vcpu *vcpu)
{
}

static inline bool __kvmi_step_skipped(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline bool __kvmi_step_db(struct kvm_vcpu *vcpu, u64 *dr6)
{
	return false;
}

static inline void __kvmi_step_trapped(struct kvm_vcpu *vcpu)
{
}

static inline bool __kvmi_breakpoint(struct kvm_vcpu *vcpu, u8 insn_len)
{
	return false;
}

static inline int kvmi_step_exception(struct kvm_vcpu *vcpu, u8 vector,
				      u32 error_code, u64 address)
{
	return 1;
}

static inline int kvmi_step_int(struct kvm_vcpu *vcpu)
{
	return 1;
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

/*
 * The guest is about to be entered, with interrupts disabled. Returns true if it
 * is to be left at once, with what is injected delivered.
 */
static inline bool kvmi_step_enter(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.switch_db_regs & KVM_DEBUGREG_STEP &&
	       __kvmi_step_enter(vcpu);
}

/* It was left; nobody has looked at its RFLAGS yet. */
static inline void kvmi_step_exit(struct kvm_vcpu *vcpu)
{
	if (vcpu->arch.switch_db_regs & KVM_DEBUGREG_STEP)
		__kvmi_step_exit(vcpu);
}

/*
 * KVM has executed an instruction with RFLAGS.TF set. Returns true if the #DB
 * that comes of it is none of the guest's.
 */
static inline bool kvmi_step_skipped(struct kvm_vcpu *vcpu)
{
	return kvmi_steps(vcpu) && __kvmi_step_skipped(vcpu);
}

/*
 * The guest has raised a #DB. Returns true if all of it is a step; otherwise
 * what is left of it is in @dr6.
 */
static inline bool kvmi_step_db(struct kvm_vcpu *vcpu, u64 *dr6)
{
	return kvmi_steps(vcpu) && __kvmi_step_db(vcpu, dr6);
}

/* The CPU says that a step is done. */
static inline void kvmi_step_trapped(struct kvm_vcpu *vcpu)
{
	if (kvmi_steps(vcpu))
		__kvmi_step_trapped(vcpu);
}

/*
 * The guest has raised a #BP. Returns true if introspection sees to it, and
 * false if it is one for user space.
 */
static inline bool kvmi_breakpoint(struct kvm_vcpu *vcpu, u8 insn_len)
{
	return kvmi_watched(vcpu) && __kvmi_breakpoint(vcpu, insn_len);
}

#endif /* __KVM_X86_KVMI_H */
