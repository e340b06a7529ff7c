// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of trust domains (TDs): how they come to be.
 *
 * A TD takes a KeyID, a root page (TDR), its key configured on every package
 * and some control pages (TDCX); then it is initialized and gets vCPUs and
 * memory. What the TDX module has been given it keeps: it comes back only in
 * the order of tdx_td_teardown.c, and only once the KeyID is gone. So what fails
 * half way is torn down like a TD that was complete.
 *
 * Whatever the module writes for a TD it writes with another key. A page that it
 * may have written, but does not have, is of no use to anyone until the caches
 * are written back: it waits on td->tainted for the KeyID's end.
 *
 * Locking: td->lock is taken first, then CPU hotplug's, then tdx_key_lock,
 * which serializes what locks the module's tables of keys. The module never
 * waits for a lock, it says OPERAND_BUSY. td->info_lock is innermost.
 */
#define pr_fmt(fmt)	"virt/tdx: " fmt

#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "tdx_host.h"
#include "tdx_td.h"

#define CREATE_TRACE_POINTS
#include "tdx_trace.h"

/* Serializes what locks the module's tables of keys. */
DEFINE_MUTEX(tdx_key_lock);

/*
 * Tries after which to sleep before the next one, and to sleep for long. A CPU
 * that has something locked leaves the module soon, but if this host is a guest
 * itself, the CPU can be taken away. To wait for it for two seconds costs less
 * than a KeyID that is lost.
 */
#define TDX_TRIES_BEFORE_SLEEP	100
#define TDX_TRIES_BEFORE_WAIT	900
#define TDX_WAIT_MS		20

/**
 * tdx_try_again() - whether to repeat a SEAMCALL
 * @status: what it said
 * @tries: how often it was repeated, to begin with 0
 *
 * Any operand may be busy: which one the module names has changed between its
 * versions.
 *
 * Context: process context, may sleep.
 */
bool tdx_try_again(u64 status, unsigned int *tries)
{
	switch (status & TDX_STATUS_MASK) {
	case TDX_OPERAND_BUSY:
	case TDX_RND_NO_ENTROPY:
	case TDX_KEY_GENERATION_FAILED:
	case TDX_INTERRUPTED_RESTARTABLE:
	case TDX_INTERRUPTED_RESUMABLE:
		break;
	default:
		return false;
	}

	if (++*tries >= TDX_MAX_TRIES)
		return false;
	if (*tries < TDX_TRIES_BEFORE_SLEEP || !tdx_may_sleep())
		cond_resched();
	else if (*tries < TDX_TRIES_BEFORE_WAIT)
		usleep_range(10, 50);
	else
		msleep(TDX_WAIT_MS);
	return true;
}

static int tdx_errno(u64 status)
{
	switch (status & TDX_STATUS_MASK) {
	case TDX_RND_NO_ENTROPY:
	case TDX_KEY_GENERATION_FAILED:
		return -EAGAIN;
	case TDX_OPERAND_BUSY:
		return -EBUSY;
	case TDX_OPERAND_INVALID:
		return -EINVAL;
	default:
		return -EIO;
	}
}

/**
 * tdx_td_failed() - note that a SEAMCALL for a TD failed
 * @td: the TD
 * @leaf: which one
 * @status: its completion status
 *
 * Return: the error code that goes with it.
 */
int tdx_td_failed(struct tdx_td *td, u64 leaf, u64 status)
{
	pr_err_ratelimited("trust domain of process %d, KeyID %u: SEAMCALL %llu failed: 0x%llx\n",
			   pid_nr(td->owner), td->hkid, leaf, status);

	spin_lock(&td->info_lock);
	td->info.status = status;
	td->info.status_leaf = leaf;
	spin_unlock(&td->info_lock);
	return tdx_errno(status);
}

/**
 * tdx_td_update() - let a TD's owner know that there is something new to read
 * @td: the TD
 */
