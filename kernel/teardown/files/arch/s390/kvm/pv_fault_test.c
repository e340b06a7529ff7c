// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests: what the teardown of protected guests leaves when things fail.
 *
 * Whatever fails, three things hold. The process counts as many protected
 * guests as there are configurations; nothing is freed that the Ultravisor has
 * not let go of; and once the VM is gone, KVM keeps nothing else.
 */
#include <kunit/test.h>
#include <linux/debugfs.h>
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <asm/gmap.h>
#include <asm/uv.h>

#include "kvm-s390.h"
#include "pv_test_vm.h"
#include "uv_model.h"

#define TABLE_PAGES	4UL
#define BASE_PAGES	2UL
#define CPU_PAGES	4UL
/* 64 bytes for each of 4096 MiB, and one page. */
#define VAR_PAGES	(64UL + 1)
#define CONF_PAGES	(TABLE_PAGES + BASE_PAGES + VAR_PAGES)

static void expect_exact(struct kunit *test, struct pv_test_vm *vm)
{
	KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), (int)uv_model_confs());
	KUNIT_EXPECT_EQ(test, uv_model_violations(), 0U);
	KUNIT_EXPECT_GE(test, uv_model_kept_pages(), uv_model_donated_pages());
}

/* The VM is gone: what KVM keeps is what it could not get back. */
static void expect_lost(struct kunit *test, struct pv_test_vm *vm,
			unsigned int confs, unsigned long pages)
{
	if (vm->kvm->arch.gmap)
		pv_test_vm_destroy(vm);
	expect_exact(test, vm);
	KUNIT_EXPECT_EQ(test, uv_model_confs(), confs);
	KUNIT_EXPECT_EQ(test, uv_model_donated_pages(), pages);
	KUNIT_EXPECT_EQ(test, uv_model_kept_pages(), pages);
}

static void fail_next(u16 cmd, unsigned long nth, u16 rc)
{
	uv_model_set_fault(&(struct uv_model_fault) {
		.cmd = cmd, .nth = nth, .cc = UVC_CC_ERROR, .times = 1,
		.rc = rc, .rrc = 0x77,
	});
}

static void a_vcpu_that_stays_stops_prepare(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_vm_create(test, &PV_TEST_SMALL);
	u16 rc = 0, rrc = 0;

	pv_test_protect(test, vm);
	fail_next(UVC_CMD_DESTROY_SEC_CPU, 1, UV_RC_INV_STATE);
	KUNIT_EXPECT_EQ(test, pv_test_command(vm, KVM_PV_ASYNC_CLEANUP_PREPARE,
					      &rc, &rrc), -EIO);
	KUNIT_EXPECT_EQ(test, rc, UV_RC_INV_STATE);
	KUNIT_EXPECT_EQ(test, rrc, 0x77);
	/* Nothing is set aside, the other vCPU is not protected any more. */
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).state, 0U);
	KUNIT_EXPECT_NE(test, kvm_s390_pv_get_handle(vm->kvm), 0ULL);
	KUNIT_EXPECT_EQ(test, uv_model_cpus(), 1U);
	KUNIT_EXPECT_EQ(test, uv_model_calls(UVC_CMD_DESTR_SEC_STOR), 0UL);
	/* A configuration that has a CPU stays, with all it was given. */
	expect_lost(test, vm, 1, CPU_PAGES + CONF_PAGES);
}

static void perform_that_is_refused_loses_only_what_was_given(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_vm_create(test, &PV_TEST_SMALL);
	u16 rc = 0, rrc = 0;
	u64 codes;

	pv_test_protect(test, vm);
	KUNIT_ASSERT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), 0);
	fail_next(UVC_CMD_DESTROY_SEC_CONF, 1, UV_RC_INV_STATE);
	KUNIT_EXPECT_EQ(test, pv_test_command(vm, KVM_PV_ASYNC_CLEANUP_PERFORM,
					      &rc, &rrc), -EIO);
	KUNIT_EXPECT_EQ(test, rc, UV_RC_INV_STATE);
	KUNIT_EXPECT_EQ(test, rrc, 0x77);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).failed, 1ULL);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).rc, UV_RC_INV_STATE);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).state, 0U);
	pv_test_next_event(vm, NULL, NULL);
	pv_test_next_event(vm, NULL, NULL);
	KUNIT_EXPECT_EQ(test, pv_test_next_event(vm, NULL, &codes),
			(u32)KVM_TEARDOWN_EVENT_FAILED);
	KUNIT_EXPECT_EQ(test, codes, (u64)UV_RC_INV_STATE << 16 | 0x77);
	/* Nobody tries again. */
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), -EINVAL);
	expect_lost(test, vm, 1, CONF_PAGES);
}

