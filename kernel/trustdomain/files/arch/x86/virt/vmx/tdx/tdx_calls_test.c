// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests: how many SEAMCALLs the end of a trust domain takes, and the TDX
 * module model's own status codes.
 */
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "tdx_host.h"
#include "tdx_test_td.h"

/*
 * 1 GiB is there page for page; of larger guests so many pages are. A debug
 * kernel would take minutes for either.
 */
#ifdef CONFIG_KASAN
#define MAX_PAGES	(SZ_16M / PAGE_SIZE)
#define SOME_PAGES	MAX_PAGES
#else
#define MAX_PAGES	(SZ_1G / PAGE_SIZE)
#define SOME_PAGES	(SZ_128M / PAGE_SIZE)
#endif
/* Of a teardown with a live key: every page takes the same calls. */
#define LIVE_PAGES	1024

static u64 call(u64 leaf, u64 rcx, u64 rdx, u64 r8, u64 r9)
{
	struct tdx_module_args args = { .rcx = rcx, .rdx = rdx, .r8 = r8, .r9 = r9 };

	return tdx_model_call(leaf, &args);
}

static u64 tdr_of(struct tdx_test_td *t)
{
	return page_to_phys(t->td.tdr_page);
}

/*
 * What a host does that removes the pages while the TD has its key: nobody may
 * run on with an old translation, so that also takes an IPI for each of them.
 */
static unsigned long calls_with_a_live_key(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, 1, 0);
	unsigned long calls, i, ok = 0;
	struct page *page;
	u64 keyed;

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	keyed = (u64)tdx_test_info(t).hkid << boot_cpu_data.x86_phys_bits;
	calls = tdx_model_calls(MODEL_ANY_LEAF);
	for (i = 0; i < LIVE_PAGES; i++) {
		page = alloc_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, page);
		ok += !call(MODEL_MEM_PAGE_ADD, i << PAGE_SHIFT, tdr_of(t),
			    page_to_phys(page), page_to_phys(page));
		/* Not one of these can be left out. */
		ok += !!call(MODEL_MEM_PAGE_REMOVE, i << PAGE_SHIFT, tdr_of(t), 0, 0);
		calls += 2;
		ok += !call(MODEL_MEM_RANGE_BLOCK, i << PAGE_SHIFT, tdr_of(t), 0, 0);
		ok += !!call(MODEL_MEM_PAGE_REMOVE, i << PAGE_SHIFT, tdr_of(t), 0, 0);
		calls++;
		ok += !call(MODEL_MEM_TRACK, tdr_of(t), 0, 0, 0);
		ok += !call(MODEL_MEM_PAGE_REMOVE, i << PAGE_SHIFT, tdr_of(t), 0, 0);
		ok += !call(MODEL_PAGE_WBINVD, page_to_phys(page) | keyed, 0, 0, 0);
		clear_highpage(page);
		__free_page(page);
	}
	KUNIT_EXPECT_EQ(test, ok, 7UL * LIVE_PAGES);
	calls = tdx_model_calls(MODEL_ANY_LEAF) - calls;
	tdx_td_destroy(&t->td);
	tdx_test_expect_nothing_left(test);
	return calls;
}

struct end {
	unsigned long held;	/* calls from the stop until the KeyID is free */
	unsigned long after;	/* calls after that */
};

/* The end of a TD with so many private pages. */
static struct end end_of(struct kunit *test, unsigned long pages)
{
	struct tdx_model_config config = TDX_TEST_CONFIG;
	struct tdx_test_td *t = tdx_test_new(test, 4, pages);
	unsigned long start;
	struct end end;

	config.max_pages = pages + 256;
	tdx_test_reinstall(test, &config);
	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	KUNIT_ASSERT_EQ(test, tdx_model_owned_pages(), TDX_TEST_CONTROL(4) + pages);
	start = tdx_model_calls(MODEL_ANY_LEAF);
	tdx_td_destroy(&t->td);
	end.held = tdx_model_last(MODEL_MNG_KEY_FREEID) - start;
	end.after = tdx_model_calls(MODEL_ANY_LEAF) - start - end.held;
	tdx_test_expect_nothing_left(test);
	kunit_kfree(test, t);
	return end;
}

/* What is printed here becomes a table and a plot of user space's documentation. */
static void a_private_page_takes_one_call(struct kunit *test)
{
	static const unsigned long sizes[] = { 1, 4, 18, 107, 400 };
	/* The control pages, and the write-back of the TDR. */
	const unsigned long fixed = TDX_TEST_CONTROL(4) + 1;
	const struct end empty = end_of(test, 0);
	unsigned long live, pages, there;
	struct end end;
	int i;

	tdx_test_reinstall(test, &TDX_TEST_CONFIG);
	live = calls_with_a_live_key(test);
	KUNIT_EXPECT_EQ(test, live % LIVE_PAGES, 0UL);
	live /= LIVE_PAGES;
	KUNIT_EXPECT_GE(test, live, 3UL);
	KUNIT_EXPECT_EQ(test, empty.after, fixed);

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		pages = sizes[i] * (SZ_1G / PAGE_SIZE);
		there = pages <= MAX_PAGES ? pages : SOME_PAGES;
		end = end_of(test, there);
		KUNIT_EXPECT_EQ(test, end.after, fixed + there);
		KUNIT_EXPECT_EQ(test, end.held, empty.held);
		kunit_info(test, "calls: %lu GiB, %lu of %lu pages there: %lu %lu %lu\n",
			   sizes[i], there, pages, live * pages + fixed,
			   pages + fixed, end.held);
	}
}

