// SPDX-License-Identifier: GPL-2.0-only
/*
 * Isolated VMs, as their manager sees them: a policy that can be switched at any
 * time, and counters that tell what the CPUs have done.
 *
 * With asi=on on the kernel's command line all cases run but one; without, that one.
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <sys/stat.h>
#include <asm/kvm_para.h>

#include "kvm_isolation_test.h"

#define DEBUGFS "/sys/kernel/debug/x86/asi/"
#define CGROUP "/sys/fs/cgroup"
#define VCPUS 4
/*
 * How often the policy is switched under load, unless it takes longer than that: the
 * vCPUs have the CPUs, too. With fewer than so many, the case would show nothing.
 */
#define SWITCHES 10000
#define SWITCHES_SECONDS 60
#define SWITCHES_ENOUGH 1000
/* Where a guest has so many pages; as it sees them, and as KVM does. */
#define PAGES_ADDR 0x10000000UL

static u64 exits(const struct kvm_isolation_stats *s)
{
	return s->exits_fault + s->exits_schedule + s->exits_userspace + s->exits_explicit;
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t r;

	if (fd < 0)
		return -1;
	r = write(fd, text, strlen(text));
	close(fd);
	return r == (ssize_t)strlen(text) ? 0 : -1;
}

static long read_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return -1;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return atol(text);
}

/* What the guest is told to do before it says that it has. */
enum order { ORDER_NOTHING, ORDER_CPUID, ORDER_TOUCH, ORDER_WALL_CLOCK };

static u64 guest_order;
static u64 guest_wall_clock_gpa;

static void guest_code(void)
{
	u32 eax, ebx, ecx, edx;
	int i;

	for (;;) {
		for (i = 0; i < EXITS; i++) {
			switch (READ_ONCE(guest_order)) {
			case ORDER_CPUID:
				cpuid(0, &eax, &ebx, &ecx, &edx);
				break;
			case ORDER_TOUCH:
				READ_ONCE(*(u8 *)(PAGES_ADDR + i * PAGE_SIZE));
				break;
			case ORDER_WALL_CLOCK:
				wrmsr(MSR_KVM_WALL_CLOCK_NEW, guest_wall_clock_gpa);
				break;
			}
		}
		GUEST_SYNC(0);
	}
}

/* Exits to KVM and to user space, for ever. */
static void guest_load(void)
{
	u32 eax, ebx, ecx, edx;
	int i;

	for (;;) {
		for (i = 0; i < 50; i++)
			cpuid(0, &eax, &ebx, &ecx, &edx);
		GUEST_SYNC(0);
	}
}

FIXTURE(isolation) {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int fd;
};

FIXTURE_SETUP(isolation)
{
	self->vm = __vm_create_with_one_vcpu(&self->vcpu, EXITS, guest_code);
	self->fd = control_open_self();
	ASSERT_GE(self->fd, 0);
}

FIXTURE_TEARDOWN(isolation)
{
	/* A case that failed must not make the next one fail. */
	write_file(DEBUGFS "skip_enter", "0");
	close(self->fd);
	if (self->vm)
		kvm_vm_free(self->vm);
}

static void order(struct kvm_vm *vm, enum order order)
{
	guest_order = order;
	sync_global_to_guest(vm, guest_order);
}

TEST_F(isolation, refused_unless_booted_with_it)
{
	struct kvm_isolation_stats s;

	if (asi_on)
		SKIP(return, "booted with asi=on");
	EXPECT_FALSE(info(self->fd).supported & KVM_CONTROL_ISOLATION);
	EXPECT_EQ(-1, try_set(self->fd, true));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, try_set(self->fd, false));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, ioctl(self->fd, KVM_ISOLATION_GET_STATS, &s));
	EXPECT_EQ(EOPNOTSUPP, errno);
	run(self->vcpu);
	EXPECT_FALSE(info(self->fd).active & KVM_CONTROL_ISOLATION);
}

TEST_F(isolation, is_off_at_first)
{
	struct kvm_isolation_stats s;
	static const u64 zero[8];

	if (!asi_on)
		SKIP(return, WITHOUT_ASI);
	EXPECT_TRUE(info(self->fd).supported & KVM_CONTROL_ISOLATION);
	EXPECT_FALSE(info(self->fd).active & KVM_CONTROL_ISOLATION);
	run(self->vcpu);
	s = stats(self->fd);
	EXPECT_EQ(0, s.entries_restricted);
	EXPECT_LT(0, s.entries_unrestricted);
	EXPECT_EQ(0, s.violations);
	EXPECT_EQ(0, exits(&s));
	EXPECT_EQ(0, s.flushes);
	EXPECT_EQ(0, memcmp(s.padding, zero, sizeof(zero)));
}

