// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM control: a manager's door to a VM that another process created.
 *
 * KVM's VM file descriptors obey only the process that created the VM, and a
 * copy of one keeps the VM alive. Whoever manages a host can use neither. A
 * control fd belongs to a VM without owning it: it is opened by naming the
 * VM's process, sets what a manager decides for the VM, tells what is in
 * force, and reports what happens, until the VM is gone.
 *
 * Locking: kvm_lock (finding a VM) and policy_lock are taken with no other
 * lock of this file held. kvm_control.lock is innermost and may be taken
 * anywhere. No lock is held while a reference to a struct kvm is dropped,
 * since that may destroy the VM and so take any of them.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm_control.h>
#include <linux/kvm_host.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/poll.h>
#include <linux/ptrace.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "control.h"

static u64 kvm_control_nothing_supported(struct kvm *kvm)
{
	return 0;
}

static int kvm_control_nothing_to_set(struct kvm *kvm, u64 mask, u64 value)
{
	return -EOPNOTSUPP;
}

static const struct kvm_control_ops kvm_control_no_ops = {
	.supported	= kvm_control_nothing_supported,
	.set_policy	= kvm_control_nothing_to_set,
};

/**
 * kvm_arch_control_ops() - what an architecture can switch for a VM
 * @kvm: the VM, being created
 *
 * Return: the operations, valid for the life of the VM; never NULL.
 */
const struct kvm_control_ops * __weak kvm_arch_control_ops(struct kvm *kvm)
{
	return &kvm_control_no_ops;
}

static void kvm_control_put(struct kvm_control *control)
{
	if (refcount_dec_and_test(&control->users))
		kfree(control);
}

/**
 * kvm_control_create_vm() - prepare a new VM for control fds
 * @kvm: the VM, not yet visible to anyone
 */
int kvm_control_create_vm(struct kvm *kvm)
{
	struct kvm_control *control = kzalloc(sizeof(*control), GFP_KERNEL_ACCOUNT);

	if (!control)
		return -ENOMEM;

	refcount_set(&control->users, 1);
	mutex_init(&control->policy_lock);
	spin_lock_init(&control->lock);
	INIT_LIST_HEAD(&control->files);
	init_waitqueue_head(&control->wait);
	control->ops = kvm_arch_control_ops(kvm);
	control->kvm = kvm;
	kvm->control = control;
	return 0;
}

/**
 * kvm_control_destroy_vm() - let the control fds of a VM know that it is gone
 * @kvm: the VM, off vm_list and with nothing left that could have an event
 */
void kvm_control_destroy_vm(struct kvm *kvm)
{
	struct kvm_control *control = kvm->control;
	unsigned long flags;

	spin_lock_irqsave(&control->lock, flags);
	kvm_control_add_event(control, KVM_CONTROL_EVENT_DESTROYED, 0, 0);
	control->kvm = NULL;
	spin_unlock_irqrestore(&control->lock, flags);

	wake_up_poll(&control->wait, EPOLLHUP);
	kvm->control = NULL;
	kvm_control_put(control);
}

/**
 * kvm_control_first_run() - note that a vCPU is about to run for the first time
 * @vcpu: the vCPU, in its first KVM_RUN and not yet in the guest
 *
 * Counting before the entry errs on the safe side: a policy is reported to
 * have held from the first guest instruction only if it surely did.
 */
void kvm_control_first_run(struct kvm_vcpu *vcpu)
{
	struct kvm_control *control = vcpu->kvm->control;
	unsigned long flags;

	spin_lock_irqsave(&control->lock, flags);
	if (!control->vcpus_entered++) {
		control->first_entry_ns = ktime_get_boottime_ns();
		kvm_control_add_event(control, KVM_CONTROL_EVENT_FIRST_ENTRY,
				      vcpu->vcpu_id, 0);
	}
	spin_unlock_irqrestore(&control->lock, flags);
}

/* Return: which bits changed; their managers are still to be told. */
static u64 kvm_control_record(struct kvm_control *control, u64 mask, u64 value)
{
	u64 changed = (control->active ^ value) & mask;
	int i;

	lockdep_assert_held(&control->lock);

	control->active ^= changed;
	for (i = 0; i < KVM_CONTROL_NR_ITEMS; i++) {
		if (!(changed & BIT_ULL(i)))
			continue;
		control->item[i].since_ns = ktime_get_boottime_ns();
		control->item[i].vcpus_entered = control->vcpus_entered;
		control->item[i].flags = 0;
	}
	return changed;
}

