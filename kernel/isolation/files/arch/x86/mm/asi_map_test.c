// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of address space isolation: what is mapped.
 */
#include <linux/pagemap.h>
#include <linux/set_memory.h>
#include <linux/shmem_fs.h>
#include <linux/swap.h>
#include <asm/pgtable.h>

#include "asi.h"
#include "asi_test.h"

void asi_test_secret_is_absent(struct kunit *test)
{
	struct asi_test *t = test->priv;
	struct page *pages;
	int i;

	KUNIT_EXPECT_TRUE(test, pte_none(*asi_pte(page_to_pfn(t->secret))));
	KUNIT_EXPECT_FALSE(test, asi_covers(t->asi.pgd, page_to_pfn(t->secret)));

	pages = asi_test_alloc(test, GFP_HIGHUSER_MOVABLE, 3);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_TRUE(test, pte_none(*asi_pte(page_to_pfn(pages + i))));
	__free_pages(pages, 3);

	/* What the targets of compaction are allocated with. */
	pages = asi_test_alloc(test, __GFP_MOVABLE | GFP_NOWAIT, 0);
	KUNIT_EXPECT_TRUE(test, pte_none(*asi_pte(page_to_pfn(pages))));
	__free_page(pages);
}

void asi_test_harmless_is_present(struct kunit *test)
{
	struct asi_test *t = test->priv;
	unsigned long pfn = page_to_pfn(t->harmless);
	pte_t pte = *asi_pte(pfn);
	unsigned int level;
	pte_t *full = lookup_address((unsigned long)page_address(t->harmless), &level);
	pgprot_t prot = pte_pgprot(*full);

	if (level != PG_LEVEL_4K)
		prot = pgprot_large_2_4k(prot);
	KUNIT_EXPECT_TRUE(test, pte_present(pte));
	KUNIT_EXPECT_EQ(test, pte_pfn(pte), pfn);
	/* All but what the CPU sets by itself. */
	KUNIT_EXPECT_EQ(test, pte_flags(pte) | _PAGE_ACCESSED | _PAGE_DIRTY,
			pgprot_val(prot) | _PAGE_ACCESSED | _PAGE_DIRTY);
	KUNIT_EXPECT_FALSE(test, pte_flags(pte) & _PAGE_GLOBAL);
	KUNIT_EXPECT_TRUE(test, asi_covers(t->asi.pgd, pfn));
}

/* Memory of devices, which may come later and be a process's, lies beyond that of boot. */
void asi_test_all_of_direct_map_is_owned(struct kunit *test)
{
	struct asi_test *t = test->priv;
	unsigned int last = pgd_index((unsigned long)pfn_to_kaddr(max_pfn) - 1);
	unsigned int i, end = pgd_index((unsigned long)__va(PHYSMEM_END));

	KUNIT_EXPECT_TRUE(test, asi_map_owns(pgd_index(PAGE_OFFSET)));
	KUNIT_EXPECT_TRUE(test, asi_map_owns(end));
	KUNIT_EXPECT_FALSE(test, asi_map_owns(pgd_index(VMALLOC_START)));
	for (i = last + 1; i <= end; i++)
		KUNIT_EXPECT_EQ(test, pgd_val(t->asi.pgd[i]), 0);
}

void asi_test_pages_change_hands(struct kunit *test)
{
	struct asi_test *t = test->priv;
	pte_t *pte = asi_pte(page_to_pfn(t->harmless));
	unsigned long *data = page_address(t->harmless);
	int i;

	/* To a process: unmapped; what is in it is not our business. */
	__asi_alloc_pages(t->harmless, 0, GFP_USER);
	KUNIT_EXPECT_TRUE(test, pte_none(*pte));
	data[1] = SECRET;

	/* Back: mapped, and nothing of the process is left. */
	__asi_alloc_pages(t->harmless, 0, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, pte_present(*pte));
	for (i = 0; i < PAGE_SIZE / sizeof(*data); i++)
		KUNIT_ASSERT_EQ(test, data[i], 0);

	/* From the kernel to the kernel: left alone. */
	data[1] = SECRET;
	__asi_alloc_pages(t->harmless, 0, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, data[1], SECRET);
}

/* The same with the page allocator itself, which has no reason to clear a page of GFP_KERNEL. */
void asi_test_allocator_clears(struct kunit *test)
{
	unsigned long pfn;
	struct page *page;
	LIST_HEAD(others);
	int i;

	page = asi_test_alloc(test, GFP_USER, 0);
	pfn = page_to_pfn(page);
	memset(page_address(page), 0xa5, PAGE_SIZE);
	__free_page(page);

	for (i = 0; i < 1000; i++) {
		page = asi_test_alloc(test, GFP_KERNEL, 0);
		list_add(&page->lru, &others);
		if (page_to_pfn(page) != pfn)
			continue;
		KUNIT_EXPECT_TRUE(test, pte_present(*asi_pte(pfn)));
		KUNIT_EXPECT_NULL(test, memchr_inv(page_address(page), 0, PAGE_SIZE));
		break;
	}
	KUNIT_EXPECT_LT_MSG(test, i, 1000, "the page did not come back");
	put_pages_list(&others);
}

