// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: what type of memory the guest's MTRRs make of an address.
 *
 * KVM keeps them for the guest and has no use for them itself.
 */
#include <linux/kvm_host.h>
#include <asm/mtrr.h>
#include <uapi/linux/kvm_para.h>

#include "../../../virt/kvm/introspection/kvmi_int.h"
#include "cpuid.h"

#define KVMI_MTRR_DEF_TYPE	GENMASK_ULL(7, 0)
#define KVMI_MTRR_FIXED_ENABLE	BIT_ULL(10)
#define KVMI_MTRR_ENABLE	BIT_ULL(11)
#define KVMI_MTRR_VALID		BIT_ULL(11)	/* in the mask of a range */
#define KVMI_MTRR_FIXED_END	0x100000

/* Each of these registers has eight ranges, a byte each. */
static u8 kvmi_fixed_type(const struct kvm_mtrr *mtrr, u64 gpa)
{
	const u64 *regs = &mtrr->fixed_64k;
	unsigned int i = gpa >> 16;

	if (gpa >= 0xc0000) {
		regs = mtrr->fixed_4k;
		i = (gpa - 0xc0000) >> 12;
	} else if (gpa >= 0x80000) {
		regs = mtrr->fixed_16k;
		i = (gpa - 0x80000) >> 14;
	}
	return READ_ONCE(regs[i / 8]) >> (i % 8 * 8);
}

/* Where ranges overlap: what is not defined is no mixture that a CPU could cache. */
static int kvmi_mix_types(int a, int b)
{
	if (a < 0 || a == b)
		return b;
	if ((a == MTRR_TYPE_WRBACK && b == MTRR_TYPE_WRTHROUGH) ||
	    (a == MTRR_TYPE_WRTHROUGH && b == MTRR_TYPE_WRBACK))
		return MTRR_TYPE_WRTHROUGH;
	return MTRR_TYPE_UNCACHABLE;
}

/* -1 if it is in none of the ranges. */
static int kvmi_variable_type(const struct kvm_mtrr *mtrr, u64 gpa)
{
	int type = -1, i;

	for (i = 0; i < KVM_NR_VAR_MTRR; i++) {
		u64 base = READ_ONCE(mtrr->var[2 * i]);
		u64 mask = READ_ONCE(mtrr->var[2 * i + 1]);

		if (mask & KVMI_MTRR_VALID && !((gpa ^ base) & mask & PAGE_MASK))
			type = kvmi_mix_types(type, base & KVMI_MTRR_DEF_TYPE);
	}
	return type;
}

/**
 * kvmi_arch_get_mtrr_type() - the memory type of an address
 * @kvm: the VM
 * @gpa: the address
 * @type: where it goes; one of MTRR_TYPE_*
 *
 * A guest has the same MTRRs in all its vCPUs; those of the first one count. It
 * may be changing them at this moment.
 *
 * Return: 0, or -KVM_EINVAL if the guest has no such address, or no vCPU.
 *
 * Context: the receiving thread.
 */
int kvmi_arch_get_mtrr_type(struct kvm *kvm, u64 gpa, u8 *type)
{
	struct kvm_vcpu *vcpu = kvm_get_vcpu(kvm, 0);
	const struct kvm_mtrr *mtrr;
	int variable;
	u64 def;

	if (!vcpu || gpa >> cpuid_maxphyaddr(vcpu))
		return -KVM_EINVAL;

	mtrr = &vcpu->arch.mtrr_state;
	def = READ_ONCE(mtrr->deftype);
	if (!(def & KVMI_MTRR_ENABLE)) {
		*type = MTRR_TYPE_UNCACHABLE;
	} else if (def & KVMI_MTRR_FIXED_ENABLE && gpa < KVMI_MTRR_FIXED_END) {
		*type = kvmi_fixed_type(mtrr, gpa);
	} else {
		variable = kvmi_variable_type(mtrr, gpa);
		*type = variable < 0 ? def & KVMI_MTRR_DEF_TYPE : variable;
	}
	return 0;
}
