// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: a tool is asked before an access to a page that it watches
 * whatever way the access takes through KVM.
 */
#include "kvmi_page.h"
#include "svm_util.h"

static void guest_lock(uint64_t *counter)
{
	for (;;)
		asm volatile("lock incq (%0)" : : "r"(counter) : "memory");
}

TEST(locked_instructions_are_asked_for)
{
	struct machine *m = machine_create(1, guest_lock);
	uint64_t before, gpa = counter_gpa(&m->cpu[0]);
	struct message event;

	switch_event_first(m, 0);
	EXPECT_EQ(0, set_access(m, gpa, RX));
	before = cpu_count(&m->cpu[0]);
	cpu_start(&m->cpu[0]);
	expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ(before, cpu_count(&m->cpu[0]));
	answer_pf(m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ(before + 1, cpu_count(&m->cpu[0]));
	machine_destroy(m);
}

static uint64_t read_stat(int fd, const char *name)
{
	struct kvm_stats_desc *descs, *desc;
	struct kvm_stats_header header;
	uint64_t value = ~0ull;
	int i;

	read_stats_header(fd, &header);
	descs = read_stats_descriptors(fd, &header);
	for (i = 0; i < header.num_desc; i++) {
		desc = get_stats_descriptor(descs, i, &header);
		if (!strcmp(desc->name, name))
			read_stat_data(fd, &header, desc, &value, 1);
	}
	free(descs);
	return value;
}

#define ROUNDS 50

/* What was asked for is executed then and there, and not when it faults once more. */
TEST(an_access_that_is_allowed_takes_one_fault)
{
	struct machine *m = machine_create(1, guest_count);
	uint64_t before, faults, gpa = counter_gpa(&m->cpu[0]);
	/* While the vCPU runs, asking for this would wait. */
	int i, stats = vcpu_get_stats_fd(m->cpu[0].vcpu);
	struct message event;

	switch_event_first(m, 0);
	EXPECT_EQ(0, set_access(m, gpa, RX));
	before = cpu_count(&m->cpu[0]);
	cpu_start(&m->cpu[0]);
	expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
	faults = read_stat(stats, "pf_taken");
	for (i = 0; i < ROUNDS; i++) {
		answer_pf(m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
		expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
	}
	faults = read_stat(stats, "pf_taken") - faults;
	EXPECT_EQ(before + ROUNDS, cpu_count(&m->cpu[0]));
	EXPECT_LE(ROUNDS, faults);
	EXPECT_GT(ROUNDS * 3 / 2, faults);
	close(stats);
	machine_destroy(m);
}

/* Each in pages of its own. */
static noinline __aligned(4096) uint64_t guest_there(uint64_t count)
{
	return count + 1;
}

static __aligned(4096) void guest_here(uint64_t *counter)
{
	for (;;) {
		READ_ONCE(*(uint8_t *)guest_there);
		WRITE_ONCE(*counter, guest_there(*counter));
	}
}

/* It is mapped when the guest has read it, but not to be executed. */
TEST(code_that_was_read_is_asked_for)
{
	struct machine *m = machine_create(1, guest_here);
	uint64_t gpa = addr_gva2gpa(m->vm, (vm_vaddr_t)guest_there);
	uint64_t before;
	struct message event;

	switch_event_first(m, 0);
	EXPECT_EQ(0, set_access(m, gpa, RW));
	cpu_start(&m->cpu[0]);
	expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_X);
	EXPECT_EQ((uint64_t)guest_there, event.event.arch.regs.rip);
	before = cpu_count(&m->cpu[0]);
	/* Each of its few instructions, to the same place in the next call. */
	do {
		answer_pf(m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
		expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_X);
	} while (event.event.arch.regs.rip != (uint64_t)guest_there);
	EXPECT_EQ(before + 1, cpu_count(&m->cpu[0]));
	machine_destroy(m);
}

#define TABLE	64

static void guest_tables(uint8_t *page)
{
	for (;;)
		asm volatile("sgdt %c[table](%[page])\n\t"
			     "lgdt %c[table](%[page])\n\t"
			     "incq (%[page])"
			     : : [page] "r"(page), [table] "i"(TABLE) : "memory");
}

/* The emulator reads and writes descriptor tables in another way than data. */
TEST(descriptor_tables_are_asked_for)
{
	static const struct {
		int offset;
		uint8_t access;
	} order[] = {
		{ TABLE, KVMI_PAGE_ACCESS_W },
		/* The limit, then the base. */
		{ TABLE, KVMI_PAGE_ACCESS_R }, { TABLE + 2, KVMI_PAGE_ACCESS_R },
		{ 0, KVMI_PAGE_ACCESS_R }, { 0, KVMI_PAGE_ACCESS_W },
	};
	struct machine *m = machine_create(1, guest_tables);
	uint64_t gpa = counter_gpa(&m->cpu[0]);
	struct message event;
	int i;

	switch_event_first(m, 0);
	EXPECT_EQ(0, set_access(m, gpa, KVMI_PAGE_ACCESS_X));
	cpu_start(&m->cpu[0]);
	for (i = 0; i < 2 * ARRAY_SIZE(order); i++) {
		expect_pf(m, &event, gpa, order[i % ARRAY_SIZE(order)].access);
		EXPECT_EQ(gpa + order[i % ARRAY_SIZE(order)].offset, pf_of(&event)->gpa);
		answer_pf(m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	}
	expect_pf(m, &event, gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ(2, cpu_count(&m->cpu[0]));
	machine_destroy(m);
}

static void guest_nested(void)
{
	for (;;)
		vmmcall();
}

static void guest_hypervisor(uint64_t *page)
{
	struct svm_test_data *svm = (void *)page[1];
	unsigned long stack[64];

	generic_svm_setup(svm, guest_nested, &stack[64]);
	for (;;) {
		run_guest(svm->vmcb, svm->vmcb_gpa);
		svm->vmcb->save.rip += 3;
		page[0]++;
	}
}

enum {
	VMLOAD_READ	= 1 << 0,
	VMRUN_READ	= 1 << 1,
	VMRUN_WRITE	= 1 << 2,
	VMSAVE_WRITE	= 1 << 3,
	OTHER		= 1 << 4,	/* what the guest itself does there */
	WRONG		= 1 << 5,
};

static int what_of(struct machine *m, const struct message *event)
{
	const uint8_t *insn = addr_gva2hva(m->vm, event->event.arch.regs.rip);
	bool write = pf_of(event)->access == KVMI_PAGE_ACCESS_W;

	if (~pf_of(event)->gva)
		return OTHER;
	if (insn[0] != 0x0f || insn[1] != 0x01)
		return WRONG;
	switch (insn[2]) {
	case 0xda:
		return write ? WRONG : VMLOAD_READ;
	case 0xd8:
		return write ? VMRUN_WRITE : VMRUN_READ;
	case 0xdb:
		return write ? VMSAVE_WRITE : WRONG;
	default:
		return WRONG;
	}
}

/* KVM maps a guest's VMCB and copies it: no SPTE and no emulator sees that. */
TEST(what_a_hypervisor_in_the_guest_runs_is_asked_for)
{
	struct svm_test_data *svm;
	struct message event;
	struct machine *m;
	vm_vaddr_t gva;
	uint64_t gpa, before;
	int i, seen = 0;

	if (!kvm_cpu_has(X86_FEATURE_SVM))
		SKIP(return, "AMD's only");
	m = machine_create(1, guest_hypervisor);
	svm = vcpu_alloc_svm(m->vm, &gva);
	m->cpu[0].counter[1] = gva;
	gpa = addr_gva2gpa(m->vm, (vm_vaddr_t)svm->vmcb);
	machine_start(m);
	ASSERT_EQ(0, switch_event(m, 0, 1));
	ASSERT_EQ(0, set_access(m, gpa, KVMI_PAGE_ACCESS_X));
	next_event(m, &event);
	before = cpu_count(&m->cpu[0]);
	for (i = 0; i < 100 && cpu_count(&m->cpu[0]) < before + 3; i++) {
		seen |= what_of(m, &event);
		answer_pf(m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
		next_event(m, &event);
		EXPECT_EQ(gpa, pf_of(&event)->gpa & ~0xfffull);
	}
	EXPECT_EQ(VMLOAD_READ | VMRUN_READ | VMRUN_WRITE | VMSAVE_WRITE | OTHER, seen);
	EXPECT_LE(before + 3, cpu_count(&m->cpu[0]));
	/* A tool that does not want it: nothing happens. */
	before = cpu_count(&m->cpu[0]);
	for (i = 0; i < 5; i++) {
		answer_pf(m, &event, KVMI_EVENT_ACTION_RETRY, NULL);
		next_event(m, &event);
	}
	EXPECT_EQ(before, cpu_count(&m->cpu[0]));
	machine_destroy(m);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	return test_harness_run(argc, argv);
}
