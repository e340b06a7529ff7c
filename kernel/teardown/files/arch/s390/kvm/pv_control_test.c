// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests: what managers see of the teardown of protected guests, and what
 * they do to it.
 */
#include <kunit/test.h>
#include <linux/kvm_control.h>
#include <linux/sched/mm.h>
#include <asm/gmap.h>
#include <asm/uv.h>

#include "../../../virt/kvm/control.h"
#include "kvm-s390.h"
#include "pv_test_vm.h"
#include "uv_model.h"

/* What a manager does: it has no part in the VM's process. */
static int manager_performs(struct pv_test_vm *vm, struct kvm_teardown_perform *perform)
{
	int r;

	refcount_inc(&vm->kvm->users_count);
	r = vm->kvm->control->ops->teardown->perform(vm->kvm, perform);
	refcount_dec(&vm->kvm->users_count);
	return r;
}

static void the_account_tells_the_whole_story(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small(test);
	struct kvm_teardown_info info = pv_test_info(vm);
	u64 number, pages;

	KUNIT_EXPECT_EQ(test, vm->kvm->control->active, (u64)KVM_CONTROL_TEARDOWN);
	KUNIT_EXPECT_EQ(test, info.state, 0U);
	KUNIT_EXPECT_EQ(test, pv_test_next_event(vm, NULL, NULL), 0U);

	pv_test_protect(test, vm);
	pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE);
	info = pv_test_info(vm);
	KUNIT_EXPECT_EQ(test, info.state, KVM_TEARDOWN_SET_ASIDE);
	KUNIT_EXPECT_EQ(test, info.prepared, 1ULL);
	KUNIT_EXPECT_NE(test, info.prepared_ns, 0ULL);
	KUNIT_EXPECT_EQ(test, pv_test_next_event(vm, &number, NULL),
			(u32)KVM_TEARDOWN_EVENT_PREPARED);
	KUNIT_EXPECT_EQ(test, number, 1ULL);

	pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM);
	info = pv_test_info(vm);
	KUNIT_EXPECT_EQ(test, info.state, 0U);
	KUNIT_EXPECT_EQ(test, info.started, 1ULL);
	KUNIT_EXPECT_EQ(test, info.finished, 1ULL);
	KUNIT_EXPECT_EQ(test, info.rc, UVC_RC_EXECUTED);
	KUNIT_EXPECT_EQ(test, info.pages_done, (u64)PV_TEST_SMALL_PAGES + 1);
	KUNIT_EXPECT_GE(test, info.pages_total, info.pages_done);
	KUNIT_EXPECT_NE(test, info.duration_ns, 0ULL);
	KUNIT_EXPECT_EQ(test, vm->kvm->stat.teardown_pages, (u64)PV_TEST_SMALL_PAGES + 1);
	KUNIT_EXPECT_EQ(test, pv_test_next_event(vm, &number, &pages),
			(u32)KVM_TEARDOWN_EVENT_STARTED);
	/* How many pages a process has is known but roughly. */
	KUNIT_EXPECT_NE(test, pages, 0ULL);
	KUNIT_EXPECT_LE(test, pages, 2ULL * PV_TEST_SMALL_PAGES);
	KUNIT_EXPECT_EQ(test, pv_test_next_event(vm, &number, NULL),
			(u32)KVM_TEARDOWN_EVENT_FINISHED);
	KUNIT_EXPECT_EQ(test, number, 1ULL);
	KUNIT_EXPECT_EQ(test, pv_test_next_event(vm, NULL, NULL), 0U);
	pv_test_expect_destroyed(test, vm);
}

struct progress_seen {
	struct pv_test_vm *vm;
	struct kvm_teardown_info info;
};

static void see_progress(u16 cmd, unsigned long nth, void *data)
{
	struct progress_seen *seen = data;

	if (cmd == UVC_CMD_DESTR_SEC_STOR && nth == PV_TEST_SMALL_LOW + 40)
		seen->info = pv_test_info(seen->vm);
}

