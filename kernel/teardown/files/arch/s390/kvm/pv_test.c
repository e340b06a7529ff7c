// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests: how the teardown of protected guests goes when nothing fails.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/kvm_control.h>
#include <linux/sched/mm.h>
#include <asm/gmap.h>
#include <asm/uv.h>

#include "../../../virt/kvm/control.h"
#include "kvm-s390.h"
#include "pv_test_vm.h"
#include "uv_model.h"

static struct pv_test_vm *small_vm(struct kunit *test)
{
	return pv_test_vm_create(test, &PV_TEST_SMALL);
}

/* A VM whose first guest is set aside. */
static struct pv_test_vm *small_vm_set_aside(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm(test);

	pv_test_protect(test, vm);
	KUNIT_ASSERT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), 0);
	return vm;
}

/* What a manager does: it has no part in the VM's process. */
static int manager_performs(struct pv_test_vm *vm, struct kvm_teardown_perform *perform)
{
	int r;

	refcount_inc(&vm->kvm->users_count);
	r = vm->kvm->control->ops->teardown->perform(vm->kvm, perform);
	refcount_dec(&vm->kvm->users_count);
	return r;
}

static void disable_leaves_nothing(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm(test);
	u16 rc = 0, rrc = 0;

	pv_test_protect(test, vm);
	KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), 1);
	KUNIT_EXPECT_EQ(test, pv_test_command(vm, KVM_PV_DISABLE, &rc, &rrc), 0);
	KUNIT_EXPECT_EQ(test, rc, UVC_RC_EXECUTED);
	pv_test_expect_destroyed(test, vm);
}

static void prepare_sets_the_guest_aside(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm(test);
	unsigned long *table;
	u16 rc = 0, rrc = 0;

	pv_test_protect(test, vm);
	table = vm->kvm->arch.gmap->table;
	KUNIT_ASSERT_EQ(test, pv_test_command(vm, KVM_PV_ASYNC_CLEANUP_PREPARE,
					      &rc, &rrc), 0);
	KUNIT_EXPECT_EQ(test, rc, UVC_RC_EXECUTED);
	KUNIT_EXPECT_EQ(test, rrc, 42);

	/* The VM can go on: no vCPU and no low page is protected. */
	KUNIT_EXPECT_EQ(test, uv_model_cpus(), 0U);
	KUNIT_EXPECT_EQ(test, kvm_s390_pv_get_handle(vm->kvm), 0ULL);
	KUNIT_EXPECT_EQ(test, vm->kvm->arch.gmap->guest_handle, 0UL);
	KUNIT_EXPECT_PTR_NE(test, vm->kvm->arch.gmap->table, table);
	KUNIT_EXPECT_EQ(test, uv_model_calls(UVC_CMD_DESTR_SEC_STOR),
			(unsigned long)PV_TEST_SMALL_LOW);
	KUNIT_EXPECT_EQ(test, uv_model_secure_pages(),
			(unsigned long)(PV_TEST_SMALL_PAGES - PV_TEST_SMALL_LOW));

	/* The configuration is still there, with all that it was given. */
	KUNIT_EXPECT_EQ(test, uv_model_confs(), 1U);
	KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), 1);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).state, KVM_TEARDOWN_SET_ASIDE);
}

static void perform_leaves_nothing(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm_set_aside(test);
	u16 rc = 0, rrc = 42;

	KUNIT_EXPECT_EQ(test, pv_test_command(vm, KVM_PV_ASYNC_CLEANUP_PERFORM,
					      &rc, &rrc), 0);
	KUNIT_EXPECT_EQ(test, rc, UVC_RC_EXECUTED);
	KUNIT_EXPECT_EQ(test, rrc, 0);
	pv_test_expect_nothing_left(test, vm);
	/* There is nothing to perform any more. */
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), -EINVAL);
	pv_test_expect_destroyed(test, vm);
}

static void commands_out_of_turn_are_refused(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm(test);

	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), -EINVAL);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), -EINVAL);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_DISABLE), -EINVAL);
	KUNIT_EXPECT_EQ(test, uv_model_all_calls(), 0UL);

	pv_test_protect(test, vm);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), -EINVAL);
	KUNIT_EXPECT_EQ(test, uv_model_confs(), 1U);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_DISABLE), 0);
	pv_test_expect_destroyed(test, vm);
}

static void second_prepare_before_perform_is_refused(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm_set_aside(test);

	pv_test_protect(test, vm);
	KUNIT_EXPECT_EQ(test, uv_model_confs(), 2U);
	KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), 2);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), -EINVAL);
	KUNIT_EXPECT_EQ(test, uv_model_confs(), 2U);

	/* What user space does then takes both away. */
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_DISABLE), 0);
	pv_test_expect_nothing_left(test, vm);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), -EINVAL);
	pv_test_expect_destroyed(test, vm);
}

/* The guest boots again and reboots at once, while the first is torn down. */
static void boot_and_reboot(u16 cmd, unsigned long nth, void *data)
{
	struct pv_test_vm *vm = data;

	if (cmd != UVC_CMD_DESTR_SEC_STOR || nth != PV_TEST_SMALL_LOW + 40)
		return;
	uv_model_set_hook(NULL, NULL);
	if (pv_test_enable(vm) || pv_test_import(vm) ||
	    pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE))
		pr_err("the guest did not boot and reboot\n");
}

