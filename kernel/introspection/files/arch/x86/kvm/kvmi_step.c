// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: stepping through what a vCPU executes.
 *
 * Intel's CPUs have an exit for it. On AMD's there is RFLAGS.TF only, which the
 * guest has as well, and can see. So it is set when the guest is entered and put
 * back when it is left, before anybody looks: neither the rest of KVM nor user
 * space nor the tool ever finds it. While it is set, all that would store the
 * flags is intercepted, and the few instructions that do so, and cannot be
 * intercepted, are emulated instead.
 *
 * What KVM executes for the guest moves RIP, and is a step like any other. So is
 * the delivery of an exception, up to its handler's first instruction.
 * Interrupts wait until nobody steps any more, or else a guest whose timer is
 * faster than the tool would never leave the handler.
 *
 * All of it runs in the vCPU's own thread, in the middle of KVM_RUN.
 */
#include <linux/kvm_host.h>
#include <uapi/linux/kvm_para.h>

#include "../../../virt/kvm/introspection/kvmi_int.h"
#include "kvm_cache_regs.h"
#include "kvmi.h"
#include "mmu/page_pretrack.h"
#include "x86.h"

#define KVMI_INSN_SIZE	15

/**
 * kvmi_arch_update_debug() - step and intercept #BP as the tool wants it
 * @vcpu: the vCPU, which a tool watches or has watched
 *
 * Return: 0, or -KVM_EOPNOTSUPP if this CPU or guest does not allow it; then
 * the tool does not get these events.
 */
int kvmi_arch_update_debug(struct kvm_vcpu *vcpu)
{
	struct kvmi_watch *watch = vcpu->introspection.watch;
	struct kvmi_singlestep *step = &watch->arch.step;
	bool was_on = vcpu->arch.switch_db_regs & KVM_DEBUGREG_STEP;
	int r = 0;

	step->on = (step->loop || step->once) &&
		   watch->events & BIT_ULL(KVMI_EVENT_SINGLESTEP);
	if (vcpu->arch.guest_state_protected ||
	    !kvm_x86_call(introspect_debug)(vcpu)) {
		watch->events &= ~KVMI_DEBUG_EVENTS;
		*step = (struct kvmi_singlestep){};
		r = -KVM_EOPNOTSUPP;
	}
	if (step->on == was_on)
		return r;

	if (step->on) {
		vcpu->arch.switch_db_regs |= KVM_DEBUGREG_STEP;
	} else {
		*step = (struct kvmi_singlestep){ .loop = step->loop };
		vcpu->arch.switch_db_regs &= ~KVM_DEBUGREG_STEP;
		/* The interrupts that have waited. */
		kvm_make_request(KVM_REQ_EVENT, vcpu);
		/* NMIs may be hardware's again; without any it would end a HLT. */
		if (vcpu->arch.nmi_pending)
			kvm_make_request(KVM_REQ_NMI, vcpu);
	}
	kvm_update_apicv_blockirq(vcpu->kvm);
	return r;
}

int kvmi_arch_control_singlestep(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
				 void *out, size_t *size)
{
	const struct kvmi_vcpu_control_singlestep *arg = kvmi_vcpu_arg(job->in);
	struct kvmi_watch *watch;

	if (arg->enable > 1 || memchr_inv(arg->padding, 0, sizeof(arg->padding)))
		return -KVM_EINVAL;

	watch = kvmi_vcpu_watch(vcpu, job->session);
	if (!watch)
		return -KVM_ENOMEM;
	watch->arch.step.loop = arg->enable;
	return kvmi_arch_update_debug(vcpu);
}

static void kvmi_step_arm(struct kvm_vcpu *vcpu)
{
	struct kvmi_singlestep *step = &vcpu->introspection.watch->arch.step;

	step->armed = true;
	step->ready = false;
	step->done = false;
	step->rip = kvm_get_linear_rip(vcpu);
}

/**
 * kvmi_arch_step_once() - tell the tool when the next instruction is done
 * @vcpu: the vCPU, which waits with an event
 */
void kvmi_arch_step_once(struct kvm_vcpu *vcpu)
{
	struct kvmi_watch *watch = vcpu->introspection.watch;

	/* Or else it would be a step when the tool switches the event on later. */
	if (!(watch->events & BIT_ULL(KVMI_EVENT_SINGLESTEP)))
		return;
	watch->arch.step.once = true;
	kvmi_arch_update_debug(vcpu);
	/* It may be done before the vCPU goes on. */
	if (watch->arch.step.on && !watch->arch.step.armed)
		kvmi_step_arm(vcpu);
}

