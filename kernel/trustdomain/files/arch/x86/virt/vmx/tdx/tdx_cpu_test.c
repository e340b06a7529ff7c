// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests: trust domains and CPUs. These are real, and so are their
 * packages, hotplug and calls across CPUs.
 */
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/random.h>
#include <linux/sched/task.h>

#include "tdx_host.h"
#include "tdx_test_td.h"

#define NR_TDS		8
#define NR_LIVES	6
/* Long enough for others to come, and to find what they need locked. */
#define DWELL		2000

/* The CPUs of the last package; CPU 0, which cannot go, is of the first. */
static void get_last_package(struct kunit *test, struct cpumask *cpus)
{
	unsigned int cpu, last = tdx_model_nr_packages() - 1;

	KUNIT_ASSERT_GE_MSG(test, last, 1U, "this needs two packages");
	cpumask_clear(cpus);
	for_each_online_cpu(cpu)
		if (tdx_model_package_of(cpu) == last)
			cpumask_set_cpu(cpu, cpus);
	KUNIT_ASSERT_FALSE(test, cpumask_test_cpu(0, cpus));
	KUNIT_ASSERT_GE_MSG(test, cpumask_weight(cpus), 2U, "this needs two CPUs a package");
}

/* Where a vCPU was initialized, and where it was flushed, was the same CPU. */
static void expect_flushed_in_place(struct kunit *test, unsigned int vps)
{
	const struct tdx_model_record *init, *flush;
	unsigned long seq, later;
	unsigned int n = 0;

	for (seq = 1; (init = tdx_model_record(seq)); seq++) {
		if (init->leaf != MODEL_VP_INIT)
			continue;
		for (later = seq + 1; (flush = tdx_model_record(later)); later++)
			if (flush->leaf == MODEL_VP_FLUSH && flush->rcx == init->rcx)
				break;
		KUNIT_ASSERT_NOT_NULL(test, flush);
		KUNIT_EXPECT_EQ(test, flush->cpu, init->cpu);
		KUNIT_EXPECT_EQ(test, flush->status, 0ULL);
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, vps);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_VP_FLUSH), (unsigned long)vps);
}

/* A TD with a vCPU on each CPU, as far as that goes. */
static struct tdx_test_td *spread(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, 1, 1);
	unsigned int cpu, n = 1;

	tdx_test_pin(0);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(t), 0);
	for_each_online_cpu(cpu) {
		if (!cpu || n == TDX_TEST_VPS)
			continue;
		tdx_test_pin(cpu);
		KUNIT_EXPECT_EQ(test, tdx_td_create_vcpu(&t->td, &t->vps[n]), 0);
		KUNIT_EXPECT_EQ(test, tdx_td_init_vcpu(&t->vps[n], 0, n), 0);
		n++;
	}
	tdx_test_pin(TDX_TEST_ANYWHERE);
	t->nr_vps = n;
	return t;
}

static void vcpus_are_flushed_where_they_are(struct kunit *test)
{
	struct tdx_test_td *t = spread(test);

	KUNIT_ASSERT_GE(test, num_online_cpus(), 2U);
	tdx_test_pin(0);
	tdx_td_destroy(&t->td);
	expect_flushed_in_place(test, t->nr_vps);
	tdx_test_expect_nothing_left(test);
}

static void a_cpu_that_goes_flushes_its_vcpus(struct kunit *test)
{
	cpumask_var_t cpus;
	struct tdx_test_td *t;
	unsigned int cpu;

	KUNIT_ASSERT_TRUE(test, zalloc_cpumask_var(&cpus, GFP_KERNEL));
	get_last_package(test, cpus);
	t = spread(test);
	cpu = cpumask_first(cpus);
	KUNIT_EXPECT_EQ(test, remove_cpu(cpu), 0);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_VP_FLUSH), 1UL);
	tdx_td_destroy(&t->td);
	expect_flushed_in_place(test, t->nr_vps);
	KUNIT_EXPECT_EQ(test, add_cpu(cpu), 0);
	free_cpumask_var(cpus);
	tdx_test_expect_nothing_left(test);
}

