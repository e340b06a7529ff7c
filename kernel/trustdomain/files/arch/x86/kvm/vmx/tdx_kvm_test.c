// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests: VMs that are trust domains, from the ioctls that their process
 * issues to what their manager sees.
 *
 * No machine for tests has VMX and a TDX module. The VMs are put together by
 * hand and their vCPUs never run; trust domains, control, user memory and the
 * ioctls are real; the TDX module is a model.
 */
#include <linux/kvm_control.h>
#include <linux/kvm_host.h>
#include <linux/mman.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/kvm_trustdomain.h>

#include "../../../../virt/kvm/control.h"
#include "../../virt/vmx/tdx/tdx_test_td.h"

#include "tdx.h"
#include "vmx.h"

struct tdx_kvm_test {
	struct kvm_vmx *vm;
	struct kvm *kvm;
	struct vcpu_vmx *vcpu;
	struct kvm_control_file *cf;
	struct kvm_tdx_cmd cmd;
	struct kvm_tdx_init_vm init;
	void __user *user_cmd;
	void __user *user_init;
};

static void make_vm(struct kunit *test, struct tdx_kvm_test *t, unsigned long type)
{
	struct kvm *kvm = &t->vm->kvm;

	memset(t->vm, 0, sizeof(*t->vm));
	mutex_init(&kvm->lock);
	xa_init(&kvm->vcpu_array);
	kvm->max_vcpus = 2;
	kvm->arch.vm_type = type;
	kvm->arch.default_tsc_khz = 1000 * 1000;
	KUNIT_ASSERT_EQ(test, vt_vm_init(kvm), 0);
	KUNIT_ASSERT_EQ(test, kvm_control_create_vm(kvm), 0);
	t->kvm = kvm;

	t->cf->control = kvm->control;
	list_add(&t->cf->node, &kvm->control->files);

	t->vcpu->vcpu.kvm = kvm;
	t->vcpu->vcpu.vcpu_id = 1;
}

/* The vCPU's VMX half never existed. */
static void free_vcpu(struct tdx_kvm_test *t)
{
	if (!t->vcpu->vp)
		return;
	tdx_td_remove_vcpu(t->vcpu->vp);
	kfree(t->vcpu->vp);
	t->vcpu->vp = NULL;
}

/* As kvm_destroy_vm() does it, but for control, which is left to be looked at. */
static void end_vm(struct tdx_kvm_test *t)
{
	vt_flush_shadow_all_private(t->kvm);
	free_vcpu(t);
	vt_vm_destroy(t->kvm);
}

static int tdx_kvm_test_init(struct kunit *test)
{
	struct tdx_kvm_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	unsigned long user;

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	t->vm = kunit_kzalloc(test, sizeof(*t->vm), GFP_KERNEL);
	t->vcpu = kunit_kzalloc(test, sizeof(*t->vcpu), GFP_KERNEL);
	t->cf = kunit_kzalloc(test, sizeof(*t->cf), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->vm);
	KUNIT_ASSERT_NOT_NULL(test, t->vcpu);
	KUNIT_ASSERT_NOT_NULL(test, t->cf);

	user = kunit_vm_mmap(test, NULL, 0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, user, 0UL);
	KUNIT_ASSERT_LT(test, user, TASK_SIZE);
	t->user_cmd = (void __user *)user;
	t->user_init = t->user_cmd + PAGE_SIZE;

	tdx_test_init(test);
	make_vm(test, t, KVM_X86_TDX_VM);
	return 0;
}

static void tdx_kvm_test_exit(struct kunit *test)
{
	struct tdx_kvm_test *t = test->priv;

	if (t && t->kvm) {
		if (t->kvm->arch.td)
			end_vm(t);
		list_del(&t->cf->node);
		kvm_control_destroy_vm(t->kvm);
	}
	tdx_test_exit(test);
}

