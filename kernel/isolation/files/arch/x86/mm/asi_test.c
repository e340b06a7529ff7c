// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of address space isolation. They want asi=on.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mmu_context.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/vmalloc.h>
#include <asm/special_insns.h>
#include <asm/tlbflush.h>

#include "asi_test.h"

static noinstr void asi_test_no_flush(void)
{
}

static const struct asi_class asi_test_class = {
	.name		= "test",
	.flush_data	= asi_test_no_flush,
	.flush_control	= asi_test_no_flush,
};

static int asi_test_init(struct kunit *test)
{
	struct asi_test *t;

	if (!asi_enabled())
		kunit_skip(test, "not booted with asi=on");

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	KUNIT_ASSERT_EQ(test, asi_init(&t->asi, &asi_test_class), 0);
	t->secret = asi_test_alloc(test, GFP_HIGHUSER, 0);
	t->harmless = asi_test_alloc(test, GFP_KERNEL, 0);
	*(unsigned long *)page_address(t->secret) = SECRET;
	*(unsigned long *)page_address(t->harmless) = SECRET;
	return 0;
}

static void asi_test_exit(struct kunit *test)
{
	struct asi_test *t = test->priv;

	if (!t)
		return;
	asi_exit(ASI_EXIT_EXPLICIT);
	if (t->secret)
		__free_page(t->secret);
	if (t->harmless)
		__free_page(t->harmless);
	asi_destroy(&t->asi);
}

static u64 asi_test_exits(struct asi_test *t, enum asi_exit_reason reason)
{
	return atomic64_read(&t->asi.exits[reason]);
}

static bool asi_test_is_restricted(struct asi_test *t)
{
	bool curr = this_cpu_read(asi_cpu.curr) == &t->asi;
	bool cr3 = __native_read_cr3() == t->asi.cr3;

	/* One without the other is never right here. */
	return curr && cr3 && this_cpu_read(asi_cpu.full_cr3) != t->asi.cr3;
}

static bool asi_test_is_full(struct asi_test *t)
{
	return !this_cpu_read(asi_cpu.curr) && __native_read_cr3() != t->asi.cr3;
}

static void asi_test_faults_leave(struct kunit *test)
{
	struct asi_test *t = test->priv;
	unsigned long harmless, secret;
	bool entered, stayed, left;
	u64 before, after_harmless;

	local_irq_disable();
	asi_enter(&t->asi);
	entered = asi_test_is_restricted(t);
	asi_relax();
	before = asi_test_exits(t, ASI_EXIT_FAULT);
	harmless = asi_test_touch(t->harmless);
	stayed = asi_test_is_restricted(t);
	after_harmless = asi_test_exits(t, ASI_EXIT_FAULT);
	secret = asi_test_touch(t->secret);
	left = asi_test_is_full(t);
	local_irq_enable();

	KUNIT_EXPECT_TRUE(test, entered);
	KUNIT_EXPECT_TRUE(test, stayed);
	KUNIT_EXPECT_TRUE(test, left);
	KUNIT_EXPECT_EQ(test, harmless, SECRET);
	KUNIT_EXPECT_EQ(test, secret, SECRET);
	KUNIT_EXPECT_EQ(test, after_harmless - before, 0);
	KUNIT_EXPECT_EQ(test, asi_test_exits(t, ASI_EXIT_FAULT) - before, 1);
}

static DEFINE_PER_CPU(unsigned long, asi_test_percpu);
static unsigned long asi_test_data = SECRET;

/* What the three windows touch, in which no fault is of help. */
static void asi_test_windows_are_mapped(struct kunit *test)
{
	struct asi_test *t = test->priv;
	unsigned long *dynamic = kmalloc(64, GFP_KERNEL);
	unsigned long *area = vmalloc(PAGE_SIZE);
	unsigned long __percpu *chunk = alloc_percpu(unsigned long);
	unsigned long sum = 0;
	bool stayed;

	if (dynamic && area && chunk) {
		local_irq_disable();
		asi_enter(&t->asi);
		this_cpu_inc(asi_test_percpu);
		sum += READ_ONCE(asi_test_data);
		sum += READ_ONCE(current->flags);
		sum += READ_ONCE(*dynamic);
		WRITE_ONCE(*area, 1);
		this_cpu_inc(*chunk);
		stayed = asi_test_is_restricted(t);
		asi_relax();
		local_irq_enable();
		OPTIMIZER_HIDE_VAR(sum);
		KUNIT_EXPECT_TRUE(test, stayed);
	} else {
		KUNIT_FAIL(test, "no memory");
	}
	free_percpu(chunk);
	vfree(area);
	kfree(dynamic);
}