static void the_model_refuses_what_is_wrong(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, 1, 1), *u = tdx_test_new(test, 1, 0);
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	const u64 pa = page_to_phys(page);
	u64 tdr, tdvpr;

	/* KeyIDs */
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_CREATE, pa, 1, 0, 0),
			MODEL_OPERAND_INVALID | MODEL_RDX);
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_CREATE, pa, TDX_TEST_GLOBAL_KEYID, 0, 0),
			MODEL_KEYID_NOT_FREE);
	KUNIT_EXPECT_EQ(test, call(MODEL_CACHE_WB, 0, 0, 0, 0), MODEL_NO_KEYID_TO_WB);
	KUNIT_EXPECT_EQ(test, call(MODEL_CACHE_WB, 1, 0, 0, 0), MODEL_WB_RESUME);
	KUNIT_EXPECT_EQ(test, call(MODEL_CACHE_WB, 2, 0, 0, 0),
			MODEL_OPERAND_INVALID | MODEL_RCX);

	/* Half way */
	KUNIT_ASSERT_EQ(test, tdx_td_create(&u->td), 0);
	tdr = tdr_of(u);
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_CREATE, pa, tdx_test_info(u).hkid, 0, 0),
			MODEL_KEYID_NOT_FREE);
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_CREATE, tdr, TDX_TEST_GLOBAL_KEYID + 2, 0, 0),
			MODEL_PAGE_METADATA | MODEL_RCX);
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_KEY_CONFIG, tdr, 0, 0, 0), MODEL_LIFECYCLE);
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_ADDCX, pa, tdr, 0, 0), MODEL_TDCX_NUM);
	KUNIT_EXPECT_EQ(test, call(MODEL_VP_CREATE, pa, tdr, 0, 0), MODEL_OP_STATE);
	KUNIT_EXPECT_EQ(test, call(MODEL_MEM_PAGE_ADD, 0, tdr, pa, pa), MODEL_OP_STATE);
	tdx_td_destroy(&u->td);

	/* Whole */
	tdx_test_pin(0);
	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	tdr = tdr_of(t);
	tdvpr = page_to_phys(t->vps[0].tdvpr_page);
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_VPFLUSHDONE, pa, 0, 0, 0),
			MODEL_PAGE_METADATA | MODEL_RCX);
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_VPFLUSHDONE, tdr, 0, 0, 0), MODEL_FLUSH_NOT_DONE);
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_KEY_FREEID, tdr, 0, 0, 0), MODEL_LIFECYCLE);
	KUNIT_EXPECT_EQ(test, call(MODEL_PAGE_RECLAIM, tdvpr, 0, 0, 0), MODEL_LIFECYCLE);
	KUNIT_EXPECT_EQ(test, call(MODEL_PAGE_RECLAIM, pa, 0, 0, 0),
			MODEL_PAGE_METADATA | MODEL_RCX);
	KUNIT_EXPECT_EQ(test, call(MODEL_PAGE_WBINVD, tdr, 0, 0, 0),
			MODEL_PAGE_METADATA | MODEL_RCX);
	KUNIT_EXPECT_EQ(test, call(MODEL_VP_ADDCX, pa, tdvpr, 0, 0), MODEL_VCPU_STATE);
	tdx_test_pin(1);
	KUNIT_EXPECT_EQ(test, call(MODEL_VP_FLUSH, tdvpr, 0, 0, 0), MODEL_NOT_ASSOCIATED);
	tdx_test_pin(0);

	/* Dying, by hand */
	KUNIT_EXPECT_EQ(test, call(MODEL_VP_FLUSH, tdvpr, 0, 0, 0), 0ULL);
	KUNIT_EXPECT_EQ(test, call(MODEL_VP_FLUSH, tdvpr, 0, 0, 0), MODEL_NOT_ASSOCIATED);
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_VPFLUSHDONE, tdr, 0, 0, 0), 0ULL);
	KUNIT_EXPECT_EQ(test, call(MODEL_VP_FLUSH, tdvpr, 0, 0, 0), MODEL_KEYS_NOT_CONFIGURED);
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_KEY_FREEID, tdr, 0, 0, 0), MODEL_WB_NOT_COMPLETE);
	KUNIT_EXPECT_EQ(test, call(MODEL_CACHE_WB, 0, 0, 0, 0), 0ULL);
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_KEY_FREEID, tdr, 0, 0, 0), MODEL_WB_NOT_COMPLETE);
	tdx_test_pin(num_online_cpus() - 1);
	KUNIT_EXPECT_EQ(test, call(MODEL_CACHE_WB, 0, 0, 0, 0), 0ULL);
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_KEY_FREEID, tdr, 0, 0, 0), 0ULL);
	KUNIT_EXPECT_EQ(test, call(MODEL_PAGE_RECLAIM, tdr, 0, 0, 0), MODEL_PAGES_EXIST);
	KUNIT_EXPECT_EQ(test, call(MODEL_PAGE_RECLAIM, tdvpr, 0, 0, 0), 0ULL);
	KUNIT_EXPECT_EQ(test, call(MODEL_PAGE_RECLAIM, tdvpr, 0, 0, 0),
			MODEL_PAGE_METADATA | MODEL_RCX);

	/* None of that was wrong of the model's guest, and the host does not know. */
	KUNIT_EXPECT_EQ(test, tdx_model_violations(), 0U);
	tdx_td_destroy(&t->td);
	KUNIT_EXPECT_EQ(test, call(63, 0, 0, 0, 0), MODEL_OPERAND_INVALID);
	tdx_model_expect_violations(1);
	__free_page(page);
}