static void kvmi_step_tell(struct kvm_vcpu *vcpu)
{
	struct kvmi_singlestep *step = &vcpu->introspection.watch->arch.step;
	struct kvmi_vcpu_event event = {
		.id = KVMI_EVENT_SINGLESTEP,
		.size = sizeof(event.data.singlestep),
		.rip = kvm_get_linear_rip(vcpu),
	};

	step->armed = false;
	step->once = false;
	kvmi_arch_update_debug(vcpu);
	kvmi_vcpu_ask(vcpu, &event);
}

static bool kvmi_is_prefix(u8 byte, bool long_mode)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
	case 0x66: case 0x67: case 0xf0: case 0xf2: case 0xf3:
		return true;
	default:
		return long_mode && (byte & 0xf0) == 0x40;
	}
}

/**
 * kvmi_arch_opcode() - look at the instruction that comes next
 * @vcpu: the vCPU
 * @insn: 16 bytes for the instruction; behind what can be fetched there are zeroes
 *
 * Unlike the guest, this accesses no page that the tool is asked about.
 *
 * Return: where in @insn its opcode is.
 */
int kvmi_arch_opcode(struct kvm_vcpu *vcpu, u8 *insn)
{
	unsigned long rip = kvm_get_linear_rip(vcpu);
	int n = 0, part;
	gpa_t gpa;

	memset(insn, 0, KVMI_INSN_SIZE + 1);
	while (n < KVMI_INSN_SIZE) {
		gpa = kvm_page_fetch_gpa(vcpu, rip + n);
		part = min_t(int, KVMI_INSN_SIZE - n, PAGE_SIZE - offset_in_page(rip + n));
		if (gpa == INVALID_GPA || kvm_vcpu_read_guest(vcpu, gpa, insn + n, part))
			break;
		n += part;
	}

	for (n = 0; n < KVMI_INSN_SIZE && kvmi_is_prefix(insn[n], is_64_bit_mode(vcpu)); n++)
		;
	return n;
}

/*
 * Whether an instruction must not see our TF, or must not be executed natively
 * for another reason: it stores the flags, or it puts the #DB off to the end of
 * the next instruction, or it accesses debug registers, which KVM would leave
 * to the guest.
 */
static bool kvmi_step_emulates(const u8 *opcode)
{
	switch (opcode[0]) {
	case 0x9c:	/* pushf */
	case 0x9d:	/* popf */
	case 0x17:	/* pop %ss */
		return true;
	case 0x8e:	/* mov to %ss */
		return (opcode[1] & 0x38) == 0x10;
	case 0x0f:	/* syscall, mov from and to a debug register */
		return opcode[1] == 0x05 || opcode[1] == 0x21 || opcode[1] == 0x23;
	default:
		return false;
	}
}

static int kvmi_step_go_on(struct kvm_vcpu *vcpu)
{
	struct kvmi_singlestep *step = &vcpu->introspection.watch->arch.step;
	unsigned long rip = kvm_get_linear_rip(vcpu);
	u8 insn[KVMI_INSN_SIZE + 1];
	int at;

	/* A nested guest is one step of its hypervisor. */
	if (is_guest_mode(vcpu))
		return 1;
	if (step->armed && (step->done || step->rip != rip)) {
		kvmi_step_tell(vcpu);
		return 1;
	}

	kvmi_step_arm(vcpu);
	/* A reset or a nested guest may have changed it. */
	kvm_x86_call(introspect_debug)(vcpu);
	if (vcpu->arch.mp_state != KVM_MP_STATE_RUNNABLE ||
	    kvm_is_exception_pending(vcpu) || kvm_event_needs_reinjection(vcpu))
		return 1;

	if (kvm_x86_ops.STEPS_WITH_TF) {
		at = kvmi_arch_opcode(vcpu, insn);
		if (kvmi_step_emulates(insn + at)) {
			kvm_make_request(KVM_REQ_INTROSPECTION, vcpu);
			return kvm_emulate_instruction(vcpu, 0);
		}
		step->loads_flags = insn[at] == 0xcf;	/* iret */
	}
	step->ready = true;
	return 1;
}

/**
 * kvmi_arch_go_on() - do what the tool wants before the vCPU goes on
 * @vcpu: the vCPU, with kvm->srcu held; nothing is left to be asked or done
 *
 * Return: 1 to go on, or 0 if KVM_RUN has to return with an exit reason. If an
 * event has come up, there is a request again.
 */
int kvmi_arch_go_on(struct kvm_vcpu *vcpu)
{
	if (!kvmi_watched(vcpu) || kvmi_arch_inject(vcpu) || !kvmi_steps(vcpu))
		return 1;
	return kvmi_step_go_on(vcpu);
}

static bool kvmi_injected(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.exception.injected || vcpu->arch.nmi_injected ||
	       vcpu->arch.interrupt.injected;
}

