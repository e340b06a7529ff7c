// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: the state of the guest's FPU, its MTRRs, its memory slots,
 * and vCPUs that come later.
 */
#include "kvmi_vcpu.h"

#define MTRR_ENABLE		BIT(11)
#define MTRR_FIXED_ENABLE	BIT(10)
#define MTRR_VALID		BIT(11)
#define MTRR_BASE(n)		(0x200 + 2 * (n))
#define MTRR_MASK(n)		(0x201 + 2 * (n))
#define MTRR_FIX64K		0x250
#define MTRR_FIX16K		0x258
#define MTRR_FIX4K		0x268
#define MTRR_DEF_TYPE		0x2ff
#define UC			0
#define WC			1
#define WT			4
#define WP			5
#define WB			6

/* Where the area has what the tests change. */
#define XSAVE_MXCSR		24
#define XSAVE_XMM7		(160 + 7 * 16)
#define XSAVE_XSTATE_BV		512
#define XSAVE_XCOMP_BV		520
#define XSAVE_RESERVED		528

/* Count, and tell what is in xmm7. */
static void guest_tell(uint64_t *page)
{
	asm volatile("movq %[magic], %%xmm7\n\t"
		     "1: movq %%xmm7, 8(%%rdi)\n\t"
		     "incq (%%rdi)\n\t"
		     "jmp 1b"
		     : : "D"(page), [magic] "r"(MAGIC) : "memory");
}

FIXTURE(state) {
	struct machine *m;
};

FIXTURE_VARIANT(state) {
	int vcpus;
};

FIXTURE_VARIANT_ADD(state, one) {
	.vcpus = 1,
};

FIXTURE_VARIANT_ADD(state, four) {
	.vcpus = 4,
};

FIXTURE_SETUP(state)
{
	self->m = machine_create(variant->vcpus, guest_tell);
}

FIXTURE_TEARDOWN(state)
{
	machine_destroy(self->m);
}

/* The area, and how large it is. */
static int get_xsave(struct machine *m, int vcpu, struct message *reply)
{
	TEST_ASSERT_EQ(command_raw(m, KVMI_GET_XSAVE, vcpu, NULL, 0, reply), 0);
	return reply->hdr.size - sizeof(reply->reply.code);
}

static int set_xsave(struct machine *m, int vcpu, const void *area, int size)
{
	return command(m, KVMI_VCPU_SET_XSAVE, vcpu, area, size, NULL, 0);
}

static uint64_t guest_sees(struct cpu *cpu)
{
	cpu_wait_counting(cpu);
	cpu_wait_counting(cpu);
	return READ_ONCE(cpu->counter[1]);
}

static void put(struct message *reply, int offset, uint64_t value)
{
	memcpy(reply->reply.data + offset, &value, sizeof(value));
}

TEST_F(state, set_xsave)
{
	struct machine *m = self->m;
	struct message before, after;
	int i, size;

	machine_start(m);
	for (i = 0; i < m->vcpus; i++) {
		EXPECT_EQ(MAGIC, guest_sees(&m->cpu[i]));
		size = get_xsave(m, i, &before);
		put(&before, XSAVE_XMM7, MAGIC + i + 1);
		EXPECT_EQ(0, set_xsave(m, i, before.reply.data, size));
		EXPECT_EQ(MAGIC + i + 1, guest_sees(&m->cpu[i]));
		/* All the rest is as it was. */
		ASSERT_EQ(size, get_xsave(m, i, &after));
		EXPECT_EQ(0, memcmp(before.reply.data, after.reply.data, size));
	}
	/* Nobody has another one's. */
	for (i = 0; i < m->vcpus; i++)
		EXPECT_EQ(MAGIC + i + 1, guest_sees(&m->cpu[i]));
}

TEST_F(state, set_xsave_while_it_waits)
{
	struct machine *m = self->m;
	struct message event, area;
	int size;

	machine_start(m);
	EXPECT_EQ(0, pause_vcpu(m, 0, 1));
	next_event(m, &event);
	size = get_xsave(m, 0, &area);
	put(&area, XSAVE_XMM7, 77);
	EXPECT_EQ(0, set_xsave(m, 0, area.reply.data, size));
	EXPECT_TRUE(cpu_stands_still(&m->cpu[0]));
	EXPECT_EQ(MAGIC, READ_ONCE(m->cpu[0].counter[1]));
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	EXPECT_EQ(77, guest_sees(&m->cpu[0]));
}

