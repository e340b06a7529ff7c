// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: writes of registers that the tool is asked about first.
 * Each vCPU writes one over and over, a bit of it off and on, and tells what
 * came of it.
 */
#include "kvmi_vcpu.h"

/* What the guest is told, and tells, in the page that starts with its counter. */
enum {
	COUNT,
	WHAT,		/* to write: the id of the event */
	NUMBER,		/* which of these registers */
	TOGGLE,		/* bits of it to be switched */
	VECTOR,		/* of the last exception that a write raised */
	READ,		/* back, after the last write */
};

static uint64_t guest_read(int what, int number)
{
	if (what == KVMI_EVENT_MSR)
		return rdmsr(number);
	return number == 0 ? get_cr0() : number == 3 ? get_cr3() : get_cr4();
}

static uint8_t guest_write(int what, int number, uint64_t value)
{
	if (what == KVMI_EVENT_MSR)
		return wrmsr_safe(number, value);
	if (number == 0)
		return kvm_asm_safe("mov %[value], %%cr0", [value] "r"(value));
	if (number == 3)
		return kvm_asm_safe("mov %[value], %%cr3", [value] "r"(value));
	return kvm_asm_safe("mov %[value], %%cr4", [value] "r"(value));
}

static void guest_code(uint64_t *page)
{
	int what = page[WHAT], number = page[NUMBER];
	uint64_t value = guest_read(what, number);
	uint8_t vector;

	/* As hardware has it from the first write on. */
	if (what == KVMI_EVENT_CR && number == 0)
		value |= X86_CR0_ET;
	for (;;) {
		value ^= page[TOGGLE];
		vector = guest_write(what, number, value);
		if (vector)
			page[VECTOR] = vector;
		page[READ] = guest_read(what, number);
		page[COUNT]++;
	}
}

/* The events have the same layout, so this serves all of them. */
struct own {
	uint32_t number;
	uint32_t padding;
	uint64_t old_value;
	uint64_t new_value;
};

FIXTURE(write) {
	struct machine *m;
	uint64_t *page;		/* of the vCPU that is watched */
};

FIXTURE_VARIANT(write) {
	uint8_t event;
	uint32_t number;
	uint32_t other;
	uint64_t bit;
	uint64_t illegal;	/* to switch this, too */
	int vcpus;
};

FIXTURE_VARIANT_ADD(write, cr0) {
	.event = KVMI_EVENT_CR, .number = 0, .other = 3, .bit = X86_CR0_AM,
	.illegal = X86_CR0_PE, .vcpus = 1,
};

FIXTURE_VARIANT_ADD(write, cr3) {
	.event = KVMI_EVENT_CR, .number = 3, .other = 4, .bit = BIT(3),
	.illegal = BIT(62), .vcpus = 1,
};

FIXTURE_VARIANT_ADD(write, cr4) {
	.event = KVMI_EVENT_CR, .number = 4, .other = 3, .bit = X86_CR4_DE,
	.illegal = X86_CR4_PAE, .vcpus = 1,
};

FIXTURE_VARIANT_ADD(write, cr3_four) {
	.event = KVMI_EVENT_CR, .number = 3, .other = 4, .bit = BIT(3),
	.illegal = BIT(62), .vcpus = 4,
};

/* These the guest writes without an exit while nobody watches. */
FIXTURE_VARIANT_ADD(write, star) {
	.event = KVMI_EVENT_MSR, .number = MSR_STAR, .other = MSR_CSTAR,
	.bit = BIT(40), .vcpus = 1,
};

FIXTURE_VARIANT_ADD(write, lstar) {
	.event = KVMI_EVENT_MSR, .number = MSR_LSTAR, .other = MSR_CSTAR,
	.bit = BIT(12), .illegal = BIT(62), .vcpus = 1,
};

FIXTURE_VARIANT_ADD(write, sysenter) {
	.event = KVMI_EVENT_MSR, .number = MSR_IA32_SYSENTER_EIP,
	.other = MSR_IA32_SYSENTER_ESP, .bit = BIT(12), .vcpus = 1,
};