void tdx_td_update(struct tdx_td *td)
{
	if (td->ops && td->ops->update)
		td->ops->update(td);
}

/**
 * tdx_td_set_state() - note that a TD is one step further
 * @td: the TD
 * @state: what it is now
 */
void tdx_td_set_state(struct tdx_td *td, enum tdx_td_state state)
{
	enum tdx_td_state from = td->info.state;

	lockdep_assert_held(&td->lock);

	if (from == state)
		return;

	spin_lock(&td->info_lock);
	td->info.state = state;
	td->info.hkid = td->hkid;
	if (state == TDX_TD_ASSIGNED)
		td->info.created_ns = ktime_get_boottime_ns();
	if (state == TDX_TD_TEARDOWN)
		td->info.key_released_ns = ktime_get_boottime_ns();
	spin_unlock(&td->info_lock);

	trace_tdx_td_state(td, from, state);
	if (td->ops && td->ops->state)
		td->ops->state(td, from, state);
	tdx_td_update(td);
}

/* The module has one more page, of those that @count counts. */
static void tdx_td_gave_page(struct tdx_td *td, u64 *count)
{
	spin_lock(&td->info_lock);
	(*count)++;
	spin_unlock(&td->info_lock);
	tdx_td_update(td);
}

static void tdx_td_taint(struct tdx_td *td, struct page *page)
{
	list_add(&page->lru, &td->tainted);
	td->nr_tainted++;
}

/**
 * tdx_td_setup() - initialize a TD that is nothing but memory yet
 * @td: the TD
 * @ops: what its owner wants to know, or NULL
 */
void tdx_td_setup(struct tdx_td *td, const struct tdx_td_ops *ops)
{
	memset(td, 0, sizeof(*td));
	mutex_init(&td->lock);
	spin_lock_init(&td->info_lock);
	INIT_LIST_HEAD(&td->vps);
	INIT_LIST_HEAD(&td->control);
	INIT_LIST_HEAD(&td->private);
	INIT_LIST_HEAD(&td->tainted);
	td->ops = ops;
}
EXPORT_SYMBOL_GPL(tdx_td_setup);

/* Get what a TD takes of the host before the module knows of it. */
static int tdx_td_prepare(struct tdx_td *td)
{
	int r = -ENOMEM;

	/* Should it leak there must be a record of it. */
	td->leak = tdx_leak_alloc();
	if (!td->leak)
		return r;

	td->tdr_page = tdx_alloc_page();
	if (!td->tdr_page)
		goto err_free_leak;

	r = tdx_keyid_alloc(td);
	if (r)
		goto err_free_tdr;

	td->owner = get_pid(task_tgid(current));

	spin_lock(&td->info_lock);
	td->info.status = 0;
	td->info.status_leaf = 0;
	td->info.created_ns = 0;
	td->info.key_released_ns = 0;
	spin_unlock(&td->info_lock);
	return 0;

err_free_tdr:
	tdx_free_page(td->tdr_page);
	td->tdr_page = NULL;
err_free_leak:
	tdx_leak_free(td->leak);
	td->leak = NULL;
	return r;
}

/* For a TD without a KeyID, which the module has nothing of. */
static void tdx_td_free_written_tdr(struct tdx_td *td)
{
	u64 status = tdx_tdr_free(td);

	if (!status)
		return;

	tdx_td_failed(td, TDH_PHYMEM_PAGE_WBINVD, status);
	spin_lock(&td->info_lock);
	td->info.leaked_pages++;
	spin_unlock(&td->info_lock);
	tdx_td_leak(td, 1, TDH_PHYMEM_PAGE_WBINVD, status);
}

/*
 * The other way, for a TD that the module has nothing of. A KeyID that it does
 * not take is still that of another TD there, so there is no use in trying it
 * with the next one.
 */