TEST_F(state, a_bad_xsave_area_is_refused)
{
	static const struct {
		int offset;
		uint64_t value;
	} wrong[] = {
		{ XSAVE_XSTATE_BV, BIT(62) | 3 }, { XSAVE_XSTATE_BV, BIT(63) | 3 },
		{ XSAVE_XCOMP_BV, BIT(63) }, { XSAVE_XCOMP_BV, 1 },
		{ XSAVE_RESERVED, 1 }, { XSAVE_MXCSR, 0xffffffff },
	};
	struct machine *m = self->m;
	struct message good, area;
	int i, size;

	machine_start(m);
	size = get_xsave(m, 0, &good);
	put(&good, XSAVE_XMM7, 77);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		area = good;
		put(&area, wrong[i].offset, wrong[i].value);
		EXPECT_EQ(-EINVAL, set_xsave(m, 0, area.reply.data, size)) TH_LOG("area %d", i);
	}
	EXPECT_EQ(-EINVAL, set_xsave(m, 0, good.reply.data, 0));
	EXPECT_EQ(-EINVAL, set_xsave(m, 0, good.reply.data, size - 1));
	EXPECT_EQ(-EINVAL, set_xsave(m, 0, good.reply.data, size + 1));
	EXPECT_EQ(-EINVAL, set_xsave(m, 0, good.reply.data, 8000));
	EXPECT_EQ(-EINVAL, set_xsave(m, m->vcpus, good.reply.data, size));
	EXPECT_EQ(MAGIC, guest_sees(&m->cpu[0]));
	EXPECT_EQ(0, set_xsave(m, 0, good.reply.data, size));
	EXPECT_EQ(77, guest_sees(&m->cpu[0]));
}

static int mtrr_type(struct machine *m, uint64_t gpa)
{
	struct kvmi_get_mtrr_type arg = { .gpa = gpa };
	struct kvmi_get_mtrr_type_reply reply = {};
	int err, i;

	err = tool_command(m->tool, KVMI_GET_MTRR_TYPE, &arg, sizeof(arg), &reply, sizeof(reply));
	for (i = 0; i < ARRAY_SIZE(reply.padding); i++)
		TEST_ASSERT_EQ(reply.padding[i], 0);
	return err ? err : reply.type;
}

static void set_range(struct cpu *cpu, int number, uint64_t base, uint64_t size, int type)
{
	uint64_t mask = BIT(cpu->machine->vm->pa_bits) - 1;

	vcpu_set_msr(cpu->vcpu, MTRR_BASE(number), base | type);
	vcpu_set_msr(cpu->vcpu, MTRR_MASK(number), (mask & ~(size - 1)) | MTRR_VALID);
}

