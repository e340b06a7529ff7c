// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: a tool steps through what a vCPU executes, and the guest
 * does not notice.
 */
#include "kvmi_debug.h"

/* Where each instruction of guest_code() starts; the loop ends with a jump to the first. */
extern const char insn_0[], insn_1[], insn_2[], insn_3[], insn_4[], insn_5[], insn_6[],
		  insn_7[], insn_8[], insn_9[], insn_10[], insn_11[], insn_12[], insn_13[],
		  insn_14[], insn_15[], insn_16[];

static const char * const insns[] = {
	insn_0, insn_1, insn_2, insn_3, insn_4, insn_5, insn_6, insn_7, insn_8, insn_9,
	insn_10, insn_11, insn_12, insn_13, insn_14, insn_15, insn_16,
};

#define INSN_INC	0
#define INSN_REP	10

static void guest_code(uint64_t *page)
{
	asm volatile("insn_0: incq (%%rdi)\n\t"
		     "insn_1: pushfq\n\t"
		     "insn_2: popq %%rax\n\t"
		     "insn_3: orq %%rax, 8(%%rdi)\n\t"
		     "insn_4: pushq $2\n\t"
		     "insn_5: popfq\n\t"
		     "insn_6: xorl %%eax, %%eax\n\t"
		     "insn_7: cpuid\n\t"
		     "insn_8: movl $3, %%ecx\n\t"
		     "insn_9: movq %%rdi, %%rsi\n\t"
		     "insn_10: rep lodsb\n\t"
		     "insn_11: movl %%ss, %%eax\n\t"
		     "insn_12: movl %%eax, %%ss\n\t"
		     "insn_13: movq %%dr6, %%rax\n\t"
		     "insn_14: movq %%xmm0, %%xmm1\n\t"
		     "insn_15: rdtsc\n\t"
		     "insn_16: jmp insn_0\n\t"
		     : : "D"(page) : "rax", "rbx", "rcx", "rdx", "rsi", "memory", "cc");
}

static int insn_at(uint64_t rip)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(insns); i++)
		if (rip == (uint64_t)insns[i])
			return i;
	TEST_ASSERT(false, "%#lx is the start of no instruction", rip);
	return -1;
}

FIXTURE(step) {
	struct machine *m;
	uint64_t *page;
	int vcpu;
};

FIXTURE_VARIANT(step) {
	int vcpus;
};

FIXTURE_VARIANT_ADD(step, one) {
	.vcpus = 1,
};

FIXTURE_VARIANT_ADD(step, four) {
	.vcpus = 4,
};

static void install_handlers(struct kvm_vm *vm)
{
	vm_install_exception_handler(vm, DB_VECTOR, guest_handler);
	vm_install_exception_handler(vm, NMI_VECTOR, guest_handler);
	vm_install_exception_handler(vm, BP_VECTOR, guest_handler);
	vm_install_exception_handler(vm, INT_VECTOR, guest_handler);
	vm_install_exception_handler(vm, DE_VECTOR, guest_skip);
	vm_install_exception_handler(vm, UD_VECTOR, guest_skip);
	vm_install_exception_handler(vm, GP_VECTOR, guest_skip);
	vm_install_exception_handler(vm, PF_VECTOR, guest_skip);
}

FIXTURE_SETUP(step)
{
	self->m = machine_create(variant->vcpus, guest_code);
	self->vcpu = variant->vcpus - 1;
	self->page = self->m->cpu[self->vcpu].counter;
	install_handlers(self->m->vm);
	machine_start(self->m);
}

FIXTURE_TEARDOWN(step)
{
	int i;

	for (i = 0; i < self->m->vcpus; i++) {
		EXPECT_EQ(0, self->m->cpu[i].counter[FLAGS] & TF);
		EXPECT_EQ(0, self->m->cpu[i].counter[VECTOR]);
	}
	machine_destroy(self->m);
}

