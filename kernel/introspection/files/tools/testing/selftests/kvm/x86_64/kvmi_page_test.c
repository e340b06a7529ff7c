// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: a tool is asked before the guest reads, writes or executes
 * a page that it watches.
 */
#include "kvmi_page.h"

FIXTURE(page) {
	struct machine *m;
	struct cpu *cpu;
	uint64_t gpa;
};

FIXTURE_VARIANT(page) {
	int vcpus;
};

FIXTURE_VARIANT_ADD(page, one) {
	.vcpus = 1,
};

FIXTURE_VARIANT_ADD(page, four) {
	.vcpus = 4,
};

FIXTURE_SETUP(page)
{
	int i;

	self->m = machine_create(variant->vcpus, guest_count);
	self->cpu = &self->m->cpu[variant->vcpus - 1];
	self->gpa = counter_gpa(self->cpu);
	for (i = 0; i < variant->vcpus; i++)
		switch_event_first(self->m, i);
}

FIXTURE_TEARDOWN(page)
{
	machine_destroy(self->m);
}

TEST_F(page, is_called_before_each_write)
{
	struct message event;
	uint64_t before;
	int i;

	machine_start(self->m);
	EXPECT_EQ(RWX, get_access(self->m, self->gpa));
	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	EXPECT_EQ(RX, get_access(self->m, self->gpa));

	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	before = cpu_count(self->cpu);
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(self->cpu->counter_gva, pf_of(&event)->gva);
		EXPECT_EQ(self->cpu - self->m->cpu, event.event.vcpu);
		EXPECT_EQ(MAGIC, event.event.arch.regs.r12);
		/* It has not happened yet, and then it happens once. */
		EXPECT_EQ(before + i, cpu_count(self->cpu));
		answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
		expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	}
	EXPECT_EQ(before + 5, cpu_count(self->cpu));

	/* Nothing of it is left when the page is let go. */
	EXPECT_EQ(0, set_access(self->m, self->gpa, RWX));
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_RETRY, NULL);
	machine_wait_counting(self->m);
	EXPECT_EQ(0, vcpu_ping(self->m, 0));
	EXPECT_EQ(0, self->m->nstashed);
}

TEST_F(page, retry_executes_it_again)
{
	struct message event;
	uint64_t before;
	int i;

	machine_start(self->m);
	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	before = cpu_count(self->cpu);
	for (i = 0; i < 5; i++) {
		answer_pf(self->m, &event, KVMI_EVENT_ACTION_RETRY, NULL);
		expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
		EXPECT_EQ(before, cpu_count(self->cpu));
	}
}

TEST_F(page, is_called_before_each_read)
{
	struct kvmi_event_pf_reply pf = { .ctx_size = 8 };
	struct message event;
	uint64_t before;

	machine_start(self->m);
	EXPECT_EQ(0, set_access(self->m, self->gpa, WX));
	/* incq reads first; it may write what it likes. */
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_R);
	before = cpu_count(self->cpu);
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_R);
	EXPECT_EQ(before + 1, cpu_count(self->cpu));

	/* The tool decides what it reads. */
	pf.ctx_addr = self->cpu->counter_gva;
	*(uint64_t *)pf.ctx_data = 0x10000000000;
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, &pf);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_R);
	EXPECT_EQ(0x10000000001, cpu_count(self->cpu));
	/* Once. */
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_R);
	EXPECT_EQ(0x10000000002, cpu_count(self->cpu));
}

TEST_F(page, read_and_write_are_asked_for_one_after_the_other)
{
	struct kvmi_event_pf_reply pf = { .ctx_size = 8 };
	struct message event;
	uint64_t before;

	machine_start(self->m);
	EXPECT_EQ(0, set_access(self->m, self->gpa, KVMI_PAGE_ACCESS_X));
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_R);
	before = cpu_count(self->cpu);
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ(before, cpu_count(self->cpu));
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_R);
	EXPECT_EQ(before + 1, cpu_count(self->cpu));

	/* What the tool wants it to read is still known after the second one. */
	pf.ctx_addr = self->cpu->counter_gva;
	*(uint64_t *)pf.ctx_data = 0x10000000000;
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, &pf);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_R);
	EXPECT_EQ(0x10000000001, cpu_count(self->cpu));
}

/* It is let go and watched again before the guest could use the yes. */
TEST_F(page, a_yes_does_not_outlive_the_watch)
{
	struct message event;
	uint64_t before;

	machine_start(self->m);
	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ(0, set_access(self->m, self->gpa, RWX));
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	cpu_wait_counting(self->cpu);
	cpu_stop(self->cpu);
	before = cpu_count(self->cpu);
	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	cpu_start(self->cpu);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ(before, cpu_count(self->cpu));
}

