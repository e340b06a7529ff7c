// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: commands for vCPUs, and pausing them.
 */
#include "kvmi_vcpu.h"

FIXTURE(vcpu) {
	struct machine *m;
};

FIXTURE_VARIANT(vcpu) {
	int vcpus;
};

FIXTURE_VARIANT_ADD(vcpu, one) {
	.vcpus = 1,
};

FIXTURE_VARIANT_ADD(vcpu, four) {
	.vcpus = 4,
};

FIXTURE_SETUP(vcpu)
{
	self->m = machine_create(variant->vcpus, guest_count);
}

FIXTURE_TEARDOWN(vcpu)
{
	machine_destroy(self->m);
}

static int get_registers(struct machine *m, uint16_t vcpu,
			 struct kvmi_get_registers_reply *reply)
{
	struct kvmi_get_registers arg = {};

	return command(m, KVMI_GET_REGISTERS, vcpu, &arg, sizeof(arg), reply, sizeof(*reply));
}

static int get_msrs(struct machine *m, uint16_t vcpu, uint16_t nmsrs, uint16_t sent,
		    uint32_t index, struct message *reply)
{
	struct {
		struct kvmi_get_registers arg;
		uint32_t index[1000];
	} arg = { .arg.nmsrs = nmsrs };
	int i;

	for (i = 0; i < sent; i++)
		arg.index[i] = index;
	return command_raw(m, KVMI_GET_REGISTERS, vcpu, &arg, sizeof(arg.arg) + sent * 4, reply);
}

static uint64_t translate(struct machine *m, uint16_t vcpu, uint64_t gva)
{
	struct kvmi_vcpu_translate_gva arg = { .gva = gva };
	struct kvmi_vcpu_translate_gva_reply reply = {};

	TEST_ASSERT_EQ(command(m, KVMI_VCPU_TRANSLATE_GVA, vcpu, &arg, sizeof(arg), &reply,
			       sizeof(reply)), 0);
	return reply.gpa;
}

TEST_F(vcpu, get_vcpu_info)
{
	struct kvmi_get_vcpu_info_reply reply;
	uint64_t khz = __vcpu_ioctl(self->m->cpu[0].vcpu, KVM_GET_TSC_KHZ, NULL);
	int i;

	machine_start(self->m);
	for (i = 0; i < self->m->vcpus; i++) {
		EXPECT_EQ(0, command(self->m, KVMI_GET_VCPU_INFO, i, NULL, 0, &reply,
				     sizeof(reply)));
		EXPECT_EQ(khz * 1000, reply.tsc_speed);
	}
}

TEST_F(vcpu, get_registers)
{
	struct kvmi_get_registers_reply reply;
	int i;

	machine_start(self->m);
	for (i = 0; i < self->m->vcpus; i++) {
		memset(&reply, 0xff, sizeof(reply));
		EXPECT_EQ(0, get_registers(self->m, i, &reply));
		EXPECT_EQ(8, reply.mode);
		EXPECT_EQ(0, reply.padding);
		EXPECT_EQ(MAGIC, reply.regs.r12);
		EXPECT_EQ(self->m->cpu[i].counter_gva, reply.regs.rdi);
		EXPECT_EQ(self->m->vm->pgd, reply.sregs.cr3);
		EXPECT_TRUE(reply.sregs.efer & EFER_LMA);
		EXPECT_EQ(0, reply.msrs.nmsrs);
	}
}

TEST_F(vcpu, get_registers_with_msrs)
{
	struct kvmi_get_registers_reply *reply;
	struct message message;
	int i;

	machine_start(self->m);
	/* As many as fit into a message. */
	ASSERT_EQ(0, get_msrs(self->m, 0, 481, 481, MSR_EFER, &message));
	ASSERT_EQ(8 + 472 + 481 * 16, message.hdr.size);
	reply = (void *)message.reply.data;
	EXPECT_EQ(481, reply->msrs.nmsrs);
	for (i = 0; i < 481; i++) {
		EXPECT_EQ(MSR_EFER, reply->msrs.entries[i].index);
		EXPECT_EQ(reply->sregs.efer, reply->msrs.entries[i].data);
	}
	EXPECT_EQ(-EINVAL, get_msrs(self->m, 0, 482, 482, MSR_EFER, &message));
	EXPECT_EQ(-EINVAL, get_msrs(self->m, 0, 2, 1, MSR_EFER, &message));
	EXPECT_EQ(-EINVAL, get_msrs(self->m, 0, 1, 2, MSR_EFER, &message));
	EXPECT_EQ(-EINVAL, get_msrs(self->m, 0, 0xffff, 1000, MSR_EFER, &message));
	EXPECT_EQ(-EINVAL, get_msrs(self->m, 0, 1, 1, 0xdeadbeef, &message));
}

