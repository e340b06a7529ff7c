// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: exceptions that a tool injects, and what it is told of them.
 */
#include "kvmi_debug.h"

extern const char loop_start[], loop_end[];

static void guest_code(uint64_t *page)
{
	asm volatile("loop_start: incq (%%rdi)\n\t"
		     "jmp loop_start\n\t"
		     "loop_end:\n\t"
		     : : "D"(page) : "memory", "cc");
}

FIXTURE(trap) {
	struct machine *m;
	uint64_t *page;
	int vcpu;
};

FIXTURE_VARIANT(trap) {
	int vcpus;
};

FIXTURE_VARIANT_ADD(trap, one) {
	.vcpus = 1,
};

FIXTURE_VARIANT_ADD(trap, four) {
	.vcpus = 4,
};

FIXTURE_SETUP(trap)
{
	int i;

	self->m = machine_create(variant->vcpus, guest_code);
	self->vcpu = variant->vcpus - 1;
	self->page = self->m->cpu[self->vcpu].counter;
	/* The handlers come back to the instruction, which is executed then. */
	for (i = 0; i < 32; i++)
		vm_install_exception_handler(self->m->vm, i, guest_handler);
	machine_start(self->m);
}

FIXTURE_TEARDOWN(trap)
{
	machine_destroy(self->m);
}

static int inject(struct machine *m, uint16_t vcpu, uint8_t nr, uint32_t error, uint64_t address)
{
	struct kvmi_inject_exception arg = {
		.nr = nr, .error_code = error, .address = address,
	};

	return command(m, KVMI_INJECT_EXCEPTION, vcpu, &arg, sizeof(arg), NULL, 0);
}

static struct kvmi_event_trap next_trap(struct machine *m, struct message *event)
{
	const struct kvmi_event_trap *own;

	next_event(m, event);
	own = own_part(event, KVMI_EVENT_TRAP, sizeof(*own));
	TEST_ASSERT_EQ(own->padding1, 0);
	TEST_ASSERT_EQ(own->padding2, 0);
	return *own;
}

static void pause_one(struct machine *m, int vcpu, struct message *event)
{
	TEST_ASSERT_EQ(pause_vcpu(m, vcpu, 1), 0);
	next_event(m, event);
	TEST_ASSERT_EQ(event->event.event, KVMI_EVENT_PAUSE_VCPU);
}

static const struct {
	uint8_t nr;
	bool has_error;
	uint32_t error;
	uint64_t address;
} exceptions[] = {
	{ DE_VECTOR }, { BR_VECTOR }, { UD_VECTOR }, { NM_VECTOR },
	{ TS_VECTOR, true, 0x12 }, { NP_VECTOR, true, 0xabcd }, { SS_VECTOR, true },
	{ GP_VECTOR, true, 0x1234 }, { PF_VECTOR, true, 6, BAD_GVA }, { PF_VECTOR, true, 0, 0x10 },
	{ MF_VECTOR }, { AC_VECTOR, true }, { MC_VECTOR }, { XM_VECTOR },
};

TEST_F(trap, the_guest_gets_it_and_the_tool_is_told)
{
	struct machine *m = self->m;
	struct kvmi_event_trap trap;
	struct message event;
	int i, n;

	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_TRAP, 1));
	for (i = 0; i < ARRAY_SIZE(exceptions); i++) {
		uint8_t nr = exceptions[i].nr;
		uint64_t handled = self->page[HANDLED + nr];

		EXPECT_EQ(0, inject(m, self->vcpu, nr, exceptions[i].error,
				    exceptions[i].address)) TH_LOG("exception %d", nr);
		trap = next_trap(m, &event);
		EXPECT_EQ(nr, trap.vector);
		EXPECT_EQ(exceptions[i].error, trap.error_code);
		if (nr == PF_VECTOR)
			EXPECT_EQ(exceptions[i].address, trap.cr2);
		EXPECT_EQ(self->vcpu, event.event.vcpu);
		/* Not before the tool knows. */
		EXPECT_TRUE(cpu_stands_still(&m->cpu[self->vcpu]));
		EXPECT_EQ(handled, self->page[HANDLED + nr]);
		for (n = 0; n < self->vcpu; n++)
			cpu_wait_counting(&m->cpu[n]);
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
		cpu_wait_counting(&m->cpu[self->vcpu]);
		EXPECT_EQ(handled + 1, self->page[HANDLED + nr]);
		EXPECT_EQ(nr, self->page[VECTOR]);
		if (exceptions[i].has_error)
			EXPECT_EQ(exceptions[i].error, self->page[ERROR]);
		if (nr == PF_VECTOR)
			EXPECT_EQ(exceptions[i].address, self->page[ADDRESS]);
	}
	expect_silence(m);
}

