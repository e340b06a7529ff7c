// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: instructions that are events by themselves. Each vCPU
 * executes one over and over and tells what came of it. The instructions are in
 * a page of their own, so that a case can have them emulated: nobody may execute
 * that page then without KVM's doing it.
 */
#include "kvmi_insn.h"

FIXTURE(insn) {
	struct machine *m;
	uint64_t *page;		/* of the vCPU that is watched */
};

FIXTURE_VARIANT(insn) {
	const struct insn *insn;
	bool emulated;
	int vcpus;
};

FIXTURE_VARIANT_ADD(insn, cpuid) {
	.insn = &insns[CPUID], .vcpus = 1,
};

FIXTURE_VARIANT_ADD(insn, cpuid_four) {
	.insn = &insns[CPUID], .vcpus = 4,
};

FIXTURE_VARIANT_ADD(insn, cpuid_emulated) {
	.insn = &insns[CPUID], .emulated = true, .vcpus = 1,
};

FIXTURE_VARIANT_ADD(insn, vmmcall) {
	.insn = &insns[VMMCALL], .vcpus = 1,
};

FIXTURE_VARIANT_ADD(insn, vmmcall_four) {
	.insn = &insns[VMMCALL], .vcpus = 4,
};

/* The lab's CPU does not intercept it. */
FIXTURE_VARIANT_ADD(insn, xsetbv_emulated) {
	.insn = &insns[XSETBV], .emulated = true, .vcpus = 1,
};

FIXTURE_VARIANT_ADD(insn, xsetbv_emulated_four) {
	.insn = &insns[XSETBV], .emulated = true, .vcpus = 4,
};

FIXTURE_VARIANT_ADD(insn, sidt) {
	.insn = &insns[SIDT], .vcpus = 1,
};

FIXTURE_VARIANT_ADD(insn, lidt) {
	.insn = &insns[LIDT], .vcpus = 1,
};

FIXTURE_VARIANT_ADD(insn, lidt_four) {
	.insn = &insns[LIDT], .vcpus = 4,
};

FIXTURE_VARIANT_ADD(insn, lidt_emulated) {
	.insn = &insns[LIDT], .emulated = true, .vcpus = 1,
};

FIXTURE_VARIANT_ADD(insn, sgdt) {
	.insn = &insns[SGDT], .vcpus = 1,
};

FIXTURE_VARIANT_ADD(insn, lgdt) {
	.insn = &insns[LGDT], .vcpus = 1,
};

FIXTURE_VARIANT_ADD(insn, sldt) {
	.insn = &insns[SLDT], .vcpus = 1,
};

FIXTURE_VARIANT_ADD(insn, lldt) {
	.insn = &insns[LLDT], .vcpus = 1,
};

FIXTURE_VARIANT_ADD(insn, str) {
	.insn = &insns[STR], .vcpus = 1,
};

FIXTURE_VARIANT_ADD(insn, ltr) {
	.insn = &insns[LTR], .vcpus = 1,
};

static void emulate(struct machine *m, bool emulated)
{
	if (emulated)
		TEST_ASSERT_EQ(set_access(m, addr_gva2gpa(m->vm, (vm_vaddr_t)insn_page), RW), 0);
}

FIXTURE_SETUP(insn)
{
	int i;

	self->m = machine_create(variant->vcpus, guest_code);
	self->page = self->m->cpu[0].counter;
	for (i = 0; i < variant->vcpus; i++)
		set_operands(&self->m->cpu[i], variant->insn);
	emulate(self->m, variant->emulated);
	machine_start(self->m);
}

FIXTURE_TEARDOWN(insn)
{
	machine_destroy(self->m);
}

static void hook_again(struct machine *m, bool emulated)
{
	machine_unhook(m);
	machine_hook(m);
	emulate(m, emulated);
}

/* The next event, of the kind that the variant is about, and what it tells. */
static void next_insn(struct machine *m, const struct insn *insn,
		      struct message *event)
{
	struct kvmi_event_descriptor *descriptor;
	struct kvmi_event_cpuid *cpuid;

