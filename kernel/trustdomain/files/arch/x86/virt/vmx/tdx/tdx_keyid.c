// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trust domains: the host's KeyIDs, who has them, and what was lost.
 *
 * KeyIDs are few. Each that is assigned is charged to the misc cgroup of the
 * process that asked for it. One that the TDX module does not give back is lost
 * until the host reboots: it is taken off the capacity and charged to nobody,
 * and a record tells which process had it and what the module said.
 */
#define pr_fmt(fmt)	"virt/tdx: " fmt

#include <linux/bug.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/idr.h>
#include <linux/list.h>
#include <linux/misc_cgroup.h>
#include <linux/pid.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>

#include "tdx_host.h"

/* Fields of the module's global metadata */
#define TDX_MD_TDCS_BASE_SIZE	0x9800000100000100ULL
#define TDX_MD_TDVPS_BASE_SIZE	0x9800000100000200ULL

/* More pages than any module asks for. */
#define TDX_MAX_CONTROL_PAGES	64

/**
 * struct tdx_leak - the record of a leak
 * @node: in the list of records
 * @info: what was lost
 * @pid: the process that had it
 */
struct tdx_leak {
	struct list_head node;
	struct tdx_leak_info info;
	struct pid *pid;
};

struct tdx_host tdx_host;

static enum cpuhp_state tdx_cpuhp_state;
static DEFINE_IDA(tdx_keyids);

/* Protects everything below. */
static DEFINE_SPINLOCK(tdx_keyid_lock);
static u32 tdx_keyids_used;
static u32 tdx_keyids_leaked;
static u64 tdx_pages_leaked;
static LIST_HEAD(tdx_leaks);
static u32 tdx_nr_leaks;
static u32 tdx_nr_page_leaks;

/*
 * A vCPU's state must not stay in a CPU that goes away. And as long as there
 * are KeyIDs in use, each package must keep a CPU, since they could not be
 * given back otherwise.
 */
static int tdx_cpu_offline(unsigned int cpu)
{
	int r = tdx_vp_flush_cpu(cpu);

	if (r)
		return r;
	if (!tdx_keyids_in_use() || !tdx_is_last_of_package(cpu))
		return 0;

	pr_warn("CPU %u has to stay online: it is the last of package %u, and there are trust domains\n",
		cpu, tdx_package_of(cpu));
	return -EBUSY;
}

/* Start to hand out KeyIDs of tdx_host. */
static int tdx_host_start(void)
{
	int r;

	lockdep_assert_cpus_held();

	tdx_vp_start_cpus();
	r = cpuhp_setup_state_nocalls_cpuslocked(CPUHP_AP_ONLINE_DYN, "x86/tdx_td:online",
						 NULL, tdx_cpu_offline);
	if (r < 0)
		return r;
	tdx_cpuhp_state = r;

	misc_cg_set_capacity(MISC_CG_RES_TDX, tdx_host.nr_keyids);
	return 0;
}

static int tdx_read_nr_pages(u64 field, u32 *nr)
{
	u64 size, status = tdh_sys_rd(field, &size);

	if (status) {
		pr_err("cannot read field 0x%llx of the module: 0x%llx\n", field, status);
		return -EIO;
	}
	*nr = size / PAGE_SIZE;
	if (!*nr || *nr > TDX_MAX_CONTROL_PAGES) {
		pr_err("the module asks for %llu bytes of control pages\n", size);
		return -EINVAL;
	}
	return 0;
}

/**
 * tdx_td_host_init() - let trust domains be made on this host
 * @global_keyid: the module's own KeyID
 * @guest_keyid_start: the first KeyID for guests
 * @nr_guest_keyids: how many there are
 *
 * Context: CPU hotplug locked, the TDX module initialized just now.
 */
int tdx_td_host_init(u32 global_keyid, u32 guest_keyid_start, u32 nr_guest_keyids)
{
	struct tdx_host host = {
		.global_keyid = global_keyid,
		.keyid_start = guest_keyid_start,
		.nr_keyids = nr_guest_keyids,
	};
	u32 nr_tdvps;
	int r;

	r = tdx_read_nr_pages(TDX_MD_TDCS_BASE_SIZE, &host.nr_tdcs);
	if (r)
		return r;
	r = tdx_read_nr_pages(TDX_MD_TDVPS_BASE_SIZE, &nr_tdvps);
	if (r)
		return r;
	/* The first of a vCPU's pages is its TDVPR. */
	host.nr_tdvpx = nr_tdvps - 1;

	tdx_host = host;
	r = tdx_host_start();
	if (r)
		tdx_host.nr_keyids = 0;
	return r;
}