static void asi_test_exceptions_come_back(struct kunit *test)
{
	struct asi_test *t = test->priv;
	struct asi_intr_state outer_state, inner_state;
	bool left, inner, back, gone;
	u64 flushes, more;

	local_irq_disable();
	asi_enter(&t->asi);
	flushes = atomic64_read(&t->asi.flushes);
	outer_state = __asi_intr_enter();
	asi_test_touch(t->secret);
	left = asi_test_is_full(t);
	/* One in one: only the outermost comes back. */
	inner_state = __asi_intr_enter();
	__asi_intr_exit(inner_state);
	inner = asi_test_is_full(t);
	__asi_intr_exit(outer_state);
	back = asi_test_is_restricted(t);
	more = atomic64_read(&t->asi.flushes) - flushes;
	asi_relax();

	/* Nobody needs to be there any more: it does not come back. */
	outer_state = __asi_intr_enter();
	asi_test_touch(t->secret);
	__asi_intr_exit(outer_state);
	gone = asi_test_is_full(t);
	local_irq_enable();

	KUNIT_EXPECT_TRUE(test, left);
	KUNIT_EXPECT_TRUE(test, inner);
	KUNIT_EXPECT_TRUE(test, back);
	KUNIT_EXPECT_TRUE(test, gone);
	/* What the exception has seen is cleared; there was no guest whose training is to be. */
	KUNIT_EXPECT_EQ(test, more, 1);
	KUNIT_EXPECT_EQ(test, this_cpu_read(asi_cpu.nesting), 0);
}

/*
 * As exc_page_fault() sees it, a fault that was raised in the restricted address
 * space and then interrupted by an exception that left is tried again, once.
 */
static void asi_test_interrupted_faults_are_tried_again(struct kunit *test)
{
	struct asi_test *t = test->priv;
	struct asi_intr_state outer, inner;
	bool first, stale, genuine, own, later, inner_stale, none;

	local_irq_disable();
	/* What comes here is not a matter of the tests before. */
	asi_exit_on_fault();
	first = asi_exit_on_fault();

	asi_enter(&t->asi);
	asi_relax();
	outer = __asi_intr_enter();
	asi_test_touch(t->secret);
	__asi_intr_exit(outer);
	stale = asi_exit_on_fault();
	genuine = asi_exit_on_fault();

	/* The next exception comes at once; that it has a genuine fault changes nothing. */
	asi_enter(&t->asi);
	asi_relax();
	outer = __asi_intr_enter();
	asi_test_touch(t->secret);
	__asi_intr_exit(outer);
	outer = __asi_intr_enter();
	own = asi_exit_on_fault();
	__asi_intr_exit(outer);
	later = asi_exit_on_fault();

	/* An exception's fault, interrupted by another: the first comes back, and none is left. */
	asi_enter(&t->asi);
	outer = __asi_intr_enter();
	inner = __asi_intr_enter();
	asi_test_touch(t->secret);
	__asi_intr_exit(inner);
	inner_stale = asi_exit_on_fault();
	__asi_intr_exit(outer);
	asi_relax();
	asi_exit(ASI_EXIT_EXPLICIT);
	none = asi_exit_on_fault();
	local_irq_enable();

	KUNIT_EXPECT_FALSE(test, first);
	KUNIT_EXPECT_TRUE(test, stale);
	KUNIT_EXPECT_FALSE(test, genuine);
	KUNIT_EXPECT_FALSE(test, own);
	KUNIT_EXPECT_TRUE(test, later);
	KUNIT_EXPECT_TRUE(test, inner_stale);
	KUNIT_EXPECT_FALSE(test, none);
}

