// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: vCPUs that do not run, and tools that go away, misbehave
 * or are cut off. Whatever happens, every vCPU goes on.
 */
#include <linux/userfaultfd.h>

#include "kvmi_vcpu.h"

#define MAX_JOBS	64
#define MAX_PAUSES	64

static void guest_halt(uint64_t *counter)
{
	for (;;) {
		asm volatile("cli; hlt");
		++*counter;
	}
}

FIXTURE(life) {
	struct machine *m;
};

FIXTURE_VARIANT(life) {
	int vcpus;
};

FIXTURE_VARIANT_ADD(life, one) {
	.vcpus = 1,
};

FIXTURE_VARIANT_ADD(life, four) {
	.vcpus = 4,
};

FIXTURE_SETUP(life)
{
	self->m = machine_create(variant->vcpus, guest_count);
}

FIXTURE_TEARDOWN(life)
{
	machine_destroy(self->m);
}

/* All ways to answer wrongly that there are; returns false when there is no such step. */
static bool answer_wrongly(struct machine *m, const struct message *event, int step)
{
	struct {
		struct kvmi_vcpu_hdr hdr;
		struct kvmi_event_reply reply;
		uint8_t more;
	} message = {
		.hdr.vcpu = event->event.vcpu,
		.reply.event = event->event.event,
	};
	int size = sizeof(message.hdr) + sizeof(message.reply);
	uint32_t seq = event->hdr.seq;

	switch (step) {
	case 0:
		seq++;
		break;
	case 1:
		seq = 0;
		break;
	case 2:
		message.hdr.vcpu = m->vcpus;
		break;
	case 3:
		message.hdr.vcpu = 0xffff;
		break;
	case 4:
		message.hdr.padding1 = 1;
		break;
	case 5:
		message.hdr.padding2 = 1;
		break;
	case 6:
		message.reply.event = KVMI_EVENT_UNHOOK;
		break;
	case 7:
		message.reply.event = 0xff;
		break;
	case 8:
		message.reply.action = KVMI_EVENT_ACTION_RETRY;
		break;
	case 9:
		message.reply.action = 3;
		break;
	case 10:
		message.reply.padding1 = 1;
		break;
	case 11:
		message.reply.padding2 = 1;
		break;
	case 12:
		size--;
		break;
	case 13:
		size++;
		break;
	case 14:
		size = 0;
		break;
	case 15: /* replayed: the first one is right */
		answer(m, event, KVMI_EVENT_ACTION_CONTINUE);
		break;
	case 16: /* of another vCPU, if there is one */
		message.hdr.vcpu = (event->event.vcpu + 1) % m->vcpus;
		if (m->vcpus == 1)
			seq++;
		break;
	default:
		return false;
	}
	tool_send(m->tool, KVMI_EVENT_REPLY, seq, &message, size);
	return true;
}

TEST_F(life, a_wrong_answer_ends_the_connection)
{
	struct message events[MAX_VCPUS];
	struct machine *m = self->m;
	int step;

	machine_start(m);
	for (step = 0; ; step++) {
		pause_all(m, events);
		if (!answer_wrongly(m, &events[0], step))
			break;
		EXPECT_EQ(EPROTO, wait_for_broken(m->control)) TH_LOG("step %d", step);
		machine_wait_counting(m);
		machine_unhook(m);
		machine_hook(m);
	}
	EXPECT_EQ(17, step);
}

/* An answer to a vCPU that waits for none. */
TEST_F(life, an_answer_to_nothing_ends_the_connection)
{
	struct message event = { .event.event = KVMI_EVENT_PAUSE_VCPU };

	machine_start(self->m);
	answer(self->m, &event, KVMI_EVENT_ACTION_CONTINUE);
	EXPECT_EQ(EPROTO, wait_for_broken(self->m->control));
	machine_wait_counting(self->m);
}