TEST_F(state, mtrr_type)
{
	static const struct {
		uint64_t gpa;
		int type;
	} types[] = {
		/* Without a range, at both ends of one, and where some overlap. */
		{ 0x200000, WB }, { 0xbfffffff, WB }, { 0xc0000000, UC }, { 0xffffffff, UC },
		{ 0x100000000, WB }, { 0x10000000, WT }, { 0x1fffffff, WT }, { 0x20000000, WC },
		{ 0x30000000, UC }, { 0x3fffffff, UC }, { 0x40000000, WB }, { 0x50000000, WT },
		{ 0xd0000000, UC },
		/* Fixed ranges of each size, first and last. */
		{ 0x0, WT }, { 0x10000, WB }, { 0x7ffff, WP }, { 0x80000, WC }, { 0x84000, UC },
		{ 0xbffff, WT }, { 0xc0000, WP }, { 0xc0fff, WP }, { 0xc1000, WB },
		{ 0xff000, WC }, { 0xfffff, WC }, { 0x100000, WB },
	};
	struct cpu *cpu = &self->m->cpu[0];
	struct machine *m = self->m;
	int i;

	/* Nothing is cached before the guest says so. */
	EXPECT_EQ(UC, mtrr_type(m, 0x200000));
	EXPECT_EQ(UC, mtrr_type(m, 0));
	set_range(cpu, 0, 0xc0000000, 0x40000000, UC);
	set_range(cpu, 1, 0x10000000, 0x10000000, WT);
	set_range(cpu, 2, 0x20000000, 0x20000000, WC);
	set_range(cpu, 3, 0x30000000, 0x10000000, WT);
	set_range(cpu, 4, 0x50000000, 0x10000000, WT);
	set_range(cpu, 5, 0x50000000, 0x10000000, WB);
	set_range(cpu, 6, 0xd0000000, 0x10000000, WB);
	/* This one is not in use. */
	vcpu_set_msr(cpu->vcpu, MTRR_BASE(7), 0x40000000 | UC);
	vcpu_set_msr(cpu->vcpu, MTRR_FIX64K, 0x0506060606060604ull);
	vcpu_set_msr(cpu->vcpu, MTRR_FIX16K, 0x0606060606060001ull);
	vcpu_set_msr(cpu->vcpu, MTRR_FIX16K + 1, 0x0406060606060606ull);
	vcpu_set_msr(cpu->vcpu, MTRR_FIX4K, 0x0606060606060605ull);
	vcpu_set_msr(cpu->vcpu, MTRR_FIX4K + 7, 0x0106060606060606ull);
	vcpu_set_msr(cpu->vcpu, MTRR_DEF_TYPE, MTRR_ENABLE | MTRR_FIXED_ENABLE | WB);
	for (i = 0; i < ARRAY_SIZE(types); i++)
		EXPECT_EQ(types[i].type, mtrr_type(m, types[i].gpa))
			TH_LOG("at %lx", types[i].gpa);
	/* Without the fixed ranges, and without any. */
	vcpu_set_msr(cpu->vcpu, MTRR_DEF_TYPE, MTRR_ENABLE | WP);
	EXPECT_EQ(WP, mtrr_type(m, 0));
	EXPECT_EQ(WT, mtrr_type(m, 0x10000000));
	vcpu_set_msr(cpu->vcpu, MTRR_DEF_TYPE, MTRR_FIXED_ENABLE | WB);
	EXPECT_EQ(UC, mtrr_type(m, 0));
	EXPECT_EQ(UC, mtrr_type(m, 0x200000));

	EXPECT_EQ(UC, mtrr_type(m, BIT(m->vm->pa_bits) - 1));
	EXPECT_EQ(-EINVAL, mtrr_type(m, BIT(m->vm->pa_bits)));
	EXPECT_EQ(-EINVAL, mtrr_type(m, ~0ull));
	EXPECT_EQ(-EINVAL, tool_command(m->tool, KVMI_GET_MTRR_TYPE, types, 7, NULL, 0));
	EXPECT_EQ(-EINVAL, tool_command(m->tool, KVMI_GET_MTRR_TYPE, types, 9, NULL, 0));
}

static uint64_t get_gfn(struct machine *m, int id)
{
	struct kvmi_get_next_available_gfn_reply reply;

	TEST_ASSERT_EQ(tool_command(m->tool, id, NULL, 0, &reply, sizeof(reply)), 0);
	return reply.gfn;
}

TEST_F(state, next_available_gfn)
{
	uint64_t next = get_gfn(self->m, KVMI_GET_NEXT_AVAILABLE_GFN);
	struct machine *m = self->m;
	struct userspace_mem_region *region;
	int bkt;

	/* Behind all of it, and not more than that. */
	EXPECT_EQ(get_gfn(m, KVMI_GET_MAX_GFN), next);
	hash_for_each(m->vm->regions.slot_hash, bkt, region, slot_node)
		EXPECT_LE(region->region.guest_phys_addr + region->region.memory_size,
			  next << 12);
	/* It is available. */
	vm_userspace_mem_region_add(m->vm, VM_MEM_SRC_ANONYMOUS, next << 12, 5, 3, 0);
	EXPECT_EQ(next + 3, get_gfn(m, KVMI_GET_NEXT_AVAILABLE_GFN));
	/* A hole is none that lies behind. */
	vm_userspace_mem_region_add(m->vm, VM_MEM_SRC_ANONYMOUS, (next + 100) << 12, 6, 1, 0);
	EXPECT_EQ(next + 101, get_gfn(m, KVMI_GET_NEXT_AVAILABLE_GFN));
	EXPECT_EQ(-EINVAL, tool_command(m->tool, KVMI_GET_NEXT_AVAILABLE_GFN, &next, 8, NULL, 0));
}

