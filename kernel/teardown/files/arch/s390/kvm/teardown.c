// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asynchronous teardown of protected guests, as managers see and steer it.
 *
 * pv.c sets guests aside and tears them down. This keeps the account of it:
 * what is set aside, running or interrupted, how far it is and how the last one
 * ended. Managers read it through a control fd, and can forbid to set guests
 * aside, perform a teardown in place of the VM's process, or interrupt it.
 *
 * Locking: kvm_s390_teardown.lock is innermost but for what kvm_control_event()
 * takes. kvm->lock is taken outside of it, where a guest changes hands.
 */
#include <linux/kvm_control.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <uapi/linux/kvm_teardown.h>

#include <asm/gmap.h>
#include <asm/uv.h>

#include "kvm-s390.h"
#include "teardown.h"

/**
 * kvm_s390_teardown_init() - start the account of a new VM
 * @kvm: the VM, not yet visible to anyone
 */
void kvm_s390_teardown_init(struct kvm *kvm)
{
	spin_lock_init(&kvm->arch.pv.teardown.lock);
}

/**
 * kvm_s390_teardown_is_off() - whether a manager forbids to set guests aside
 * @kvm: the VM
 *
 * The caller then fails as if there were no such thing, and the VM's process
 * does what it does on an older kernel.
 */
bool kvm_s390_teardown_is_off(struct kvm *kvm)
{
	return READ_ONCE(kvm->arch.pv.teardown.off);
}

/**
 * kvm_s390_teardown_may_resume() - whether interrupted teardowns may go on
 * @kvm: the VM
 *
 * Only for managers: to the VM's process a teardown that was interrupted is
 * one that succeeded.
 */
bool kvm_s390_teardown_may_resume(struct kvm *kvm)
{
	return current->mm != kvm->mm;
}

/**
 * kvm_s390_teardown_prepared() - note that a guest was set aside
 * @kvm: the VM
 *
 * Context: kvm->lock held.
 *
 * Return: the guest's number, from 1.
 */
u64 kvm_s390_teardown_prepared(struct kvm *kvm)
{
	struct kvm_s390_teardown *td = &kvm->arch.pv.teardown;
	u64 number;

	lockdep_assert_held(&kvm->lock);

	spin_lock(&td->lock);
	number = ++kvm->stat.teardown_prepared;
	td->set_aside = true;
	td->prepared_ns = ktime_get_boottime_ns();
	kvm_control_event(kvm, KVM_TEARDOWN_EVENT_PREPARED, number, 0);
	spin_unlock(&td->lock);
	return number;
}

/**
 * kvm_s390_teardown_begin() - note that a teardown starts
 * @run: where to keep its account
 * @kvm: the VM
 * @number: number of the guest
 * @resumed: the guest's teardown was interrupted before; else it was set aside
 *
 * Context: kvm->lock held.
 */
void kvm_s390_teardown_begin(struct kvm_s390_teardown_run *run,
			     struct kvm *kvm, u64 number, bool resumed)
{
	struct kvm_s390_teardown *td = &kvm->arch.pv.teardown;

	lockdep_assert_held(&kvm->lock);

	*run = (struct kvm_s390_teardown_run) {
		.kvm = kvm,
		.number = number,
		.started_ns = ktime_get_boottime_ns(),
		.total = get_mm_rss(kvm->mm),
		.by_manager = current->mm != kvm->mm,
	};

	spin_lock(&td->lock);
	if (resumed)
		td->interrupted--;
	else
		td->set_aside = false;
	td->running++;
	td->last = number;
	td->pages_done = 0;
	td->pages_total = run->total;
	td->started_ns = run->started_ns;
	kvm->stat.teardown_started++;
	kvm->stat.teardown_running++;
	kvm_control_event(kvm, KVM_TEARDOWN_EVENT_STARTED, number, run->total);
	spin_unlock(&td->lock);
}

/*
 * A manager must not keep a VM whose process has let go of it, or the memory of
 * a process that is gone. What is left is then cleaned up as the VM is destroyed.
 */
static bool kvm_s390_teardown_orphaned(struct kvm *kvm)
{
	return refcount_read(&kvm->users_count) == 1 ||
	       atomic_read(&kvm->mm->mm_users) == 1;
}