/* All vCPUs execute the same page. */
TEST_F(page, is_called_before_each_instruction)
{
	uint64_t gpa = addr_gva2gpa(self->m->vm, (vm_vaddr_t)guest_count);
	struct message event[MAX_VCPUS];
	uint64_t before[MAX_VCPUS];
	int i, round;

	machine_start(self->m);
	EXPECT_EQ(0, set_access(self->m, gpa, RW));
	for (i = 0; i < self->m->vcpus; i++) {
		struct message first;

		expect_pf(self->m, &first, gpa, KVMI_PAGE_ACCESS_X);
		event[first.event.vcpu] = first;
	}
	for (i = 0; i < self->m->vcpus; i++) {
		EXPECT_EQ(event[i].event.arch.regs.rip, pf_of(&event[i])->gva);
		before[i] = cpu_count(&self->m->cpu[i]);
	}
	/* incq, jmp, incq, jmp */
	for (round = 0; round < 4; round++) {
		uint64_t rip = event[0].event.arch.regs.rip;

		for (i = 0; i < self->m->vcpus; i++) {
			struct message next;

			answer_pf(self->m, &event[i], KVMI_EVENT_ACTION_CONTINUE, NULL);
			expect_pf(self->m, &next, gpa, KVMI_PAGE_ACCESS_X);
			EXPECT_EQ(i, next.event.vcpu);
			event[i] = next;
		}
		EXPECT_NE(rip, event[0].event.arch.regs.rip);
	}
	for (i = 0; i < self->m->vcpus; i++)
		EXPECT_EQ(before[i] + 2, cpu_count(&self->m->cpu[i]));
	EXPECT_EQ(0, set_access(self->m, gpa, RWX));
	for (i = 0; i < self->m->vcpus; i++)
		answer_pf(self->m, &event[i], KVMI_EVENT_ACTION_CONTINUE, NULL);
	machine_wait_counting(self->m);
}

TEST_F(page, others_go_on)
{
	struct message event;
	int i;

	machine_start(self->m);
	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	for (i = 0; i < self->m->vcpus - 1; i++)
		cpu_wait_counting(&self->m->cpu[i]);
	EXPECT_TRUE(cpu_stands_still(self->cpu));
}

TEST_F(page, without_the_event_nobody_is_asked)
{
	machine_start(self->m);
	EXPECT_EQ(0, switch_event(self->m, self->m->vcpus - 1, 0));
	EXPECT_EQ(0, set_access(self->m, self->gpa, 0));
	machine_wait_counting(self->m);
	EXPECT_EQ(0, vcpu_ping(self->m, 0));
	EXPECT_EQ(0, self->m->nstashed);
}

/* It waits with an answer, a signal comes, and it goes on waiting. */
TEST_F(page, a_signal_does_not_lose_the_event)
{
	struct message event;
	uint64_t before;

	machine_start(self->m);
	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	before = cpu_count(self->cpu);
	cpu_stop(self->cpu);
	cpu_start(self->cpu);
	EXPECT_TRUE(cpu_stands_still(self->cpu));
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ(before + 1, cpu_count(self->cpu));
}

TEST_F(page, unhook_forgets_the_pages)
{
	struct message event;

	machine_start(self->m);
	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	machine_unhook(self->m);
	machine_wait_counting(self->m);
	machine_hook(self->m);
	EXPECT_EQ(RWX, get_access(self->m, self->gpa));
	EXPECT_EQ(0, switch_event(self->m, self->m->vcpus - 1, 1));
	machine_wait_counting(self->m);
	EXPECT_EQ(0, vcpu_ping(self->m, 0));
	EXPECT_EQ(0, self->m->nstashed);
}

TEST_F(page, a_tool_that_dies_stops_nobody)
{
	struct message event;

	machine_start(self->m);
	EXPECT_EQ(0, set_access(self->m, self->gpa, 0));
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_R);
	close(self->m->tool);
	/* Whoever is first notices it in another way. */
	EXPECT_NE(0, wait_for_broken(self->m->control));
	machine_wait_counting(self->m);
	EXPECT_EQ(0, ioctl(self->m->control, KVM_INTROSPECTION_UNHOOK));
	machine_wait_counting(self->m);
	self->m->tool = dup(0);
}