/* As user space does it: in t->cmd is what it gives, and then what it gets. */
static int issue(struct kunit *test, struct tdx_kvm_test *t, bool of_vcpu)
{
	int r;

	KUNIT_ASSERT_EQ(test, copy_to_user(t->user_cmd, &t->cmd, sizeof(t->cmd)), 0UL);
	r = of_vcpu ? vt_vcpu_mem_enc_ioctl(&t->vcpu->vcpu, t->user_cmd) :
		      vt_mem_enc_ioctl(t->kvm, t->user_cmd);
	KUNIT_ASSERT_EQ(test, copy_from_user(&t->cmd, t->user_cmd, sizeof(t->cmd)), 0UL);
	return r;
}

static int vm_command(struct kunit *test, struct tdx_kvm_test *t, u32 id)
{
	t->cmd = (struct kvm_tdx_cmd) { .id = id };
	return issue(test, t, false);
}

static int vcpu_command(struct kunit *test, struct tdx_kvm_test *t, u32 id)
{
	t->cmd = (struct kvm_tdx_cmd) { .id = id };
	return issue(test, t, true);
}

/* With what is in t->init */
static int init_vm(struct kunit *test, struct tdx_kvm_test *t)
{
	t->cmd = (struct kvm_tdx_cmd) {
		.id = KVM_TDX_INIT_VM,
		.data = (unsigned long)t->user_init,
	};
	KUNIT_ASSERT_EQ(test, copy_to_user(t->user_init, &t->init, sizeof(t->init)), 0UL);
	return issue(test, t, false);
}

static struct kvm_trustdomain_info get_info(struct tdx_kvm_test *t)
{
	struct kvm_trustdomain_info info = {};

	t->kvm->control->ops->trustdomain->get_info(t->kvm, &info);
	return info;
}

static bool is_active(struct tdx_kvm_test *t)
{
	return t->kvm->control->active & KVM_CONTROL_TRUSTDOMAIN;
}

/* The next event of trust domains. */
static struct kvm_control_event next_event(struct tdx_kvm_test *t)
{
	struct kvm_control_event event;

	while (kvm_control_take_event(t->cf, &event)) {
		if (event.type >= KVM_TRUSTDOMAIN_EVENT_STATE)
			return event;
	}
	return (struct kvm_control_event) {};
}

static void expect_state_event(struct kunit *test, struct tdx_kvm_test *t, u64 from, u64 to)
{
	struct kvm_control_event event = next_event(t);

	KUNIT_EXPECT_EQ(test, event.type, (u32)KVM_TRUSTDOMAIN_EVENT_STATE);
	KUNIT_EXPECT_EQ(test, event.data[0], from);
	KUNIT_EXPECT_EQ(test, event.data[1], to);
}

static void a_manager_sees_the_whole_life(struct kunit *test)
{
	struct tdx_kvm_test *t = test->priv;
	struct kvm_control_event event;
	u32 hkid;

	KUNIT_EXPECT_EQ(test, get_info(t).state, (u32)KVM_TRUSTDOMAIN_NONE);
	KUNIT_EXPECT_FALSE(test, is_active(t));

	KUNIT_ASSERT_EQ(test, init_vm(test, t), 0);
	KUNIT_ASSERT_EQ(test, vcpu_command(test, t, KVM_TDX_INIT_VCPU), 0);
	hkid = get_info(t).hkid;
	KUNIT_EXPECT_NE(test, hkid, 0U);
	KUNIT_EXPECT_EQ(test, get_info(t).state, (u32)KVM_TRUSTDOMAIN_INITIALIZED);
	KUNIT_EXPECT_EQ(test, get_info(t).vcpus, 1U);
	KUNIT_EXPECT_EQ(test, get_info(t).control_pages, (u64)TDX_TEST_CONTROL(1));
	KUNIT_EXPECT_EQ(test, t->kvm->stat.trustdomain_state, (u64)KVM_TRUSTDOMAIN_INITIALIZED);
	KUNIT_EXPECT_EQ(test, t->kvm->stat.trustdomain_control_pages,
			(u64)TDX_TEST_CONTROL(1));
	KUNIT_EXPECT_TRUE(test, is_active(t));
	expect_state_event(test, t, KVM_TRUSTDOMAIN_NONE, KVM_TRUSTDOMAIN_ASSIGNED);
	expect_state_event(test, t, KVM_TRUSTDOMAIN_ASSIGNED, KVM_TRUSTDOMAIN_CONFIGURED);
	expect_state_event(test, t, KVM_TRUSTDOMAIN_CONFIGURED, KVM_TRUSTDOMAIN_INITIALIZED);

	/* The process ends: the KeyID is free while the pages are still there. */
	vt_flush_shadow_all_private(t->kvm);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().used, 0U);
	KUNIT_EXPECT_EQ(test, get_info(t).hkid, 0U);
	KUNIT_EXPECT_EQ(test, get_info(t).control_pages, (u64)TDX_TEST_CONTROL(1));
	KUNIT_EXPECT_TRUE(test, is_active(t));
	expect_state_event(test, t, KVM_TRUSTDOMAIN_INITIALIZED, KVM_TRUSTDOMAIN_BLOCKED);
	event = next_event(t);
	KUNIT_EXPECT_EQ(test, event.type, (u32)KVM_TRUSTDOMAIN_EVENT_RELEASED);
	KUNIT_EXPECT_EQ(test, event.data[0], (u64)hkid);
	expect_state_event(test, t, KVM_TRUSTDOMAIN_BLOCKED, KVM_TRUSTDOMAIN_TEARDOWN);

	end_vm(t);
	KUNIT_EXPECT_FALSE(test, is_active(t));
	expect_state_event(test, t, KVM_TRUSTDOMAIN_TEARDOWN, KVM_TRUSTDOMAIN_RECLAIMED);
	KUNIT_EXPECT_EQ(test, next_event(t).type, 0U);
	KUNIT_EXPECT_EQ(test, t->kvm->stat.trustdomain_control_pages, 0ULL);
	KUNIT_EXPECT_EQ(test, t->kvm->stat.trustdomain_reclaimed_pages,
			(u64)TDX_TEST_CONTROL(1));
	tdx_test_expect_nothing_left(test);
}