static void kvm_control_change(struct kvm_control *control, u64 mask, u64 value)
{
	u64 changed = kvm_control_record(control, mask, value);

	if (changed)
		kvm_control_add_event(control, KVM_CONTROL_EVENT_POLICY, changed,
				      control->active);
}

static void kvm_control_break(struct kvm_control *control, int i, int error)
{
	lockdep_assert_held(&control->lock);

	if (control->item[i].flags & KVM_CONTROL_ITEM_BROKEN)
		return;
	control->item[i].flags |= KVM_CONTROL_ITEM_BROKEN;
	kvm_control_add_event(control, KVM_CONTROL_EVENT_BROKEN, BIT_ULL(i), error);
}

/* From here on it may be in force, and may break, although it is not active yet. */
static void kvm_control_change_begins(struct kvm_control *control, u64 value)
{
	unsigned long flags;

	spin_lock_irqsave(&control->lock, flags);
	control->switching_on = value & ~control->active;
	spin_unlock_irqrestore(&control->lock, flags);
}

static void kvm_control_change_ends(struct kvm_control *control, u64 mask, u64 value,
				    bool success)
{
	unsigned long flags;
	int i;

	spin_lock_irqsave(&control->lock, flags);
	if (success)
		kvm_control_change(control, mask, value);
	for (i = 0; i < KVM_CONTROL_NR_ITEMS; i++) {
		if (success && control->broken_early[i])
			kvm_control_break(control, i, control->broken_early[i]);
		control->broken_early[i] = 0;
	}
	control->switching_on = 0;
	spin_unlock_irqrestore(&control->lock, flags);
}

/**
 * kvm_control_born_active() - record that a mechanism is on from the beginning
 * @kvm: the VM, not yet visible to anyone
 * @bit: which mechanism, a KVM_CONTROL_* bit
 *
 * There is no event: nobody can have a control fd yet, and the first who has one
 * would find the VM's first event missing.
 */
void kvm_control_born_active(struct kvm *kvm, u64 bit)
{
	struct kvm_control *control = kvm->control;
	unsigned long flags;

	spin_lock_irqsave(&control->lock, flags);
	kvm_control_record(control, bit, bit);
	spin_unlock_irqrestore(&control->lock, flags);
}

/**
 * kvm_control_set_active() - record that a mechanism is now on or off for a VM
 * @kvm: the VM
 * @bit: which mechanism, a KVM_CONTROL_* bit
 * @on: whether it is on
 *
 * To be called when it is in force already (@on), or still is (!@on), so that
 * a vCPU that enters the guest meanwhile is counted as one without it.
 */
void kvm_control_set_active(struct kvm *kvm, u64 bit, bool on)
{
	struct kvm_control *control = kvm->control;
	unsigned long flags;

	spin_lock_irqsave(&control->lock, flags);
	kvm_control_change(control, bit, on ? bit : 0);
	spin_unlock_irqrestore(&control->lock, flags);
}

/**
 * kvm_control_set_broken() - record that a mechanism that is on works no more
 * @kvm: the VM
 * @bit: which mechanism, a KVM_CONTROL_* bit
 * @error: why, an errno
 *
 * Managers hear of the first time since it was switched on. What breaks while it is
 * being switched on, and so is in force already, they hear as soon as it is on.
 */
void kvm_control_set_broken(struct kvm *kvm, u64 bit, int error)
{
	struct kvm_control *control = kvm->control;
	unsigned long flags;

	spin_lock_irqsave(&control->lock, flags);
	if (control->active & bit)
		kvm_control_break(control, ilog2(bit), error);
	else if (control->switching_on & bit && !control->broken_early[ilog2(bit)])
		control->broken_early[ilog2(bit)] = error;
	spin_unlock_irqrestore(&control->lock, flags);
}

/**
 * kvm_control_event() - tell the managers of a VM something
 * @kvm: the VM
 * @type: enum kvm_control_event_type
 * @data0: first datum
 * @data1: second datum
 *
 * Context: any.
 */
void kvm_control_event(struct kvm *kvm, u32 type, u64 data0, u64 data1)
{
	struct kvm_control *control = kvm->control;
	unsigned long flags;

	spin_lock_irqsave(&control->lock, flags);
	kvm_control_add_event(control, type, data0, data1);
	spin_unlock_irqrestore(&control->lock, flags);
}