static void progress_is_seen_while_it_runs(struct kunit *test)
{
	struct progress_seen seen = { .vm = pv_test_small_set_aside(test) };

	uv_model_set_hook(see_progress, &seen);
	KUNIT_EXPECT_EQ(test, pv_test_do(seen.vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	KUNIT_EXPECT_EQ(test, seen.info.state, KVM_TEARDOWN_RUNNING);
	KUNIT_EXPECT_EQ(test, seen.info.running, 1U);
	KUNIT_EXPECT_EQ(test, seen.info.pages_done, 32ULL);
	KUNIT_EXPECT_GE(test, seen.info.pages_total, seen.info.pages_done);
	pv_test_expect_destroyed(test, seen.vm);
}

static void see_it_always(u16 cmd, unsigned long nth, void *data)
{
	struct progress_seen *seen = data;

	seen->info = pv_test_info(seen->vm);
}

/* A case that did would not end: the caller has kvm->lock in most commands. */
static void a_manager_never_waits_for_the_ultravisor(struct kunit *test)
{
	struct progress_seen seen = { .vm = pv_test_small(test) };

	uv_model_set_hook(see_it_always, &seen);
	pv_test_protect(test, seen.vm);
	KUNIT_EXPECT_EQ(test, pv_test_do(seen.vm, KVM_PV_ASYNC_CLEANUP_PREPARE), 0);
	KUNIT_EXPECT_EQ(test, seen.info.state, 0U);
	pv_test_protect(test, seen.vm);
	KUNIT_EXPECT_EQ(test, pv_test_do(seen.vm, KVM_PV_DISABLE), 0);
	KUNIT_EXPECT_EQ(test, seen.info.prepared, 1ULL);
	uv_model_set_hook(NULL, NULL);
	pv_test_expect_destroyed(test, seen.vm);
}

static void switched_off_prepare_is_refused(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small(test);
	const struct kvm_control_ops *ops = vm->kvm->control->ops;
	unsigned long calls;

	KUNIT_EXPECT_EQ(test, ops->supported(vm->kvm), (u64)KVM_CONTROL_TEARDOWN);
	pv_test_protect(test, vm);
	calls = uv_model_all_calls();
	KUNIT_EXPECT_EQ(test, ops->set_policy(vm->kvm, KVM_CONTROL_TEARDOWN, 0), 0);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), -EINVAL);
	/* Refused before anything is touched. */
	KUNIT_EXPECT_EQ(test, uv_model_all_calls(), calls);
	KUNIT_EXPECT_EQ(test, uv_model_cpus(), 2U);

	KUNIT_EXPECT_EQ(test, ops->set_policy(vm->kvm, KVM_CONTROL_TEARDOWN,
					      KVM_CONTROL_TEARDOWN), 0);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), 0);
	/* What is set aside is torn down, whatever the policy is by then. */
	KUNIT_EXPECT_EQ(test, ops->set_policy(vm->kvm, KVM_CONTROL_TEARDOWN, 0), 0);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	pv_test_expect_destroyed(test, vm);
}

static void a_manager_performs_what_nobody_did(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small_set_aside(test);
	struct kvm_teardown_perform perform = {};

	KUNIT_EXPECT_EQ(test, manager_performs(vm, &perform), 0);
	KUNIT_EXPECT_EQ(test, perform.rc, UVC_RC_EXECUTED);
	KUNIT_EXPECT_EQ(test, perform.rrc, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&vm->mm->mm_users), 1);
	KUNIT_EXPECT_EQ(test, manager_performs(vm, &perform), -EINVAL);
	pv_test_expect_destroyed(test, vm);
}

static void interrupt_it(u16 cmd, unsigned long nth, void *data)
{
	struct pv_test_vm *vm = data;

	if (cmd == UVC_CMD_DESTR_SEC_STOR && nth == PV_TEST_SMALL_LOW + 3)
		vm->kvm->control->ops->teardown->interrupt(vm->kvm);
}