static void tdx_td_unprepare(struct tdx_td *td, u64 status)
{
	if ((status & TDX_STATUS_MASK) == TDX_HKID_NOT_FREE)
		tdx_td_leak(td, 0, TDH_MNG_CREATE, status);
	else
		tdx_keyid_free(td);

	/* The module writes the TDR before it draws its random numbers. */
	if ((status & TDX_STATUS_MASK) == TDX_RND_NO_ENTROPY)
		tdx_td_free_written_tdr(td);
	else
		tdx_free_page(td->tdr_page);
	td->tdr_page = NULL;
	tdx_td_forget(td);
}

static u64 tdx_key_config(struct tdx_td *td)
{
	unsigned int tries = 0;
	u64 status;

	do {
		status = tdh_mng_key_config(td);
	} while (tdx_try_again(status, &tries));

	/* That is as good as success. */
	return (status & TDX_STATUS_MASK) == TDX_KEY_CONFIGURED ? 0 : status;
}

/* Nothing but to look whether each package has a CPU. */
static u64 tdx_nothing(struct tdx_td *td)
{
	return 0;
}

/*
 * Create a TD in the module and configure its key. If the TD was created at all
 * it has left TDX_TD_NONE.
 */
static int tdx_td_assign(struct tdx_td *td, u64 *status)
{
	unsigned int tries = 0;
	int r;

	lockdep_assert_cpus_held();
	lockdep_assert_held(&tdx_key_lock);

	/* Do not begin what cannot be completed. */
	r = tdx_on_each_package(tdx_nothing, td, status);
	if (r)
		return r;

	do {
		*status = tdh_mng_create(td, td->hkid);
	} while (tdx_try_again(*status, &tries));
	if (*status)
		return tdx_td_failed(td, TDH_MNG_CREATE, *status);

	td->nr_tdcs = 0;
	tdx_td_set_state(td, TDX_TD_ASSIGNED);
	tdx_td_gave_page(td, &td->info.control_pages);

	r = tdx_on_each_package(tdx_key_config, td, status);
	if (*status)
		return tdx_td_failed(td, TDH_MNG_KEY_CONFIG, *status);
	return r;
}

/* Add a control page, with one of two leaf functions. */
static int tdx_td_add_control(struct tdx_td *td, struct tdx_vp *vp)
{
	struct page *page = tdx_alloc_page();
	unsigned int tries = 0;
	u64 status;

	if (!page)
		return -ENOMEM;

	do {
		status = vp ? tdh_vp_addcx(vp, page) : tdh_mng_addcx(td, page);
	} while (tdx_try_again(status, &tries));
	if (status) {
		tdx_td_taint(td, page);
		return tdx_td_failed(td, vp ? TDH_VP_ADDCX : TDH_MNG_ADDCX, status);
	}

	list_add(&page->lru, &td->control);
	tdx_td_gave_page(td, &td->info.control_pages);
	return 0;
}

static int tdx_td_add_tdcs(struct tdx_td *td)
{
	int r;

	while (td->nr_tdcs < tdx_host.nr_tdcs) {
		r = tdx_td_add_control(td, NULL);
		if (r)
			return r;
		td->nr_tdcs++;
	}
	return 0;
}

static int tdx_td_create_locked(struct tdx_td *td)
{
	u64 status;
	int r;

	r = tdx_td_prepare(td);
	if (r)
		return r;

	cpus_read_lock();
	mutex_lock(&tdx_key_lock);
	r = tdx_td_assign(td, &status);
	mutex_unlock(&tdx_key_lock);
	cpus_read_unlock();

	if (r && td->info.state != TDX_TD_ASSIGNED) {
		tdx_td_unprepare(td, status);
		return r;
	}
	if (r)
		goto err_destroy;

	tdx_td_set_state(td, TDX_TD_CONFIGURED);
	r = tdx_td_add_tdcs(td);
	if (r)
		goto err_destroy;
	return 0;

err_destroy:
	tdx_td_destroy_locked(td, TDX_TD_NONE);
	return r;
}