	next_event(m, event);
	TEST_ASSERT_EQ(event->event.arch.regs.rip, address_of(insn));
	switch (insn->event) {
	case KVMI_EVENT_CPUID:
		cpuid = own_part(event, insn->event, sizeof(*cpuid));
		TEST_ASSERT_EQ(cpuid->function, event->event.arch.regs.rax);
		TEST_ASSERT_EQ(cpuid->index, event->event.arch.regs.rcx);
		TEST_ASSERT_EQ(cpuid->insn_length, insn->length);
		break;
	case KVMI_EVENT_DESCRIPTOR:
		descriptor = own_part(event, insn->event, sizeof(*descriptor));
		TEST_ASSERT_EQ(descriptor->descriptor, insn->descriptor);
		TEST_ASSERT_EQ(descriptor->write, insn->write);
		break;
	default:
		own_part(event, insn->event, 0);
	}
}

/* Watch the first vCPU, until it waits. */
static void watch(struct machine *m, const struct insn *insn, struct message *event)
{
	TEST_ASSERT_EQ(control_events(m, 0, insn->event, 1), 0);
	next_insn(m, insn, event);
}

static void go_on(struct machine *m, const struct message *event)
{
	answer(m, event, KVMI_EVENT_ACTION_CONTINUE);
}

/* Something that the instruction changes each time it is executed. */
static uint64_t effect(struct machine *m, const uint64_t *page,
		       const struct insn *insn)
{
	struct kvmi_get_registers_reply reply;
	struct kvmi_get_registers arg = {};

	if (insn->event != KVMI_EVENT_DESCRIPTOR)
		return page[RESULT];
	if (!insn->write)
		return page[STORED];
	if (insn->descriptor == KVMI_DESC_TR)
		return page[RESULT];
	TEST_ASSERT_EQ(command(m, KVMI_GET_REGISTERS, 0, &arg, sizeof(arg), &reply,
			       sizeof(reply)), 0);
	return insn->descriptor == KVMI_DESC_IDTR ? reply.sregs.idt.limit :
	       insn->descriptor == KVMI_DESC_GDTR ? reply.sregs.gdt.limit :
						       reply.sregs.ldt.selector;
}

/* Something that it cannot have left there. */
static uint64_t undo_effect(struct machine *m, uint64_t *page,
			    const struct insn *insn)
{
	page[STORED] = MAGIC;
	page[RESULT] = MAGIC;
	return effect(m, page, insn);
}

TEST_F(insn, waits_for_the_tool)
{
	struct machine *m = self->m;
	struct message event;
	uint64_t count, before;
	int i;

	watch(m, variant->insn, &event);
	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, event.event.vcpu);
		count = self->page[COUNT];
		before = undo_effect(m, self->page, variant->insn);
		EXPECT_TRUE(cpu_stands_still(&m->cpu[0]));
		EXPECT_EQ(before, effect(m, self->page, variant->insn));
		go_on(m, &event);
		/* Once each time, none left out. */
		next_insn(m, variant->insn, &event);
		EXPECT_EQ(count + 1, self->page[COUNT]);
		EXPECT_NE(before, effect(m, self->page, variant->insn));
	}
}

TEST_F(insn, retry_asks_again)
{
	struct machine *m = self->m;
	struct message event;
	uint64_t count, before;
	int i;

	watch(m, variant->insn, &event);
	count = self->page[COUNT];
	before = undo_effect(m, self->page, variant->insn);
	for (i = 0; i < 5; i++) {
		answer(m, &event, KVMI_EVENT_ACTION_RETRY);
		next_insn(m, variant->insn, &event);
	}
	EXPECT_EQ(count, self->page[COUNT]);
	EXPECT_EQ(before, effect(m, self->page, variant->insn));
	/* And if it is not asked any more, the guest does it. */
	EXPECT_EQ(0, control_events(m, 0, variant->insn->event, 0));
	answer(m, &event, KVMI_EVENT_ACTION_RETRY);
	cpu_wait_counting(&m->cpu[0]);
	EXPECT_EQ(0, vcpu_ping(m, 0));
	EXPECT_EQ(0, m->nstashed);
}

