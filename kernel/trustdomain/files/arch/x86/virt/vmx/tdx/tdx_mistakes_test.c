// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests: mistakes that others have made, one case each.
 */
#include "tdx_host.h"
#include "tdx_test_td.h"

#define NR_VPS		2
#define NR_PAGES	2
#define ALL_PAGES	(TDX_TEST_CONTROL(NR_VPS) + NR_PAGES)

static void fail_next(unsigned int leaf, unsigned long nth, unsigned long times, u64 status)
{
	tdx_model_add_fault(&(struct tdx_model_fault) {
		.leaf = leaf, .nth = nth, .times = times, .status = status,
	});
}

static struct tdx_leak_info get_leak(struct kunit *test, u64 index)
{
	struct tdx_leak_info leak = {};
	pid_t pid;

	KUNIT_EXPECT_EQ(test, tdx_get_leak(index, &leak, &pid), 0);
	return leak;
}

/* The whole TD is lost, with its KeyID, and @leaf is to blame. */
static void expect_all_lost(struct kunit *test, struct tdx_test_td *t, u64 leaf, u64 status)
{
	struct tdx_capacity capacity = tdx_test_capacity();
	struct tdx_leak_info leak = get_leak(test, 0);

	tdx_test_expect_exact(test);
	tdx_test_expect_reported(test, t);
	KUNIT_EXPECT_EQ(test, capacity.leaked, 1U);
	KUNIT_EXPECT_EQ(test, capacity.leaked_pages, (u64)ALL_PAGES);
	KUNIT_EXPECT_NE(test, leak.hkid, 0U);
	KUNIT_EXPECT_EQ(test, leak.pages, (u64)ALL_PAGES);
	KUNIT_EXPECT_EQ(test, leak.leaf, leaf);
	KUNIT_EXPECT_EQ(test, leak.status, status);
	KUNIT_EXPECT_NE(test, leak.time_ns, 0ULL);
	KUNIT_EXPECT_EQ(test, tdx_test_info(t).status, status);
	KUNIT_EXPECT_EQ(test, tdx_test_info(t).status_leaf, leaf);
	KUNIT_EXPECT_EQ(test, t->nr_released, 0U);
}

/* A half-built TD has a KeyID that must be flushed, too, before it is free. */
static void no_keyid_is_freed_without_vpflushdone(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);
	const unsigned int packages = tdx_model_nr_packages();
	unsigned int nth;

	for (nth = 1; nth <= packages; nth++) {
		fail_next(MODEL_MNG_KEY_CONFIG, nth, MODEL_FOREVER, MODEL_OPERAND_INVALID);
		KUNIT_EXPECT_EQ(test, tdx_test_boot(t), -EINVAL);
		tdx_model_clear_faults();
		KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_MNG_VPFLUSHDONE), (unsigned long)nth);
		KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_MNG_KEY_FREEID), (unsigned long)nth);
		tdx_td_destroy(&t->td);
		tdx_test_expect_nothing_left(test);
		tdx_test_renew(t);
	}
}

static void a_flush_that_is_not_done_shows(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	fail_next(MODEL_MNG_VPFLUSHDONE, 1, MODEL_FOREVER, MODEL_FLUSH_NOT_DONE);
	tdx_td_destroy(&t->td);
	tdx_model_clear_faults();
	expect_all_lost(test, t, MODEL_MNG_VPFLUSHDONE, MODEL_FLUSH_NOT_DONE);
}

