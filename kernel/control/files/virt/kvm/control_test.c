// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of KVM control's bookkeeping. Included by control.c.
 *
 * The architecture is made up: it supports isolation, and does what the test
 * told it to.
 */
#include <kunit/test.h>

struct control_test {
	struct kvm *kvm;
	struct kvm_vcpu *vcpu;
	struct kvm_control *control;
	struct kvm_control_file *cf;
	int result;
	int calls;
	bool breaks;
};

static struct control_test *control_test;

static u64 control_test_supported(struct kvm *kvm)
{
	return KVM_CONTROL_ISOLATION;
}

static int control_test_set_policy(struct kvm *kvm, u64 mask, u64 value)
{
	control_test->calls++;
	/* A vCPU that finds out before its manager knows that it is on. */
	if (control_test->breaks)
		kvm_control_set_broken(kvm, KVM_CONTROL_ISOLATION, EPIPE);
	return control_test->result;
}

static const struct kvm_control_ops control_test_ops = {
	.supported	= control_test_supported,
	.set_policy	= control_test_set_policy,
};

static int control_test_init(struct kunit *test)
{
	struct control_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->kvm = kunit_kzalloc(test, sizeof(*t->kvm), GFP_KERNEL);
	t->vcpu = kunit_kzalloc(test, sizeof(*t->vcpu), GFP_KERNEL);
	t->cf = kunit_kzalloc(test, sizeof(*t->cf), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->kvm);
	KUNIT_ASSERT_NOT_NULL(test, t->vcpu);
	KUNIT_ASSERT_NOT_NULL(test, t->cf);
	KUNIT_ASSERT_EQ(test, kvm_control_create_vm(t->kvm), 0);

	t->vcpu->kvm = t->kvm;
	t->control = t->kvm->control;
	t->control->ops = &control_test_ops;
	t->cf->control = t->control;
	refcount_inc(&t->control->users);
	list_add(&t->cf->node, &t->control->files);
	control_test = t;
	test->priv = t;
	return 0;
}

static void control_test_exit(struct kunit *test)
{
	struct control_test *t = test->priv;

	if (!t)
		return;
	list_del(&t->cf->node);
	if (t->kvm->control)
		kvm_control_destroy_vm(t->kvm);
	kvm_control_put(t->control);
}

static int control_test_set(struct control_test *t, u64 mask, u64 value)
{
	struct kvm_control_policy policy = { .mask = mask, .value = value };

	return kvm_control_set_policy(t->kvm, &policy);
}

static struct kvm_control_info control_test_info(struct control_test *t)
{
	struct kvm_control_info info;

	kvm_control_get_info(t->kvm, &info);
	return info;
}

static void unsupported_policy_never_reaches_the_arch(struct kunit *test)
{
	struct control_test *t = test->priv;
	u64 both = KVM_CONTROL_ISOLATION | KVM_CONTROL_TEARDOWN;

	KUNIT_EXPECT_EQ(test, control_test_set(t, both, both), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, t->calls, 0);
	KUNIT_EXPECT_EQ(test, control_test_info(t).active, 0);
}

static void refused_policy_is_not_active(struct kunit *test)
{
	struct control_test *t = test->priv;

	t->result = -ENOMEM;
	KUNIT_EXPECT_EQ(test, control_test_set(t, KVM_CONTROL_ISOLATION,
					       KVM_CONTROL_ISOLATION), -ENOMEM);
	KUNIT_EXPECT_EQ(test, control_test_info(t).active, 0);
	KUNIT_EXPECT_EQ(test, control_test_info(t).item[3].since_ns, 0);
}

static void policy_before_the_first_entry_is_proven(struct kunit *test)
{
	struct control_test *t = test->priv;
	struct kvm_control_info info;

	KUNIT_ASSERT_EQ(test, control_test_set(t, KVM_CONTROL_ISOLATION,
					       KVM_CONTROL_ISOLATION), 0);
	kvm_control_first_run(t->vcpu);
	info = control_test_info(t);
	KUNIT_EXPECT_EQ(test, info.active, KVM_CONTROL_ISOLATION);
	KUNIT_EXPECT_EQ(test, info.vcpus_entered, 1);
	KUNIT_EXPECT_EQ(test, info.item[3].vcpus_entered, 0);
	KUNIT_EXPECT_LE(test, info.item[3].since_ns, info.first_entry_ns);
}

/* What nobody could read yet is no event, or the first one would look lost. */
static void what_is_on_from_the_beginning_is_no_event(struct kunit *test)
{
	struct control_test *t = test->priv;
	struct kvm_control_event event;
	struct kvm_control_info info;

	kvm_control_born_active(t->kvm, KVM_CONTROL_ISOLATION);
	info = control_test_info(t);
	KUNIT_EXPECT_EQ(test, info.active, KVM_CONTROL_ISOLATION);
	KUNIT_EXPECT_EQ(test, info.events, 0);
	KUNIT_EXPECT_NE(test, info.item[3].since_ns, 0);
	KUNIT_EXPECT_EQ(test, info.item[3].vcpus_entered, 0);

	kvm_control_first_run(t->vcpu);
	KUNIT_ASSERT_TRUE(test, kvm_control_take_event(t->cf, &event));
	KUNIT_EXPECT_EQ(test, event.type, KVM_CONTROL_EVENT_FIRST_ENTRY);
	KUNIT_EXPECT_EQ(test, event.seq, 1);
}

