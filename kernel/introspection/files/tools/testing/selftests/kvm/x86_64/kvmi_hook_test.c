// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: hooking, unhooking, and everything that can cut it short.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <linux/userfaultfd.h>

#include "kvmi_test.h"

#define CYCLES 10000

/* Every test of this fixture runs through either door. */
FIXTURE(hook) {
	struct guest guest;
	int door;
};

FIXTURE_VARIANT(hook) {
	bool control;
};

FIXTURE_VARIANT_ADD(hook, vm_fd) {
	.control = false,
};

FIXTURE_VARIANT_ADD(hook, control_fd) {
	.control = true,
};

FIXTURE_SETUP(hook)
{
	self->guest = guest_create();
	self->door = variant->control ? self->guest.control : self->guest.vm->fd;
}

FIXTURE_TEARDOWN(hook)
{
	guest_destroy(&self->guest);
}

static int hook_fd(int door, int fd, uint32_t padding)
{
	struct kvm_introspection_hook hook = { .fd = fd, .padding = padding };

	return ioctl(door, KVM_INTROSPECTION_HOOK, &hook);
}

static void set_parameter(char value)
{
	int fd = open(PARAMETER, O_WRONLY);

	TEST_ASSERT(write(fd, &value, 1) == 1, "cannot write " PARAMETER);
	close(fd);
}

static int ping(int tool)
{
	struct kvmi_get_version_reply reply;

	return tool_command(tool, KVMI_GET_VERSION, NULL, 0, &reply, sizeof(reply));
}

TEST_F(hook, disabled_by_the_parameter)
{
	set_parameter('N');
	EXPECT_ERROR(EPERM, tool_hook(self->door));
	EXPECT_ERROR(EPERM, ioctl(self->door, KVM_INTROSPECTION_UNHOOK));
	set_parameter('Y');
	EXPECT_EQ(0, ioctl(self->door, KVM_INTROSPECTION_UNHOOK));
}

TEST_F(hook, wants_a_connected_stream_socket)
{
	int stream = socket(AF_UNIX, SOCK_STREAM, 0), pair[2];

	EXPECT_ERROR(EINVAL, hook_fd(self->door, -1, 0));
	EXPECT_ERROR(EINVAL, hook_fd(self->door, self->door, 0));
	EXPECT_ERROR(EINVAL, hook_fd(self->door, stream, 0));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	EXPECT_ERROR(EINVAL, hook_fd(self->door, pair[0], 0));
	close(stream);
	close(pair[0]);
	close(pair[1]);
}

TEST_F(hook, wants_zero_padding)
{
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	EXPECT_ERROR(EINVAL, hook_fd(self->door, pair[0], 1));
	EXPECT_ERROR(EFAULT, ioctl(self->door, KVM_INTROSPECTION_HOOK, NULL));
	EXPECT_EQ(0, hook_fd(self->door, pair[0], 0));
	close(pair[0]);
	close(pair[1]);
}

TEST_F(hook, only_once)
{
	int tool = tool_hook(self->door);

	ASSERT_GE(tool, 0);
	EXPECT_ERROR(EEXIST, tool_hook(self->door));
	EXPECT_ERROR(EEXIST, tool_hook(self->guest.control));
	/* The first tool did not notice. */
	EXPECT_EQ(0, ping(tool));
	close(tool);
}

TEST_F(hook, unhook_needs_no_hook)
{
	int tool;

	EXPECT_EQ(0, ioctl(self->door, KVM_INTROSPECTION_UNHOOK));
	tool = tool_hook(self->door);
	ASSERT_GE(tool, 0);
	EXPECT_EQ(0, ioctl(self->door, KVM_INTROSPECTION_UNHOOK));
	EXPECT_TRUE(tool_sees_the_end(tool));
	EXPECT_EQ(0, ioctl(self->door, KVM_INTROSPECTION_UNHOOK));
	close(tool);
}

TEST_F(hook, has_a_thread_of_its_own)
{
	int before = threads_named("kvmi-recv"), tool = tool_hook(self->door);

	ASSERT_GE(tool, 0);
	EXPECT_EQ(before + 1, threads_named("kvmi-recv"));
	EXPECT_EQ(0, ioctl(self->door, KVM_INTROSPECTION_UNHOOK));
	EXPECT_EQ(before, threads_named("kvmi-recv"));
	close(tool);
}