TEST_F(trap, nobody_needs_to_be_told)
{
	struct machine *m = self->m;
	int i;

	for (i = 0; i < m->vcpus; i++)
		EXPECT_EQ(0, inject(m, i, GP_VECTOR, 8 * i, 0));
	for (i = 0; i < m->vcpus; i++) {
		uint64_t *page = m->cpu[i].counter;

		wait_until(READ_ONCE(page[HANDLED + GP_VECTOR]) || READ_ONCE(m->cpu[i].ended));
		EXPECT_EQ(8 * i, page[ERROR]);
	}
	expect_silence(m);
	for (i = 0; i < m->vcpus; i++)
		EXPECT_EQ(1, m->cpu[i].counter[HANDLED + GP_VECTOR]);
}

TEST_F(trap, one_at_a_time)
{
	struct machine *m = self->m;
	struct message event;

	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_TRAP, 1));
	pause_one(m, self->vcpu, &event);
	EXPECT_EQ(0, inject(m, self->vcpu, UD_VECTOR, 0, 0));
	EXPECT_EQ(-EBUSY, inject(m, self->vcpu, GP_VECTOR, 0, 0));
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	EXPECT_EQ(UD_VECTOR, next_trap(m, &event).vector);
	/* It is not delivered yet. */
	EXPECT_EQ(-EBUSY, inject(m, self->vcpu, GP_VECTOR, 0, 0));
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	cpu_wait_counting(&m->cpu[self->vcpu]);
	EXPECT_EQ(1, self->page[HANDLED + UD_VECTOR]);
	EXPECT_EQ(0, self->page[HANDLED + GP_VECTOR]);
	EXPECT_EQ(0, inject(m, self->vcpu, GP_VECTOR, 0, 0));
	EXPECT_EQ(GP_VECTOR, next_trap(m, &event).vector);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	expect_silence(m);
}

/* User space, as after a migration, has an exception of its own. */
TEST_F(trap, another_may_take_its_place)
{
	struct cpu *cpu = &self->m->cpu[self->vcpu];
	struct kvm_vcpu_events events;
	struct machine *m = self->m;
	struct kvmi_event_trap trap;
	struct message event;

	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_TRAP, 1));
	pause_one(m, self->vcpu, &event);
	EXPECT_EQ(0, inject(m, self->vcpu, UD_VECTOR, 0, 0));
	cpu_stop(cpu);
	vcpu_events_get(cpu->vcpu, &events);
	events.exception.injected = 1;
	events.exception.nr = GP_VECTOR;
	events.exception.has_error_code = 1;
	events.exception.error_code = 0x77;
	vcpu_events_set(cpu->vcpu, &events);
	cpu_start(cpu);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	trap = next_trap(m, &event);
	EXPECT_EQ(GP_VECTOR, trap.vector);
	EXPECT_EQ(0x77, trap.error_code);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	cpu_wait_counting(cpu);
	EXPECT_EQ(1, self->page[HANDLED + GP_VECTOR]);
	EXPECT_EQ(0x77, self->page[ERROR]);
	expect_silence(m);
	EXPECT_EQ(0, self->page[HANDLED + UD_VECTOR]);
}

