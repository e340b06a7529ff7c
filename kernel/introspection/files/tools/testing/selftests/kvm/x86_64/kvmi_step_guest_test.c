// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: steps through exceptions, through a guest that steps
 * itself, through HLT, and breakpoints.
 */
#include "kvmi_debug.h"

extern const char before_ud[], before_int3[], after_int3[], behind[];

/* One of each that stores the flags where the guest can see them. */
static void guest_faults(uint64_t *page)
{
	asm volatile("before_ud: ud2\n\t"
		     "int %[vector]\n\t"
		     "before_int3: int3\n\t"
		     "after_int3: xorl %%ecx, %%ecx\n\t"
		     "movl $1, %%eax\n\t"
		     "xorl %%edx, %%edx\n\t"
		     "divl %%ecx\n\t"
		     "movb (%[bad]), %%al\n\t"
		     "movb (%[illegal]), %%al\n\t"
		     "incq (%%rdi)\n\t"
		     "jmp before_ud\n\t"
		     : : "D"(page), [vector] "i"(INT_VECTOR), [bad] "S"(BAD_GVA),
			 [illegal] "b"(BIT(62)) : "rax", "rcx", "rdx", "memory", "cc");
}

/* A guest with a TF of its own, for one instruction each time. */
static void guest_steps(uint64_t *page)
{
	asm volatile("1: pushfq\n\t"
		     "orq %[tf], (%%rsp)\n\t"
		     "popfq\n\t"
		     "nop\n\t"
		     "behind: incq (%%rdi)\n\t"
		     "jmp 1b\n\t"
		     : : "D"(page), [tf] "i"(TF) : "memory", "cc");
}

/* The frame has the TF that made it come here. */
static void guest_on_step(struct ex_regs *regs)
{
	guest_handler(regs);
	regs->rflags &= ~TF;
	((uint64_t *)regs->rdi)[FLAGS] = regs->rip;
}

static void guest_halts(uint64_t *page)
{
	asm volatile("1: incq (%%rdi)\n\t"
		     "hlt\n\t"
		     "jmp 1b\n\t"
		     : : "D"(page) : "memory", "cc");
}

FIXTURE(guest) {
	struct machine *m;
	uint64_t *page;
	int vcpu;
};

FIXTURE_VARIANT(guest) {
	int vcpus;
	void *code;
};

FIXTURE_VARIANT_ADD(guest, faults) {
	.vcpus = 1, .code = guest_faults,
};

FIXTURE_VARIANT_ADD(guest, faults_four) {
	.vcpus = 4, .code = guest_faults,
};

FIXTURE_VARIANT_ADD(guest, steps) {
	.vcpus = 1, .code = guest_steps,
};

FIXTURE_VARIANT_ADD(guest, steps_four) {
	.vcpus = 4, .code = guest_steps,
};

FIXTURE_VARIANT_ADD(guest, halts) {
	.vcpus = 1, .code = guest_halts,
};

FIXTURE_SETUP(guest)
{
	static const int skipped[] = { DE_VECTOR, UD_VECTOR, GP_VECTOR, PF_VECTOR };
	static const int handled[] = { NMI_VECTOR, BP_VECTOR, INT_VECTOR };
	int i;

	self->m = machine_create(variant->vcpus, variant->code);
	self->vcpu = variant->vcpus - 1;
	self->page = self->m->cpu[self->vcpu].counter;
	for (i = 0; i < ARRAY_SIZE(skipped); i++)
		vm_install_exception_handler(self->m->vm, skipped[i], guest_skip);
	for (i = 0; i < ARRAY_SIZE(handled); i++)
		vm_install_exception_handler(self->m->vm, handled[i], guest_handler);
	vm_install_exception_handler(self->m->vm, DB_VECTOR,
				     variant->code == guest_steps ? guest_on_step : guest_handler);
	machine_start(self->m);
}

FIXTURE_TEARDOWN(guest)
{
	machine_destroy(self->m);
}