/* A range that is taken as a whole, as gigantic pages are: past the free lists' fast path. */
static void asi_test_contig_range(struct kunit *test, gfp_t gfp, bool sensitive)
{
	unsigned long pfn, nr = pageblock_nr_pages;
	struct page *pages = alloc_contig_pages(nr, gfp, numa_mem_id(), NULL);
	unsigned long i, wrong = 0;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	pfn = page_to_pfn(pages);
	for (i = 0; i < nr; i++)
		wrong += sensitive ? !pte_none(*asi_pte(pfn + i)) : !pte_present(*asi_pte(pfn + i));
	KUNIT_EXPECT_EQ(test, wrong, 0);
	free_contig_range(pfn, nr);
}

void asi_test_contig_ranges(struct kunit *test)
{
	asi_test_contig_range(test, GFP_HIGHUSER_MOVABLE, true);
	asi_test_contig_range(test, GFP_HIGHUSER | __GFP_COMP, true);
	asi_test_contig_range(test, GFP_KERNEL, false);
}

void asi_test_map_and_unmap(struct kunit *test)
{
	struct asi_test *t = test->priv;
	void *addr = page_address(t->harmless);
	pte_t *pte = asi_pte(page_to_pfn(t->harmless));

	asi_unmap(addr, PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, pte_none(*pte));
	KUNIT_EXPECT_EQ(test, asi_map(addr, PAGE_SIZE), 0);
	KUNIT_EXPECT_TRUE(test, pte_present(*pte));

	KUNIT_EXPECT_EQ(test, asi_map(addr + 8, PAGE_SIZE), -EINVAL);
	KUNIT_EXPECT_EQ(test, asi_map(addr, PAGE_SIZE - 8), -EINVAL);
	KUNIT_EXPECT_EQ(test, asi_map(addr, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, asi_map((void *)VMALLOC_START, PAGE_SIZE), -EINVAL);
	KUNIT_EXPECT_EQ(test, asi_map(addr, ULONG_MAX & PAGE_MASK), -EINVAL);
}

/* A mapping that becomes another one is not the same any more, and a flush is due. */
void asi_test_direct_map_changes(struct kunit *test)
{
	struct asi_test *t = test->priv;
	unsigned long addr = (unsigned long)page_address(t->harmless);
	pte_t *pte = asi_pte(page_to_pfn(t->harmless));

	KUNIT_ASSERT_EQ(test, set_memory_ro(addr, 1), 0);
	KUNIT_EXPECT_FALSE(test, pte_present(*pte));
	KUNIT_EXPECT_FALSE(test, pte_none(*pte));
	KUNIT_EXPECT_EQ(test, set_memory_rw(addr, 1), 0);
	KUNIT_EXPECT_FALSE(test, pte_present(*pte));

	/* Not a process's: mapped again, not cleared. */
	__asi_alloc_pages(t->harmless, 0, GFP_KERNEL);
	KUNIT_EXPECT_TRUE(test, pte_present(*pte));
	KUNIT_EXPECT_TRUE(test, pte_write(*pte));
	KUNIT_EXPECT_EQ(test, asi_test_touch(t->harmless), SECRET);
}

/* The walk finds nothing; then something that is there by mistake; then nothing. */
void asi_test_audit(struct kunit *test)
{
	struct asi_test *t = test->priv;
	struct asi_audit audit;
	struct file *file;
	struct page *page;

	file = shmem_kernel_file_setup("asi-test", PAGE_SIZE, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	page = shmem_read_mapping_page(file->f_mapping, 0);
	if (IS_ERR(page)) {
		fput(file);
		KUNIT_FAIL(test, "no page");
		return;
	}
	lru_add_drain_all();

	asi_audit_pgd(t->asi.pgd, &audit);
	KUNIT_EXPECT_EQ(test, audit.sensitive, 0);
	KUNIT_EXPECT_EQ(test, audit.user, 0);
	KUNIT_EXPECT_GT(test, audit.frames, totalram_pages() / 100);

	KUNIT_EXPECT_EQ(test, asi_map(page_address(page), PAGE_SIZE), 0);
	atomic_set(&asi_skip_unmap, 1);
	asi_unmap(page_address(page), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, atomic_read(&asi_skip_unmap), 0);
	asi_audit_pgd(t->asi.pgd, &audit);
	KUNIT_EXPECT_EQ(test, audit.sensitive, 1);
	KUNIT_EXPECT_EQ(test, audit.first, (unsigned long)page_address(page));

	asi_unmap(page_address(page), PAGE_SIZE);
	asi_audit_pgd(t->asi.pgd, &audit);
	KUNIT_EXPECT_EQ(test, audit.sensitive, 0);
	put_page(page);
	fput(file);
}
