// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM control: a manager's ioctl for the isolation of a VM.
 */
#include <linux/kvm_control.h>
#include <linux/kvm_host.h>
#include <linux/uaccess.h>
#include <uapi/linux/kvm_isolation.h>

#include "control.h"

/**
 * kvm_control_ioctl_isolation() - KVM_ISOLATION_GET_STATS on a control fd
 * @control: what the control fd is open on
 * @argp: where to store them
 *
 * Return: 0, or a negative error code; -EOPNOTSUPP if the VM cannot be isolated.
 */
long kvm_control_ioctl_isolation(struct kvm_control *control, void __user *argp)
{
	struct kvm_isolation_stats stats = {};
	struct kvm *kvm;
	int r = -EOPNOTSUPP;

	kvm = kvm_control_get_kvm(control);
	if (!kvm)
		return -ENODEV;
	if (control->ops->get_isolation_stats)
		r = control->ops->get_isolation_stats(kvm, &stats);
	kvm_put_kvm(kvm);
	if (r)
		return r;

	return copy_to_user(argp, &stats, sizeof(stats)) ? -EFAULT : 0;
}
