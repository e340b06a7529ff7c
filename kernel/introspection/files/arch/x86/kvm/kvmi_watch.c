// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: instructions of the guest that a tool wants to see.
 *
 * A vCPU that meets one leaves it unexecuted and asks the tool (see
 * kvmi_vcpu_ask()). With the tool's answer, it has the instruction executed by
 * KVM's emulator there and then: neither an interrupt nor another vCPU can come
 * in between, and the tool sees each instruction once.
 *
 * All of it runs in the vCPU's own thread, in the middle of KVM_RUN.
 */
#include <linux/kvm_host.h>
#include <uapi/linux/kvm_para.h>

#include "../../../virt/kvm/introspection/kvmi_int.h"
#include "cpuid.h"
#include "kvm_cache_regs.h"
#include "kvmi.h"
#include "x86.h"

size_t kvmi_arch_reply_size(u8 event)
{
	switch (event) {
	case KVMI_EVENT_CR:
		return sizeof(struct kvmi_event_cr_reply);
	case KVMI_EVENT_MSR:
		return sizeof(struct kvmi_event_msr_reply);
	case KVMI_EVENT_PF:
		return sizeof(struct kvmi_event_pf_reply);
	default:
		return 0;
	}
}

/* Whether what a reply of the right size has of its own can be used. */
bool kvmi_arch_reply_valid(u8 event, const union kvmi_reply_data *reply)
{
	const struct kvmi_event_pf_reply *pf = &reply->pf;

	return event != KVMI_EVENT_PF ||
	       (!pf->padding && pf->singlestep <= 1 && pf->rep_complete <= 1 &&
		pf->ctx_size <= sizeof(pf->ctx_data));
}

bool kvmi_arch_may_retry(u8 event)
{
	switch (event) {
	case KVMI_EVENT_XSETBV:
	case KVMI_EVENT_BREAKPOINT:
	case KVMI_EVENT_HYPERCALL:
	case KVMI_EVENT_PF:
	case KVMI_EVENT_DESCRIPTOR:
	case KVMI_EVENT_CPUID:
		return true;
	default:
		return false;
	}
}

/**
 * kvmi_arch_update_watch() - intercept what the tool wants to see, and no more
 * @vcpu: the vCPU
 *
 * Return: 0, or -KVM_EOPNOTSUPP if this CPU or guest does not allow it; then
 * no register is watched.
 */
int kvmi_arch_update_watch(struct kvm_vcpu *vcpu)
{
	struct kvmi_watch *watch = vcpu->introspection.watch;
	int r = 0;

	if (vcpu->arch.guest_state_protected || !kvm_x86_call(introspect)(vcpu)) {
		watch->events &= ~KVMI_ARCH_EVENTS;
		watch->arch.crs = 0;
		bitmap_zero(watch->arch.msrs, 2 * KVMI_MSR_RANGE);
		r = -KVM_EOPNOTSUPP;
	}
	kvm_cpuid_set_introspected(vcpu, watch->events & BIT_ULL(KVMI_EVENT_CPUID));
	return r;
}

int kvmi_arch_control_events(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			     void *out, size_t *size)
{
	const struct kvmi_control_events *arg = kvmi_vcpu_arg(job->in);
	struct kvmi_watch *watch;

	/* It follows a command each time: there is nothing to switch. */
	if (arg->event_id == KVMI_EVENT_PAUSE_VCPU)
		return 0;

	watch = kvmi_vcpu_watch(vcpu, job->session);
	if (!watch)
		return -KVM_ENOMEM;
	if (arg->enable)
		watch->events |= BIT_ULL(arg->event_id);
	else
		watch->events &= ~BIT_ULL(arg->event_id);
	if (KVMI_DEBUG_EVENTS & BIT_ULL(arg->event_id))
		return kvmi_arch_update_debug(vcpu);
	if (!(KVMI_ARCH_EVENTS & BIT_ULL(arg->event_id)))
		return 0;
	return kvmi_arch_update_watch(vcpu);
}

