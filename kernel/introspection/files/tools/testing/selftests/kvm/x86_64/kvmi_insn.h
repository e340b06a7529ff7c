/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest of the test of instructions: each vCPU executes one over and over
 * and tells what came of it.
 */
#ifndef SELFTEST_KVMI_INSN_H
#define SELFTEST_KVMI_INSN_H

#include "kvmi_page.h"

enum {
	CPUID, VMMCALL, XSETBV,
	SIDT, LIDT, SGDT, LGDT, SLDT, LLDT, STR, LTR,
};

/* A page, with one every 16 bytes. */
static __aligned(4096) __attribute__((naked)) void insn_page(void)
{
	asm("cpuid; ret; .balign 16\n\t"
	    "vmmcall; ret; .balign 16\n\t"
	    "xsetbv; ret; .balign 16\n\t"
	    "sidt (%rdi); ret; .balign 16\n\t"
	    "lidt (%rdi); ret; .balign 16\n\t"
	    "sgdt (%rdi); ret; .balign 16\n\t"
	    "lgdt (%rdi); ret; .balign 16\n\t"
	    "sldt (%rdi); ret; .balign 16\n\t"
	    "lldt %si; ret; .balign 16\n\t"
	    "str (%rdi); ret; .balign 16\n\t"
	    "ltr %si; ret; .balign 4096");
}

/* What there is to know of each, but for which one it is. */
static const struct insn {
	uint8_t event;
	uint8_t length;
	uint8_t descriptor;
	bool write;
} insns[] = {
	[CPUID] = { KVMI_EVENT_CPUID, 2 },
	[VMMCALL] = { KVMI_EVENT_HYPERCALL, 3 },
	[XSETBV] = { KVMI_EVENT_XSETBV, 3 },
	[SIDT] = { KVMI_EVENT_DESCRIPTOR, 3, KVMI_DESC_IDTR },
	[LIDT] = { KVMI_EVENT_DESCRIPTOR, 3, KVMI_DESC_IDTR, true },
	[SGDT] = { KVMI_EVENT_DESCRIPTOR, 3, KVMI_DESC_GDTR },
	[LGDT] = { KVMI_EVENT_DESCRIPTOR, 3, KVMI_DESC_GDTR, true },
	[SLDT] = { KVMI_EVENT_DESCRIPTOR, 3, KVMI_DESC_LDTR },
	[LLDT] = { KVMI_EVENT_DESCRIPTOR, 3, KVMI_DESC_LDTR, true },
	[STR] = { KVMI_EVENT_DESCRIPTOR, 3, KVMI_DESC_TR },
	[LTR] = { KVMI_EVENT_DESCRIPTOR, 3, KVMI_DESC_TR, true },
};

static inline uint64_t address_of(const struct insn *insn)
{
	return (uint64_t)insn_page + 16 * (insn - insns);
}

#define HC_OP		34
#define HC_REQUEST	24
#define LDT_SELECTOR	0x200
#define TSS_BUSY	2

/* What the guest is told, and tells, in the page that starts with its counter. */
enum {
	COUNT,
	INSN,		/* where the instruction is */
	RAX, RCX, RDX,	/* its operands */
	RDI, RSI,
	FLIP_RAX,	/* bits of them that change each time */
	FLIP_RDI,
	FLIP_RSI,
	TSS,		/* where the type of the TSS is, which LTR changes */
	XCR,		/* whether there is XCR0 to be read back */
	RESULT,
	STORED = 16,	/* what is stored; two things to be loaded */
	FIRST = 24,
	SECOND = 32,
};

static inline uint64_t guest_call(uint64_t *page)
{
	uint64_t rax = page[RAX], rcx = page[RCX], rdx = page[RDX];

	asm volatile("sub $128, %%rsp\n\t"
		     "call *%[insn]\n\t"
		     "add $128, %%rsp"
		     : "+a"(rax), "+c"(rcx), "+d"(rdx)
		     : "D"(page[RDI]), "S"(page[RSI]), [insn] "r"(page[INSN])
		     : "rbx", "cc", "memory");
	return (uint32_t)rax;
}

static inline void guest_code(uint64_t *page)
{
	uint8_t *tss = (uint8_t *)page[TSS];

	if (page[XCR])
		set_cr4(get_cr4() | X86_CR4_OSXSAVE);
	for (;;) {
		page[RESULT] = guest_call(page);
		if (page[XCR])
			page[RESULT] = xgetbv(0);
		if (tss) {
			page[RESULT] = *tss & TSS_BUSY;
			*tss &= ~TSS_BUSY;
		}
		page[RAX] ^= page[FLIP_RAX];
		page[RDI] ^= page[FLIP_RDI];
		page[RSI] ^= page[FLIP_RSI];
		page[COUNT]++;
	}
}

/* Two values for a descriptor table's register, which differ in the limit. */
static inline void set_tables(struct cpu *cpu, const struct kvm_dtable *table)
{
	uint64_t *page = cpu->counter;

	*(uint16_t *)(page + FIRST) = table->limit;
	*(uint64_t *)((char *)(page + FIRST) + 2) = table->base;
	*(uint16_t *)(page + SECOND) = table->limit - 1;
	*(uint64_t *)((char *)(page + SECOND) + 2) = table->base;
	page[RDI] = cpu->counter_gva + 8 * SECOND;
	page[FLIP_RDI] = 8 * (FIRST ^ SECOND);
}

static inline void set_operands(struct cpu *cpu, const struct insn *insn)
{
	uint64_t *page = cpu->counter;
	struct kvm_sregs sregs;
	uint64_t *gdt;

	vcpu_sregs_get(cpu->vcpu, &sregs);
	gdt = addr_gva2hva(cpu->machine->vm, sregs.gdt.base);
	page[INSN] = address_of(insn);
	page[RDI] = cpu->counter_gva + 8 * STORED;
	switch (insn->event) {
	case KVMI_EVENT_CPUID:
		page[RAX] = 1;
		return;
	case KVMI_EVENT_HYPERCALL:
		page[RAX] = HC_OP;
		page[RDI] = HC_REQUEST;
		return;
	case KVMI_EVENT_XSETBV:
		page[XCR] = 1;
		page[RAX] = 3;
		page[FLIP_RAX] = 2;
		return;
	}
	if (!insn->write)
		return;
	if (insn->descriptor == KVMI_DESC_IDTR)
		set_tables(cpu, &sregs.idt);
	if (insn->descriptor == KVMI_DESC_GDTR)
		set_tables(cpu, &sregs.gdt);
	if (insn->descriptor == KVMI_DESC_LDTR) {
		gdt[LDT_SELECTOR / 8] = 0x0000820000000fffull;
		page[RSI] = LDT_SELECTOR;
		page[FLIP_RSI] = LDT_SELECTOR;
	}
	if (insn->descriptor == KVMI_DESC_TR) {
		page[TSS] = sregs.gdt.base + sregs.tr.selector + 5;
		page[RSI] = sregs.tr.selector;
		*((uint8_t *)gdt + sregs.tr.selector + 5) &= ~TSS_BUSY;
	}
}

#endif /* SELFTEST_KVMI_INSN_H */