TEST_F(state, allow_lists_hold)
{
	static const struct {
		int id, size;
	} commands[] = {
		{ KVMI_VCPU_SET_XSAVE, 8 }, { KVMI_GET_MTRR_TYPE, 8 },
		{ KVMI_GET_NEXT_AVAILABLE_GFN, 0 },
	};
	struct kvm_introspection_allow allow = { .events = ~0ull };
	struct kvmi_check_command check = {};
	struct machine *m = self->m;
	uint64_t arg = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		check.id = commands[i].id;
		EXPECT_EQ(0, tool_command(m->tool, KVMI_CHECK_COMMAND, &check, 8, NULL, 0));
	}
	machine_unhook(m);
	ASSERT_EQ(0, ioctl(m->control, KVM_INTROSPECTION_ALLOW, &allow));
	machine_hook(m);
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		check.id = commands[i].id;
		EXPECT_EQ(-EPERM, tool_command(m->tool, KVMI_CHECK_COMMAND, &check, 8, NULL, 0));
		EXPECT_EQ(-EPERM, tool_command(m->tool, commands[i].id, &arg, commands[i].size,
					       NULL, 0));
	}
}

/* A machine that gets another vCPU while it is hooked. */
FIXTURE(create) {
	struct machine *m;
};

FIXTURE_VARIANT(create) {
	int vcpus;
};

FIXTURE_VARIANT_ADD(create, second) {
	.vcpus = 1,
};

FIXTURE_VARIANT_ADD(create, fourth) {
	.vcpus = 3,
};

FIXTURE_SETUP(create)
{
	self->m = machine_create(variant->vcpus, guest_count);
	machine_start(self->m);
}

FIXTURE_TEARDOWN(create)
{
	machine_destroy(self->m);
}

static int control_create(struct machine *m, uint8_t enable)
{
	struct kvmi_control_vm_events arg = {
		.event_id = KVMI_EVENT_CREATE_VCPU, .enable = enable,
	};

	return tool_command(m->tool, KVMI_CONTROL_VM_EVENTS, &arg, sizeof(arg), NULL, 0);
}

static struct cpu *add_vcpu(struct machine *m)
{
	int number = m->vcpus++;

	return cpu_init(m, number, vm_vcpu_add(m->vm, number, guest_count));
}

static void next_create(struct machine *m, struct message *event)
{
	next_event(m, event);
	own_part(event, KVMI_EVENT_CREATE_VCPU, 0);
	TEST_ASSERT_EQ(event->event.vcpu, m->vcpus - 1);
}

TEST_F(create, a_new_vcpu_tells_before_it_runs)
{
	struct machine *m = self->m;
	struct message event;
	struct cpu *cpu;

	EXPECT_EQ(0, control_create(m, 1));
	cpu = add_vcpu(m);
	cpu_start(cpu);
	next_create(m, &event);
	/* Its own state, which the tool can use already. */
	EXPECT_EQ(cpu->counter_gva, event.event.arch.regs.rdi);
	EXPECT_EQ((uint64_t)guest_count, event.event.arch.regs.rip);
	EXPECT_EQ(0, vcpu_ping(m, m->vcpus - 1));
	EXPECT_TRUE(cpu_stands_still(cpu));
	EXPECT_EQ(0, cpu_count(cpu));
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	machine_wait_counting(m);
	/* Only once. */
	cpu_stop(cpu);
	cpu_start(cpu);
	cpu_wait_counting(cpu);
	EXPECT_EQ(0, vcpu_ping(m, m->vcpus - 1));
	EXPECT_EQ(0, m->nstashed);
}

TEST_F(create, a_vcpu_that_waits_for_its_sipi_tells)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_UNINITIALIZED };
	struct machine *m = self->m;
	struct message event;
	struct cpu *cpu;

	EXPECT_EQ(0, control_create(m, 1));
	cpu = add_vcpu(m);
	vcpu_mp_state_set(cpu->vcpu, &state);
	cpu_start(cpu);
	next_create(m, &event);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	EXPECT_EQ(0, vcpu_ping(m, m->vcpus - 1));
	EXPECT_EQ(0, cpu_count(cpu));
	EXPECT_EQ(0, m->nstashed);
}