TEST_F(hook, works_at_the_fd_limit)
{
	struct rlimit limit, old;
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	getrlimit(RLIMIT_NOFILE, &old);
	limit = (struct rlimit){ .rlim_cur = 3, .rlim_max = old.rlim_max };
	setrlimit(RLIMIT_NOFILE, &limit);
	EXPECT_EQ(0, hook_fd(self->door, pair[1], 0));
	setrlimit(RLIMIT_NOFILE, &old);
	EXPECT_EQ(0, ping(pair[0]));
	close(pair[0]);
	close(pair[1]);
}

TEST_F(hook, control_tells)
{
	struct kvm_control_info info;
	int tool;

	ASSERT_EQ(0, ioctl(self->guest.control, KVM_CONTROL_GET_INFO, &info));
	EXPECT_TRUE(info.supported & KVM_CONTROL_INTROSPECTION);
	EXPECT_FALSE(info.active & KVM_CONTROL_INTROSPECTION);

	tool = tool_hook(self->door);
	ASSERT_EQ(0, ioctl(self->guest.control, KVM_CONTROL_GET_INFO, &info));
	EXPECT_TRUE(info.active & KVM_CONTROL_INTROSPECTION);
	EXPECT_EQ(0, info.item[2].vcpus_entered);
	EXPECT_EQ(0, info.item[2].flags);

	close(tool);
	EXPECT_EQ(EPIPE, wait_for_broken(self->guest.control));
	ASSERT_EQ(0, ioctl(self->guest.control, KVM_CONTROL_GET_INFO, &info));
	EXPECT_TRUE(info.active & KVM_CONTROL_INTROSPECTION);
	EXPECT_EQ(KVM_CONTROL_ITEM_BROKEN, info.item[2].flags);

	EXPECT_EQ(0, ioctl(self->door, KVM_INTROSPECTION_UNHOOK));
	ASSERT_EQ(0, ioctl(self->guest.control, KVM_CONTROL_GET_INFO, &info));
	EXPECT_FALSE(info.active & KVM_CONTROL_INTROSPECTION);
	EXPECT_EQ(0, info.item[2].flags);
}

static void die_after(int tool, int step)
{
	struct kvmi_read_physical arg = { .gpa = GUEST_GPA, .size = 4096 };
	struct kvmi_msg_hdr hdr = { .id = KVMI_READ_PHYSICAL, .size = sizeof(arg) };

	switch (step) {
	case 0:	/* connecting */
		break;
	case 1: /* half a header */
		send(tool, &hdr, 3, 0);
		break;
	case 2: /* a header */
		send(tool, &hdr, sizeof(hdr), 0);
		break;
	case 3: /* half a command */
		send(tool, &hdr, sizeof(hdr), 0);
		send(tool, &arg, 5, 0);
		break;
	case 4: /* a command whose reply it does not read */
		tool_send(tool, hdr.id, 1, &arg, sizeof(arg));
		break;
	case 5: /* half a reply */
		tool_send(tool, hdr.id, 1, &arg, sizeof(arg));
		recv(tool, &arg, 5, 0);
		break;
	case 6: /* a command and its reply */
		ping(tool);
		break;
	}
	close(tool);
}

TEST_F(hook, the_tool_may_die_at_every_step)
{
	int step, tool, why;

	for (step = 0; step <= 6; step++) {
		tool = tool_hook(self->door);
		ASSERT_GE(tool, 0) TH_LOG("step %d: %s", step, strerror(errno));
		die_after(tool, step);
		why = wait_for_broken(self->guest.control);
		EXPECT_TRUE(why == EPIPE || why == ECONNRESET)
			TH_LOG("step %d: %d", step, why);
		/* Someone has to acknowledge it. */
		EXPECT_ERROR(EEXIST, tool_hook(self->door));
		EXPECT_EQ(0, ioctl(self->door, KVM_INTROSPECTION_UNHOOK));
	}
}