/* The write that was asked about is not done; the guest gets the fault for it. */
TEST_F(trap, instead_of_an_access)
{
	uint64_t gpa = counter_gpa(&self->m->cpu[self->vcpu]), count;
	struct machine *m = self->m;
	struct kvmi_event_trap trap;
	struct message event;
	int round;

	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_TRAP, 1));
	EXPECT_EQ(0, switch_event(m, self->vcpu, 1));
	for (round = 0; round < 4; round++) {
		EXPECT_EQ(0, set_access(m, gpa, RX));
		expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
		count = self->page[COUNT];
		EXPECT_EQ(0, inject(m, self->vcpu, PF_VECTOR, 3, pf_of(&event)->gva));
		EXPECT_EQ(0, set_access(m, gpa, RWX));
		answer_pf(m, &event, round & 1 ? KVMI_EVENT_ACTION_RETRY :
						 KVMI_EVENT_ACTION_CONTINUE, NULL);
		trap = next_trap(m, &event);
		EXPECT_EQ(PF_VECTOR, trap.vector);
		EXPECT_EQ(3, trap.error_code);
		EXPECT_EQ((uint64_t)self->m->cpu[self->vcpu].counter_gva, trap.cr2);
		EXPECT_EQ(count, self->page[COUNT]);
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
		cpu_wait_counting(&m->cpu[self->vcpu]);
		EXPECT_EQ(round + 1, self->page[HANDLED + PF_VECTOR]);
		EXPECT_EQ(3, self->page[ERROR]);
		EXPECT_EQ(trap.cr2, self->page[ADDRESS]);
	}
	expect_silence(m);
}

/* Its handler's first instruction is the end of that step. */
TEST_F(trap, in_the_middle_of_steps)
{
	struct machine *m = self->m;
	struct message event;
	uint64_t rip;
	int steps = 0;

	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_TRAP, 1));
	step_on(m, self->vcpu);
	next_step(m, &event);
	EXPECT_EQ(0, inject(m, self->vcpu, UD_VECTOR, 0, 0));
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	EXPECT_EQ(UD_VECTOR, next_trap(m, &event).vector);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	rip = next_step(m, &event);
	EXPECT_TRUE(rip < (uint64_t)loop_start || rip >= (uint64_t)loop_end);
	EXPECT_EQ(0, self->page[HANDLED + UD_VECTOR]);
	while (rip < (uint64_t)loop_start || rip >= (uint64_t)loop_end) {
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
		rip = next_step(m, &event);
		ASSERT_LT(steps++, 1000);
	}
	EXPECT_EQ(1, self->page[HANDLED + UD_VECTOR]);
	EXPECT_EQ(0, self->page[LEAKED]);
	step_off(m, self->vcpu);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	expect_silence(m);
}

/* It is what the vCPU is about to do, with or without a tool. */
TEST_F(trap, the_tool_may_go_away)
{
	struct machine *m = self->m;
	struct message event;
	int round;

	for (round = 0; round < 4; round++) {
		EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_TRAP, 1));
		EXPECT_EQ(0, inject(m, self->vcpu, UD_VECTOR, 0, 0));
		EXPECT_EQ(UD_VECTOR, next_trap(m, &event).vector);
		if (round & 1)
			shutdown(m->tool, SHUT_RDWR);
		else
			machine_unhook(m);
		machine_wait_counting(m);
		EXPECT_EQ(round + 1, self->page[HANDLED + UD_VECTOR]);
		if (round & 1)
			machine_unhook(m);
		machine_hook(m);

		/* What has only been asked for is forgotten. */
		pause_one(m, self->vcpu, &event);
		EXPECT_EQ(0, inject(m, self->vcpu, GP_VECTOR, 0, 0));
		machine_unhook(m);
		machine_hook(m);
		machine_wait_counting(m);
		EXPECT_EQ(0, self->page[HANDLED + GP_VECTOR]);
	}
	expect_silence(m);
}

