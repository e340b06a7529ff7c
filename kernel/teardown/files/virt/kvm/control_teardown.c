// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM control: a manager's ioctls for the teardown of protected guests.
 *
 * What they do is up to the architecture. User memory is never touched while
 * the VM is held, since a manager must not be able to delay its destruction.
 */
#include <linux/kvm_control.h>
#include <linux/kvm_host.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <uapi/linux/kvm_teardown.h>

#include "control.h"

static long kvm_control_teardown_info(struct kvm_control *control,
				      void __user *argp)
{
	struct kvm *kvm = kvm_control_get_kvm(control);
	struct kvm_teardown_info info = {};

	if (!kvm)
		return -ENODEV;
	control->ops->teardown->get_info(kvm, &info);
	kvm_put_kvm(kvm);

	return copy_to_user(argp, &info, sizeof(info)) ? -EFAULT : 0;
}

static long kvm_control_teardown_perform(struct kvm_control *control,
					 void __user *argp)
{
	struct kvm_teardown_perform perform;
	struct kvm *kvm;
	int r;

	if (copy_from_user(&perform, argp, sizeof(perform)))
		return -EFAULT;
	if (perform.flags || memchr_inv(perform.padding, 0, sizeof(perform.padding)))
		return -EINVAL;
	perform.rc = 0;
	perform.rrc = 0;

	kvm = kvm_control_get_kvm(control);
	if (!kvm)
		return -ENODEV;
	r = control->ops->teardown->perform(kvm, &perform);
	kvm_put_kvm(kvm);

	/* The codes are of interest most when it failed. */
	return copy_to_user(argp, &perform, sizeof(perform)) ? -EFAULT : r;
}

static long kvm_control_teardown_interrupt(struct kvm_control *control)
{
	struct kvm *kvm = kvm_control_get_kvm(control);
	int r;

	if (!kvm)
		return -ENODEV;
	r = control->ops->teardown->interrupt(kvm);
	kvm_put_kvm(kvm);
	return r;
}

/**
 * kvm_control_ioctl_teardown() - KVM_TEARDOWN_* on a control fd
 * @control: what the control fd is open on
 * @ioctl: which one
 * @argp: its argument
 *
 * Return: 0, or a negative error code; -EOPNOTSUPP if the architecture has no
 * teardown of protected guests.
 */
long kvm_control_ioctl_teardown(struct kvm_control *control,
				unsigned int ioctl, void __user *argp)
{
	if (!control->ops->teardown)
		return -EOPNOTSUPP;

	switch (ioctl) {
	case KVM_TEARDOWN_GET_INFO:
		return kvm_control_teardown_info(control, argp);
	case KVM_TEARDOWN_PERFORM:
		return kvm_control_teardown_perform(control, argp);
	case KVM_TEARDOWN_INTERRUPT:
		return kvm_control_teardown_interrupt(control);
	default:
		return -ENOTTY;
	}
}