TEST_F(vcpu, get_cpuid)
{
	struct kvmi_get_cpuid arg = { .function = 1 };
	struct kvmi_get_cpuid_reply reply;
	int i;

	machine_start(self->m);
	for (i = 0; i < self->m->vcpus; i++) {
		const struct kvm_cpuid_entry2 *entry;

		entry = get_cpuid_entry(self->m->cpu[i].vcpu->cpuid, 1, 0);
		EXPECT_EQ(0, command(self->m, KVMI_GET_CPUID, i, &arg, sizeof(arg), &reply,
				     sizeof(reply)));
		EXPECT_EQ(entry->eax, reply.eax);
		EXPECT_EQ(entry->ebx, reply.ebx);
		EXPECT_EQ(entry->edx, reply.edx);
	}
	arg.function = 0x12345678;
	EXPECT_EQ(-ENOENT, command(self->m, KVMI_GET_CPUID, 0, &arg, sizeof(arg), &reply,
				   sizeof(reply)));
}

/* What the guest has in its FPU at that moment, not what was last saved. */
TEST_F(vcpu, get_xsave)
{
	struct message message;
	int i;

	machine_start(self->m);
	for (i = 0; i < self->m->vcpus; i++) {
		ASSERT_EQ(0, command_raw(self->m, KVMI_GET_XSAVE, i, NULL, 0, &message));
		ASSERT_LE(8 + 4096, message.hdr.size);
		EXPECT_EQ(MAGIC, *(uint64_t *)(message.reply.data + 160 + 7 * 16));
	}
	/* And it is still there. */
	machine_wait_counting(self->m);
	ASSERT_EQ(0, command_raw(self->m, KVMI_GET_XSAVE, 0, NULL, 0, &message));
	EXPECT_EQ(MAGIC, *(uint64_t *)(message.reply.data + 160 + 7 * 16));
}

TEST_F(vcpu, get_xcr)
{
	struct kvmi_vcpu_get_xcr arg = {};
	struct kvmi_vcpu_get_xcr_reply reply = {};
	struct kvm_xcrs xcrs;

	vcpu_xcrs_get(self->m->cpu[0].vcpu, &xcrs);
	machine_start(self->m);
	EXPECT_EQ(0, command(self->m, KVMI_VCPU_GET_XCR, 0, &arg, sizeof(arg), &reply,
			     sizeof(reply)));
	EXPECT_EQ(xcrs.xcrs[0].value, reply.value);
	EXPECT_TRUE(reply.value & 1);
	arg.xcr = 1;
	EXPECT_EQ(-EINVAL, command(self->m, KVMI_VCPU_GET_XCR, 0, &arg, sizeof(arg), NULL, 0));
	arg.xcr = 0;
	arg.padding[6] = 1;
	EXPECT_EQ(-EINVAL, command(self->m, KVMI_VCPU_GET_XCR, 0, &arg, sizeof(arg), NULL, 0));
}

TEST_F(vcpu, translate_gva)
{
	struct machine *m = self->m;
	int i;

	machine_start(m);
	for (i = 0; i < m->vcpus; i++) {
		EXPECT_EQ(addr_gva2gpa(m->vm, m->cpu[i].counter_gva),
			  translate(m, i, m->cpu[i].counter_gva));
		EXPECT_EQ(addr_gva2gpa(m->vm, m->cpu[i].counter_gva) + 0x123,
			  translate(m, i, m->cpu[i].counter_gva + 0x123));
		EXPECT_EQ(~0ull, translate(m, i, 1ull << 40));
	}
}