TEST_F(trap, wrong_arguments_are_refused)
{
	static const uint8_t none[] = { NMI_VECTOR, 9, 15, 20, 21, 22, 29, 30, 31, 32, 0x80, 255 };
	struct kvmi_inject_exception wrong[] = {
		{ .nr = GP_VECTOR, .padding1 = 1 },
		{ .nr = GP_VECTOR, .padding2 = 1 },
		{ .nr = GP_VECTOR, .padding2 = 0x8000 },
		{ .nr = UD_VECTOR, .error_code = 1 },		/* it has none */
		{ .nr = DE_VECTOR, .error_code = 0x80000000 },
		{ .nr = PF_VECTOR, .error_code = 0x10000 },	/* it has 16 bits */
		{ .nr = BP_VECTOR },				/* there is no INT3, */
		{ .nr = OF_VECTOR },				/* no INTO */
	};
	struct machine *m = self->m;
	int i;

	for (i = 0; i < ARRAY_SIZE(none); i++)
		EXPECT_EQ(-EINVAL, inject(m, 0, none[i], 0, 0)) TH_LOG("number %d", i);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT_EQ(-EINVAL, command(m, KVMI_INJECT_EXCEPTION, 0, &wrong[i],
					   sizeof(wrong[i]), NULL, 0)) TH_LOG("argument %d", i);
	EXPECT_EQ(-EINVAL, command(m, KVMI_INJECT_EXCEPTION, 0, &wrong[0], 15, NULL, 0));
	EXPECT_EQ(-EINVAL, inject(m, m->vcpus, UD_VECTOR, 0, 0));
	expect_silence(m);
	for (i = 0; i < 32; i++)
		EXPECT_EQ(0, m->cpu[0].counter[HANDLED + i]);
}

TEST_F(trap, a_wrong_answer_ends_the_connection)
{
	struct machine *m = self->m;
	struct message event;

	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_TRAP, 1));
	EXPECT_EQ(0, inject(m, self->vcpu, UD_VECTOR, 0, 0));
	next_trap(m, &event);
	answer(m, &event, KVMI_EVENT_ACTION_RETRY);
	EXPECT_EQ(EPROTO, wait_for_broken(m->control));
	machine_wait_counting(m);
	EXPECT_EQ(1, self->page[HANDLED + UD_VECTOR]);
}

TEST_F(trap, allow_lists_hold)
{
	struct kvm_introspection_allow allow = {
		.commands = ~BIT(KVMI_INJECT_EXCEPTION), .events = ~BIT(KVMI_EVENT_TRAP),
	};
	struct kvmi_check_command command = { .id = KVMI_INJECT_EXCEPTION };
	struct kvmi_check_event event = { .id = KVMI_EVENT_TRAP };
	struct machine *m = self->m;

	EXPECT_EQ(0, tool_command(m->tool, KVMI_CHECK_COMMAND, &command, 8, NULL, 0));
	EXPECT_EQ(0, tool_command(m->tool, KVMI_CHECK_EVENT, &event, 8, NULL, 0));
	machine_unhook(m);
	ASSERT_EQ(0, ioctl(m->control, KVM_INTROSPECTION_ALLOW, &allow));
	machine_hook(m);
	EXPECT_EQ(-EPERM, tool_command(m->tool, KVMI_CHECK_COMMAND, &command, 8, NULL, 0));
	EXPECT_EQ(-EPERM, tool_command(m->tool, KVMI_CHECK_EVENT, &event, 8, NULL, 0));
	EXPECT_EQ(-EPERM, control_events(m, 0, KVMI_EVENT_TRAP, 1));
	EXPECT_EQ(-EPERM, inject(m, 0, UD_VECTOR, 0, 0));
	machine_wait_counting(m);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	return test_harness_run(argc, argv);
}