/**
 * tdx_td_create() - create a TD in the module
 * @td: the TD, of which nothing is there yet or any more
 *
 * If that fails nothing is left of it; or the TD is TDX_TD_LEAKED then.
 *
 * Context: no locks held that are taken with CPU hotplug locked.
 *
 * Return: 0; -EINVAL in the wrong state, -EOPNOTSUPP if TDX is not enabled,
 * -ENOSPC without a KeyID left, -EBUSY if the caller's cgroup may not have one or
 * the module was busy, -EAGAIN if it had no entropy, -ENOMEM, or -EIO.
 */
int tdx_td_create(struct tdx_td *td)
{
	int r = -EINVAL;

	mutex_lock(&td->lock);
	if (td->info.state == TDX_TD_NONE || td->info.state == TDX_TD_RECLAIMED)
		r = tdx_td_create_locked(td);
	mutex_unlock(&td->lock);
	return r;
}
EXPORT_SYMBOL_GPL(tdx_td_create);

/**
 * tdx_td_init() - initialize a TD
 * @td: the TD, just created
 * @params: its TD_PARAMS, in a page of the kernel's linear mapping
 * @error: where to store which field of them is wrong, if one is
 *
 * If that fails the TD is as before.
 */
int tdx_td_init(struct tdx_td *td, void *params, u64 *error)
{
	unsigned int tries = 0;
	u64 status;
	int r = 0;

	*error = 0;
	mutex_lock(&td->lock);
	if (td->info.state != TDX_TD_CONFIGURED) {
		r = -EINVAL;
		goto out;
	}

	do {
		status = tdh_mng_init(td, virt_to_phys(params), error);
	} while (tdx_try_again(status, &tries));

	if (status)
		r = tdx_td_failed(td, TDH_MNG_INIT, status);
	else
		tdx_td_set_state(td, TDX_TD_INITIALIZED);
out:
	mutex_unlock(&td->lock);
	return r;
}
EXPORT_SYMBOL_GPL(tdx_td_init);

/**
 * tdx_vp_setup() - initialize a vCPU that is nothing but memory yet
 * @vp: the vCPU
 */
void tdx_vp_setup(struct tdx_vp *vp)
{
	memset(vp, 0, sizeof(*vp));
	vp->cpu = -1;
	INIT_LIST_HEAD(&vp->node);
	INIT_LIST_HEAD(&vp->cpu_node);
}
EXPORT_SYMBOL_GPL(tdx_vp_setup);

static int tdx_vp_create(struct tdx_td *td, struct tdx_vp *vp)
{
	struct page *page = tdx_alloc_page();
	unsigned int tries = 0;
	u64 status;

	if (!page)
		return -ENOMEM;

	vp->tdvpr_page = page;
	do {
		status = tdh_vp_create(td, vp);
	} while (tdx_try_again(status, &tries));
	if (status) {
		vp->tdvpr_page = NULL;
		tdx_td_taint(td, page);
		return tdx_td_failed(td, TDH_VP_CREATE, status);
	}

	list_add(&page->lru, &td->control);
	vp->td = td;
	list_add_tail(&vp->node, &td->vps);

	spin_lock(&td->info_lock);
	td->info.vcpus++;
	spin_unlock(&td->info_lock);
	tdx_td_gave_page(td, &td->info.control_pages);
	return 0;
}

/**
 * tdx_td_create_vcpu() - create a vCPU of a TD
 * @td: the TD, initialized
 * @vp: the vCPU, set up
 *
 * If that fails it may be called again, and goes on where it was.
 */