static void disable_reports_the_first_failure(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_vm_create(test, &PV_TEST_SMALL);
	u16 rc = 0, rrc = 0;

	pv_test_protect(test, vm);
	KUNIT_ASSERT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), 0);
	pv_test_protect(test, vm);
	/* The second call is for the one that is set aside. */
	fail_next(UVC_CMD_DESTROY_SEC_CONF, 2, 0x123);
	KUNIT_EXPECT_EQ(test, pv_test_command(vm, KVM_PV_DISABLE, &rc, &rrc), -EIO);
	KUNIT_EXPECT_EQ(test, rc, 0x123);
	KUNIT_EXPECT_EQ(test, rrc, 0x77);
	KUNIT_EXPECT_EQ(test, uv_model_secure_pages(), 0UL);
	expect_lost(test, vm, 1, CONF_PAGES);
}

static void a_fast_destroy_that_fails_changes_nothing(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_vm_create(test, &PV_TEST_SMALL);
	u16 rc = 0, rrc = 0;

	uv_model_set_fast(true);
	pv_test_protect(test, vm);
	fail_next(UVC_CMD_DESTROY_SEC_CONF_FAST, 1, 0x104);
	KUNIT_EXPECT_EQ(test, pv_test_command(vm, KVM_PV_ASYNC_CLEANUP_PREPARE,
					      &rc, &rrc), -EIO);
	KUNIT_EXPECT_EQ(test, rc, 0x104);
	KUNIT_EXPECT_EQ(test, uv_model_confs(), 1U);
	expect_exact(test, vm);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_DISABLE), 0);
	pv_test_expect_destroyed(test, vm);
}

static void a_page_that_is_refused_is_counted(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_vm_create(test, &PV_TEST_SMALL);

	pv_test_protect(test, vm);
	KUNIT_ASSERT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), 0);
	/* Below 2 GiB all pages were destroyed: the 50th is one above. */
	fail_next(UVC_CMD_DESTR_SEC_STOR, 50, UV_RC_INV_STATE);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	KUNIT_EXPECT_EQ(test, uv_model_secure_pages(), 1UL);
	expect_lost(test, vm, 0, 0);
}

static void enable_that_fails_halfway_leaves_nothing(struct kunit *test)
{
	static const struct { u16 cmd, nth, rc; } faults[] = {
		{ UVC_CMD_CREATE_SEC_CONF, 1, UV_RC_CGC_ASCE },
		{ UVC_CMD_CREATE_SEC_CONF, 1, UV_RC_CGC_LEN | UVC_RC_NEED_DESTROY },
		{ UVC_CMD_CREATE_SEC_CPU, 1, UV_RC_CSC_NUM },
		{ UVC_CMD_CREATE_SEC_CPU, 2, UV_RC_CSC_DEFINED },
	};
	struct pv_test_vm *vm = pv_test_vm_create(test, &PV_TEST_SMALL);
	int i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		fail_next(faults[i].cmd, faults[i].nth, faults[i].rc);
		KUNIT_EXPECT_EQ(test, pv_test_enable(vm), -EIO);
		uv_model_set_fault(NULL);
		KUNIT_EXPECT_EQ(test, kvm_s390_pv_get_handle(vm->kvm), 0ULL);
		pv_test_expect_nothing_left(test, vm);
	}
	pv_test_expect_destroyed(test, vm);
}

static const u16 all_commands[] = {
	UVC_CMD_CREATE_SEC_CONF, UVC_CMD_CREATE_SEC_CPU,
	UVC_CMD_DESTROY_SEC_CPU, UVC_CMD_DESTROY_SEC_CONF,
	UVC_CMD_DESTROY_SEC_CONF_FAST, UVC_CMD_DESTR_SEC_STOR,
};