static void second_prepare_after_perform_has_begun(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm_set_aside(test);

	uv_model_set_hook(boot_and_reboot, vm);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).prepared, 2ULL);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).state, KVM_TEARDOWN_SET_ASIDE);
	KUNIT_EXPECT_EQ(test, uv_model_confs(), 1U);
	KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), 1);

	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	pv_test_expect_destroyed(test, vm);
}

static void a_new_guest_keeps_its_pages(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm_set_aside(test);

	pv_test_protect(test, vm);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	KUNIT_EXPECT_EQ(test, uv_model_confs(), 1U);
	KUNIT_EXPECT_EQ(test, uv_model_secure_pages(), (unsigned long)PV_TEST_SMALL_PAGES);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_DISABLE), 0);
	pv_test_expect_destroyed(test, vm);
}

static void a_guest_up_to_2g_is_refused(struct kunit *test)
{
	struct pv_test_config config = PV_TEST_SMALL;
	struct pv_test_vm *vm;
	unsigned long *table;

	config.ram = SZ_1G;
	config.limit = SZ_2G - 1;
	vm = pv_test_vm_create(test, &config);
	table = vm->kvm->arch.gmap->table;
	KUNIT_ASSERT_EQ(test, vm->kvm->arch.gmap->asce & _ASCE_TYPE_MASK,
			(unsigned long)_ASCE_TYPE_SEGMENT);

	pv_test_protect(test, vm);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), -EINVAL);
	KUNIT_EXPECT_EQ(test, s390_replace_asce(vm->kvm->arch.gmap), -EINVAL);
	KUNIT_EXPECT_PTR_EQ(test, vm->kvm->arch.gmap->table, table);
	KUNIT_EXPECT_EQ(test, uv_model_confs(), 1U);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_DISABLE), 0);
	pv_test_expect_destroyed(test, vm);
}

static void vm_destruction_takes_what_is_set_aside(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm_set_aside(test);

	pv_test_expect_destroyed(test, vm);
}

static void vm_destruction_takes_both_guests(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm_set_aside(test);

	pv_test_protect(test, vm);
	pv_test_expect_destroyed(test, vm);
}

static void the_end_of_the_process_takes_everything(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm_set_aside(test);

	pv_test_protect(test, vm);
	pv_test_vm_exit_process(vm);
	/* Its pages went with it, the configurations go with the VM. */
	KUNIT_EXPECT_EQ(test, uv_model_cpus(), 0U);
	KUNIT_EXPECT_EQ(test, uv_model_secure_pages(), 0UL);
	KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), 2);
	pv_test_expect_destroyed(test, vm);
}

static void a_vm_that_was_never_protected(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm(test);

	pv_test_expect_destroyed(test, vm);
	KUNIT_EXPECT_EQ(test, uv_model_all_calls(), 0UL);
}

static void kill_me_at(u16 cmd, unsigned long nth, void *data)
{
	if (cmd == UVC_CMD_DESTR_SEC_STOR && nth == *(unsigned long *)data)
		pv_test_kill_me();
}

static void a_fatal_signal_interrupts_perform(struct kunit *test)
{
	static const unsigned long depths[] = { 1, 31, 32, 33, 64, 65 };
	struct pv_test_vm *vm = small_vm(test);
	u16 rc = 0, rrc = 0;
	unsigned long at;
	int i;

	for (i = 0; i < ARRAY_SIZE(depths); i++) {
		pv_test_protect(test, vm);
		KUNIT_ASSERT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), 0);
		uv_model_reset_calls();
		at = depths[i];
		uv_model_set_hook(kill_me_at, &at);
		KUNIT_EXPECT_EQ(test, pv_test_command(vm, KVM_PV_ASYNC_CLEANUP_PERFORM,
						      &rc, &rrc), 0);
		uv_model_set_hook(NULL, NULL);
		pv_test_revive_me();

		/* It says that all is well, and stops after at most a batch. */
		KUNIT_EXPECT_EQ(test, rc, UVC_RC_EXECUTED);
		KUNIT_EXPECT_EQ(test, rrc, 42);
		KUNIT_EXPECT_LE(test, uv_model_calls(UVC_CMD_DESTR_SEC_STOR), at + 31);
		KUNIT_EXPECT_EQ(test, uv_model_confs(), i + 1U);
		KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), i + 1);
		KUNIT_EXPECT_EQ(test, pv_test_info(vm).interrupted, i + 1U);
		KUNIT_EXPECT_EQ(test, pv_test_info(vm).state, KVM_TEARDOWN_INTERRUPTED);
	}
	/* To the process there is nothing left to perform. */
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), -EINVAL);
	pv_test_expect_destroyed(test, vm);
}

