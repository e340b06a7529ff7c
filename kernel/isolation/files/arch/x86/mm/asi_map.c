// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address space isolation (ASI): what is mapped.
 *
 * The kernel half of all restricted address spaces is that of init_mm, but for
 * the direct map: of that there is one copy, of 4K entries, made at boot and
 * shared by all. In it, a page's entry is one of three:
 *
 *  none	the page is sensitive, or free after it was, and holds anything
 *  stale	the entry was taken away with no TLB flush; the page is not sensitive
 *  present	the same as in the full direct map; the page is not sensitive
 *
 * So the entry is all the state there is. Who owns a page (the page allocator
 * while it is free) owns its entry; there is no lock.
 *
 * Pages become sensitive and cease to be when they are allocated, by the flags
 * __GFP_SENSITIVE and __GFP_MOVABLE. Freeing changes nothing. A page that
 * becomes sensitive is unmapped, and the CPUs that are in a restricted address
 * space are flushed before its new owner gets it; the others flush when they
 * enter. A page that ceases to be is cleared and then mapped, which takes no
 * flush and works in any context.
 *
 * To flush another CPU one has to wait for it. If the allocation may sleep, an
 * IPI does. Otherwise interrupts may be off or the caller may hold a lock which
 * that CPU spins on with interrupts off; then an NMI does, which always gets
 * through.
 */
#define pr_fmt(fmt) "asi: " fmt

#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/sched/clock.h>
#include <linux/smp.h>
#include <linux/time64.h>
#include <linux/vmalloc.h>
#include <asm/apic.h>
#include <asm/asi.h>
#include <asm/nmi.h>
#include <asm/page.h>
#include <asm/pgtable.h>
#include <asm/sections.h>
#include <asm/set_memory.h>
#include <asm/setup.h>

#include "asi.h"

/* Not present, without the address of any frame. */
#define ASI_PTE_STALE	__pte(_PAGE_SOFTW1)

/*
 * Top-level entries that the direct map has to itself, and the tables below them.
 * All that it may ever have: what comes after the memory of boot belongs to devices
 * (ZONE_DEVICE), processes may have it, and it has no entries here.
 */
static unsigned int asi_first_pgd, asi_last_pgd;
static pgd_t asi_pgd[PTRS_PER_PGD] __aligned(PAGE_SIZE);

/* The table of entries for each 2M of memory; NULL where the direct map has none. */
static pte_t **asi_ptes __ro_after_init;
static unsigned long asi_max_pfn __ro_after_init;

/**
 * asi_pte() - the entry of a page in the restricted direct map
 * @pfn: the page
 *
 * Return: the entry, or %NULL if it never has one.
 */
pte_t *asi_pte(unsigned long pfn)
{
	pte_t *table;

	if (pfn >= asi_max_pfn)
		return NULL;
	table = asi_ptes[pfn >> (PMD_SHIFT - PAGE_SHIFT)];
	return table ? table + (pfn & (PTRS_PER_PTE - 1)) : NULL;
}

/* The same mapping as in the full direct map, or none. */
static pte_t asi_full_pte(unsigned long pfn)
{
	unsigned long addr = (unsigned long)pfn_to_kaddr(pfn);
	unsigned int level;
	pte_t *pte = lookup_address(addr, &level);

	if (!pte || !(pte_flags(*pte) & _PAGE_PRESENT))
		return __pte(0);
	switch (level) {
	case PG_LEVEL_4K:
		return pfn_pte(pfn, pte_pgprot(*pte));
	case PG_LEVEL_2M:
		return pfn_pte(pfn, pgprot_large_2_4k(pmd_pgprot(*(pmd_t *)pte)));
	default:
		return pfn_pte(pfn, pgprot_large_2_4k(pud_pgprot(*(pud_t *)pte)));
	}
}

static void asi_map_pages(unsigned long pfn, unsigned long nr)
{
	for (; nr--; pfn++) {
		pte_t *ptep = asi_pte(pfn), full;

		if (!ptep || pte_present(*ptep))
			continue;
		full = asi_full_pte(pfn);
		if (!pte_present(full))
			continue;
		/* Nobody has found it worth clearing yet: it may be a process's. */
		if (pte_none(*ptep))
			clear_page(pfn_to_kaddr(pfn));
		set_pte(ptep, full);
	}
}