int tdx_td_create_vcpu(struct tdx_td *td, struct tdx_vp *vp)
{
	int r = 0;

	mutex_lock(&td->lock);
	if (td->info.state != TDX_TD_INITIALIZED || (vp->td && vp->td != td)) {
		r = -EINVAL;
		goto out;
	}

	if (!vp->tdvpr_page)
		r = tdx_vp_create(td, vp);
	while (!r && vp->nr_tdvpx < tdx_host.nr_tdvpx) {
		r = tdx_td_add_control(td, vp);
		if (!r)
			vp->nr_tdvpx++;
	}
out:
	mutex_unlock(&td->lock);
	return r;
}
EXPORT_SYMBOL_GPL(tdx_td_create_vcpu);

/* Initialize a vCPU on this CPU, which has its state from then on. */
static u64 tdx_vp_init_here(struct tdx_vp *vp, u64 initial_rcx, u32 x2apic_id)
{
	unsigned long flags;
	u64 status;

	local_irq_save(flags);
	status = tdh_vp_init(vp, initial_rcx, x2apic_id);
	if (!status)
		tdx_vp_associate(vp);
	local_irq_restore(flags);
	return status;
}

/**
 * tdx_td_init_vcpu() - initialize a vCPU
 * @vp: the vCPU, created
 * @initial_rcx: what the guest finds in RCX at first
 * @x2apic_id: its APIC id
 *
 * If that fails it may be called again.
 */
int tdx_td_init_vcpu(struct tdx_vp *vp, u64 initial_rcx, u32 x2apic_id)
{
	struct tdx_td *td = vp->td;
	unsigned int tries = 0;
	u64 status;
	int r = 0;

	if (!td)
		return -EINVAL;

	mutex_lock(&td->lock);
	if (td->info.state != TDX_TD_INITIALIZED || vp->initialized ||
	    vp->nr_tdvpx < tdx_host.nr_tdvpx) {
		r = -EINVAL;
		goto out;
	}

	/* Or the CPU might be past the flush of its vCPUs already. */
	cpus_read_lock();
	do {
		status = tdx_vp_init_here(vp, initial_rcx, x2apic_id);
	} while (tdx_try_again(status, &tries));
	cpus_read_unlock();

	if (status)
		r = tdx_td_failed(td, TDH_VP_INIT, status);
	else
		vp->initialized = true;
out:
	mutex_unlock(&td->lock);
	return r;
}
EXPORT_SYMBOL_GPL(tdx_td_init_vcpu);

/**
 * tdx_td_add_page() - give a TD a page of memory
 * @td: the TD, initialized
 * @gpa: where the guest finds it; the module must have page tables for it
 * @source: what is in it
 */
int tdx_td_add_page(struct tdx_td *td, u64 gpa, struct page *source)
{
	u64 status, error1, error2;
	unsigned int tries = 0;
	struct page *page;
	int r = 0;

	mutex_lock(&td->lock);
	if (td->info.state != TDX_TD_INITIALIZED) {
		r = -EINVAL;
		goto out;
	}
	page = tdx_alloc_page();
	if (!page) {
		r = -ENOMEM;
		goto out;
	}

	do {
		status = tdh_mem_page_add(td, gpa, page, source, &error1, &error2);
	} while (tdx_try_again(status, &tries));
	if (status) {
		tdx_td_taint(td, page);
		r = tdx_td_failed(td, TDH_MEM_PAGE_ADD, status);
		goto out;
	}

	list_add(&page->lru, &td->private);
	tdx_td_gave_page(td, &td->info.private_pages);
out:
	mutex_unlock(&td->lock);
	return r;
}
EXPORT_SYMBOL_GPL(tdx_td_add_page);

/**
 * tdx_td_get_info() - what is known of a TD
 * @td: the TD
 * @info: where to store it
 *
 * Never waits for the TDX module.
 */
void tdx_td_get_info(struct tdx_td *td, struct tdx_td_info *info)
{
	spin_lock(&td->info_lock);
	*info = td->info;
	spin_unlock(&td->info_lock);
}
EXPORT_SYMBOL_GPL(tdx_td_get_info);
