// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: instructions of the guest that are events by themselves,
 * whatever they write: CPUID, XSETBV, hypercalls for the tool, and those that
 * load and store descriptor table registers.
 *
 * But for hypercalls, who intercepts one has the emulator execute it, and the
 * emulator asks here first. So there is one place for all CPUs, and for what is
 * emulated for other reasons.
 */
#include <linux/kvm_host.h>

#include "../../../virt/kvm/introspection/kvmi_int.h"
#include "cpuid.h"
#include "kvm_cache_regs.h"
#include "kvmi.h"
#include "x86.h"

static bool kvmi_descriptor(struct kvm_vcpu *vcpu, u8 descriptor, bool write,
			    struct kvmi_vcpu_event *event)
{
	event->id = KVMI_EVENT_DESCRIPTOR;
	event->size = sizeof(event->data.descriptor);
	event->data.descriptor.descriptor = descriptor;
	event->data.descriptor.write = write;

	/* The instruction is going to fault. */
	return write || !kvm_is_cr4_bit_set(vcpu, X86_CR4_UMIP) ||
	       !kvm_x86_call(get_cpl)(vcpu);
}

/* What event an instruction is, if any, and if it is not going to fault. */
static bool kvmi_event_of(struct kvm_vcpu *vcpu, enum x86_intercept intercept,
			  u8 length, struct kvmi_vcpu_event *event)
{
	switch (intercept) {
	case x86_intercept_cpuid:
		event->id = KVMI_EVENT_CPUID;
		event->size = sizeof(event->data.cpuid);
		event->data.cpuid.function = kvm_rax_read(vcpu);
		event->data.cpuid.index = kvm_rcx_read(vcpu);
		event->data.cpuid.insn_length = length;
		return !cpuid_fault_enabled(vcpu) || !kvm_x86_call(get_cpl)(vcpu);
	case x86_intercept_xsetbv:
		event->id = KVMI_EVENT_XSETBV;
		return kvm_is_cr4_bit_set(vcpu, X86_CR4_OSXSAVE);
	case x86_intercept_sidt:
		return kvmi_descriptor(vcpu, KVMI_DESC_IDTR, false, event);
	case x86_intercept_lidt:
		return kvmi_descriptor(vcpu, KVMI_DESC_IDTR, true, event);
	case x86_intercept_sgdt:
		return kvmi_descriptor(vcpu, KVMI_DESC_GDTR, false, event);
	case x86_intercept_lgdt:
		return kvmi_descriptor(vcpu, KVMI_DESC_GDTR, true, event);
	case x86_intercept_sldt:
		return kvmi_descriptor(vcpu, KVMI_DESC_LDTR, false, event);
	case x86_intercept_lldt:
		return kvmi_descriptor(vcpu, KVMI_DESC_LDTR, true, event);
	case x86_intercept_str:
		return kvmi_descriptor(vcpu, KVMI_DESC_TR, false, event);
	case x86_intercept_ltr:
		return kvmi_descriptor(vcpu, KVMI_DESC_TR, true, event);
	default:
		return false;
	}
}

bool __kvmi_insn(struct kvm_vcpu *vcpu, enum x86_intercept intercept, u8 length)
{
	struct kvmi_vcpu_event event = { .rip = kvm_get_linear_rip(vcpu) };

	/* What a nested guest does is between that and its hypervisor. */
	if (is_guest_mode(vcpu) || !kvmi_event_of(vcpu, intercept, length, &event) ||
	    !kvmi_watches(vcpu, event.id) || kvmi_is_approved(vcpu, event.id))
		return false;
	return kvmi_vcpu_ask(vcpu, &event);
}

static bool kvmi_is_tools_hypercall(struct kvm_vcpu *vcpu)
{
	if (is_64_bit_hypercall(vcpu))
		return kvm_rax_read(vcpu) == KVM_HC_XEN_HVM_OP &&
		       kvm_rdi_read(vcpu) == KVM_HC_XEN_HVM_OP_GUEST_REQUEST_VM_EVENT &&
		       !kvm_rsi_read(vcpu);
	return (u32)kvm_rax_read(vcpu) == KVM_HC_XEN_HVM_OP &&
	       (u32)kvm_rbx_read(vcpu) == KVM_HC_XEN_HVM_OP_GUEST_REQUEST_VM_EVENT &&
	       !(u32)kvm_rcx_read(vcpu);
}

bool __kvmi_hypercall(struct kvm_vcpu *vcpu)
{
	struct kvmi_vcpu_event event = {
		.id = KVMI_EVENT_HYPERCALL,
		.rip = kvm_get_linear_rip(vcpu),
	};

	if (is_guest_mode(vcpu) || !kvmi_watches(vcpu, KVMI_EVENT_HYPERCALL) ||
	    !kvmi_is_tools_hypercall(vcpu))
		return false;
	return kvmi_vcpu_ask(vcpu, &event);
}

/* The tool has taken the hypercall: there is nothing left to do for KVM. */
int kvmi_finish_hypercall(struct kvm_vcpu *vcpu)
{
	kvm_rax_write(vcpu, 0);
	return kvm_skip_emulated_instruction(vcpu);
}