/* And this one not. */
FIXTURE_VARIANT_ADD(write, pat) {
	.event = KVMI_EVENT_MSR, .number = MSR_IA32_CR_PAT, .other = MSR_LSTAR,
	.bit = BIT(56), .illegal = BIT(62), .vcpus = 1,
};

FIXTURE_VARIANT_ADD(write, star_four) {
	.event = KVMI_EVENT_MSR, .number = MSR_STAR, .other = MSR_CSTAR,
	.bit = BIT(40), .vcpus = 4,
};

FIXTURE_SETUP(write)
{
	int i;

	self->m = machine_create(variant->vcpus, guest_code);
	self->page = self->m->cpu[0].counter;
	for (i = 0; i < variant->vcpus; i++) {
		uint64_t *page = self->m->cpu[i].counter;

		page[WHAT] = variant->event;
		page[NUMBER] = variant->number;
		page[TOGGLE] = variant->bit;
	}
	machine_start(self->m);
}

FIXTURE_TEARDOWN(write)
{
	machine_destroy(self->m);
}

/* The command that switches an event for one register. */
static uint16_t control_of(uint8_t event)
{
	return event == KVMI_EVENT_CR ? KVMI_CONTROL_CR : KVMI_CONTROL_MSR;
}

/* For MSRs, the arguments look the same. */
static int control(struct machine *m, uint16_t vcpu, uint8_t event, uint32_t number,
		   uint8_t enable)
{
	struct kvmi_control_cr arg = { .cr = number, .enable = enable };

	return command(m, control_of(event), vcpu, &arg, sizeof(arg), NULL, 0);
}

static void watch(struct machine *m, uint16_t vcpu, uint8_t event, uint32_t number)
{
	TEST_ASSERT_EQ(control_events(m, vcpu, event, 1), 0);
	TEST_ASSERT_EQ(control(m, vcpu, event, number, 1), 0);
}

static void answer_value(struct machine *m, const struct message *event, uint64_t value)
{
	answer_sized(m, event, KVMI_EVENT_ACTION_CONTINUE, value, sizeof(value));
}

static struct own next_write(struct machine *m, struct message *event, uint8_t id)
{
	struct own *own;

	next_event(m, event);
	own = own_part(event, id, sizeof(*own));
	TEST_ASSERT_EQ(own->padding, 0);
	return *own;
}

/* The register, among the vCPU's state that every event has. */
static uint64_t in_state(const struct message *event, uint8_t id, uint32_t number)
{
	const struct kvmi_event_arch *arch = &event->event.arch;

	if (id == KVMI_EVENT_CR)
		return number == 0 ? arch->sregs.cr0 :
		       number == 3 ? arch->sregs.cr3 : arch->sregs.cr4;
	return number == MSR_STAR ? arch->msrs.star :
	       number == MSR_LSTAR ? arch->msrs.lstar :
	       number == MSR_IA32_CR_PAT ? arch->msrs.pat : arch->msrs.sysenter_eip;
}

TEST_F(write, a_write_waits_for_the_tool)
{
	struct own write, last = {};
	struct machine *m = self->m;
	struct message event;
	uint64_t count;
	int i;

	watch(m, 0, variant->event, variant->number);
	for (i = 0; i < 20; i++) {
		write = next_write(m, &event, variant->event);
		EXPECT_EQ(0, event.event.vcpu);
		EXPECT_EQ(variant->number, write.number);
		EXPECT_EQ(variant->bit, write.old_value ^ write.new_value);
		EXPECT_EQ(write.old_value, in_state(&event, variant->event, variant->number));
		/* Each write once, none left out. */
		if (i) {
			EXPECT_EQ(last.new_value, write.old_value);
			EXPECT_EQ(count + 1, self->page[COUNT]);
			EXPECT_EQ(last.new_value, self->page[READ]);
			EXPECT_EQ(0, self->page[VECTOR]);
		}
		last = write;
		count = self->page[COUNT];
		EXPECT_TRUE(cpu_stands_still(&m->cpu[0]));
		answer_value(m, &event, write.new_value);
	}
}

