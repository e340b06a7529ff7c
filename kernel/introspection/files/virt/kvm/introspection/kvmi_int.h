/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM introspection: what its own files share.
 */
#ifndef __KVMI_INT_H
#define __KVMI_INT_H

#include <linux/completion.h>
#include <linux/kvm_host.h>
#include <linux/kvmi_host.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/refcount.h>

/**
 * struct kvmi - a VM's connection with its tool
 * @kvm: the VM; it outlives this
 * @sock: the connection
 * @recv: the thread that receives and answers
 * @allow: what the tool may do; does not change
 * @uuid: the VM's name as the host side gave it
 * @users: the VM, and whoever else is using it at the moment
 * @unused: completed when there are no @users left
 * @broken: why the connection is useless (an errno), 0 while it works
 * @send_lock: keeps messages whole on their way out; protects @event_seq
 * @event_seq: sequence number of the last event
 * @vm_events: mask of the VM's events that the tool asked for
 * @mute: whether the command being handled gets no reply
 * @mute_next: the same for the next one
 * @in: the arguments of the command being handled
 * @in_size: their size
 * @out: the data of its reply
 *
 * @vm_events is written by @recv only; what follows it is @recv's alone.
 */
struct kvmi {
	struct kvm *kvm;
	struct socket *sock;
	struct task_struct *recv;
	struct kvm_introspection_allow allow;
	u8 uuid[16];
	refcount_t users;
	struct completion unused;
	int broken;
	struct mutex send_lock;	/* keeps messages whole */
	u32 event_seq;
	u64 vm_events;
	bool mute;
	bool mute_next;
	size_t in_size;
	u8 in[KVMI_MSG_SIZE] __aligned(8);
	u8 out[PAGE_SIZE] __aligned(8);
};

/* kvmi_sock.c */
struct socket *kvmi_sock_get(int fd);
void kvmi_sock_shutdown(struct kvmi *kvmi);
int kvmi_sock_read(struct kvmi *kvmi, void *buf, size_t size);
int kvmi_sock_write(struct kvmi *kvmi, struct kvec *vec, size_t count);

/* kvmi_mem.c */
int kvmi_mem_read(struct kvm *kvm, u64 gpa, void *data, size_t size);
int kvmi_mem_write(struct kvm *kvm, u64 gpa, const void *data, size_t size);
u64 kvmi_mem_end(struct kvm *kvm);

/* kvmi_msg.c */
int kvmi_msg_handle(struct kvmi *kvmi);
int kvmi_msg_send_unhook(struct kvmi *kvmi);

#endif /* __KVMI_INT_H */