static void asi_test_fault_before_relax_gives_up(struct kunit *test)
{
	struct asi_test *t = test->priv;
	struct asi *target;
	bool left;

	local_irq_disable();
	asi_enter(&t->asi);
	asi_test_touch(t->secret);
	target = this_cpu_read(asi_cpu.target);
	/* An exception now must not go back behind the caller's back. */
	__asi_intr_exit(__asi_intr_enter());
	left = asi_test_is_full(t);
	local_irq_enable();

	KUNIT_EXPECT_NULL(test, target);
	KUNIT_EXPECT_TRUE(test, left);
}

/* What a VM exit of VMX loads may not be where the CPU was at the VM entry. */
static void asi_test_resync_after_vm_exit(struct kunit *test)
{
	struct asi_test *t = test->priv;
	bool ok, stayed, faulted, left, entered_again, left_again;

	local_irq_disable();
	asi_enter(&t->asi);
	ok = asi_resync(&t->asi);
	stayed = asi_test_is_restricted(t);
	asi_relax();

	/* A fault between the last check and the VM entry, with the restricted CR3 noted. */
	asi_enter(&t->asi);
	asi_test_touch(t->secret);
	native_write_cr3(t->asi.cr3);
	faulted = !asi_resync(&t->asi);
	left = asi_test_is_full(t);
	asi_relax();

	/* A fault before that, so that the full CR3 is noted; then entered once more. */
	asi_enter(&t->asi);
	native_write_cr3(this_cpu_read(asi_cpu.full_cr3));
	entered_again = asi_resync(&t->asi);
	left_again = asi_test_is_full(t);
	asi_relax();
	asi_exit(ASI_EXIT_EXPLICIT);
	local_irq_enable();

	KUNIT_EXPECT_TRUE(test, ok);
	KUNIT_EXPECT_TRUE(test, stayed);
	KUNIT_EXPECT_TRUE(test, faulted);
	KUNIT_EXPECT_TRUE(test, left);
	KUNIT_EXPECT_TRUE(test, entered_again);
	KUNIT_EXPECT_TRUE(test, left_again);
}

static void asi_test_flushes_when_tainted(struct kunit *test)
{
	struct asi_test *t = test->priv;
	u64 n[6];

	local_irq_disable();
	asi_exit(ASI_EXIT_EXPLICIT);
	this_cpu_write(asi_cpu.taints, ASI_TAINT_DATA);
	n[0] = atomic64_read(&t->asi.flushes);
	asi_enter(&t->asi);
	n[1] = atomic64_read(&t->asi.flushes);
	asi_relax();
	asi_enter(&t->asi);
	n[2] = atomic64_read(&t->asi.flushes);
	asi_relax();
	asi_exit(ASI_EXIT_EXPLICIT);
	n[3] = atomic64_read(&t->asi.flushes);
	asi_exit(ASI_EXIT_EXPLICIT);
	n[4] = atomic64_read(&t->asi.flushes);
	asi_enter(&t->asi);
	n[5] = atomic64_read(&t->asi.flushes);
	asi_relax();
	asi_exit(ASI_EXIT_EXPLICIT);
	local_irq_enable();

	KUNIT_EXPECT_EQ(test, n[1] - n[0], 1);	/* data, on entering */
	KUNIT_EXPECT_EQ(test, n[2] - n[1], 0);	/* nothing new was seen */
	KUNIT_EXPECT_EQ(test, n[3] - n[2], 1);	/* control, on leaving */
	KUNIT_EXPECT_EQ(test, n[4] - n[3], 0);	/* was not there */
	KUNIT_EXPECT_EQ(test, n[5] - n[4], 1);	/* data again */
}

