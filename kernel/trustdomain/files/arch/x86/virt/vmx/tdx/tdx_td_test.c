// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests: the life of trust domains when nothing fails.
 */
#include <linux/bitops.h>
#include <linux/gfp.h>
#include <linux/misc_cgroup.h>

#include "tdx_host.h"
#include "tdx_test_td.h"

static void a_td_lives_and_leaves_nothing(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, 2, 8);
	const u64 control = TDX_TEST_CONTROL(2);
	struct tdx_td_info info;

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	info = tdx_test_info(t);
	KUNIT_EXPECT_EQ(test, info.state, TDX_TD_INITIALIZED);
	KUNIT_EXPECT_GT(test, info.hkid, (u32)TDX_TEST_GLOBAL_KEYID);
	KUNIT_EXPECT_EQ(test, info.vcpus, 2U);
	KUNIT_EXPECT_EQ(test, info.control_pages, control);
	KUNIT_EXPECT_EQ(test, info.private_pages, 8ULL);
	KUNIT_EXPECT_EQ(test, info.status, 0ULL);
	KUNIT_EXPECT_NE(test, info.created_ns, 0ULL);
	KUNIT_EXPECT_EQ(test, info.key_released_ns, 0ULL);
	KUNIT_EXPECT_EQ(test, tdx_model_owned_pages(), (unsigned long)control + 8);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().used, 1U);
	KUNIT_EXPECT_EQ(test, misc_cg_res_total_usage(MISC_CG_RES_TDX), 1ULL);

	tdx_td_destroy(&t->td);
	KUNIT_EXPECT_EQ(test, t->states,
			BIT(TDX_TD_ASSIGNED) | BIT(TDX_TD_CONFIGURED) |
			BIT(TDX_TD_INITIALIZED) | BIT(TDX_TD_BLOCKED) |
			BIT(TDX_TD_TEARDOWN) | BIT(TDX_TD_RECLAIMED));
	KUNIT_EXPECT_EQ(test, t->released, info.hkid);
	KUNIT_EXPECT_EQ(test, t->nr_released, 1U);
	info = tdx_test_info(t);
	KUNIT_EXPECT_EQ(test, info.state, TDX_TD_RECLAIMED);
	KUNIT_EXPECT_EQ(test, info.hkid, 0U);
	KUNIT_EXPECT_EQ(test, info.control_pages, 0ULL);
	KUNIT_EXPECT_EQ(test, info.private_pages, 0ULL);
	KUNIT_EXPECT_EQ(test, info.reclaimed_pages, control + 8);
	KUNIT_EXPECT_NE(test, info.key_released_ns, 0ULL);
	tdx_test_expect_nothing_left(test);
}

static void a_td_lives_on_module_1_0(struct kunit *test)
{
	struct tdx_model_config config = TDX_TEST_CONFIG;
	struct tdx_test_td *t;

	config.v1_0 = true;
	tdx_test_reinstall(test, &config);
	t = tdx_test_new(test, 2, 8);
	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	tdx_td_destroy(&t->td);
	tdx_test_expect_nothing_left(test);
}

#define expect_before(test, first, second)				\
	KUNIT_EXPECT_LT(test, tdx_model_last(first), tdx_model_first(second))