static void a_vcpu_refuses_to_run(struct kunit *test)
{
	struct tdx_kvm_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, vt_vcpu_pre_run(&t->vcpu->vcpu), -EOPNOTSUPP);
	KUNIT_ASSERT_EQ(test, init_vm(test, t), 0);
	KUNIT_ASSERT_EQ(test, vcpu_command(test, t, KVM_TDX_INIT_VCPU), 0);
	KUNIT_EXPECT_EQ(test, vt_vcpu_pre_run(&t->vcpu->vcpu), -EOPNOTSUPP);
}

static void terminated_is_dead_and_has_no_key(struct kunit *test)
{
	struct tdx_kvm_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, init_vm(test, t), 0);
	KUNIT_ASSERT_EQ(test, vcpu_command(test, t, KVM_TDX_INIT_VCPU), 0);
	KUNIT_EXPECT_EQ(test, vm_command(test, t, KVM_TDX_TERMINATE_VM), 0);
	KUNIT_EXPECT_TRUE(test, t->kvm->vm_dead);
	KUNIT_EXPECT_EQ(test, tdx_test_capacity().used, 0U);
	KUNIT_EXPECT_EQ(test, get_info(t).state, (u32)KVM_TRUSTDOMAIN_TEARDOWN);
	end_vm(t);
	tdx_test_expect_nothing_left(test);
}

static void terminate_that_failed_can_be_repeated(struct kunit *test)
{
	struct tdx_kvm_test *t = test->priv;
	const struct tdx_model_fault fault = {
		.leaf = MODEL_MNG_VPFLUSHDONE, .nth = 1, .times = 1, .status = MODEL_LIFECYCLE,
	};

	KUNIT_ASSERT_EQ(test, init_vm(test, t), 0);
	tdx_model_add_fault(&fault);
	KUNIT_EXPECT_EQ(test, vm_command(test, t, KVM_TDX_TERMINATE_VM), -EIO);
	KUNIT_EXPECT_EQ(test, t->cmd.hw_error, MODEL_LIFECYCLE);
	KUNIT_EXPECT_FALSE(test, t->kvm->vm_dead);
	KUNIT_EXPECT_EQ(test, vm_command(test, t, KVM_TDX_TERMINATE_VM), 0);
	end_vm(t);
	tdx_test_expect_nothing_left(test);
}

