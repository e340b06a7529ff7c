// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: pages stay watched whatever becomes of the memory slots,
 * mappings and memory below them, and what it takes to remember them.
 */
#include <sys/stat.h>

#include "kvmi_page.h"

#define SLOT		10
#define SLOT_GPA	0x40000000ul
#define SLOT_GVA	0x40000000ul
#define SLOT_PAGES	(4ul << 9)	/* 8 MiB */
#define MANY		500		/* as many pages as a message can be about */

/* Write to one page, over and over, and before that read from each of so many. */
static void guest_store(uint64_t *where, uint64_t pages)
{
	uint64_t i;

	for (;;) {
		for (i = 0; i < pages; i++)
			READ_ONCE(*(uint64_t *)(SLOT_GVA + i * 4096));
		WRITE_ONCE(*where, READ_ONCE(*where) + 1);
	}
}

static uint64_t vm_stat(struct machine *m, const char *name)
{
	return vm_get_stat(m->vm, name);
}

FIXTURE(slot) {
	struct machine *m;
	struct cpu *cpu;
	uint64_t gpa;
};

FIXTURE_VARIANT(slot) {
	int vcpus;
	int level;	/* of the guest's own page tables */
};

FIXTURE_VARIANT_ADD(slot, one) {
	.vcpus = 1,
	.level = PG_LEVEL_4K,
};

/* Without nested paging there are no large pages otherwise. */
FIXTURE_VARIANT_ADD(slot, large) {
	.vcpus = 1,
	.level = PG_LEVEL_2M,
};

/* The others count beside the page that is watched. */
FIXTURE_VARIANT_ADD(slot, four) {
	.vcpus = 4,
	.level = PG_LEVEL_4K,
};

FIXTURE_SETUP(slot)
{
	struct machine *m = machine_create(variant->vcpus, guest_store);
	int i;

	vm_userspace_mem_region_add(m->vm, VM_MEM_SRC_ANONYMOUS_THP, SLOT_GPA, SLOT, SLOT_PAGES, 0);
	virt_map_level(m->vm, SLOT_GVA, SLOT_GPA, SLOT_PAGES * getpagesize(), variant->level);
	self->m = m;
	memset(addr_gpa2hva(m->vm, SLOT_GPA), 0, SLOT_PAGES * getpagesize());
	for (i = 0; i < m->vcpus; i++) {
		self->cpu = &m->cpu[i];
		/* In the middle of a large page. */
		self->gpa = SLOT_GPA + (2ul << 20) + (5 + 2 * i) * getpagesize();
		self->cpu->counter_gva = SLOT_GVA + (self->gpa - SLOT_GPA);
		self->cpu->counter = addr_gpa2hva(m->vm, self->gpa);
		vcpu_args_set(self->cpu->vcpu, 2, self->cpu->counter_gva, 0ul);
		switch_event_first(m, i);
	}
}

FIXTURE_TEARDOWN(slot)
{
	machine_destroy(self->m);
}

/* The slot is mapped in large pages, one of them in small ones while a page in it is watched. */
TEST_F(slot, large_pages_are_split_only_where_watched_and_healed)
{
	struct message event;
	uint64_t large;

	if (!kvm_is_tdp_enabled() && variant->level == PG_LEVEL_4K)
		SKIP(return, "the guest's page tables decide, and have no large pages");
	vcpu_args_set(self->cpu->vcpu, 2, self->cpu->counter_gva, SLOT_PAGES);
	cpu_start(self->cpu);
	cpu_wait_counting(self->cpu);
	cpu_wait_counting(self->cpu);
	large = vm_stat(self->m, "pages_2m");
	EXPECT_LE(SLOT_PAGES >> 9, large);

	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ(large - 1, vm_stat(self->m, "pages_2m"));

	EXPECT_EQ(0, set_access(self->m, self->gpa, RWX));
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_RETRY, NULL);
	cpu_wait_counting(self->cpu);
	cpu_wait_counting(self->cpu);
	EXPECT_EQ(large, vm_stat(self->m, "pages_2m"));
}

/* All in one message: each @step-th page from @gpa on. */
static int set_pages(struct machine *m, uint64_t gpa, int step, int count, uint8_t access)
{
	struct {
		struct kvmi_set_page_access arg;
		struct kvmi_page_access_entry entry[MANY];
	} set = { .arg = { .count = count } };
	int i;

	for (i = 0; i < count; i++) {
		set.entry[i].gpa = gpa + (uint64_t)i * step * getpagesize();
		set.entry[i].access = access;
	}
	return tool_command_in(m, KVMI_SET_PAGE_ACCESS, &set,
			       sizeof(set.arg) + count * sizeof(set.entry[0]), NULL, 0);
}

