// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM control: opening a control fd, what it tells, and what it must not do.
 *
 * Each test plays the manager. The VM is a child's, who obeys one-letter
 * orders: (r)un a new vCPU, (c)lose the VM, (2) create a second one, e(x)ec.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/kvm_control.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "kselftest_harness.h"

/* Only a limit for what hangs: a kernel that checks itself is slow. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#define NOBODY 65534

struct owner {
	pid_t pid;
	int pidfd;
	int sock;
};

static int kvm_fd;

static int control_open(int pidfd)
{
	struct kvm_control_open open = { .pidfd = pidfd };

	return ioctl(kvm_fd, KVM_CONTROL_OPEN, &open);
}

static int pidfd_of(pid_t pid)
{
	return syscall(SYS_pidfd_open, pid, 0);
}

static void guest_code(void)
{
	for (;;)
		GUEST_SYNC(0);
}

static void owner_loop(int sock)
{
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm = vm_create(4);
	int vcpus = 0;
	char order = 'k';

	for (;;) {
		if (write(sock, &order, 1) != 1 || read(sock, &order, 1) != 1)
			_exit(0);
		switch (order) {
		case 'r':
			vcpu = vm_vcpu_add(vm, vcpus++, guest_code);
			vcpu_run(vcpu);
			break;
		case 'c':
			kvm_vm_free(vm);
			vm = NULL;
			break;
		case '2':
			vm_create_barebones();
			break;
		case 'x':
			write(sock, &order, 1);
			execlp("sleep", "sleep", "60", NULL);
			_exit(1);
		}
	}
}

static void owner_answer(struct owner *owner)
{
	char c;

	TEST_ASSERT(read(owner->sock, &c, 1) == 1, "the VM's owner died");
}

static void owner_order(struct owner *owner, char order)
{
	TEST_ASSERT(write(owner->sock, &order, 1) == 1, "the VM's owner died");
	owner_answer(owner);
}

static struct owner owner_start(void)
{
	struct owner owner;
	int pair[2];

	TEST_ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	owner.pid = fork();
	if (!owner.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		owner_loop(pair[1]);
	}
	close(pair[1]);
	owner.sock = pair[0];
	owner.pidfd = pidfd_of(owner.pid);
	TEST_ASSERT(owner.pidfd >= 0, "pidfd_open");
	owner_answer(&owner);
	return owner;
}

static void owner_kill(struct owner *owner)
{
	kill(owner->pid, SIGKILL);
	waitpid(owner->pid, NULL, 0);
}

static void owner_end(struct owner *owner)
{
	owner_kill(owner);
	close(owner->pidfd);
	close(owner->sock);
}

FIXTURE(control) {
	struct owner owner;
	int fd;
};

FIXTURE_SETUP(control)
{
	self->owner = owner_start();
	self->fd = control_open(self->owner.pidfd);
	ASSERT_GE(self->fd, 0) TH_LOG("KVM_CONTROL_OPEN: %s", strerror(errno));
}

FIXTURE_TEARDOWN(control)
{
	close(self->fd);
	owner_end(&self->owner);
}

#define EXPECT_ERROR(number, call)			\
	do {						\
		errno = 0;				\
		EXPECT_EQ(-1, (call));			\
		EXPECT_EQ(number, errno);		\
	} while (0)

TEST_F(control, open_refuses_flags_and_padding)
{
	struct kvm_control_open open = { .pidfd = self->owner.pidfd, .flags = 1 };
	int i;

	EXPECT_ERROR(EINVAL, ioctl(kvm_fd, KVM_CONTROL_OPEN, &open));
	open.flags = 0;
	for (i = 0; i < ARRAY_SIZE(open.padding); i++) {
		open.padding[i] = 1ULL << 63;
		EXPECT_ERROR(EINVAL, ioctl(kvm_fd, KVM_CONTROL_OPEN, &open));
		open.padding[i] = 0;
	}
	EXPECT_ERROR(EFAULT, ioctl(kvm_fd, KVM_CONTROL_OPEN, NULL));
}

TEST_F(control, open_wants_a_pidfd)
{
	EXPECT_ERROR(EBADF, control_open(-1));
	EXPECT_ERROR(EBADF, control_open(kvm_fd));
	EXPECT_ERROR(EBADF, control_open(self->fd));
}

TEST_F(control, open_finds_no_vm)
{
	int pidfd = pidfd_of(getpid());

	EXPECT_ERROR(ENOENT, control_open(pidfd));
	close(pidfd);
	owner_order(&self->owner, 'c');
	EXPECT_ERROR(ENOENT, control_open(self->owner.pidfd));
}

TEST_F(control, open_own_vm)
{
	struct kvm_vm *vm = vm_create_barebones();
	int pidfd = pidfd_of(getpid());
	int fd = control_open(pidfd);

	EXPECT_GE(fd, 0);
	close(fd);
	close(pidfd);
	kvm_vm_free(vm);
}

TEST_F(control, open_refuses_a_dead_process)
{
	kill(self->owner.pid, SIGKILL);
	waitid(P_PID, self->owner.pid, NULL, WEXITED | WNOWAIT);
	/* A zombie first, then nothing at all. */
	EXPECT_ERROR(ESRCH, control_open(self->owner.pidfd));
	waitpid(self->owner.pid, NULL, 0);
	EXPECT_ERROR(ESRCH, control_open(self->owner.pidfd));
}