static int kvm_s390_teardown_progress(void *data, unsigned long pages)
{
	struct kvm_s390_teardown_run *run = data;
	struct kvm_s390_teardown *td = &run->kvm->arch.pv.teardown;

	run->done += pages;
	spin_lock(&td->lock);
	if (td->last == run->number)
		td->pages_done = run->done;
	run->kvm->stat.teardown_pages += pages;
	spin_unlock(&td->lock);

	if (READ_ONCE(td->interrupt) ||
	    (run->by_manager && kvm_s390_teardown_orphaned(run->kvm)))
		return -EINTR;
	return 0;
}

/**
 * kvm_s390_teardown_walk() - destroy the secure pages of a VM's process
 * @run: the teardown that it is a part of
 *
 * Context: no locks held.
 *
 * Return: 0, or -EINTR if it was interrupted by a fatal signal, by a manager,
 * or, when a manager runs it, by the end of the VM's process.
 */
int kvm_s390_teardown_walk(struct kvm_s390_teardown_run *run)
{
	struct mm_struct *mm = run->kvm->mm;
	int r;

	if (run->by_manager && !mmget_not_zero(mm))
		return -EINTR;

	r = s390_uv_destroy_range_progress(mm, 0, TASK_SIZE_MAX, true,
					   kvm_s390_teardown_progress, run);
	/* If the process has ended meanwhile, its memory is not ours to free. */
	if (run->by_manager)
		mmput_async(mm);
	return r;
}

static void kvm_s390_teardown_stop_running(struct kvm *kvm)
{
	struct kvm_s390_teardown *td = &kvm->arch.pv.teardown;

	lockdep_assert_held(&td->lock);

	kvm->stat.teardown_running--;
	if (!--td->running)
		WRITE_ONCE(td->interrupt, false);
}

/**
 * kvm_s390_teardown_interrupted() - note that a teardown was interrupted
 * @run: the teardown
 *
 * Context: kvm->lock held.
 */
void kvm_s390_teardown_interrupted(struct kvm_s390_teardown_run *run)
{
	struct kvm_s390_teardown *td = &run->kvm->arch.pv.teardown;
	u64 left = run->total > run->done ? run->total - run->done : 0;

	lockdep_assert_held(&run->kvm->lock);

	spin_lock(&td->lock);
	kvm_s390_teardown_stop_running(run->kvm);
	td->interrupted++;
	run->kvm->stat.teardown_interrupted++;
	kvm_control_event(run->kvm, KVM_TEARDOWN_EVENT_INTERRUPTED, run->number, left);
	spin_unlock(&td->lock);
}

static void kvm_s390_teardown_result(struct kvm *kvm, u64 number, bool failed,
				     u16 rc, u16 rrc, u64 duration)
{
	struct kvm_s390_teardown *td = &kvm->arch.pv.teardown;

	lockdep_assert_held(&td->lock);

	td->rc = rc;
	td->rrc = rrc;
	if (failed) {
		kvm->stat.teardown_failed++;
		kvm_control_event(kvm, KVM_TEARDOWN_EVENT_FAILED, number,
				  (u64)rc << 16 | rrc);
	} else {
		kvm->stat.teardown_finished++;
		kvm_control_event(kvm, KVM_TEARDOWN_EVENT_FINISHED, number,
				  duration);
	}
}

/**
 * kvm_s390_teardown_ended() - note that a teardown ran to its end
 * @run: the teardown
 * @failed: the Ultravisor refused to destroy the configuration
 * @rc: its return code
 * @rrc: its return reason code
 */
void kvm_s390_teardown_ended(struct kvm_s390_teardown_run *run, bool failed,
			     u16 rc, u16 rrc)
{
	struct kvm_s390_teardown *td = &run->kvm->arch.pv.teardown;
	u64 duration = ktime_get_boottime_ns() - run->started_ns;

	spin_lock(&td->lock);
	kvm_s390_teardown_stop_running(run->kvm);
	if (!failed)
		td->duration_ns = duration;
	kvm_s390_teardown_result(run->kvm, run->number, failed, rc, rrc, duration);
	spin_unlock(&td->lock);
}

/**
 * kvm_s390_teardown_disposed() - note that a guest was cleaned up on the way
 * @kvm: the VM
 * @number: number of the guest, which was set aside or interrupted
 * @failed: the Ultravisor refused to destroy the configuration
 * @rc: its return code
 * @rrc: its return reason code
 */
