/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address space isolation (ASI): page tables without other people's memory.
 *
 * See Documentation/arch/x86/asi.rst.
 */
#ifndef _ASM_X86_ASI_H
#define _ASM_X86_ASI_H

/**
 * enum asi_exit_reason - why a CPU left a restricted address space
 * @ASI_EXIT_FAULT: it touched what is not mapped there
 * @ASI_EXIT_SCHEDULE: another mm was loaded, or a kernel thread scheduled
 * @ASI_EXIT_USERSPACE: it was about to return to user space
 * @ASI_EXIT_EXPLICIT: anything else, such as a TLB flush
 * @ASI_NR_EXITS: number of reasons
 */
enum asi_exit_reason {
	ASI_EXIT_FAULT,
	ASI_EXIT_SCHEDULE,
	ASI_EXIT_USERSPACE,
	ASI_EXIT_EXPLICIT,
	ASI_NR_EXITS,
};

#ifdef CONFIG_MITIGATION_ADDRESS_SPACE_ISOLATION

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/irqflags.h>
#include <linux/jump_label.h>
#include <linux/percpu.h>
#include <asm/pgtable_types.h>
#include <asm/processor-flags.h>
#include <asm/special_insns.h>

struct mm_struct;
struct page;

/* The CPU has run with all memory mapped since its buffers were cleared. */
#define ASI_TAINT_DATA		BIT(0)
/* The CPU has run code that may have trained its branch predictors. */
#define ASI_TAINT_CONTROL	BIT(1)

/**
 * struct asi_class - a kind of restricted address spaces
 * @name: for messages
 * @flush_data: clear what speculation could read without a mapping; called
 *		before a tainted CPU enters
 * @flush_control: forget what the untrusted code has trained; called before a
 *		   tainted CPU exits
 *
 * Both hooks have to be there, are called with interrupts off and from exceptions,
 * and must not be instrumentable.
 */
struct asi_class {
	const char *name;
	void (*flush_data)(void);
	void (*flush_control)(void);
};

/**
 * struct asi - a restricted address space
 * @class: its class
 * @pgd: its top-level page table: two pages, of which the first is in use, since
 *	 page-table isolation tells page tables by bit 12 of CR3
 * @cr3: what is loaded to enter it
 * @exits: how often it was left, by reason
 * @flushes: how often one of the class's hooks was called for it
 */
struct asi {
	const struct asi_class *class;
	pgd_t *pgd;
	unsigned long cr3;
	atomic64_t exits[ASI_NR_EXITS];
	atomic64_t flushes;
};

/**
 * struct asi_cpu - where a CPU is
 * @curr: the restricted address space that it is in. Set before CR3 is written on
 *	  entering and cleared after it is on leaving: while it is %NULL, no
 *	  translation of a restricted address space is used or cached for use.
 * @target: the one that it has to be in, between asi_enter() and asi_relax()
 * @full_cr3: what is loaded to leave @curr
 * @nesting: how many exceptions of those that come at any time it is in
 * @taints: ASI_TAINT_*
 * @stale_fault: an exception has left @curr for good, and the page fault that it
 *		 may have interrupted was raised in there; see __asi_intr_exit()
 */
struct asi_cpu {
	struct asi *curr;
	struct asi *target;
	unsigned long full_cr3;
	unsigned int nesting;
	unsigned int taints;
	bool stale_fault;
};

/**
 * struct asi_intr_state - what an exception that comes at any time has found
 * @restricted: whether the CPU was in a restricted address space
 * @stale_fault: asi_cpu.stale_fault; not for page faults of the exception itself
 */
struct asi_intr_state {
	bool restricted;
	bool stale_fault;
};

DECLARE_PER_CPU_ALIGNED(struct asi_cpu, asi_cpu);
DECLARE_STATIC_KEY_FALSE(asi_key);
extern bool asi_wanted_at_boot;