/* Side by side, and with gaps. */
TEST_F(slot, many_pages_in_one_message)
{
	uint64_t large, last;
	struct message event;
	int step;

	machine_start(self->m);
	large = vm_stat(self->m, "pages_2m");
	for (step = 1; step <= 3; step += 2) {
		last = self->gpa + (MANY - 1) * step * getpagesize();
		EXPECT_EQ(0, set_pages(self->m, self->gpa, step, MANY, RX));
		expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
		EXPECT_EQ(RX, get_access(self->m, last));
		EXPECT_EQ(RWX, get_access(self->m, last + getpagesize()));
		EXPECT_EQ(step == 1 ? RX : RWX, get_access(self->m, self->gpa + getpagesize()));

		EXPECT_EQ(0, set_pages(self->m, self->gpa, step, MANY, RWX));
		answer_pf(self->m, &event, KVMI_EVENT_ACTION_RETRY, NULL);
		cpu_wait_counting(self->cpu);
		EXPECT_EQ(large, vm_stat(self->m, "pages_2m"));
	}
}

static uint64_t flushes(struct machine *m)
{
	return vm_stat(m, "remote_tlb_flush_requests");
}

/* How often it flushes to let go of pages that all are mapped: together, and at unhook. */
static void count_flushes(struct machine *m, struct cpu *cpu, int count, uint64_t *together,
			  uint64_t *unhook)
{
	uint64_t next = addr_gva2gpa(m->vm, cpu->counter_gva) + getpagesize();

	TEST_ASSERT_EQ(set_pages(m, next, 1, count, RX), 0);
	cpu_wait_counting(cpu);
	cpu_wait_counting(cpu);
	*together = flushes(m);
	TEST_ASSERT_EQ(set_pages(m, next, 1, count, RWX), 0);
	*together = flushes(m) - *together;

	TEST_ASSERT_EQ(set_pages(m, next, 3, count, RX), 0);
	cpu_wait_counting(cpu);
	cpu_wait_counting(cpu);
	*unhook = flushes(m);
	machine_unhook(m);
	*unhook = flushes(m) - *unhook;
	machine_hook(m);
}

TEST_F(slot, many_pages_share_the_flushes)
{
	uint64_t few, many, unhook_few, unhook_many;

	vcpu_args_set(self->cpu->vcpu, 2, self->cpu->counter_gva, SLOT_PAGES);
	cpu_start(self->cpu);
	cpu_wait_counting(self->cpu);
	count_flushes(self->m, self->cpu, 10, &few, &unhook_few);
	count_flushes(self->m, self->cpu, MANY, &many, &unhook_many);
	EXPECT_GT(few, 0);
	EXPECT_GT(unhook_few, 0);
	/* A few more, of what KVM does meanwhile, and not one for each. */
	EXPECT_LT(many, few + MANY / 10);
	EXPECT_LT(unhook_many, unhook_few + MANY / 10);
	TH_LOG("%lu and %lu, at unhook %lu and %lu", few, many, unhook_few, unhook_many);
}

TEST_F(slot, neighbours_are_not_watched)
{
	machine_start(self->m);
	EXPECT_EQ(0, set_access(self->m, self->gpa + getpagesize(), 0));
	EXPECT_EQ(0, set_access(self->m, self->gpa - getpagesize(), 0));
	cpu_wait_counting(self->cpu);
	EXPECT_EQ(0, vcpu_ping(self->m, 0));
	EXPECT_EQ(0, self->m->nstashed);
}

static void set_region(struct machine *m, uint64_t gpa, uint64_t size, uint32_t flags)
{
	void *hva = memslot2region(m->vm, SLOT)->host_mem;

	vm_set_user_memory_region(m->vm, SLOT, flags, gpa, size, hva);
}

TEST_F(slot, stays_watched_when_the_slot_is_made_anew)
{
	uint64_t size = SLOT_PAGES * getpagesize();
	struct message event;
	uint64_t before;

	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	set_region(self->m, SLOT_GPA, 0, 0);
	EXPECT_EQ(RX, get_access(self->m, self->gpa));
	set_region(self->m, SLOT_GPA, size, 0);
	before = cpu_count(self->cpu);
	cpu_start(self->cpu);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ(before, cpu_count(self->cpu));
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ(before + 1, cpu_count(self->cpu));
}

/* The page is an address, not a piece of the slot. */
TEST_F(slot, stays_watched_when_the_slot_moves)
{
	uint64_t size = SLOT_PAGES * getpagesize(), away = SLOT_GPA + 0x10000000;
	struct message event;

	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	set_region(self->m, away, size, 0);
	set_region(self->m, SLOT_GPA, size, 0);
	cpu_start(self->cpu);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
}

TEST_F(slot, dirty_logging_neither_loses_nor_needs_it)
{
	uint64_t size = SLOT_PAGES * getpagesize();
	unsigned long *dirty = calloc(SLOT_PAGES / 8, 1);
	uint64_t page = (self->gpa - SLOT_GPA) / getpagesize();
	struct message event;
	int i;

	machine_start(self->m);
	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	set_region(self->m, SLOT_GPA, size, KVM_MEM_LOG_DIRTY_PAGES);
	for (i = 0; i < 3; i++) {
		kvm_vm_get_dirty_log(self->m->vm, SLOT, dirty);
		EXPECT_EQ(i > 0, !!(dirty[page / 64] & 1ul << page % 64));
		answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
		expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	}
	set_region(self->m, SLOT_GPA, size, 0);
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	free(dirty);
}

