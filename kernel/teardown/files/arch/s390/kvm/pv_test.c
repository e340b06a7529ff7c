// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests: how the teardown of protected guests goes when nothing fails.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/kvm_control.h>
#include <linux/moduleparam.h>
#include <linux/sched/mm.h>
#include <asm/gmap.h>
#include <asm/uv.h>

#include "../../../virt/kvm/control.h"
#include "kvm-s390.h"
#include "pv_test_vm.h"
#include "uv_model.h"

static void disable_leaves_nothing(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small(test);
	u16 rc = 0, rrc = 0;

	pv_test_protect(test, vm);
	KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), 1);
	KUNIT_EXPECT_EQ(test, pv_test_command(vm, KVM_PV_DISABLE, &rc, &rrc), 0);
	KUNIT_EXPECT_EQ(test, rc, UVC_RC_EXECUTED);
	pv_test_expect_destroyed(test, vm);
}

static void prepare_sets_the_guest_aside(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small(test);
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
	pv_test_expect_destroyed(test, vm);
}

static void perform_leaves_nothing(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small_set_aside(test);
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
	struct pv_test_vm *vm = pv_test_small(test);

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
	struct pv_test_vm *vm = pv_test_small_set_aside(test);

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
	struct pv_test_vm *vm = pv_test_small_set_aside(test);

	uv_model_set_hook(boot_and_reboot, vm);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).prepared, 2ULL);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).state, KVM_TEARDOWN_SET_ASIDE);
	KUNIT_EXPECT_EQ(test, uv_model_confs(), 1U);
	KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), 1);

	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	pv_test_expect_destroyed(test, vm);
}

static void second_prepare_after_perform_has_ended(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small_set_aside(test);

	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	pv_test_protect(test, vm);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), 0);
	KUNIT_EXPECT_EQ(test, uv_model_confs(), 1U);
	KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), 1);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	pv_test_expect_destroyed(test, vm);
}

struct disable_seen {
	struct pv_test_vm *vm;
	int r;
	unsigned int confs;
	int protected_count;
};

/* Meanwhile the next guest boots, and reboots in the old way. */
static void boot_and_disable(u16 cmd, unsigned long nth, void *data)
{
	struct disable_seen *seen = data;

	if (cmd != UVC_CMD_DESTR_SEC_STOR || nth != PV_TEST_SMALL_LOW + 40)
		return;
	uv_model_set_hook(NULL, NULL);
	seen->r = pv_test_enable(seen->vm);
	if (!seen->r)
		seen->r = pv_test_import(seen->vm);
	if (!seen->r)
		seen->r = pv_test_do(seen->vm, KVM_PV_DISABLE);
	seen->confs = uv_model_confs();
	seen->protected_count = pv_test_protected_count(seen->vm);
}

static void disable_leaves_what_is_being_torn_down(struct kunit *test)
{
	struct disable_seen seen = {
		.vm = pv_test_small_set_aside(test), .r = -EAGAIN,
	};

	uv_model_set_hook(boot_and_disable, &seen);
	KUNIT_EXPECT_EQ(test, pv_test_do(seen.vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	KUNIT_EXPECT_EQ(test, seen.r, 0);
	KUNIT_EXPECT_EQ(test, seen.confs, 1U);
	KUNIT_EXPECT_EQ(test, seen.protected_count, 1);
	KUNIT_EXPECT_EQ(test, pv_test_info(seen.vm).finished, 1ULL);
	KUNIT_EXPECT_EQ(test, pv_test_info(seen.vm).failed, 0ULL);
	pv_test_expect_destroyed(test, seen.vm);
}

static void a_new_guest_keeps_its_pages(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small_set_aside(test);

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

static int set_async_destroy(const char *value)
{
	const struct kernel_param *param;

	for (param = __start___param; param < __stop___param; param++)
		if (!strcmp(param->name, "kvm.async_destroy"))
			return param->ops->set(value, param);
	return -ENOENT;
}

static bool has_async_disable(struct pv_test_vm *vm)
{
	return kvm_vm_ioctl_check_extension(vm->kvm, KVM_CAP_S390_PROTECTED_ASYNC_DISABLE);
}

static void the_module_parameter_switches_it_off(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small(test);
	unsigned long calls;

	KUNIT_EXPECT_TRUE(test, has_async_disable(vm));
	pv_test_protect(test, vm);
	calls = uv_model_all_calls();
	KUNIT_ASSERT_EQ(test, set_async_destroy("0"), 0);
	KUNIT_EXPECT_FALSE(test, has_async_disable(vm));
	KUNIT_EXPECT_EQ(test, vm->kvm->control->ops->supported(vm->kvm), 0ULL);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), -EINVAL);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), -EINVAL);
	KUNIT_EXPECT_EQ(test, uv_model_all_calls(), calls);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_DISABLE), 0);
	KUNIT_EXPECT_EQ(test, set_async_destroy("1"), 0);
	KUNIT_EXPECT_TRUE(test, has_async_disable(vm));
	pv_test_expect_destroyed(test, vm);
}

static void vm_destruction_takes_what_is_set_aside(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small_set_aside(test);

	pv_test_expect_destroyed(test, vm);
}

static void vm_destruction_takes_both_guests(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small_set_aside(test);

	pv_test_protect(test, vm);
	pv_test_expect_destroyed(test, vm);
}