/*
 * The VM of a control object, for the length of one call; NULL if it is gone.
 *
 * The caller may turn out to hold the last reference and then destroys the VM
 * itself, so nothing that waits for a manager (such as access to its memory)
 * belongs between this and kvm_put_kvm().
 */
static struct kvm *kvm_control_get_kvm(struct kvm_control *control)
{
	struct kvm *kvm;
	unsigned long flags;

	spin_lock_irqsave(&control->lock, flags);
	kvm = control->kvm;
	if (kvm && !kvm_get_kvm_safe(kvm))
		kvm = NULL;
	spin_unlock_irqrestore(&control->lock, flags);
	return kvm;
}

static void kvm_control_get_info(struct kvm *kvm, struct kvm_control_info *info)
{
	struct kvm_control *control = kvm->control;
	unsigned long flags;

	memset(info, 0, sizeof(*info));
	info->supported = control->ops->supported(kvm);
	info->vcpus = atomic_read(&kvm->online_vcpus);

	spin_lock_irqsave(&control->lock, flags);
	info->active = control->active;
	info->vcpus_entered = control->vcpus_entered;
	info->first_entry_ns = control->first_entry_ns;
	info->events = control->events;
	memcpy(info->item, control->item, sizeof(info->item));
	spin_unlock_irqrestore(&control->lock, flags);
}

static long kvm_control_ioctl_get_info(struct kvm_control *control,
				       void __user *argp)
{
	struct kvm *kvm = kvm_control_get_kvm(control);
	struct kvm_control_info info;

	if (!kvm)
		return -ENODEV;
	kvm_control_get_info(kvm, &info);
	kvm_put_kvm(kvm);

	return copy_to_user(argp, &info, sizeof(info)) ? -EFAULT : 0;
}

static int kvm_control_set_policy(struct kvm *kvm,
				  const struct kvm_control_policy *policy)
{
	struct kvm_control *control = kvm->control;
	int r;

	if (policy->mask & ~control->ops->supported(kvm))
		return -EOPNOTSUPP;

	mutex_lock(&control->policy_lock);
	kvm_control_change_begins(control, policy->value);
	r = control->ops->set_policy(kvm, policy->mask, policy->value);
	kvm_control_change_ends(control, policy->mask, policy->value, !r);
	mutex_unlock(&control->policy_lock);
	return r;
}

static long kvm_control_ioctl_set_policy(struct kvm_control *control,
					 const void __user *argp)
{
	struct kvm_control_policy policy;
	struct kvm *kvm;
	int r;

	if (copy_from_user(&policy, argp, sizeof(policy)))
		return -EFAULT;
	if (!policy.mask || policy.mask & ~KVM_CONTROL_POLICY_MASK ||
	    policy.value & ~policy.mask ||
	    memchr_inv(policy.padding, 0, sizeof(policy.padding)))
		return -EINVAL;

	kvm = kvm_control_get_kvm(control);
	if (!kvm)
		return -ENODEV;
	r = kvm_control_set_policy(kvm, &policy);
	kvm_put_kvm(kvm);
	return r;
}

static long kvm_control_ioctl(struct file *file, unsigned int ioctl,
			      unsigned long arg)
{
	struct kvm_control_file *cf = file->private_data;
	void __user *argp = (void __user *)arg;

	switch (ioctl) {
	case KVM_CONTROL_GET_INFO:
		return kvm_control_ioctl_get_info(cf->control, argp);
	case KVM_CONTROL_SET_POLICY:
		return kvm_control_ioctl_set_policy(cf->control, argp);
	default:
		return -ENOTTY;
	}
}

/* Nobody may fill up a VM's control fds so that its manager gets none. */
static bool kvm_control_get_slot(struct kvm_control *control)
{
	bool privileged = ns_capable_noaudit(&init_user_ns, CAP_SYS_PTRACE);
	unsigned long flags;
	bool got;

	spin_lock_irqsave(&control->lock, flags);
	got = privileged || control->nr_files < KVM_CONTROL_MAX_FDS;
	if (got) {
		control->nr_files++;
		if (control->kvm)
			control->kvm->stat.generic.control_fds++;
	}
	spin_unlock_irqrestore(&control->lock, flags);
	return got;
}

static void kvm_control_put_slot(struct kvm_control *control)
{
	unsigned long flags;

	spin_lock_irqsave(&control->lock, flags);
	control->nr_files--;
	if (control->kvm)
		control->kvm->stat.generic.control_fds--;
	spin_unlock_irqrestore(&control->lock, flags);
}