static void disable_takes_what_was_interrupted(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm_set_aside(test);
	unsigned long at = PV_TEST_SMALL_LOW + 3;

	uv_model_set_hook(kill_me_at, &at);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	uv_model_set_hook(NULL, NULL);
	pv_test_revive_me();
	pv_test_protect(test, vm);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_DISABLE), 0);
	pv_test_expect_destroyed(test, vm);
}

static int perform_thread(void *data)
{
	struct pv_test_vm *vm = data;
	int i, r = 0;

	for (i = 0; !r && i < 8; i++) {
		r = pv_test_enable(vm);
		if (!r)
			r = pv_test_import(vm);
		if (!r)
			r = pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE);
		if (!r)
			r = pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM);
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return r;
}

static void four_guests_at_once(struct kunit *test)
{
	struct task_struct *thread[4];
	struct pv_test_vm *vm[4];
	int i;

	for (i = 0; i < 4; i++)
		vm[i] = small_vm(test);
	for (i = 0; i < 4; i++) {
		thread[i] = kthread_run(perform_thread, vm[i], "pv_test/%d", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(thread[i]));
	}
	for (i = 0; i < 4; i++) {
		while (pv_test_info(vm[i]).finished < 8 && !kthread_should_stop())
			schedule_timeout_uninterruptible(1);
		KUNIT_EXPECT_EQ(test, kthread_stop(thread[i]), 0);
	}
	for (i = 0; i < 4; i++)
		pv_test_expect_nothing_left(test, vm[i]);
	for (i = 0; i < 4; i++)
		pv_test_vm_destroy(vm[i]);
	KUNIT_EXPECT_EQ(test, uv_model_kept_pages(), 0UL);
}

static void the_fast_call_needs_no_other(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm(test);

	uv_model_set_fast(true);
	pv_test_protect(test, vm);
	KUNIT_ASSERT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), 0);
	KUNIT_EXPECT_EQ(test, uv_model_calls(UVC_CMD_DESTROY_SEC_CONF_FAST), 1UL);
	KUNIT_EXPECT_EQ(test, uv_model_confs(), 0U);
	/* The pages are still to be made accessible. */
	KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), 1);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	KUNIT_EXPECT_EQ(test, uv_model_calls(UVC_CMD_DESTROY_SEC_CONF), 0UL);
	pv_test_expect_destroyed(test, vm);
}

static void old_firmware_is_understood(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm(test);

	uv_model_set_old_firmware(true);
	pv_test_protect(test, vm);
	KUNIT_ASSERT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), 0);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	KUNIT_EXPECT_EQ(test, uv_model_calls(UVC_CMD_CONV_FROM_SEC_STOR), 0UL);
	pv_test_expect_destroyed(test, vm);
}

static struct kunit_case pv_test_cases[] = {
	KUNIT_CASE(disable_leaves_nothing),
	KUNIT_CASE(prepare_sets_the_guest_aside),
	KUNIT_CASE(perform_leaves_nothing),
	KUNIT_CASE(commands_out_of_turn_are_refused),
	KUNIT_CASE(second_prepare_before_perform_is_refused),
	KUNIT_CASE(second_prepare_after_perform_has_begun),
	KUNIT_CASE(a_new_guest_keeps_its_pages),
	KUNIT_CASE(a_guest_up_to_2g_is_refused),
	KUNIT_CASE(vm_destruction_takes_what_is_set_aside),
	KUNIT_CASE(vm_destruction_takes_both_guests),
	KUNIT_CASE(the_end_of_the_process_takes_everything),
	KUNIT_CASE(a_vm_that_was_never_protected),
	KUNIT_CASE(a_fatal_signal_interrupts_perform),
	KUNIT_CASE(disable_takes_what_was_interrupted),
	KUNIT_CASE(four_guests_at_once),
	KUNIT_CASE(the_fast_call_needs_no_other),
	KUNIT_CASE(old_firmware_is_understood),
	{}
};

static struct kunit_suite pv_test_suite = {
	.name = "kvm_s390_pv_teardown",
	.init = pv_test_init,
	.exit = pv_test_exit,
	.test_cases = pv_test_cases,
};

/* What managers see and do. */

static void the_account_tells_the_whole_story(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm(test);
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
	struct progress_seen seen = { .vm = small_vm_set_aside(test) };

	uv_model_set_hook(see_progress, &seen);
	KUNIT_EXPECT_EQ(test, pv_test_do(seen.vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	KUNIT_EXPECT_EQ(test, seen.info.state, KVM_TEARDOWN_RUNNING);
	KUNIT_EXPECT_EQ(test, seen.info.running, 1U);
	KUNIT_EXPECT_EQ(test, seen.info.pages_done, 32ULL);
	KUNIT_EXPECT_GE(test, seen.info.pages_total, seen.info.pages_done);
}

static void switched_off_prepare_is_refused(struct kunit *test)
{
	struct pv_test_vm *vm = small_vm(test);
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
	struct pv_test_vm *vm = small_vm_set_aside(test);
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
	struct pv_test_vm *vm = small_vm_set_aside(test);
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
	struct pv_test_vm *vm = small_vm_set_aside(test);
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
	struct pv_test_vm *vm = small_vm_set_aside(test);
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

kunit_test_suites(&pv_test_suite, &pv_control_test_suite);
