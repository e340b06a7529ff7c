// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address space isolation (ASI): looking for what is mapped that should not be.
 *
 * The audit does not believe what asi_map.c thinks it has done. It walks all that
 * the CPU would, from the top-level table, and asks each page frame what it is
 * used for. In debugfs, below x86/asi:
 *
 *  audit	the result of a walk now
 *  skip_unmap	so many pages that become sensitive will not be unmapped
 *  skip_enter	so many VM entries of isolated VMs will not be restricted
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/export.h>
#include <linux/init.h>
#include <linux/kasan.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <asm/asi.h>
#include <asm/espfix.h>
#include <asm/pgtable.h>

#include "asi.h"

atomic_t asi_skip_unmap;
atomic_t asi_skip_enter;
EXPORT_SYMBOL_GPL(asi_skip_enter);

/*
 * Whether a frame holds memory of a process or a guest, as far as its struct page
 * tells: it is anonymous, or in the page cache of what keeps such memory there.
 */
static bool asi_frame_is_sensitive(unsigned long pfn)
{
	struct address_space *mapping;
	bool sensitive = false;
	struct folio *folio;

	if (!pfn_valid(pfn))
		return false;
	folio = pfn_folio(pfn);
	if (!folio_try_get(folio))
		return false;
	/* The folio may have been another one before there was a reference. */
	if (folio != pfn_folio(pfn))
		goto out;
	if (folio_test_anon(folio)) {
		sensitive = true;
	} else if (folio_test_lru(folio) && folio_trylock(folio)) {
		mapping = folio_mapping(folio);
		sensitive = mapping && mapping_gfp_mask(mapping) & __GFP_SENSITIVE;
		folio_unlock(folio);
	}
out:
	folio_put(folio);
	return sensitive;
}

struct asi_walk {
	struct asi_audit audit;
	unsigned long watch;	/* the one frame to look for, or ~0UL: ask each */
	bool watch_found;
};

/* @entry may change meanwhile; what counts is a sensitive frame that it has before and after. */
static void asi_walk_leaf(struct asi_walk *walk, const unsigned long *entry, unsigned long addr,
			  unsigned long size)
{
	unsigned long value = READ_ONCE(*entry);
	pte_t pte = __pte(value);
	unsigned long pfn, i;

	if (size > PAGE_SIZE)
		pte = pfn_pte(pmd_pfn(__pmd(value)), pgprot_large_2_4k(pte_pgprot(pte)));
	pfn = pte_pfn(pte);
	walk->audit.leaves++;
	for (i = 0; i < size >> PAGE_SHIFT; i++) {
		walk->audit.frames++;
		if (walk->watch != ~0UL) {
			walk->watch_found |= pfn + i == walk->watch;
			continue;
		}
		if (!asi_frame_is_sensitive(pfn + i) || READ_ONCE(*entry) != value)
			continue;
		if (!walk->audit.sensitive++)
			walk->audit.first = addr + i * PAGE_SIZE;
	}
}

/* What has no memory of its own, and the same tables so often that it takes for ever. */
static bool asi_walk_skips(unsigned long addr)
{
#ifdef CONFIG_KASAN
	/* With five levels the first table of the shadow begins before it, and is full, too. */
	if (addr >= (KASAN_SHADOW_START & PGDIR_MASK) && addr < KASAN_SHADOW_END)
		return true;
#endif
#ifdef CONFIG_X86_ESPFIX64
	if ((long)addr >> P4D_SHIFT == ESPFIX_PGD_ENTRY)
		return true;
#endif
	return false;
}

static const unsigned long asi_level_size[] = { PAGE_SIZE, PMD_SIZE, PUD_SIZE, };

/*
 * @table has the entries of @level for addresses from @addr: 0 for PTEs, up to 3
 * for P4Ds. A large entry of P4D level does not exist.
 */
static void asi_walk_table(struct asi_walk *walk, const unsigned long *table, int level,
			   unsigned long addr)
{
	unsigned long size = level == 3 ? P4D_SIZE : asi_level_size[level];
	unsigned long value;
	int i;

	for (i = 0; i < PTRS_PER_PTE; i++, addr += size) {
		value = READ_ONCE(table[i]);
		if (!(value & _PAGE_PRESENT) || asi_walk_skips(addr))
			continue;
		if (!level || (level < 3 && value & _PAGE_PSE))
			asi_walk_leaf(walk, &table[i], addr, size);
		else
			asi_walk_table(walk, __va(value & PTE_PFN_MASK), level - 1, addr);
	}
	cond_resched();
}

static void asi_walk_pgd(struct asi_walk *walk, pgd_t *pgd)
{
	unsigned long addr, value;
	int i;

	for (i = 0; i < PTRS_PER_PGD; i++) {
		value = READ_ONCE(pgd[i].pgd);
		if (!(value & _PAGE_PRESENT))
			continue;
		if (i < PTRS_PER_PGD / 2) {
			walk->audit.user++;
			continue;
		}
		/* The upper half: canonical. */
		addr = (unsigned long)i << PGDIR_SHIFT | ~0UL << (PGDIR_SHIFT + 8);
		if (!asi_walk_skips(addr))
			asi_walk_table(walk, __va(value & PTE_PFN_MASK),
				       pgtable_l5_enabled() ? 3 : 2, addr);
	}
}

/**
 * asi_audit_pgd() - walk a restricted address space
 * @pgd: its top-level table
 * @audit: what was found
 *
 * Context: may sleep.
 */
void asi_audit_pgd(pgd_t *pgd, struct asi_audit *audit)
{
	struct asi_walk walk = { .watch = ~0UL };

	asi_walk_pgd(&walk, pgd);
	*audit = walk.audit;
}

/**
 * asi_covers() - whether a restricted address space has a frame anywhere
 * @pgd: its top-level table
 * @pfn: the frame
 *
 * Context: may sleep.
 */
bool asi_covers(pgd_t *pgd, unsigned long pfn)
{
	struct asi_walk walk = { .watch = pfn };

	asi_walk_pgd(&walk, pgd);
	return walk.watch_found;
}

static int asi_audit_show(struct seq_file *m, void *unused)
{
	static const struct asi_class audit_class = { .name = "audit" };
	struct asi_audit audit;
	struct asi *asi;
	int r;

	asi = kzalloc(sizeof(*asi), GFP_KERNEL);
	if (!asi)
		return -ENOMEM;
	r = asi_init(asi, &audit_class);
	if (!r) {
		asi_audit_pgd(asi->pgd, &audit);
		seq_printf(m, "leaves %llu\nframes %llu\nuser %llu\nsensitive %llu\n",
			   audit.leaves, audit.frames, audit.user, audit.sensitive);
		if (audit.sensitive)
			seq_printf(m, "first 0x%lx\n", audit.first);
		asi_destroy(asi);
	}
	kfree(asi);
	return r;
}
DEFINE_SHOW_ATTRIBUTE(asi_audit);

static int __init asi_debug_init(void)
{
	struct dentry *dir = debugfs_create_dir("asi", arch_debugfs_dir);

	debugfs_create_file("audit", 0400, dir, NULL, &asi_audit_fops);
	debugfs_create_atomic_t("skip_unmap", 0600, dir, &asi_skip_unmap);
	debugfs_create_atomic_t("skip_enter", 0600, dir, &asi_skip_enter);
	return 0;
}
late_initcall(asi_debug_init);
