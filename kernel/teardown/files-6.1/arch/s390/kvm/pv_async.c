// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous teardown of protected guests.
 *
 * Each page of a protected guest takes an Ultravisor call until the host can
 * use it again, which keeps the reboot of a large guest waiting for minutes.
 * Instead the guest can be set aside: its secure configuration, with all that
 * was donated for it, is detached from the VM, and the VM goes on unprotected.
 * Then another thread makes the pages accessible and destroys the configuration.
 *
 * A guest that was set aside is at any time in one of three places: in
 * kvm->arch.pv.set_aside, until its teardown starts; with the thread that tears
 * it down; or in kvm->arch.pv.need_cleanup, if that thread was interrupted. It
 * changes places under kvm->lock. Whatever is left when the VM is destroyed, or
 * its current guest is torn down synchronously, is cleaned up on the way.
 *
 * mm->context.protected_count counts configurations, set aside or not: while
 * it is not zero, the mm makes pages accessible before it lets go of them.
 */
#include <linux/kvm_host.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/gmap.h>
#include <asm/uv.h>

#include "kvm-s390.h"
#include "pv_async.h"
#include "teardown.h"

/* The reason code of what KVM itself reports to have succeeded. */
#define PV_RRC_NOT_BY_UV	42

static bool async_destroy = true;
module_param(async_destroy, bool, 0444);
MODULE_PARM_DESC(async_destroy, "Tear down protected guests asynchronously");

/**
 * struct kvm_s390_pv_leftover - a guest that was set aside
 * @list: in kvm->arch.pv.need_cleanup, or unused
 * @number: which of the VM's guests it was
 * @handle: its configuration; 0 if that is destroyed already
 * @stor_base: storage donated for the configuration
 * @stor_var: the part of it that depends on the size of the guest
 * @table: top level table of the guest's address space, named to the
 *	   Ultravisor when the configuration was created
 */
struct kvm_s390_pv_leftover {
	struct list_head list;
	u64 number;
	u64 handle;
	unsigned long stor_base;
	void *stor_var;
	unsigned long table;
};

bool kvm_s390_async_destroy(void)
{
	return async_destroy && is_prot_virt_host();
}

static bool has_fast_destroy(void)
{
	return test_bit_inv(BIT_UVC_CMD_DESTROY_SEC_CONF_FAST,
			    uv_info.inst_calls_list);
}

/*
 * Destroy the configuration without its pages having been made accessible.
 * protected_count stays: the pages are still to be done. A failure leaves the
 * configuration as it was, and the slow call is tried later.
 */
static int destroy_fast(struct kvm *kvm, u16 *rc, u16 *rrc)
{
	struct uv_cb_destroy_fast uvcb = {
		.header.cmd = UVC_CMD_DESTROY_SEC_CONF_FAST,
		.header.len = sizeof(uvcb),
		.handle = kvm_s390_pv_get_handle(kvm),
	};
	int cc;

	cc = uv_call_sched(0, (u64)&uvcb);
	*rc = uvcb.header.rc;
	*rrc = uvcb.header.rrc;
	KVM_UV_EVENT(kvm, 3, "PROTVIRT DESTROY VM FAST: rc %x rrc %x", *rc, *rrc);
	if (cc) {
		/* The one failure that does happen. */
		WARN_ONCE(*rc != 0x104, "protvirt destroy vm fast failed rc %x rrc %x",
			  *rc, *rrc);
		return -EIO;
	}
	WRITE_ONCE(kvm->arch.gmap->guest_handle, 0);
	kvm_s390_pv_dealloc_vm(kvm);
	return 0;
}

/* Move the configuration from the VM to @leftover; on error nothing changes. */
static int detach_configuration(struct kvm *kvm, struct kvm_s390_pv_leftover *leftover)
{
	struct gmap *gmap = kvm->arch.gmap;
	int r;

	leftover->table = (unsigned long)gmap->table;
	r = s390_replace_asce(gmap);
	if (r)
		return r;

	leftover->handle = kvm_s390_pv_get_handle(kvm);
	leftover->stor_base = kvm->arch.pv.stor_base;
	leftover->stor_var = kvm->arch.pv.stor_var;
	WRITE_ONCE(gmap->guest_handle, 0);
	kvm_s390_clear_pv_state(kvm);
	return 0;
}

/*
 * The prefix pages of the next guest's vCPUs will be down there, and the CPU
 * cannot enter a guest whose prefix pages are not accessible.
 */
static void destroy_below_2g(struct kvm *kvm)
{
	const gfn_t limit = SZ_2G >> PAGE_SHIFT;
	struct kvm_memory_slot *slot;
	unsigned long start, npages;
	int idx, bkt;

	idx = srcu_read_lock(&kvm->srcu);
	kvm_for_each_memslot(slot, bkt, kvm_memslots(kvm)) {
		if (slot->base_gfn >= limit)
			continue;
		npages = min_t(u64, slot->npages, limit - slot->base_gfn);
		start = slot->userspace_addr;
		s390_uv_destroy_range(kvm->mm, start, start + npages * PAGE_SIZE);
	}
	srcu_read_unlock(&kvm->srcu, idx);
}

