// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM control: the events of a VM, and reading them from a control fd.
 *
 * Each control fd has a queue of its own, so that one slow reader costs only
 * itself. Queues are bounded and adding to them never sleeps or fails: a full
 * one drops its oldest event and counts it, and the next record read says how
 * many went missing.
 */
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/poll.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "control.h"

static bool kvm_control_queue(struct kvm_control_file *cf,
			      const struct kvm_control_event *event)
{
	bool dropped = cf->count == KVM_CONTROL_QUEUE_LEN;

	lockdep_assert_held(&cf->control->lock);

	if (dropped) {
		cf->head = (cf->head + 1) % KVM_CONTROL_QUEUE_LEN;
		cf->lost++;
	} else {
		cf->count++;
	}
	cf->event[(cf->head + cf->count - 1) % KVM_CONTROL_QUEUE_LEN] = *event;
	return dropped;
}

/**
 * kvm_control_add_event() - tell every open control fd of a VM something
 * @control: the VM's control object
 * @type: enum kvm_control_event_type
 * @data0: first datum, its meaning depends on @type
 * @data1: second datum
 *
 * Context: @control's lock held.
 */
void kvm_control_add_event(struct kvm_control *control, u32 type, u64 data0,
			   u64 data1)
{
	struct kvm_control_event event = {
		.type = type,
		.seq = ++control->events,
		.time_ns = ktime_get_boottime_ns(),
		.data = { data0, data1 },
	};
	struct kvm_control_file *cf;
	u32 lost = 0;

	lockdep_assert_held(&control->lock);

	list_for_each_entry(cf, &control->files, node)
		lost += kvm_control_queue(cf, &event);

	if (control->kvm) {
		control->kvm->stat.generic.control_events++;
		control->kvm->stat.generic.control_events_lost += lost;
	}
	wake_up_poll(&control->wait, EPOLLIN | EPOLLRDNORM);
}

/**
 * kvm_control_take_event() - remove the oldest unread event of a control fd
 * @cf: the control fd
 * @event: where to put it
 *
 * Return: false if there is none.
 */
bool kvm_control_take_event(struct kvm_control_file *cf,
			    struct kvm_control_event *event)
{
	unsigned long flags;
	bool taken;

	spin_lock_irqsave(&cf->control->lock, flags);
	taken = cf->count;
	if (taken) {
		*event = cf->event[cf->head];
		event->lost = cf->lost;
		cf->lost = 0;
		cf->head = (cf->head + 1) % KVM_CONTROL_QUEUE_LEN;
		cf->count--;
	}
	spin_unlock_irqrestore(&cf->control->lock, flags);
	return taken;
}

static bool kvm_control_readable(struct kvm_control_file *cf, bool *gone)
{
	unsigned long flags;
	bool readable;

	spin_lock_irqsave(&cf->control->lock, flags);
	*gone = !cf->control->kvm;
	readable = cf->count;
	spin_unlock_irqrestore(&cf->control->lock, flags);
	return readable;
}

/* Copy out as many whole events as there are and fit. */
static ssize_t kvm_control_drain(struct kvm_control_file *cf, char __user *buf,
				 size_t size)
{
	struct kvm_control_event event;
	size_t done = 0;

	while (size - done >= sizeof(event) &&
	       kvm_control_take_event(cf, &event)) {
		if (copy_to_user(buf + done, &event, sizeof(event)))
			return done ?: -EFAULT;
		done += sizeof(event);
	}
	return done;
}

/**
 * kvm_control_read() - read() of a control fd: whole events, as many as fit
 * @file: the control fd
 * @buf: where they go
 * @size: size of @buf
 * @pos: not used
 *
 * Return: bytes read; 0 when the VM is gone and all is read; -EINVAL if not
 * even one event fits; -EAGAIN if a non-blocking read would have to wait.
 */
ssize_t kvm_control_read(struct file *file, char __user *buf, size_t size,
			 loff_t *pos)
{
	struct kvm_control_file *cf = file->private_data;
	bool gone;
	ssize_t r;

	if (size < sizeof(struct kvm_control_event))
		return -EINVAL;

	for (;;) {
		/* Before draining: nothing is added once the VM is gone. */
		kvm_control_readable(cf, &gone);
		r = kvm_control_drain(cf, buf, size);
		if (r || gone)
			return r;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		/* Another reader may take the event that ends the wait. */
		r = wait_event_interruptible(cf->control->wait,
					     kvm_control_readable(cf, &gone) || gone);
		if (r)
			return r;
	}
}

/**
 * kvm_control_poll() - poll() of a control fd
 * @file: the control fd
 * @wait: poll table
 *
 * Return: EPOLLIN while there are unread events, else EPOLLHUP if the VM is
 * gone.
 */
__poll_t kvm_control_poll(struct file *file, poll_table *wait)
{
	struct kvm_control_file *cf = file->private_data;
	bool gone;

	poll_wait(file, &cf->control->wait, wait);
	if (kvm_control_readable(cf, &gone))
		return EPOLLIN | EPOLLRDNORM;
	return gone ? EPOLLHUP : 0;
}