int kvmi_arch_control_cr(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			 void *out, size_t *size)
{
	const struct kvmi_control_cr *arg = kvmi_vcpu_arg(job->in);
	struct kvmi_watch *watch;

	if (arg->enable > 1 || arg->padding1 || arg->padding2 ||
	    (arg->cr != 0 && arg->cr != 3 && arg->cr != 4))
		return -KVM_EINVAL;

	watch = kvmi_vcpu_watch(vcpu, job->session);
	if (!watch)
		return -KVM_ENOMEM;
	if (arg->enable)
		watch->arch.crs |= BIT(arg->cr);
	else
		watch->arch.crs &= ~BIT(arg->cr);
	return kvmi_arch_update_watch(vcpu);
}

/* The MSR's place in the mask of MSRs, -1 if it cannot be intercepted. */
static int kvmi_msr_bit(u32 msr)
{
	if (msr < KVMI_MSR_RANGE)
		return msr;
	if (msr >= 0xc0000000 && msr < 0xc0000000 + KVMI_MSR_RANGE)
		return msr - 0xc0000000 + KVMI_MSR_RANGE;
	return -1;
}

int kvmi_arch_control_msr(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			  void *out, size_t *size)
{
	const struct kvmi_control_msr *arg = kvmi_vcpu_arg(job->in);
	int bit = kvmi_msr_bit(arg->msr);
	struct kvmi_watch *watch;

	if (arg->enable > 1 || arg->padding1 || arg->padding2 || bit < 0)
		return -KVM_EINVAL;

	watch = kvmi_vcpu_watch(vcpu, job->session);
	if (!watch)
		return -KVM_ENOMEM;
	__assign_bit(bit, watch->arch.msrs, arg->enable);
	return kvmi_arch_update_watch(vcpu);
}

bool __kvmi_watches_cr(struct kvm_vcpu *vcpu, unsigned int cr)
{
	const struct kvmi_watch *watch = vcpu->introspection.watch;

	return watch->events & BIT_ULL(KVMI_EVENT_CR) &&
	       watch->arch.crs & BIT(cr);
}
EXPORT_SYMBOL_GPL(__kvmi_watches_cr);

static unsigned long kvmi_read_cr(struct kvm_vcpu *vcpu, unsigned int cr)
{
	switch (cr) {
	case 0:
		return kvm_read_cr0(vcpu);
	case 3:
		return kvm_read_cr3(vcpu);
	default:
		return kvm_read_cr4(vcpu);
	}
}

bool __kvmi_cr_write(struct kvm_vcpu *vcpu, unsigned int cr, unsigned long *val)
{
	const struct kvmi_event_cr *asked = &vcpu->introspection.pending.data.cr;
	struct kvmi_vcpu_event event = {
		.id = KVMI_EVENT_CR,
		.size = sizeof(event.data.cr),
		.rip = kvm_get_linear_rip(vcpu),
		.data.cr.cr = cr,
		.data.cr.new_value = *val,
	};

	/* What a nested guest does is between that and its hypervisor. */
	if (!__kvmi_watches_cr(vcpu, cr) || is_guest_mode(vcpu))
		return false;
	if (kvmi_is_approved(vcpu, KVMI_EVENT_CR) &&
	    asked->cr == cr && asked->new_value == *val) {
		*val = vcpu->introspection.reply.cr.new_val;
		return false;
	}

	event.data.cr.old_value = kvmi_read_cr(vcpu, cr);
	if (event.data.cr.old_value == *val)
		return false;
	return kvmi_vcpu_ask(vcpu, &event);
}
EXPORT_SYMBOL_GPL(__kvmi_cr_write);

bool __kvmi_watches_msr(struct kvm_vcpu *vcpu, u32 msr)
{
	const struct kvmi_watch *watch = vcpu->introspection.watch;
	int bit = kvmi_msr_bit(msr);

	return watch->events & BIT_ULL(KVMI_EVENT_MSR) &&
	       bit >= 0 && test_bit(bit, watch->arch.msrs);
}
EXPORT_SYMBOL_GPL(__kvmi_watches_msr);