static void policy_after_an_entry_says_so(struct kunit *test)
{
	struct control_test *t = test->priv;

	kvm_control_first_run(t->vcpu);
	kvm_control_first_run(t->vcpu);
	KUNIT_ASSERT_EQ(test, control_test_set(t, KVM_CONTROL_ISOLATION,
					       KVM_CONTROL_ISOLATION), 0);
	KUNIT_EXPECT_EQ(test, control_test_info(t).item[3].vcpus_entered, 2);
}

static void setting_again_keeps_the_proof(struct kunit *test)
{
	struct control_test *t = test->priv;
	struct kvm_control_info before, after;

	control_test_set(t, KVM_CONTROL_ISOLATION, KVM_CONTROL_ISOLATION);
	before = control_test_info(t);
	kvm_control_first_run(t->vcpu);
	control_test_set(t, KVM_CONTROL_ISOLATION, KVM_CONTROL_ISOLATION);
	after = control_test_info(t);
	KUNIT_EXPECT_EQ(test, after.item[3].vcpus_entered, 0);
	KUNIT_EXPECT_EQ(test, after.item[3].since_ns, before.item[3].since_ns);
	/* Off and on again is another matter. */
	control_test_set(t, KVM_CONTROL_ISOLATION, 0);
	control_test_set(t, KVM_CONTROL_ISOLATION, KVM_CONTROL_ISOLATION);
	KUNIT_EXPECT_EQ(test, control_test_info(t).item[3].vcpus_entered, 1);
}

static void broken_shows_until_it_is_switched_off(struct kunit *test)
{
	struct control_test *t = test->priv;

	/* Off: there is nothing to break. */
	kvm_control_set_broken(t->kvm, KVM_CONTROL_ISOLATION, EPIPE);
	KUNIT_EXPECT_EQ(test, control_test_info(t).item[3].flags, 0);

	control_test_set(t, KVM_CONTROL_ISOLATION, KVM_CONTROL_ISOLATION);
	kvm_control_set_broken(t->kvm, KVM_CONTROL_ISOLATION, EPIPE);
	KUNIT_EXPECT_EQ(test, control_test_info(t).item[3].flags, KVM_CONTROL_ITEM_BROKEN);
	control_test_set(t, KVM_CONTROL_ISOLATION, 0);
	KUNIT_EXPECT_EQ(test, control_test_info(t).item[3].flags, 0);
}

static int control_test_count(struct control_test *t, u32 type)
{
	struct kvm_control_event event;
	int n = 0;

	while (kvm_control_take_event(t->cf, &event))
		n += event.type == type;
	return n;
}

static void broken_is_told_once_each_time_it_is_on(struct kunit *test)
{
	struct control_test *t = test->priv;
	int i;

	for (i = 0; i < 2; i++) {
		control_test_set(t, KVM_CONTROL_ISOLATION, KVM_CONTROL_ISOLATION);
		kvm_control_set_broken(t->kvm, KVM_CONTROL_ISOLATION, EPIPE);
		kvm_control_set_broken(t->kvm, KVM_CONTROL_ISOLATION, EPIPE);
		/* On already: this is not the beginning of anything. */
		control_test_set(t, KVM_CONTROL_ISOLATION, KVM_CONTROL_ISOLATION);
		kvm_control_set_broken(t->kvm, KVM_CONTROL_ISOLATION, EPIPE);
		KUNIT_EXPECT_EQ(test, control_test_count(t, KVM_CONTROL_EVENT_BROKEN), 1);
		control_test_set(t, KVM_CONTROL_ISOLATION, 0);
	}
}