static void a_leaked_keyid_is_not_used_again(struct kunit *test)
{
	struct tdx_test_td *t[TDX_TEST_KEYIDS];
	u32 lost;
	int i;

	for (i = 0; i < TDX_TEST_KEYIDS; i++)
		t[i] = tdx_test_new(test, NR_VPS, NR_PAGES);
	KUNIT_ASSERT_EQ(test, tdx_test_boot(t[0]), 0);
	lost = tdx_test_info(t[0]).hkid;
	fail_next(MODEL_MNG_KEY_FREEID, 1, MODEL_FOREVER, MODEL_TD_FATAL);
	tdx_td_destroy(&t[0]->td);
	tdx_model_clear_faults();
	expect_all_lost(test, t[0], MODEL_MNG_KEY_FREEID, MODEL_TD_FATAL);
	KUNIT_EXPECT_EQ(test, get_leak(test, 0).hkid, lost);

	for (i = 1; i < TDX_TEST_KEYIDS; i++) {
		KUNIT_EXPECT_EQ(test, tdx_test_boot(t[i]), 0);
		KUNIT_EXPECT_NE(test, tdx_test_info(t[i]).hkid, lost);
	}
	tdx_test_renew(t[0]);
	KUNIT_EXPECT_EQ(test, tdx_td_create(&t[0]->td), -ENOSPC);
	for (i = 1; i < TDX_TEST_KEYIDS; i++)
		tdx_td_destroy(&t[i]->td);
	tdx_test_expect_exact(test);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().leaked, 1U);
}

/* The module knows of it as used: it is, and the next one is taken. */
static void a_keyid_that_is_not_free_is_left_alone(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);

	fail_next(MODEL_MNG_CREATE, 1, 1, MODEL_KEYID_NOT_FREE);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(t), -EIO);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_ANY_LEAF), 1UL);
	tdx_td_destroy(&t->td);
	tdx_test_expect_reported(test, t);
	tdx_test_renew(t);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(t), 0);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().leaked, 1U);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().used, 1U);
	tdx_td_destroy(&t->td);
	tdx_test_expect_exact(test);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().leaked, 1U);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().leaked_pages, 0ULL);
}

static void key_generation_is_tried_again(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);

	fail_next(MODEL_MNG_KEY_CONFIG, 1, 3, MODEL_KEY_GENERATION);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(t), 0);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_MNG_KEY_CONFIG),
			tdx_model_nr_packages() + 3UL);
	tdx_td_destroy(&t->td);
	tdx_test_expect_nothing_left(test);
}

static void key_generation_is_given_up(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);
	unsigned int nth;

	for (nth = 1; nth <= tdx_model_nr_packages(); nth++) {
		tdx_model_reset_calls();
		fail_next(MODEL_MNG_KEY_CONFIG, nth, MODEL_FOREVER, MODEL_KEY_GENERATION);
		KUNIT_EXPECT_EQ(test, tdx_test_boot(t), -EAGAIN);
		tdx_model_clear_faults();
		KUNIT_EXPECT_LE(test, tdx_model_calls(MODEL_MNG_KEY_CONFIG),
				tdx_model_nr_packages() * (TDX_MAX_TRIES + 1UL));
		tdx_td_destroy(&t->td);
		tdx_test_expect_nothing_left(test);
		tdx_test_renew(t);
	}
}

static void random_numbers_are_tried_again(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);

	tdx_model_set_no_entropy(MODEL_MNG_ADDCX, 3);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(t), 0);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_MNG_ADDCX), TDX_TEST_TDCS + 3UL);
	tdx_td_destroy(&t->td);
	tdx_test_expect_nothing_left(test);
}

/*
 * The page was written with the TD's key, and is not the module's: reclaiming
 * it fails, and so would freeing it as it is.
 */
static void a_page_written_and_not_taken_is_cleared(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);

	tdx_model_set_no_entropy(MODEL_MNG_ADDCX, MODEL_FOREVER);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(t), -EAGAIN);
	KUNIT_EXPECT_LE(test, tdx_model_calls(MODEL_MNG_ADDCX),
			TDX_TEST_TDCS + TDX_MAX_TRIES + 1UL);
	tdx_model_set_no_entropy(MODEL_MNG_ADDCX, 0);
	tdx_td_destroy(&t->td);
	/* The TDR and all TDCX pages but that one. */
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_PAGE_RECLAIM), (unsigned long)TDX_TEST_TDCS);
	tdx_test_expect_nothing_left(test);
}

/* Written with the module's own key, and nobody's: no KeyID's end will help. */
static void a_tdr_written_and_not_taken_is_cleared(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);

	tdx_model_set_no_entropy(MODEL_MNG_CREATE, MODEL_FOREVER);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(t), -EAGAIN);
	KUNIT_EXPECT_LE(test, tdx_model_calls(MODEL_MNG_CREATE), TDX_MAX_TRIES + 1UL);
	tdx_td_destroy(&t->td);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_PAGE_RECLAIM), 0UL);
	tdx_test_expect_nothing_left(test);
}