/* Follow a vCPU for so many steps. */
static void follow(struct machine *m, struct message *event, int steps)
{
	uint64_t *page = m->cpu[event->event.vcpu].counter;
	uint64_t count = page[COUNT], rcx = event->event.arch.regs.rcx;
	int vcpu = event->event.vcpu, at = insn_at(event->event.arch.regs.rip), i;

	for (i = 0; i < steps; i++) {
		int expected = (at + 1) % ARRAY_SIZE(insns);

		if (at == INSN_REP && rcx > 1)
			expected = at;
		count += at == INSN_INC;
		TEST_ASSERT(!(event->event.arch.regs.rflags & TF), "the tool sees TF");
		answer(m, event, KVMI_EVENT_ACTION_CONTINUE);
		at = insn_at(next_step(m, event));
		rcx = event->event.arch.regs.rcx;
		TEST_ASSERT(at == expected, "step %d went to %d instead of %d", i, at, expected);
		TEST_ASSERT_EQ(event->event.vcpu, vcpu);
		TEST_ASSERT_EQ(count, page[COUNT]);
	}
}

TEST_F(step, each_instruction_is_told_once)
{
	struct machine *m = self->m;
	struct message event;
	int i;

	step_on(m, self->vcpu);
	next_step(m, &event);
	follow(m, &event, 100);
	EXPECT_TRUE(cpu_stands_still(&m->cpu[self->vcpu]));
	for (i = 0; i < self->vcpu; i++)
		cpu_wait_counting(&m->cpu[i]);

	/* Off again, with the last one still to be answered. */
	step_off(m, self->vcpu);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	expect_silence(m);
}

TEST_F(step, needs_both_the_event_and_the_command)
{
	struct machine *m = self->m;
	struct message event;

	EXPECT_EQ(0, control_singlestep(m, self->vcpu, 1));
	expect_silence(m);
	EXPECT_EQ(0, control_singlestep(m, self->vcpu, 0));
	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_SINGLESTEP, 1));
	expect_silence(m);
	EXPECT_EQ(0, control_singlestep(m, self->vcpu, 1));
	next_step(m, &event);
	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_SINGLESTEP, 0));
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	expect_silence(m);
}

TEST_F(step, all_vcpus_at_once)
{
	struct machine *m = self->m;
	struct message event;
	int i, seen[MAX_VCPUS] = {};

	for (i = 0; i < m->vcpus; i++)
		step_on(m, i);
	for (i = 0; i < 400; i++) {
		insn_at(next_step(m, &event));
		seen[event.event.vcpu]++;
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	}
	for (i = 0; i < m->vcpus; i++)
		EXPECT_GT(seen[i], 0);
	/* With steps under way. */
	machine_unhook(m);
	machine_wait_counting(m);
	machine_hook(m);
	expect_silence(m);
}

/* A page that is watched, one write let happen, and told when it has. */
TEST_F(step, after_a_page_event)
{
	struct kvmi_event_pf_reply once = { .singlestep = 1 };
	uint64_t gpa = counter_gpa(&self->m->cpu[self->vcpu]), count;
	struct machine *m = self->m;
	struct message event;
	int i;

	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_SINGLESTEP, 1));
	EXPECT_EQ(0, switch_event(m, self->vcpu, 1));
	EXPECT_EQ(0, set_access(m, gpa, RX));
	expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
	for (i = 0; i < 6; i++) {
		int at = insn_at(event.event.arch.regs.rip);

		count = self->page[COUNT];
		/* Either the write is let happen, or the page is for the time of it. */
		if (i & 1)
			EXPECT_EQ(0, set_access(m, gpa, RWX));
		answer_pf(m, &event, i & 1 ? KVMI_EVENT_ACTION_RETRY :
					     KVMI_EVENT_ACTION_CONTINUE, &once);
		EXPECT_EQ(at + 1, insn_at(next_step(m, &event)));
		EXPECT_EQ(count + (at == INSN_INC), self->page[COUNT]);
		EXPECT_EQ(0, set_access(m, gpa, RX));
		/* It was one step. */
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
		expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
	}
	/* Nobody to be told. */
	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_SINGLESTEP, 0));
	answer_pf(m, &event, KVMI_EVENT_ACTION_CONTINUE, &once);
	expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ(0, set_access(m, gpa, RWX));
	answer_pf(m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	expect_silence(m);
	/* Nor later. */
	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_SINGLESTEP, 1));
	expect_silence(m);
}