TEST_F(write, the_tool_may_change_the_value)
{
	struct machine *m = self->m;
	struct own write;
	struct message event;
	uint64_t count, kept;

	watch(m, 0, variant->event, variant->number);
	write = next_write(m, &event, variant->event);
	kept = write.old_value;
	count = self->page[COUNT];
	answer_value(m, &event, kept);
	/* The write had the tool's value. The next one is of the old value: no event. */
	write = next_write(m, &event, variant->event);
	EXPECT_EQ(kept, write.old_value);
	EXPECT_EQ(count + 2, self->page[COUNT]);
	EXPECT_EQ(kept, self->page[READ]);
	answer_value(m, &event, write.new_value);
}

/* What the register cannot hold is the guest's #GP, as if it had written it. */
TEST_F(write, an_illegal_value_is_the_guests_fault)
{
	struct machine *m = self->m;
	struct own write;
	struct message event;

	if (!variant->illegal)
		SKIP(return, "this register takes any value");
	watch(m, 0, variant->event, variant->number);
	write = next_write(m, &event, variant->event);
	answer_value(m, &event, write.new_value ^ variant->illegal);
	next_write(m, &event, variant->event);
	EXPECT_EQ(GP_VECTOR, self->page[VECTOR]);
	EXPECT_EQ(write.old_value, self->page[READ]);
}

TEST_F(write, only_what_was_asked_for)
{
	struct machine *m = self->m;
	struct message event;
	struct own write;
	int i;

	/* The register alone, the event alone, the event of another register. */
	EXPECT_EQ(0, control(m, 0, variant->event, variant->number, 1));
	cpu_wait_counting(&m->cpu[0]);
	EXPECT_EQ(0, control(m, 0, variant->event, variant->number, 0));
	EXPECT_EQ(0, control_events(m, 0, variant->event, 1));
	cpu_wait_counting(&m->cpu[0]);
	EXPECT_EQ(0, control(m, 0, variant->event, variant->other, 1));
	cpu_wait_counting(&m->cpu[0]);
	EXPECT_EQ(0, m->nstashed);

	EXPECT_EQ(0, control(m, 0, variant->event, variant->number, 1));
	write = next_write(m, &event, variant->event);
	/* The other vCPUs go on. */
	for (i = 1; i < m->vcpus; i++)
		cpu_wait_counting(&m->cpu[i]);

	/* Off again, with the last one still to be answered. */
	EXPECT_EQ(0, control(m, 0, variant->event, variant->number, 0));
	answer_value(m, &event, write.new_value);
	machine_wait_counting(m);
	EXPECT_EQ(0, vcpu_ping(m, 0));
	EXPECT_EQ(0, m->nstashed);
}

TEST_F(write, wrong_arguments_are_refused)
{
	static const uint32_t crs[] = { 1, 2, 5, 8, 32, 35, ~0u };
	static const uint32_t msrs[] = { 0x2000, 0xbfffffff, 0xc0002000, ~0u };
	bool cr = variant->event == KVMI_EVENT_CR;
	struct kvmi_control_cr wrong[] = {
		{ .enable = 2, .cr = variant->number },
		{ .enable = 1, .padding1 = 1, .cr = variant->number },
		{ .enable = 1, .padding2 = 1, .cr = variant->number },
	};
	struct kvmi_control_events events[] = {
		{ .event_id = variant->event, .enable = 2 },
		{ .event_id = variant->event, .padding1 = 1 },
		{ .event_id = variant->event, .padding2 = 1 },
	};
	struct machine *m = self->m;
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT_EQ(-EINVAL, command(m, control_of(variant->event), 0, &wrong[i],
					   sizeof(wrong[i]), NULL, 0)) TH_LOG("argument %d", i);
	for (i = 0; i < (cr ? ARRAY_SIZE(crs) : ARRAY_SIZE(msrs)); i++)
		EXPECT_EQ(-EINVAL, control(m, 0, variant->event, cr ? crs[i] : msrs[i], 1))
			TH_LOG("register %d", i);
	EXPECT_EQ(-EINVAL, command(m, control_of(variant->event), 0, &wrong, 7, NULL, 0));
	EXPECT_EQ(-EINVAL, control(m, m->vcpus, variant->event, variant->number, 1));
	for (i = 0; i < ARRAY_SIZE(events); i++)
		EXPECT_EQ(-EINVAL, command(m, KVMI_CONTROL_EVENTS, 0, &events[i],
					   sizeof(events[i]), NULL, 0));
	machine_wait_counting(m);
}