void kvm_s390_teardown_disposed(struct kvm *kvm, u64 number, bool failed,
				u16 rc, u16 rrc)
{
	struct kvm_s390_teardown *td = &kvm->arch.pv.teardown;

	spin_lock(&td->lock);
	kvm_s390_teardown_result(kvm, number, failed, rc, rrc, 0);
	spin_unlock(&td->lock);
}

/**
 * kvm_s390_teardown_all_disposed() - note that no guest is waiting any more
 * @kvm: the VM
 *
 * Context: kvm->lock held, or the VM is being destroyed.
 */
void kvm_s390_teardown_all_disposed(struct kvm *kvm)
{
	struct kvm_s390_teardown *td = &kvm->arch.pv.teardown;

	spin_lock(&td->lock);
	td->set_aside = false;
	td->interrupted = 0;
	spin_unlock(&td->lock);
}

static void kvm_s390_teardown_get_info(struct kvm *kvm,
				       struct kvm_teardown_info *info)
{
	struct kvm_s390_teardown *td = &kvm->arch.pv.teardown;

	spin_lock(&td->lock);
	info->state = (td->set_aside ? KVM_TEARDOWN_SET_ASIDE : 0) |
		      (td->running ? KVM_TEARDOWN_RUNNING : 0) |
		      (td->interrupted ? KVM_TEARDOWN_INTERRUPTED : 0);
	info->running = td->running;
	info->interrupted = td->interrupted;
	info->rc = td->rc;
	info->rrc = td->rrc;
	info->pages_done = td->pages_done;
	/* The process may have mapped more since the start. */
	info->pages_total = max(td->pages_total, td->pages_done);
	info->prepared_ns = td->prepared_ns;
	info->started_ns = td->started_ns;
	info->duration_ns = td->duration_ns;
	info->prepared = kvm->stat.teardown_prepared;
	info->started = kvm->stat.teardown_started;
	info->finished = kvm->stat.teardown_finished;
	info->stopped = kvm->stat.teardown_interrupted;
	info->failed = kvm->stat.teardown_failed;
	spin_unlock(&td->lock);
}

static int kvm_s390_teardown_perform(struct kvm *kvm,
				     struct kvm_teardown_perform *perform)
{
	if (!kvm_s390_async_destroy())
		return -EOPNOTSUPP;
	return kvm_s390_pv_deinit_aside_vm(kvm, &perform->rc, &perform->rrc);
}

static int kvm_s390_teardown_interrupt(struct kvm *kvm)
{
	struct kvm_s390_teardown *td = &kvm->arch.pv.teardown;
	int r = -EINVAL;

	spin_lock(&td->lock);
	if (td->running) {
		WRITE_ONCE(td->interrupt, true);
		r = 0;
	}
	spin_unlock(&td->lock);
	return r;
}

static const struct kvm_control_teardown_ops kvm_s390_teardown_ops = {
	.get_info	= kvm_s390_teardown_get_info,
	.perform	= kvm_s390_teardown_perform,
	.interrupt	= kvm_s390_teardown_interrupt,
};

static u64 kvm_s390_control_supported(struct kvm *kvm)
{
	return kvm_s390_async_destroy() ? KVM_CONTROL_TEARDOWN : 0;
}

static int kvm_s390_control_set_policy(struct kvm *kvm, u64 mask, u64 value)
{
	/* A guest that is being set aside right now is not called back. */
	if (mask & KVM_CONTROL_TEARDOWN)
		WRITE_ONCE(kvm->arch.pv.teardown.off,
			   !(value & KVM_CONTROL_TEARDOWN));
	return 0;
}

static const struct kvm_control_ops kvm_s390_control_ops = {
	.supported	= kvm_s390_control_supported,
	.set_policy	= kvm_s390_control_set_policy,
	.teardown	= &kvm_s390_teardown_ops,
};

const struct kvm_control_ops *kvm_arch_control_ops(struct kvm *kvm)
{
	return &kvm_s390_control_ops;
}

/* Asynchronous teardown is on from the start. */
int kvm_arch_post_init_vm(struct kvm *kvm)
{
	if (kvm_s390_async_destroy())
		kvm_control_set_active(kvm, KVM_CONTROL_TEARDOWN, true);
	return 0;
}
