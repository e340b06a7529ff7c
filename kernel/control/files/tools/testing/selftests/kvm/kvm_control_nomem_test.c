// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM control: every memory allocation of creating a VM and of opening a
 * control fd fails once. What is left behind then, kmemleak shows.
 */
#include <sys/syscall.h>
#include <linux/kvm_control.h>

#include "fail_alloc.h"
#include "kvm_util.h"
#include "kselftest_harness.h"

/* Only a limit for what hangs: a kernel that checks itself is slow. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

FIXTURE(nomem) {
	int kvm_fd;
	int nth;
};

FIXTURE_VARIANT(nomem) {
	bool pages;
};

FIXTURE_VARIANT_ADD(nomem, slab) {
	.pages = false,
};

FIXTURE_VARIANT_ADD(nomem, pages) {
	.pages = true,
};

FIXTURE_SETUP(nomem)
{
	fail_alloc_pages(variant->pages);
	self->kvm_fd = open_kvm_dev_path_or_exit();
	self->nth = fail_alloc_open(0);
}

FIXTURE_TEARDOWN(nomem)
{
	close(self->nth);
	close(self->kvm_fd);
}

static int control_open(int kvm_fd, int pidfd)
{
	struct kvm_control_open open = { .pidfd = pidfd };

	return ioctl(kvm_fd, KVM_CONTROL_OPEN, &open);
}

/* The number that the next file descriptor gets. */
static int next_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

TEST_F(nomem, create_vm)
{
	int n, vm, error, failures = 0, next = next_fd();

	for (n = 1;; n++) {
		fail_alloc_arm(self->nth, n);
		vm = ioctl(self->kvm_fd, KVM_CREATE_VM, 0);
		error = errno;
		if (!fail_alloc_disarm(self->nth))
			break;
		if (vm < 0) {
			failures++;
			EXPECT_EQ(ENOMEM, error) TH_LOG("allocation %d", n);
		} else {
			close(vm);
		}
		ASSERT_EQ(next, next_fd());
	}
	ASSERT_GE(vm, 0);
	if (!variant->pages)
		EXPECT_GE(failures, 10);
	close(vm);
}

TEST_F(nomem, open)
{
	struct kvm_vm *vm = vm_create_barebones();
	int pidfd = syscall(SYS_pidfd_open, getpid(), 0);
	int n, fd, error, failures = 0, next;

	/* The first opens a file descriptor that stays. */
	EXPECT_EQ(0, vm_get_stat(vm, "control_fds"));
	next = next_fd();
	for (n = 1;; n++) {
		fail_alloc_arm(self->nth, n);
		fd = control_open(self->kvm_fd, pidfd);
		error = errno;
		if (!fail_alloc_disarm(self->nth))
			break;
		if (fd < 0) {
			failures++;
			EXPECT_EQ(ENOMEM, error) TH_LOG("allocation %d", n);
		} else {
			close(fd);
		}
		ASSERT_EQ(next, next_fd());
		/* Nothing counts as open that is not. */
		ASSERT_EQ(0, vm_get_stat(vm, "control_fds"));
	}
	ASSERT_GE(fd, 0);
	/* What it keeps its events in, a dentry, a file. */
	if (!variant->pages)
		EXPECT_EQ(3, failures);
	EXPECT_EQ(1, vm_get_stat(vm, "control_fds"));
	close(fd);
	close(pidfd);
	kvm_vm_free(vm);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_CONTROL));
	TEST_REQUIRE(fail_alloc_prepare());
	return test_harness_run(argc, argv);
}
