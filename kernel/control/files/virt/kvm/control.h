/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM control: what control.c and control_event.c share.
 */
#ifndef __KVM_CONTROL_INTERNAL_H
#define __KVM_CONTROL_INTERNAL_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <uapi/linux/kvm_control.h>

/* A reader this many events behind starts to lose the oldest. */
#define KVM_CONTROL_QUEUE_LEN	64

/*
 * How many control fds a VM may have before only the privileged can open more.
 * An event goes to all of them with interrupts off.
 */
#define KVM_CONTROL_MAX_FDS	16

struct file;
struct kvm;
struct poll_table_struct;

/**
 * struct kvm_control - what control fds hold on to
 * @users: the VM while it exists, and every open control fd
 * @ops: what the architecture can do
 * @policy_lock: serializes changes of policy; outside @lock
 * @lock: protects everything below; taken with interrupts off, innermost
 * @kvm: the VM, NULL once it is gone
 * @files: open control fds (struct kvm_control_file)
 * @nr_files: how many, those being opened included
 * @wait: their readers
 * @active: KVM_CONTROL_* bits in force
 * @switching_on: those that are about to be, and may be in force already
 * @broken_early: why one of these broke already, an errno, or 0
 * @vcpus_entered: vCPUs that have started their first KVM_RUN
 * @first_entry_ns: when the first of them did
 * @events: number of events so far
 * @item: since when each bit is what it is
 *
 * Control fds must not keep a VM alive: a manager that hangs would otherwise
 * hold on to the memory of a guest that is gone. So they hold this instead.
 */
struct kvm_control {
	refcount_t users;
	const struct kvm_control_ops *ops;
	struct mutex policy_lock;	/* serializes changes of policy */

	spinlock_t lock;	/* protects all below */
	struct kvm *kvm;
	struct list_head files;
	u32 nr_files;
	wait_queue_head_t wait;
	u64 active;
	u64 switching_on;
	int broken_early[KVM_CONTROL_NR_ITEMS];
	u32 vcpus_entered;
	u64 first_entry_ns;
	u64 events;
	struct kvm_control_item item[KVM_CONTROL_NR_ITEMS];
};

/**
 * struct kvm_control_file - one open control fd
 * @control: what it is open on
 * @node: in @control's list of files
 * @head: index of the oldest unread event
 * @count: number of unread events
 * @lost: events dropped since the last one that was read
 * @event: unread events, a ring
 *
 * All but @control is protected by @control's lock.
 */
struct kvm_control_file {
	struct kvm_control *control;
	struct list_head node;
	u32 head;
	u32 count;
	u32 lost;
	struct kvm_control_event event[KVM_CONTROL_QUEUE_LEN];
};

void kvm_control_add_event(struct kvm_control *control, u32 type, u64 data0,
			   u64 data1);
bool kvm_control_take_event(struct kvm_control_file *cf,
			    struct kvm_control_event *event);
ssize_t kvm_control_read(struct file *file, char __user *buf, size_t size,
			 loff_t *pos);
__poll_t kvm_control_poll(struct file *file, struct poll_table_struct *wait);

#endif /* __KVM_CONTROL_INTERNAL_H */