/* Send commands until the host side, stuck with the replies, takes no more. */
static void stop_reading(int tool)
{
	struct {
		struct kvmi_msg_hdr hdr;
		struct kvmi_read_physical arg;
	} message = {
		.hdr = { .id = KVMI_READ_PHYSICAL, .size = sizeof(message.arg) },
		.arg = { .gpa = GUEST_GPA, .size = 4096 },
	};

	while (send(tool, &message, sizeof(message), MSG_DONTWAIT) == sizeof(message))
		;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* KVM cuts it off after a while; whoever unhooks does not wait for that. */
TEST_F(hook, a_tool_that_stops_reading_is_cut_off)
{
	double start, cut_off, unhook;
	int tool;

	tool = tool_hook(self->door);
	stop_reading(tool);
	start = now();
	EXPECT_EQ(ETIMEDOUT, wait_for_broken(self->guest.control));
	cut_off = now() - start;
	EXPECT_EQ(0, ioctl(self->door, KVM_INTROSPECTION_UNHOOK));
	close(tool);

	tool = tool_hook(self->door);
	stop_reading(tool);
	start = now();
	EXPECT_EQ(0, ioctl(self->door, KVM_INTROSPECTION_UNHOOK));
	unhook = now() - start;
	EXPECT_LT(unhook * 2, cut_off);
	close(tool);
}

TEST_F(hook, unhook_does_not_wait_for_guest_memory)
{
	struct kvmi_read_physical arg = { .gpa = GUEST_GPA, .size = 8 };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC), tool;
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)self->guest.memory, 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffd_msg msg;

	if (uffd < 0)
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	madvise(self->guest.memory, 4096, MADV_DONTNEED);
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));

	tool = tool_hook(self->door);
	ASSERT_EQ(0, tool_send(tool, KVMI_READ_PHYSICAL, 1, &arg, sizeof(arg)));
	/* The thread waits for the page, and we never give it. */
	ASSERT_EQ(sizeof(msg), read(uffd, &msg, sizeof(msg)));
	EXPECT_EQ(0, ioctl(self->door, KVM_INTROSPECTION_UNHOOK));
	close(tool);
	close(uffd);
}

TEST_F(hook, the_vm_may_be_destroyed)
{
	struct pollfd poll_fd = { .fd = self->guest.control };
	struct kvm_introspection_hook hook = {};
	struct kvm_control_event event;
	int tool = tool_hook(self->door);

	EXPECT_EQ(0, ping(tool));
	kvm_vm_free(self->guest.vm);
	self->guest.vm = NULL;
	EXPECT_TRUE(tool_sees_the_end(tool));
	while (read(self->guest.control, &event, sizeof(event)) > 0)
		;
	EXPECT_EQ(1, poll(&poll_fd, 1, 1000));
	EXPECT_EQ(POLLHUP, poll_fd.revents);
	EXPECT_ERROR(ENODEV, ioctl(self->guest.control, KVM_INTROSPECTION_HOOK, &hook));
	EXPECT_ERROR(ENODEV, ioctl(self->guest.control, KVM_INTROSPECTION_UNHOOK));
	close(tool);
}

/* A process that hooks its own VM and is killed, with commands under way. */
TEST_F(hook, the_vms_process_may_be_killed)
{
	static char answers[65536];
	int i, pair[2];
	pid_t pid;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		pid = fork();
		if (!pid) {
			struct guest guest = guest_create();

			close(pair[0]);
			_exit(hook_fd(guest.vm->fd, pair[1], 0) || pause());
		}
		close(pair[1]);
		EXPECT_EQ(0, ping(pair[0]));
		stop_reading(pair[0]);
		kill(pid, SIGKILL);
		while (recv(pair[0], answers, sizeof(answers), 0) > 0)
			;
		waitpid(pid, NULL, 0);
		close(pair[0]);
	}
}