static void init_vm_that_failed_can_be_repeated(struct kunit *test)
{
	struct tdx_kvm_test *t = test->priv;
	const struct tdx_model_fault fault = {
		.leaf = MODEL_MNG_INIT, .nth = 1, .times = 1,
		.status = MODEL_OPERAND_INVALID | MODEL_RDX,
	};

	tdx_model_add_fault(&fault);
	KUNIT_EXPECT_EQ(test, init_vm(test, t), -EINVAL);
	KUNIT_EXPECT_EQ(test, t->cmd.hw_error, MODEL_OPERAND_INVALID | MODEL_RDX);
	KUNIT_EXPECT_FALSE(test, is_active(t));
	tdx_test_expect_nothing_left(test);

	KUNIT_EXPECT_EQ(test, init_vm(test, t), 0);
	KUNIT_EXPECT_EQ(test, t->cmd.hw_error, 0ULL);
	KUNIT_EXPECT_EQ(test, init_vm(test, t), -EINVAL);
	KUNIT_EXPECT_TRUE(test, is_active(t));
}

static void a_leak_is_told_by_vm(struct kunit *test)
{
	struct tdx_kvm_test *t = test->priv;
	struct kvm_trustdomain_capacity capacity = {};
	struct kvm_trustdomain_leak leak = {};
	struct kvm_control_event event;
	const struct tdx_model_fault fault = {
		.leaf = MODEL_MNG_KEY_FREEID, .nth = 1, .times = MODEL_FOREVER,
		.status = MODEL_WB_NOT_COMPLETE,
	};
	u32 hkid;

	KUNIT_ASSERT_EQ(test, init_vm(test, t), 0);
	hkid = get_info(t).hkid;
	tdx_model_add_fault(&fault);
	end_vm(t);

	do {
		event = next_event(t);
	} while (event.type && event.type != KVM_TRUSTDOMAIN_EVENT_LEAKED);
	KUNIT_EXPECT_EQ(test, event.data[0], (u64)hkid);
	KUNIT_EXPECT_EQ(test, event.data[1], (u64)TDX_TEST_CONTROL(0));
	KUNIT_EXPECT_EQ(test, event.data[2], (u64)MODEL_MNG_KEY_FREEID);
	KUNIT_EXPECT_EQ(test, event.data[3], MODEL_WB_NOT_COMPLETE);
	KUNIT_EXPECT_FALSE(test, is_active(t));
	KUNIT_EXPECT_EQ(test, t->kvm->stat.trustdomain_leaked_pages, (u64)TDX_TEST_CONTROL(0));

	KUNIT_EXPECT_EQ(test, kvm_arch_trustdomain_capacity(&capacity), 0);
	KUNIT_EXPECT_EQ(test, capacity.total, (u32)TDX_TEST_KEYIDS);
	KUNIT_EXPECT_EQ(test, capacity.used, 0U);
	KUNIT_EXPECT_EQ(test, capacity.leaked, 1U);
	KUNIT_EXPECT_EQ(test, capacity.leaked_pages, (u64)TDX_TEST_CONTROL(0));
	KUNIT_EXPECT_EQ(test, capacity.leaks, 1ULL);
	KUNIT_EXPECT_EQ(test, kvm_arch_trustdomain_leak(&leak), 0);
	KUNIT_EXPECT_EQ(test, leak.hkid, hkid);
	KUNIT_EXPECT_EQ(test, leak.pid, task_tgid_vnr(current));
	KUNIT_EXPECT_EQ(test, leak.pages, (u64)TDX_TEST_CONTROL(0));
	leak.index = 1;
	KUNIT_EXPECT_EQ(test, kvm_arch_trustdomain_leak(&leak), -ENOENT);
	tdx_test_expect_exact(test);
}

