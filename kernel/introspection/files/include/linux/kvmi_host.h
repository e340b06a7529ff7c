/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM introspection: what the rest of KVM sees of it.
 */
#ifndef __KVMI_HOST_H
#define __KVMI_HOST_H

#include <linux/errno.h>
#include <linux/types.h>

struct kvm;
struct kvm_vcpu;

#ifdef CONFIG_KVM_INTROSPECTION

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <asm/kvmi_host.h>
#include <uapi/linux/kvmi.h>

struct kvmi;

/**
 * struct kvmi_vm - what introspection keeps in struct kvm
 * @lock: serializes hooking and unhooking; protects the rest
 * @kvmi_lock: inside of @lock; enough to read @kvmi, by who must not wait for
 *	an unhook; protects the VM's statistic of errors
 * @kvmi: the connection with the tool, NULL if the VM is not hooked
 * @sessions: how often it was hooked
 * @allow: what tools may do from the next hook on
 */
struct kvmi_vm {
	struct mutex lock;	/* serializes hooking and unhooking */
	spinlock_t kvmi_lock;	/* protects the pointer and a counter */
	struct kvmi *kvmi;
	u64 sessions;
	struct kvm_introspection_allow allow;
};

enum kvmi_vcpu_state {
	KVMI_VCPU_IDLE,
	KVMI_VCPU_DUE,		/* the vCPU's thread has met an event to send */
	KVMI_VCPU_ASKING,	/* an event is on its way to the tool and back */
	KVMI_VCPU_ANSWERED,	/* the vCPU's thread has not seen it yet */
};

/* How many pages an instruction can touch, and some more. */
#define KVMI_MAX_GRANTS		12

/**
 * struct kvmi_grant - an access to a watched page that the tool said yes to
 * @rip: linear address of the instruction
 * @gpa: physical address
 * @access: one KVMI_PAGE_ACCESS_*
 */
struct kvmi_grant {
	u64 rip;
	u64 gpa;
	u8 access;
};

/**
 * struct kvmi_watch - what a tool wants to see of a vCPU
 * @session: the connection of the tool; 0 if there is none
 * @events: mask of the events that it asked for
 * @ngrants: how many accesses it lets the instruction at @grant[0].rip do
 * @grant: these accesses
 * @rep_complete: they are those of all iterations of a string instruction
 * @ctx_addr: linear address of what the instruction is to read instead
 * @ctx_size: how much of it there is
 * @ctx_data: the data
 * @arch: which registers it is interested in
 */
struct kvmi_watch {
	u64 session;
	u64 events;
	unsigned int ngrants;
	struct kvmi_grant grant[KVMI_MAX_GRANTS];
	bool rep_complete;
	u64 ctx_addr;
	u32 ctx_size;
	u8 ctx_data[KVMI_CTX_DATA_SIZE];
	struct kvmi_arch_watch arch;
};

/**
 * struct kvmi_vcpu_event - an event that a vCPU waits with
 * @id: its id
 * @size: size of what it has of its own
 * @rip: where the vCPU was
 * @data: what the event has of its own
 */
struct kvmi_vcpu_event {
	u8 id;
	u16 size;
	unsigned long rip;
	union kvmi_event_data data;
};

/**
 * struct kvmi_vcpu - what introspection keeps in struct kvm_vcpu
 * @lock: protects the rest, but for what is the vCPU's thread's own
 * @jobs: commands for the vCPU's thread
 * @njobs: how many
 * @pauses: how many events KVMI_EVENT_PAUSE_VCPU are due
 * @created: whether KVMI_EVENT_CREATE_VCPU is due
 * @state: where the vCPU is with its event
 * @event: id of that event
 * @action: what the tool said to it
 * @seq: its sequence number
 * @asked_ns: when it was sent, in CLOCK_MONOTONIC
 * @reply: what else it said, if the event has more of its own in its reply
 * @watch: what the tool wants to see, NULL if none ever did. The vCPU's thread's
 *	own, and so are the following.
 * @pending: the event that is due, or was sent last
 * @approved: whether the vCPU executes the instruction of @pending, as the tool
 *	has answered
 */
struct kvmi_vcpu {
	spinlock_t lock;	/* protects the rest */
	struct list_head jobs;
	unsigned int njobs;
	unsigned int pauses;
	bool created;
	enum kvmi_vcpu_state state;
	u8 event;
	u8 action;
	u32 seq;
	u64 asked_ns;
	union kvmi_reply_data reply;
	struct kvmi_watch *watch;
	struct kvmi_vcpu_event pending;
	bool approved;
};

/* The argument of any of our ioctls. */
union kvmi_ioctl_arg {
	struct kvm_introspection_hook hook;
	struct kvm_introspection_allow allow;
	struct kvm_introspection_stats stats;
};

void kvmi_create_vm(struct kvm *kvm);
void kvmi_destroy_vm(struct kvm *kvm);
void kvmi_vcpu_init(struct kvm_vcpu *vcpu);
void kvmi_vcpu_created(struct kvm_vcpu *vcpu);
void kvmi_vcpu_destroy(struct kvm_vcpu *vcpu);
int kvmi_vcpu_handle_request(struct kvm_vcpu *vcpu);
bool kvmi_vcpu_may_access(struct kvm_vcpu *vcpu,
			  const struct kvmi_vcpu_event *event);
bool kvmi_vcpu_custom_read(struct kvm_vcpu *vcpu, u64 gva, void *data,
			   unsigned int size);
void kvmi_vcpu_executed(struct kvm_vcpu *vcpu, bool more);
bool kvmi_enabled(void);
int kvmi_ioctl_read_arg(unsigned int ioctl, const void __user *argp,
			union kvmi_ioctl_arg *arg);
int kvmi_ioctl_write_arg(unsigned int ioctl, void __user *argp,
			 const union kvmi_ioctl_arg *arg);
int kvmi_ioctl(struct kvm *kvm, unsigned int ioctl, union kvmi_ioctl_arg *arg);
int kvmi_vm_ioctl(struct kvm *kvm, unsigned int ioctl, const void __user *argp);

#else /* !CONFIG_KVM_INTROSPECTION */

union kvmi_ioctl_arg {
	u8 none;
};

static inline bool kvmi_enabled(void)
{
	return false;
}

static inline int kvmi_ioctl_read_arg(unsigned int ioctl,
				      const void __user *argp,
				      union kvmi_ioctl_arg *arg)
{
	return -ENOTTY;
}

static inline int kvmi_ioctl_write_arg(unsigned int ioctl, void __user *argp,
				       const union kvmi_ioctl_arg *arg)
{
	return -ENOTTY;
}

static inline int kvmi_ioctl(struct kvm *kvm, unsigned int ioctl,
			     union kvmi_ioctl_arg *arg)
{
	return -ENOTTY;
}

static inline void kvmi_create_vm(struct kvm *kvm)
{
}

static inline void kvmi_destroy_vm(struct kvm *kvm)
{
}

static inline void kvmi_vcpu_init(struct kvm_vcpu *vcpu)
{
}

static inline void kvmi_vcpu_created(struct kvm_vcpu *vcpu)
{
}

static inline void kvmi_vcpu_destroy(struct kvm_vcpu *vcpu)
{
}

static inline int kvmi_vcpu_handle_request(struct kvm_vcpu *vcpu)
{
	return 1;
}

#endif /* CONFIG_KVM_INTROSPECTION */

#endif /* __KVMI_HOST_H */
