// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests: what trust domains leave when things fail.
 *
 * Whatever fails, these hold once nobody lives. Nothing was freed that the
 * module had; nothing is kept but what is accounted for as leaked; what an
 * owner was told is what the host's records say; a KeyID that is not leaked can
 * be used again.
 */
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/sched.h>

#include "tdx_host.h"
#include "tdx_test_td.h"

#define NR_VPS		2
#define NR_PAGES	2
#define ALL_PAGES	(TDX_TEST_CONTROL(NR_VPS) + NR_PAGES)
/* More calls than this are no longer trying: a loop has no end. */
#define MANY_CALLS	500000UL

struct story {
	int boot;			/* what booting returned */
	struct tdx_capacity capacity;	/* of the host, in the end */
};

/* A machine, on which a TD lives once while @faults happen. */
static struct story tell(struct kunit *test, const struct tdx_model_fault *faults, int nr)
{
	struct tdx_model_config config = TDX_TEST_CONFIG;
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);
	struct tdx_test_td *next = tdx_test_new(test, 1, 1);
	struct story story;
	int i;

	config.nr_keyids = 2;
	tdx_test_reinstall(test, &config);
	for (i = 0; i < nr; i++)
		tdx_model_add_fault(&faults[i]);
	story.boot = tdx_test_boot(t);
	tdx_td_destroy(&t->td);
	KUNIT_EXPECT_LE(test, story.boot, 0);
	KUNIT_EXPECT_LT(test, tdx_model_calls(MODEL_ANY_LEAF), MANY_CALLS);
	KUNIT_EXPECT_TRUE(test, tdx_model_fault_happened());
	tdx_model_clear_faults();

	tdx_test_expect_exact(test);
	tdx_test_expect_reported(test, t);
	story.capacity = tdx_test_capacity();

	/* The other KeyID, at least, is as good as before. */
	KUNIT_EXPECT_EQ(test, tdx_test_boot(next), 0);
	tdx_td_destroy(&next->td);
	tdx_test_expect_exact(test);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().leaks, story.capacity.leaks);
	kunit_kfree(test, t);
	kunit_kfree(test, next);
	return story;
}

/* The calls of a life in which nothing fails. */
struct baseline {
	unsigned int leaf[128];
	unsigned long nth[128];		/* of that leaf */
	u64 rcx[128];
	unsigned int boot;		/* how many of them boot it */
	unsigned int all;
};

static void get_baseline(struct kunit *test, struct baseline *base)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);
	unsigned long seen[MODEL_NR_LEAVES] = {};
	const struct tdx_model_record *record;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	base->boot = tdx_model_calls(MODEL_ANY_LEAF);
	tdx_td_destroy(&t->td);
	base->all = tdx_model_calls(MODEL_ANY_LEAF);
	tdx_test_expect_nothing_left(test);
	KUNIT_ASSERT_LE(test, base->all, ARRAY_SIZE(base->leaf));
	for (i = 0; i < base->all; i++) {
		record = tdx_model_record(i + 1);
		base->leaf[i] = record->leaf;
		base->nth[i] = ++seen[record->leaf];
		base->rcx[i] = record->rcx;
	}
	kunit_kfree(test, t);
}

static struct baseline *new_baseline(struct kunit *test)
{
	struct baseline *base = kunit_kzalloc(test, sizeof(*base), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, base);
	get_baseline(test, base);
	return base;
}

/* What may be lost if a call of a destruction fails for good. */
static void expect_lost(struct kunit *test, const struct baseline *base,
			unsigned int i, const struct story *story)
{
	u64 keyids = 0, pages = 0;

	switch (base->leaf[i]) {
	case MODEL_VP_FLUSH:
	case MODEL_MNG_VPFLUSHDONE:
	case MODEL_CACHE_WB:
	case MODEL_MNG_KEY_FREEID:
		keyids = 1;
		pages = ALL_PAGES;
		break;
	case MODEL_PAGE_RECLAIM:
		/* The TDR is the last, and stays if another one does. */
		pages = base->nth[i] == ALL_PAGES ? 1 : 2;
		break;
	case MODEL_PAGE_WBINVD:
		pages = 1;
		break;
	}
	KUNIT_EXPECT_EQ_MSG(test, story->capacity.leaked, keyids,
			    "call %u, leaf %u", i + 1, base->leaf[i]);
	KUNIT_EXPECT_EQ_MSG(test, story->capacity.leaked_pages, pages,
			    "call %u, leaf %u", i + 1, base->leaf[i]);
}

static void any_call_may_fail_once(struct kunit *test)
{
	struct baseline *base = new_baseline(test);
	struct story story;
	unsigned int i;

	for (i = 0; i < base->all; i++) {
		const struct tdx_model_fault fault = {
			.leaf = MODEL_ANY_LEAF, .nth = i + 1, .times = 1,
			.status = MODEL_OPERAND_INVALID | MODEL_RCX,
		};

		story = tell(test, &fault, 1);
		KUNIT_EXPECT_EQ_MSG(test, story.boot, i < base->boot ? -EINVAL : 0,
				    "call %u, leaf %u", i + 1, base->leaf[i]);
		if (i < base->boot)
			KUNIT_EXPECT_EQ_MSG(test, story.capacity.leaks, 0ULL,
					    "call %u, leaf %u", i + 1, base->leaf[i]);
		else
			expect_lost(test, base, i, &story);
	}
	kunit_info(test, "failed each of %u calls of a creation, %u of a destruction\n",
		   base->boot, base->all - base->boot);
}

