// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trust domains, on a host that has none: whoever asks is told so, and VMs that
 * are no trust domains are not taken for such.
 *
 * What a host with a TDX module does is tested against a model of it, in KUnit.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <linux/kvm_control.h>
#include <linux/kvm_trustdomain.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "kselftest_harness.h"

static int kvm_fd;

static int control_open_self(void)
{
	struct kvm_control_open open = { .pidfd = syscall(SYS_pidfd_open, getpid(), 0) };
	int fd = ioctl(kvm_fd, KVM_CONTROL_OPEN, &open);

	close(open.pidfd);
	return fd;
}

/* Expect an ioctl to fail with an error. */
#define EXPECT_IOCTL_ERROR(error, fd, request, arg)		\
	do {							\
		EXPECT_EQ(-1, ioctl(fd, request, arg));		\
		EXPECT_EQ(error, errno);			\
	} while (0)

FIXTURE(trustdomain) {
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
};

static void guest_code(void)
{
	GUEST_DONE();
}

FIXTURE_SETUP(trustdomain)
{
	self->vm = vm_create_with_one_vcpu(&self->vcpu, guest_code);
}

FIXTURE_TEARDOWN(trustdomain)
{
	kvm_vm_free(self->vm);
}

TEST_F(trustdomain, vm_type_is_not_offered)
{
	EXPECT_FALSE(ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_VM_TYPES) &
		     (1 << KVM_X86_TDX_VM));
	EXPECT_IOCTL_ERROR(EINVAL, kvm_fd, KVM_CREATE_VM, KVM_X86_TDX_VM);
}

TEST_F(trustdomain, host_has_no_capacity)
{
	struct kvm_trustdomain_capacity capacity = {};

	EXPECT_IOCTL_ERROR(EOPNOTSUPP, kvm_fd, KVM_TRUSTDOMAIN_GET_CAPACITY, &capacity);

	capacity.flags = 1;
	EXPECT_IOCTL_ERROR(EINVAL, kvm_fd, KVM_TRUSTDOMAIN_GET_CAPACITY, &capacity);
	capacity.flags = 0;
	capacity.padding[3] = 1;
	EXPECT_IOCTL_ERROR(EINVAL, kvm_fd, KVM_TRUSTDOMAIN_GET_CAPACITY, &capacity);
	EXPECT_IOCTL_ERROR(EFAULT, kvm_fd, KVM_TRUSTDOMAIN_GET_CAPACITY, NULL);
}

TEST_F(trustdomain, host_has_no_leaks)
{
	struct kvm_trustdomain_leak leak = {};

	EXPECT_IOCTL_ERROR(EOPNOTSUPP, kvm_fd, KVM_TRUSTDOMAIN_GET_LEAK, &leak);

	leak.padding0 = 1;
	EXPECT_IOCTL_ERROR(EINVAL, kvm_fd, KVM_TRUSTDOMAIN_GET_LEAK, &leak);
	leak.padding0 = 0;
	leak.padding[0] = 1;
	EXPECT_IOCTL_ERROR(EINVAL, kvm_fd, KVM_TRUSTDOMAIN_GET_LEAK, &leak);
	EXPECT_IOCTL_ERROR(EFAULT, kvm_fd, KVM_TRUSTDOMAIN_GET_LEAK, NULL);
}

TEST_F(trustdomain, other_vm_is_none)
{
	struct kvm_trustdomain_info info;
	struct kvm_control_info control;
	int fd = control_open_self();

	ASSERT_GE(fd, 0);
	EXPECT_IOCTL_ERROR(EOPNOTSUPP, fd, KVM_TRUSTDOMAIN_GET_INFO, &info);
	ASSERT_EQ(0, ioctl(fd, KVM_CONTROL_GET_INFO, &control));
	EXPECT_FALSE(control.supported & KVM_CONTROL_TRUSTDOMAIN);
	EXPECT_FALSE(control.active & KVM_CONTROL_TRUSTDOMAIN);
	close(fd);
}

/* An encrypted VM of another kind knows these; a default one never did. */
TEST_F(trustdomain, other_vm_takes_no_commands)
{
	struct kvm_tdx_cmd cmd = { .id = KVM_TDX_TERMINATE_VM };

	EXPECT_EQ(-1, ioctl(self->vm->fd, KVM_MEMORY_ENCRYPT_OP, &cmd));
	EXPECT_TRUE(errno == ENOTTY || errno == EINVAL);
	EXPECT_EQ(-1, ioctl(self->vcpu->fd, KVM_MEMORY_ENCRYPT_OP, &cmd));
	EXPECT_EQ(ENOTTY, errno);
}

TEST_F(trustdomain, other_vm_runs)
{
	struct ucall uc;

	vcpu_run(self->vcpu);
	EXPECT_EQ(UCALL_DONE, get_ucall(self->vcpu, &uc));
}

TEST_F(trustdomain, statistics_of_other_vm)
{
	EXPECT_EQ(0, vm_get_stat(self->vm, "trustdomain_state"));
	EXPECT_EQ(0, vm_get_stat(self->vm, "trustdomain_control_pages"));
	EXPECT_EQ(0, vm_get_stat(self->vm, "trustdomain_private_pages"));
	EXPECT_EQ(0, vm_get_stat(self->vm, "trustdomain_reclaimed_pages"));
	EXPECT_EQ(0, vm_get_stat(self->vm, "trustdomain_leaked_pages"));
}

int main(int argc, char **argv)
{
	struct kvm_trustdomain_capacity capacity = {};

	kvm_fd = open_kvm_dev_path_or_exit();
	TEST_REQUIRE(ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_CONTROL) == 1);
	TEST_REQUIRE(ioctl(kvm_fd, KVM_TRUSTDOMAIN_GET_CAPACITY, &capacity) < 0);
	return test_harness_run(argc, argv);
}