/**
 * tdx_td_host_enabled() - whether trust domains can be made on this host
 */
bool tdx_td_host_enabled(void)
{
	return tdx_host.nr_keyids;
}
EXPORT_SYMBOL_GPL(tdx_td_host_enabled);

/* Have the place of one KeyID, if there is any. */
static int tdx_keyid_reserve(void)
{
	int r = 0;

	spin_lock(&tdx_keyid_lock);
	if (tdx_keyids_used + tdx_keyids_leaked >= tdx_host.nr_keyids)
		r = -ENOSPC;
	else
		tdx_keyids_used++;
	spin_unlock(&tdx_keyid_lock);
	return r;
}

static void tdx_keyid_unreserve(void)
{
	spin_lock(&tdx_keyid_lock);
	tdx_keyids_used--;
	spin_unlock(&tdx_keyid_lock);
}

static void tdx_keyid_uncharge(struct tdx_td *td)
{
	misc_cg_uncharge(MISC_CG_RES_TDX, td->misc_cg, 1);
	put_misc_cg(td->misc_cg);
	td->misc_cg = NULL;
	td->hkid = 0;
}

/**
 * tdx_keyid_alloc() - get a KeyID for a TD
 * @td: the TD, which has none
 *
 * Return: 0; -EOPNOTSUPP if TDX is not enabled, -ENOSPC if none is left, -EBUSY
 * if the caller's cgroup may not have more.
 */
int tdx_keyid_alloc(struct tdx_td *td)
{
	struct misc_cg *cg;
	int r;

	if (!tdx_td_host_enabled())
		return -EOPNOTSUPP;

	r = tdx_keyid_reserve();
	if (r)
		return r;

	cg = get_current_misc_cg();
	r = misc_cg_try_charge(MISC_CG_RES_TDX, cg, 1);
	if (r)
		goto err_put_cg;

	r = ida_alloc_range(&tdx_keyids, tdx_host.keyid_start,
			    tdx_host.keyid_start + tdx_host.nr_keyids - 1, GFP_KERNEL);
	if (r < 0)
		goto err_uncharge;

	td->misc_cg = cg;
	td->hkid = r;
	return 0;

err_uncharge:
	misc_cg_uncharge(MISC_CG_RES_TDX, cg, 1);
err_put_cg:
	put_misc_cg(cg);
	tdx_keyid_unreserve();
	return r;
}

/**
 * tdx_keyid_free() - give back a TD's KeyID
 * @td: the TD; the module knows no TD with that KeyID
 */
void tdx_keyid_free(struct tdx_td *td)
{
	ida_free(&tdx_keyids, td->hkid);
	tdx_keyid_uncharge(td);
	tdx_keyid_unreserve();
}

/**
 * tdx_keyids_in_use() - whether any TD has a KeyID
 *
 * Leaked ones do not count: nothing can be done about them.
 */
bool tdx_keyids_in_use(void)
{
	return READ_ONCE(tdx_keyids_used);
}

/**
 * tdx_leak_alloc() - allocate a record, so that a leak can be told of
 */
struct tdx_leak *tdx_leak_alloc(void)
{
	return kzalloc(sizeof(struct tdx_leak), GFP_KERNEL_ACCOUNT);
}

/**
 * tdx_leak_free() - free a record that was not needed
 * @leak: the record, or NULL
 */
void tdx_leak_free(struct tdx_leak *leak)
{
	kfree(leak);
}

/* KeyIDs bound the records that have one; of the others the first few are kept. */
static bool tdx_leak_has_room(const struct tdx_leak_info *info)
{
	lockdep_assert_held(&tdx_keyid_lock);

	return info->hkid || tdx_nr_page_leaks < TDX_MAX_PAGE_LEAKS;
}

/**
 * tdx_leak_record() - note that a TD's pages, and its KeyID if it still has one,
 *		       are lost
 * @td: the TD, with a record allocated; loses it and its KeyID
 * @pages: how many pages
 * @info: which SEAMCALL failed and with what status; the rest is filled in
 */