/* What a balloon does to the memory below. */
TEST_F(slot, memory_that_comes_back_is_still_watched)
{
	struct message event;

	machine_start(self->m);
	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	EXPECT_EQ(0, madvise((void *)((uintptr_t)self->cpu->counter & ~0xffful), getpagesize(),
			     MADV_DONTNEED));
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	answer_pf(self->m, &event, KVMI_EVENT_ACTION_CONTINUE, NULL);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
}

/* There is no memory at all: what the guest does there is the VMM's. */
TEST_F(slot, an_address_without_memory_can_be_watched)
{
	struct message event;

	EXPECT_EQ(0, set_access(self->m, self->gpa, RX));
	set_region(self->m, SLOT_GPA, 0, 0);
	cpu_start(self->cpu);
	/* The read goes to the VMM first, as if it were a device's. */
	wait_until(READ_ONCE(self->cpu->exits));
	EXPECT_EQ(KVM_EXIT_MMIO, self->cpu->vcpu->run->exit_reason);
	EXPECT_EQ(0, self->cpu->vcpu->run->mmio.is_write);
	cpu_stop(self->cpu);
	cpu_start(self->cpu);
	expect_pf(self->m, &event, self->gpa, KVMI_PAGE_ACCESS_W);
	cpu_stop(self->cpu);
	set_region(self->m, SLOT_GPA, SLOT_PAGES * getpagesize(), 0);
}

#define SLAB	"/sys/kernel/slab/radix_tree_node/"
#define CGROUP	"/sys/fs/cgroup/"
#define OWN	CGROUP "kvmi_slot_test/"

static uint64_t read_number(const char *path)
{
	FILE *file = fopen(path, "r");
	uint64_t number;

	TEST_ASSERT(file && fscanf(file, "%lu", &number) == 1, "%s", path);
	fclose(file);
	return number;
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	TEST_ASSERT(fd >= 0 && write(fd, text, strlen(text)) == strlen(text), "%s: %s", path,
		    strerror(errno));
	close(fd);
}

/* What the pages are kept in. None is counted that a CPU only has in reserve. */
static uint64_t nodes_in_use(void)
{
	write_text(SLAB "shrink", "1");
	return read_number(SLAB "objects");
}

/* How many nodes an array has that covers these numbers, 64 in each node. */
static uint64_t nodes_for(uint64_t first, uint64_t last)
{
	uint64_t nodes = 0;

	while (last) {
		first >>= 6;
		last >>= 6;
		nodes += last - first + 1;
	}
	return nodes;
}

FIXTURE(store) {
	struct machine *m;
	uint64_t before;
};

FIXTURE_VARIANT(store) {
	int stride;
	int most;	/* bytes for each page */
};

/* Side by side, which is the best that there can be. */
FIXTURE_VARIANT_ADD(store, dense) {
	.stride = 1,
	.most = 10,
};

/* Each in a node of its own. */
FIXTURE_VARIANT_ADD(store, sparse) {
	.stride = 64,
	.most = 600,
};

/* In a control group of its own, which pays for the VM. */
FIXTURE_SETUP(store)
{
	write_text(CGROUP "cgroup.subtree_control", "+memory");
	mkdir(OWN, 0755);
	write_text(OWN "cgroup.procs", "0");
	self->m = machine_create(1, guest_count);
	self->before = nodes_in_use();
}

FIXTURE_TEARDOWN(store)
{
	machine_destroy(self->m);
	write_text(CGROUP "cgroup.procs", "0");
	rmdir(OWN);
}

TEST_F(store, memory_is_linear_and_the_vms)
{
	static const uint64_t counts[] = { 10000, 50000, 100000 };
	uint64_t i, nodes, expected, done = 0, first = SLOT_GPA >> 12;
	uint64_t bytes = read_number(SLAB "object_size");
	uint64_t charged = read_number(OWN "memory.current");
	/* What the rest of the system may take or give back meanwhile. */
	uint64_t others = 50;

	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		while (done < counts[i]) {
			EXPECT_EQ(0, set_pages(self->m, (first + done * variant->stride) << 12,
					       variant->stride, MANY, RX));
			done += MANY;
		}
		nodes = nodes_in_use() - self->before;
		expected = nodes_for(first, first + (done - 1) * variant->stride);
		TH_LOG("%lu pages: %lu nodes, %lu.%lu bytes a page", done, nodes,
		       nodes * bytes / done, nodes * bytes * 10 / done % 10);
		EXPECT_LE(expected - others, nodes);
		EXPECT_GE(expected + others, nodes);
		EXPECT_GE(variant->most * done, nodes * bytes);
	}
	charged = read_number(OWN "memory.current") - charged;
	/* Each CPU has some hundred KiB that were charged before. */
	if (nodes * bytes > 32 << 20)
		EXPECT_LE(nodes * bytes / 10 * 9, charged);

	machine_unhook(self->m);
	wait_until(nodes_in_use() < self->before + others);
	machine_hook(self->m);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	return test_harness_run(argc, argv);
}
