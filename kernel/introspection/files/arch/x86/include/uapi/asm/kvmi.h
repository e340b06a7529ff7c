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

#endif /* _UAPI_ASM_X86_KVMI_H */