static void a_manager_interrupts_and_resumes(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small_set_aside(test);
	struct kvm_teardown_perform perform = {};
	u64 pages = 0, left = 0;
	u16 rc, rrc;

	KUNIT_EXPECT_EQ(test, vm->kvm->control->ops->teardown->interrupt(vm->kvm), -EINVAL);
	uv_model_set_hook(interrupt_it, vm);
	KUNIT_EXPECT_EQ(test, pv_test_command(vm, KVM_PV_ASYNC_CLEANUP_PERFORM,
					      &rc, &rrc), 0);
	uv_model_set_hook(NULL, NULL);
	KUNIT_EXPECT_EQ(test, rrc, 42);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).state, KVM_TEARDOWN_INTERRUPTED);
	pv_test_next_event(vm, NULL, NULL);
	pv_test_next_event(vm, NULL, &pages);
	KUNIT_EXPECT_EQ(test, pv_test_next_event(vm, NULL, &left),
			(u32)KVM_TEARDOWN_EVENT_INTERRUPTED);
	KUNIT_EXPECT_EQ(test, left, pages > 32 ? pages - 32 : 0);

	KUNIT_EXPECT_EQ(test, manager_performs(vm, &perform), 0);
	KUNIT_EXPECT_EQ(test, perform.rrc, 0);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).finished, 1ULL);
	pv_test_expect_destroyed(test, vm);
}

static void close_the_vm(u16 cmd, unsigned long nth, void *data)
{
	struct pv_test_vm *vm = data;

	if (cmd == UVC_CMD_DESTR_SEC_STOR && nth == PV_TEST_SMALL_LOW + 3)
		refcount_dec(&vm->kvm->users_count);
}

static void a_manager_lets_go_of_a_closed_vm(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small_set_aside(test);
	struct kvm_teardown_perform perform = {};

	uv_model_set_hook(close_the_vm, vm);
	refcount_inc(&vm->kvm->users_count);
	KUNIT_EXPECT_EQ(test, vm->kvm->control->ops->teardown->perform(vm->kvm, &perform), 0);
	uv_model_set_hook(NULL, NULL);
	KUNIT_EXPECT_EQ(test, perform.rrc, 42);
	KUNIT_EXPECT_LE(test, uv_model_calls(UVC_CMD_DESTR_SEC_STOR),
			PV_TEST_SMALL_LOW + 32UL);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).state, KVM_TEARDOWN_INTERRUPTED);
	pv_test_expect_destroyed(test, vm);
}

static void end_the_process(u16 cmd, unsigned long nth, void *data)
{
	struct pv_test_vm *vm = data;

	if (cmd == UVC_CMD_DESTR_SEC_STOR && nth == PV_TEST_SMALL_LOW + 3 && vm->mm)
		pv_test_vm_exit_process(vm);
}

static void a_manager_lets_go_of_a_dead_process(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small_set_aside(test);
	struct kvm_teardown_perform perform = {};

	uv_model_set_hook(end_the_process, vm);
	KUNIT_EXPECT_EQ(test, manager_performs(vm, &perform), 0);
	uv_model_set_hook(NULL, NULL);
	KUNIT_EXPECT_EQ(test, perform.rrc, 42);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).state, KVM_TEARDOWN_INTERRUPTED);
	/* Its memory is freed behind the manager's back. */
	flush_work(&vm->kvm->mm->async_put_work);
	KUNIT_EXPECT_EQ(test, atomic_read(&vm->kvm->mm->mm_users), 0);
	KUNIT_EXPECT_EQ(test, uv_model_secure_pages(), 0UL);
	/* And a process that is gone is nothing to walk through. */
	KUNIT_EXPECT_EQ(test, manager_performs(vm, &perform), 0);
	KUNIT_EXPECT_EQ(test, perform.rrc, 42);
	pv_test_expect_destroyed(test, vm);
}

static struct kunit_case pv_control_test_cases[] = {
	KUNIT_CASE(the_account_tells_the_whole_story),
	KUNIT_CASE(progress_is_seen_while_it_runs),
	KUNIT_CASE(a_manager_never_waits_for_the_ultravisor),
	KUNIT_CASE(switched_off_prepare_is_refused),
	KUNIT_CASE(a_manager_performs_what_nobody_did),
	KUNIT_CASE(a_manager_interrupts_and_resumes),
	KUNIT_CASE(a_manager_lets_go_of_a_closed_vm),
	KUNIT_CASE(a_manager_lets_go_of_a_dead_process),
	{}
};

static struct kunit_suite pv_control_test_suite = {
	.name = "kvm_s390_teardown_control",
	.init = pv_test_init,
	.exit = pv_test_exit,
	.test_cases = pv_control_test_cases,
};

kunit_test_suite(pv_control_test_suite);