TEST_F(insn, the_tool_may_leave_it_out)
{
	static const uint8_t actions[] = { KVMI_EVENT_ACTION_CONTINUE, KVMI_EVENT_ACTION_RETRY };
	struct machine *m = self->m;
	struct message event;
	struct kvm_regs regs;
	uint64_t count;
	int i;

	EXPECT_EQ(0, control_events(m, 0, variant->insn->event, 1));
	for (i = 0; i < ARRAY_SIZE(actions); i++) {
		next_insn(m, variant->insn, &event);
		count = self->page[COUNT];
		regs = event.event.arch.regs;
		regs.rip += variant->insn->length;
		regs.rax = 0x12345678;
		self->page[STORED] = MAGIC;
		EXPECT_EQ(0, command(m, KVMI_SET_REGISTERS, 0, &regs, sizeof(regs), NULL, 0));
		answer(m, &event, actions[i]);
		next_insn(m, variant->insn, &event);
		EXPECT_EQ(count + 1, self->page[COUNT]);
		EXPECT_EQ(MAGIC, self->page[STORED]);
		/* What the guest takes for its result is the tool's. */
		if (!self->page[XCR] && !self->page[TSS])
			EXPECT_EQ(0x12345678, self->page[RESULT]);
		if (self->page[TSS])
			EXPECT_EQ(0, self->page[RESULT]);
		go_on(m, &event);
	}
}

TEST_F(insn, only_what_was_asked_for)
{
	static const uint8_t events[] = {
		KVMI_EVENT_CR, KVMI_EVENT_MSR, KVMI_EVENT_XSETBV, KVMI_EVENT_HYPERCALL,
		KVMI_EVENT_DESCRIPTOR, KVMI_EVENT_CPUID,
	};
	struct machine *m = self->m;
	struct message event;
	int i;

	for (i = 0; i < ARRAY_SIZE(events); i++)
		if (events[i] != variant->insn->event)
			EXPECT_EQ(0, control_events(m, 0, events[i], 1));
	machine_wait_counting(m);
	EXPECT_EQ(0, m->nstashed);
	watch(m, variant->insn, &event);
	/* The other vCPUs go on. */
	for (i = 1; i < m->vcpus; i++)
		cpu_wait_counting(&m->cpu[i]);

	/* Off again, with the last one still to be answered. */
	EXPECT_EQ(0, control_events(m, 0, variant->insn->event, 0));
	go_on(m, &event);
	machine_wait_counting(m);
	EXPECT_EQ(0, vcpu_ping(m, 0));
	EXPECT_EQ(0, m->nstashed);
}

TEST_F(insn, a_wrong_answer_ends_the_connection)
{
	struct machine *m = self->m;
	struct message event;
	int action;

	for (action = 0; action < 4; action++) {
		watch(m, variant->insn, &event);
		/* Of the right size there is no wrong one but the last. */
		answer_sized(m, &event, action, 0, action == 3 ? 0 : 8);
		EXPECT_EQ(EPROTO, wait_for_broken(m->control)) TH_LOG("action %d", action);
		machine_wait_counting(m);
		hook_again(m, variant->emulated);
	}
}

TEST_F(insn, the_tool_may_go_away)
{
	struct machine *m = self->m;
	struct message event;
	int step;

	for (step = 0; step < 4; step++) {
		EXPECT_EQ(0, control_events(m, 0, variant->insn->event, 1));
		if (step & 1)
			next_insn(m, variant->insn, &event);
		if (step & 2)
			shutdown(m->tool, SHUT_RDWR);
		else
			machine_unhook(m);
		machine_wait_counting(m);
		if (step & 2)
			machine_unhook(m);

		/* The next tool has not asked for anything. */
		machine_hook(m);
		emulate(m, variant->emulated);
		machine_wait_counting(m);
		EXPECT_EQ(0, vcpu_ping(m, 0));
		EXPECT_EQ(0, m->nstashed);
	}
}

TEST_F(insn, signals_end_kvm_run_and_not_the_event)
{
	struct cpu *cpu = &self->m->cpu[0];
	struct machine *m = self->m;
	struct message event;
	uint64_t count, before;
	int i, signals;

	watch(m, variant->insn, &event);
	count = self->page[COUNT];
	before = undo_effect(m, self->page, variant->insn);
	for (i = 0; i < 10; i++) {
		signals = READ_ONCE(cpu->signals);
		pthread_kill(cpu->thread, SIGUSR1);
		wait_until(READ_ONCE(cpu->signals) > signals);
	}
	EXPECT_EQ(count, self->page[COUNT]);
	EXPECT_EQ(before, effect(m, self->page, variant->insn));
	EXPECT_EQ(0, m->nstashed);
	go_on(m, &event);
	next_insn(m, variant->insn, &event);
	EXPECT_EQ(count + 1, self->page[COUNT]);
	EXPECT_NE(before, effect(m, self->page, variant->insn));
}