/* A page that is the user's, in all four levels of the guest's page tables. */
static vm_vaddr_t user_page(struct kvm_vm *vm)
{
	vm_vaddr_t gva = vm_vaddr_alloc_page(vm);
	uint64_t table = vm->pgd, *entry;
	int shift;

	for (shift = 39; shift >= 12; shift -= 9) {
		entry = (uint64_t *)addr_gpa2hva(vm, table) + (gva >> shift & 511);
		*entry |= BIT(2);
		table = *entry & GENMASK_ULL(51, 12);
	}
	return gva;
}

TEST_F(vcpu, smap_hides_nothing)
{
	struct machine *m = self->m;
	vm_vaddr_t gva = user_page(m->vm);
	struct kvm_sregs sregs;
	int i;

	TEST_REQUIRE(kvm_cpu_has(X86_FEATURE_SMAP));
	for (i = 0; i < m->vcpus; i++) {
		vcpu_sregs_get(m->cpu[i].vcpu, &sregs);
		sregs.cr4 |= X86_CR4_SMAP;
		vcpu_sregs_set(m->cpu[i].vcpu, &sregs);
	}
	machine_start(m);
	for (i = 0; i < m->vcpus; i++) {
		EXPECT_EQ(addr_gva2gpa(m->vm, gva), translate(m, i, gva));
		EXPECT_EQ(addr_gva2gpa(m->vm, m->cpu[i].counter_gva),
			  translate(m, i, m->cpu[i].counter_gva));
	}
}

TEST_F(vcpu, wrong_arguments_are_refused)
{
	struct kvmi_pause_vcpu pause[] = {
		{ .wait = 2 }, { .padding1 = 1 }, { .padding2 = 1 }, { .padding3 = 1 },
	};
	struct kvmi_get_registers registers[] = { { .padding1 = 1 }, { .padding2 = 1 } };
	struct kvmi_vcpu_hdr hdr[] = { { .padding1 = 1 }, { .padding2 = 1 } };
	uint8_t data[200] = {};
	int i;

	machine_start(self->m);
	EXPECT_EQ(-EINVAL, vcpu_ping(self->m, self->m->vcpus));
	EXPECT_EQ(-EINVAL, vcpu_ping(self->m, 0xffff));
	EXPECT_EQ(-EINVAL, pause_vcpu(self->m, self->m->vcpus, 0));
	for (i = 0; i < ARRAY_SIZE(pause); i++)
		EXPECT_EQ(-EINVAL, command(self->m, KVMI_PAUSE_VCPU, 0, &pause[i], 8, NULL, 0));
	for (i = 0; i < ARRAY_SIZE(registers); i++)
		EXPECT_EQ(-EINVAL, command(self->m, KVMI_GET_REGISTERS, 0, &registers[i], 8,
					   NULL, 0));
	for (i = 0; i < ARRAY_SIZE(hdr); i++)
		EXPECT_EQ(-EINVAL, tool_command(self->m->tool, KVMI_GET_VCPU_INFO, &hdr[i],
						sizeof(hdr[i]), NULL, 0));
	EXPECT_EQ(-EINVAL, tool_command(self->m->tool, KVMI_GET_VCPU_INFO, data, 7, NULL, 0));
	EXPECT_EQ(-EINVAL, command(self->m, KVMI_GET_VCPU_INFO, 0, data, 1, NULL, 0));
	EXPECT_EQ(-EINVAL, command(self->m, KVMI_SET_REGISTERS, 0, data, 143, NULL, 0));
	EXPECT_EQ(-EINVAL, command(self->m, KVMI_GET_REGISTERS, 0, data, 7, NULL, 0));
	EXPECT_EQ(0, vcpu_ping(self->m, 0));
}

