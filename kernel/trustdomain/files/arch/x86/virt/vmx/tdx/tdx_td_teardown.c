// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of trust domains (TDs): how they end.
 *
 * First the KeyID is given back, which takes the same time for a TD of any size:
 * vCPUs are flushed on the CPUs that have their state, the module is told so,
 * the caches of each package are written back, the KeyID is freed. Then each
 * page is reclaimed with one SEAMCALL, the TDR last. With the KeyID still there
 * a page would take several of them and an interrupt to each vCPU.
 *
 * What the module refuses to give back is lost until the host reboots. It is
 * counted, recorded and reported, and stays allocated: nobody else must get it.
 */
#define pr_fmt(fmt)	"virt/tdx: " fmt

#include <linux/cpu.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <asm/special_insns.h>

#include "tdx_host.h"
#include "tdx_td.h"
#include "tdx_trace.h"

/* Pages after which a TD's owner is told how far the reclaim is. */
#define TDX_RECLAIM_BATCH	512

/*
 * vCPUs whose state a CPU has. Accessed on that CPU only, with interrupts off;
 * and by no one else while the CPU goes offline, since CPU hotplug is locked.
 */
static DEFINE_PER_CPU(struct list_head, tdx_vps_of_cpu);

/**
 * tdx_vp_start_cpus() - start with no vCPU anywhere
 */
void tdx_vp_start_cpus(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		INIT_LIST_HEAD(per_cpu_ptr(&tdx_vps_of_cpu, cpu));
}

/**
 * tdx_vp_associate() - note that this CPU has a vCPU's state
 * @vp: the vCPU
 *
 * Context: interrupts off.
 */
void tdx_vp_associate(struct tdx_vp *vp)
{
	lockdep_assert_irqs_disabled();

	list_add(&vp->cpu_node, this_cpu_ptr(&tdx_vps_of_cpu));
	WRITE_ONCE(vp->cpu, smp_processor_id());
}

static void tdx_vp_dissociate(struct tdx_vp *vp)
{
	lockdep_assert_irqs_disabled();

	list_del_init(&vp->cpu_node);
	WRITE_ONCE(vp->cpu, -1);
}

static u64 tdx_vp_flush_here(struct tdx_vp *vp)
{
	u64 status = tdh_vp_flush(vp);

	/* It had been flushed already: fine. */
	if ((status & TDX_STATUS_MASK) == TDX_VCPU_NOT_ASSOCIATED)
		status = 0;
	if (!status)
		tdx_vp_dissociate(vp);
	return status;
}

struct tdx_vp_flush {
	struct tdx_vp *vp;
	u64 status;
};

static void tdx_vp_flush_ipi(void *data)
{
	struct tdx_vp_flush *flush = data;

	flush->status = tdx_vp_flush_here(flush->vp);
}

static void tdx_vp_dissociate_ipi(void *data)
{
	tdx_vp_dissociate(data);
}

/* Flush a vCPU on the CPU that has its state, if there is one. */
static int tdx_vp_flush(struct tdx_td *td, struct tdx_vp *vp)
{
	struct tdx_vp_flush flush = { .vp = vp };
	unsigned int tries = 0;

	lockdep_assert_held(&td->lock);
	lockdep_assert_cpus_held();

	if (vp->cpu < 0)
		return 0;
	do {
		smp_call_function_single(vp->cpu, tdx_vp_flush_ipi, &flush, true);
	} while (tdx_try_again(flush.status, &tries));
	return flush.status ? tdx_td_failed(td, TDH_VP_FLUSH, flush.status) : 0;
}

/**
 * tdx_vp_flush_cpu() - flush the vCPUs whose state a CPU has
 * @cpu: the CPU, about to go offline, and the current one
 *
 * Return: 0, or -EBUSY if one could not be flushed: the CPU must stay then.
 */
int tdx_vp_flush_cpu(unsigned int cpu)
{
	struct list_head *vps = per_cpu_ptr(&tdx_vps_of_cpu, cpu);
	unsigned int tries = 0;
	unsigned long flags;
	struct tdx_vp *vp;
	u64 status;

	for (;;) {
		status = 0;
		local_irq_save(flags);
		vp = list_first_entry_or_null(vps, struct tdx_vp, cpu_node);
		if (vp)
			status = tdx_vp_flush_here(vp);
		local_irq_restore(flags);

		if (!vp)
			return 0;
		if (!status)
			tries = 0;
		else if (!tdx_try_again(status, &tries))
			break;
	}
	pr_err("CPU %u has to stay online: a vCPU could not be flushed: 0x%llx\n", cpu, status);
	return -EBUSY;
}