/* What a tool can have done when it dies; returns false when there is no such step. */
static bool die_after(struct machine *m, int step)
{
	struct kvmi_msg_hdr hdr = { .id = KVMI_EVENT_REPLY, .size = 16 };
	struct kvmi_pause_vcpu pause = {};
	struct message events[MAX_VCPUS];
	struct kvm_regs regs;
	int i;

	switch (step) {
	case 0:	/* asked for a pause, waited for nothing */
		for (i = 0; i < m->vcpus; i++)
			send_command(m, KVMI_PAUSE_VCPU, i, &pause, sizeof(pause));
		break;
	case 1: /* has the events */
		pause_all(m, events);
		break;
	case 2: /* has left more commands */
		pause_all(m, events);
		for (i = 0; i < 10; i++)
			send_command(m, KVMI_GET_XSAVE, 0, NULL, 0);
		break;
	case 3: /* has left more pauses */
		pause_all(m, events);
		for (i = 0; i < 10; i++)
			send_command(m, KVMI_PAUSE_VCPU, 0, &pause, sizeof(pause));
		break;
	case 4: /* half an answer */
		pause_all(m, events);
		hdr.seq = events[0].hdr.seq;
		send(m->tool, &hdr, sizeof(hdr), 0);
		break;
	case 5: /* an answer */
		pause_all(m, events);
		answer(m, &events[0], KVMI_EVENT_ACTION_CONTINUE);
		break;
	case 6: /* has set registers (to what they are) and not answered */
		pause_all(m, events);
		regs = events[0].event.arch.regs;
		send_command(m, KVMI_SET_REGISTERS, 0, &regs, sizeof(regs));
		break;
	default:
		return false;
	}
	return true;
}

TEST_F(life, the_tool_may_die_at_every_step)
{
	struct machine *m = self->m;
	int step, why;

	machine_start(m);
	for (step = 0; die_after(m, step); step++) {
		shutdown(m->tool, SHUT_RDWR);
		why = wait_for_broken(m->control);
		EXPECT_TRUE(why == EPIPE || why == ECONNRESET) TH_LOG("step %d: %d", step, why);
		machine_wait_counting(m);
		machine_unhook(m);
		machine_hook(m);
		EXPECT_EQ(0, vcpu_ping(m, 0)) TH_LOG("step %d", step);
	}
	EXPECT_EQ(7, step);
}

TEST_F(life, it_may_be_unhooked_at_every_step)
{
	struct machine *m = self->m;
	int step;

	machine_start(m);
	for (step = 0; die_after(m, step); step++) {
		machine_unhook(m);
		machine_wait_counting(m);
		machine_hook(m);
		/* Nothing of the last tool's is left to the next one. */
		EXPECT_EQ(0, vcpu_ping(m, 0)) TH_LOG("step %d", step);
		EXPECT_EQ(0, m->nstashed) TH_LOG("step %d", step);
	}
	EXPECT_EQ(7, step);
}

/* A process that has a VM and is killed while its vCPUs wait. */
TEST_F(life, the_vms_process_may_be_killed)
{
	struct message events[MAX_VCPUS];
	struct machine *m;
	int pair[2], i;
	pid_t pid;
	char c;

	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		pid = fork();
		if (!pid) {
			m = machine_create(variant->vcpus, guest_count);
			machine_start(m);
			pause_all(m, events);
			c = write(pair[1], "r", 1);
			pause();
		}
		ASSERT_EQ(1, read(pair[0], &c, 1));
		kill(pid, SIGKILL);
		EXPECT_EQ(pid, waitpid(pid, NULL, 0));
		close(pair[0]);
		close(pair[1]);
	}
}

TEST_F(life, a_tool_that_stops_reading_lets_the_guest_go_on)
{
	struct {
		struct kvmi_msg_hdr hdr;
		struct kvmi_vcpu_hdr vcpu;
	} message = {
		.hdr = { .id = KVMI_GET_XSAVE, .size = sizeof(message.vcpu) },
	};
	struct machine *m = self->m;

	machine_start(m);
	while (send(m->tool, &message, sizeof(message), MSG_DONTWAIT) == sizeof(message))
		;
	EXPECT_EQ(ETIMEDOUT, wait_for_broken(m->control));
	machine_wait_counting(m);
}