static void the_end_of_the_process_takes_everything(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small_set_aside(test);

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
	struct pv_test_vm *vm = pv_test_small(test);

	pv_test_expect_destroyed(test, vm);
	KUNIT_EXPECT_EQ(test, uv_model_all_calls(), 0UL);
}

static void kill_me_at(u16 cmd, unsigned long nth, void *data)
{
	if (cmd == UVC_CMD_DESTR_SEC_STOR && nth == *(unsigned long *)data)
		pv_test_kill(current);
}

static void a_fatal_signal_interrupts_perform(struct kunit *test)
{
	static const unsigned long depths[] = { 1, 31, 32, 33, 64, 65 };
	struct pv_test_vm *vm = pv_test_small(test);
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
		pv_test_revive(current);

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
	struct pv_test_vm *vm = pv_test_small_set_aside(test);
	unsigned long at = PV_TEST_SMALL_LOW + 3;

	uv_model_set_hook(kill_me_at, &at);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PERFORM), 0);
	uv_model_set_hook(NULL, NULL);
	pv_test_revive(current);
	pv_test_protect(test, vm);
	KUNIT_EXPECT_EQ(test, pv_test_do(vm, KVM_PV_DISABLE), 0);
	pv_test_expect_destroyed(test, vm);
}

struct held {
	struct completion reached;
	struct completion go_on;
};

static void hold_perform(u16 cmd, unsigned long nth, void *data)
{
	struct held *held = data;

	if (cmd != UVC_CMD_DESTR_SEC_STOR || nth != PV_TEST_SMALL_LOW + 3)
		return;
	complete(&held->reached);
	wait_for_completion(&held->go_on);
}

static int perform_once(void *data)
{
	int r = pv_test_do(data, KVM_PV_ASYNC_CLEANUP_PERFORM);

	pv_test_revive(current);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return r;
}

/*
 * A thread that performs uses the VM's file, so what ends the VM meanwhile is
 * the end of its process.
 */
static void the_vm_is_destroyed_while_perform_runs(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small_set_aside(test);
	struct task_struct *thread;
	struct held held;

	init_completion(&held.reached);
	init_completion(&held.go_on);
	pv_test_protect(test, vm);
	uv_model_set_hook(hold_perform, &held);
	uv_model_reset_calls();
	thread = kthread_run(perform_once, vm, "pv_test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));

	wait_for_completion(&held.reached);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).state, KVM_TEARDOWN_RUNNING);
	KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), 2);
	pv_test_kill(thread);
	complete(&held.go_on);
	KUNIT_EXPECT_EQ(test, kthread_stop(thread), 0);
	uv_model_set_hook(NULL, NULL);

	KUNIT_EXPECT_LE(test, uv_model_calls(UVC_CMD_DESTR_SEC_STOR),
			(unsigned long)PV_TEST_SMALL_PAGES);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).state, KVM_TEARDOWN_INTERRUPTED);
	KUNIT_EXPECT_EQ(test, uv_model_confs(), 2U);
	KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), 2);
	pv_test_vm_exit_process(vm);
	KUNIT_EXPECT_EQ(test, uv_model_secure_pages(), 0UL);
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

/* So that each guest gets to wait in any command while the others go on. */
static void delay_some(u16 cmd, unsigned long nth, void *data)
{
	if (nth % 7 == 0)
		usleep_range(20, 200);
}

static void four_guests_at_once(struct kunit *test)
{
	struct task_struct *thread[4];
	struct pv_test_vm *vm[4];
	int i;

	for (i = 0; i < 4; i++)
		vm[i] = pv_test_small(test);
	uv_model_set_hook(delay_some, NULL);
	for (i = 0; i < 4; i++) {
		thread[i] = kthread_run(perform_thread, vm[i], "pv_test/%d", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(thread[i]));
	}
	for (i = 0; i < 4; i++) {
		while (pv_test_info(vm[i]).finished < 8 && !kthread_should_stop())
			schedule_timeout_uninterruptible(1);
		KUNIT_EXPECT_EQ(test, kthread_stop(thread[i]), 0);
	}
	uv_model_set_hook(NULL, NULL);
	for (i = 0; i < 4; i++)
		pv_test_expect_nothing_left(test, vm[i]);
	for (i = 0; i < 4; i++)
		pv_test_vm_destroy(vm[i]);
	KUNIT_EXPECT_EQ(test, uv_model_kept_pages(), 0UL);
}

static void the_fast_call_needs_no_other(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small(test);

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
	struct pv_test_vm *vm = pv_test_small(test);

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
	KUNIT_CASE(second_prepare_after_perform_has_ended),
	KUNIT_CASE(disable_leaves_what_is_being_torn_down),
	KUNIT_CASE(a_new_guest_keeps_its_pages),
	KUNIT_CASE(a_guest_up_to_2g_is_refused),
	KUNIT_CASE(the_module_parameter_switches_it_off),
	KUNIT_CASE(vm_destruction_takes_what_is_set_aside),
	KUNIT_CASE(vm_destruction_takes_both_guests),
	KUNIT_CASE(the_end_of_the_process_takes_everything),
	KUNIT_CASE(a_vm_that_was_never_protected),
	KUNIT_CASE(a_fatal_signal_interrupts_perform),
	KUNIT_CASE(disable_takes_what_was_interrupted),
	KUNIT_CASE(the_vm_is_destroyed_while_perform_runs),
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

kunit_test_suite(pv_test_suite);