static void tdx_vp_unlink(struct tdx_td *td, struct tdx_vp *vp)
{
	lockdep_assert_held(&td->lock);
	lockdep_assert_cpus_held();

	/* Only if it could not be flushed; the KeyID cannot be given back then. */
	if (vp->cpu >= 0)
		smp_call_function_single(vp->cpu, tdx_vp_dissociate_ipi, vp, true);
	list_del_init(&vp->node);
	vp->td = NULL;
}

/**
 * tdx_td_remove_vcpu() - part from a vCPU before its memory is freed
 * @vp: the vCPU
 *
 * What the module has of it comes back with the TD.
 *
 * Context: the TD exists, and is not being destroyed by another thread.
 */
void tdx_td_remove_vcpu(struct tdx_vp *vp)
{
	struct tdx_td *td = vp->td;

	if (!td)
		return;

	mutex_lock(&td->lock);
	cpus_read_lock();
	tdx_vp_flush(td, vp);
	tdx_vp_unlink(td, vp);
	cpus_read_unlock();
	mutex_unlock(&td->lock);
}
EXPORT_SYMBOL_GPL(tdx_td_remove_vcpu);

static int tdx_td_flush_vps(struct tdx_td *td)
{
	struct tdx_vp *vp;
	int r;

	list_for_each_entry(vp, &td->vps, node) {
		r = tdx_vp_flush(td, vp);
		if (r)
			return r;
		cond_resched();
	}
	return 0;
}

/* Of the current CPU's package */
static u64 tdx_cache_wb(struct tdx_td *td)
{
	unsigned int tries = 0, resumes = 0;
	bool resume = false;
	u64 status;

	for (;;) {
		status = tdh_phymem_cache_wb(resume);
		switch (status & TDX_STATUS_MASK) {
		case TDX_NO_HKID_READY_TO_WBCACHE:
			return 0;
		case TDX_INTERRUPTED_RESUMABLE:
		case TDX_WBCACHE_RESUME_ERROR:
			if (++resumes >= TDX_MAX_RESUMES)
				return status;
			/* The latter has lost where it was: start again. */
			resume = (status & TDX_STATUS_MASK) == TDX_INTERRUPTED_RESUMABLE;
			cond_resched();
			continue;
		}
		if (!tdx_try_again(status, &tries))
			return status;
	}
}

/* From the last vCPU flushed to the KeyID freed. */
static int tdx_td_free_key(struct tdx_td *td)
{
	unsigned int tries = 0;
	u64 status;
	int r;

	lockdep_assert_cpus_held();
	lockdep_assert_held(&tdx_key_lock);

	if (td->info.state != TDX_TD_BLOCKED) {
		do {
			status = tdh_mng_vpflushdone(td);
		} while (tdx_try_again(status, &tries));
		if (status)
			return tdx_td_failed(td, TDH_MNG_VPFLUSHDONE, status);
		tdx_td_set_state(td, TDX_TD_BLOCKED);
	}

	r = tdx_on_each_package(tdx_cache_wb, td, &status);
	if (status)
		return tdx_td_failed(td, TDH_PHYMEM_CACHE_WB, status);
	if (r)
		return r;

	tries = 0;
	do {
		status = tdh_mng_key_freeid(td);
	} while (tdx_try_again(status, &tries));
	return status ? tdx_td_failed(td, TDH_MNG_KEY_FREEID, status) : 0;
}

/*
 * Make a page what it was before the module had it: with the host's key and no
 * longer poisoned for partial writes, which takes writes of whole lines.
 */
static void tdx_clear_page(struct page *page)
{
	const void *zero = page_to_virt(ZERO_PAGE(0));
	void *to = page_to_virt(page);
	unsigned int i;

	if (!cpu_feature_enabled(X86_FEATURE_MOVDIR64B)) {
		clear_page(to);
		return;
	}
	for (i = 0; i < PAGE_SIZE; i += 64)
		movdir64b(to + i, zero);
	/* Its writes are weakly ordered. */
	mb();
}

static void tdx_td_free_tainted(struct tdx_td *td)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &td->tainted, lru) {
		list_del(&page->lru);
		tdx_clear_page(page);
		tdx_free_page(page);
	}
	td->nr_tainted = 0;
}

static int tdx_td_release_key_locked(struct tdx_td *td)
{
	u32 hkid = td->hkid;
	int r;

	lockdep_assert_held(&td->lock);

	if (!hkid)
		return 0;

	cpus_read_lock();
	r = tdx_td_flush_vps(td);
	if (!r) {
		mutex_lock(&tdx_key_lock);
		r = tdx_td_free_key(td);
		mutex_unlock(&tdx_key_lock);
	}
	cpus_read_unlock();
	if (r)
		return r;

	tdx_keyid_free(td);
	tdx_td_free_tainted(td);
	if (td->ops && td->ops->released)
		td->ops->released(td, hkid);
	tdx_td_set_state(td, TDX_TD_TEARDOWN);
	return 0;
}