TEST_F(guest, no_handler_sees_the_steps)
{
	static const int vectors[] = {
		DE_VECTOR, BP_VECTOR, UD_VECTOR, GP_VECTOR, PF_VECTOR, INT_VECTOR,
	};
	uint64_t before[ARRAY_SIZE(vectors)], count;
	struct machine *m = self->m;
	struct message event;
	int i, steps = 0;

	if (variant->code != guest_faults)
		SKIP(return, "no faults");
	step_on(m, self->vcpu);
	next_step(m, &event);
	count = self->page[COUNT];
	for (i = 0; i < ARRAY_SIZE(vectors); i++)
		before[i] = self->page[HANDLED + vectors[i]];
	/* Three rounds, each of six handlers. */
	while (self->page[COUNT] < count + 3) {
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
		next_step(m, &event);
		ASSERT_EQ(0, event.event.arch.regs.rflags & TF);
		ASSERT_LT(steps++, 20000);
	}
	EXPECT_GT(steps, 3 * 6 * 20);
	for (i = 0; i < ARRAY_SIZE(vectors); i++)
		EXPECT_GE(self->page[HANDLED + vectors[i]], before[i] + 2) TH_LOG("%d", vectors[i]);
	EXPECT_EQ(0, self->page[LEAKED]);
	EXPECT_EQ(0, self->page[HANDLED + DB_VECTOR]);
	step_off(m, self->vcpu);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	expect_silence(m);
	EXPECT_EQ(0, self->page[LEAKED]);
	EXPECT_EQ(0, self->page[HANDLED + DB_VECTOR]);
}

/* Wherever it is: in a handler, about to enter or to leave one. */
TEST_F(guest, the_tool_may_go_away)
{
	struct machine *m = self->m;
	struct message event;
	int round, i;

	if (variant->code != guest_faults)
		SKIP(return, "no faults");
	for (round = 0; round < 12; round++) {
		step_on(m, self->vcpu);
		next_step(m, &event);
		for (i = 0; i < round * 11; i++) {
			answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
			next_step(m, &event);
		}
		if (round & 1)
			answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
		if (round & 2)
			shutdown(m->tool, SHUT_RDWR);
		else
			machine_unhook(m);
		machine_wait_counting(m);
		if (round & 2)
			machine_unhook(m);
		machine_hook(m);
		EXPECT_EQ(0, self->page[LEAKED]);
		EXPECT_EQ(0, self->page[HANDLED + DB_VECTOR]);
	}
	expect_silence(m);
}

/* It gets each #DB that it would get otherwise, and no other. */
TEST_F(guest, a_guest_steps_itself)
{
	struct machine *m = self->m;
	struct message event;
	uint64_t count, handled;
	int steps = 0;

	if (variant->code != guest_steps)
		SKIP(return, "it does not");
	step_on(m, self->vcpu);
	do {
		next_step(m, &event);
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	} while (event.event.arch.regs.rip != (uint64_t)behind);
	next_step(m, &event);
	count = self->page[COUNT];
	handled = self->page[HANDLED + DB_VECTOR];
	while (self->page[COUNT] < count + 5) {
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
		next_step(m, &event);
		ASSERT_LT(steps++, 20000);
	}
	EXPECT_GT(steps, 5 * 20);
	EXPECT_EQ(5, self->page[HANDLED + DB_VECTOR] - handled);
	EXPECT_EQ((uint64_t)behind, self->page[FLAGS]);
	step_off(m, self->vcpu);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	expect_silence(m);
	EXPECT_EQ((uint64_t)behind, self->page[FLAGS]);
}

