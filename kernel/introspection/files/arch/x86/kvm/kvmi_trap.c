// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: exceptions that a tool injects, and the breakpoints that it
 * has put into the guest.
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

/* Exceptions that every CPU has; VM entry fails with what is none. */
#define KVMI_EXCEPTIONS							\
	(BIT(DE_VECTOR) | BIT(DB_VECTOR) | BIT(BP_VECTOR) |		\
	 BIT(OF_VECTOR) | BIT(BR_VECTOR) | BIT(UD_VECTOR) |		\
	 BIT(NM_VECTOR) | BIT(DF_VECTOR) | BIT(TS_VECTOR) |		\
	 BIT(NP_VECTOR) | BIT(SS_VECTOR) | BIT(GP_VECTOR) |		\
	 BIT(PF_VECTOR) | BIT(MF_VECTOR) | BIT(AC_VECTOR) |		\
	 BIT(MC_VECTOR) | BIT(XM_VECTOR))

static bool kvmi_may_inject(struct kvm_vcpu *vcpu,
			    const struct kvmi_inject_exception *arg)
{
	u8 insn[16];
	int at;

	if (arg->padding1 || arg->padding2 || arg->nr > 31 ||
	    !(KVMI_EXCEPTIONS & BIT(arg->nr)) ||
	    arg->error_code > (x86_exception_has_error_code(arg->nr) ? 0xffff : 0))
		return false;
	if (!kvm_exception_is_soft(arg->nr))
		return true;

	/* Such an instruction must be there: RIP is put behind it. */
	at = kvmi_arch_opcode(vcpu, insn);
	vcpu->arch.event_exit_inst_len = at + 1;
	return insn[at] == (arg->nr == BP_VECTOR ? 0xcc : 0xce);
}

int kvmi_arch_inject_exception(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			       void *out, size_t *size)
{
	const struct kvmi_inject_exception *arg = kvmi_vcpu_arg(job->in);
	struct kvmi_watch *watch;

	/* What a nested guest gets is between that and its hypervisor. */
	if (vcpu->arch.guest_state_protected || is_guest_mode(vcpu))
		return -KVM_EOPNOTSUPP;
	if (!kvmi_may_inject(vcpu, arg))
		return -KVM_EINVAL;
	/* One that waits for its SIPI has nothing to be interrupted. */
	if (vcpu->arch.mp_state != KVM_MP_STATE_RUNNABLE &&
	    vcpu->arch.mp_state != KVM_MP_STATE_HALTED)
		return -KVM_EOPNOTSUPP;

	watch = kvmi_vcpu_watch(vcpu, job->session);
	if (!watch)
		return -KVM_ENOMEM;
	if (watch->arch.inject || kvm_is_exception_pending(vcpu))
		return -KVM_EBUSY;
	watch->arch.exception = *arg;
	watch->arch.inject = true;
	return 0;
}

/* What is delivered next, by the order in which KVM does it. */
static void kvmi_setup_trap(struct kvm_vcpu *vcpu, struct kvmi_event_trap *trap)
{
	const struct kvm_queued_exception *ex = &vcpu->arch.exception;

	trap->cr2 = vcpu->arch.cr2;
	if (ex->pending || ex->injected) {
		trap->vector = ex->vector;
		trap->error_code = ex->has_error_code ? ex->error_code : 0;
		if (ex->vector == PF_VECTOR && ex->has_payload)
			trap->cr2 = ex->payload;
	} else if (vcpu->arch.nmi_injected) {
		trap->vector = NMI_VECTOR;
	} else {
		trap->vector = vcpu->arch.interrupt.nr;
	}
}

/**
 * kvmi_arch_inject() - inject what the tool wants to be injected, if anything
 * @vcpu: the vCPU, which a tool watches
 *
 * What was under way before, goes first; then the tool's is dropped. Either is
 * what the tool is told of.
 *
 * Return: whether it is being told.
 */
bool kvmi_arch_inject(struct kvm_vcpu *vcpu)
{
	struct kvmi_watch *watch = vcpu->introspection.watch;
	const struct kvmi_inject_exception *what = &watch->arch.exception;
	struct kvmi_vcpu_event event = {
		.id = KVMI_EVENT_TRAP,
		.size = sizeof(event.data.trap),
		.rip = kvm_get_linear_rip(vcpu),
	};

	if (!watch->arch.inject)
		return false;

	watch->arch.inject = false;
	/* It was reset meanwhile, or a nested guest's state was loaded. */
	if (is_guest_mode(vcpu) || (vcpu->arch.mp_state != KVM_MP_STATE_RUNNABLE &&
				    vcpu->arch.mp_state != KVM_MP_STATE_HALTED))
		return false;

	if (!kvm_is_exception_pending(vcpu) && !kvm_event_needs_reinjection(vcpu)) {
		/* The last exit need not have been at the INT3 or INTO. */
		kvm_x86_call(forget_next_rip)(vcpu);
		kvmi_step_exception(vcpu, what->nr, what->error_code, what->address);
	}
	if (!(watch->events & BIT_ULL(KVMI_EVENT_TRAP)))
		return false;
	kvmi_setup_trap(vcpu, &event.data.trap);
	return kvmi_vcpu_ask(vcpu, &event);
}

/**
 * kvmi_arch_debug_exit() - let user space see to a breakpoint
 * @vcpu: the vCPU, at the breakpoint
 */
int kvmi_arch_debug_exit(struct kvm_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_DEBUG;
	vcpu->run->debug.arch.pc = kvm_get_linear_rip(vcpu);
	vcpu->run->debug.arch.exception = BP_VECTOR;
	return 0;
}

bool __kvmi_breakpoint(struct kvm_vcpu *vcpu, u8 insn_len)
{
	struct kvmi_vcpu_event event = {
		.id = KVMI_EVENT_BREAKPOINT,
		.size = sizeof(event.data.breakpoint),
		.rip = kvm_get_linear_rip(vcpu),
		.data.breakpoint.insn_len = insn_len,
	};

	/* What a nested guest does is between that and its hypervisor. */
	if (kvmi_wants_breakpoints(vcpu) && !is_guest_mode(vcpu)) {
		event.data.breakpoint.gpa = kvm_page_fetch_gpa(vcpu, event.rip);
		if (kvmi_vcpu_ask(vcpu, &event))
			return true;
	}
	if (vcpu->guest_debug & KVM_GUESTDBG_USE_SW_BP)
		return false;
	/* It was intercepted for the tool only, or for a step. */
	kvm_queue_exception(vcpu, BP_VECTOR);
	return true;
}
EXPORT_SYMBOL_GPL(__kvmi_breakpoint);

/**
 * kvmi_arch_finish_breakpoint() - do what the tool has said to a breakpoint
 * @vcpu: the vCPU, still at the breakpoint
 *
 * Return: 1 to go on, or 0 if it is one of a debugger in user space.
 */
int kvmi_arch_finish_breakpoint(struct kvm_vcpu *vcpu)
{
	if (vcpu->introspection.action == KVMI_EVENT_ACTION_RETRY)
		return 1;
	if (vcpu->guest_debug & KVM_GUESTDBG_USE_SW_BP)
		return kvmi_arch_debug_exit(vcpu);
	kvm_queue_exception(vcpu, BP_VECTOR);
	return 1;
}