static void asi_unmap_pages(unsigned long pfn, unsigned long nr, bool may_wait)
{
	bool flush = false;

	for (; nr--; pfn++) {
		pte_t *ptep = asi_pte(pfn);

		if (!ptep || pte_none(*ptep) || asi_forget_unmap())
			continue;
		set_pte(ptep, __pte(0));
		flush = true;
	}
	if (flush)
		asi_shoot_down(may_wait);
}

/* See asi_alloc_pages(). */
void __asi_alloc_pages(struct page *page, unsigned int order, gfp_t gfp)
{
	unsigned long pfn = page_to_pfn(page);

	if (gfp & (__GFP_SENSITIVE | __GFP_MOVABLE))
		asi_unmap_pages(pfn, 1UL << order,
				gfpflags_allow_blocking(gfp) && !irqs_disabled());
	else
		asi_map_pages(pfn, 1UL << order);
}

/*
 * See asi_direct_map_changed(). Whatever has changed, nothing is always a part of
 * it. The page is mapped again when it is allocated the next time.
 */
void __asi_direct_map_changed(unsigned long addr, unsigned long nr_pages)
{
	unsigned long pfn;

	if (addr < PAGE_OFFSET)
		return;
	pfn = (addr - PAGE_OFFSET) >> PAGE_SHIFT;
	for (; nr_pages-- && pfn < asi_max_pfn; pfn++) {
		pte_t *ptep = asi_pte(pfn);

		if (ptep && pte_present(*ptep))
			set_pte(ptep, ASI_PTE_STALE);
	}
}

static bool asi_in_direct_map(void *addr, size_t size)
{
	unsigned long start = (unsigned long)addr;

	return IS_ALIGNED(start | size, PAGE_SIZE) && size && start >= PAGE_OFFSET &&
	       (start - PAGE_OFFSET) >> PAGE_SHIFT < asi_max_pfn &&
	       size >> PAGE_SHIFT <= asi_max_pfn - ((start - PAGE_OFFSET) >> PAGE_SHIFT);
}

/**
 * asi_map() - map whole pages of the direct map in restricted address spaces
 * @addr: the first, which the caller owns
 * @size: how much
 *
 * As if they had been allocated without __GFP_SENSITIVE: they are cleared unless
 * they are mapped already.
 *
 * Return: 0, or -EINVAL if they are not in the direct map or not whole.
 */
int asi_map(void *addr, size_t size)
{
	if (!asi_enabled())
		return 0;
	if (!asi_in_direct_map(addr, size))
		return -EINVAL;
	asi_map_pages(__pa(addr) >> PAGE_SHIFT, size >> PAGE_SHIFT);
	return 0;
}

/**
 * asi_unmap() - unmap whole pages of the direct map from restricted address spaces
 * @addr: the first, which the caller owns
 * @size: how much
 *
 * Context: may sleep.
 */
void asi_unmap(void *addr, size_t size)
{
	might_sleep();
	if (asi_enabled() && !WARN_ON_ONCE(!asi_in_direct_map(addr, size)))
		asi_unmap_pages(__pa(addr) >> PAGE_SHIFT, size >> PAGE_SHIFT, true);
}

/*
 * Flushing other CPUs.
 *
 * The entries were changed before; asi_cpu.curr is read after. A CPU for which it
 * is NULL then has yet to set it, and flushes when it writes CR3 after that.
 */
static bool asi_cpu_is_restricted(int cpu, void *unused)
{
	return READ_ONCE(per_cpu(asi_cpu.curr, cpu));
}

static void asi_flush_this_cpu(void *unused)
{
	asi_exit(ASI_EXIT_EXPLICIT);
}

static DEFINE_RAW_SPINLOCK(asi_nmi_lock);
static DEFINE_PER_CPU(bool, asi_nmi_pending);

static int asi_nmi_handler(unsigned int type, struct pt_regs *regs)
{
	if (!this_cpu_read(asi_nmi_pending))
		return NMI_DONE;
	asi_exit(ASI_EXIT_EXPLICIT);
	/* CR3 is written before the one who waits sees this. */
	smp_store_release(this_cpu_ptr(&asi_nmi_pending), false);
	return NMI_HANDLED;
}

/*
 * An NMI gets through at once, unless the CPU is in one, in a #MC, in firmware, or
 * not scheduled by a host: those end. A CPU that was stopped in one for good is not
 * worth hanging all others for. So do not wait for ever, but much longer than a
 * handler takes.
 *
 * To go on then is as safe as it gets: that CPU still may have the pages mapped in
 * its TLB, and a handler that is under way there may speculate on them, but as long
 * as it takes no NMI it runs no guest, and the NMI that it has pending is the next
 * thing that it takes, and flushes.
 */
