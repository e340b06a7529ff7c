// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trust domains for KUnit tests: all but the TDX module is real. The CPUs are,
 * and their packages, and the pages.
 */
#include <linux/cpumask.h>
#include <linux/misc_cgroup.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "tdx_host.h"
#include "tdx_test_td.h"

static struct {
	struct tdx_test_host host;
	bool installed;
	atomic_long_t page_to_fail;
	struct page *source;
	void *params;
} world;

static struct page *tdx_test_alloc_page(void)
{
	if (atomic_long_read(&world.page_to_fail) > 0 &&
	    atomic_long_dec_and_test(&world.page_to_fail))
		return NULL;
	return alloc_page(GFP_KERNEL | __GFP_ZERO);
}

void tdx_test_fail_page(unsigned long nth)
{
	atomic_long_set(&world.page_to_fail, nth);
}

bool tdx_test_page_failed(void)
{
	return !atomic_long_read(&world.page_to_fail);
}

static void tdx_test_install(struct kunit *test, const struct tdx_model_config *config)
{
	tdx_model_install(test, config);
	world.host = (struct tdx_test_host) {
		.host.global_keyid = config->global_keyid,
		.host.keyid_start = config->global_keyid + 1,
		.host.nr_keyids = config->nr_keyids,
		.host.nr_tdcs = config->tdcs_pages,
		.host.nr_tdvpx = config->tdvps_pages,
		.call = tdx_model_call,
		.nr_packages = tdx_model_nr_packages(),
		.package_of = tdx_model_package_of,
		.page_alloc = tdx_test_alloc_page,
		.hurry = true,
	};
	KUNIT_ASSERT_EQ(test, tdx_test_host_install(&world.host), 0);
	world.installed = true;
}

static void tdx_test_uninstall(void)
{
	if (world.installed)
		tdx_test_host_remove();
	world.installed = false;
	tdx_model_remove();
}

int tdx_test_init(struct kunit *test)
{
	world.source = alloc_page(GFP_KERNEL);
	world.params = kzalloc(1024, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, world.source);
	KUNIT_ASSERT_NOT_NULL(test, world.params);
	atomic_long_set(&world.page_to_fail, -1);
	tdx_test_install(test, &TDX_TEST_CONFIG);
	return 0;
}

void tdx_test_exit(struct kunit *test)
{
	tdx_test_pin(TDX_TEST_ANYWHERE);
	tdx_model_set_hook(NULL, NULL);
	if (world.installed) {
		tdx_model_audit();
		KUNIT_EXPECT_EQ(test, tdx_model_violations(), 0U);
	}
	tdx_test_uninstall();
	kfree(world.params);
	if (world.source)
		__free_page(world.source);
	world.source = NULL;
	world.params = NULL;
}

void tdx_test_reinstall(struct kunit *test, const struct tdx_model_config *config)
{
	tdx_model_audit();
	KUNIT_EXPECT_EQ(test, tdx_model_violations(), 0U);
	tdx_test_uninstall();
	tdx_test_install(test, config);
}

void tdx_test_take_time(void)
{
	world.host.hurry = false;
}

static void tdx_test_state(struct tdx_td *td, enum tdx_td_state from, enum tdx_td_state to)
{
	container_of(td, struct tdx_test_td, td)->states |= BIT(to);
}

static void tdx_test_released(struct tdx_td *td, u32 hkid)
{
	struct tdx_test_td *t = container_of(td, struct tdx_test_td, td);

	t->released = hkid;
	t->nr_released++;
}

static void tdx_test_leaked(struct tdx_td *td, const struct tdx_leak_info *leak)
{
	struct tdx_test_td *t = container_of(td, struct tdx_test_td, td);

	t->leaks++;
	t->leaked_pages += leak->pages;
}

static const struct tdx_td_ops tdx_test_ops = {
	.state = tdx_test_state,
	.released = tdx_test_released,
	.leaked = tdx_test_leaked,
};

void tdx_test_renew(struct tdx_test_td *t)
{
	unsigned int nr_vps = t->nr_vps, nr_pages = t->nr_pages;
	int i;

	memset(t, 0, sizeof(*t));
	t->nr_vps = nr_vps;
	t->nr_pages = nr_pages;
	tdx_td_setup(&t->td, &tdx_test_ops);
	for (i = 0; i < TDX_TEST_VPS; i++)
		tdx_vp_setup(&t->vps[i]);
}