/* A manager that hooks a VM and is killed: the hook outlives it, and the next manager finds it. */
TEST_F(hook, the_manager_may_be_killed)
{
	struct kvm_introspection_hook hook = {};
	struct kvm_control_info info;
	int pair[2], ready[2];
	pid_t pid;
	char c;

	if (!variant->control)
		SKIP(return, "a VM fd's holder is not its manager");
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	if (!pid) {
		struct kvm_control_open open = {
			.pidfd = syscall(SYS_pidfd_open, getppid(), 0),
		};
		int control = ioctl(self->guest.vm->kvm_fd, KVM_CONTROL_OPEN, &open);

		close(pair[0]);
		hook.fd = pair[1];
		if (ioctl(control, KVM_INTROSPECTION_HOOK, &hook))
			_exit(1);
		write(ready[1], "r", 1);
		pause();
	}
	close(pair[1]);
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &c, 1));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);

	EXPECT_EQ(0, ping(pair[0]));
	ASSERT_EQ(0, ioctl(self->guest.control, KVM_CONTROL_GET_INFO, &info));
	EXPECT_TRUE(info.active & KVM_CONTROL_INTROSPECTION);
	EXPECT_EQ(0, ioctl(self->guest.control, KVM_INTROSPECTION_UNHOOK));
	EXPECT_TRUE(tool_sees_the_end(pair[0]));
	close(pair[0]);
	close(ready[0]);
}

TEST_F(hook, a_vm_fd_obeys_its_creator_only)
{
	int status;
	pid_t pid;

	if (variant->control)
		SKIP(return, "that is what control fds are for");
	pid = fork();
	if (!pid)
		_exit(tool_hook(self->door) == -1 && errno == EIO ? 0 : 1);
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
}

/* Two processes: as the other has no right on a VM fd, through control fds. */
TEST_F(hook, one_of_two_processes_wins)
{
	int status, go[2], i, won, tool;
	pid_t pid;
	char c;

	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, go));
		pid = fork();
		if (!pid) {
			if (read(go[1], &c, 1) != 1)
				_exit(2);
			tool = tool_hook(self->guest.control);
			_exit(tool >= 0 ? 1 : errno == EEXIST ? 0 : 2);
		}
		ASSERT_EQ(1, write(go[0], "g", 1));
		tool = tool_hook(self->door);
		won = tool >= 0;
		if (!won)
			EXPECT_EQ(EEXIST, errno);
		waitpid(pid, &status, 0);
		ASSERT_TRUE(WIFEXITED(status));
		EXPECT_EQ(1, won + WEXITSTATUS(status));
		close(go[0]);
		close(go[1]);
		if (won)
			close(tool);
		ASSERT_EQ(0, ioctl(self->door, KVM_INTROSPECTION_UNHOOK));
	}
}

static void *hook_and_unhook(void *arg)
{
	int door = *(int *)arg, i, tool;

	for (i = 0; i < 500; i++) {
		tool = tool_hook(door);
		TEST_ASSERT(tool >= 0 || errno == EEXIST, "hook: %s", strerror(errno));
		TEST_ASSERT(!ioctl(door, KVM_INTROSPECTION_UNHOOK), "unhook");
		if (tool >= 0)
			close(tool);
	}
	return NULL;
}

TEST_F(hook, hooks_and_unhooks_may_mix)
{
	pthread_t thread[3];
	int i;

	for (i = 0; i < ARRAY_SIZE(thread); i++)
		pthread_create(&thread[i], NULL, hook_and_unhook, &self->door);
	for (i = 0; i < ARRAY_SIZE(thread); i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(0, threads_named("kvmi-recv"));
}

TEST_F_TIMEOUT(hook, many_times, 900)
{
	int i, tool, last = dup(0);
	struct kvm_control_event event;

	close(last);
	for (i = 0; i < CYCLES; i++) {
		tool = tool_hook(self->door);
		ASSERT_GE(tool, 0) TH_LOG("cycle %d: %s", i, strerror(errno));
		ASSERT_EQ(0, ioctl(self->door, KVM_INTROSPECTION_UNHOOK));
		ASSERT_TRUE(tool_sees_the_end(tool));
		close(tool);
	}
	EXPECT_EQ(0, threads_named("kvmi-recv"));
	/* Not one file descriptor more than before. */
	EXPECT_EQ(last, dup(0));

	/* Nobody read the events; the queue kept the last 64 and counted the rest. */
	ASSERT_EQ(sizeof(event), read(self->guest.control, &event, sizeof(event)));
	EXPECT_EQ(2 * CYCLES - 64, event.lost);
	EXPECT_EQ(2 * CYCLES - 63, event.seq);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	return test_harness_run(argc, argv);
}