TEST_F(vcpu, control_events)
{
	struct kvmi_control_events arg = { .event_id = KVMI_EVENT_PAUSE_VCPU, .enable = 1 };

	machine_start(self->m);
	EXPECT_EQ(0, command(self->m, KVMI_CONTROL_EVENTS, 0, &arg, sizeof(arg), NULL, 0));
	arg.enable = 2;
	EXPECT_EQ(-EINVAL, command(self->m, KVMI_CONTROL_EVENTS, 0, &arg, sizeof(arg), NULL, 0));
	arg.enable = 0;
	EXPECT_EQ(0, command(self->m, KVMI_CONTROL_EVENTS, 0, &arg, sizeof(arg), NULL, 0));
	arg.event_id = 12;
	EXPECT_EQ(-ENOENT, command(self->m, KVMI_CONTROL_EVENTS, 0, &arg, sizeof(arg), NULL, 0));
	/* Events of the VM and of vCPUs have a command each. */
	arg.event_id = KVMI_EVENT_UNHOOK;
	EXPECT_EQ(-EINVAL, command(self->m, KVMI_CONTROL_EVENTS, 0, &arg, sizeof(arg), NULL, 0));
	arg.event_id = KVMI_EVENT_PAUSE_VCPU;
	EXPECT_EQ(-EINVAL, tool_command(self->m->tool, KVMI_CONTROL_VM_EVENTS, &arg, sizeof(arg),
					NULL, 0));
}

TEST_F(vcpu, pause_stops_it_until_it_is_answered)
{
	struct message events[MAX_VCPUS];
	struct machine *m = self->m;
	int i;

	machine_start(m);
	pause_all(m, events);
	for (i = 0; i < m->vcpus; i++) {
		const struct kvmi_event *event = &events[i].event;
		struct kvmi_get_registers_reply registers;

		EXPECT_EQ(544, events[i].hdr.size);
		EXPECT_EQ(544, event->size);
		EXPECT_EQ(i, event->vcpu);
		EXPECT_EQ(KVMI_EVENT_PAUSE_VCPU, event->event);
		EXPECT_EQ(0, event->padding[0] | event->padding[1] | event->padding[2]);
		EXPECT_EQ(8, event->arch.mode);
		EXPECT_EQ(MAGIC, event->arch.regs.r12);
		EXPECT_EQ(event->arch.sregs.efer, event->arch.msrs.efer);
		EXPECT_TRUE(cpu_stands_still(&m->cpu[i]));
		/* It still does what it is told. */
		EXPECT_EQ(0, get_registers(m, i, &registers));
		EXPECT_EQ(0, memcmp(&registers.regs, &event->arch.regs, sizeof(registers.regs)));
		EXPECT_TRUE(cpu_stands_still(&m->cpu[i]));
	}
	for (i = 0; i < m->vcpus; i++) {
		answer(m, &events[i], KVMI_EVENT_ACTION_CONTINUE);
		cpu_wait_counting(&m->cpu[i]);
	}
	EXPECT_EQ(m->vcpus, vm_get_stat(m->vm, "introspection_events"));
}

TEST_F(vcpu, pause_that_waits_is_answered_outside_of_the_guest)
{
	struct machine *m = self->m;
	struct message event;
	uint64_t before;
	int i, round;

	machine_start(m);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < m->vcpus; i++) {
			EXPECT_EQ(0, pause_vcpu(m, i, 1));
			before = cpu_count(&m->cpu[i]);
			next_event(m, &event);
			EXPECT_EQ(before, cpu_count(&m->cpu[i]));
			answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
			cpu_wait_counting(&m->cpu[i]);
		}
	}
}

TEST_F(vcpu, pauses_are_counted_and_come_one_by_one)
{
	struct machine *m = self->m;
	struct message event;
	uint32_t seq = 0;
	int i;

	machine_start(m);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, pause_vcpu(m, 0, 0));
	for (i = 0; i < 3; i++) {
		next_event(m, &event);
		EXPECT_LT(seq, event.hdr.seq);
		seq = event.hdr.seq;
		/* It waits with this one, and sends no other. */
		EXPECT_EQ(0, vcpu_ping(m, 0));
		EXPECT_EQ(0, m->nstashed);
		EXPECT_TRUE(cpu_stands_still(&m->cpu[0]));
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	}
	cpu_wait_counting(&m->cpu[0]);
	EXPECT_EQ(0, vcpu_ping(m, 0));
	EXPECT_EQ(0, m->nstashed);
}