TEST_F(isolation, holds_from_the_first_entry)
{
	struct kvm_isolation_stats s;
	struct kvm_control_info i;

	if (!asi_on)
		SKIP(return, WITHOUT_ASI);
	set(self->fd, true);
	run(self->vcpu);
	i = info(self->fd);
	EXPECT_TRUE(i.active & KVM_CONTROL_ISOLATION);
	EXPECT_EQ(0, i.item[3].vcpus_entered);
	EXPECT_EQ(0, i.item[3].flags);
	EXPECT_EQ(1, i.vcpus_entered);
	s = stats(self->fd);
	EXPECT_LT(0, s.entries_restricted);
	EXPECT_EQ(0, s.entries_unrestricted);
	EXPECT_EQ(0, s.violations);
}

TEST_F(isolation, follows_the_policy)
{
	struct kvm_isolation_stats s, last = {};
	int i;

	if (!asi_on)
		SKIP(return, WITHOUT_ASI);
	for (i = 0; i < 10; i++) {
		set(self->fd, i & 1);
		run(self->vcpu);
		s = stats(self->fd);
		if (i & 1) {
			EXPECT_EQ(last.entries_unrestricted, s.entries_unrestricted);
			EXPECT_LT(last.entries_restricted, s.entries_restricted);
		} else {
			EXPECT_EQ(last.entries_restricted, s.entries_restricted);
			EXPECT_LT(last.entries_unrestricted, s.entries_unrestricted);
			/* What was entered was left, and is not entered again. */
			EXPECT_EQ(exits(&last), exits(&s));
		}
		EXPECT_EQ(0, s.violations);
		last = s;
	}
}

/* KVM_RUN that returns has left, and the next one flushes. */
TEST_F(isolation, user_space_runs_with_everything)
{
	struct kvm_isolation_stats before, after;
	int i;

	if (!asi_on)
		SKIP(return, WITHOUT_ASI);
	set(self->fd, true);
	run(self->vcpu);
	before = stats(self->fd);
	for (i = 0; i < 100; i++)
		run(self->vcpu);
	after = stats(self->fd);
	EXPECT_LE(100, exits(&after) - exits(&before));
	EXPECT_LE(50, after.exits_userspace - before.exits_userspace);
	/* One as it leaves, one as it enters. */
	EXPECT_LE(200, after.flushes - before.flushes);
}

/* How often the kernel misses something while the guest does this. */
static u64 faults_of(struct kvm_vcpu *vcpu, int fd, enum order what)
{
	struct kvm_isolation_stats before = stats(fd), after;

	order(vcpu->vm, what);
	run(vcpu);
	after = stats(fd);
	TEST_ASSERT(after.entries_restricted - before.entries_restricted >= EXITS,
		    "%llu restricted entries of %d",
		    after.entries_restricted - before.entries_restricted, EXITS);
	return after.exits_fault - before.exits_fault;
}

TEST_F(isolation, only_what_is_missing_faults)
{
	struct kvm_isolation_stats s;

	if (!asi_on)
		SKIP(return, WITHOUT_ASI);
	guest_wall_clock_gpa = addr_gva2gpa(self->vm, vm_vaddr_alloc_page(self->vm));
	sync_global_to_guest(self->vm, guest_wall_clock_gpa);
	vm_userspace_mem_region_add(self->vm, VM_MEM_SRC_ANONYMOUS, PAGES_ADDR, 1, EXITS, 0);
	virt_map(self->vm, PAGES_ADDR, PAGES_ADDR, EXITS);
	memset(addr_gpa2hva(self->vm, PAGES_ADDR), 1, EXITS * PAGE_SIZE);
	set(self->fd, true);
	run(self->vcpu);

	/*
	 * Pages that are there and have only to be mapped: served without a look at
	 * them. (An emulated instruction would be read, unless the CPU tells where
	 * the next one is.) Interrupts may touch some memory of a process.
	 */
	EXPECT_GT(EXITS / 10, faults_of(self->vcpu, self->fd, ORDER_TOUCH));
	/* If KVM reads the instruction itself, it has left before. */
	EXPECT_GT(EXITS / 10, faults_of(self->vcpu, self->fd, ORDER_CPUID));
	/* KVM writes the time to the guest's memory. */
	EXPECT_LE(EXITS * 9 / 10, faults_of(self->vcpu, self->fd, ORDER_WALL_CLOCK));
	s = stats(self->fd);
	EXPECT_EQ(0, s.entries_unrestricted);
	EXPECT_EQ(0, s.violations);
}

