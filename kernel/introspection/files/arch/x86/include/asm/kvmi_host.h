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

/* Those of them that are a debugger's. */
#define KVMI_DEBUG_EVENTS	(BIT_ULL(KVMI_EVENT_BREAKPOINT) | \
				 BIT_ULL(KVMI_EVENT_SINGLESTEP))

/* How many MSRs each of the two ranges has that can be intercepted. */
#define KVMI_MSR_RANGE		0x2000

/**
 * struct kvmi_singlestep - stepping through what a vCPU executes
 * @loop: the tool wants to be told of each instruction
 * @once: and of the one that it was just asked about
 * @on: the vCPU steps, and interrupts wait
 * @armed: it has not been told yet what comes at @rip
 * @ready: the instruction has been looked at
 * @loads_flags: it can change TF
 * @guest_tf: TF was set when the guest was entered
 * @exit_tf: TF was set when the guest was left
 * @entered: the guest runs with a TF of ours
 * @trapping: it did, and what it was left for has not been handled yet
 * @delivers: it was entered to have an event delivered, and no more
 * @done: the instruction has been executed
 * @rip: its linear address
 */
struct kvmi_singlestep {
	bool loop;
	bool once;
	bool on;
	bool armed;
	bool ready;
	bool loads_flags;
	bool guest_tf;
	bool exit_tf;
	bool entered;
	bool trapping;
	bool delivers;
	bool done;
	u64 rip;
};

/**
 * struct kvmi_arch_watch - what of x86 a tool wants to see, and wants to happen
 * @crs: mask of control registers whose writes it is asked about
 * @msrs: such MSRs from 0 on, and behind them those from 0xc0000000 on
 * @step: stepping
 * @inject: the exception @exception is to be injected
 * @exception: that exception
 */
struct kvmi_arch_watch {
	unsigned int crs;
	DECLARE_BITMAP(msrs, 2 * KVMI_MSR_RANGE);
	struct kvmi_singlestep step;
	bool inject;
	struct kvmi_inject_exception exception;
};

/* What an event has of its own. */
union kvmi_event_data {
	struct kvmi_event_cr cr;
	struct kvmi_event_msr msr;
	struct kvmi_event_pf pf;
	struct kvmi_event_singlestep singlestep;
	struct kvmi_event_breakpoint breakpoint;
	struct kvmi_event_trap trap;
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