/**
 * tdx_td_release_key() - end a TD's life and give back its KeyID
 * @td: the TD, in any state
 *
 * Takes the same time for a TD of any size. If that fails it may be called
 * again; nothing is lost yet.
 *
 * Context: process context, no locks held that are taken with CPU hotplug
 * locked; none of the TD's vCPUs is in the guest.
 *
 * Return: 0 if it has none any more, or a negative error code.
 */
int tdx_td_release_key(struct tdx_td *td)
{
	int r;

	mutex_lock(&td->lock);
	r = tdx_td_release_key_locked(td);
	mutex_unlock(&td->lock);
	return r;
}
EXPORT_SYMBOL_GPL(tdx_td_release_key);

/* What is reclaimed, and what failed first. */
struct tdx_reclaim {
	struct tdx_td *td;
	u64 *count;		/* which of the TD's counts goes down */
	u64 done;
	u64 leaked;
	u64 leaf;
	u64 status;
	unsigned int tries;	/* since the module took a page back */
};

static void tdx_reclaim_count(struct tdx_reclaim *reclaim, bool leaked)
{
	struct tdx_td_info *info = &reclaim->td->info;

	spin_lock(&reclaim->td->info_lock);
	(*reclaim->count)--;
	if (leaked)
		info->leaked_pages++;
	else
		info->reclaimed_pages++;
	spin_unlock(&reclaim->td->info_lock);

	if (leaked)
		reclaim->leaked++;
	if (!(++reclaim->done % TDX_RECLAIM_BATCH))
		tdx_td_update(reclaim->td);
}

static void tdx_reclaim_failed(struct tdx_reclaim *reclaim, u64 leaf, u64 status)
{
	tdx_td_failed(reclaim->td, leaf, status);
	if (!reclaim->status) {
		reclaim->leaf = leaf;
		reclaim->status = status;
	}
	tdx_reclaim_count(reclaim, true);
}

/*
 * A module that stays busy is waited for once, and not for each of what may be
 * millions of pages: from then on it is asked once a page, until it takes one.
 */
static u64 tdx_page_reclaim(struct tdx_reclaim *reclaim, struct page *page)
{
	u64 status, type, owner, size;

	do {
		status = tdh_phymem_page_reclaim(page, &type, &owner, &size);
	} while (tdx_try_again(status, &reclaim->tries));
	if (!status)
		reclaim->tries = 0;
	return status;
}

static void tdx_reclaim_list(struct tdx_reclaim *reclaim, struct list_head *pages, u64 *count)
{
	struct page *page, *next;
	u64 status;

	reclaim->count = count;
	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		status = tdx_page_reclaim(reclaim, page);
		if (status) {
			tdx_reclaim_failed(reclaim, TDH_PHYMEM_PAGE_RECLAIM, status);
		} else {
			tdx_clear_page(page);
			tdx_free_page(page);
			tdx_reclaim_count(reclaim, false);
		}
		cond_resched();
	}
}

/**
 * tdx_tdr_free() - free a TDR that the module has written and does not have
 * @td: its TD
 *
 * Return: 0, or the completion status of TDH.PHYMEM.PAGE.WBINVD if that failed;
 * the page is lost then.
 */
u64 tdx_tdr_free(struct tdx_td *td)
{
	unsigned int tries = 0;
	u64 status;

	do {
		status = tdh_phymem_page_wbinvd_tdr(td);
	} while (tdx_try_again(status, &tries));

	if (!status) {
		tdx_clear_page(td->tdr_page);
		tdx_free_page(td->tdr_page);
	}
	td->tdr_page = NULL;
	return status;
}

static void tdx_reclaim_tdr(struct tdx_reclaim *reclaim)
{
	struct tdx_td *td = reclaim->td;
	u64 leaf = TDH_PHYMEM_PAGE_RECLAIM;
	u64 status;

	reclaim->count = &td->info.control_pages;
	status = tdx_page_reclaim(reclaim, td->tdr_page);
	if (!status) {
		leaf = TDH_PHYMEM_PAGE_WBINVD;
		status = tdx_tdr_free(td);
	}

	if (status)
		tdx_reclaim_failed(reclaim, leaf, status);
	else
		tdx_reclaim_count(reclaim, false);
	td->tdr_page = NULL;
}

/**
 * tdx_td_forget() - let go of what belongs to a TD while it exists in the module
 * @td: the TD, which does not any more
 */