TEST_F(guest, a_halt_is_a_step)
{
	struct machine *m = self->m;
	struct cpu *cpu = &m->cpu[0];
	struct message event;
	struct kvm_regs regs;
	uint64_t count;
	int i;

	if (variant->code != guest_halts)
		SKIP(return, "no HLT");
	/* It has counted once, and halted. */
	wait_until(({ cpu_stop(cpu); vcpu_regs_get(cpu->vcpu, &regs); cpu_start(cpu);
		      *(uint8_t *)addr_gva2hva(m->vm, regs.rip) == 0xeb; }));
	count = self->page[COUNT];
	step_on(m, 0);
	for (i = 0; i < 3; i++) {
		cpu_stop(cpu);
		vcpu_ioctl(cpu->vcpu, KVM_NMI, NULL);
		cpu_start(cpu);
		/* It is woken up, and the NMI waits; jmp, incq, hlt */
		next_step(m, &event);
		EXPECT_EQ(count + i, self->page[COUNT]);
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
		next_step(m, &event);
		EXPECT_EQ(count + i + 1, self->page[COUNT]);
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
		next_step(m, &event);
		EXPECT_EQ(0xeb, *(uint8_t *)addr_gva2hva(m->vm, event.event.arch.regs.rip));
		if (i < 2) {
			/* Only a new NMI would wake it up: take the old one. */
			step_off(m, 0);
			answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
			wait_until(READ_ONCE(self->page[HANDLED + NMI_VECTOR]) == i + 1);
			wait_until(cpu_count(cpu) == count + i + 2 && cpu_stands_still(cpu));
			count++;
			step_on(m, 0);
		}
	}
	EXPECT_EQ(0, self->page[LEAKED]);
}

static void next_breakpoint(struct machine *m, struct message *event)
{
	const struct kvmi_event_breakpoint *own;

	for (;;) {
		next_event(m, event);
		if (event->event.event != KVMI_EVENT_SINGLESTEP)
			break;
		answer(m, event, KVMI_EVENT_ACTION_CONTINUE);
	}
	own = own_part(event, KVMI_EVENT_BREAKPOINT, sizeof(*own));
	TEST_ASSERT_EQ(event->event.arch.regs.rip, (uint64_t)before_int3);
	TEST_ASSERT_EQ(own->gpa, addr_gva2gpa(m->vm, (vm_vaddr_t)before_int3));
	TEST_ASSERT_EQ(own->insn_len, 1);
}

/*
 * A CPU that intercepts INT3 as a #BP tells of it in any case; a software CPU may
 * do so only where software interrupts are intercepted, while somebody steps.
 */
TEST_F(guest, breakpoints)
{
	struct kvm_guest_debug debug = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP,
	};
	struct cpu *cpu = &self->m->cpu[self->vcpu];
	struct machine *m = self->m;
	struct kvm_regs regs;
	struct message event;
	uint64_t handled;

	if (variant->code != guest_faults)
		SKIP(return, "no INT3");
	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_BREAKPOINT, 1));
	step_on(m, self->vcpu);

	/* The guest gets it, and only after the tool has said so. */
	next_breakpoint(m, &event);
	handled = self->page[HANDLED + BP_VECTOR];
	EXPECT_TRUE(cpu_stands_still(cpu));
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	next_breakpoint(m, &event);
	EXPECT_EQ(handled + 1, self->page[HANDLED + BP_VECTOR]);

	/* It is executed again, */
	answer(m, &event, KVMI_EVENT_ACTION_RETRY);
	next_breakpoint(m, &event);
	EXPECT_EQ(handled + 1, self->page[HANDLED + BP_VECTOR]);

	/* or something else is. */
	regs = event.event.arch.regs;
	regs.rip = (uint64_t)after_int3;
	EXPECT_EQ(0, command(m, KVMI_SET_REGISTERS, self->vcpu, &regs, sizeof(regs), NULL, 0));
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	next_breakpoint(m, &event);
	EXPECT_EQ(handled + 1, self->page[HANDLED + BP_VECTOR]);

	/* A debugger in user space comes after the tool, and before the guest. */
	cpu_stop(cpu);
	vcpu_guest_debug_set(cpu->vcpu, &debug);
	cpu_start(cpu);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	wait_until(READ_ONCE(cpu->ended));
	EXPECT_EQ(KVM_EXIT_DEBUG, cpu->vcpu->run->exit_reason);
	EXPECT_EQ(BP_VECTOR, cpu->vcpu->run->debug.arch.exception);
	EXPECT_EQ((uint64_t)before_int3, cpu->vcpu->run->debug.arch.pc);
	EXPECT_EQ(handled + 1, self->page[HANDLED + BP_VECTOR]);
	cpu_stop(cpu);

	/* Which goes away, and then the tool wants no more. */
	debug.control = 0;
	vcpu_guest_debug_set(cpu->vcpu, &debug);
	cpu_start(cpu);
	next_breakpoint(m, &event);
	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_BREAKPOINT, 0));
	step_off(m, self->vcpu);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	expect_silence(m);
	EXPECT_EQ(0, self->page[LEAKED]);
	EXPECT_EQ(0, self->page[HANDLED + DB_VECTOR]);
}