static void the_last_cpu_of_a_package_stays_for_the_keys(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, 1, 1);
	unsigned int cpu, last;
	cpumask_var_t cpus;

	KUNIT_ASSERT_TRUE(test, zalloc_cpumask_var(&cpus, GFP_KERNEL));
	get_last_package(test, cpus);
	tdx_test_pin(0);
	KUNIT_ASSERT_EQ(test, tdx_test_boot(t), 0);
	last = cpumask_first(cpus);
	for_each_cpu(cpu, cpus)
		if (cpu != last)
			KUNIT_EXPECT_EQ(test, remove_cpu(cpu), 0);
	KUNIT_EXPECT_EQ(test, remove_cpu(last), -EBUSY);
	KUNIT_EXPECT_TRUE(test, cpu_online(last));
	tdx_td_destroy(&t->td);
	tdx_test_expect_nothing_left(test);
	/* Nobody needs it any more. */
	KUNIT_EXPECT_EQ(test, remove_cpu(last), 0);
	for_each_cpu(cpu, cpus)
		KUNIT_EXPECT_EQ(test, add_cpu(cpu), 0);
	free_cpumask_var(cpus);
}

/* Refused before anything was asked of the module, and no KeyID is lost. */
static void a_package_without_cpu_refuses_creation(struct kunit *test)
{
	struct tdx_test_td *t = tdx_test_new(test, 1, 1);
	cpumask_var_t cpus;
	unsigned int cpu;
	int i;

	KUNIT_ASSERT_TRUE(test, zalloc_cpumask_var(&cpus, GFP_KERNEL));
	get_last_package(test, cpus);
	for_each_cpu(cpu, cpus)
		KUNIT_EXPECT_EQ(test, remove_cpu(cpu), 0);
	for (i = 0; i < 2 * TDX_TEST_KEYIDS; i++)
		KUNIT_EXPECT_EQ(test, tdx_td_create(&t->td), -EIO);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_ANY_LEAF), 0UL);
	tdx_test_expect_nothing_left(test);
	for_each_cpu(cpu, cpus)
		KUNIT_EXPECT_EQ(test, add_cpu(cpu), 0);
	KUNIT_EXPECT_EQ(test, tdx_test_boot(t), 0);
	tdx_td_destroy(&t->td);
	free_cpumask_var(cpus);
	tdx_test_expect_nothing_left(test);
}

struct crowd {
	struct task_struct *tasks[NR_TDS];
	atomic_t lives;
	atomic_t errors;
};

struct liver {
	struct crowd *crowd;
	struct tdx_test_td *t;
};

static int live(void *data)
{
	struct liver *liver = data;
	int i;

	for (i = 0; i < NR_LIVES; i++) {
		if (tdx_test_boot(liver->t))
			atomic_inc(&liver->crowd->errors);
		tdx_td_destroy(&liver->t->td);
		if (liver->t->leaks)
			atomic_inc(&liver->crowd->errors);
		atomic_inc(&liver->crowd->lives);
		if (i < NR_LIVES - 1)
			tdx_test_renew(liver->t);
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/* NR_TDS at once; @meanwhile runs beside them until they are done. */
static void live_together(struct kunit *test, void (*meanwhile)(struct kunit *test))
{
	struct tdx_model_config config = TDX_TEST_CONFIG;
	struct crowd *crowd = kunit_kzalloc(test, sizeof(*crowd), GFP_KERNEL);
	struct liver *livers = kunit_kcalloc(test, NR_TDS, sizeof(*livers), GFP_KERNEL);
	struct task_struct *task;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, crowd);
	KUNIT_ASSERT_NOT_NULL(test, livers);
	config.nr_keyids = NR_TDS;
	config.max_pages = NR_TDS * NR_LIVES * 128;
	tdx_test_reinstall(test, &config);
	tdx_test_take_time();
	tdx_model_set_dwell(DWELL);
	tdx_model_set_interrupts(2);

	for (i = 0; i < NR_TDS; i++) {
		livers[i].crowd = crowd;
		livers[i].t = tdx_test_new(test, 3, 16);
		task = kthread_run(live, &livers[i], "tdx_test/%d", i);
		if (IS_ERR(task)) {
			KUNIT_FAIL(test, "no thread");
			break;
		}
		get_task_struct(task);
		crowd->tasks[i] = task;
	}
	while (i == NR_TDS && atomic_read(&crowd->lives) < NR_TDS * NR_LIVES) {
		if (meanwhile)
			meanwhile(test);
		schedule_timeout_uninterruptible(1);
	}
	while (i--) {
		kthread_stop(crowd->tasks[i]);
		put_task_struct(crowd->tasks[i]);
	}

	KUNIT_EXPECT_EQ(test, atomic_read(&crowd->errors), 0);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_MNG_KEY_FREEID) >= NR_TDS * NR_LIVES, true);
	tdx_test_expect_nothing_left(test);
}