static void bad_arguments_change_nothing(struct kunit *test)
{
	struct tdx_kvm_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, vt_mem_enc_ioctl(t->kvm, NULL), -EFAULT);
	KUNIT_EXPECT_EQ(test, vm_command(test, t, KVM_TDX_INIT_VM), -EFAULT);
	KUNIT_EXPECT_EQ(test, vm_command(test, t, KVM_TDX_CAPABILITIES), -EFAULT);
	KUNIT_EXPECT_EQ(test, vm_command(test, t, KVM_TDX_INIT_VCPU), -EINVAL);
	KUNIT_EXPECT_EQ(test, vm_command(test, t, KVM_TDX_INIT_MEM_REGION), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, vm_command(test, t, KVM_TDX_FINALIZE_VM), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, vm_command(test, t, KVM_TDX_TERMINATE_VM + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, vcpu_command(test, t, KVM_TDX_GET_CPUID), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, vcpu_command(test, t, KVM_TDX_INIT_VM), -EINVAL);

	t->cmd = (struct kvm_tdx_cmd) { .id = KVM_TDX_TERMINATE_VM, .flags = 1 };
	KUNIT_EXPECT_EQ(test, issue(test, t, false), -EINVAL);
	t->cmd = (struct kvm_tdx_cmd) { .id = KVM_TDX_TERMINATE_VM, .data = 1 };
	KUNIT_EXPECT_EQ(test, issue(test, t, false), -EINVAL);
	t->cmd = (struct kvm_tdx_cmd) { .id = KVM_TDX_TERMINATE_VM, .hw_error = 1 };
	KUNIT_EXPECT_EQ(test, issue(test, t, false), -EINVAL);
	KUNIT_EXPECT_FALSE(test, t->kvm->vm_dead);

	t->init.attributes = BIT_ULL(0);
	KUNIT_EXPECT_EQ(test, init_vm(test, t), -EINVAL);
	t->init = (struct kvm_tdx_init_vm) { .xfam = BIT_ULL(63) };
	KUNIT_EXPECT_EQ(test, init_vm(test, t), -EINVAL);
	t->init = (struct kvm_tdx_init_vm) { .reserved[11] = 1 };
	KUNIT_EXPECT_EQ(test, init_vm(test, t), -EINVAL);
	t->init = (struct kvm_tdx_init_vm) { .cpuid.nent = KVM_MAX_CPUID_ENTRIES + 1 };
	KUNIT_EXPECT_EQ(test, init_vm(test, t), -E2BIG);

	/* The vCPU comes after the VM. */
	KUNIT_EXPECT_EQ(test, vcpu_command(test, t, KVM_TDX_INIT_VCPU), -EINVAL);
	KUNIT_EXPECT_EQ(test, get_info(t).state, (u32)KVM_TRUSTDOMAIN_NONE);
	KUNIT_EXPECT_EQ(test, tdx_model_calls(MODEL_ANY_LEAF), 0UL);
	tdx_test_expect_nothing_left(test);
}

static void other_vms_are_none(struct kunit *test)
{
	struct tdx_kvm_test *t = test->priv;

	end_vm(t);
	list_del(&t->cf->node);
	kvm_control_destroy_vm(t->kvm);
	make_vm(test, t, KVM_X86_DEFAULT_VM);

	KUNIT_EXPECT_EQ(test, vm_command(test, t, KVM_TDX_CAPABILITIES), -ENOTTY);
	KUNIT_EXPECT_EQ(test, vcpu_command(test, t, KVM_TDX_INIT_VCPU), -ENOTTY);
	KUNIT_EXPECT_NULL(test, t->kvm->control->ops->trustdomain);
	KUNIT_EXPECT_EQ(test, t->kvm->control->ops->supported(t->kvm), 0ULL);
	vt_flush_shadow_all_private(t->kvm);
	vt_vm_destroy(t->kvm);
}

static struct kunit_case tdx_kvm_cases[] = {
	KUNIT_CASE(a_manager_sees_the_whole_life),
	KUNIT_CASE(a_vcpu_refuses_to_run),
	KUNIT_CASE(terminated_is_dead_and_has_no_key),
	KUNIT_CASE(terminate_that_failed_can_be_repeated),
	KUNIT_CASE(init_vm_that_failed_can_be_repeated),
	KUNIT_CASE(a_leak_is_told_by_vm),
	KUNIT_CASE(bad_arguments_change_nothing),
	KUNIT_CASE(other_vms_are_none),
	{}
};

static struct kunit_suite tdx_kvm_suite = {
	.name = "tdx_td_kvm",
	.init = tdx_kvm_test_init,
	.exit = tdx_kvm_test_exit,
	.test_cases = tdx_kvm_cases,
};

kunit_test_suite(tdx_kvm_suite);
