/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of KVM introspection share: a VM of the test's own with one
 * page of known content, a control fd for it, and the tool's end of a socket.
 */
#ifndef SELFTEST_KVMI_TEST_H
#define SELFTEST_KVMI_TEST_H

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <linux/kvm_control.h>
#include <linux/kvmi.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "kselftest_harness.h"

/* Only a limit for what hangs: a kernel that checks itself is slow. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#define GUEST_GPA	0x100000ul
#define GUEST_PAGES	4
#define PARAMETER	"/sys/module/kvm/parameters/introspection"

#define EXPECT_ERROR(number, call)			\
	do {						\
		errno = 0;				\
		EXPECT_EQ(-1, (call));			\
		EXPECT_EQ(number, errno);		\
	} while (0)

struct guest {
	struct kvm_vm *vm;
	uint8_t *memory;
	int control;
};

static inline int control_open(int kvm_fd)
{
	struct kvm_control_open open = {
		.pidfd = syscall(SYS_pidfd_open, getpid(), 0),
	};
	int fd = ioctl(kvm_fd, KVM_CONTROL_OPEN, &open);

	close(open.pidfd);
	return fd;
}

static inline struct guest guest_create(void)
{
	struct guest guest;
	int i;

	guest.vm = vm_create_barebones();
	vm_userspace_mem_region_add(guest.vm, VM_MEM_SRC_ANONYMOUS, GUEST_GPA, 1,
				    GUEST_PAGES, 0);
	guest.memory = addr_gpa2hva(guest.vm, GUEST_GPA);
	for (i = 0; i < GUEST_PAGES * getpagesize(); i++)
		guest.memory[i] = i ^ (i >> 8);
	guest.control = control_open(guest.vm->kvm_fd);
	TEST_ASSERT(guest.control >= 0, "KVM_CONTROL_OPEN: %s", strerror(errno));
	fcntl(guest.control, F_SETFL, O_NONBLOCK);
	return guest;
}

static inline void guest_destroy(struct guest *guest)
{
	if (guest->vm)
		kvm_vm_free(guest->vm);
	close(guest->control);
}

/* Hook over a new socket pair; returns the tool's end, or -1. */
static inline int tool_hook(int door)
{
	struct kvm_introspection_hook hook = {};
	struct timeval limit = { .tv_sec = 20 };
	int pair[2], r, saved;

	TEST_ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	hook.fd = pair[1];
	r = ioctl(door, KVM_INTROSPECTION_HOOK, &hook);
	saved = errno;
	close(pair[1]);
	if (!r)
		return pair[0];
	close(pair[0]);
	errno = saved;
	return -1;
}

/* What a control fd tells, which is what the VM's statistics tell as well. */
static inline struct kvm_introspection_stats guest_stats(struct kvm_vm *vm, int control)
{
	uint64_t hist[KVM_INTROSPECTION_REPLY_HIST];
	struct kvm_introspection_stats stats;
	int i;

	memset(&stats, 0xff, sizeof(stats));
	TEST_ASSERT(!ioctl(control, KVM_INTROSPECTION_GET_STATS, &stats), "get stats: %s",
		    strerror(errno));
	TEST_ASSERT_EQ(stats.commands, vm_get_stat(vm, "introspection_commands"));
	TEST_ASSERT_EQ(stats.errors, vm_get_stat(vm, "introspection_errors"));
	TEST_ASSERT_EQ(stats.events, vm_get_stat(vm, "introspection_events"));
	__vm_get_stat(vm, "introspection_reply_hist", hist, KVM_INTROSPECTION_REPLY_HIST);
	TEST_ASSERT(!memcmp(hist, stats.reply_hist, sizeof(stats.reply_hist)), "histogram");
	for (i = 0; i < ARRAY_SIZE(stats.padding); i++)
		TEST_ASSERT_EQ(stats.padding[i], 0);
	return stats;
}

/* In one piece: KVM may close the connection after the first byte it dislikes. */
static inline int tool_send(int tool, uint16_t id, uint32_t seq, const void *data,
			    uint16_t size)
{
	struct {
		struct kvmi_msg_hdr hdr;
		uint8_t data[KVMI_MSG_SIZE - sizeof(struct kvmi_msg_hdr)];
	} message = { .hdr = { .id = id, .size = size, .seq = seq } };
	size_t total = sizeof(message.hdr) + size;

	if (size)
		memcpy(message.data, data, size);
	return send(tool, &message, total, MSG_NOSIGNAL) == total ? 0 : -1;
}

/*
 * Send a command and return the reply's error code, with its data in @reply.
 * What the reply must look like whatever the command was is checked here.
 */
static inline int tool_command(int tool, uint16_t id, const void *data, uint16_t size,
			       void *reply, uint16_t reply_size)
{
	static uint32_t seq = 1000;
	struct kvmi_error_code code;
	struct kvmi_msg_hdr hdr;

	TEST_ASSERT(!tool_send(tool, id, ++seq, data, size), "send: %s", strerror(errno));
	TEST_ASSERT(recv(tool, &hdr, sizeof(hdr), MSG_WAITALL) == sizeof(hdr),
		    "no reply to command %d", id);
	TEST_ASSERT_EQ(hdr.id, id);
	TEST_ASSERT_EQ(hdr.seq, seq);
	TEST_ASSERT(recv(tool, &code, sizeof(code), MSG_WAITALL) == sizeof(code),
		    "half a reply to command %d", id);
	TEST_ASSERT_EQ(code.padding, 0);
	TEST_ASSERT_EQ(hdr.size, sizeof(code) + (code.err ? 0 : reply_size));
	if (!code.err && reply_size)
		TEST_ASSERT(recv(tool, reply, reply_size, MSG_WAITALL) == reply_size,
			    "half a reply to command %d", id);
	return code.err;
}

/* Whether the host side closes the connection, without another byte. */
static inline bool tool_sees_the_end(int tool)
{
	char c;

	return recv(tool, &c, 1, 0) == 0;
}

/* Wait for the event that says that the connection broke; returns why. */
static inline int wait_for_broken(int control)
{
	struct pollfd poll_fd = { .fd = control, .events = POLLIN };
	struct kvm_control_event event;

	while (poll(&poll_fd, 1, 20000) == 1) {
		while (read(control, &event, sizeof(event)) == sizeof(event)) {
			if (event.type != KVM_CONTROL_EVENT_BROKEN)
				continue;
			TEST_ASSERT_EQ(event.data[0], KVM_CONTROL_INTROSPECTION);
			return event.data[1];
		}
	}
	return 0;
}

/* How many processes, which include kernel threads, have that name. */
static inline int threads_named(const char *name)
{
	struct dirent *entry;
	char path[300], comm[32];
	DIR *dir = opendir("/proc");
	int n = 0;

	while ((entry = readdir(dir))) {
		int fd, len;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		len = read(fd, comm, sizeof(comm) - 1);
		close(fd);
		n += len == strlen(name) + 1 && !strncmp(comm, name, strlen(name));
	}
	closedir(dir);
	return n;
}

#endif /* SELFTEST_KVMI_TEST_H */