/* What a TDR goes through until it can be reclaimed; nobody knows of it. */
static void release_by_hand(struct kunit *test, u64 tdr)
{
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_VPFLUSHDONE, tdr, 0, 0, 0), 0ULL);
	tdx_test_pin(0);
	KUNIT_EXPECT_EQ(test, call(MODEL_CACHE_WB, 0, 0, 0, 0), 0ULL);
	tdx_test_pin(num_online_cpus() - 1);
	KUNIT_EXPECT_EQ(test, call(MODEL_CACHE_WB, 0, 0, 0, 0), 0ULL);
	tdx_test_pin(TDX_TEST_ANYWHERE);
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_KEY_FREEID, tdr, 0, 0, 0), 0ULL);
}

/* Each of these is what an audit is for. */
static void the_model_notices_pages_that_are_misused(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	const u64 tdr = page_to_phys(page);

	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_CREATE, tdr, TDX_TEST_GLOBAL_KEYID + 1, 0, 0),
			0ULL);
	KUNIT_EXPECT_EQ(test, tdx_model_kept_pages(), 1UL);
	tdx_model_audit();
	KUNIT_EXPECT_EQ(test, tdx_model_violations(), 0U);

	/* Freed, and the module's */
	put_page(page);
	KUNIT_EXPECT_EQ(test, tdx_model_kept_pages(), 0UL);
	tdx_model_audit();
	tdx_model_expect_violations(1);
	release_by_hand(test, tdr);
	KUNIT_EXPECT_EQ(test, call(MODEL_PAGE_RECLAIM, tdr, 0, 0, 0), 0ULL);
	tdx_model_expect_violations(1);

	/* Freed without being written back, and without being cleared */
	tdx_model_audit();
	tdx_model_expect_violations(1);
	KUNIT_EXPECT_EQ(test, call(MODEL_PAGE_WBINVD, tdr | (u64)TDX_TEST_GLOBAL_KEYID <<
				   boot_cpu_data.x86_phys_bits, 0, 0, 0), 0ULL);
	tdx_model_audit();
	tdx_model_expect_violations(1);
	clear_highpage(page);
	tdx_model_audit();
	KUNIT_EXPECT_EQ(test, tdx_model_violations(), 0U);

	/* Given after it was freed */
	KUNIT_EXPECT_EQ(test, call(MODEL_MNG_CREATE, tdr, TDX_TEST_GLOBAL_KEYID + 1, 0, 0),
			0ULL);
	tdx_model_expect_violations(1);
	get_page(page);
	release_by_hand(test, tdr);
	KUNIT_EXPECT_EQ(test, call(MODEL_PAGE_RECLAIM, tdr, 0, 0, 0), 0ULL);
	KUNIT_EXPECT_EQ(test, call(MODEL_PAGE_WBINVD, tdr | (u64)TDX_TEST_GLOBAL_KEYID <<
				   boot_cpu_data.x86_phys_bits, 0, 0, 0), 0ULL);
	clear_highpage(page);
	put_page(page);
}

static struct kunit_case tdx_calls_test_cases[] = {
	KUNIT_CASE(the_model_refuses_what_is_wrong),
	KUNIT_CASE(the_model_notices_pages_that_are_misused),
	KUNIT_CASE_SLOW(a_private_page_takes_one_call),
	{}
};

static struct kunit_suite tdx_calls_test_suite = {
	.name = "tdx_td_calls",
	.init = tdx_test_init,
	.exit = tdx_test_exit,
	.test_cases = tdx_calls_test_cases,
};

kunit_test_suite(tdx_calls_test_suite);
