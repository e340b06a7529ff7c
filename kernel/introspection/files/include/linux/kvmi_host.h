/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM introspection: what the rest of KVM sees of it.
 */
#ifndef __KVMI_HOST_H
#define __KVMI_HOST_H

#include <linux/errno.h>
#include <linux/types.h>

struct kvm;

#ifdef CONFIG_KVM_INTROSPECTION

#include <linux/mutex.h>
#include <uapi/linux/kvmi.h>

struct kvmi;

/**
 * struct kvmi_vm - what introspection keeps in struct kvm
 * @lock: serializes hooking and unhooking; protects the rest
 * @kvmi: the connection with the tool, NULL if the VM is not hooked
 * @allow: what tools may do from the next hook on
 */
struct kvmi_vm {
	struct mutex lock;	/* serializes hooking and unhooking */
	struct kvmi *kvmi;
	struct kvm_introspection_allow allow;
};

/* The argument of any of our ioctls. */
union kvmi_ioctl_arg {
	struct kvm_introspection_hook hook;
	struct kvm_introspection_allow allow;
};

void kvmi_create_vm(struct kvm *kvm);
void kvmi_destroy_vm(struct kvm *kvm);
bool kvmi_enabled(void);
int kvmi_ioctl_read_arg(unsigned int ioctl, const void __user *argp,
			union kvmi_ioctl_arg *arg);
int kvmi_ioctl(struct kvm *kvm, unsigned int ioctl,
	       const union kvmi_ioctl_arg *arg);
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

static inline int kvmi_ioctl(struct kvm *kvm, unsigned int ioctl,
			     const union kvmi_ioctl_arg *arg)
{
	return -ENOTTY;
}

static inline void kvmi_create_vm(struct kvm *kvm)
{
}

static inline void kvmi_destroy_vm(struct kvm *kvm)
{
}

#endif /* CONFIG_KVM_INTROSPECTION */

#endif /* __KVMI_HOST_H */