/* From a call on, all of its leaf fail. */
static void fail_for_ever(struct kunit *test, bool booting)
{
	static const u64 errors[] = {
		MODEL_OPERAND_INVALID | MODEL_RCX, MODEL_TD_FATAL, MODEL_LIFECYCLE,
		MODEL_NO_MODULE,
	};
	struct baseline *base = new_baseline(test);
	unsigned int i = booting ? 0 : base->boot, end = booting ? base->boot : base->all;
	struct story story;
	unsigned int j;

	for (; i < end; i++) {
		for (j = 0; j < ARRAY_SIZE(errors); j++) {
			const struct tdx_model_fault fault = {
				.leaf = base->leaf[i], .nth = base->nth[i],
				.times = MODEL_FOREVER, .status = errors[j],
			};

			story = tell(test, &fault, 1);
			KUNIT_EXPECT_EQ(test, !!story.boot, booting);
			if (booting)
				KUNIT_EXPECT_EQ_MSG(test, story.capacity.leaks, 0ULL,
						    "call %u, leaf %u", i + 1, base->leaf[i]);
		}
	}
}

static void any_call_of_a_creation_may_fail_for_ever(struct kunit *test)
{
	fail_for_ever(test, true);
}

static void any_call_of_a_destruction_may_fail_for_ever(struct kunit *test)
{
	fail_for_ever(test, false);
}

/* A creation fails, and its undoing, too. */
static void any_call_may_fail_and_the_undoing(struct kunit *test)
{
	static const unsigned int undoing[] = {
		MODEL_VP_FLUSH, MODEL_MNG_VPFLUSHDONE, MODEL_CACHE_WB,
		MODEL_MNG_KEY_FREEID, MODEL_PAGE_RECLAIM, MODEL_PAGE_WBINVD,
	};
	struct baseline *base = new_baseline(test);
	unsigned int i, j;

	for (i = 1; i < base->boot; i++) {
		for (j = 0; j < ARRAY_SIZE(undoing); j++) {
			const struct tdx_model_fault faults[] = {
				{ .leaf = MODEL_ANY_LEAF, .nth = i + 1, .times = 1,
				  .status = MODEL_OPERAND_INVALID | MODEL_RDX },
				{ .leaf = undoing[j], .nth = 1, .times = MODEL_FOREVER,
				  .status = MODEL_OPERAND_INVALID | MODEL_RCX },
			};
			struct story story;

			/* Before its first vCPU is initialized there is none to flush. */
			if (undoing[j] == MODEL_VP_FLUSH &&
			    i < base->boot - NR_PAGES - 2 - TDX_TEST_TDVPX)
				continue;
			story = tell(test, faults, 2);
			KUNIT_EXPECT_EQ(test, story.boot, -EINVAL);
			KUNIT_EXPECT_NE(test, story.capacity.leaks, 0ULL);
		}
	}
}

static void any_call_may_be_busy(struct kunit *test)
{
	static const unsigned int operands[] = {
		MODEL_RCX, MODEL_RDX, MODEL_TDR, MODEL_KOT, MODEL_KET, MODEL_WBCACHE,
	};
	struct baseline *base = new_baseline(test);
	struct story story;
	unsigned int i, j;

	for (i = 0; i < base->all; i++) {
		for (j = 0; j < ARRAY_SIZE(operands); j++) {
			const struct tdx_model_fault fault = {
				.leaf = MODEL_ANY_LEAF, .nth = i + 1, .times = 5,
				.status = MODEL_BUSY | operands[j],
			};

			story = tell(test, &fault, 1);
			KUNIT_EXPECT_EQ_MSG(test, story.boot, 0, "call %u, leaf %u",
					    i + 1, base->leaf[i]);
			KUNIT_EXPECT_EQ_MSG(test, story.capacity.leaks, 0ULL,
					    "call %u, leaf %u", i + 1, base->leaf[i]);
		}
	}
}

/* For as long as it is tried; the calls after it find nothing busy. */
static void stay_busy(struct kunit *test, bool booting)
{
	struct baseline *base = new_baseline(test);
	unsigned int i = booting ? 0 : base->boot, end = booting ? base->boot : base->all;
	struct story story;

	for (; i < end; i++) {
		const struct tdx_model_fault fault = {
			.leaf = MODEL_ANY_LEAF, .nth = i + 1,
			.times = TDX_MAX_TRIES, .status = MODEL_BUSY | MODEL_TDR,
		};

		story = tell(test, &fault, 1);
		KUNIT_EXPECT_EQ(test, story.boot, booting ? -EBUSY : 0);
		if (booting)
			KUNIT_EXPECT_EQ_MSG(test, story.capacity.leaks, 0ULL,
					    "call %u, leaf %u", i + 1, base->leaf[i]);
		else
			expect_lost(test, base, i, &story);
	}
}