/* Booted with asi=on, and restricted address spaces can be made. */
static __always_inline bool asi_enabled(void)
{
	return static_branch_unlikely(&asi_key);
}

/* Booted with asi=on: decided before any memory is mapped. */
static inline bool asi_wanted(void)
{
	return asi_wanted_at_boot;
}

void asi_check_boottime(void);

int asi_init(struct asi *asi, const struct asi_class *class);
void asi_destroy(struct asi *asi);
void __asi_enter(struct asi *asi);
void __asi_resync(struct asi *asi);
bool __asi_exit(enum asi_exit_reason reason);
bool __asi_exit_on_fault(void);
struct asi_intr_state __asi_intr_enter(void);
void __asi_intr_exit(struct asi_intr_state state);

int asi_map(void *addr, size_t size);
void asi_unmap(void *addr, size_t size);

#ifdef CONFIG_ASI_DEBUG

extern atomic_t asi_skip_enter;

/*
 * A mistake on purpose: see that it is found. All CPUs take from the one number of
 * mistakes, and user space may write it meanwhile.
 */
static __always_inline bool asi_forget_enter(void)
{
	return unlikely(raw_atomic_read(&asi_skip_enter)) &&
	       raw_atomic_dec_if_positive(&asi_skip_enter) >= 0;
}

#else

static __always_inline bool asi_forget_enter(void)
{
	return false;
}

#endif

#ifdef CONFIG_MEMCG
bool mem_cgroup_use_asi(struct mm_struct *mm);

/* Whether VMs of a process begin isolated. */
static inline bool asi_cgroup_wants(struct mm_struct *mm)
{
	return mem_cgroup_use_asi(mm);
}
#else
static inline bool asi_cgroup_wants(struct mm_struct *mm)
{
	return false;
}
#endif

void __asi_alloc_pages(struct page *page, unsigned int order, gfp_t gfp);
void __asi_direct_map_changed(unsigned long addr, unsigned long nr_pages);

/* CR3 if it is that of a restricted address space, else 0; preemption off. */
static __always_inline unsigned long asi_current_cr3(void)
{
	struct asi *asi = asi_enabled() ? this_cpu_read(asi_cpu.curr) : NULL;

	return asi ? asi->cr3 : 0;
}

/* Whether CR3 is that of a restricted address space, whatever asi_cpu.curr says. */
static __always_inline bool asi_is_loaded(struct asi *asi)
{
	return !((__native_read_cr3() ^ asi->cr3) & CR3_ADDR_MASK);
}

/**
 * asi_enter() - be in a restricted address space, until asi_relax()
 * @asi: which
 *
 * What is not mapped there must not be touched until asi_relax(): the page fault
 * would leave the address space, and the caller not notice.
 *
 * Context: interrupts off, not from an exception handler.
 */
static __always_inline void asi_enter(struct asi *asi)
{
	if (likely(this_cpu_read(asi_cpu.curr) == asi)) {
		this_cpu_write(asi_cpu.target, asi);
		barrier();
		/* Unless an exception has left it just before it could see the target. */
		if (likely(this_cpu_read(asi_cpu.curr) == asi))
			return;
	}
	__asi_enter(asi);
}

/**
 * asi_relax() - need not be in a restricted address space any longer
 *
 * The CPU stays there until it has a reason to leave. It counts as tainted by
 * what it ran since asi_enter().
 */
static __always_inline void asi_relax(void)
{
	this_cpu_or(asi_cpu.taints, ASI_TAINT_CONTROL);
	this_cpu_write(asi_cpu.target, NULL);
}