struct tdx_test_td *tdx_test_new(struct kunit *test, unsigned int nr_vps,
				 unsigned int nr_pages)
{
	struct tdx_test_td *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->nr_vps = nr_vps;
	t->nr_pages = nr_pages;
	tdx_test_renew(t);
	return t;
}

int tdx_test_boot(struct tdx_test_td *t)
{
	unsigned long i;
	u64 error;
	int r;

	r = tdx_td_create(&t->td);
	if (!r)
		r = tdx_td_init(&t->td, world.params, &error);
	for (i = 0; !r && i < t->nr_vps; i++) {
		r = tdx_td_create_vcpu(&t->td, &t->vps[i]);
		if (!r)
			r = tdx_td_init_vcpu(&t->vps[i], 0, i);
	}
	for (i = 0; !r && i < t->nr_pages; i++)
		r = tdx_td_add_page(&t->td, i << PAGE_SHIFT, world.source);
	return r;
}

struct tdx_td_info tdx_test_info(struct tdx_test_td *t)
{
	struct tdx_td_info info;

	tdx_td_get_info(&t->td, &info);
	return info;
}

struct tdx_capacity tdx_test_capacity(void)
{
	struct tdx_capacity capacity = {};

	tdx_get_capacity(&capacity);
	return capacity;
}

void tdx_test_pin(int cpu)
{
	set_cpus_allowed_ptr(current, cpu == TDX_TEST_ANYWHERE ? cpu_possible_mask :
								  cpumask_of(cpu));
}

void tdx_test_expect_exact(struct kunit *test)
{
	struct tdx_capacity capacity = tdx_test_capacity();
	struct tdx_leak_info leak;
	u64 i, pages = 0;
	u32 keyids = 0;
	pid_t pid;

	tdx_model_audit();
	KUNIT_EXPECT_EQ(test, tdx_model_violations(), 0U);
	KUNIT_EXPECT_EQ(test, capacity.used, 0U);
	KUNIT_EXPECT_EQ(test, misc_cg_res_total_usage(MISC_CG_RES_TDX), 0ULL);
	KUNIT_EXPECT_EQ(test, tdx_model_kept_pages(), (unsigned long)capacity.leaked_pages);
	KUNIT_EXPECT_LE(test, tdx_model_owned_pages(), (unsigned long)capacity.leaked_pages);
	KUNIT_EXPECT_LE(test, tdx_model_keyids(), capacity.leaked);

	for (i = 0; !tdx_get_leak(i, &leak, &pid); i++) {
		pages += leak.pages;
		keyids += !!leak.hkid;
		KUNIT_EXPECT_NE(test, leak.status, 0ULL);
	}
	KUNIT_EXPECT_EQ(test, i, capacity.leaks);
	KUNIT_EXPECT_EQ(test, pages, capacity.leaked_pages);
	KUNIT_EXPECT_EQ(test, keyids, capacity.leaked);
}

void tdx_test_expect_nothing_left(struct kunit *test)
{
	struct tdx_capacity capacity = tdx_test_capacity();

	tdx_test_expect_exact(test);
	KUNIT_EXPECT_EQ(test, tdx_model_tds(), 0U);
	KUNIT_EXPECT_EQ(test, capacity.leaked, 0U);
	KUNIT_EXPECT_EQ(test, capacity.leaked_pages, 0ULL);
}

void tdx_test_expect_reported(struct kunit *test, struct tdx_test_td *t)
{
	struct tdx_capacity capacity = tdx_test_capacity();
	struct tdx_td_info info = tdx_test_info(t);

	KUNIT_EXPECT_EQ(test, (u64)t->leaks, capacity.leaks);
	KUNIT_EXPECT_EQ(test, t->leaked_pages, capacity.leaked_pages);
	KUNIT_EXPECT_EQ(test, info.leaked_pages, capacity.leaked_pages);
	KUNIT_EXPECT_EQ(test, info.hkid, 0U);
	if (capacity.leaks)
		KUNIT_EXPECT_EQ(test, info.state, TDX_TD_LEAKED);
	else
		KUNIT_EXPECT_TRUE(test, info.state == TDX_TD_RECLAIMED ||
				  info.state == TDX_TD_NONE);
}
