/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Making the kernel's memory allocations fail one after the other: the first
 * of a call, then the second, until the call gets through without a failure.
 *
 * Wants a kernel with fault injection (CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC
 * and CONFIG_FAULT_INJECTION_DEBUG_FS) and root.
 */
#ifndef SELFTEST_KVM_FAIL_ALLOC_H
#define SELFTEST_KVM_FAIL_ALLOC_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test_util.h"

/* No call here has nearly as many; a loop that gets there does not end. */
#define FAIL_ALLOC_MOST	10000

static inline bool fail_alloc_set(const char *file, const char *value)
{
	char path[128];
	bool done;
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s", file);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return false;
	done = write(fd, value, strlen(value)) == strlen(value);
	close(fd);
	return done;
}

/*
 * Whether whole pages can fail, too. A slab that grows takes some now and then,
 * and nobody notices when it gets none at first; without them, the allocations
 * of a call are the same ones each time.
 */
static inline void fail_alloc_pages(bool pages)
{
	TEST_ASSERT(fail_alloc_set("fail_page_alloc/min-order", pages ? "0" : "99"),
		    "cannot set fail_page_alloc/min-order");
}

/*
 * Let any allocation fail, also one that could wait for memory; without a
 * backtrace in the log for each. Returns whether the kernel can do that.
 */
static inline bool fail_alloc_prepare(void)
{
	return fail_alloc_set("failslab/ignore-gfp-wait", "N") &&
	       fail_alloc_set("failslab/verbose", "0") &&
	       fail_alloc_set("fail_page_alloc/ignore-gfp-wait", "N") &&
	       fail_alloc_set("fail_page_alloc/verbose", "0");
}

static inline void fail_alloc_set_both(const char *file, const char *value)
{
	static const char * const attr[] = { "failslab", "fail_page_alloc" };
	char path[64];
	int i;

	for (i = 0; i < ARRAY_SIZE(attr); i++) {
		snprintf(path, sizeof(path), "%s/%s", attr[i], file);
		TEST_ASSERT(fail_alloc_set(path, value), "cannot set %s", path);
	}
}

/*
 * Whether all allocations fail of processes that have 1 in /proc/PID/make-it-fail.
 * The filter comes first and goes last: without it they fail for everyone.
 */
static inline void fail_alloc_all(bool all)
{
	if (all) {
		fail_alloc_set_both("task-filter", "Y");
		fail_alloc_set_both("times", "-1");
		fail_alloc_set_both("probability", "100");
	} else {
		fail_alloc_set_both("probability", "0");
		fail_alloc_set_both("task-filter", "N");
	}
}

/* What the n-th allocation of the thread @tid is set with and tells of; 0 is the caller. */
static inline int fail_alloc_open(pid_t tid)
{
	char path[64] = "/proc/thread-self/fail-nth";
	int fd;

	if (tid)
		snprintf(path, sizeof(path), "/proc/%d/fail-nth", tid);
	fd = open(path, O_RDWR);
	TEST_ASSERT(fd >= 0, "cannot open %s", path);
	return fd;
}

/* From now on, the thread's @n-th allocation fails; 0: none. */
static inline void fail_alloc_arm(int fd, int n)
{
	char number[16];
	int len = snprintf(number, sizeof(number), "%d", n);

	TEST_ASSERT(n < FAIL_ALLOC_MOST, "the allocations never end");
	TEST_ASSERT(pwrite(fd, number, len, 0) == len, "cannot write fail-nth");
}

/* Whether an allocation failed since fail_alloc_arm(). None does from here on. */
static inline bool fail_alloc_disarm(int fd)
{
	char number[16] = "";

	TEST_ASSERT(pread(fd, number, sizeof(number) - 1, 0) > 0, "cannot read fail-nth");
	fail_alloc_arm(fd, 0);
	return atoi(number) == 0;
}

#endif /* SELFTEST_KVM_FAIL_ALLOC_H */
