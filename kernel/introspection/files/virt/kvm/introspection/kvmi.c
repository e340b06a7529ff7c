// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: hooking a VM to a tool and unhooking it.
 *
 * Hook takes over a connected socket and starts a thread that answers the
 * tool. Unhook, which the destruction of the VM implies, ends the connection
 * and waits for the thread and for everyone else who uses it. In between the
 * connection can break, because the tool goes away or misbehaves. The VM stays
 * hooked then, and the broken connection is kept until someone unhooks: there
 * is one place that frees, and it is allowed to wait.
 *
 * Locking: kvmi_vm.lock is taken with nothing else of KVM held, and neither the
 * thread nor vCPUs ever take it. Unhook holds it while it waits for them. They
 * find the connection with kvmi_vm.kvmi_lock. kvmi_vcpu.lock is inside of
 * kvmi.send_lock, and both locks of vCPUs and pointer are spinlocks.
 */
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/kvm_control.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kvmi_int.h"

static bool introspection = true;
module_param(introspection, bool, 0644);
MODULE_PARM_DESC(introspection, "Allow VMs to be hooked by introspection tools");

/**
 * kvmi_enabled() - whether VMs may be hooked and unhooked at all
 */
bool kvmi_enabled(void)
{
	return READ_ONCE(introspection);
}

/**
 * kvmi_create_vm() - prepare a new VM for being hooked
 * @kvm: the VM, not yet visible to anyone
 */
void kvmi_create_vm(struct kvm *kvm)
{
	mutex_init(&kvm->introspection.lock);
	spin_lock_init(&kvm->introspection.kvmi_lock);
	kvm->introspection.allow.commands = ~0ULL;
	kvm->introspection.allow.events = ~0ULL;
}

/**
 * kvmi_put() - give back a reference of kvmi_get()
 * @kvmi: the connection
 */
void kvmi_put(struct kvmi *kvmi)
{
	if (refcount_dec_and_test(&kvmi->users))
		complete(&kvmi->unused);
}

/**
 * kvmi_get() - the VM's connection, if it has a working one
 * @kvm: the VM
 *
 * Return: the connection, or NULL. Who has it keeps unhook waiting.
 */
struct kvmi *kvmi_get(struct kvm *kvm)
{
	struct kvmi *kvmi;

	spin_lock(&kvm->introspection.kvmi_lock);
	kvmi = kvm->introspection.kvmi;
	if (kvmi && READ_ONCE(kvmi->broken))
		kvmi = NULL;
	if (kvmi)
		refcount_inc(&kvmi->users);
	spin_unlock(&kvm->introspection.kvmi_lock);
	return kvmi;
}

/**
 * kvmi_break() - give up a connection that is of no more use
 * @kvmi: the connection
 * @why: an errno
 *
 * Everyone who waits for the tool goes on.
 */
void kvmi_break(struct kvmi *kvmi, int why)
{
	/*
	 * What breaks because of unhook is nobody's news. The reason comes
	 * first: whoever else uses the socket sees only that it is shut down.
	 */
	bool news = !cmpxchg(&kvmi->broken, 0, why);

	kvmi_sock_shutdown(kvmi);
	wake_up_all(&kvmi->wait);
	if (news)
		kvm_control_set_broken(kvmi->kvm, KVM_CONTROL_INTROSPECTION, why);
}

/**
 * kvmi_count_error() - count a command that failed or a broken protocol
 * @kvm: the VM
 *
 * Unlike what else is counted, several threads may find errors at once.
 */
void kvmi_count_error(struct kvm *kvm)
{
	spin_lock(&kvm->introspection.kvmi_lock);
	kvm->stat.generic.introspection_errors++;
	spin_unlock(&kvm->introspection.kvmi_lock);
}

/* Takes over the socket, unless it fails. */
static struct kvmi *kvmi_alloc(struct kvm *kvm, struct socket *sock,
			       const struct kvm_introspection_hook *hook)
{
	struct kvmi *kvmi = kvzalloc(sizeof(*kvmi), GFP_KERNEL_ACCOUNT);

	if (!kvmi)
		return NULL;

	kvmi->kvm = kvm;
	kvmi->sock = sock;
	memcpy(kvmi->uuid, hook->uuid, sizeof(kvmi->uuid));
	refcount_set(&kvmi->users, 1);
	init_completion(&kvmi->unused);
	init_waitqueue_head(&kvmi->wait);
	mutex_init(&kvmi->send_lock);
	return kvmi;
}