static void calls_come_in_order(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, 2, 8);
	const struct tdx_model_record *record;

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	tdx_td_destroy(&t->td);

	expect_before(test, MODEL_MNG_CREATE, MODEL_MNG_KEY_CONFIG);
	expect_before(test, MODEL_MNG_KEY_CONFIG, MODEL_MNG_ADDCX);
	expect_before(test, MODEL_MNG_ADDCX, MODEL_MNG_INIT);
	expect_before(test, MODEL_MNG_INIT, MODEL_VP_CREATE);
	expect_before(test, MODEL_VP_INIT, MODEL_VP_FLUSH);
	expect_before(test, MODEL_VP_FLUSH, MODEL_MNG_VPFLUSHDONE);
	expect_before(test, MODEL_MNG_VPFLUSHDONE, MODEL_CACHE_WB);
	expect_before(test, MODEL_CACHE_WB, MODEL_MNG_KEY_FREEID);
	expect_before(test, MODEL_MNG_KEY_FREEID, MODEL_PAGE_RECLAIM);
	expect_before(test, MODEL_PAGE_RECLAIM, MODEL_PAGE_WBINVD);

	/* One each, and no more than that. */
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_MNG_CREATE), 1UL);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_MNG_ADDCX), (unsigned long)TDX_TEST_TDCS);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_VP_FLUSH), 2UL);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_MNG_VPFLUSHDONE), 1UL);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_MNG_KEY_FREEID), 1UL);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_PAGE_RECLAIM), TDX_TEST_CONTROL(2) + 8UL);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_PAGE_WBINVD), 1UL);

	/* The TDR is the last to be reclaimed, and written back as the module's. */
	record = tdx_model_record(tdx_model_last(MODEL_PAGE_RECLAIM));
	KUNIT_ASSERT_NOT_NULL(test, record);
	KUNIT_EXPECT_EQ(test, tdx_model_record(tdx_model_last(MODEL_PAGE_WBINVD))->rcx,
			record->rcx | (u64)TDX_TEST_GLOBAL_KEYID << boot_cpu_data.x86_phys_bits);
}

/* How often a leaf was called on each package. */
static void count_packages(unsigned int leaf, unsigned int *times)
{
	const struct tdx_model_record *record;
	unsigned long seq;

	for (seq = 1; (record = tdx_model_record(seq)); seq++)
		if (record->leaf == leaf)
			times[record->package]++;
}

static void every_package_gets_the_key_and_loses_it_once(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, 1, 1);
	unsigned int keyed[8] = {}, written[8] = {};
	int i;

	/* Or this test shows nothing. */
	KUNIT_ASSERT_GE(test, tdx_model_nr_packages(), 2U);
	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	tdx_td_destroy(&t->td);
	count_packages(MODEL_MNG_KEY_CONFIG, keyed);
	count_packages(MODEL_CACHE_WB, written);
	for (i = 0; i < tdx_model_nr_packages(); i++) {
		KUNIT_EXPECT_EQ(test, keyed[i], 1U);
		KUNIT_EXPECT_EQ(test, written[i], 1U);
	}
	tdx_test_expect_nothing_left(test);
}

static int half_build(struct tdx_test_td *t, int stage)
{
	struct page *source = NULL;
	void *params;
	u64 error;
	int r = 0;

	params = (void *)get_zeroed_page(GFP_KERNEL);
	source = alloc_page(GFP_KERNEL);
	if (!params || !source)
		r = -ENOMEM;
	if (!r && stage > 0)
		r = tdx_td_create(&t->td);
	if (!r && stage > 1)
		r = tdx_td_init(&t->td, params, &error);
	if (!r && stage > 2)
		r = tdx_td_add_page(&t->td, 0, source);
	if (!r && stage > 3)
		r = tdx_td_create_vcpu(&t->td, &t->vps[0]);
	if (!r && stage > 4)
		r = tdx_td_create_vcpu(&t->td, &t->vps[1]);
	if (!r && stage > 5)
		r = tdx_td_init_vcpu(&t->vps[1], 0, 1);
	free_page((unsigned long)params);
	if (source)
		__free_page(source);
	return r;
}

static void half_built_tds_come_apart(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, 0, 0);
	int stage;

	for (stage = 0; stage <= 6; stage++) {
		KUNIT_ASSERT_EQ(test, half_build(t, stage), 0);
		KUNIT_EXPECT_EQ(test, tdx_test_capacity().used, stage ? 1U : 0U);
		tdx_td_destroy(&t->td);
		tdx_test_expect_nothing_left(test);
		tdx_test_renew(t);
	}
}

