// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM control: a manager's ioctls for trust domains.
 *
 * One VM's on its control fd, the host's on /dev/kvm. What they tell is up to the
 * architecture. User memory is never touched while the VM is held, since a
 * manager must not be able to delay its destruction.
 */
#include <linux/kvm_control.h>
#include <linux/kvm_host.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <uapi/linux/kvm_trustdomain.h>

#include "control.h"

/**
 * kvm_control_ioctl_trustdomain() - KVM_TRUSTDOMAIN_GET_INFO on a control fd
 * @control: what the control fd is open on
 * @argp: where to store what is known
 *
 * Return: 0, or a negative error code; -EOPNOTSUPP if the VM is none.
 */
long kvm_control_ioctl_trustdomain(struct kvm_control *control, void __user *argp)
{
	struct kvm_trustdomain_info info = {};
	struct kvm *kvm;

	if (!control->ops->trustdomain)
		return -EOPNOTSUPP;

	kvm = kvm_control_get_kvm(control);
	if (!kvm)
		return -ENODEV;
	control->ops->trustdomain->get_info(kvm, &info);
	kvm_put_kvm(kvm);

	return copy_to_user(argp, &info, sizeof(info)) ? -EFAULT : 0;
}

/**
 * kvm_arch_trustdomain_capacity() - how many trust domains the host can have
 * @capacity: all zero
 */
int __weak kvm_arch_trustdomain_capacity(struct kvm_trustdomain_capacity *capacity)
{
	return -EOPNOTSUPP;
}

/**
 * kvm_arch_trustdomain_leak() - what was lost until the host reboots
 * @leak: all zero but for the index
 */
int __weak kvm_arch_trustdomain_leak(struct kvm_trustdomain_leak *leak)
{
	return -EOPNOTSUPP;
}

static long kvm_trustdomain_get_capacity(void __user *argp)
{
	struct kvm_trustdomain_capacity capacity;
	int r;

	if (copy_from_user(&capacity, argp, sizeof(capacity)))
		return -EFAULT;
	if (capacity.flags || memchr_inv(capacity.padding, 0, sizeof(capacity.padding)))
		return -EINVAL;

	memset(&capacity, 0, sizeof(capacity));
	r = kvm_arch_trustdomain_capacity(&capacity);
	if (r)
		return r;
	return copy_to_user(argp, &capacity, sizeof(capacity)) ? -EFAULT : 0;
}

static long kvm_trustdomain_get_leak(void __user *argp)
{
	struct kvm_trustdomain_leak in, leak = {};
	int r;

	if (copy_from_user(&in, argp, sizeof(in)))
		return -EFAULT;
	if (in.padding0 || memchr_inv(in.padding, 0, sizeof(in.padding)))
		return -EINVAL;

	leak.index = in.index;
	r = kvm_arch_trustdomain_leak(&leak);
	if (r)
		return r;
	return copy_to_user(argp, &leak, sizeof(leak)) ? -EFAULT : 0;
}

/**
 * kvm_control_dev_ioctl_trustdomain() - KVM_TRUSTDOMAIN_* on /dev/kvm
 * @ioctl: which one
 * @argp: its argument
 *
 * Return: 0, or a negative error code; -EOPNOTSUPP if there are no trust domains
 * on this host.
 */
long kvm_control_dev_ioctl_trustdomain(unsigned int ioctl, void __user *argp)
{
	switch (ioctl) {
	case KVM_TRUSTDOMAIN_GET_CAPACITY:
		return kvm_trustdomain_get_capacity(argp);
	case KVM_TRUSTDOMAIN_GET_LEAK:
		return kvm_trustdomain_get_leak(argp);
	default:
		return -ENOTTY;
	}
}