/* Boot, reboot, boot, reboot in the old way; whatever fails, go on. */
static void story(struct pv_test_vm *vm)
{
	if (!pv_test_enable(vm))
		pv_test_import(vm);
	if (pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE))
		pv_test_do(vm, KVM_PV_DISABLE);
	if (!pv_test_enable(vm))
		pv_test_import(vm);
	pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM);
	pv_test_do(vm, KVM_PV_DISABLE);
}

/* Return: whether the fault happened. */
static bool run_story_with_fault(struct kunit *test, const struct uv_model_fault *fault,
				 bool fast)
{
	struct pv_test_config config = PV_TEST_SMALL;
	struct pv_test_vm *vm;
	unsigned long lost;
	bool happened;

	/* Few pages: each of their calls gets a story of its own. */
	config.stride = SZ_256M;
	uv_model_set_fast(fast);
	vm = pv_test_vm_create(test, &config);
	uv_model_set_fault(fault);
	story(vm);
	happened = uv_model_fault_happened();
	uv_model_set_fault(NULL);
	pv_test_vm_destroy(vm);
	expect_exact(test, vm);
	lost = uv_model_kept_pages() - uv_model_donated_pages();
	/*
	 * A table is given up once the Ultravisor has refused to destroy the
	 * configuration, and not found again if it does so when asked again.
	 */
	if (lost && fault->cmd == UVC_CMD_DESTROY_SEC_CONF)
		lost -= TABLE_PAGES;
	KUNIT_EXPECT_EQ_MSG(test, lost, 0UL, "call %lu of command %x", fault->nth,
			    fault->cmd);
	return happened;
}

/* Each call of the story in turn, until there are none left to fail. */
static unsigned long fail_each_call(struct kunit *test, u16 cmd, bool fast)
{
	struct uv_model_fault fault = {
		.cmd = cmd, .cc = UVC_CC_ERROR, .times = 1,
		.rc = UV_RC_NO_RESUME, .rrc = 1,
	};
	bool happened;

	do {
		fault.nth++;
		happened = run_story_with_fault(test, &fault, fast);
		pv_test_exit(test);
		pv_test_init(test);
	} while (happened);
	return fault.nth - 1;
}

static void any_call_may_fail(struct kunit *test)
{
	unsigned long slow, fast;
	int i;

	for (i = 0; i < ARRAY_SIZE(all_commands); i++) {
		slow = fail_each_call(test, all_commands[i], false);
		fast = fail_each_call(test, all_commands[i], true);
		kunit_info(test, "command %x: failed each of %lu calls, and of %lu with the fast one\n",
			   all_commands[i], slow, fast);
		KUNIT_EXPECT_NE(test, slow + fast, 0UL);
	}
}

static void any_call_may_be_busy(struct kunit *test)
{
	struct uv_model_fault fault = { .times = 5, .nth = 1 };
	struct pv_test_vm *vm;
	int i;

	for (i = 0; i < ARRAY_SIZE(all_commands); i++) {
		for (fault.cc = UVC_CC_BUSY; fault.cc <= UVC_CC_PARTIAL; fault.cc++) {
			fault.cmd = all_commands[i];
			vm = pv_test_vm_create(test, &PV_TEST_SMALL);
			uv_model_set_fault(&fault);
			story(vm);
			uv_model_set_fault(NULL);
			pv_test_expect_destroyed(test, vm);
		}
	}
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

/* Run @cmd, its @nth allocation failing. Return: whether it got that far. */
static bool fail_allocation(struct pv_test_vm *vm, u32 cmd, unsigned int nth, int *r)
{
	unsigned int left;

	kthread_use_mm(vm->mm);
	current->fail_nth = nth;
	*r = pv_test_do(vm, cmd);
	left = current->fail_nth;
	current->fail_nth = 0;
	kthread_unuse_mm(vm->mm);
	return !left;
}

static void any_allocation_of_enable_may_fail(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_vm_create(test, &PV_TEST_SMALL);
	unsigned int nth, failed = 0;
	int r;

	count_all_allocations(test, true);
	for (nth = 1; fail_allocation(vm, KVM_PV_ENABLE, nth, &r); nth++) {
		/* One can do without: a bulk allocation is done singly then. */
		if (!r)
			KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_DISABLE), 0);
		else
			failed++;
		pv_test_expect_nothing_left(test, vm);
	}
	count_all_allocations(test, false);
	KUNIT_EXPECT_EQ(test, r, 0);
	KUNIT_EXPECT_GE(test, failed, 6U);
	kunit_info(test, "%u allocations, %u of them needed\n", nth - 1, failed);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_DISABLE), 0);
	pv_test_expect_destroyed(test, vm);
}