/* With a signal KVM_RUN ends; what the vCPU waited for, the next one waits for. */
TEST_F(life, signals_end_kvm_run_and_not_the_event)
{
	struct machine *m = self->m;
	struct cpu *cpu = &m->cpu[0];
	struct message event;
	uint64_t before;
	int i, signals;

	machine_start(m);
	EXPECT_EQ(0, pause_vcpu(m, 0, 1));
	next_event(m, &event);
	before = cpu_count(cpu);
	for (i = 0; i < 10; i++) {
		signals = READ_ONCE(cpu->signals);
		/* One that is on its way into KVM_RUN does not notice it. */
		while (READ_ONCE(cpu->signals) == signals) {
			pthread_kill(cpu->thread, SIGUSR1);
			usleep(1000);
		}
		EXPECT_TRUE(cpu_stands_still(cpu));
		EXPECT_EQ(0, vcpu_ping(m, 0));
		EXPECT_EQ(0, m->nstashed);
		EXPECT_EQ(before, cpu_count(cpu));
	}
	/* Out of KVM_RUN for as long as the VMM likes; the answer may come then. */
	cpu_stop(cpu);
	EXPECT_EQ(KVM_EXIT_INTR, cpu->vcpu->run->exit_reason);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	cpu_start(cpu);
	cpu_wait_counting(cpu);
	EXPECT_EQ(0, vcpu_ping(m, 0));
	EXPECT_EQ(0, m->nstashed);
}

TEST_F(life, it_may_be_unhooked_while_a_waiting_vcpu_is_in_user_space)
{
	struct machine *m = self->m;
	struct cpu *cpu = &m->cpu[0];
	struct message event;

	machine_start(m);
	EXPECT_EQ(0, pause_vcpu(m, 0, 1));
	next_event(m, &event);
	cpu_stop(cpu);
	machine_unhook(m);
	machine_hook(m);
	cpu_start(cpu);
	cpu_wait_counting(cpu);
}

/* vCPUs that nobody runs: what can be left with them is limited, and they do it later. */
TEST_F(life, a_vcpu_in_user_space_does_it_later)
{
	struct kvmi_pause_vcpu pause = {};
	struct machine *m = self->m;
	struct message message;
	uint32_t first = 0, seq;
	int i;

	for (i = 0; i < MAX_JOBS; i++) {
		seq = send_command(m, KVMI_GET_VCPU_INFO, 0, NULL, 0);
		if (!first)
			first = seq;
	}
	EXPECT_EQ(-EBUSY, vcpu_ping(m, 0));
	for (i = 0; i < MAX_PAUSES; i++)
		EXPECT_EQ(0, pause_vcpu(m, 0, 1));
	EXPECT_EQ(-EBUSY, command(m, KVMI_PAUSE_VCPU, 0, &pause, sizeof(pause), NULL, 0));
	EXPECT_EQ(0, cpu_count(&m->cpu[0]));

	cpu_start(&m->cpu[0]);
	for (i = 0; i < MAX_JOBS; i++) {
		next_reply(m, &message);
		EXPECT_EQ(first + i, message.hdr.seq);
	}
	for (i = 0; i < MAX_PAUSES; i++) {
		next_event(m, &message);
		EXPECT_EQ(0, cpu_count(&m->cpu[0]));
		answer(m, &message, KVMI_EVENT_ACTION_CONTINUE);
	}
	cpu_wait_counting(&m->cpu[0]);
	EXPECT_EQ(0, vcpu_ping(m, 0));
}

/* kmemleak would find what is not thrown away. */
TEST_F(life, what_was_left_to_a_vcpu_goes_with_the_connection)
{
	struct machine *m = self->m;
	int i, vcpu;

	for (vcpu = 0; vcpu < m->vcpus; vcpu++) {
		for (i = 0; i < MAX_JOBS; i++)
			send_command(m, KVMI_GET_VCPU_INFO, vcpu, NULL, 0);
		EXPECT_EQ(-EBUSY, vcpu_ping(m, vcpu));
	}
	machine_unhook(m);
	machine_hook(m);
	machine_start(m);
	EXPECT_EQ(0, vcpu_ping(m, 0));
	/* And once more, with the VM. */
	cpu_stop(&m->cpu[0]);
	for (i = 0; i < MAX_JOBS; i++)
		send_command(m, KVMI_GET_VCPU_INFO, 0, NULL, 0);
	EXPECT_EQ(-EBUSY, vcpu_ping(m, 0));
}

