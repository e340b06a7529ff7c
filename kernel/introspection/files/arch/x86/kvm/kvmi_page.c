// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: the pages that a tool watches.
 */
#include <linux/kvm_host.h>
#include <uapi/linux/kvm_para.h>

#include "../../../virt/kvm/introspection/kvmi_int.h"
#include "mmu.h"
#include "mmu/page_pretrack.h"
#include "x86.h"

#define KVMI_PAGE_ACCESS_ALL	(KVMI_PAGE_ACCESS_R | KVMI_PAGE_ACCESS_W | \
				 KVMI_PAGE_ACCESS_X)

static bool kvmi_may_access(struct kvm_vcpu *vcpu, gpa_t gpa, gva_t gva, u8 what)
{
	struct kvmi_vcpu_event event = {
		.id = KVMI_EVENT_PF,
		.size = sizeof(event.data.pf),
		.rip = kvm_get_linear_rip(vcpu),
		.data.pf.gva = gva,
		.data.pf.gpa = gpa,
		.data.pf.access = what,
	};

	return kvmi_vcpu_may_access(vcpu, &event);
}

static bool kvmi_preread(struct kvm_vcpu *vcpu, gpa_t gpa, gva_t gva, u8 *new,
			 int bytes, struct kvm_page_pretrack_node *node,
			 bool *data_ready)
{
	if (!kvmi_may_access(vcpu, gpa, gva, KVMI_PAGE_ACCESS_R))
		return false;
	*data_ready = new && kvmi_vcpu_custom_read(vcpu, gva, new, bytes);
	return true;
}

static bool kvmi_prewrite(struct kvm_vcpu *vcpu, gpa_t gpa, gva_t gva,
			  const u8 *new, int bytes,
			  struct kvm_page_pretrack_node *node)
{
	return kvmi_may_access(vcpu, gpa, gva, KVMI_PAGE_ACCESS_W);
}

static bool kvmi_preexec(struct kvm_vcpu *vcpu, gpa_t gpa, gva_t gva,
			 struct kvm_page_pretrack_node *node)
{
	return kvmi_may_access(vcpu, gpa, gva, KVMI_PAGE_ACCESS_X);
}

static void kvmi_executed(struct kvm_vcpu *vcpu, bool more,
			  struct kvm_page_pretrack_node *node)
{
	kvmi_vcpu_executed(vcpu, more);
}

/**
 * kvmi_arch_hook() - prepare for a tool that watches pages
 * @kvm: the VM
 */
void kvmi_arch_hook(struct kvm *kvm)
{
	struct kvm_page_pretrack_node *node = &kvm->arch.kvmi_node;

	lockdep_assert_held(&kvm->introspection.lock);

	/* It stays, and says yes to everything while no tool is there. */
	if (!hlist_unhashed(&node->node))
		return;
	node->preread = kvmi_preread;
	node->prewrite = kvmi_prewrite;
	node->preexec = kvmi_preexec;
	node->executed = kvmi_executed;
	kvm_page_pretrack_register(kvm, node);
}

/**
 * kvmi_arch_unhook() - forget the pages that a tool watched
 * @kvm: the VM, whose vCPUs do not wait for the tool any more
 */
void kvmi_arch_unhook(struct kvm *kvm)
{
	lockdep_assert_held(&kvm->introspection.lock);

	kvm_page_pretrack_clear(kvm);
}

/**
 * kvmi_arch_destroy() - undo what kvmi_arch_hook() did for good
 * @kvm: the VM, which nothing will hook any more
 */
void kvmi_arch_destroy(struct kvm *kvm)
{
	if (!hlist_unhashed(&kvm->arch.kvmi_node.node))
		kvm_page_pretrack_unregister(kvm, &kvm->arch.kvmi_node);
}

/* Whether this host could give a guest a page with that number. */
bool kvmi_arch_gfn_possible(u64 gfn)
{
	return gfn <= kvm_mmu_max_gfn();
}

/**
 * kvmi_arch_get_page_access() - what the guest may do to a page without an event
 * @kvm: the VM
 * @gpa: an address in the page
 *
 * Return: mask of KVMI_PAGE_ACCESS_*
 */
u8 kvmi_arch_get_page_access(struct kvm *kvm, u64 gpa)
{
	unsigned int modes = kvm_page_pretrack_modes(kvm, gpa_to_gfn(gpa));
	u8 access = 0;

	if (!(modes & KVM_PAGE_TRACK_PREREAD))
		access |= KVMI_PAGE_ACCESS_R;
	if (!(modes & KVM_PAGE_TRACK_PREWRITE))
		access |= KVMI_PAGE_ACCESS_W;
	if (!(modes & KVM_PAGE_TRACK_PREEXEC))
		access |= KVMI_PAGE_ACCESS_X;
	return access;
}

static int kvmi_change_of(const struct kvmi_page_access_entry *entry,
			  struct kvm_page_pretrack_change *change)
{
	if (entry->padding1 || entry->padding2 || entry->padding3 ||
	    entry->access & ~KVMI_PAGE_ACCESS_ALL)
		return -KVM_EINVAL;

	change->gfn = gpa_to_gfn(entry->gpa);
	change->modes = 0;
	if (!(entry->access & KVMI_PAGE_ACCESS_R))
		change->modes |= KVM_PAGE_TRACK_PREREAD;
	if (!(entry->access & KVMI_PAGE_ACCESS_W))
		change->modes |= KVM_PAGE_TRACK_PREWRITE;
	if (!(entry->access & KVMI_PAGE_ACCESS_X))
		change->modes |= KVM_PAGE_TRACK_PREEXEC;
	return 0;
}

static int kvmi_change_pages(struct kvm *kvm,
			     const struct kvm_page_pretrack_change *changes,
			     int count)
{
	int r = count ? kvm_page_pretrack_set(kvm, changes, count) : 0;

	if (r)
		return r == -ENOMEM ? -KVM_ENOMEM : -KVM_EINVAL;
	return 0;
}

/**
 * kvmi_arch_set_page_access() - say what the guest may do to pages
 * @kvm: the VM
 * @entries: the pages; before anything else than @access there is an event
 * @count: how many there are
 *
 * What comes before an entry that cannot be set is set.
 *
 * Return: 0 or a negative KVM_E*
 */
int kvmi_arch_set_page_access(struct kvm *kvm,
			      const struct kvmi_page_access_entry *entries,
			      int count)
{
	struct kvm_page_pretrack_change changes[32];
	int i, n = 0, r = 0, r2 = 0;

	/* The emulator could not do what it would have to. */
	if (kvm->arch.has_protected_state || kvm_arch_has_private_mem(kvm))
		return -KVM_EOPNOTSUPP;

	for (i = 0; i < count && !r && !r2; i++) {
		r2 = kvmi_change_of(&entries[i], &changes[n]);
		if (!r2)
			n++;
		if (r2 || n == ARRAY_SIZE(changes) || i == count - 1) {
			r = kvmi_change_pages(kvm, changes, n);
			n = 0;
		}
	}
	return r ? r : r2;
}