static void destroying_again_does_nothing(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, 1, 1);
	unsigned long calls;

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	tdx_td_destroy(&t->td);
	calls = tdx_model_calls(MODEL_ANY_LEAF);
	tdx_td_destroy(&t->td);
	tdx_td_destroy(&t->td);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_ANY_LEAF), calls);
	KUNIT_EXPECT_EQ(test, t->nr_released, 1U);
	tdx_test_expect_nothing_left(test);
}

static void a_td_can_be_created_again(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, 2, 3);
	int i;

	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
		tdx_td_destroy(&t->td);
		tdx_test_expect_nothing_left(test);
		tdx_test_renew(t);
	}
}

static void a_removed_vcpu_leaves_its_pages_to_the_td(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, 3, 1);

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	tdx_td_remove_vcpu(&t->vps[1]);
	KUNIT_EXPECT_EQ(test, tdx_model_owned_pages(), TDX_TEST_CONTROL(3) + 1UL);
	tdx_td_destroy(&t->td);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_VP_FLUSH), 3UL);
	tdx_test_expect_nothing_left(test);
}

static void keyids_run_out_and_come_back(struct kunit *test)
{
	struct tdx_test_td *t[TDX_TEST_KEYIDS + 1];
	unsigned long calls;
	u32 seen = 0;
	int i;

	for (i = 0; i <= TDX_TEST_KEYIDS; i++)
		t[i] = tdx_test_new(test, 1, 1);
	for (i = 0; i < TDX_TEST_KEYIDS; i++) {
		KUNIT_ASSERT_EQ(test, tdx_test_boot(t[i]), 0);
		seen |= BIT(tdx_test_info(t[i]).hkid - TDX_TEST_GLOBAL_KEYID);
	}
	/* Each of the guests' ones, and not the module's. */
	KUNIT_EXPECT_EQ(test, seen, (u32)GENMASK(TDX_TEST_KEYIDS, 1));
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().used, (u32)TDX_TEST_KEYIDS);

	calls = tdx_model_calls(MODEL_ANY_LEAF);
	KUNIT_EXPECT_EQ(test, tdx_td_create(&t[TDX_TEST_KEYIDS]->td), -ENOSPC);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_ANY_LEAF), calls);
	KUNIT_EXPECT_EQ(test, tdx_test_info(t[TDX_TEST_KEYIDS]).state, TDX_TD_NONE);
	KUNIT_EXPECT_EQ(test, misc_cg_res_total_usage(MISC_CG_RES_TDX), (u64)TDX_TEST_KEYIDS);

	tdx_td_destroy(&t[1]->td);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(t[TDX_TEST_KEYIDS]), 0);
	KUNIT_EXPECT_EQ(test, tdx_test_info(t[TDX_TEST_KEYIDS]).hkid, t[1]->released);
	for (i = 0; i <= TDX_TEST_KEYIDS; i++)
		tdx_td_destroy(&t[i]->td);
	tdx_test_expect_nothing_left(test);
}

/* The pages of the first are still the module's when the second is made. */
static void a_keyid_is_free_before_the_pages_are(struct kunit *test)
{
	struct tdx_model_config config = TDX_TEST_CONFIG;
	struct tdx_test_td *first, *second;

	config.nr_keyids = 1;
	tdx_test_reinstall(test, &config);
	first = tdx_test_new(test, 2, 16);
	second = tdx_test_new(test, 1, 1);
	KUNIT_ASSERT_EQ(test, tdx_test_boot(first), 0);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(second), -ENOSPC);
	KUNIT_EXPECT_EQ(test, tdx_td_release_key(&first->td), 0);
	KUNIT_EXPECT_EQ(test, tdx_test_info(first).state, TDX_TD_TEARDOWN);
	KUNIT_EXPECT_EQ(test, tdx_test_info(first).hkid, 0U);
	KUNIT_EXPECT_EQ(test, tdx_model_owned_pages(), TDX_TEST_CONTROL(2) + 16UL);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(second), 0);
	KUNIT_EXPECT_EQ(test, tdx_td_reclaim(&first->td), 0);
	KUNIT_EXPECT_EQ(test, tdx_test_info(first).state, TDX_TD_RECLAIMED);
	tdx_td_destroy(&second->td);
	tdx_td_destroy(&first->td);
	tdx_test_expect_nothing_left(test);
}