TEST_F(isolation, statistics_agree)
{
	struct kvm_isolation_stats s;

	if (!asi_on)
		SKIP(return, WITHOUT_ASI);
	run(self->vcpu);
	set(self->fd, true);
	run(self->vcpu);
	s = stats(self->fd);
	EXPECT_EQ(s.entries_restricted, vm_get_stat(self->vm, "isolation_entries_restricted"));
	EXPECT_EQ(s.entries_unrestricted, vm_get_stat(self->vm, "isolation_entries_unrestricted"));
	EXPECT_EQ(s.violations, vm_get_stat(self->vm, "isolation_violations"));
	EXPECT_EQ(s.exits_fault, vm_get_stat(self->vm, "isolation_exits_fault"));
	EXPECT_EQ(s.exits_schedule, vm_get_stat(self->vm, "isolation_exits_schedule"));
	EXPECT_EQ(s.exits_userspace, vm_get_stat(self->vm, "isolation_exits_userspace"));
	EXPECT_EQ(s.exits_explicit, vm_get_stat(self->vm, "isolation_exits_explicit"));
	EXPECT_EQ(s.flushes, vm_get_stat(self->vm, "isolation_flushes"));
}

TEST_F(isolation, ends_with_the_vm)
{
	struct kvm_isolation_stats s;

	if (!asi_on)
		SKIP(return, WITHOUT_ASI);
	set(self->fd, true);
	run(self->vcpu);
	kvm_vm_free(self->vm);
	self->vm = NULL;
	EXPECT_EQ(-1, ioctl(self->fd, KVM_ISOLATION_GET_STATS, &s));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-1, try_set(self->fd, false));
	EXPECT_EQ(ENODEV, errno);
}

TEST_F(isolation, bad_address)
{
	if (!asi_on)
		SKIP(return, WITHOUT_ASI);
	EXPECT_EQ(-1, ioctl(self->fd, KVM_ISOLATION_GET_STATS, NULL));
	EXPECT_EQ(EFAULT, errno);
}

/* A kernel that makes a mistake is found out. */
TEST_F(isolation, violation_is_reported_once)
{
	struct kvm_control_event event;
	int broken = 0;

	if (!asi_on)
		SKIP(return, WITHOUT_ASI);
	if (access(DEBUGFS "skip_enter", W_OK))
		SKIP(return, "no CONFIG_ASI_DEBUG");
	set(self->fd, true);
	run(self->vcpu);
	EXPECT_EQ(0, info(self->fd).item[3].flags);

	ASSERT_EQ(0, write_file(DEBUGFS "skip_enter", "3"));
	order(self->vm, ORDER_CPUID);
	run(self->vcpu);
	EXPECT_EQ(0, read_number(DEBUGFS "skip_enter"));
	EXPECT_EQ(3, stats(self->fd).violations);
	EXPECT_EQ(3, stats(self->fd).entries_unrestricted);
	EXPECT_EQ(KVM_CONTROL_ITEM_BROKEN, info(self->fd).item[3].flags);

	fcntl(self->fd, F_SETFL, O_NONBLOCK);
	while (read(self->fd, &event, sizeof(event)) == sizeof(event))
		if (event.type == KVM_CONTROL_EVENT_BROKEN) {
			EXPECT_EQ(KVM_CONTROL_ISOLATION, event.data[0]);
			EXPECT_EQ(EFAULT, event.data[1]);
			broken++;
		}
	EXPECT_EQ(1, broken);
}

struct load {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu[VCPUS];
	pthread_t thread[VCPUS];
	bool stop;
};

static struct load load;

static void *load_thread(void *vcpu)
{
	while (!READ_ONCE(load.stop))
		run(vcpu);
	return NULL;
}

static int load_start(void)
{
	int i, fd;

	load.stop = false;
	load.vm = vm_create_with_vcpus(VCPUS, guest_load, load.vcpu);
	fd = control_open_self();
	TEST_ASSERT(fd >= 0, "no control fd: %s", strerror(errno));
	for (i = 0; i < VCPUS; i++)
		pthread_create(&load.thread[i], NULL, load_thread, load.vcpu[i]);
	return fd;
}