static void broken_while_it_is_switched_on_is_told_after_that(struct kunit *test)
{
	struct control_test *t = test->priv;
	struct kvm_control_event event;

	t->breaks = true;
	control_test_set(t, KVM_CONTROL_ISOLATION, KVM_CONTROL_ISOLATION);
	KUNIT_EXPECT_EQ(test, control_test_info(t).item[3].flags, KVM_CONTROL_ITEM_BROKEN);
	KUNIT_ASSERT_TRUE(test, kvm_control_take_event(t->cf, &event));
	KUNIT_EXPECT_EQ(test, event.type, KVM_CONTROL_EVENT_POLICY);
	KUNIT_ASSERT_TRUE(test, kvm_control_take_event(t->cf, &event));
	KUNIT_EXPECT_EQ(test, event.type, KVM_CONTROL_EVENT_BROKEN);
	KUNIT_EXPECT_EQ(test, event.data[0], KVM_CONTROL_ISOLATION);
	KUNIT_EXPECT_EQ(test, event.data[1], EPIPE);
	t->breaks = false;
	control_test_set(t, KVM_CONTROL_ISOLATION, 0);
	control_test_count(t, 0);

	/* Refused, it never was on, and the next time is another one. */
	t->breaks = true;
	t->result = -ENOMEM;
	control_test_set(t, KVM_CONTROL_ISOLATION, KVM_CONTROL_ISOLATION);
	t->breaks = false;
	t->result = 0;
	control_test_set(t, KVM_CONTROL_ISOLATION, KVM_CONTROL_ISOLATION);
	KUNIT_EXPECT_EQ(test, control_test_info(t).item[3].flags, 0);
	KUNIT_EXPECT_EQ(test, control_test_count(t, KVM_CONTROL_EVENT_BROKEN), 0);
}

static void events_come_in_order(struct kunit *test)
{
	struct control_test *t = test->priv;
	struct kvm_control_event event;

	kvm_control_first_run(t->vcpu);
	control_test_set(t, KVM_CONTROL_ISOLATION, KVM_CONTROL_ISOLATION);

	KUNIT_ASSERT_TRUE(test, kvm_control_take_event(t->cf, &event));
	KUNIT_EXPECT_EQ(test, event.type, KVM_CONTROL_EVENT_FIRST_ENTRY);
	KUNIT_EXPECT_EQ(test, event.seq, 1);
	KUNIT_ASSERT_TRUE(test, kvm_control_take_event(t->cf, &event));
	KUNIT_EXPECT_EQ(test, event.type, KVM_CONTROL_EVENT_POLICY);
	KUNIT_EXPECT_EQ(test, event.seq, 2);
	KUNIT_EXPECT_EQ(test, event.data[0], KVM_CONTROL_ISOLATION);
	KUNIT_EXPECT_EQ(test, event.data[1], KVM_CONTROL_ISOLATION);
	KUNIT_EXPECT_FALSE(test, kvm_control_take_event(t->cf, &event));
}

static void a_slow_reader_loses_the_oldest(struct kunit *test)
{
	struct control_test *t = test->priv;
	struct kvm_control_event event;
	int i;

	for (i = 0; i < KVM_CONTROL_QUEUE_LEN + 10; i++)
		kvm_control_event(t->kvm, KVM_CONTROL_EVENT_POLICY, i, 0);

	for (i = 0; i < KVM_CONTROL_QUEUE_LEN; i++) {
		KUNIT_ASSERT_TRUE(test, kvm_control_take_event(t->cf, &event));
		KUNIT_EXPECT_EQ(test, event.data[0], i + 10);
		KUNIT_EXPECT_EQ(test, event.lost, i ? 0 : 10);
	}
	KUNIT_EXPECT_FALSE(test, kvm_control_take_event(t->cf, &event));
	KUNIT_EXPECT_EQ(test, t->kvm->stat.generic.control_events_lost, 10);
}

static void a_dead_vm_leaves_its_events(struct kunit *test)
{
	struct control_test *t = test->priv;
	struct kvm_control_event event;

	kvm_control_first_run(t->vcpu);
	kvm_control_destroy_vm(t->kvm);
	KUNIT_EXPECT_NULL(test, kvm_control_get_kvm(t->control));
	KUNIT_ASSERT_TRUE(test, kvm_control_take_event(t->cf, &event));
	KUNIT_EXPECT_EQ(test, event.type, KVM_CONTROL_EVENT_FIRST_ENTRY);
	KUNIT_ASSERT_TRUE(test, kvm_control_take_event(t->cf, &event));
	KUNIT_EXPECT_EQ(test, event.type, KVM_CONTROL_EVENT_DESTROYED);
}

static struct kunit_case control_test_cases[] = {
	KUNIT_CASE(unsupported_policy_never_reaches_the_arch),
	KUNIT_CASE(refused_policy_is_not_active),
	KUNIT_CASE(policy_before_the_first_entry_is_proven),
	KUNIT_CASE(what_is_on_from_the_beginning_is_no_event),
	KUNIT_CASE(policy_after_an_entry_says_so),
	KUNIT_CASE(setting_again_keeps_the_proof),
	KUNIT_CASE(broken_shows_until_it_is_switched_off),
	KUNIT_CASE(broken_is_told_once_each_time_it_is_on),
	KUNIT_CASE(broken_while_it_is_switched_on_is_told_after_that),
	KUNIT_CASE(events_come_in_order),
	KUNIT_CASE(a_slow_reader_loses_the_oldest),
	KUNIT_CASE(a_dead_vm_leaves_its_events),
	{}
};

static struct kunit_suite control_test_suite = {
	.name = "kvm_control",
	.init = control_test_init,
	.exit = control_test_exit,
	.test_cases = control_test_cases,
};

kunit_test_suite(control_test_suite);