TEST_F(control, open_refuses_a_kernel_thread)
{
	int pidfd = pidfd_of(2);

	ASSERT_GE(pidfd, 0);
	EXPECT_ERROR(ESRCH, control_open(pidfd));
	close(pidfd);
}

TEST_F(control, open_refuses_two_vms)
{
	owner_order(&self->owner, '2');
	EXPECT_ERROR(ENOTUNIQ, control_open(self->owner.pidfd));
	owner_order(&self->owner, 'c');
	close(self->fd);
	self->fd = control_open(self->owner.pidfd);
	EXPECT_GE(self->fd, 0);
}

TEST_F(control, open_forgets_at_exec)
{
	char path[64], exe[256] = "";
	int i;

	owner_order(&self->owner, 'x');
	snprintf(path, sizeof(path), "/proc/%d/exe", self->owner.pid);
	for (i = 0; i < 1000 && !strstr(exe, "sleep"); i++) {
		usleep(10000);
		memset(exe, 0, sizeof(exe));
		readlink(path, exe, sizeof(exe) - 1);
	}
	EXPECT_ERROR(ENOENT, control_open(self->owner.pidfd));
}

TEST_F(control, open_refuses_an_unprivileged_caller)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(2);
		_exit(control_open(self->owner.pidfd) == -1 && errno == EPERM ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

TEST_F(control, open_obeys_the_fd_limit)
{
	struct rlimit limit, old;
	int fd;

	getrlimit(RLIMIT_NOFILE, &old);
	fd = dup(0);
	close(fd);
	limit = (struct rlimit){ .rlim_cur = fd, .rlim_max = old.rlim_max };
	setrlimit(RLIMIT_NOFILE, &limit);
	EXPECT_ERROR(EMFILE, control_open(self->owner.pidfd));
	setrlimit(RLIMIT_NOFILE, &old);
	close(self->fd);
	self->fd = control_open(self->owner.pidfd);
	EXPECT_GE(self->fd, 0);
}

static int open_until_refused(int pidfd)
{
	int n = 0;

	while (n < 100 && control_open(pidfd) >= 0)
		n++;
	return n;
}

TEST_F(control, an_owner_cannot_use_up_its_control_fds)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		int pidfd = pidfd_of(getpid());

		vm_create_barebones();
		if (setgid(NOBODY) || setuid(NOBODY))
			_exit(2);
		prctl(PR_SET_DUMPABLE, 1);
		if (open_until_refused(pidfd) != 16 || errno != EUSERS)
			_exit(1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	EXPECT_EQ(100, open_until_refused(self->owner.pidfd));
}

TEST_F(control, open_sets_close_on_exec)
{
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
}

TEST_F(control, unknown_ioctl)
{
	EXPECT_ERROR(ENOTTY, ioctl(self->fd, _IO(KVMIO, 0xff)));
	EXPECT_ERROR(EFAULT, ioctl(self->fd, KVM_CONTROL_GET_INFO, NULL));
}

TEST_F(control, info_counts_vcpus_that_entered)
{
	struct kvm_control_info info;

	memset(&info, 0xff, sizeof(info));
	ASSERT_EQ(0, ioctl(self->fd, KVM_CONTROL_GET_INFO, &info));
	EXPECT_EQ(0, info.vcpus);
	EXPECT_EQ(0, info.vcpus_entered);
	EXPECT_EQ(0, info.first_entry_ns);
	EXPECT_EQ(0, info.events);
	EXPECT_EQ(0, info.padding[10]);

	owner_order(&self->owner, 'r');
	ASSERT_EQ(0, ioctl(self->fd, KVM_CONTROL_GET_INFO, &info));
	EXPECT_EQ(1, info.vcpus);
	EXPECT_EQ(1, info.vcpus_entered);
	EXPECT_NE(0, info.first_entry_ns);

	owner_order(&self->owner, 'r');
	ASSERT_EQ(0, ioctl(self->fd, KVM_CONTROL_GET_INFO, &info));
	EXPECT_EQ(2, info.vcpus_entered);
}

TEST_F(control, info_counts_entries_before_the_first_open)
{
	struct kvm_control_info info;

	owner_end(&self->owner);
	self->owner = owner_start();
	owner_order(&self->owner, 'r');
	close(self->fd);
	self->fd = control_open(self->owner.pidfd);
	ASSERT_EQ(0, ioctl(self->fd, KVM_CONTROL_GET_INFO, &info));
	EXPECT_EQ(1, info.vcpus_entered);
}

TEST_F(control, policy_refuses_nonsense)
{
	struct kvm_control_policy policy = {};

	EXPECT_ERROR(EFAULT, ioctl(self->fd, KVM_CONTROL_SET_POLICY, NULL));
	EXPECT_ERROR(EINVAL, ioctl(self->fd, KVM_CONTROL_SET_POLICY, &policy));
	policy.mask = KVM_CONTROL_INTROSPECTION;
	EXPECT_ERROR(EINVAL, ioctl(self->fd, KVM_CONTROL_SET_POLICY, &policy));
	policy.mask = KVM_CONTROL_ISOLATION;
	policy.value = KVM_CONTROL_TEARDOWN;
	EXPECT_ERROR(EINVAL, ioctl(self->fd, KVM_CONTROL_SET_POLICY, &policy));
	policy.value = 0;
	policy.padding[1] = 1;
	EXPECT_ERROR(EINVAL, ioctl(self->fd, KVM_CONTROL_SET_POLICY, &policy));
}

TEST_F(control, policy_takes_what_is_supported)
{
	struct kvm_control_policy policy;
	struct kvm_control_info info;
	int i;

	for (i = 0; i < KVM_CONTROL_NR_ITEMS; i++) {
		policy = (struct kvm_control_policy){ .mask = 1ULL << i, .value = 1ULL << i };
		if (!(policy.mask & KVM_CONTROL_POLICY_MASK))
			continue;
		ASSERT_EQ(0, ioctl(self->fd, KVM_CONTROL_GET_INFO, &info));
		if (!(info.supported & policy.mask)) {
			EXPECT_ERROR(EOPNOTSUPP,
				     ioctl(self->fd, KVM_CONTROL_SET_POLICY, &policy));
			continue;
		}
		EXPECT_EQ(0, ioctl(self->fd, KVM_CONTROL_SET_POLICY, &policy));
		ASSERT_EQ(0, ioctl(self->fd, KVM_CONTROL_GET_INFO, &info));
		EXPECT_TRUE(info.active & policy.mask);
	}
}

TEST_F(control, events_reach_every_fd)
{
	struct kvm_control_event event[2];
	int other = control_open(self->owner.pidfd);
	struct pollfd poll_other = { .fd = other, .events = POLLIN };

	ASSERT_GE(other, 0);
	fcntl(other, F_SETFL, O_NONBLOCK);
	EXPECT_ERROR(EAGAIN, read(other, event, sizeof(event)));
	EXPECT_EQ(0, poll(&poll_other, 1, 0));

	owner_order(&self->owner, 'r');
	EXPECT_EQ(1, poll(&poll_other, 1, 0));
	EXPECT_EQ(POLLIN, poll_other.revents);
	EXPECT_ERROR(EINVAL, read(other, event, sizeof(event[0]) - 1));
	EXPECT_EQ(sizeof(event[0]), read(other, event, sizeof(event) - 1));
	EXPECT_EQ(KVM_CONTROL_EVENT_FIRST_ENTRY, event[0].type);
	EXPECT_EQ(1, event[0].seq);
	EXPECT_EQ(0, event[0].lost);
	EXPECT_EQ(0, event[0].data[0]);
	EXPECT_ERROR(EAGAIN, read(other, event, sizeof(event)));

	EXPECT_EQ(sizeof(event[0]), read(self->fd, event, sizeof(event)));
	EXPECT_EQ(1, event[0].seq);
	close(other);
}

TEST_F(control, a_vm_dies_with_control_fds_open)
{
	struct pollfd poll_fd = { .fd = self->fd, .events = POLLIN };
	struct kvm_control_policy policy = { .mask = KVM_CONTROL_ISOLATION };
	struct kvm_control_event event[4];
	struct kvm_control_info info;

	owner_order(&self->owner, 'r');
	owner_kill(&self->owner);
	while (poll(&poll_fd, 1, 1000) == 1 &&
	       read(self->fd, &event[1], sizeof(event[1])) > 0)
		event[0] = event[1];
	EXPECT_EQ(KVM_CONTROL_EVENT_DESTROYED, event[0].type);
	EXPECT_EQ(2, event[0].seq);

	EXPECT_EQ(1, poll(&poll_fd, 1, 0));
	EXPECT_EQ(POLLHUP, poll_fd.revents);
	EXPECT_EQ(0, read(self->fd, event, sizeof(event)));
	EXPECT_ERROR(ENODEV, ioctl(self->fd, KVM_CONTROL_GET_INFO, &info));
	EXPECT_ERROR(ENODEV, ioctl(self->fd, KVM_CONTROL_SET_POLICY, &policy));
}

static void *read_to_the_end(void *arg)
{
	struct kvm_control_event event;
	long n = 0;

	while (read(*(int *)arg, &event, sizeof(event)) > 0)
		n++;
	return (void *)n;
}

TEST_F(control, a_waiting_reader_is_woken)
{
	pthread_t reader;
	void *events;

	pthread_create(&reader, NULL, read_to_the_end, &self->fd);
	usleep(50000);
	owner_order(&self->owner, 'r');
	usleep(50000);
	owner_order(&self->owner, 'c');
	owner_kill(&self->owner);
	pthread_join(reader, &events);
	EXPECT_EQ(2, (long)events);
}

static void *hammer(void *arg)
{
	struct owner *owner = arg;
	struct kvm_control_info info;
	long opened = 0;
	int fd;

	for (;;) {
		fd = control_open(owner->pidfd);
		if (fd < 0 && (errno == ESRCH || errno == ENOENT))
			return (void *)opened;
		TEST_ASSERT(fd >= 0, "open: %s", strerror(errno));
		opened++;
		TEST_ASSERT(!ioctl(fd, KVM_CONTROL_GET_INFO, &info) || errno == ENODEV,
			    "info: %s", strerror(errno));
		close(fd);
	}
}

TEST_F(control, opening_races_with_destruction)
{
	pthread_t thread[2];
	int i, j;

	for (i = 0; i < 50; i++) {
		for (j = 0; j < ARRAY_SIZE(thread); j++)
			pthread_create(&thread[j], NULL, hammer, &self->owner);
		usleep(1000 * (i % 5));
		if (i & 1)
			owner_order(&self->owner, 'c');
		owner_kill(&self->owner);
		for (j = 0; j < ARRAY_SIZE(thread); j++)
			pthread_join(thread[j], NULL);
		owner_end(&self->owner);
		self->owner = owner_start();
	}
}

TEST_F(control, statistics)
{
	struct kvm_vm *vm = vm_create_barebones();
	int pidfd = pidfd_of(getpid());
	int fd = control_open(pidfd);

	ASSERT_GE(fd, 0);
	EXPECT_EQ(1, vm_get_stat(vm, "control_fds"));
	close(fd);
	EXPECT_EQ(0, vm_get_stat(vm, "control_fds"));
	EXPECT_EQ(0, vm_get_stat(vm, "control_events_lost"));
	close(pidfd);
	kvm_vm_free(vm);
}

int main(int argc, char **argv)
{
	kvm_fd = open_kvm_dev_path_or_exit();
	TEST_REQUIRE(ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_CONTROL) == 1);
	return test_harness_run(argc, argv);
}