/* Switched on and off, with nothing that steps. */
TEST_F(guest, breakpoints_are_the_guests_when_nobody_asks)
{
	struct kvm_introspection_allow allow = {
		.commands = ~0ull, .events = ~BIT(KVMI_EVENT_BREAKPOINT),
	};
	struct kvmi_check_event check = { .id = KVMI_EVENT_BREAKPOINT };
	struct machine *m = self->m;

	if (variant->code != guest_faults)
		SKIP(return, "no INT3");
	EXPECT_EQ(0, tool_command(m->tool, KVMI_CHECK_EVENT, &check, 8, NULL, 0));
	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_BREAKPOINT, 1));
	EXPECT_EQ(0, control_events(m, self->vcpu, KVMI_EVENT_BREAKPOINT, 0));
	expect_silence(m);
	machine_unhook(m);
	ASSERT_EQ(0, ioctl(m->control, KVM_INTROSPECTION_ALLOW, &allow));
	machine_hook(m);
	EXPECT_EQ(-EPERM, tool_command(m->tool, KVMI_CHECK_EVENT, &check, 8, NULL, 0));
	EXPECT_EQ(-EPERM, control_events(m, self->vcpu, KVMI_EVENT_BREAKPOINT, 1));
	step_on(m, self->vcpu);
	step_off(m, self->vcpu);
}

/* User space steps as well: both are told. */
TEST_F(guest, user_space_steps_as_well)
{
	struct kvm_guest_debug debug = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP,
	};
	struct cpu *cpu = &self->m->cpu[self->vcpu];
	struct machine *m = self->m;
	struct message event;
	uint64_t rip;
	int i;

	if (variant->code != guest_faults)
		SKIP(return, "once is enough");
	step_on(m, self->vcpu);
	do {
		next_step(m, &event);
		rip = event.event.arch.regs.rip;
		if (rip != (uint64_t)after_int3)
			answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	} while (rip != (uint64_t)after_int3);
	for (i = 0; i < 3; i++) {
		cpu_stop(cpu);
		vcpu_guest_debug_set(cpu->vcpu, &debug);
		cpu_start(cpu);
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
		wait_until(READ_ONCE(cpu->ended));
		EXPECT_EQ(KVM_EXIT_DEBUG, cpu->vcpu->run->exit_reason);
		EXPECT_EQ(DB_VECTOR, cpu->vcpu->run->debug.arch.exception);
		EXPECT_NE(rip, cpu->vcpu->run->debug.arch.pc);
		rip = cpu->vcpu->run->debug.arch.pc;
		cpu_stop(cpu);
		cpu_start(cpu);
		EXPECT_EQ(rip, next_step(m, &event));
	}
	debug.control = 0;
	cpu_stop(cpu);
	vcpu_guest_debug_set(cpu->vcpu, &debug);
	cpu_start(cpu);
	step_off(m, self->vcpu);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	expect_silence(m);
	EXPECT_EQ(0, self->page[LEAKED]);
	EXPECT_EQ(0, self->page[HANDLED + DB_VECTOR]);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	return test_harness_run(argc, argv);
}