TEST_F(create, a_pause_comes_behind_it)
{
	struct machine *m = self->m;
	struct message event;
	struct cpu *cpu;

	EXPECT_EQ(0, control_create(m, 1));
	cpu = add_vcpu(m);
	EXPECT_EQ(0, pause_vcpu(m, m->vcpus - 1, 0));
	cpu_start(cpu);
	next_create(m, &event);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	next_event(m, &event);
	EXPECT_EQ(KVMI_EVENT_PAUSE_VCPU, event.event.event);
	EXPECT_EQ(0, cpu_count(cpu));
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
	cpu_wait_counting(cpu);
}

TEST_F(create, only_who_asked_is_told)
{
	struct machine *m = self->m;
	struct cpu *cpu;

	EXPECT_EQ(0, control_create(m, 1));
	EXPECT_EQ(0, control_create(m, 0));
	cpu = add_vcpu(m);
	cpu_start(cpu);
	cpu_wait_counting(cpu);
	EXPECT_EQ(0, vcpu_ping(m, m->vcpus - 1));
	EXPECT_EQ(0, m->nstashed);
}

/* Created for one tool, it is no news for the next one. */
TEST_F(create, the_tool_may_go_away)
{
	struct machine *m = self->m;
	struct message event;
	struct cpu *cpu;

	EXPECT_EQ(0, control_create(m, 1));
	cpu = add_vcpu(m);
	machine_unhook(m);
	machine_hook(m);
	cpu_start(cpu);
	machine_wait_counting(m);
	EXPECT_EQ(0, vcpu_ping(m, m->vcpus - 1));
	EXPECT_EQ(0, m->nstashed);
	if (m->vcpus == MAX_VCPUS)
		return;

	EXPECT_EQ(0, control_create(m, 1));
	cpu = add_vcpu(m);
	cpu_start(cpu);
	next_create(m, &event);
	shutdown(m->tool, SHUT_RDWR);
	machine_wait_counting(m);
	machine_unhook(m);
	machine_hook(m);

	EXPECT_EQ(0, control_create(m, 1));
	cpu = add_vcpu(m);
	cpu_start(cpu);
	next_create(m, &event);
	machine_unhook(m);
	machine_wait_counting(m);
	machine_hook(m);
}

TEST_F(create, wrong_answers_end_the_connection)
{
	static const struct {
		int action, size;
	} wrong[] = {
		{ KVMI_EVENT_ACTION_RETRY, 0 }, { KVMI_EVENT_ACTION_CONTINUE, 8 },
	};
	struct machine *m = self->m;
	struct message event;
	struct cpu *cpu;
	int i;

	for (i = 0; i < ARRAY_SIZE(wrong) && m->vcpus < MAX_VCPUS; i++) {
		EXPECT_EQ(0, control_create(m, 1));
		cpu = add_vcpu(m);
		cpu_start(cpu);
		next_create(m, &event);
		answer_sized(m, &event, wrong[i].action, 0, wrong[i].size);
		EXPECT_EQ(EPROTO, wait_for_broken(m->control)) TH_LOG("answer %d", i);
		cpu_wait_counting(cpu);
		machine_unhook(m);
		machine_hook(m);
	}
}

TEST_F(create, allow_lists_hold)
{
	struct kvm_introspection_allow allow = {
		.commands = ~0ull, .events = ~BIT(KVMI_EVENT_CREATE_VCPU),
	};
	struct kvmi_check_event check = { .id = KVMI_EVENT_CREATE_VCPU };
	struct machine *m = self->m;

	EXPECT_EQ(0, tool_command(m->tool, KVMI_CHECK_EVENT, &check, 8, NULL, 0));
	/* It is one of the VM's. */
	EXPECT_EQ(-EINVAL, control_events(m, 0, KVMI_EVENT_CREATE_VCPU, 1));
	machine_unhook(m);
	ASSERT_EQ(0, ioctl(m->control, KVM_INTROSPECTION_ALLOW, &allow));
	machine_hook(m);
	EXPECT_EQ(-EPERM, tool_command(m->tool, KVMI_CHECK_EVENT, &check, 8, NULL, 0));
	EXPECT_EQ(-EPERM, control_create(m, 1));
	cpu_start(add_vcpu(m));
	machine_wait_counting(m);
	EXPECT_EQ(0, m->nstashed);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	return test_harness_run(argc, argv);
}