/* Hooked and unhooked, or with the tool gone, while events are under way. */
TEST_F(page, storm)
{
	uint64_t code = addr_gva2gpa(self->m->vm, (vm_vaddr_t)guest_count);
	struct machine *m = self->m;
	struct message event;
	int i, round;

	machine_start(m);
	for (round = 0; round < 40; round++) {
		for (i = 0; i < m->vcpus; i++)
			EXPECT_EQ(0, set_access(m, counter_gpa(&m->cpu[i]), round & 1 ? RX : 0));
		if (round & 4)
			EXPECT_EQ(0, set_access(m, code, RW));
		for (i = 0; i < round % 7 * m->vcpus; i++) {
			next_event(m, &event);
			answer_pf(m, &event, i % 5 ? KVMI_EVENT_ACTION_CONTINUE :
						     KVMI_EVENT_ACTION_RETRY, NULL);
		}
		if (round & 2) {
			shutdown(m->tool, SHUT_RDWR);
			machine_wait_counting(m);
		}
		machine_unhook(m);
		if (round & 8)
			machine_wait_counting(m);
		machine_hook(m);
		for (i = 0; i < m->vcpus; i++)
			EXPECT_EQ(0, switch_event(m, i, 1));
	}
	machine_wait_counting(m);
	EXPECT_EQ(0, m->nstashed);
}

TEST_F(page, crash_stops_the_vm)
{
	struct message event;

	machine_start(self->m);
	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CRASH, NULL);
	wait_until(READ_ONCE(self->cpu->exits));
	EXPECT_EQ(KVM_EXIT_SYSTEM_EVENT, self->cpu->vcpu->run->exit_reason);
	EXPECT_EQ(KVM_SYSTEM_EVENT_CRASH, self->cpu->vcpu->run->system_event.type);
}

TEST_F(page, wrong_answers_end_the_connection)
{
	struct kvmi_event_pf_reply wrong[] = {
		{ .padding = 1 }, { .rep_complete = 2 }, { .ctx_size = KVMI_CTX_DATA_SIZE + 1 },
		{ .singlestep = 2 }, { .ctx_size = ~0u },
	};
	struct message event;
	int i;

	machine_start(self->m);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
		expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
		answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, &wrong[i]);
		EXPECT_TRUE(tool_sees_the_end(self->m->tool));
		machine_wait_counting(self->m);
		machine_unhook(self->m);
		machine_hook(self->m);
		EXPECT_EQ(0, switch_event(self->m, self->m->vcpus - 1, 1));
	}
	/* One without its data. */
	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	answer(self->m, &event, KVMI_EVENT_ACTION_CONTINUE);
	EXPECT_TRUE(tool_sees_the_end(self->m->tool));
}

TEST_F(page, allow_lists_hold)
{
	struct kvm_introspection_allow allow = {
		.commands = ~0ull, .events = ~BIT(KVMI_EVENT_PF),
	};
	struct machine *m = self->m;

	machine_start(m);
	machine_unhook(m);
	ASSERT_EQ(0, ioctl(m->control, KVM_INTROSPECTION_ALLOW, &allow));
	machine_hook(m);
	EXPECT_EQ(-EPERM, switch_event(m, 0, 1));
	EXPECT_EQ(-EPERM, set_access(m, self->gpa, RX));
	EXPECT_EQ(RWX, get_access(m, self->gpa));

	allow = (struct kvm_introspection_allow){
		.commands = ~BIT(KVMI_SET_PAGE_ACCESS), .events = ~0ull,
	};
	machine_unhook(m);
	ASSERT_EQ(0, ioctl(m->control, KVM_INTROSPECTION_ALLOW, &allow));
	machine_hook(m);
	EXPECT_EQ(0, switch_event(m, 0, 1));
	EXPECT_EQ(-EPERM, set_access(m, self->gpa, RX));
	machine_wait_counting(m);
}