#define ASI_NMI_TIMEOUT_NS	(10 * NSEC_PER_SEC)

static void asi_wait_for_nmi(int cpu)
{
	u64 start = local_clock();

	/* Pairs with the release in asi_nmi_handler(). */
	while (smp_load_acquire(&per_cpu(asi_nmi_pending, cpu)) &&
	       asi_cpu_is_restricted(cpu, NULL)) {
		if (WARN_ONCE(local_clock() - start > ASI_NMI_TIMEOUT_NS,
			      "asi: CPU %d takes no NMI\n", cpu))
			return;
		cpu_relax();
	}
}

/* One at a time; those who wait for the lock do take NMIs. */
static void asi_shoot_down_by_nmi(void)
{
	unsigned long flags;
	int cpu;

	raw_spin_lock_irqsave(&asi_nmi_lock, flags);
	asi_exit(ASI_EXIT_EXPLICIT);
	for_each_online_cpu(cpu) {
		if (!asi_cpu_is_restricted(cpu, NULL))
			continue;
		/* One that has left before its NMI came may still be waiting for it. */
		if (!READ_ONCE(per_cpu(asi_nmi_pending, cpu))) {
			WRITE_ONCE(per_cpu(asi_nmi_pending, cpu), true);
			/* The NMI comes after that. */
			smp_mb();
			__apic_send_IPI_mask(cpumask_of(cpu), NMI_VECTOR);
		}
		asi_wait_for_nmi(cpu);
	}
	raw_spin_unlock_irqrestore(&asi_nmi_lock, flags);
}

/**
 * asi_shoot_down() - see that no CPU uses an entry that was taken away
 * @may_wait: no lock is held that is taken with interrupts off, and they are on
 */
void asi_shoot_down(bool may_wait)
{
	/* Entries before asi_cpu.curr; pairs with the write of CR3 in asi_enter(). */
	smp_mb();
	if (may_wait)
		on_each_cpu_cond(asi_cpu_is_restricted, asi_flush_this_cpu, NULL, true);
	else
		asi_shoot_down_by_nmi();
}

/*
 * Making the restricted direct map.
 */

/* Whether a top-level entry is the restricted direct map's. */
bool asi_map_owns(unsigned int index)
{
	return index >= asi_first_pgd && index <= asi_last_pgd;
}

/**
 * asi_map_fill_pgd() - fill a top-level page table
 * @pgd: the table, zero
 *
 * Nothing of user space, the restricted direct map, and what init_mm has. Its
 * entries for vmalloc were all made at boot.
 */
void asi_map_fill_pgd(pgd_t *pgd)
{
	unsigned int i;

	for (i = KERNEL_PGD_BOUNDARY; i < PTRS_PER_PGD; i++)
		pgd[i] = asi_map_owns(i) ? asi_pgd[i] : READ_ONCE(init_mm.pgd[i]);
}

/* The table for an address, made if it is not there; @pgd is never init_mm's. */
static pte_t *__init asi_make_table(unsigned long addr)
{
	pgd_t *pgd = pgd_offset_pgd(asi_pgd, addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;
	void *table;

	if (pgtable_l5_enabled() && pgd_none(*pgd)) {
		table = (void *)get_zeroed_page(GFP_KERNEL);
		if (!table)
			return NULL;
		*pgd = __pgd(_KERNPG_TABLE | __pa(table));
	}
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d)) {
		table = (void *)get_zeroed_page(GFP_KERNEL);
		if (!table)
			return NULL;
		WRITE_ONCE(*p4d, __p4d(_KERNPG_TABLE | __pa(table)));
	}
	pud = pud_offset(p4d, addr);
	if (pud_none(*pud)) {
		table = (void *)get_zeroed_page(GFP_KERNEL);
		if (!table)
			return NULL;
		set_pud(pud, __pud(_KERNPG_TABLE | __pa(table)));
	}
	pmd = pmd_offset(pud, addr);
	if (pmd_none(*pmd)) {
		table = (void *)get_zeroed_page(GFP_KERNEL);
		if (!table)
			return NULL;
		set_pmd(pmd, __pmd(_KERNPG_TABLE | __pa(table)));
	}
	return pte_offset_kernel(pmd, addr & PMD_MASK);
}

