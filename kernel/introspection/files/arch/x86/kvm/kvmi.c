// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: x86's part of the commands and events of vCPUs.
 *
 * All of it runs in the vCPU's own thread, in the middle of KVM_RUN: the vCPU
 * is loaded, and so is the guest's FPU state.
 */
#include <linux/kvm_host.h>
#include <asm/fpu/xcr.h>
#include <uapi/linux/kvm_para.h>

#include "../../../virt/kvm/introspection/kvmi_int.h"
#include "cpuid.h"
#include "kvm_cache_regs.h"
#include "x86.h"

/* How many bytes an address has where the guest is. */
static u8 kvmi_mode(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	if (is_long_mode(vcpu) && sregs->cs.l)
		return 8;
	return sregs->cs.db ? 4 : 2;
}

static u64 kvmi_event_msr(struct kvm_vcpu *vcpu, u32 index)
{
	u64 data;

	return __kvm_get_msr(vcpu, index, &data, true) ? 0 : data;
}

/**
 * kvmi_arch_setup_event() - tell in an event what state the vCPU is in
 * @vcpu: the vCPU
 * @event: x86's part of the event, zeroed; it stays so if the state is not
 *	for KVM to see
 */
void kvmi_arch_setup_event(struct kvm_vcpu *vcpu, struct kvmi_event_arch *event)
{
	BUILD_BUG_ON(sizeof(*event) != 536);

	if (vcpu->arch.guest_state_protected)
		return;

	kvm_vcpu_get_regs(vcpu, &event->regs);
	kvm_vcpu_get_sregs(vcpu, &event->sregs);
	event->mode = kvmi_mode(vcpu, &event->sregs);
	event->msrs.sysenter_cs = kvmi_event_msr(vcpu, MSR_IA32_SYSENTER_CS);
	event->msrs.sysenter_esp = kvmi_event_msr(vcpu, MSR_IA32_SYSENTER_ESP);
	event->msrs.sysenter_eip = kvmi_event_msr(vcpu, MSR_IA32_SYSENTER_EIP);
	event->msrs.efer = kvmi_event_msr(vcpu, MSR_EFER);
	event->msrs.star = kvmi_event_msr(vcpu, MSR_STAR);
	event->msrs.lstar = kvmi_event_msr(vcpu, MSR_LSTAR);
	event->msrs.cstar = kvmi_event_msr(vcpu, MSR_CSTAR);
	event->msrs.pat = kvmi_event_msr(vcpu, MSR_IA32_CR_PAT);
	event->msrs.shadow_gs = kvmi_event_msr(vcpu, MSR_KERNEL_GS_BASE);
}

int kvmi_arch_get_vcpu_info(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			    void *out, size_t *size)
{
	struct kvmi_get_vcpu_info_reply *reply = out;

	reply->tsc_speed = 1000ull * vcpu->arch.virtual_tsc_khz;
	*size = sizeof(*reply);
	return 0;
}

static int kvmi_get_msrs(struct kvm_vcpu *vcpu, const u32 *indices,
			 struct kvm_msrs *msrs)
{
	u32 i;

	for (i = 0; i < msrs->nmsrs; i++) {
		msrs->entries[i].index = indices[i];
		if (__kvm_get_msr(vcpu, indices[i], &msrs->entries[i].data, true))
			return -KVM_EINVAL;
	}
	return 0;
}

int kvmi_arch_get_registers(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			    void *out, size_t *size)
{
	const struct kvmi_get_registers *arg = kvmi_vcpu_arg(job->in);
	struct kvmi_get_registers_reply *reply = out;

	BUILD_BUG_ON(sizeof(*reply) != 472);

	*size = struct_size(reply, msrs.entries, arg->nmsrs);
	if (arg->padding1 || arg->padding2 || *size > KVMI_MAX_REPLY ||
	    job->hdr.size != sizeof(struct kvmi_vcpu_hdr) +
			     struct_size(arg, msrs_idx, arg->nmsrs))
		return -KVM_EINVAL;
	if (vcpu->arch.guest_state_protected)
		return -KVM_EOPNOTSUPP;

	kvm_vcpu_get_regs(vcpu, &reply->regs);
	kvm_vcpu_get_sregs(vcpu, &reply->sregs);
	reply->mode = kvmi_mode(vcpu, &reply->sregs);
	reply->msrs.nmsrs = arg->nmsrs;
	return kvmi_get_msrs(vcpu, arg->msrs_idx, &reply->msrs);
}