TEST_F(write, a_wrong_answer_ends_the_connection)
{
	static const struct {
		int action, size;
	} wrong[] = {
		{ KVMI_EVENT_ACTION_CONTINUE, 0 }, { KVMI_EVENT_ACTION_CONTINUE, 7 },
		{ KVMI_EVENT_ACTION_CONTINUE, 9 }, { KVMI_EVENT_ACTION_RETRY, 8 },
		{ KVMI_EVENT_ACTION_CRASH, 0 }, { 3, 8 },
	};
	struct machine *m = self->m;
	struct message event;
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		watch(m, 0, variant->event, variant->number);
		next_write(m, &event, variant->event);
		answer_sized(m, &event, wrong[i].action, 0, wrong[i].size);
		EXPECT_EQ(EPROTO, wait_for_broken(m->control)) TH_LOG("answer %d", i);
		machine_wait_counting(m);
		machine_unhook(m);
		machine_hook(m);
	}
}

/* The guest's own value is written then, and nobody watches any more. */
TEST_F(write, the_tool_may_go_away)
{
	struct machine *m = self->m;
	struct message event;
	int step;

	for (step = 0; step < 4; step++) {
		watch(m, 0, variant->event, variant->number);
		if (step & 1)
			next_write(m, &event, variant->event);
		if (step & 2)
			shutdown(m->tool, SHUT_RDWR);
		else
			machine_unhook(m);
		machine_wait_counting(m);
		EXPECT_EQ(0, self->page[VECTOR]);
		if (step & 2)
			machine_unhook(m);

		/* The next tool has not asked for anything. */
		machine_hook(m);
		machine_wait_counting(m);
		EXPECT_EQ(0, vcpu_ping(m, 0));
		EXPECT_EQ(0, m->nstashed);
		EXPECT_EQ(0, control_events(m, 0, variant->event, 1));
		machine_wait_counting(m);
		EXPECT_EQ(0, vcpu_ping(m, 0));
		EXPECT_EQ(0, m->nstashed);
	}
}

TEST_F(write, signals_end_kvm_run_and_not_the_event)
{
	struct cpu *cpu = &self->m->cpu[0];
	struct machine *m = self->m;
	struct own write;
	struct message event;
	uint64_t count;
	int i, signals;

	watch(m, 0, variant->event, variant->number);
	write = next_write(m, &event, variant->event);
	count = self->page[COUNT];
	for (i = 0; i < 10; i++) {
		signals = READ_ONCE(cpu->signals);
		pthread_kill(cpu->thread, SIGUSR1);
		wait_until(READ_ONCE(cpu->signals) > signals);
	}
	EXPECT_EQ(count, self->page[COUNT]);
	EXPECT_EQ(0, vcpu_ping(m, 0));
	EXPECT_EQ(0, m->nstashed);
	answer_value(m, &event, write.new_value);
	next_write(m, &event, variant->event);
	EXPECT_EQ(count + 1, self->page[COUNT]);
	EXPECT_EQ(write.new_value, self->page[READ]);
}