static void load_end(int fd)
{
	int i;

	WRITE_ONCE(load.stop, true);
	for (i = 0; i < VCPUS; i++)
		pthread_join(load.thread[i], NULL);
	kvm_vm_free(load.vm);
	close(fd);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* What SET_POLICY has reported is so for each vCPU, at once. */
TEST(switching_under_load)
{
	int wrong_on = 0, wrong_off = 0, ran = 0, n;
	struct kvm_isolation_stats a, b;
	double start;
	bool on;
	int fd;

	if (!asi_on)
		SKIP(return, WITHOUT_ASI);
	fd = load_start();
	start = seconds();
	for (n = 0; n < SWITCHES && seconds() - start < SWITCHES_SECONDS; n++) {
		on = !(n & 1);
		set(fd, on);
		a = stats(fd);
		/* Now and then, once each way, long enough for the vCPUs to run. */
		if (n % 100 < 2)
			usleep(1000);
		b = stats(fd);
		wrong_on += on && a.entries_unrestricted != b.entries_unrestricted;
		wrong_off += !on && a.entries_restricted != b.entries_restricted;
		ran += on ? a.entries_restricted != b.entries_restricted :
			    a.entries_unrestricted != b.entries_unrestricted;
	}
	b = stats(fd);
	TH_LOG("%d of %d switches in %.1f s; the vCPUs ran after %d; wrong: %d on, %d off",
	       n, SWITCHES, seconds() - start, ran, wrong_on, wrong_off);
	TH_LOG("entries: %llu restricted, %llu not, %llu violations; flushes: %llu",
	       b.entries_restricted, b.entries_unrestricted, b.violations, b.flushes);
	TH_LOG("exits: %llu fault, %llu schedule, %llu user space, %llu explicit",
	       b.exits_fault, b.exits_schedule, b.exits_userspace, b.exits_explicit);
	EXPECT_LE(SWITCHES_ENOUGH, n);
	EXPECT_EQ(0, wrong_on);
	EXPECT_EQ(0, wrong_off);
	/* The vCPUs did run in between. */
	EXPECT_LT(n / 200, ran);
	EXPECT_EQ(0, b.violations);
	EXPECT_EQ(0, info(fd).item[3].flags);
	load_end(fd);
}

TEST(cpus_come_and_go)
{
	const char *online = "/sys/devices/system/cpu/cpu1/online";
	int fd, i;

	if (!asi_on)
		SKIP(return, WITHOUT_ASI);
	if (access(online, W_OK))
		SKIP(return, "the only CPU, or none that can go");
	fd = load_start();
	set(fd, true);
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, write_file(online, "0"));
		EXPECT_EQ(0, write_file(online, "1"));
	}
	EXPECT_EQ(0, stats(fd).violations);
	load_end(fd);
}

static void make_group(const char *path)
{
	TEST_ASSERT(!mkdir(path, 0755) || errno == EEXIST, "mkdir %s: %s", path, strerror(errno));
}

TEST(begins_as_the_group_says)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	char pid[16];
	int fd;

	if (write_file(CGROUP "/cgroup.subtree_control", "+memory"))
		SKIP(return, "no cgroups of version 2");
	make_group(CGROUP "/asi");
	if (!asi_on) {
		EXPECT_EQ(-1, write_file(CGROUP "/asi/memory.use_asi", "1"));
		EXPECT_EQ(0, read_number(CGROUP "/asi/memory.use_asi"));
		rmdir(CGROUP "/asi");
		return;
	}
	EXPECT_EQ(0, write_file(CGROUP "/asi/cgroup.subtree_control", "+memory"));
	EXPECT_EQ(0, read_number(CGROUP "/asi/memory.use_asi"));
	EXPECT_EQ(-1, write_file(CGROUP "/asi/memory.use_asi", "2"));
	make_group(CGROUP "/asi/before");
	EXPECT_EQ(0, write_file(CGROUP "/asi/memory.use_asi", "1"));
	make_group(CGROUP "/asi/after");
	/* The parent's value at the time of its creation, and its own from then on. */
	EXPECT_EQ(0, read_number(CGROUP "/asi/before/memory.use_asi"));
	EXPECT_EQ(1, read_number(CGROUP "/asi/after/memory.use_asi"));

	snprintf(pid, sizeof(pid), "%d", getpid());
	ASSERT_EQ(0, write_file(CGROUP "/asi/after/cgroup.procs", pid));
	vm = vm_create_with_one_vcpu(&vcpu, guest_code);
	fd = control_open_self();
	EXPECT_TRUE(info(fd).active & KVM_CONTROL_ISOLATION);
	EXPECT_EQ(0, info(fd).item[3].vcpus_entered);
	/* Nobody could have read an event: there was none. */
	EXPECT_EQ(0, info(fd).events);
	/* That was it: the group has no more say. */
	EXPECT_EQ(0, write_file(CGROUP "/asi/after/memory.use_asi", "0"));
	run(vcpu);
	EXPECT_EQ(0, stats(fd).entries_unrestricted);
	EXPECT_LT(0, stats(fd).entries_restricted);
	kvm_vm_free(vm);
	close(fd);

	EXPECT_EQ(0, write_file(CGROUP "/cgroup.procs", pid));
	EXPECT_EQ(0, rmdir(CGROUP "/asi/before"));
	EXPECT_EQ(0, rmdir(CGROUP "/asi/after"));
	EXPECT_EQ(0, rmdir(CGROUP "/asi"));
}

int main(int argc, char **argv)
{
	return run_tests(argc, argv);
}