static int set_aside(struct kvm *kvm, u16 *rc, u16 *rrc)
{
	struct kvm_s390_pv_leftover *leftover;
	int r;

	leftover = kzalloc(sizeof(*leftover), GFP_KERNEL);
	if (!leftover)
		return -ENOMEM;

	if (has_fast_destroy())
		r = destroy_fast(kvm, rc, rrc);
	else
		r = detach_configuration(kvm, leftover);
	if (r) {
		kfree(leftover);
		return r;
	}

	destroy_below_2g(kvm);
	leftover->number = kvm_s390_teardown_prepared(kvm);
	kvm->arch.pv.set_aside = leftover;
	return 0;
}

/**
 * kvm_s390_pv_prepare_async() - set the VM's protected guest aside
 * @kvm: the VM
 * @rc: Ultravisor return code
 * @rrc: Ultravisor return reason code
 *
 * The VM can then go on unprotected at once. Only one guest can wait to be
 * torn down; and one whose top level table has segment entries cannot be set
 * aside at all, see s390_replace_asce().
 *
 * Context: kvm->lock held.
 *
 * Return: 0; -EINVAL if there is nothing to set aside or it cannot be; -ENOMEM;
 * -EIO if the Ultravisor refused. After the last two the guest is as before,
 * but its vCPUs, or some of them, are not protected any more.
 */
int kvm_s390_pv_prepare_async(struct kvm *kvm, u16 *rc, u16 *rrc)
{
	int r;

	lockdep_assert_held(&kvm->lock);

	if (!kvm_s390_pv_is_protected(kvm) || !kvm_s390_async_destroy() ||
	    kvm_s390_teardown_is_off(kvm) || kvm->arch.pv.set_aside ||
	    (kvm->arch.gmap->asce & _ASCE_TYPE_MASK) == _ASCE_TYPE_SEGMENT)
		return -EINVAL;

	/* A configuration that has a vCPU cannot be destroyed, then or later. */
	r = kvm_s390_cpus_from_pv(kvm, rc, rrc);
	if (r)
		return r;
	r = set_aside(kvm, rc, rrc);
	if (r)
		return r;

	*rc = UVC_RC_EXECUTED;
	*rrc = PV_RRC_NOT_BY_UV;
	return 0;
}

/*
 * Destroy the configuration of a guest that was set aside, and free @leftover.
 *
 * If the Ultravisor refuses, which it should not, all that was donated is its
 * own forever: it is leaked, and protected_count stays where it is.
 */
static int dispose(struct kvm *kvm, struct kvm_s390_pv_leftover *leftover,
		   u16 *rc, u16 *rrc)
{
	int r = 0;

	*rc = UVC_RC_EXECUTED;
	*rrc = 0;
	if (leftover->handle) {
		r = uv_cmd_nodata(leftover->handle, UVC_CMD_DESTROY_SEC_CONF, rc, rrc);
		KVM_UV_EVENT(kvm, 3, "PROTVIRT DESTROY LEFTOVER VM: rc %x rrc %x",
			     *rc, *rrc);
		WARN_ONCE(r, "protvirt destroy leftover vm failed rc %x rrc %x",
			  *rc, *rrc);
	}
	if (!r) {
		if (leftover->handle) {
			vfree(leftover->stor_var);
			free_pages(leftover->stor_base,
				   get_order(uv_info.guest_base_stor_len));
			free_pages(leftover->table, CRST_ALLOC_ORDER);
		}
		atomic_dec(&kvm->mm->context.protected_count);
	}
	kfree(leftover);
	return r ? -EIO : 0;
}

/* The guest whose teardown the caller is to run, or NULL. */
static struct kvm_s390_pv_leftover *take_leftover(struct kvm *kvm,
						  struct kvm_s390_teardown_run *run)
{
	struct kvm_s390_pv_leftover *leftover;
	bool resumed = false;

	mutex_lock(&kvm->lock);
	leftover = kvm->arch.pv.set_aside;
	kvm->arch.pv.set_aside = NULL;
	if (!leftover && kvm_s390_teardown_may_resume(kvm)) {
		leftover = list_first_entry_or_null(&kvm->arch.pv.need_cleanup,
						    typeof(*leftover), list);
		if (leftover)
			list_del(&leftover->list);
		resumed = true;
	}
	if (leftover)
		kvm_s390_teardown_begin(run, kvm, leftover->number, resumed);
	mutex_unlock(&kvm->lock);
	return leftover;
}