/* Count somewhere else: with the answer right behind, which must not overtake it. */
TEST_F(vcpu, registers_may_be_set_while_it_waits)
{
	struct machine *m = self->m;
	vm_vaddr_t gva = vm_vaddr_alloc_page(m->vm);
	uint64_t *other = addr_gva2hva(m->vm, gva);
	struct message event, reply;
	struct kvm_regs regs;

	machine_start(m);
	EXPECT_EQ(0, pause_vcpu(m, 0, 1));
	next_event(m, &event);
	regs = event.event.arch.regs;
	regs.rdi = gva;
	send_command(m, KVMI_SET_REGISTERS, 0, &regs, sizeof(regs));
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	next_reply(m, &reply);
	EXPECT_EQ(KVMI_SET_REGISTERS, reply.hdr.id);
	EXPECT_EQ(0, reply.reply.code.err);
	wait_until(READ_ONCE(*other));
	EXPECT_TRUE(cpu_stands_still(&m->cpu[0]));
}

TEST_F(vcpu, registers_may_be_set_only_while_it_waits)
{
	struct machine *m = self->m;
	struct kvm_regs regs = {};
	struct message event;

	machine_start(m);
	EXPECT_EQ(-EOPNOTSUPP, command(m, KVMI_SET_REGISTERS, 0, &regs, sizeof(regs), NULL, 0));
	EXPECT_EQ(0, pause_vcpu(m, 0, 1));
	next_event(m, &event);
	/* Behind the answer it is too late, wherever the vCPU's thread is. */
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	EXPECT_EQ(-EOPNOTSUPP, command(m, KVMI_SET_REGISTERS, 0, &regs, sizeof(regs), NULL, 0));
	cpu_wait_counting(&m->cpu[0]);
}

TEST_F(vcpu, crash_ends_kvm_run)
{
	struct machine *m = self->m;
	struct kvm_run *run = m->cpu[0].vcpu->run;
	struct message event;
	int i;

	machine_start(m);
	EXPECT_EQ(0, pause_vcpu(m, 0, 0));
	next_event(m, &event);
	answer(m, &event, KVMI_EVENT_ACTION_CRASH);
	wait_until(READ_ONCE(m->cpu[0].exits));
	EXPECT_EQ(KVM_EXIT_SYSTEM_EVENT, run->exit_reason);
	EXPECT_EQ(KVM_SYSTEM_EVENT_CRASH, run->system_event.type);
	/* The VMM stops the others. */
	for (i = 1; i < m->vcpus; i++)
		cpu_wait_counting(&m->cpu[i]);
}

/* What libkvmi's tools do first. */
TEST_F(vcpu, pauses_without_replies)
{
	struct kvmi_control_cmd_response off = { .enable = 0 }, on = { .enable = 1, .now = 1 };
	struct kvmi_pause_vcpu pause = { .wait = 1 };
	struct machine *m = self->m;
	struct message reply, event;
	int i;

	machine_start(m);
	EXPECT_EQ(0, tool_command(m->tool, KVMI_CONTROL_CMD_RESPONSE, &off, sizeof(off), NULL, 0));
	for (i = 0; i < m->vcpus; i++)
		send_command(m, KVMI_PAUSE_VCPU, i, &pause, sizeof(pause));
	/* The vCPU's own thread knows, too. */
	send_command(m, KVMI_GET_VCPU_INFO, 0, NULL, 0);
	tool_send(m->tool, KVMI_CONTROL_CMD_RESPONSE, 77, &on, sizeof(on));
	next_reply(m, &reply);
	EXPECT_EQ(77, reply.hdr.seq);
	for (i = 0; i < m->vcpus; i++) {
		next_event(m, &event);
		answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	}
	machine_wait_counting(m);
	EXPECT_EQ(0, vcpu_ping(m, 0));
}

static void hook_with(struct machine *m, uint64_t commands, uint64_t events)
{
	struct kvm_introspection_allow allow = { .commands = commands, .events = events };

	machine_unhook(m);
	TEST_ASSERT(!ioctl(m->control, KVM_INTROSPECTION_ALLOW, &allow), "allow");
	machine_hook(m);
}

static int check(struct machine *m, int id, uint16_t what)
{
	struct kvmi_check_command arg = { .id = what };

	return tool_command(m->tool, id, &arg, sizeof(arg), NULL, 0);
}

