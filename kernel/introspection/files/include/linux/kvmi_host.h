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
	KVMI_VCPU_ASKING,	/* an event is on its way to the tool and back */
	KVMI_VCPU_ANSWERED,	/* the vCPU's thread has not seen it yet */
};

/**
 * struct kvmi_vcpu - what introspection keeps in struct kvm_vcpu
 * @lock: protects the rest
 * @jobs: commands for the vCPU's thread
 * @njobs: how many
 * @pauses: how many events KVMI_EVENT_PAUSE_VCPU are due
 * @state: where the vCPU is with its event
 * @event: id of that event
 * @action: what the tool said to it
 * @seq: its sequence number
 * @asked_ns: when it was sent, in CLOCK_MONOTONIC
 */
struct kvmi_vcpu {
	spinlock_t lock;	/* protects the rest */
	struct list_head jobs;
	unsigned int njobs;
	unsigned int pauses;
	enum kvmi_vcpu_state state;
	u8 event;
	u8 action;
	u32 seq;
	u64 asked_ns;
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
int kvmi_vcpu_handle_request(struct kvm_vcpu *vcpu);
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

static inline int kvmi_vcpu_handle_request(struct kvm_vcpu *vcpu)
{
	return 1;
}

#endif /* CONFIG_KVM_INTROSPECTION */

#endif /* __KVMI_HOST_H */