TEST_F(step, watched_code_is_stepped_through)
{
	uint64_t gpa = addr_gva2gpa(self->m->vm, (vm_vaddr_t)insn_0);
	struct machine *m = self->m;
	struct message event;
	uint64_t rip;

	if (m->vcpus > 1)
		SKIP(return, "the other vCPUs execute the page as well");
	step_on(m, 0);
	next_step(m, &event);
	while (insn_at(event.event.arch.regs.rip) != INSN_INC)
		follow(m, &event, 1);
	EXPECT_EQ(0, switch_event(m, 0, 1));
	EXPECT_EQ(0, set_access(m, gpa, RW));
	/* The emulator is asked for each iteration of the next, and does not know SSE. */
	while (insn_at(event.event.arch.regs.rip) != INSN_REP) {
		rip = event.event.arch.regs.rip;
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
		expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_X);
		EXPECT_EQ(rip, event.event.arch.regs.rip);
		answer_pf(m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
		insn_at(next_step(m, &event));
	}
	EXPECT_EQ(0, set_access(m, gpa, RWX));
	step_off(m, 0);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	expect_silence(m);
}

TEST_F(step, the_tool_may_go_away)
{
	struct machine *m = self->m;
	struct message event;
	int round;

	for (round = 0; round < 34; round++) {
		step_on(m, self->vcpu);
		next_step(m, &event);
		follow(m, &event, round >> 1);
		/* In the middle of a step, or between two. */
		if (round & 2)
			answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
		if (round & 1)
			shutdown(m->tool, SHUT_RDWR);
		else
			machine_unhook(m);
		machine_wait_counting(m);
		if (round & 1)
			machine_unhook(m);
		machine_hook(m);
		EXPECT_EQ(0, self->page[FLAGS] & TF);
		EXPECT_EQ(0, self->page[VECTOR]);
	}
	expect_silence(m);
	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_SINGLESTEP, 1));
	expect_silence(m);
}

TEST_F(step, signals_end_kvm_run_and_not_the_step)
{
	struct cpu *cpu = &self->m->cpu[self->vcpu];
	struct machine *m = self->m;
	struct kvm_regs regs;
	struct message event;
	int i;

	step_on(m, self->vcpu);
	next_step(m, &event);
	for (i = 0; i < 40; i++) {
		cpu_stop(cpu);
		vcpu_regs_get(cpu->vcpu, &regs);
		EXPECT_EQ(event.event.arch.regs.rip, regs.rip);
		EXPECT_EQ(0, regs.rflags & TF);
		cpu_start(cpu);
		follow(m, &event, 1);
	}
}

TEST_F(step, the_tool_may_move_the_vcpu)
{
	struct machine *m = self->m;
	struct kvm_regs regs;
	struct message event;

	step_on(m, self->vcpu);
	next_step(m, &event);
	while (insn_at(event.event.arch.regs.rip) != INSN_INC)
		follow(m, &event, 1);
	regs = event.event.arch.regs;
	regs.rip = (uint64_t)insns[9];
	EXPECT_EQ(0, command(m, KVMI_SET_REGISTERS, self->vcpu, &regs, sizeof(regs), NULL, 0));
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	EXPECT_EQ(10, insn_at(next_step(m, &event)));
	follow(m, &event, 40);
}

/* They wait until nobody steps any more. */
TEST_F(step, interrupts_wait)
{
	struct cpu *cpu = &self->m->cpu[self->vcpu];
	struct machine *m = self->m;
	struct message event;

	step_on(m, self->vcpu);
	next_step(m, &event);
	cpu_stop(cpu);
	vcpu_ioctl(cpu->vcpu, KVM_NMI, NULL);
	cpu_start(cpu);
	follow(m, &event, 100);
	EXPECT_EQ(0, self->page[HANDLED + NMI_VECTOR]);
	step_off(m, self->vcpu);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	wait_until(READ_ONCE(self->page[HANDLED + NMI_VECTOR]));
	expect_silence(m);
	EXPECT_EQ(1, self->page[HANDLED + NMI_VECTOR]);
	EXPECT_EQ(0, self->page[LEAKED]);
	self->page[VECTOR] = 0;
}