static void eight_tds_at_once(struct kunit *test)
{
	live_together(test, NULL);
	kunit_info(test, "%lu of %lu calls began during another one\n",
		   tdx_model_overlapped(), tdx_model_calls(MODEL_ANY_LEAF));
	/* Or it shows nothing. */
	KUNIT_EXPECT_NE(test, tdx_model_overlapped(), 0UL);
	/* What they have in common they never asked for at the same time. */
	KUNIT_EXPECT_EQ(test, tdx_model_contended(), 0UL);
}

/* Not one of the TDs: locks the KeyIDs and a package's caches, and does nothing. */
static void bother(struct kunit *test)
{
	struct tdx_module_args args = { .rcx = 2 };
	int i;

	for (i = 0; i < 20; i++)
		tdx_model_call(MODEL_CACHE_WB, &args);
}

static void eight_tds_find_the_module_busy(struct kunit *test)
{
	live_together(test, bother);
	kunit_info(test, "%lu of %lu calls found something locked\n",
		   tdx_model_contended(), tdx_model_calls(MODEL_ANY_LEAF));
	KUNIT_EXPECT_NE(test, tdx_model_contended(), 0UL);
}

static unsigned int removals;

static void cycle_a_cpu(struct kunit *test)
{
	unsigned int cpu, which = 1 + get_random_u32_below(num_possible_cpus() - 1);
	int r;

	for_each_online_cpu(cpu) {
		if (which--)
			continue;
		/* Refused if it is the last one of its package. */
		r = remove_cpu(cpu);
		if (!r) {
			removals++;
			KUNIT_EXPECT_EQ(test, add_cpu(cpu), 0);
		} else {
			KUNIT_EXPECT_EQ(test, r, -EBUSY);
		}
		break;
	}
}

static void cpus_come_and_go_meanwhile(struct kunit *test)
{
	removals = 0;
	live_together(test, cycle_a_cpu);
	kunit_info(test, "%u times a CPU went and came\n", removals);
	KUNIT_EXPECT_NE(test, removals, 0U);
}

static struct kunit_case tdx_cpu_test_cases[] = {
	KUNIT_CASE(vcpus_are_flushed_where_they_are),
	KUNIT_CASE(a_cpu_that_goes_flushes_its_vcpus),
	KUNIT_CASE(the_last_cpu_of_a_package_stays_for_the_keys),
	KUNIT_CASE(a_package_without_cpu_refuses_creation),
	KUNIT_CASE_SLOW(eight_tds_at_once),
	KUNIT_CASE_SLOW(eight_tds_find_the_module_busy),
	KUNIT_CASE_SLOW(cpus_come_and_go_meanwhile),
	{}
};

static struct kunit_suite tdx_cpu_test_suite = {
	.name = "tdx_td_cpus",
	.init = tdx_test_init,
	.exit = tdx_test_exit,
	.test_cases = tdx_cpu_test_cases,
};

kunit_test_suite(tdx_cpu_test_suite);
