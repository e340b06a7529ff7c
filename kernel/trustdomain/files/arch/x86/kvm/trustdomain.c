// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs that are trust domains: what KVM as a whole knows of them.
 *
 * vmx/tdx.c drives their lives. This ties a trust domain to its VM, keeps the
 * VM's statistics and tells managers, through control.
 */
#include <linux/kvm_control.h>
#include <linux/kvm_host.h>
#include <linux/slab.h>
#include <uapi/linux/kvm_trustdomain.h>

#include <asm/tdx_td.h>

#include "trustdomain.h"

/* A trust domain's states are what managers see. */
static_assert((int)TDX_TD_NONE == KVM_TRUSTDOMAIN_NONE);
static_assert((int)TDX_TD_ASSIGNED == KVM_TRUSTDOMAIN_ASSIGNED);
static_assert((int)TDX_TD_CONFIGURED == KVM_TRUSTDOMAIN_CONFIGURED);
static_assert((int)TDX_TD_INITIALIZED == KVM_TRUSTDOMAIN_INITIALIZED);
static_assert((int)TDX_TD_BLOCKED == KVM_TRUSTDOMAIN_BLOCKED);
static_assert((int)TDX_TD_TEARDOWN == KVM_TRUSTDOMAIN_TEARDOWN);
static_assert((int)TDX_TD_RECLAIMED == KVM_TRUSTDOMAIN_RECLAIMED);
static_assert((int)TDX_TD_LEAKED == KVM_TRUSTDOMAIN_LEAKED);

/**
 * struct kvm_trustdomain - the trust domain of a VM
 * @td: the trust domain
 * @kvm: the VM
 */
struct kvm_trustdomain {
	struct tdx_td td;
	struct kvm *kvm;
};

static struct kvm *kvm_of(struct tdx_td *td)
{
	return container_of(td, struct kvm_trustdomain, td)->kvm;
}

static bool kvm_trustdomain_exists(enum tdx_td_state state)
{
	return state >= TDX_TD_ASSIGNED && state <= TDX_TD_TEARDOWN;
}

static void kvm_trustdomain_state(struct tdx_td *td, enum tdx_td_state from,
				  enum tdx_td_state to)
{
	struct kvm *kvm = kvm_of(td);

	kvm_control_event(kvm, KVM_TRUSTDOMAIN_EVENT_STATE, from, to);
	kvm_control_set_active(kvm, KVM_CONTROL_TRUSTDOMAIN, kvm_trustdomain_exists(to));
}

static void kvm_trustdomain_released(struct tdx_td *td, u32 hkid)
{
	kvm_control_event(kvm_of(td), KVM_TRUSTDOMAIN_EVENT_RELEASED, hkid, 0);
}

static void kvm_trustdomain_leaked(struct tdx_td *td, const struct tdx_leak_info *leak)
{
	const u64 data[] = { leak->hkid, leak->pages, leak->leaf, leak->status };

	kvm_control_event_data(kvm_of(td), KVM_TRUSTDOMAIN_EVENT_LEAKED, data,
			       ARRAY_SIZE(data));
}

static void kvm_trustdomain_update(struct tdx_td *td)
{
	struct kvm_vm_stat *stat = &kvm_of(td)->stat;
	struct tdx_td_info info;

	tdx_td_get_info(td, &info);
	stat->trustdomain_state = info.state;
	stat->trustdomain_control_pages = info.control_pages;
	stat->trustdomain_private_pages = info.private_pages;
	stat->trustdomain_reclaimed_pages = info.reclaimed_pages;
	stat->trustdomain_leaked_pages = info.leaked_pages;
}

static const struct tdx_td_ops kvm_trustdomain_td_ops = {
	.state		= kvm_trustdomain_state,
	.released	= kvm_trustdomain_released,
	.leaked		= kvm_trustdomain_leaked,
	.update		= kvm_trustdomain_update,
};

/**
 * kvm_trustdomain_create() - make a VM one that can be a trust domain
 * @kvm: the VM, not yet visible to anyone
 */
int kvm_trustdomain_create(struct kvm *kvm)
{
	struct kvm_trustdomain *trustdomain;

	trustdomain = kzalloc(sizeof(*trustdomain), GFP_KERNEL_ACCOUNT);
	if (!trustdomain)
		return -ENOMEM;

	trustdomain->kvm = kvm;
	tdx_td_setup(&trustdomain->td, &kvm_trustdomain_td_ops);
	kvm->arch.td = &trustdomain->td;
	return 0;
}
EXPORT_SYMBOL_GPL(kvm_trustdomain_create);

/**
 * kvm_trustdomain_destroy() - end a VM's trust domain
 * @kvm: the VM, with no vCPU left
 */
void kvm_trustdomain_destroy(struct kvm *kvm)
{
	tdx_td_destroy(kvm->arch.td);
	kfree(container_of(kvm->arch.td, struct kvm_trustdomain, td));
	kvm->arch.td = NULL;
}
EXPORT_SYMBOL_GPL(kvm_trustdomain_destroy);

#ifdef CONFIG_KVM_CONTROL
static void kvm_trustdomain_get_info(struct kvm *kvm, struct kvm_trustdomain_info *info)
{
	struct tdx_td_info td;

	tdx_td_get_info(kvm->arch.td, &td);
	info->state = td.state;
	info->hkid = td.hkid;
	info->vcpus = td.vcpus;
	info->control_pages = td.control_pages;
	info->private_pages = td.private_pages;
	info->reclaimed_pages = td.reclaimed_pages;
	info->leaked_pages = td.leaked_pages;
	info->status = td.status;
	info->status_leaf = td.status_leaf;
	info->created_ns = td.created_ns;
	info->key_released_ns = td.key_released_ns;
}

static const struct kvm_control_trustdomain_ops kvm_trustdomain_ops = {
	.get_info	= kvm_trustdomain_get_info,
};

static u64 kvm_trustdomain_supported(struct kvm *kvm)
{
	return KVM_CONTROL_TRUSTDOMAIN;
}

/* It is what the VM is, not a policy. */
static int kvm_trustdomain_set_policy(struct kvm *kvm, u64 mask, u64 value)
{
	return -EOPNOTSUPP;
}

static const struct kvm_control_ops kvm_trustdomain_control_ops = {
	.supported	= kvm_trustdomain_supported,
	.set_policy	= kvm_trustdomain_set_policy,
	.trustdomain	= &kvm_trustdomain_ops,
};

const struct kvm_control_ops *kvm_arch_control_ops(struct kvm *kvm)
{
	return kvm->arch.td ? &kvm_trustdomain_control_ops : &kvm_control_no_ops;
}

int kvm_arch_trustdomain_capacity(struct kvm_trustdomain_capacity *capacity)
{
	struct tdx_capacity host;
	int r;

	r = tdx_get_capacity(&host);
	if (r)
		return r;

	capacity->total = host.total;
	capacity->used = host.used;
	capacity->leaked = host.leaked;
	capacity->leaked_pages = host.leaked_pages;
	capacity->leaks = host.leaks;
	return 0;
}

int kvm_arch_trustdomain_leak(struct kvm_trustdomain_leak *leak)
{
	struct tdx_leak_info info;
	pid_t pid;
	int r;

	r = tdx_get_leak(leak->index, &info, &pid);
	if (r)
		return r;

	leak->hkid = info.hkid;
	leak->pid = pid;
	leak->leaf = info.leaf;
	leak->status = info.status;
	leak->pages = info.pages;
	leak->time_ns = info.time_ns;
	return 0;
}
#endif /* CONFIG_KVM_CONTROL */