static void asi_test_mm_switch_leaves(struct kunit *test)
{
	struct asi_test *t = test->priv;
	struct mm_struct *mm = mm_alloc();
	unsigned long cr3, fast;
	bool left;
	u64 before;

	KUNIT_ASSERT_NOT_NULL(test, mm);
	before = asi_test_exits(t, ASI_EXIT_SCHEDULE);
	preempt_disable();
	local_irq_disable();
	asi_enter(&t->asi);
	asi_relax();
	fast = __get_current_cr3_fast();
	local_irq_enable();
	KUNIT_EXPECT_EQ(test, fast, t->asi.cr3);
	preempt_enable();

	preempt_disable();
	local_irq_disable();
	asi_enter(&t->asi);
	asi_relax();
	switch_mm_irqs_off(NULL, mm, current);
	left = asi_test_is_full(t);
	cr3 = __native_read_cr3() & CR3_ADDR_MASK;
	switch_mm_irqs_off(NULL, &init_mm, current);
	local_irq_enable();
	preempt_enable();
	KUNIT_EXPECT_TRUE(test, left);
	KUNIT_EXPECT_EQ(test, cr3, __pa(mm->pgd));
	KUNIT_EXPECT_GE(test, asi_test_exits(t, ASI_EXIT_SCHEDULE) - before, 1);
	mmput(mm);
}

static void asi_test_scheduling_leaves(struct kunit *test)
{
	struct asi_test *t = test->priv;
	u64 before = asi_test_exits(t, ASI_EXIT_SCHEDULE);
	bool left;

	local_irq_disable();
	asi_enter(&t->asi);
	asi_relax();
	local_irq_enable();
	msleep(20);
	preempt_disable();
	left = asi_test_is_full(t);
	preempt_enable();
	KUNIT_EXPECT_TRUE(test, left);
	/* An interrupt may have left it before. */
	KUNIT_EXPECT_GE(test, asi_test_exits(t, ASI_EXIT_SCHEDULE) +
			asi_test_exits(t, ASI_EXIT_FAULT) +
			asi_test_exits(t, ASI_EXIT_EXPLICIT) - before, 1);
}

static void asi_test_tlb_flush_leaves(struct kunit *test)
{
	struct asi_test *t = test->priv;
	bool left;

	local_irq_disable();
	asi_enter(&t->asi);
	asi_relax();
	flush_tlb_local();
	left = asi_test_is_full(t);
	local_irq_enable();
	KUNIT_EXPECT_TRUE(test, left);
}

/* Another CPU that stays in a restricted address space, with or without interrupts. */
struct asi_test_cpu {
	struct asi_test *t;
	bool irqs;
	bool stop;
	bool entered;
	bool restricted_at_end;
	struct completion done;
};

static int asi_test_stay(void *data)
{
	struct asi_test_cpu *cpu = data;

	preempt_disable();
	local_irq_disable();
	asi_enter(&cpu->t->asi);
	if (cpu->irqs) {
		asi_relax();
		local_irq_enable();
	}
	/* It is there, as CR3 says, when the other looks at it. */
	smp_store_release(&cpu->entered, true);
	/* Pairs with asi_test_shoot_down(). */
	while (!smp_load_acquire(&cpu->stop))
		cpu_relax();
	local_irq_disable();
	cpu->restricted_at_end = asi_test_is_restricted(cpu->t);
	asi_relax();
	asi_exit(ASI_EXIT_EXPLICIT);
	local_irq_enable();
	preempt_enable();
	complete(&cpu->done);
	return 0;
}

