// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: every memory allocation of hooking a VM, of answering the
 * tool, of handing its command to a vCPU and of asking it to let go fails once:
 * those of the caller, those that kthreadd makes for the receiving thread, and
 * those of that thread and the vCPU's. What is left behind then, kmemleak shows.
 */
#include <dirent.h>

#include "fail_alloc.h"
#include "kvmi_vcpu.h"

#define KTHREADD 2

/* Every test of this fixture runs through either door, without and with pages. */
FIXTURE(nomem) {
	struct guest guest;
	int door;
};

FIXTURE_VARIANT(nomem) {
	bool control;
	bool pages;
};

FIXTURE_VARIANT_ADD(nomem, vm_fd) {
	.control = false,
	.pages = false,
};

FIXTURE_VARIANT_ADD(nomem, control_fd) {
	.control = true,
	.pages = false,
};

FIXTURE_VARIANT_ADD(nomem, vm_fd_pages) {
	.control = false,
	.pages = true,
};

FIXTURE_VARIANT_ADD(nomem, control_fd_pages) {
	.control = true,
	.pages = true,
};

FIXTURE_SETUP(nomem)
{
	self->guest = guest_create();
	self->door = variant->control ? self->guest.control : self->guest.vm->fd;
	fail_alloc_pages(variant->pages);
}

FIXTURE_TEARDOWN(nomem)
{
	guest_destroy(&self->guest);
}

static bool is_hooked(struct guest *guest)
{
	struct kvm_control_info info;

	TEST_ASSERT(!ioctl(guest->control, KVM_CONTROL_GET_INFO, &info), "KVM_CONTROL_GET_INFO");
	TEST_ASSERT_EQ(!!(info.active & KVM_CONTROL_INTROSPECTION),
		       vm_get_stat(guest->vm, "introspection_hooked"));
	return info.active & KVM_CONTROL_INTROSPECTION;
}

static pid_t receiving_thread(void)
{
	char path[300], comm[16];
	struct dirent *entry;
	pid_t found = 0;
	DIR *dir = opendir("/proc");

	while ((entry = readdir(dir))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) && !strcmp(comm, "kvmi-recv\n"))
			found = atoi(entry->d_name);
		fclose(file);
	}
	closedir(dir);
	TEST_ASSERT(found, "no kvmi-recv");
	return found;
}

static void unhook(struct guest *guest, int door)
{
	struct kvm_control_event event;

	TEST_ASSERT(!ioctl(door, KVM_INTROSPECTION_UNHOOK), "not unhooked: %s", strerror(errno));
	while (read(guest->control, &event, sizeof(event)) > 0)
		;
}

/*
 * Hook until no allocation of the thread behind @nth fails any more. A hook
 * that fails says ENOMEM and leaves nothing: not the VM hooked, not the socket
 * held. Returns how many failed.
 */