struct reader {
	struct tdx_test_td *t;
	u64 reclaimed;
	unsigned int reads;
	unsigned int wrong;
};

/* Called before each call, with the TD's lock held. */
static void read_info(unsigned int leaf, unsigned long nth, void *data)
{
	struct reader *reader = data;
	struct tdx_td_info info;

	if (leaf != MODEL_PAGE_RECLAIM)
		return;
	info = tdx_test_info(reader->t);
	if (info.state != TDX_TD_TEARDOWN || info.reclaimed_pages != nth - 1 ||
	    info.control_pages + info.private_pages + nth - 1 != TDX_TEST_CONTROL(2) + 16 ||
	    tdx_test_capacity().used)
		reader->wrong++;
	reader->reads++;
}

/* Who reads how far it is does not wait for the end. */
static void the_end_can_be_watched(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, 2, 16);
	struct reader reader = { .t = t };

	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	tdx_model_set_hook(read_info, &reader);
	tdx_td_destroy(&t->td);
	tdx_model_set_hook(NULL, NULL);
	KUNIT_EXPECT_EQ(test, reader.reads, TDX_TEST_CONTROL(2) + 16U);
	KUNIT_EXPECT_EQ(test, reader.wrong, 0U);
	tdx_test_expect_nothing_left(test);
}

static void a_cgroup_s_limit_is_a_limit(struct kunit *test)
{
	struct misc_cg *root = get_current_misc_cg();
	struct misc_res *res = &root->res[MISC_CG_RES_TDX];
	struct tdx_test_td *first = tdx_test_new(test, 1, 1);
	struct tdx_test_td *second = tdx_test_new(test, 1, 1);
	const u64 max = READ_ONCE(res->max);
	unsigned long calls;
	int i;

	WRITE_ONCE(res->max, 1);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(first), 0);
	calls = tdx_model_calls(MODEL_ANY_LEAF);
	/* More often than there are KeyIDs: none may be lost by that. */
	for (i = 0; i < 2 * TDX_TEST_KEYIDS; i++)
		KUNIT_EXPECT_EQ(test, tdx_td_create(&second->td), -EBUSY);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_ANY_LEAF), calls);
	/* What was not charged is not uncharged. */
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&res->usage), 1ULL);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().used, 1U);
	tdx_td_destroy(&first->td);
	KUNIT_EXPECT_EQ(test, (u64)atomic64_read(&res->usage), 0ULL);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(second), 0);
	tdx_td_destroy(&second->td);
	WRITE_ONCE(res->max, max);
	put_misc_cg(root);
	tdx_test_expect_nothing_left(test);
}

static struct kunit_case tdx_td_test_cases[] = {
	KUNIT_CASE(a_td_lives_and_leaves_nothing),
	KUNIT_CASE(a_td_lives_on_module_1_0),
	KUNIT_CASE(calls_come_in_order),
	KUNIT_CASE(every_package_gets_the_key_and_loses_it_once),
	KUNIT_CASE(half_built_tds_come_apart),
	KUNIT_CASE(destroying_again_does_nothing),
	KUNIT_CASE(a_td_can_be_created_again),
	KUNIT_CASE(a_removed_vcpu_leaves_its_pages_to_the_td),
	KUNIT_CASE(keyids_run_out_and_come_back),
	KUNIT_CASE(a_keyid_is_free_before_the_pages_are),
	KUNIT_CASE(the_end_can_be_watched),
	KUNIT_CASE(a_cgroup_s_limit_is_a_limit),
	{}
};

static struct kunit_suite tdx_td_test_suite = {
	.name = "tdx_td",
	.init = tdx_test_init,
	.exit = tdx_test_exit,
	.test_cases = tdx_td_test_cases,
};

kunit_test_suite(tdx_td_test_suite);