/* What cannot be freed yet when the KeyID leaks, cannot be freed at all. */
static void a_page_written_and_not_taken_leaks_with_the_key(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);

	tdx_model_set_no_entropy(MODEL_MNG_ADDCX, MODEL_FOREVER);
	fail_next(MODEL_CACHE_WB, 1, MODEL_FOREVER, MODEL_OPERAND_INVALID);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(t), -EAGAIN);
	tdx_td_destroy(&t->td);
	tdx_test_expect_exact(test);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().leaked, 1U);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().leaked_pages, 1ULL + TDX_TEST_TDCS);
	KUNIT_EXPECT_EQ(test, tdx_model_owned_pages(), (unsigned long)TDX_TEST_TDCS);
}

static void a_write_back_goes_on_after_interrupts(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);
	const struct tdx_model_record *record;
	unsigned long seq, started = 0;

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	tdx_model_reset_calls();
	tdx_model_set_interrupts(5);
	tdx_td_destroy(&t->td);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_CACHE_WB), tdx_model_nr_packages() * 6UL);
	/* Begun once in each package, and resumed after that. */
	for (seq = 1; (record = tdx_model_record(seq)); seq++)
		started += record->leaf == MODEL_CACHE_WB && !record->rcx;
	KUNIT_EXPECT_EQ(test, started, (unsigned long)tdx_model_nr_packages());
	tdx_test_expect_nothing_left(test);
}

static void a_write_back_that_never_ends_is_given_up(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	tdx_model_set_interrupts(UINT_MAX);
	tdx_td_destroy(&t->td);
	KUNIT_EXPECT_LE(test, tdx_model_calls(MODEL_CACHE_WB),
			tdx_model_nr_packages() * (TDX_MAX_RESUMES + 1UL));
	expect_all_lost(test, t, MODEL_CACHE_WB, MODEL_INTERRUPTED);
}

/* Another TD's write-back took over what this one had begun. */
static void a_write_back_that_cannot_resume_starts_again(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	tdx_model_set_interrupts(1);
	fail_next(MODEL_CACHE_WB, 2, 1, MODEL_WB_RESUME);
	tdx_td_destroy(&t->td);
	tdx_test_expect_exact(test);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().leaked, 0U);
}

/* What module 1.5 says of a TDR that is in use, and what module 1.0 says. */
static void a_busy_tdr_is_tried_again(struct kunit *test)
{
	static const unsigned int operands[] = { MODEL_TDR, MODEL_RCX };
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);
	int i;

	for (i = 0; i < ARRAY_SIZE(operands); i++) {
		KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
		tdx_model_reset_calls();
		fail_next(MODEL_PAGE_RECLAIM, 1, 7, MODEL_BUSY | operands[i]);
		tdx_td_destroy(&t->td);
		tdx_model_clear_faults();
		KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_PAGE_RECLAIM), ALL_PAGES + 7UL);
		tdx_test_expect_nothing_left(test);
		tdx_test_renew(t);
	}
}

/* One page's worth of patience, however many pages there are. */
static void a_module_that_stays_busy_is_waited_for_once(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	tdx_model_reset_calls();
	fail_next(MODEL_PAGE_RECLAIM, 1, MODEL_FOREVER, MODEL_BUSY | MODEL_TDR);
	tdx_td_destroy(&t->td);
	tdx_model_clear_faults();
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_PAGE_RECLAIM),
			TDX_MAX_TRIES + ALL_PAGES - 1UL);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().leaked_pages, (u64)ALL_PAGES);
	tdx_test_expect_exact(test);
}

/* It is waited for again when it was there in between. */
static void a_module_that_was_busy_gets_its_time_again(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);
	int i;

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	/* The first page is lost, the second is taken at the first try, the third at the last. */
	for (i = 0; i < 2; i++)
		fail_next(MODEL_PAGE_RECLAIM, 1 + i * (TDX_MAX_TRIES + 1), TDX_MAX_TRIES - i,
			  MODEL_BUSY | MODEL_TDR);
	tdx_td_destroy(&t->td);
	tdx_model_clear_faults();
	/* What is lost with a page is its TDR. */
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().leaked_pages, 2ULL);
	tdx_test_expect_exact(test);
}