/* Let @cpu stay on another CPU while a mapped page becomes sensitive. */
static u64 asi_test_shoot_down(struct kunit *test, struct asi_test_cpu *cpu, gfp_t gfp)
{
	struct asi_test *t = test->priv;
	struct task_struct *thread;
	unsigned int other;
	unsigned long flags;
	u64 before;

	if (num_online_cpus() < 2)
		kunit_skip(test, "one CPU only");
	cpu->t = t;
	init_completion(&cpu->done);
	thread = kthread_create(asi_test_stay, cpu, "asi-test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));

	/* Stay on one CPU without being a migration that waits for the other. */
	migrate_disable();
	other = cpumask_any_but(cpu_online_mask, smp_processor_id());
	kthread_bind(thread, other);
	wake_up_process(thread);
	/* Pairs with asi_test_stay(). */
	while (!smp_load_acquire(&cpu->entered))
		cpu_relax();
	before = asi_test_exits(t, ASI_EXIT_EXPLICIT);
	if (gfpflags_allow_blocking(gfp)) {
		__asi_alloc_pages(t->harmless, 0, gfp);
	} else {
		local_irq_save(flags);
		__asi_alloc_pages(t->harmless, 0, gfp);
		local_irq_restore(flags);
	}
	before = asi_test_exits(t, ASI_EXIT_EXPLICIT) - before;
	/* Has been flushed before it looks at where it is. */
	smp_store_release(&cpu->stop, true);
	migrate_enable();
	wait_for_completion(&cpu->done);
	return before;
}

static void asi_test_others_are_flushed(struct kunit *test)
{
	struct asi_test_cpu cpu = { .irqs = true };
	u64 exits = asi_test_shoot_down(test, &cpu, GFP_USER);

	/* An interrupt may have taken it out before; it is out for sure. */
	KUNIT_EXPECT_LE(test, exits, 1);
	KUNIT_EXPECT_FALSE(test, cpu.restricted_at_end);
}

/* With interrupts off on both: an NMI, which also has to come back to where it was. */
static void asi_test_others_are_flushed_by_nmi(struct kunit *test)
{
	struct asi_test_cpu cpu = { .irqs = false };
	u64 exits = asi_test_shoot_down(test, &cpu, GFP_ATOMIC | __GFP_SENSITIVE);

	KUNIT_EXPECT_EQ(test, exits, 1);
	KUNIT_EXPECT_TRUE(test, cpu.restricted_at_end);
}

#define MISTAKES	1000000

struct asi_test_mistakes {
	struct completion done;
	unsigned int made;
};

static unsigned int asi_test_make_mistakes(void)
{
	unsigned int made = 0;

	while (asi_forget_enter())
		made++;
	return made;
}

static int asi_test_mistakes_thread(void *data)
{
	struct asi_test_mistakes *other = data;

	other->made = asi_test_make_mistakes();
	complete(&other->done);
	return 0;
}

/* CPUs that take from the number of mistakes make as many as it says, and stop. */
static void asi_test_mistakes_are_counted(struct kunit *test)
{
	struct asi_test_mistakes other = {};
	struct task_struct *thread;
	unsigned int made;

	init_completion(&other.done);
	thread = kthread_create(asi_test_mistakes_thread, &other, "asi-test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	/* There is no VM yet whose entries could make any. */
	atomic_set(&asi_skip_enter, MISTAKES);
	wake_up_process(thread);
	made = asi_test_make_mistakes();
	wait_for_completion(&other.done);
	KUNIT_EXPECT_EQ(test, made + other.made, MISTAKES);
	KUNIT_EXPECT_EQ(test, atomic_read(&asi_skip_enter), 0);
}

static struct kunit_case asi_test_cases[] = {
	KUNIT_CASE(asi_test_secret_is_absent),
	KUNIT_CASE(asi_test_harmless_is_present),
	KUNIT_CASE(asi_test_all_of_direct_map_is_owned),
	KUNIT_CASE(asi_test_pages_change_hands),
	KUNIT_CASE(asi_test_allocator_clears),
	KUNIT_CASE(asi_test_contig_ranges),
	KUNIT_CASE(asi_test_map_and_unmap),
	KUNIT_CASE(asi_test_direct_map_changes),
	KUNIT_CASE(asi_test_faults_leave),
	KUNIT_CASE(asi_test_windows_are_mapped),
	KUNIT_CASE(asi_test_exceptions_come_back),
	KUNIT_CASE(asi_test_interrupted_faults_are_tried_again),
	KUNIT_CASE(asi_test_fault_before_relax_gives_up),
	KUNIT_CASE(asi_test_resync_after_vm_exit),
	KUNIT_CASE(asi_test_flushes_when_tainted),
	KUNIT_CASE(asi_test_mm_switch_leaves),
	KUNIT_CASE(asi_test_scheduling_leaves),
	KUNIT_CASE(asi_test_tlb_flush_leaves),
	KUNIT_CASE(asi_test_others_are_flushed),
	KUNIT_CASE(asi_test_others_are_flushed_by_nmi),
	KUNIT_CASE(asi_test_mistakes_are_counted),
	KUNIT_CASE_SLOW(asi_test_audit),
	{}
};

static struct kunit_suite asi_test_suite = {
	.name		= "asi",
	.init		= asi_test_init,
	.exit		= asi_test_exit,
	.test_cases	= asi_test_cases,
};

kunit_test_suite(asi_test_suite);