TEST_F(step, wrong_arguments_are_refused)
{
	struct kvmi_vcpu_control_singlestep arg = { .enable = 2 };
	struct kvmi_event_pf_reply twice = { .singlestep = 2 };
	struct machine *m = self->m;
	struct message event;
	uint64_t gpa = counter_gpa(&m->cpu[self->vcpu]);
	int i;

	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_SINGLESTEP, 1));
	EXPECT_EQ(-EINVAL, command(m, KVMI_VCPU_CONTROL_SINGLESTEP, 0, &arg, 8, NULL, 0));
	arg.enable = 1;
	EXPECT_EQ(-EINVAL, command(m, KVMI_VCPU_CONTROL_SINGLESTEP, 0, &arg, 7, NULL, 0));
	for (i = 0; i < ARRAY_SIZE(arg.padding); i++) {
		arg.padding[i] = 1;
		EXPECT_EQ(-EINVAL, command(m, KVMI_VCPU_CONTROL_SINGLESTEP, 0, &arg, 8, NULL, 0));
		arg.padding[i] = 0;
	}
	EXPECT_EQ(-EINVAL, control_singlestep(m, m->vcpus, 1));
	expect_silence(m);

	EXPECT_EQ(0, switch_event(m, self->vcpu, 1));
	EXPECT_EQ(0, set_access(m, gpa, RX));
	expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
	answer_pf(m, &event, KVMI_EVENT_ACTION_CONTINUE, &twice);
	EXPECT_EQ(EPROTO, wait_for_broken(m->control));
	machine_wait_counting(m);
}

TEST_F(step, a_wrong_answer_ends_the_connection)
{
	struct machine *m = self->m;
	struct message event;

	step_on(m, self->vcpu);
	next_step(m, &event);
	answer(m, &event, KVMI_EVENT_ACTION_RETRY);
	EXPECT_EQ(EPROTO, wait_for_broken(m->control));
	machine_wait_counting(m);
}

TEST_F(step, crash_ends_kvm_run)
{
	struct kvm_run *run = self->m->cpu[self->vcpu].vcpu->run;
	struct machine *m = self->m;
	struct message event;

	step_on(m, self->vcpu);
	next_step(m, &event);
	answer(m, &event, KVMI_EVENT_ACTION_CRASH);
	wait_until(READ_ONCE(m->cpu[self->vcpu].exits));
	EXPECT_EQ(KVM_EXIT_SYSTEM_EVENT, run->exit_reason);
	EXPECT_EQ(KVM_SYSTEM_EVENT_CRASH, run->system_event.type);
}

TEST_F(step, allow_lists_hold)
{
	struct kvm_introspection_allow allow = {
		.commands = ~0ull, .events = ~BIT(KVMI_EVENT_SINGLESTEP),
	};
	struct kvmi_check_command command = { .id = KVMI_VCPU_CONTROL_SINGLESTEP };
	struct kvmi_check_event event = { .id = KVMI_EVENT_SINGLESTEP };
	struct machine *m = self->m;

	EXPECT_EQ(0, tool_command(m->tool, KVMI_CHECK_COMMAND, &command, 8, NULL, 0));
	EXPECT_EQ(0, tool_command(m->tool, KVMI_CHECK_EVENT, &event, 8, NULL, 0));
	machine_unhook(m);
	ASSERT_EQ(0, ioctl(m->control, KVM_INTROSPECTION_ALLOW, &allow));
	machine_hook(m);
	EXPECT_EQ(-EPERM, tool_command(m->tool, KVMI_CHECK_COMMAND, &command, 8, NULL, 0));
	EXPECT_EQ(-EPERM, tool_command(m->tool, KVMI_CHECK_EVENT, &event, 8, NULL, 0));
	EXPECT_EQ(-EPERM, control_events(m, 0, KVMI_EVENT_SINGLESTEP, 1));
	EXPECT_EQ(-EPERM, control_singlestep(m, 0, 1));
	expect_silence(m);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	return test_harness_run(argc, argv);
}