bool __kvmi_step_enter(struct kvm_vcpu *vcpu)
{
	struct kvmi_singlestep *step = &vcpu->introspection.watch->arch.step;
	unsigned long rflags;

	lockdep_assert_irqs_disabled();

	step->trapping = false;
	step->delivers = false;
	if (is_guest_mode(vcpu))
		return false;

	step->delivers = kvmi_injected(vcpu);
	if (!kvm_x86_ops.STEPS_WITH_TF)
		return false;
	/* A TF in the flags that a handler will restore would outlive the step. */
	if (step->delivers || !step->ready || step->rip != kvm_get_linear_rip(vcpu))
		return true;

	rflags = kvm_x86_call(get_rflags)(vcpu);
	step->guest_tf = rflags & X86_EFLAGS_TF;
	step->entered = true;
	kvm_x86_call(set_rflags)(vcpu, rflags | X86_EFLAGS_TF);
	return false;
}

void __kvmi_step_exit(struct kvm_vcpu *vcpu)
{
	struct kvmi_singlestep *step = &vcpu->introspection.watch->arch.step;

	unsigned long rflags = kvm_x86_call(get_rflags)(vcpu);

	step->exit_tf = rflags & X86_EFLAGS_TF;
	if (step->entered && !step->guest_tf)
		kvm_x86_call(set_rflags)(vcpu, rflags & ~X86_EFLAGS_TF);
	step->trapping = step->entered;
	step->entered = false;
	if (step->delivers && !kvmi_injected(vcpu))
		step->done = true;
	step->ready = false;
	/* See how far it has come before it is entered again. */
	kvm_make_request(KVM_REQ_INTROSPECTION, vcpu);
}

bool __kvmi_step_skipped(struct kvm_vcpu *vcpu)
{
	struct kvmi_singlestep *step = &vcpu->introspection.watch->arch.step;

	if (!step->entered || step->guest_tf)
		return false;
	/* Who has done that would like to go on in the guest at once. */
	kvm_make_request(KVM_REQ_INTROSPECTION, vcpu);
	return true;
}

bool __kvmi_step_db(struct kvm_vcpu *vcpu, u64 *dr6)
{
	struct kvmi_singlestep *step = &vcpu->introspection.watch->arch.step;

	if (!step->trapping || !(*dr6 & DR6_BS))
		return false;
	step->done = true;
	/* Then it is the guest's as well. */
	if (step->guest_tf)
		return false;
	if (step->loads_flags && step->exit_tf)
		kvm_x86_call(set_rflags)(vcpu, kvm_x86_call(get_rflags)(vcpu) |
					       X86_EFLAGS_TF);
	*dr6 &= ~DR6_BS;
	return *dr6 == DR6_ACTIVE_LOW;
}
EXPORT_SYMBOL_GPL(__kvmi_step_db);

void __kvmi_step_trapped(struct kvm_vcpu *vcpu)
{
	vcpu->introspection.watch->arch.step.done = true;
}
EXPORT_SYMBOL_GPL(__kvmi_step_trapped);

/**
 * kvmi_step_exception() - give the guest an exception that a step intercepts
 * @vcpu: the vCPU
 * @vector: the exception
 * @error_code: its error code, if it has one
 * @address: the address of a page fault
 */
int kvmi_step_exception(struct kvm_vcpu *vcpu, u8 vector, u32 error_code,
			u64 address)
{
	struct x86_exception fault = {
		.vector = PF_VECTOR,
		.error_code_valid = true,
		.error_code = error_code,
		.address = address,
	};

	if (vector == PF_VECTOR)
		kvm_inject_page_fault(vcpu, &fault, true);
	else if (x86_exception_has_error_code(vector))
		kvm_queue_exception_e(vcpu, vector, error_code);
	else
		kvm_queue_exception(vcpu, vector);
	return 1;
}
EXPORT_SYMBOL_GPL(kvmi_step_exception);

/**
 * kvmi_step_int() - give the guest a software interrupt that a step intercepts
 * @vcpu: the vCPU, at the instruction
 *
 * There are CPUs, if of software, that take an INT3 for one.
 */
int kvmi_step_int(struct kvm_vcpu *vcpu)
{
	u8 insn[KVMI_INSN_SIZE + 1];
	int at = kvmi_arch_opcode(vcpu, insn);

	switch (insn[at]) {
	case 0xcc:
		return kvmi_breakpoint(vcpu, at + 1) ? 1 : kvmi_arch_debug_exit(vcpu);
	case 0xcd:
		kvm_queue_interrupt(vcpu, insn[at + 1], true);
		kvm_make_request(KVM_REQ_EVENT, vcpu);
		return 1;
	default:
		/* Somebody has just changed it: do what is there now. */
		return kvm_emulate_instruction(vcpu, 0);
	}
}
EXPORT_SYMBOL_GPL(kvmi_step_int);