static int kvm_control_release(struct inode *inode, struct file *file)
{
	struct kvm_control_file *cf = file->private_data;
	unsigned long flags;

	spin_lock_irqsave(&cf->control->lock, flags);
	list_del(&cf->node);
	spin_unlock_irqrestore(&cf->control->lock, flags);

	kvm_control_put_slot(cf->control);
	kvm_control_put(cf->control);
	kfree(cf);
	return 0;
}

static const struct file_operations kvm_control_fops = {
	.owner		= THIS_MODULE,
	.release	= kvm_control_release,
	.read		= kvm_control_read,
	.poll		= kvm_control_poll,
	.unlocked_ioctl	= kvm_control_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

/* Takes over the caller's reference to @control, unless it fails. */
static struct file *kvm_control_new_file(struct kvm_control *control)
{
	struct kvm_control_file *cf;
	struct file *file;
	unsigned long flags;

	if (!kvm_control_get_slot(control))
		return ERR_PTR(-EUSERS);

	cf = kzalloc(sizeof(*cf), GFP_KERNEL_ACCOUNT);
	if (!cf) {
		file = ERR_PTR(-ENOMEM);
		goto out_put_slot;
	}

	cf->control = control;
	file = anon_inode_getfile("kvm-control", &kvm_control_fops, cf, O_RDWR);
	if (IS_ERR(file))
		goto out_free;

	spin_lock_irqsave(&control->lock, flags);
	list_add_tail(&cf->node, &control->files);
	spin_unlock_irqrestore(&control->lock, flags);
	return file;

out_free:
	kfree(cf);
out_put_slot:
	kvm_control_put_slot(control);
	return file;
}

/*
 * The control object of the one VM that @mm created, with a reference.
 *
 * A VM on vm_list still has its control object. With more than one VM there is
 * no telling which is meant, and a policy on the wrong one is none at all.
 */
static struct kvm_control *kvm_control_find(struct mm_struct *mm)
{
	struct kvm_control *control = ERR_PTR(-ENOENT);
	struct kvm *kvm;

	mutex_lock(&kvm_lock);
	list_for_each_entry(kvm, &vm_list, vm_list) {
		if (kvm->mm != mm)
			continue;
		if (!IS_ERR(control)) {
			control = ERR_PTR(-ENOTUNIQ);
			break;
		}
		control = kvm->control;
	}
	if (!IS_ERR(control))
		refcount_inc(&control->users);
	mutex_unlock(&kvm_lock);
	return control;
}

static struct kvm_control *kvm_control_find_by_pidfd(int pidfd)
{
	struct kvm_control *control;
	struct task_struct *task;
	struct mm_struct *mm;
	unsigned int f_flags;

	task = pidfd_get_task(pidfd, &f_flags);
	if (IS_ERR(task))
		return ERR_CAST(task);

	/*
	 * The right to the process and its memory are read as one: after an
	 * exec the mm is another one, and no VM has that yet.
	 */
	mm = mm_access(task, PTRACE_MODE_ATTACH_REALCREDS);
	put_task_struct(task);
	if (!mm)
		return ERR_PTR(-ESRCH);
	if (IS_ERR(mm))
		return ERR_PTR(PTR_ERR(mm) == -EACCES ? -EPERM : PTR_ERR(mm));

	control = kvm_control_find(mm);
	mmput(mm);
	return control;
}

/**
 * kvm_control_dev_ioctl_open() - KVM_CONTROL_OPEN
 * @uopen: whose VM
 *
 * Return: a control fd, or a negative error code.
 */
long kvm_control_dev_ioctl_open(const struct kvm_control_open __user *uopen)
{
	struct kvm_control *control;
	struct kvm_control_open open;
	struct file *file;
	int fd;

	if (copy_from_user(&open, uopen, sizeof(open)))
		return -EFAULT;
	if (open.flags || memchr_inv(open.padding, 0, sizeof(open.padding)))
		return -EINVAL;

	control = kvm_control_find_by_pidfd(open.pidfd);
	if (IS_ERR(control))
		return PTR_ERR(control);

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		goto out_put;

	file = kvm_control_new_file(control);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		fd = PTR_ERR(file);
		goto out_put;
	}
	fd_install(fd, file);
	return fd;

out_put:
	kvm_control_put(control);
	return fd;
}

#ifdef CONFIG_KVM_CONTROL_KUNIT_TEST
#include "control_test.c"
#endif