bool __kvmi_msr_write(struct kvm_vcpu *vcpu, u32 msr, u64 *val)
{
	const struct kvmi_event_msr *asked = &vcpu->introspection.pending.data.msr;
	struct kvmi_vcpu_event event = {
		.id = KVMI_EVENT_MSR,
		.size = sizeof(event.data.msr),
		.rip = kvm_get_linear_rip(vcpu),
		.data.msr.msr = msr,
		.data.msr.new_value = *val,
	};

	if (!__kvmi_watches_msr(vcpu, msr) || is_guest_mode(vcpu))
		return false;
	if (kvmi_is_approved(vcpu, KVMI_EVENT_MSR) &&
	    asked->msr == msr && asked->new_value == *val) {
		*val = vcpu->introspection.reply.msr.new_val;
		return false;
	}

	/* What cannot be read has no old value; writing it is worth an event. */
	if (!__kvm_get_msr(vcpu, msr, &event.data.msr.old_value, true) &&
	    event.data.msr.old_value == *val)
		return false;
	return kvmi_vcpu_ask(vcpu, &event);
}

/*
 * Whether the vCPU is still where it was when the tool was asked. Otherwise, by
 * a tool or a VMM that has set its registers, it is no longer about to execute
 * the instruction.
 */
static bool kvmi_is_still_there(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.mp_state == KVM_MP_STATE_RUNNABLE &&
	       !(kvmi_watched(vcpu) && vcpu->introspection.watch->arch.inject) &&
	       !kvm_is_exception_pending(vcpu) && !vcpu->arch.exception.injected &&
	       kvm_get_linear_rip(vcpu) == vcpu->introspection.pending.rip;
}

/* Without an interrupt in between; and the tool is not asked again. */
static int kvmi_execute(struct kvm_vcpu *vcpu)
{
	int r;

	vcpu->introspection.approved = true;
	r = kvm_emulate_instruction(vcpu, 0);
	vcpu->introspection.approved = false;
	return r;
}

/*
 * Of a page that stays watched every access is emulated: there is no need to enter
 * the guest for the fault that says so. Who else asks than the emulator is not for
 * it to execute, nor is an event that the CPU was about to deliver; and what
 * accesses a page that was let go is the CPU's.
 */
static int kvmi_finish_access(struct kvm_vcpu *vcpu)
{
	if (!kvmi_vcpu_grant(vcpu) || !vcpu->arch.page_given_up ||
	    kvm_event_needs_reinjection(vcpu))
		return 1;
	return kvm_emulate_instruction(vcpu, 0);
}

/**
 * kvmi_arch_finish_event() - do what the tool has answered
 * @vcpu: the vCPU, with kvm->srcu held
 *
 * Return: 1 to go on, or 0 if KVM_RUN has to return with an exit reason.
 */
int kvmi_arch_finish_event(struct kvm_vcpu *vcpu)
{
	struct kvmi_vcpu *v = &vcpu->introspection;

	if (v->pending.id == KVMI_EVENT_PF && v->reply.pf.singlestep)
		kvmi_arch_step_once(vcpu);
	/* The guest executes the instruction again by itself, and is asked again. */
	if (!kvmi_is_still_there(vcpu) || v->action == KVMI_EVENT_ACTION_RETRY)
		return 1;

	switch (v->pending.id) {
	case KVMI_EVENT_CR:
	case KVMI_EVENT_MSR:
	case KVMI_EVENT_XSETBV:
	case KVMI_EVENT_DESCRIPTOR:
	case KVMI_EVENT_CPUID:
		return kvmi_execute(vcpu);
	case KVMI_EVENT_HYPERCALL:
		return kvmi_finish_hypercall(vcpu);
	case KVMI_EVENT_PF:
		return kvmi_finish_access(vcpu);
	case KVMI_EVENT_BREAKPOINT:
		return kvmi_arch_finish_breakpoint(vcpu);
	default:
		return 1;
	}
}
