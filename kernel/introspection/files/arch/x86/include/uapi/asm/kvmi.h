/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_ASM_X86_KVMI_H
#define _UAPI_ASM_X86_KVMI_H

/*
 * KVM introspection: x86's part of the protocol.
 */

#include <linux/types.h>
#include <asm/kvm.h>

/* The state of the vCPU that an event is about; zero if it is about the VM. */
struct kvmi_event_arch {
	__u8 mode;		/* 2, 4 or 8 bytes to an address */
	__u8 padding1;
	__u16 view;
	__u32 padding2;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct {
		__u64 sysenter_cs;
		__u64 sysenter_esp;
		__u64 sysenter_eip;
		__u64 efer;
		__u64 star;
		__u64 lstar;
		__u64 cstar;
		__u64 pat;
		__u64 shadow_gs;
	} msrs;
};

struct kvmi_control_cr {
	__u8 enable;
	__u8 padding1;
	__u16 padding2;
	__u32 cr;
};

struct kvmi_control_msr {
	__u8 enable;
	__u8 padding1;
	__u16 padding2;
	__u32 msr;
};

struct kvmi_get_registers {
	__u16 nmsrs;
	__u16 padding1;
	__u32 padding2;
	__u32 msrs_idx[];
};

struct kvmi_get_registers_reply {
	__u32 mode;		/* as in an event */
	__u32 padding;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_msrs msrs;
};

struct kvmi_get_cpuid {
	__u32 function;
	__u32 index;
};

struct kvmi_get_cpuid_reply {
	__u32 eax;
	__u32 ebx;
	__u32 ecx;
	__u32 edx;
};

struct kvmi_vcpu_get_xcr {
	__u8 xcr;
	__u8 padding[7];
};

struct kvmi_vcpu_get_xcr_reply {
	__u64 value;
};

struct kvmi_get_mtrr_type {
	__u64 gpa;
};

struct kvmi_get_mtrr_type_reply {
	__u8 type;
	__u8 padding[7];
};

struct kvmi_event_cr {
	__u16 cr;
	__u16 padding[3];
	__u64 old_value;
	__u64 new_value;
};

struct kvmi_event_cr_reply {
	__u64 new_val;
};

struct kvmi_event_msr {
	__u32 msr;
	__u32 padding;
	__u64 old_value;
	__u64 new_value;
};

struct kvmi_event_msr_reply {
	__u64 new_val;
};

enum {
	KVMI_DESC_IDTR		= 1,
	KVMI_DESC_GDTR		= 2,
	KVMI_DESC_LDTR		= 3,
	KVMI_DESC_TR		= 4,
};

struct kvmi_event_descriptor {
	__u8 descriptor;	/* KVMI_DESC_* */
	__u8 write;		/* the register is loaded, else it is stored */
	__u8 padding[6];
};

struct kvmi_event_cpuid {
	__u32 function;
	__u32 index;
	__u8 insn_length;
	__u8 padding[7];
};

/* The hypercall that is for the tool, and its operation; both are Xen's. */
#define KVM_HC_XEN_HVM_OP				34
#define KVM_HC_XEN_HVM_OP_GUEST_REQUEST_VM_EVENT	24

#endif /* _UAPI_ASM_X86_KVMI_H */