static void no_child_no_tdr(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	fail_next(MODEL_PAGE_RECLAIM, 3, 1, MODEL_PAGE_METADATA | MODEL_RCX);
	tdx_td_destroy(&t->td);
	tdx_test_expect_exact(test);
	tdx_test_expect_reported(test, t);
	/* The KeyID is not: it was free before. */
	KUNIT_EXPECT_EQ(test, t->nr_released, 1U);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().leaked, 0U);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().leaked_pages, 2ULL);
	KUNIT_EXPECT_EQ(test, tdx_test_info(t).reclaimed_pages, ALL_PAGES - 2ULL);
	KUNIT_EXPECT_EQ(test, get_leak(test, 0).hkid, 0U);
}

/* Nothing that the host does is wrong, but the module never knew of the TD. */
static void a_creation_that_was_refused_has_nothing_to_undo(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);

	fail_next(MODEL_MNG_CREATE, 1, 1, MODEL_OPERAND_INVALID | MODEL_RDX);
	KUNIT_EXPECT_EQ(test, tdx_td_create(&t->td), -EINVAL);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_ANY_LEAF), 1UL);
	KUNIT_EXPECT_EQ(test, tdx_test_info(t).state, TDX_TD_NONE);
	KUNIT_EXPECT_EQ(test, tdx_test_info(t).status, MODEL_OPERAND_INVALID | MODEL_RDX);
	KUNIT_EXPECT_EQ(test, tdx_test_info(t).status_leaf, (u64)MODEL_MNG_CREATE);
	tdx_td_destroy(&t->td);
	tdx_test_expect_nothing_left(test);
}

static void no_module_no_td(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, NR_VPS, NR_PAGES);

	fail_next(MODEL_ANY_LEAF, 1, MODEL_FOREVER, MODEL_NO_MODULE);
	KUNIT_EXPECT_LT(test, tdx_td_create(&t->td), 0);
	tdx_td_destroy(&t->td);
	tdx_model_clear_faults();
	tdx_test_expect_nothing_left(test);
}

static struct kunit_case tdx_mistakes_test_cases[] = {
	KUNIT_CASE(no_keyid_is_freed_without_vpflushdone),
	KUNIT_CASE(a_flush_that_is_not_done_shows),
	KUNIT_CASE(a_leaked_keyid_is_not_used_again),
	KUNIT_CASE(a_keyid_that_is_not_free_is_left_alone),
	KUNIT_CASE(key_generation_is_tried_again),
	KUNIT_CASE(key_generation_is_given_up),
	KUNIT_CASE(random_numbers_are_tried_again),
	KUNIT_CASE(a_page_written_and_not_taken_is_cleared),
	KUNIT_CASE(a_page_written_and_not_taken_leaks_with_the_key),
	KUNIT_CASE(a_tdr_written_and_not_taken_is_cleared),
	KUNIT_CASE(a_write_back_goes_on_after_interrupts),
	KUNIT_CASE(a_write_back_that_never_ends_is_given_up),
	KUNIT_CASE(a_write_back_that_cannot_resume_starts_again),
	KUNIT_CASE(a_busy_tdr_is_tried_again),
	KUNIT_CASE(a_module_that_stays_busy_is_waited_for_once),
	KUNIT_CASE(a_module_that_was_busy_gets_its_time_again),
	KUNIT_CASE(no_child_no_tdr),
	KUNIT_CASE(a_creation_that_was_refused_has_nothing_to_undo),
	KUNIT_CASE(no_module_no_td),
	{}
};

static struct kunit_suite tdx_mistakes_test_suite = {
	.name = "tdx_td_mistakes",
	.init = tdx_test_init,
	.exit = tdx_test_exit,
	.test_cases = tdx_mistakes_test_cases,
};

kunit_test_suite(tdx_mistakes_test_suite);