static int __init asi_map_everything(void)
{
	unsigned long pfn;

	for (pfn = 0; pfn < max_pfn; pfn++) {
		pte_t **table = &asi_ptes[pfn >> (PMD_SHIFT - PAGE_SHIFT)];
		pte_t full = asi_full_pte(pfn);

		if (!(pfn & 0xffff))
			cond_resched();
		if (!pte_present(full))
			continue;
		if (!*table)
			*table = asi_make_table((unsigned long)pfn_to_kaddr(pfn));
		if (!*table)
			return -ENOMEM;
		set_pte(*table + (pfn & (PTRS_PER_PTE - 1)), full);
	}
	return 0;
}

/* No free block crosses the boundary of the largest. */
static void __init asi_unmap_free_pages_in(struct zone *zone, unsigned long start)
{
	unsigned long pfn, end = min(start + MAX_ORDER_NR_PAGES, zone_end_pfn(zone));
	unsigned long flags, i;

	spin_lock_irqsave(&zone->lock, flags);
	for (pfn = start; pfn < end; pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		if (!page || page_zone(page) != zone || !PageBuddy(page))
			continue;
		/* A free block's first page has its order there. */
		for (i = 0; i < 1UL << page_private(page); i++) {
			pte_t *ptep = asi_pte(pfn + i);

			if (ptep)
				set_pte(ptep, __pte(0));
		}
		pfn += i - 1;
	}
	spin_unlock_irqrestore(&zone->lock, flags);
}

/* What is free goes to processes, mostly; as long as no CPU is restricted, that takes no flush. */
static void __init asi_unmap_free_pages(void)
{
	unsigned long pfn;
	struct zone *zone;

	for_each_populated_zone(zone)
		for (pfn = ALIGN_DOWN(zone->zone_start_pfn, MAX_ORDER_NR_PAGES);
		     pfn < zone_end_pfn(zone); pfn += MAX_ORDER_NR_PAGES) {
			asi_unmap_free_pages_in(zone, pfn);
			cond_resched();
		}
}

/*
 * The kernel image is mapped a second time, in large pages. What is in them beyond
 * its end, or was given back during boot, belongs to the page allocator. (For
 * what is given back later, see free_kernel_image_pages().)
 */
static int __init asi_unmap_image_alias(void)
{
	unsigned long addr, end = roundup(_brk_end, PMD_SIZE);
	int r;

	for (addr = PFN_ALIGN(_text); addr < end; addr += PAGE_SIZE) {
		if (PageReserved(virt_to_page((void *)addr)))
			continue;
		r = set_memory_np_noalias(addr, 1);
		if (r)
			return r;
	}
	return 0;
}

/* Memory that comes later would have no entries, and entries outlive memory that goes. */
static int __meminit asi_memory_notify(struct notifier_block *nb, unsigned long action, void *arg)
{
	if (action != MEM_GOING_ONLINE && action != MEM_GOING_OFFLINE)
		return NOTIFY_OK;
	pr_err("memory hotplug is refused with asi=on\n");
	return notifier_from_errno(-EOPNOTSUPP);
}

int __init asi_map_init(void)
{
	unsigned long regions[] = { VMALLOC_START, VMEMMAP_START };
	unsigned int i;
	int r;

	if (boot_cpu_has(X86_FEATURE_XENPV))
		return -EOPNOTSUPP;

	asi_first_pgd = pgd_index(PAGE_OFFSET);
	asi_last_pgd = pgd_index((unsigned long)__va(PHYSMEM_END));
	for (i = 0; i < ARRAY_SIZE(regions); i++)
		if (asi_map_owns(pgd_index(regions[i])))
			return -EADDRINUSE;

	asi_ptes = vcalloc(DIV_ROUND_UP(max_pfn, PTRS_PER_PTE), sizeof(*asi_ptes));
	if (!asi_ptes)
		return -ENOMEM;
	r = asi_unmap_image_alias() ?: asi_map_everything();
	if (r)
		return r;	/* whoever is so short of memory at boot has other worries */
	r = register_nmi_handler(NMI_LOCAL, asi_nmi_handler, 0, "asi");
	if (r)
		return r;
	hotplug_memory_notifier(asi_memory_notify, DEFAULT_CALLBACK_PRI);

	asi_max_pfn = max_pfn;
	static_branch_enable(&asi_key);
	asi_unmap_free_pages();
	pr_info("on; memory of processes and guests is left out of restricted address spaces\n");
	return 0;
}