int kvmi_arch_set_registers(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			    void *out, size_t *size)
{
	struct kvm_regs regs;

	if (vcpu->arch.guest_state_protected)
		return -KVM_EOPNOTSUPP;

	memcpy(&regs, kvmi_vcpu_arg(job->in), sizeof(regs));
	kvm_vcpu_set_regs(vcpu, &regs);
	return 0;
}

int kvmi_arch_get_cpuid(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			void *out, size_t *size)
{
	const struct kvmi_get_cpuid *arg = kvmi_vcpu_arg(job->in);
	struct kvmi_get_cpuid_reply *reply = out;
	struct kvm_cpuid_entry2 *entry;

	entry = kvm_find_cpuid_entry_index(vcpu, arg->function, arg->index);
	if (!entry)
		return -KVM_ENOENT;

	*reply = (struct kvmi_get_cpuid_reply){
		.eax = entry->eax,
		.ebx = entry->ebx,
		.ecx = entry->ecx,
		.edx = entry->edx,
	};
	*size = sizeof(*reply);
	return 0;
}

int kvmi_arch_get_xsave(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			void *out, size_t *size)
{
	*size = vcpu->arch.guest_fpu.uabi_size;
	if (vcpu->arch.guest_state_protected || *size > KVMI_MAX_REPLY)
		return -KVM_EOPNOTSUPP;
	if (kvm_vcpu_get_xsave(vcpu, out, *size))
		return -KVM_EOPNOTSUPP;
	return 0;
}

int kvmi_arch_set_xsave(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			void *out, size_t *size)
{
	size_t given = job->hdr.size - sizeof(struct kvmi_vcpu_hdr);
	size_t wanted = vcpu->arch.guest_fpu.uabi_size;

	if (vcpu->arch.guest_state_protected || wanted > KVMI_MAX_REPLY)
		return -KVM_EOPNOTSUPP;
	if (given != wanted)
		return -KVM_EINVAL;

	/* It is going to be changed; there is no reply that would need the room. */
	memcpy(out, kvmi_vcpu_arg(job->in), given);
	return kvm_vcpu_set_xsave(vcpu, out) ? -KVM_EINVAL : 0;
}

int kvmi_arch_translate_gva(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			    void *out, size_t *size)
{
	const struct kvmi_vcpu_translate_gva *arg = kvmi_vcpu_arg(job->in);
	struct kvmi_vcpu_translate_gva_reply *reply = out;
	struct kvm_mmu *mmu = vcpu->arch.walk_mmu;

	BUILD_BUG_ON(INVALID_GPA != ~0ull);

	if (vcpu->arch.guest_state_protected)
		return -KVM_EOPNOTSUPP;

	/* With SMAP neither the kernel's nor the user's access reaches all that is mapped. */
	reply->gpa = kvm_mmu_gva_to_gpa_system(vcpu, arg->gva, NULL);
	if (reply->gpa == INVALID_GPA)
		reply->gpa = mmu->gva_to_gpa(vcpu, mmu, arg->gva, PFERR_USER_MASK, NULL);
	*size = sizeof(*reply);
	return 0;
}

int kvmi_arch_get_xcr(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
		      void *out, size_t *size)
{
	const struct kvmi_vcpu_get_xcr *arg = kvmi_vcpu_arg(job->in);
	struct kvmi_vcpu_get_xcr_reply *reply = out;

	if (memchr_inv(arg->padding, 0, sizeof(arg->padding)) ||
	    arg->xcr != XCR_XFEATURE_ENABLED_MASK)
		return -KVM_EINVAL;
	if (vcpu->arch.guest_state_protected)
		return -KVM_EOPNOTSUPP;

	reply->value = vcpu->arch.xcr0;
	*size = sizeof(*reply);
	return 0;
}