void tdx_td_forget(struct tdx_td *td)
{
	spin_lock(&td->info_lock);
	td->info.hkid = 0;
	td->info.vcpus = 0;
	spin_unlock(&td->info_lock);

	tdx_leak_free(td->leak);
	td->leak = NULL;
	put_pid(td->owner);
	td->owner = NULL;
}

/**
 * tdx_td_leak() - tell of what the module did not give back
 * @td: the TD; if it still has a KeyID, that is lost, too
 * @pages: how many pages are lost
 * @leaf: the SEAMCALL that failed
 * @status: its completion status
 */
void tdx_td_leak(struct tdx_td *td, u64 pages, u64 leaf, u64 status)
{
	struct tdx_leak_info leak = {
		.leaf = leaf,
		.status = status,
	};

	tdx_leak_record(td, pages, &leak);
	pr_err("trust domain of process %d: KeyID %u and %llu pages are lost until the host reboots: SEAMCALL %llu failed: 0x%llx\n",
	       pid_nr(td->owner), leak.hkid, pages, leaf, status);
	trace_tdx_td_leak(td, &leak);
	if (td->ops && td->ops->leaked)
		td->ops->leaked(td, &leak);
	tdx_td_set_state(td, TDX_TD_LEAKED);
}

/* The TD exists in the module, but without its KeyID. */
static int tdx_td_reclaim_locked(struct tdx_td *td, enum tdx_td_state end)
{
	struct tdx_reclaim reclaim = { .td = td };

	lockdep_assert_held(&td->lock);

	tdx_reclaim_list(&reclaim, &td->private, &td->info.private_pages);
	tdx_reclaim_list(&reclaim, &td->control, &td->info.control_pages);
	tdx_reclaim_tdr(&reclaim);

	if (reclaim.leaked)
		tdx_td_leak(td, reclaim.leaked, reclaim.leaf, reclaim.status);
	else
		tdx_td_set_state(td, end);
	tdx_td_forget(td);
	tdx_td_update(td);
	return reclaim.leaked ? -EIO : 0;
}

/**
 * tdx_td_reclaim() - take all pages of a TD back from the module
 * @td: the TD, its KeyID given back
 *
 * Return: 0, -EINVAL in another state, or -EIO if something was lost.
 */
int tdx_td_reclaim(struct tdx_td *td)
{
	int r = -EINVAL;

	mutex_lock(&td->lock);
	if (td->info.state == TDX_TD_TEARDOWN)
		r = tdx_td_reclaim_locked(td, TDX_TD_RECLAIMED);
	mutex_unlock(&td->lock);
	return r;
}
EXPORT_SYMBOL_GPL(tdx_td_reclaim);

/* The KeyID could not be given back: all that was written with its key is lost. */
static void tdx_td_lose(struct tdx_td *td)
{
	struct tdx_td_info *info = &td->info;
	u64 pages;

	INIT_LIST_HEAD(&td->private);
	INIT_LIST_HEAD(&td->control);
	INIT_LIST_HEAD(&td->tainted);
	td->tdr_page = NULL;

	spin_lock(&td->info_lock);
	pages = info->private_pages + info->control_pages + td->nr_tainted;
	info->private_pages = 0;
	info->control_pages = 0;
	info->leaked_pages += pages;
	td->nr_tainted = 0;
	spin_unlock(&td->info_lock);

	tdx_td_leak(td, pages, info->status_leaf, info->status);
	tdx_td_forget(td);
	tdx_td_update(td);
}

/**
 * tdx_td_destroy_locked() - end a TD, wherever it is in its life
 * @td: the TD
 * @end: what it is if all comes back
 */
void tdx_td_destroy_locked(struct tdx_td *td, enum tdx_td_state end)
{
	struct tdx_vp *vp, *next;
	int r;

	lockdep_assert_held(&td->lock);

	switch (td->info.state) {
	case TDX_TD_NONE:
	case TDX_TD_RECLAIMED:
	case TDX_TD_LEAKED:
		return;
	default:
		break;
	}

	r = tdx_td_release_key_locked(td);

	cpus_read_lock();
	list_for_each_entry_safe(vp, next, &td->vps, node)
		tdx_vp_unlink(td, vp);
	cpus_read_unlock();

	if (r)
		tdx_td_lose(td);
	else
		tdx_td_reclaim_locked(td, end);
}

/**
 * tdx_td_destroy() - end a TD, wherever it is in its life
 * @td: the TD
 *
 * Afterwards nothing is left of it, or it is TDX_TD_LEAKED.
 *
 * Context: as for tdx_td_release_key().
 */
void tdx_td_destroy(struct tdx_td *td)
{
	mutex_lock(&td->lock);
	tdx_td_destroy_locked(td, TDX_TD_RECLAIMED);
	mutex_unlock(&td->lock);
}
EXPORT_SYMBOL_GPL(tdx_td_destroy);