static void any_call_of_a_creation_may_stay_busy(struct kunit *test)
{
	stay_busy(test, true);
}

static void any_call_of_a_destruction_may_stay_busy(struct kunit *test)
{
	stay_busy(test, false);
}

/* Page allocations: each in turn. */
static void any_page_may_be_missing(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);
	unsigned long nth;
	int r;

	for (nth = 1; ; nth++) {
		tdx_test_fail_page(nth);
		r = tdx_test_boot(t);
		if (!tdx_test_page_failed())
			break;
		/* Not a KeyID, and not a success. */
		KUNIT_EXPECT_EQ(test, r, -ENOMEM);
		tdx_td_destroy(&t->td);
		tdx_test_expect_nothing_left(test);
		tdx_test_expect_reported(test, t);
		tdx_test_renew(t);
	}
	tdx_test_fail_page(-1UL);
	KUNIT_EXPECT_EQ(test, r, 0);
	KUNIT_EXPECT_EQ(test, nth - 1, (unsigned long)ALL_PAGES);
	tdx_td_destroy(&t->td);
	tdx_test_expect_nothing_left(test);
}

#if defined(CONFIG_FAULT_INJECTION_DEBUG_FS) && defined(CONFIG_FAILSLAB) && \
	defined(CONFIG_FAIL_PAGE_ALLOC)

static void *knob(const char *dir, const char *name)
{
	struct dentry *parent = debugfs_lookup(dir, NULL), *file = NULL;
	void *value = NULL;

	if (parent)
		file = debugfs_lookup(name, parent);
	if (file)
		value = d_inode(file)->i_private;
	dput(file);
	dput(parent);
	return value;
}

/* Let current->fail_nth count every allocation; what a user would write there. */
static void count_all_allocations(struct kunit *test, bool on)
{
	bool *slab = knob("failslab", "ignore-gfp-wait");
	bool *page = knob("fail_page_alloc", "ignore-gfp-wait");
	u32 *order = knob("fail_page_alloc", "min-order");
	unsigned long *slab_verbose = knob("failslab", "verbose");
	unsigned long *page_verbose = knob("fail_page_alloc", "verbose");

	KUNIT_ASSERT_TRUE(test, slab && page && order && slab_verbose && page_verbose);
	*slab = !on;
	*page = !on;
	*order = on ? 0 : 1;
	*slab_verbose = on ? 0 : 2;
	*page_verbose = on ? 0 : 2;
}

/* Those of the kernel beside the module's pages, too. */
static void any_allocation_may_fail(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);
	unsigned int nth, left, failed = 0;
	int r;

	count_all_allocations(test, true);
	for (nth = 1; ; nth++) {
		current->fail_nth = nth;
		r = tdx_test_boot(t);
		left = current->fail_nth;
		current->fail_nth = 0;
		if (left)
			break;
		/* One can do without: that of a number, which is tried again. */
		if (r) {
			KUNIT_EXPECT_EQ(test, r, -ENOMEM);
			failed++;
		}
		tdx_td_destroy(&t->td);
		tdx_test_expect_nothing_left(test);
		tdx_test_renew(t);
	}
	/* The end cannot fail for that. */
	current->fail_nth = 1;
	tdx_td_destroy(&t->td);
	current->fail_nth = 0;
	count_all_allocations(test, false);
	KUNIT_EXPECT_GT(test, nth - 1, (unsigned int)ALL_PAGES);
	/*
	 * Not each of them: when the allocator refills itself below one, that
	 * is counted, too, may fail unnoticed, and moves the later ones by one.
	 */
	KUNIT_EXPECT_GT(test, failed, (unsigned int)ALL_PAGES / 2);
	tdx_test_expect_nothing_left(test);
}

#endif

static struct kunit_case tdx_fault_test_cases[] = {
	KUNIT_CASE_SLOW(any_call_may_fail_once),
	KUNIT_CASE_SLOW(any_call_of_a_creation_may_fail_for_ever),
	KUNIT_CASE_SLOW(any_call_of_a_destruction_may_fail_for_ever),
	KUNIT_CASE_SLOW(any_call_may_fail_and_the_undoing),
	KUNIT_CASE_SLOW(any_call_may_be_busy),
	KUNIT_CASE_SLOW(any_call_of_a_creation_may_stay_busy),
	KUNIT_CASE_SLOW(any_call_of_a_destruction_may_stay_busy),
	KUNIT_CASE(any_page_may_be_missing),
#if defined(CONFIG_FAULT_INJECTION_DEBUG_FS) && defined(CONFIG_FAILSLAB) && \
	defined(CONFIG_FAIL_PAGE_ALLOC)
	KUNIT_CASE(any_allocation_may_fail),
#endif
	{}
};

static struct kunit_suite tdx_fault_test_suite = {
	.name = "tdx_td_faults",
	.init = tdx_test_init,
	.exit = tdx_test_exit,
	.test_cases = tdx_fault_test_cases,
};

kunit_test_suite(tdx_fault_test_suite);