/**
 * asi_resync() - leave unless CR3 and asi_cpu.curr agree, after a VM exit
 * @asi: the restricted address space that the CPU was in when the VM entry was
 *	 prepared
 *
 * VMX loads the CR3 at a VM exit that was noted before the VM entry. If a fault has
 * left since, then the CPU is restricted again with nobody knowing: its next fault
 * would not be understood, and what became sensitive would not be flushed. If it
 * had to be entered once more because of a fault before CR3 was noted, then it is
 * not restricted, and counts as if it were. Both times leave by the book, which
 * flushes.
 *
 * Context: interrupts off since asi_enter(), before asi_relax(): after that, an NMI
 * may leave for good.
 * Return: whether the CPU was in @asi at the VM entry.
 */
static __always_inline bool asi_resync(struct asi *asi)
{
	bool known = this_cpu_read(asi_cpu.curr) == asi;

	if (unlikely(known != asi_is_loaded(asi)))
		__asi_resync(asi);
	return known;
}

/**
 * asi_exit_irqs_off() - have all memory mapped
 * @reason: why
 *
 * Context: interrupts off.
 */
static __always_inline void asi_exit_irqs_off(enum asi_exit_reason reason)
{
	if (this_cpu_read(asi_cpu.curr))
		__asi_exit(reason);
}

/**
 * asi_exit() - have all memory mapped
 * @reason: why
 *
 * Context: any.
 */
static __always_inline void asi_exit(enum asi_exit_reason reason)
{
	unsigned long flags;

	if (!asi_enabled() || !this_cpu_read(asi_cpu.curr))
		return;
	raw_local_irq_save(flags);
	__asi_exit(reason);
	raw_local_irq_restore(flags);
}

/**
 * asi_exit_on_fault() - have all memory mapped, in a page fault
 *
 * Return: whether it was not when the fault was raised, so that the access is to
 * be tried again.
 */
static __always_inline bool asi_exit_on_fault(void)
{
	return asi_enabled() && __asi_exit_on_fault();
}

/*
 * Around exceptions that come between asi_enter() and asi_relax(), when
 * interrupts are off: the CPU has to be where it was when they return.
 */
static __always_inline struct asi_intr_state asi_intr_enter(void)
{
	struct asi_intr_state state = {};

	if (asi_enabled())
		state = __asi_intr_enter();
	return state;
}

static __always_inline void asi_intr_exit(struct asi_intr_state state)
{
	if (asi_enabled())
		__asi_intr_exit(state);
}

/**
 * asi_alloc_pages() - map or unmap pages as their next user wants them
 * @page: the first, just taken from the free lists
 * @order: how many
 * @gfp: what they are for
 */
static inline void asi_alloc_pages(struct page *page, unsigned int order, gfp_t gfp)
{
	if (asi_enabled())
		__asi_alloc_pages(page, order, gfp);
}

/**
 * asi_direct_map_changed() - follow a change of the direct map
 * @addr: the first address that changed, also one of another mapping
 * @nr_pages: how many pages
 */
static inline void asi_direct_map_changed(unsigned long addr, unsigned long nr_pages)
{
	if (asi_enabled())
		__asi_direct_map_changed(addr, nr_pages);
}

#else /* !CONFIG_MITIGATION_ADDRESS_SPACE_ISOLATION */

struct asi;

struct asi_intr_state {
};

static __always_inline bool asi_enabled(void)
{
	return false;
}

static inline bool asi_wanted(void)
{
	return false;
}

static inline void asi_check_boottime(void)
{
}

static __always_inline unsigned long asi_current_cr3(void)
{
	return 0;
}

static __always_inline void asi_exit(enum asi_exit_reason reason)
{
}

static __always_inline bool asi_exit_on_fault(void)
{
	return false;
}

static __always_inline struct asi_intr_state asi_intr_enter(void)
{
	return (struct asi_intr_state){};
}

static __always_inline void asi_intr_exit(struct asi_intr_state state)
{
}

static inline void asi_direct_map_changed(unsigned long addr, unsigned long nr_pages)
{
}

#endif /* CONFIG_MITIGATION_ADDRESS_SPACE_ISOLATION */

#endif /* _ASM_X86_ASI_H */