static int hook_with_failures(struct guest *guest, int door, int nth)
{
	int n, r, error, pair[2], failures = 0;
	struct kvm_introspection_hook hook = {};
	bool failed;

	for (n = 1;; n++) {
		TEST_ASSERT(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
		hook.fd = pair[1];
		fail_alloc_arm(nth, n);
		r = ioctl(door, KVM_INTROSPECTION_HOOK, &hook);
		error = errno;
		failed = fail_alloc_disarm(nth);
		close(pair[1]);
		if (r) {
			TEST_ASSERT(error == ENOMEM, "allocation %d: %s", n, strerror(error));
			TEST_ASSERT(!is_hooked(guest), "allocation %d: hooked", n);
			TEST_ASSERT(tool_sees_the_end(pair[0]), "the socket is held");
			failures++;
		} else {
			TEST_ASSERT(is_hooked(guest), "allocation %d: not hooked", n);
			unhook(guest, door);
		}
		close(pair[0]);
		if (!failed)
			break;
	}
	TEST_ASSERT(!r, "hook fails without a reason: %s", strerror(error));
	return failures;
}

TEST_F(nomem, hook)
{
	int nth = fail_alloc_open(0);
	int failures = hook_with_failures(&self->guest, self->door, nth);

	if (!variant->pages)
		EXPECT_GT(failures, 0);
	close(nth);
}

TEST_F(nomem, thread)
{
	int nth = fail_alloc_open(KTHREADD);
	int failures = hook_with_failures(&self->guest, self->door, nth);

	/* How many there are depends on whether stacks of threads are kept. */
	if (!variant->pages)
		EXPECT_LE(3, failures);
	close(nth);
}

/* An allocation may be tried in several ways, of which the above fails just one. */
TEST_F(nomem, hook_with_nothing_left)
{
	int r, error, pair[2], on = open("/proc/self/make-it-fail", O_WRONLY);
	struct kvm_introspection_hook hook = {};

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	hook.fd = pair[1];
	fail_alloc_pages(true);
	fail_alloc_all(true);
	ASSERT_EQ(1, write(on, "1", 1));
	r = ioctl(self->door, KVM_INTROSPECTION_HOOK, &hook);
	error = errno;
	EXPECT_EQ(1, write(on, "0", 1));
	fail_alloc_all(false);
	EXPECT_EQ(-1, r);
	EXPECT_EQ(ENOMEM, error);
	EXPECT_FALSE(is_hooked(&self->guest));
	close(pair[1]);
	EXPECT_TRUE(tool_sees_the_end(pair[0]));
	close(pair[0]);
	close(on);
}

/* A reply that cannot be sent ends the connection, and says why. */
TEST_F(nomem, reply)
{
	struct kvmi_read_physical arg = { .gpa = GUEST_GPA, .size = 4096 };
	uint8_t reply[sizeof(struct kvmi_msg_hdr) + sizeof(struct kvmi_error_code) + 4096];
	int n, tool, nth, why, failures = 0;
	ssize_t received;
	bool failed;

	for (n = 1;; n++) {
		tool = tool_hook(self->door);
		ASSERT_GE(tool, 0);
		nth = fail_alloc_open(receiving_thread());
		fail_alloc_arm(nth, n);
		ASSERT_EQ(0, tool_send(tool, KVMI_READ_PHYSICAL, 1, &arg, sizeof(arg)));
		received = recv(tool, reply, sizeof(reply), MSG_WAITALL);
		if (received == sizeof(reply)) {
			failed = fail_alloc_disarm(nth);
		} else {
			failed = true;
			failures++;
			why = wait_for_broken(self->guest.control);
			EXPECT_TRUE(why == ENOMEM || why == ENOBUFS)
				TH_LOG("allocation %d: %d", n, why);
			EXPECT_TRUE(is_hooked(&self->guest));
		}
		close(nth);
		close(tool);
		unhook(&self->guest, self->door);
		if (!failed)
			break;
	}
	if (!variant->pages)
		EXPECT_GT(failures, 0);
}

TEST_F(nomem, preunhook)
{
	struct kvmi_control_vm_events arg = { .event_id = KVMI_EVENT_UNHOOK, .enable = 1 };
	int n, r, error, tool, nth = fail_alloc_open(0), failures = 0;
	bool failed;

	for (n = 1;; n++) {
		tool = tool_hook(self->door);
		ASSERT_GE(tool, 0);
		ASSERT_EQ(0, tool_command(tool, KVMI_CONTROL_VM_EVENTS, &arg, sizeof(arg),
					  NULL, 0));
		fail_alloc_arm(nth, n);
		r = ioctl(self->door, KVM_INTROSPECTION_PREUNHOOK);
		error = errno;
		failed = fail_alloc_disarm(nth);
		if (r) {
			failures++;
			EXPECT_TRUE(error == ENOMEM || error == ENOBUFS)
				TH_LOG("allocation %d: %s", n, strerror(error));
			EXPECT_TRUE(tool_sees_the_end(tool));
		}
		close(tool);
		unhook(&self->guest, self->door);
		if (!failed)
			break;
	}
	EXPECT_EQ(0, r);
	if (!variant->pages)
		EXPECT_GT(failures, 0);
	close(nth);
}

FIXTURE(nomem_vcpu) {
	struct machine *m;
};

FIXTURE_VARIANT(nomem_vcpu) {
	bool pages;
};

FIXTURE_VARIANT_ADD(nomem_vcpu, slab) {
	.pages = false,
};

FIXTURE_VARIANT_ADD(nomem_vcpu, pages) {
	.pages = true,
};

FIXTURE_SETUP(nomem_vcpu)
{
	self->m = machine_create(1, guest_count);
	machine_start(self->m);
	fail_alloc_pages(variant->pages);
}

FIXTURE_TEARDOWN(nomem_vcpu)
{
	machine_destroy(self->m);
}

/* What can come of a command. */
struct outcomes {
	int done;
	int refused;	/* with an error code; the next one is done */
	int broken;	/* there was no way to tell the tool */
};

/* A command for a vCPU. */
struct question {
	uint16_t id;
	uint64_t arg;
	int arg_size;
	int reply_size;
};

/* Returns whether something failed. */
static bool ask_vcpu(struct machine *m, const struct question *question, int nth, int n,
		     struct outcomes *outcomes)
{
	struct {
		struct kvmi_msg_hdr hdr;
		struct kvmi_error_code code;
	} reply;
	ssize_t received;
	uint64_t data;
	bool failed;
	int why;

	fail_alloc_arm(nth, n);
	send_command(m, question->id, 0, &question->arg, question->arg_size);
	received = recv(m->tool, &reply, sizeof(reply), MSG_WAITALL);
	if (received != sizeof(reply)) {
		why = wait_for_broken(m->control);
		TEST_ASSERT(why == ENOMEM || why == ENOBUFS, "allocation %d: %d", n, why);
		outcomes->broken++;
		return true;
	}

	failed = fail_alloc_disarm(nth);
	TEST_ASSERT_EQ(reply.hdr.seq, m->seq);
	if (reply.code.err) {
		TEST_ASSERT_EQ(reply.code.err, -ENOMEM);
		TEST_ASSERT(failed, "allocation %d: ENOMEM for no reason", n);
		TEST_ASSERT_EQ(vcpu_ping(m, 0), 0);
		outcomes->refused++;
	} else {
		if (question->reply_size)
			TEST_ASSERT(recv(m->tool, &data, question->reply_size, MSG_WAITALL) ==
				    question->reply_size, "half a reply");
		outcomes->done++;
	}
	return failed;
}

/* Ask a vCPU until no allocation of a thread fails any more; the guest goes on. */
static struct outcomes ask_with_failures(struct machine *m, const struct question *question,
					 bool vcpus_thread)
{
	struct outcomes outcomes = {};
	struct kvm_control_event event;
	bool failed = true;
	int n, nth;

	for (n = 1; failed; n++) {
		nth = fail_alloc_open(vcpus_thread ? m->cpu[0].tid : receiving_thread());
		failed = ask_vcpu(m, question, nth, n, &outcomes);
		close(nth);
		cpu_wait_counting(&m->cpu[0]);
		machine_unhook(m);
		while (read(m->control, &event, sizeof(event)) > 0)
			;
		machine_hook(m);
	}
	return outcomes;
}

static const struct question get_vcpu_info = {
	.id = KVMI_GET_VCPU_INFO,
	.reply_size = sizeof(struct kvmi_get_vcpu_info_reply),
};

TEST_F(nomem_vcpu, job)
{
	struct outcomes outcomes = ask_with_failures(self->m, &get_vcpu_info, false);

	EXPECT_GT(outcomes.done, 0);
	EXPECT_EQ(0, outcomes.broken);
	if (!variant->pages)
		EXPECT_GT(outcomes.refused, 0);
}

TEST_F(nomem_vcpu, answer)
{
	struct outcomes outcomes = ask_with_failures(self->m, &get_vcpu_info, true);

	EXPECT_GT(outcomes.done, 0);
	if (!variant->pages) {
		EXPECT_GT(outcomes.refused, 0);
		EXPECT_GT(outcomes.broken, 0);
	}
}

/* A vCPU keeps what it takes to watch it, so each time it is another one. */
static struct outcomes watch_with_failures(struct machine **m)
{
	struct kvmi_control_cr arg = { .enable = 1, .cr = 3 };
	struct question question = {
		.id = KVMI_CONTROL_CR,
		.arg_size = sizeof(struct kvmi_control_cr),
	};
	struct outcomes outcomes = {};
	bool failed = true;
	int n, nth;

	TEST_ASSERT_EQ(sizeof(arg), sizeof(question.arg));
	memcpy(&question.arg, &arg, sizeof(arg));
	for (n = 1; failed; n++) {
		nth = fail_alloc_open((*m)->cpu[0].tid);
		failed = ask_vcpu(*m, &question, nth, n, &outcomes);
		close(nth);
		cpu_wait_counting(&(*m)->cpu[0]);
		machine_destroy(*m);
		*m = machine_create(1, guest_count);
		machine_start(*m);
	}
	return outcomes;
}

/* What it takes to remember what the tool wants to see. */
TEST_F(nomem_vcpu, watch)
{
	struct outcomes outcomes;
	int tries = 3;

	/* What else the thread allocates may have been the one that failed. */
	do
		outcomes = watch_with_failures(&self->m);
	while (!variant->pages && outcomes.refused < 2 && --tries);

	EXPECT_GT(outcomes.done, 0);
	/* The reply's, and this. */
	if (!variant->pages)
		EXPECT_GT(outcomes.refused, 1);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	TEST_REQUIRE(fail_alloc_prepare());
	return test_harness_run(argc, argv);
}
