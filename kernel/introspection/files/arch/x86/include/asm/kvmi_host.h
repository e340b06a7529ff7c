/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_KVMI_HOST_H
#define _ASM_X86_KVMI_HOST_H

/*
 * KVM introspection: x86's part of what it keeps of a vCPU.
 */

#include <linux/bits.h>
#include <linux/types.h>
#include <uapi/linux/kvmi.h>

/* The events of vCPUs that there are on x86 only. */
#define KVMI_ARCH_EVENTS	(BIT_ULL(KVMI_EVENT_CR) | \
				 BIT_ULL(KVMI_EVENT_MSR) | \
				 BIT_ULL(KVMI_EVENT_XSETBV) | \
				 BIT_ULL(KVMI_EVENT_HYPERCALL) | \
				 BIT_ULL(KVMI_EVENT_DESCRIPTOR) | \
				 BIT_ULL(KVMI_EVENT_CPUID))

/* How many MSRs each of the two ranges has that can be intercepted. */
#define KVMI_MSR_RANGE		0x2000

/**
 * struct kvmi_arch_watch - the registers whose writes a tool wants to see
 * @crs: mask of control registers
 * @msrs: those from 0 on, and behind them those from 0xc0000000 on
 */
struct kvmi_arch_watch {
	unsigned int crs;
	DECLARE_BITMAP(msrs, 2 * KVMI_MSR_RANGE);
};

/* What an event has of its own. */
union kvmi_event_data {
	struct kvmi_event_cr cr;
	struct kvmi_event_msr msr;
	struct kvmi_event_pf pf;
	struct kvmi_event_descriptor descriptor;
	struct kvmi_event_cpuid cpuid;
};

/* And what the reply to it has. */
union kvmi_reply_data {
	struct kvmi_event_cr_reply cr;
	struct kvmi_event_msr_reply msr;
	struct kvmi_event_pf_reply pf;
};

#endif /* _ASM_X86_KVMI_HOST_H */