static void kvmi_free(struct kvmi *kvmi)
{
	sockfd_put(kvmi->sock);
	kvfree(kvmi);
}

static int kvmi_recv(void *data)
{
	struct kvmi *kvmi = data;
	int r = 0;

	/*
	 * Unhook must be able to end any wait, such as that for a page of the
	 * guest which the VMM never delivers; only a fatal signal does. If it
	 * was sent before this line, @broken is set already.
	 */
	allow_kernel_signal(SIGKILL);

	while (!r && !READ_ONCE(kvmi->broken))
		r = kvmi_msg_handle(kvmi);

	if (r == -EPROTO)
		kvmi_count_error(kvmi->kvm);
	kvmi_break(kvmi, -r);
	return 0;
}

static int kvmi_start(struct kvmi *kvmi)
{
	struct task_struct *recv;

	/* Whatever there is too little of for a thread, callers know one word. */
	recv = kthread_create(kvmi_recv, kvmi, "kvmi-recv");
	if (IS_ERR(recv))
		return -ENOMEM;

	/* The thread may be long gone by the time it is stopped. */
	kvmi->recv = get_task_struct(recv);
	return 0;
}

static void kvmi_stop(struct kvmi *kvmi)
{
	WRITE_ONCE(kvmi->broken, ESHUTDOWN);
	send_sig(SIGKILL, kvmi->recv, 1);
	kvmi_sock_shutdown(kvmi);
	wake_up_all(&kvmi->wait);
	kthread_stop(kvmi->recv);
	put_task_struct(kvmi->recv);

	kvmi_put(kvmi);
	wait_for_completion(&kvmi->unused);
}

static void kvmi_set_hooked(struct kvm *kvm, struct kvmi *kvmi)
{
	lockdep_assert_held(&kvm->introspection.lock);

	spin_lock(&kvm->introspection.kvmi_lock);
	kvm->introspection.kvmi = kvmi;
	spin_unlock(&kvm->introspection.kvmi_lock);
	kvm->stat.generic.introspection_hooked = !!kvmi;
	kvm_control_set_active(kvm, KVM_CONTROL_INTROSPECTION, !!kvmi);
}

static int kvmi_hook_locked(struct kvm *kvm, struct kvmi *kvmi)
{
	int r;

	lockdep_assert_held(&kvm->introspection.lock);

	if (kvm->introspection.kvmi)
		return -EEXIST;

	kvmi->allow = kvm->introspection.allow;
	kvmi->session = ++kvm->introspection.sessions;
	r = kvmi_start(kvmi);
	if (r)
		return r;

	kvmi_arch_hook(kvm);
	kvmi_set_hooked(kvm, kvmi);
	wake_up_process(kvmi->recv);
	return 0;
}

static int kvmi_hook(struct kvm *kvm, const struct kvm_introspection_hook *hook)
{
	struct socket *sock;
	struct kvmi *kvmi;
	int r;

	if (hook->padding)
		return -EINVAL;
	sock = kvmi_sock_get(hook->fd);
	if (IS_ERR(sock))
		return PTR_ERR(sock);

	kvmi = kvmi_alloc(kvm, sock, hook);
	if (!kvmi) {
		sockfd_put(sock);
		return -ENOMEM;
	}

	mutex_lock(&kvm->introspection.lock);
	r = kvmi_hook_locked(kvm, kvmi);
	mutex_unlock(&kvm->introspection.lock);
	if (r)
		kvmi_free(kvmi);
	return r;
}

static void kvmi_unhook(struct kvm *kvm)
{
	struct kvmi *kvmi;

	mutex_lock(&kvm->introspection.lock);
	kvmi = kvm->introspection.kvmi;
	if (kvmi) {
		kvmi_set_hooked(kvm, NULL);
		kvmi_stop(kvmi);
		kvmi_arch_unhook(kvm);
		kvmi_vcpus_reset(kvm);
		kvmi_free(kvmi);
	}
	mutex_unlock(&kvm->introspection.lock);
}

static int kvmi_preunhook(struct kvm *kvm)
{
	struct kvmi *kvmi = kvmi_get(kvm);
	int r;

	if (!kvmi)
		return -ENOENT;
	r = kvmi_msg_send_unhook(kvmi);
	kvmi_put(kvmi);
	return r;
}