/* Who moves the vCPU elsewhere has it execute what is there, and not this. */
TEST_F(write, the_tool_may_leave_the_instruction_out)
{
	struct machine *m = self->m;
	struct own write;
	struct message event;
	struct kvm_regs regs;
	uint64_t count;

	watch(m, 0, variant->event, variant->number);
	write = next_write(m, &event, variant->event);
	count = self->page[COUNT];
	regs = event.event.arch.regs;
	/* wrmsr is two bytes, mov to %cr three; from a register above r7 it has a prefix. */
	regs.rip += variant->event == KVMI_EVENT_MSR ? 2 :
		    *(uint8_t *)addr_gva2hva(m->vm, regs.rip) == 0x0f ? 3 : 4;
	EXPECT_EQ(0, command(m, KVMI_SET_REGISTERS, 0, &regs, sizeof(regs), NULL, 0));
	answer_value(m, &event, write.new_value);
	/* The next write is of the old value: no event. */
	next_write(m, &event, variant->event);
	EXPECT_EQ(count + 2, self->page[COUNT]);
	EXPECT_EQ(write.old_value, self->page[READ]);
}

TEST_F(write, a_pause_comes_behind_it)
{
	struct machine *m = self->m;
	struct own write;
	struct message event;

	watch(m, 0, variant->event, variant->number);
	write = next_write(m, &event, variant->event);
	EXPECT_EQ(0, pause_vcpu(m, 0, 1));
	EXPECT_EQ(0, m->nstashed);
	answer_value(m, &event, write.new_value);
	next_event(m, &event);
	EXPECT_EQ(KVMI_EVENT_PAUSE_VCPU, event.event.event);
	/* The write is done. */
	EXPECT_EQ(write.new_value, in_state(&event, variant->event, variant->number));
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	next_write(m, &event, variant->event);
}

TEST_F(write, crash_ends_kvm_run)
{
	struct kvm_run *run = self->m->cpu[0].vcpu->run;
	struct machine *m = self->m;
	struct message event;

	watch(m, 0, variant->event, variant->number);
	next_write(m, &event, variant->event);
	answer_sized(m, &event, KVMI_EVENT_ACTION_CRASH, 0, 8);
	wait_until(READ_ONCE(m->cpu[0].exits));
	EXPECT_EQ(KVM_EXIT_SYSTEM_EVENT, run->exit_reason);
	EXPECT_EQ(KVM_SYSTEM_EVENT_CRASH, run->system_event.type);
}

TEST_F(write, all_vcpus_at_once)
{
	struct machine *m = self->m;
	struct own write;
	struct message event;
	int i, seen[MAX_VCPUS] = {};

	for (i = 0; i < m->vcpus; i++)
		watch(m, i, variant->event, variant->number);
	for (i = 0; i < 200; i++) {
		write = next_write(m, &event, variant->event);
		seen[event.event.vcpu]++;
		answer_value(m, &event, write.new_value);
	}
	for (i = 0; i < m->vcpus; i++)
		EXPECT_GT(seen[i], 0);
	/* With events under way. */
	machine_unhook(m);
	machine_wait_counting(m);
	machine_hook(m);
}

TEST_F(write, allow_lists_hold)
{
	struct kvm_introspection_allow allow = {
		.commands = ~0ull, .events = ~BIT(variant->event),
	};
	struct kvmi_check_command command = { .id = control_of(variant->event) };
	struct kvmi_check_event event = { .id = variant->event };
	struct machine *m = self->m;

	EXPECT_EQ(0, tool_command(m->tool, KVMI_CHECK_COMMAND, &command, 8, NULL, 0));
	EXPECT_EQ(0, tool_command(m->tool, KVMI_CHECK_EVENT, &event, 8, NULL, 0));
	machine_unhook(m);
	ASSERT_EQ(0, ioctl(m->control, KVM_INTROSPECTION_ALLOW, &allow));
	machine_hook(m);
	EXPECT_EQ(-EPERM, tool_command(m->tool, KVMI_CHECK_COMMAND, &command, 8, NULL, 0));
	EXPECT_EQ(-EPERM, tool_command(m->tool, KVMI_CHECK_EVENT, &event, 8, NULL, 0));
	EXPECT_EQ(-EPERM, control_events(m, 0, variant->event, 1));
	EXPECT_EQ(-EPERM, control(m, 0, variant->event, variant->number, 1));
	machine_wait_counting(m);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	return test_harness_run(argc, argv);
}