/* Pause and answer vCPUs that cannot run, and look whether they can afterwards. */
static void pause_what_cannot_run(struct machine *m, uint32_t mp_state)
{
	struct message events[MAX_VCPUS];
	struct kvm_mp_state state;
	int i, round;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < m->vcpus; i++)
			TEST_ASSERT_EQ(vcpu_ping(m, i), 0);
		pause_all(m, events);
		for (i = 0; i < m->vcpus; i++) {
			TEST_ASSERT_EQ(vcpu_ping(m, i), 0);
			answer(m, &events[i], KVMI_EVENT_ACTION_CONTINUE);
		}
	}
	for (i = 0; i < m->vcpus; i++) {
		TEST_ASSERT_EQ(vcpu_ping(m, i), 0);
		cpu_stop(&m->cpu[i]);
		vcpu_mp_state_get(m->cpu[i].vcpu, &state);
		TEST_ASSERT_EQ(state.mp_state, mp_state);
		TEST_ASSERT_EQ(cpu_count(&m->cpu[i]), 0);
	}
}

static void pause_halted_vcpus(int vcpus)
{
	struct machine *m = machine_create(vcpus, guest_halt);
	struct kvm_mp_state state;
	int i, delay = 1000;

	for (i = 0; i < m->vcpus; i++) {
		do {
			cpu_start(&m->cpu[i]);
			/* A thread on a busy machine may not get as far as that. */
			usleep(delay *= 2);
			cpu_stop(&m->cpu[i]);
			vcpu_mp_state_get(m->cpu[i].vcpu, &state);
		} while (state.mp_state != KVM_MP_STATE_HALTED);
		cpu_start(&m->cpu[i]);
	}
	pause_what_cannot_run(m, KVM_MP_STATE_HALTED);
	machine_destroy(m);
}

TEST(halted_vcpus_stay_halted)
{
	pause_halted_vcpus(1);
	pause_halted_vcpus(4);
}

TEST_F(life, a_vcpu_that_waits_for_its_sipi_goes_on_waiting)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_UNINITIALIZED };
	struct machine *m = self->m;
	int i;

	for (i = 0; i < m->vcpus; i++) {
		vcpu_mp_state_set(m->cpu[i].vcpu, &state);
		cpu_start(&m->cpu[i]);
	}
	pause_what_cannot_run(m, KVM_MP_STATE_UNINITIALIZED);
}

/* A vCPU's thread that waits for a page of a page table, which the VMM gives only after unhook. */
TEST_F(life, unhook_does_not_wait_for_a_page_table)
{
	struct kvmi_vcpu_translate_gva arg = { .gva = 1ull << 42 };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct machine *m = self->m;
	struct uffdio_zeropage zero = {};
	struct uffd_msg msg;
	void *table;

	if (uffd < 0)
		SKIP(return, "no userfaultfd");
	virt_pg_map(m->vm, arg.gva, addr_gva2gpa(m->vm, m->cpu[0].counter_gva));
	table = (void *)((uintptr_t)vm_get_page_table_entry(m->vm, arg.gva) & ~0xffful);
	reg.range = (struct uffdio_range){ (uintptr_t)table, 4096 };
	zero.range = reg.range;
	machine_start(m);
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	ASSERT_EQ(0, madvise(table, 4096, MADV_DONTNEED));
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));

	send_command(m, KVMI_VCPU_TRANSLATE_GVA, 0, &arg, sizeof(arg));
	ASSERT_EQ(sizeof(msg), read(uffd, &msg, sizeof(msg)));
	machine_unhook(m);
	machine_hook(m);
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_ZEROPAGE, &zero));
	cpu_wait_counting(&m->cpu[0]);
	/* The late answer is for nobody. */
	EXPECT_EQ(0, vcpu_ping(m, 0));
	close(uffd);
}

/* Pauses, answers and commands at once, cut off anywhere. */
TEST_F(life, storm)
{
	struct kvmi_pause_vcpu pause = {};
	struct machine *m = self->m;
	struct message message;
	int i, round;

	machine_start(m);
	for (round = 0; round < 100; round++) {
		for (i = 0; i < m->vcpus * 8; i++) {
			send_command(m, KVMI_PAUSE_VCPU, i % m->vcpus, &pause, sizeof(pause));
			send_command(m, KVMI_GET_XSAVE, i % m->vcpus, NULL, 0);
		}
		for (i = 0; i < round; i++) {
			receive(m, &message);
			if (message.hdr.id == KVMI_EVENT)
				answer(m, &message, KVMI_EVENT_ACTION_CONTINUE);
			if (i == m->vcpus * 8)
				break;
		}
		if (round % 2)
			shutdown(m->tool, SHUT_RDWR);
		machine_unhook(m);
		machine_wait_counting(m);
		machine_hook(m);
	}
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	return test_harness_run(argc, argv);
}
