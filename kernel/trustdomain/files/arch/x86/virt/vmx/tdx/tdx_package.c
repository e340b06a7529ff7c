// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trust domains: what has to be done once in each package.
 *
 * A TD's key is configured, and the caches are written back, once in each
 * package: on one CPU of it, for the module refuses, or does the work twice,
 * when two CPUs of a package try. Both creating and releasing a TD get their
 * CPUs here.
 */
#define pr_fmt(fmt)	"virt/tdx: " fmt

#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/printk.h>
#include <linux/smp.h>

#include "tdx_host.h"

struct tdx_package_call {
	tdx_package_fn fn;
	struct tdx_td *td;
	u64 status;
};

static int tdx_package_work(void *data)
{
	struct tdx_package_call *call = data;

	call->status = call->fn(call->td);
	return 0;
}

/* An online CPU of a package, or a number that is none. */
static unsigned int tdx_cpu_of(unsigned int package)
{
	unsigned int cpu;

	lockdep_assert_cpus_held();

	for_each_online_cpu(cpu) {
		if (tdx_package_of(cpu) == package)
			return cpu;
	}
	return nr_cpu_ids;
}

/**
 * tdx_on_each_package() - do something on one online CPU of each package
 * @fn: what to do, in process context; may sleep
 * @td: passed on to @fn
 * @status: completion status of the last call, 0 if there was none
 *
 * All packages are looked at first, so that a package that is offline is found
 * before anything is done. Stops at the first call that fails.
 *
 * Context: CPU hotplug locked.
 *
 * Return: 0 if all succeeded; -EIO if @fn failed, and then @status is not 0, or
 * if a package has no online CPU.
 */
int tdx_on_each_package(tdx_package_fn fn, struct tdx_td *td, u64 *status)
{
	unsigned int package, nr = tdx_nr_packages();
	struct tdx_package_call call = {
		.fn = fn,
		.td = td,
	};

	lockdep_assert_cpus_held();

	*status = 0;
	for (package = 0; package < nr; package++) {
		if (tdx_cpu_of(package) < nr_cpu_ids)
			continue;
		pr_err("package %u has no online CPU, but trust domains need one of each package\n",
		       package);
		return -EIO;
	}

	for (package = 0; package < nr; package++) {
		/* The CPU cannot go away, so the call takes place. */
		smp_call_on_cpu(tdx_cpu_of(package), tdx_package_work, &call, false);
		*status = call.status;
		if (call.status)
			return -EIO;
	}
	return 0;
}

/**
 * tdx_is_last_of_package() - whether a package has no other CPU online
 * @cpu: the CPU
 *
 * Context: CPU hotplug locked, for reading or writing.
 */
bool tdx_is_last_of_package(unsigned int cpu)
{
	unsigned int other;

	for_each_online_cpu(other) {
		if (other != cpu && tdx_package_of(other) == tdx_package_of(cpu))
			return false;
	}
	return true;
}