TEST_F(vcpu, allow_lists_hold)
{
	static const struct {
		int id, size;
	} commands[] = {
		{ KVMI_GET_VCPU_INFO, 0 }, { KVMI_PAUSE_VCPU, 8 }, { KVMI_CONTROL_EVENTS, 8 },
		{ KVMI_GET_REGISTERS, 8 }, { KVMI_SET_REGISTERS, 144 }, { KVMI_GET_CPUID, 8 },
		{ KVMI_GET_XSAVE, 0 }, { KVMI_VCPU_TRANSLATE_GVA, 8 }, { KVMI_VCPU_GET_XCR, 8 },
	};
	struct kvmi_control_events events = { .event_id = KVMI_EVENT_PAUSE_VCPU, .enable = 1 };
	struct machine *m = self->m;
	uint8_t arg[144] = {};
	int i;

	machine_start(m);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		EXPECT_EQ(0, check(m, KVMI_CHECK_COMMAND, commands[i].id));
	EXPECT_EQ(0, check(m, KVMI_CHECK_EVENT, KVMI_EVENT_PAUSE_VCPU));
	hook_with(m, 0, ~0ull);
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		EXPECT_EQ(-EPERM, check(m, KVMI_CHECK_COMMAND, commands[i].id));
		EXPECT_EQ(-EPERM, command(m, commands[i].id, 0, arg, commands[i].size, NULL, 0));
	}
	EXPECT_EQ(0, check(m, KVMI_CHECK_EVENT, KVMI_EVENT_PAUSE_VCPU));
	/* A pause is its event. */
	hook_with(m, ~0ull, 0);
	EXPECT_EQ(-EPERM, check(m, KVMI_CHECK_EVENT, KVMI_EVENT_PAUSE_VCPU));
	EXPECT_EQ(-EPERM, check(m, KVMI_CHECK_COMMAND, KVMI_PAUSE_VCPU));
	EXPECT_EQ(-EPERM, pause_vcpu(m, 0, 0));
	EXPECT_EQ(-EPERM, command(m, KVMI_CONTROL_EVENTS, 0, &events, sizeof(events), NULL, 0));
	EXPECT_EQ(0, vcpu_ping(m, 0));
}

static uint64_t replies(const struct kvm_introspection_stats *stats, int first)
{
	uint64_t sum = 0;
	int i;

	for (i = first; i < KVM_INTROSPECTION_REPLY_HIST; i++)
		sum += stats->reply_hist[i];
	return sum;
}

/* It takes at least as long as the tool lets it wait; how much longer is the machine's affair. */
TEST_F(vcpu, statistics_tell_how_long_replies_took)
{
	struct kvmi_get_cpuid no_leaf = { .function = 0x12345678 };
	struct kvm_introspection_stats stats;
	struct message events[MAX_VCPUS];
	struct machine *m = self->m;
	int i;

	machine_start(m);
	EXPECT_EQ(0, vcpu_ping(m, 0));
	stats = guest_stats(m->vm, m->control);
	EXPECT_EQ(0, stats.errors);
	/* What the vCPU's own thread refuses is an error, too. */
	for (i = 0; i < m->vcpus; i++)
		EXPECT_EQ(-ENOENT, command(m, KVMI_GET_CPUID, i, &no_leaf, sizeof(no_leaf),
					   NULL, 0));
	stats = guest_stats(m->vm, m->control);
	EXPECT_EQ(m->vcpus, stats.errors);
	pause_all(m, events);
	stats = guest_stats(m->vm, m->control);
	EXPECT_EQ(m->vcpus, stats.events);
	EXPECT_EQ(0, replies(&stats, 0));
	/* 2^26 ns. */
	usleep(68000);
	for (i = 0; i < m->vcpus; i++)
		answer(m, &events[i], KVMI_EVENT_ACTION_CONTINUE);
	machine_wait_counting(m);
	stats = guest_stats(m->vm, m->control);
	EXPECT_EQ(m->vcpus, replies(&stats, 0));
	EXPECT_EQ(m->vcpus, replies(&stats, 27));
	/* And this one does not wait for the tool. */
	EXPECT_EQ(0, pause_vcpu(m, 0, 0));
	next_event(m, &events[0]);
	answer(m, &events[0], KVMI_EVENT_ACTION_CONTINUE);
	cpu_wait_counting(&m->cpu[0]);
	stats = guest_stats(m->vm, m->control);
	EXPECT_EQ(m->vcpus + 1, replies(&stats, 0));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	return test_harness_run(argc, argv);
}