void tdx_leak_record(struct tdx_td *td, u64 pages, struct tdx_leak_info *info)
{
	struct tdx_leak *leak = td->leak;
	bool kept;

	info->hkid = td->hkid;
	info->pages = pages;
	info->time_ns = ktime_get_boottime_ns();

	leak->info = *info;
	leak->pid = get_pid(td->owner);
	td->leak = NULL;

	spin_lock(&tdx_keyid_lock);
	tdx_pages_leaked += pages;
	if (info->hkid) {
		tdx_keyids_used--;
		tdx_keyids_leaked++;
		misc_cg_set_capacity(MISC_CG_RES_TDX,
				     tdx_host.nr_keyids - tdx_keyids_leaked);
	}
	kept = tdx_leak_has_room(info);
	if (kept) {
		list_add_tail(&leak->node, &tdx_leaks);
		tdx_nr_leaks++;
		tdx_nr_page_leaks += !info->hkid;
	}
	spin_unlock(&tdx_keyid_lock);

	if (info->hkid)
		tdx_keyid_uncharge(td);
	if (!kept) {
		put_pid(leak->pid);
		kfree(leak);
	}
}

/**
 * tdx_get_capacity() - how many KeyIDs the host has, and who has them
 * @capacity: where to store it
 *
 * Return: 0, or -EOPNOTSUPP if TDX is not enabled.
 */
int tdx_get_capacity(struct tdx_capacity *capacity)
{
	if (!tdx_td_host_enabled())
		return -EOPNOTSUPP;

	spin_lock(&tdx_keyid_lock);
	*capacity = (struct tdx_capacity) {
		.total = tdx_host.nr_keyids,
		.used = tdx_keyids_used,
		.leaked = tdx_keyids_leaked,
		.leaked_pages = tdx_pages_leaked,
		.leaks = tdx_nr_leaks,
	};
	spin_unlock(&tdx_keyid_lock);
	return 0;
}
EXPORT_SYMBOL_GPL(tdx_get_capacity);

/**
 * tdx_get_leak() - what was lost
 * @index: which record, from 0, the oldest first
 * @info: where to store it
 * @pid: the process that had it, as the caller's pid namespace numbers it; 0 if
 *	it is not in there
 *
 * Return: 0, -EOPNOTSUPP if TDX is not enabled, -ENOENT behind the last one.
 */
int tdx_get_leak(u64 index, struct tdx_leak_info *info, pid_t *pid)
{
	struct tdx_leak *leak;
	int r = -ENOENT;

	if (!tdx_td_host_enabled())
		return -EOPNOTSUPP;

	spin_lock(&tdx_keyid_lock);
	list_for_each_entry(leak, &tdx_leaks, node) {
		if (index--)
			continue;
		*info = leak->info;
		*pid = pid_vnr(leak->pid);
		r = 0;
		break;
	}
	spin_unlock(&tdx_keyid_lock);
	return r;
}
EXPORT_SYMBOL_GPL(tdx_get_leak);

#ifdef CONFIG_INTEL_TDX_HOST_KUNIT_TEST
const struct tdx_test_host *tdx_test_host;

int tdx_test_host_install(const struct tdx_test_host *host)
{
	int r;

	cpus_read_lock();
	r = -EBUSY;
	if (tdx_td_host_enabled())
		goto out;
	tdx_host = host->host;
	WRITE_ONCE(tdx_test_host, host);
	r = tdx_host_start();
	if (r) {
		WRITE_ONCE(tdx_test_host, NULL);
		tdx_host.nr_keyids = 0;
	}
out:
	cpus_read_unlock();
	return r;
}

void tdx_test_host_remove(void)
{
	struct tdx_leak *leak, *next;

	cpuhp_remove_state_nocalls(tdx_cpuhp_state);
	misc_cg_set_capacity(MISC_CG_RES_TDX, 0);

	list_for_each_entry_safe(leak, next, &tdx_leaks, node) {
		put_pid(leak->pid);
		kfree(leak);
	}
	INIT_LIST_HEAD(&tdx_leaks);
	tdx_nr_leaks = 0;
	tdx_nr_page_leaks = 0;
	tdx_keyids_used = 0;
	tdx_keyids_leaked = 0;
	tdx_pages_leaked = 0;
	ida_destroy(&tdx_keyids);
	memset(&tdx_host, 0, sizeof(tdx_host));
	WRITE_ONCE(tdx_test_host, NULL);
}
#endif /* CONFIG_INTEL_TDX_HOST_KUNIT_TEST */