TEST_F(insn, crash_ends_kvm_run)
{
	struct kvm_run *run = self->m->cpu[0].vcpu->run;
	struct machine *m = self->m;
	struct message event;

	watch(m, variant->insn, &event);
	answer(m, &event, KVMI_EVENT_ACTION_CRASH);
	wait_until(READ_ONCE(m->cpu[0].exits));
	EXPECT_EQ(KVM_EXIT_SYSTEM_EVENT, run->exit_reason);
	EXPECT_EQ(KVM_SYSTEM_EVENT_CRASH, run->system_event.type);
}

TEST_F(insn, all_vcpus_at_once)
{
	struct machine *m = self->m;
	struct message event;
	int i, seen[MAX_VCPUS] = {};

	for (i = 0; i < m->vcpus; i++)
		EXPECT_EQ(0, control_events(m, i, variant->insn->event, 1));
	for (i = 0; i < 200; i++) {
		next_insn(m, variant->insn, &event);
		seen[event.event.vcpu]++;
		go_on(m, &event);
	}
	for (i = 0; i < m->vcpus; i++)
		EXPECT_GT(seen[i], 0);
	/* With events under way. */
	hook_again(m, variant->emulated);
	machine_wait_counting(m);
}

TEST_F(insn, allow_lists_hold)
{
	struct kvm_introspection_allow allow = {
		.commands = ~0ull, .events = ~BIT(variant->insn->event),
	};
	struct kvmi_check_event check = { .id = variant->insn->event };
	struct machine *m = self->m;

	EXPECT_EQ(0, tool_command(m->tool, KVMI_CHECK_EVENT, &check, 8, NULL, 0));
	machine_unhook(m);
	ASSERT_EQ(0, ioctl(m->control, KVM_INTROSPECTION_ALLOW, &allow));
	machine_hook(m);
	emulate(m, variant->emulated);
	EXPECT_EQ(-EPERM, tool_command(m->tool, KVMI_CHECK_EVENT, &check, 8, NULL, 0));
	EXPECT_EQ(-EPERM, control_events(m, 0, variant->insn->event, 1));
	machine_wait_counting(m);
}

/* What was asked for is looked up with the registers as they are then. */
TEST_F(insn, the_tool_may_change_what_cpuid_is_asked)
{
	const struct kvm_cpuid_entry2 *entry;
	struct machine *m = self->m;
	struct message event;
	struct kvm_regs regs;

	if (variant->insn->event != KVMI_EVENT_CPUID)
		SKIP(return, "this is no CPUID");
	EXPECT_EQ(0, control_events(m, 0, KVMI_EVENT_CPUID, 1));
	next_insn(m, variant->insn, &event);
	regs = event.event.arch.regs;
	EXPECT_EQ(1, regs.rax);
	regs.rax = 0x80000001;
	EXPECT_EQ(0, command(m, KVMI_SET_REGISTERS, 0, &regs, sizeof(regs), NULL, 0));
	go_on(m, &event);
	next_insn(m, variant->insn, &event);
	entry = get_cpuid_entry(m->cpu[0].vcpu->cpuid, 0x80000001, 0);
	EXPECT_EQ(entry->eax, self->page[RESULT]);
	go_on(m, &event);
	next_insn(m, variant->insn, &event);
	entry = get_cpuid_entry(m->cpu[0].vcpu->cpuid, 1, 0);
	EXPECT_EQ(entry->eax, self->page[RESULT]);
}

/* Others, and this one without a tool, are KVM's. */
TEST_F(insn, only_one_hypercall_is_the_tools)
{
	struct machine *m = self->m;
	struct message event;

	if (variant->insn->event != KVMI_EVENT_HYPERCALL)
		SKIP(return, "this is no hypercall");
	EXPECT_EQ((uint32_t)-KVM_ENOSYS, self->page[RESULT]);
	EXPECT_EQ(0, control_events(m, 0, KVMI_EVENT_HYPERCALL, 1));
	next_insn(m, variant->insn, &event);
	self->page[RSI] = 1;
	go_on(m, &event);
	cpu_wait_counting(&m->cpu[0]);
	cpu_wait_counting(&m->cpu[0]);
	EXPECT_EQ((uint32_t)-KVM_ENOSYS, self->page[RESULT]);
	self->page[RSI] = 0;
	next_insn(m, variant->insn, &event);
	go_on(m, &event);
	next_insn(m, variant->insn, &event);
	EXPECT_EQ(0, self->page[RESULT]);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	return test_harness_run(argc, argv);
}