static void any_allocation_of_prepare_may_fail(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_vm_create(test, &PV_TEST_SMALL);
	unsigned long *table;
	unsigned int nth;
	int r;

	count_all_allocations(test, true);
	for (nth = 1; ; nth++) {
		table = vm->kvm->arch.gmap->table;
		pv_test_protect(test, vm);
		if (!fail_allocation(vm, KVM_PV_ASYNC_CLEANUP_PREPARE, nth, &r))
			break;
		KUNIT_EXPECT_EQ(test, r, -ENOMEM);
		/* As before, but for the vCPUs. */
		KUNIT_EXPECT_PTR_EQ(test, vm->kvm->arch.gmap->table, table);
		KUNIT_EXPECT_NE(test, vm->kvm->arch.gmap->guest_handle, 0UL);
		KUNIT_EXPECT_EQ(test, uv_model_confs(), 1U);
		KUNIT_EXPECT_EQ(test, pv_test_info(vm).state, 0U);
		expect_exact(test, vm);
		KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_DISABLE), 0);
		pv_test_expect_nothing_left(test, vm);
	}
	count_all_allocations(test, false);
	KUNIT_EXPECT_EQ(test, r, 0);
	KUNIT_EXPECT_EQ(test, nth - 1, 2U);
	pv_test_expect_destroyed(test, vm);
}

static void teardown_needs_no_memory(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_vm_create(test, &PV_TEST_SMALL);
	int r;

	pv_test_protect(test, vm);
	KUNIT_ASSERT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), 0);
	count_all_allocations(test, true);
	KUNIT_EXPECT_FALSE(test, fail_allocation(vm, KVM_PV_ASYNC_CLEANUP_PERFORM, 1, &r));
	KUNIT_EXPECT_EQ(test, r, 0);
	pv_test_protect(test, vm);
	KUNIT_EXPECT_FALSE(test, fail_allocation(vm, KVM_PV_DISABLE, 1, &r));
	KUNIT_EXPECT_EQ(test, r, 0);
	count_all_allocations(test, false);
	pv_test_expect_destroyed(test, vm);
}

#endif

static struct kunit_case pv_fault_test_cases[] = {
	KUNIT_CASE(a_vcpu_that_stays_stops_prepare),
	KUNIT_CASE(perform_that_is_refused_loses_only_what_was_given),
	KUNIT_CASE(disable_reports_the_first_failure),
	KUNIT_CASE(a_fast_destroy_that_fails_changes_nothing),
	KUNIT_CASE(a_page_that_is_refused_is_counted),
	KUNIT_CASE(enable_that_fails_halfway_leaves_nothing),
	KUNIT_CASE(any_call_may_fail),
	KUNIT_CASE(any_call_may_be_busy),
#if defined(CONFIG_FAULT_INJECTION_DEBUG_FS) && defined(CONFIG_FAILSLAB) && \
	defined(CONFIG_FAIL_PAGE_ALLOC)
	KUNIT_CASE(any_allocation_of_enable_may_fail),
	KUNIT_CASE(any_allocation_of_prepare_may_fail),
	KUNIT_CASE(teardown_needs_no_memory),
#endif
	{}
};

static struct kunit_suite pv_fault_test_suite = {
	.name = "kvm_s390_pv_faults",
	.init = pv_test_init,
	.exit = pv_test_exit,
	.test_cases = pv_fault_test_cases,
};

kunit_test_suite(pv_fault_test_suite);
