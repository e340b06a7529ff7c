// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address space isolation (ASI): entering and leaving.
 *
 * Speculation can only use what is mapped. A restricted address space maps the
 * kernel as the full one does, except for the memory of processes and guests.
 * A CPU that runs a guest, and serves it, stays in one until it touches what is
 * missing: the page fault switches to the full address space and tries again.
 * Before the guest runs again it switches back, and clears its buffers then.
 *
 * CR3 is in step with asi_cpu.curr except within asi_enter() and __asi_exit(),
 * with interrupts off. Everybody else who reads and writes CR3 leaves the
 * restricted address space first. Exceptions that come even so (NMI, #MC, #DB)
 * may leave it, too, and go back before they return, or see to it that a page
 * fault that they have interrupted is not misunderstood: see __asi_intr_exit().
 */
#define pr_fmt(fmt) "asi: " fmt

#include <linux/cache.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <asm/asi.h>
#include <asm/cmdline.h>
#include <asm/cpufeature.h>
#include <asm/nospec-branch.h>
#include <asm/pgtable.h>
#include <asm/setup.h>
#include <asm/special_insns.h>
#include <asm/tlbflush.h>

#include "asi.h"

/* What a PCID is for is told in tlb.c; this one is the next after the kernel's. */
#define ASI_PCID	(TLB_NR_DYN_ASIDS + 1)

DEFINE_PER_CPU_ALIGNED(struct asi_cpu, asi_cpu) = {
	.taints	= ASI_TAINT_DATA,
};

EXPORT_PER_CPU_SYMBOL_GPL(asi_cpu);

DEFINE_STATIC_KEY_FALSE(asi_key);
EXPORT_SYMBOL_GPL(asi_key);

bool asi_wanted_at_boot __ro_after_init;

/**
 * asi_check_boottime() - read the option asi= of the kernel's command line
 *
 * Before the direct map is made: with asi=on it has no global pages, which would
 * be used by restricted address spaces, too, and its top-level entries map
 * nothing else. May be called more than once.
 */
void __init asi_check_boottime(void)
{
	char arg[4];
	int len = cmdline_find_option(boot_command_line, "asi", arg, sizeof(arg));

	if (len == 2 && !strncmp(arg, "on", 2))
		asi_wanted_at_boot = true;
	else if (len >= 0 && !(len == 3 && !strncmp(arg, "off", 3)))
		pr_err("asi= is neither \"on\" nor \"off\": it is off\n");
}

static __always_inline void asi_flush(struct asi *asi, void (*flush)(void))
{
	raw_atomic64_inc(&asi->flushes);
	instrumentation_begin();
	flush();
	instrumentation_end();
}

/* From the full one. An exception that finds target set may do this, too. */
static __always_inline void asi_switch_to(struct asi_cpu *cpu, struct asi *asi)
{
	WRITE_ONCE(cpu->full_cr3, __native_read_cr3());
	barrier();
	WRITE_ONCE(cpu->target, asi);
	barrier();
	if (cpu->taints & ASI_TAINT_DATA) {
		cpu->taints &= ~ASI_TAINT_DATA;
		asi_flush(asi, asi->class->flush_data);
	}
	WRITE_ONCE(cpu->curr, asi);
	barrier();
	native_write_cr3(asi->cr3);
}

/* What asi_enter() does unless the CPU is in @asi already. */
noinstr void __asi_enter(struct asi *asi)
{
	struct asi_cpu *cpu = this_cpu_ptr(&asi_cpu);

	/* Without a target, no exception comes back with another CR3. */
	WRITE_ONCE(cpu->target, NULL);
	barrier();
	if (unlikely(cpu->curr))
		__asi_exit(ASI_EXIT_EXPLICIT);
	asi_switch_to(cpu, asi);
}
EXPORT_SYMBOL_GPL(__asi_enter);

/**
 * __asi_exit() - leave the restricted address space, if in one
 * @reason: why
 *
 * Context: interrupts off; from exceptions, too, before anything else is touched.
 * Return: whether the CPU was in one.
 */
noinstr bool __asi_exit(enum asi_exit_reason reason)
{
	struct asi_cpu *cpu = this_cpu_ptr(&asi_cpu);
	struct asi *asi = READ_ONCE(cpu->curr);

	if (!asi)
		return false;
	raw_atomic64_inc(&asi->exits[reason]);

	/* A fault between asi_enter() and asi_relax() gives up; no exception undoes that. */
	if (!cpu->nesting)
		WRITE_ONCE(cpu->target, NULL);
	barrier();

	if (cpu->taints & ASI_TAINT_CONTROL) {
		cpu->taints &= ~ASI_TAINT_CONTROL;
		asi_flush(asi, asi->class->flush_control);
	}
	cpu->taints |= ASI_TAINT_DATA;
	/* Flushes the TLB: it has missed what was flushed meanwhile. */
	native_write_cr3(cpu->full_cr3);
	barrier();
	WRITE_ONCE(cpu->curr, NULL);
	return true;
}
EXPORT_SYMBOL_GPL(__asi_exit);

/* What asi_resync() does if they do not agree. */
noinstr void __asi_resync(struct asi *asi)
{
	struct asi_cpu *cpu = this_cpu_ptr(&asi_cpu);

	/* As asi_relax() is going to say. */
	cpu->taints |= ASI_TAINT_CONTROL;
	WRITE_ONCE(cpu->curr, asi);
	barrier();
	__asi_exit(ASI_EXIT_EXPLICIT);
}
EXPORT_SYMBOL_GPL(__asi_resync);

/**
 * __asi_exit_on_fault() - leave the restricted address space, in a page fault
 *
 * Return: whether the fault was, or may have been, raised in there: it tells
 * nothing, and the access is to be tried again.
 */
noinstr bool __asi_exit_on_fault(void)
{
	struct asi_cpu *cpu = this_cpu_ptr(&asi_cpu);
	bool left = __asi_exit(ASI_EXIT_FAULT);

	/* Not before that: an exception may come, and leave, until then. */
	barrier();
	left |= READ_ONCE(cpu->stale_fault);
	WRITE_ONCE(cpu->stale_fault, false);
	return left;
}

/**
 * __asi_intr_enter() - begin an exception that comes at any time
 *
 * Return: what __asi_intr_exit() is to be told.
 */
noinstr struct asi_intr_state __asi_intr_enter(void)
{
	struct asi_cpu *cpu = this_cpu_ptr(&asi_cpu);
	struct asi_intr_state state = {
		.restricted	= READ_ONCE(cpu->curr),
		.stale_fault	= READ_ONCE(cpu->stale_fault),
	};

	cpu->nesting++;
	WRITE_ONCE(cpu->stale_fault, false);
	barrier();
	/* Between the flush and the switch of asi_switch_to(): flush again. */
	if (!cpu->curr)
		cpu->taints |= ASI_TAINT_DATA;
	return state;
}

/**
 * __asi_intr_exit() - end an exception that comes at any time
 * @state: what __asi_intr_enter() has returned
 *
 * It may have come between a page fault of what it interrupted and the handler's
 * asi_exit_on_fault(). If the CPU was in a restricted address space then and is
 * not any more, that would take the fault for one of the full one, and find no
 * excuse for it. So have the next page fault be tried again. If there was none
 * under way, a later one is tried twice, which does no harm.
 *
 * An exception may interrupt page faults of another one: each keeps what it has
 * found for what it returns to, and page faults of its own do not see that.
 */
noinstr void __asi_intr_exit(struct asi_intr_state state)
{
	struct asi_cpu *cpu = this_cpu_ptr(&asi_cpu);

	barrier();
	if (cpu->nesting == 1 && cpu->target && !cpu->curr)
		asi_switch_to(cpu, cpu->target);
	barrier();
	WRITE_ONCE(cpu->stale_fault, state.stale_fault || (state.restricted && !cpu->curr));
	cpu->nesting--;
}

/**
 * asi_init() - make a restricted address space
 * @asi: filled in; zero except for what the caller keeps beside it
 * @class: its class
 *
 * Return: 0, -EOPNOTSUPP unless booted with asi=on, -ENOMEM.
 */
int asi_init(struct asi *asi, const struct asi_class *class)
{
	pgd_t *pgd;

	if (!asi_enabled())
		return -EOPNOTSUPP;

	pgd = (pgd_t *)__get_free_pages(GFP_KERNEL_ACCOUNT | __GFP_ZERO, 1);
	if (!pgd)
		return -ENOMEM;
	asi_map_fill_pgd(pgd);

	memset(asi, 0, sizeof(*asi));
	asi->class = class;
	asi->cr3 = __sme_pa(pgd);
	if (cpu_feature_enabled(X86_FEATURE_PCID))
		asi->cr3 |= ASI_PCID;
	asi->pgd = pgd;
	return 0;
}
EXPORT_SYMBOL_GPL(asi_init);

/**
 * asi_destroy() - free a restricted address space
 * @asi: what asi_init() has made, or zero; no CPU is in it
 */
void asi_destroy(struct asi *asi)
{
	int cpu;

	if (!asi->pgd)
		return;
	for_each_online_cpu(cpu)
		WARN_ON_ONCE(READ_ONCE(per_cpu(asi_cpu.curr, cpu)) == asi);
	free_pages((unsigned long)asi->pgd, 1);
	asi->pgd = NULL;
}
EXPORT_SYMBOL_GPL(asi_destroy);

static int __init asi_boot(void)
{
	int r;

	if (!asi_wanted())
		return 0;
	r = asi_map_init();
	if (r)
		pr_err("cannot be switched on (%d)\n", r);
	return 0;
}
core_initcall(asi_boot);
