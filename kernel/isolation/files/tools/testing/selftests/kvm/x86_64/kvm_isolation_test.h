/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Isolated VMs: what their tests do as managers.
 */
#ifndef SELFTEST_KVM_ISOLATION_TEST_H
#define SELFTEST_KVM_ISOLATION_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <linux/kvm_control.h>
#include <linux/kvm_isolation.h>

#include "kvm_util.h"
#include "processor.h"
#include "test_util.h"
#include "kselftest_harness.h"

/*
 * Only a limit for what hangs: a kernel that checks itself is slow. A third of what
 * the whole program has, so that it is a case that is said to hang.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#define EXITS 1000
#define WITHOUT_ASI	"not booted with asi=on"

static int kvm_fd;
static bool asi_on;

static inline int control_open_self(void)
{
	struct kvm_control_open open = { .pidfd = syscall(SYS_pidfd_open, getpid(), 0) };
	int fd = ioctl(kvm_fd, KVM_CONTROL_OPEN, &open);

	close(open.pidfd);
	return fd;
}

static inline int try_set(int fd, bool on)
{
	struct kvm_control_policy policy = {
		.mask = KVM_CONTROL_ISOLATION,
		.value = on ? KVM_CONTROL_ISOLATION : 0,
	};

	return ioctl(fd, KVM_CONTROL_SET_POLICY, &policy);
}

static inline void set(int fd, bool on)
{
	TEST_ASSERT(!try_set(fd, on), "KVM_CONTROL_SET_POLICY: %s", strerror(errno));
}

static inline struct kvm_isolation_stats stats(int fd)
{
	struct kvm_isolation_stats stats;

	memset(&stats, 0xff, sizeof(stats));
	TEST_ASSERT(!ioctl(fd, KVM_ISOLATION_GET_STATS, &stats),
		    "KVM_ISOLATION_GET_STATS: %s", strerror(errno));
	return stats;
}

static inline struct kvm_control_info info(int fd)
{
	struct kvm_control_info info;

	TEST_ASSERT(!ioctl(fd, KVM_CONTROL_GET_INFO, &info), "KVM_CONTROL_GET_INFO");
	return info;
}

static inline void run(struct kvm_vcpu *vcpu)
{
	struct ucall uc;

	vcpu_run(vcpu);
	TEST_ASSERT(get_ucall(vcpu, &uc) == UCALL_SYNC, "the guest is not in step");
}

static inline bool booted_with_asi(void)
{
	char line[4096] = "";
	int fd = open("/proc/cmdline", O_RDONLY);

	TEST_ASSERT(fd >= 0 && read(fd, line, sizeof(line) - 1) > 0, "/proc/cmdline");
	close(fd);
	return strstr(line, "asi=on");
}

static inline int run_tests(int argc, char **argv)
{
	kvm_fd = open_kvm_dev_path_or_exit();
	TEST_REQUIRE(ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_CONTROL) == 1);
	asi_on = booted_with_asi();
	return test_harness_run(argc, argv);
}

#endif /* SELFTEST_KVM_ISOLATION_TEST_H */
