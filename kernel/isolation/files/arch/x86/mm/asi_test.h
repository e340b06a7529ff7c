/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KUnit tests of address space isolation: what their files share.
 */
#ifndef _X86_MM_ASI_TEST_H
#define _X86_MM_ASI_TEST_H

#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <asm/asi.h>

#define SECRET	0x5ec2e75ec2e75ec2UL

/* What each case has: a restricted address space, a page of each kind. */
struct asi_test {
	struct asi asi;
	struct page *secret;
	struct page *harmless;
};

static inline struct page *asi_test_alloc(struct kunit *test, gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_pages(gfp, order);

	KUNIT_ASSERT_NOT_NULL(test, page);
	return page;
}

static inline unsigned long asi_test_touch(struct page *page)
{
	return READ_ONCE(*(unsigned long *)page_address(page));
}

/* In asi_map_test.c. */
void asi_test_secret_is_absent(struct kunit *test);
void asi_test_harmless_is_present(struct kunit *test);
void asi_test_all_of_direct_map_is_owned(struct kunit *test);
void asi_test_pages_change_hands(struct kunit *test);
void asi_test_allocator_clears(struct kunit *test);
void asi_test_contig_ranges(struct kunit *test);
void asi_test_map_and_unmap(struct kunit *test);
void asi_test_direct_map_changes(struct kunit *test);
void asi_test_audit(struct kunit *test);

#endif /* _X86_MM_ASI_TEST_H */