/**
 * kvm_s390_pv_deinit_aside_vm() - tear down the guest that is set aside
 * @kvm: the VM
 * @rc: Ultravisor return code
 * @rrc: Ultravisor return reason code
 *
 * As soon as this has begun, the next guest can be set aside. It walks through
 * all memory of the VM's process, and stops if that gets a fatal signal; the
 * caller is then told that all is well, and the rest is done when the VM is
 * destroyed. A manager that calls this also gets to finish such a rest.
 *
 * Context: takes kvm->lock, but not for long.
 *
 * Return: 0; -EINVAL if no guest is set aside; -EIO if the Ultravisor refused.
 */
int kvm_s390_pv_deinit_aside_vm(struct kvm *kvm, u16 *rc, u16 *rrc)
{
	struct kvm_s390_pv_leftover *leftover;
	struct kvm_s390_teardown_run run;
	int r;

	lockdep_assert_not_held(&kvm->lock);

	leftover = take_leftover(kvm, &run);
	if (!leftover)
		return -EINVAL;

	if (kvm_s390_teardown_walk(&run)) {
		mutex_lock(&kvm->lock);
		list_add(&leftover->list, &kvm->arch.pv.need_cleanup);
		kvm_s390_teardown_interrupted(&run);
		mutex_unlock(&kvm->lock);
		*rc = UVC_RC_EXECUTED;
		*rrc = PV_RRC_NOT_BY_UV;
		return 0;
	}
	r = dispose(kvm, leftover, rc, rrc);
	kvm_s390_teardown_ended(&run, r, *rc, *rrc);
	return r;
}

/* Clean up what is in need_cleanup; @rc and @rrc are those of the first failure. */
static int dispose_all(struct kvm *kvm, u16 *rc, u16 *rrc)
{
	struct kvm_s390_pv_leftover *leftover, *next;
	u16 this_rc, this_rrc;
	int r = 0, this_r;
	u64 number;

	list_for_each_entry_safe(leftover, next, &kvm->arch.pv.need_cleanup, list) {
		list_del(&leftover->list);
		number = leftover->number;
		this_r = dispose(kvm, leftover, &this_rc, &this_rrc);
		kvm_s390_teardown_disposed(kvm, number, this_r, this_rc, this_rrc);
		if (this_r && !r) {
			r = this_r;
			*rc = this_rc;
			*rrc = this_rrc;
		}
	}
	kvm_s390_teardown_all_disposed(kvm);
	return r;
}

/**
 * kvm_s390_pv_deinit_cleanup_all() - tear down all protected guests of a VM
 * @kvm: the VM
 * @rc: Ultravisor return code of the first failure
 * @rrc: reason code that goes with it
 *
 * The current one, the one that is set aside, and those whose teardown was
 * interrupted, and their memory if the VM's process still has it. But not one
 * that is being torn down right now.
 *
 * Context: kvm->lock held, or the VM is being destroyed.
 *
 * Return: 0, or -EIO if the Ultravisor refused any of it.
 */
int kvm_s390_pv_deinit_cleanup_all(struct kvm *kvm, u16 *rc, u16 *rrc)
{
	bool any = false;
	u16 aside_rc, aside_rrc;
	int r = 0;

	/*
	 * The count must not get to zero before the pages are accessible, or
	 * the mm would give them away as they are. Zero from the start means
	 * that there is nothing to do, maybe not even an Ultravisor.
	 */
	if (!atomic_inc_not_zero(&kvm->mm->context.protected_count))
		return 0;

	*rc = UVC_RC_EXECUTED;
	*rrc = 0;
	if (kvm_s390_pv_get_handle(kvm)) {
		any = true;
		r = kvm_s390_pv_deinit_vm(kvm, rc, rrc);
	}
	if (kvm->arch.pv.set_aside) {
		list_add(&kvm->arch.pv.set_aside->list, &kvm->arch.pv.need_cleanup);
		kvm->arch.pv.set_aside = NULL;
	}
	if (!list_empty(&kvm->arch.pv.need_cleanup)) {
		any = true;
		if (dispose_all(kvm, &aside_rc, &aside_rrc) && !r) {
			*rc = aside_rc;
			*rrc = aside_rrc;
			r = -EIO;
		}
	}

	if (any && mmget_not_zero(kvm->mm)) {
		s390_uv_destroy_range(kvm->mm, 0, TASK_SIZE);
		mmput(kvm->mm);
	}
	atomic_dec(&kvm->mm->context.protected_count);
	return r;
}

/**
 * kvm_s390_pv_deinit_at_exit() - what can be done as the VM's process ends
 * @kvm: the VM
 *
 * Without vCPUs the pages can be destroyed, as they are freed, instead of
 * encrypted. If the configuration can go first, that is even faster.
 *
 * Context: the process's last thread; nobody else can use the VM.
 */
void kvm_s390_pv_deinit_at_exit(struct kvm *kvm)
{
	u16 rc, rrc;
	int r;

	r = kvm_s390_cpus_from_pv(kvm, &rc, &rrc);
	if (!r && has_fast_destroy() && kvm_s390_pv_get_handle(kvm))
		destroy_fast(kvm, &rc, &rrc);
}