static int kvmi_set_allow(struct kvm *kvm,
			  const struct kvm_introspection_allow *allow)
{
	int r = -EBUSY;

	if (memchr_inv(allow->padding, 0, sizeof(allow->padding)))
		return -EINVAL;

	mutex_lock(&kvm->introspection.lock);
	if (!kvm->introspection.kvmi) {
		kvm->introspection.allow = *allow;
		r = 0;
	}
	mutex_unlock(&kvm->introspection.lock);
	return r;
}

static void kvmi_get_stats(struct kvm *kvm, struct kvm_introspection_stats *stats)
{
	const struct kvm_vm_stat_generic *stat = &kvm->stat.generic;

	BUILD_BUG_ON(sizeof(stats->reply_hist) !=
		     sizeof(stat->introspection_reply_hist));

	memset(stats, 0, sizeof(*stats));
	stats->commands = stat->introspection_commands;
	stats->errors = stat->introspection_errors;
	stats->events = stat->introspection_events;
	memcpy(stats->reply_hist, stat->introspection_reply_hist,
	       sizeof(stats->reply_hist));
}

/**
 * kvmi_destroy_vm() - unhook a VM that is being destroyed
 * @kvm: the VM, with its memory slots still there
 */
void kvmi_destroy_vm(struct kvm *kvm)
{
	kvmi_unhook(kvm);
	kvmi_arch_destroy(kvm);
	mutex_destroy(&kvm->introspection.lock);
}

/**
 * kvmi_ioctl_read_arg() - read the argument of one of our ioctls
 * @ioctl: the ioctl
 * @argp: where the argument is
 * @arg: where it goes
 *
 * Return: 0, -EFAULT, or -ENOTTY if the ioctl is not ours.
 */
int kvmi_ioctl_read_arg(unsigned int ioctl, const void __user *argp,
			union kvmi_ioctl_arg *arg)
{
	switch (ioctl) {
	case KVM_INTROSPECTION_HOOK:
	case KVM_INTROSPECTION_ALLOW:
		return copy_from_user(arg, argp, _IOC_SIZE(ioctl)) ? -EFAULT : 0;
	case KVM_INTROSPECTION_UNHOOK:
	case KVM_INTROSPECTION_PREUNHOOK:
	case KVM_INTROSPECTION_GET_STATS:
		return 0;
	default:
		return -ENOTTY;
	}
}

/**
 * kvmi_ioctl_write_arg() - write back what one of our ioctls returns
 * @ioctl: the ioctl, which has succeeded
 * @argp: where the argument goes
 * @arg: what kvmi_ioctl() has made of it
 *
 * Return: 0 or -EFAULT.
 */
int kvmi_ioctl_write_arg(unsigned int ioctl, void __user *argp,
			 const union kvmi_ioctl_arg *arg)
{
	if (!(_IOC_DIR(ioctl) & _IOC_READ))
		return 0;
	return copy_to_user(argp, arg, _IOC_SIZE(ioctl)) ? -EFAULT : 0;
}

/**
 * kvmi_ioctl() - carry out one of our ioctls
 * @kvm: the VM, with a reference
 * @ioctl: the ioctl
 * @arg: its argument, and what it returns
 */
int kvmi_ioctl(struct kvm *kvm, unsigned int ioctl, union kvmi_ioctl_arg *arg)
{
	if (!kvmi_enabled())
		return -EPERM;

	switch (ioctl) {
	case KVM_INTROSPECTION_HOOK:
		return kvmi_hook(kvm, &arg->hook);
	case KVM_INTROSPECTION_UNHOOK:
		kvmi_unhook(kvm);
		return 0;
	case KVM_INTROSPECTION_PREUNHOOK:
		return kvmi_preunhook(kvm);
	case KVM_INTROSPECTION_ALLOW:
		return kvmi_set_allow(kvm, &arg->allow);
	case KVM_INTROSPECTION_GET_STATS:
		kvmi_get_stats(kvm, &arg->stats);
		return 0;
	default:
		return -ENOTTY;
	}
}

/**
 * kvmi_vm_ioctl() - one of our ioctls on a VM fd
 * @kvm: the VM
 * @ioctl: the ioctl
 * @argp: its argument
 */
int kvmi_vm_ioctl(struct kvm *kvm, unsigned int ioctl, const void __user *argp)
{
	union kvmi_ioctl_arg arg;
	int r;

	r = kvmi_ioctl_read_arg(ioctl, argp, &arg);
	if (r)
		return r;
	return kvmi_ioctl(kvm, ioctl, &arg);
}