TEST_F(page, arguments_are_checked)
{
	struct {
		struct kvmi_set_page_access arg;
		struct kvmi_page_access_entry entry[2];
	} set = { .arg = { .count = 2 } };
	struct {
		struct kvmi_get_page_access arg;
		uint64_t gpa[2];
	} get = { .arg = { .count = 2 } };
	uint8_t out[2];
	struct machine *m = self->m;

#define SET(size)	tool_command_in(m, KVMI_SET_PAGE_ACCESS, &set, size, NULL, 0)
#define GET(size)	tool_command_in(m, KVMI_GET_PAGE_ACCESS, &get, size, out, 2)
	EXPECT_EQ(-EINVAL, SET(sizeof(set) - 1));
	EXPECT_EQ(-EINVAL, SET(sizeof(set.arg)));
	EXPECT_EQ(-EINVAL, SET(sizeof(set.arg) - 1));
	EXPECT_EQ(-EINVAL, GET(sizeof(get) - 8));
	set.arg.view = 1;
	EXPECT_EQ(-EINVAL, SET(sizeof(set)));
	set.arg.view = 0;
	set.arg.padding = 1;
	EXPECT_EQ(-EINVAL, SET(sizeof(set)));
	set.arg.padding = 0;
	set.arg.count = 0xffff;
	EXPECT_EQ(-EINVAL, SET(sizeof(set)));
	set.arg.count = 2;
	get.arg.view = 1;
	EXPECT_EQ(-EINVAL, GET(sizeof(get)));
	get.arg.view = 0;

	/* The first entry counts although the second one is wrong. */
	set.entry[0].gpa = self->gpa;
	set.entry[0].access = RX;
	set.entry[1].access = 8;
	EXPECT_EQ(-EINVAL, SET(sizeof(set)));
	EXPECT_EQ(RX, get_access(m, self->gpa));
	set.entry[1].access = RWX;
	set.entry[1].padding3 = 1;
	EXPECT_EQ(-EINVAL, SET(sizeof(set)));
	set.entry[1].padding3 = 0;
	set.entry[1].gpa = ~0ull;
	EXPECT_EQ(-EINVAL, SET(sizeof(set)));
	set.entry[1].gpa = self->gpa + 1;
	EXPECT_EQ(0, SET(sizeof(set)));
	EXPECT_EQ(RWX, get_access(m, self->gpa));
}

static void __aligned(256) guest_write_star(uint64_t *counter)
{
	for (;;)
		wrmsr(MSR_STAR, ++*counter << 32);
}

/* Each instruction is asked for once, and each write once, behind it. */
TEST(a_watched_register_may_be_written_in_a_watched_page)
{
	struct kvmi_control_msr arg = { .enable = 1, .msr = MSR_STAR };
	struct machine *m = machine_create(1, guest_write_star);
	uint64_t rip, asked, gpa;
	struct message event;
	int writes = 0;

	gpa = addr_gva2gpa(m->vm, (vm_vaddr_t)guest_write_star);
	machine_start(m);
	TEST_ASSERT_EQ(switch_event(m, 0, 1), 0);
	TEST_ASSERT_EQ(set_access(m, gpa, RW), 0);
	expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_X);
	TEST_ASSERT_EQ(control_events(m, 0, KVMI_EVENT_MSR, 1), 0);
	TEST_ASSERT_EQ(command(m, KVMI_CONTROL_MSR, 0, &arg, sizeof(arg), NULL, 0), 0);
	while (writes < 5) {
		asked = event.event.arch.regs.rip;
		answer_pf(m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
		next_event(m, &event);
		rip = event.event.arch.regs.rip;
		if (event.event.event == KVMI_EVENT_MSR) {
			struct kvmi_event_msr *msr = own_part(&event, KVMI_EVENT_MSR, sizeof(*msr));

			EXPECT_EQ(asked, rip);
			EXPECT_EQ(cpu_count(&m->cpu[0]) << 32, msr->new_value);
			answer_sized(m, &event, KVMI_EVENT_ACTION_CONTINUE, msr->new_value, 8);
			next_event(m, &event);
			EXPECT_EQ(rip + 2, event.event.arch.regs.rip);
			writes++;
		}
		EXPECT_EQ(KVMI_EVENT_PF, event.event.event);
		EXPECT_NE(asked, event.event.arch.regs.rip);
	}
	machine_destroy(m);
}

static void guest_copy(uint8_t *where)
{
	for (;;) {
		uint64_t count = 16;
		uint8_t *to = where;

		asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(1) : "memory");
		where[64]++;
	}
}

TEST(string_instructions_ask_for_each_byte_or_once)
{
	struct kvmi_event_pf_reply once = { .rep_complete = 1 };
	struct machine *m = machine_create(1, guest_copy);
	uint64_t gpa = counter_gpa(&m->cpu[0]);
	struct message event;
	int i;

	switch_event_first(m, 0);
	EXPECT_EQ(0, set_access(m, gpa, RX));
	cpu_start(&m->cpu[0]);
	for (i = 0; i < 16; i++) {
		expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
		EXPECT_EQ((gpa & ~0xfffull) + i, pf_of(&event)->gpa);
		answer_pf(m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	}
	/* That of the increment. */
	expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ((gpa & ~0xfffull) + 64, pf_of(&event)->gpa);
	answer_pf(m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);

	expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ(gpa & ~0xfffull, pf_of(&event)->gpa);
	answer_pf(m, &event, KVMI_EVENT_ACTION_CONTINUE, &once);
	expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ((gpa & ~0xfffull) + 64, pf_of(&event)->gpa);
	machine_destroy(m);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	return test_harness_run(argc, argv);
}
