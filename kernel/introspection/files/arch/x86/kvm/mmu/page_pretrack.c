// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM: calls out before a guest reads, writes or executes certain pages.
 *
 * The pages are in an xarray, one entry for each that is watched. Who makes an
 * SPTE looks there with mmu_lock held. A page is put there first and its SPTEs
 * are zapped afterwards, under mmu_lock, so there is none left that allows what
 * is watched when kvm_page_pretrack_set() returns, and no vCPU's TLB has one.
 */
#include <linux/bitmap.h>
#include <linux/build_bug.h>
#include <linux/export.h>
#include <linux/lockdep.h>
#include <linux/rculist.h>
#include <linux/srcu.h>
#include <linux/xarray.h>

#include "mmu.h"
#include "page_pretrack.h"
#include "x86.h"

/**
 * kvm_page_pretrack_init() - prepare a new VM for having pages watched
 * @kvm: the VM, not yet visible to anyone
 */
void kvm_page_pretrack_init(struct kvm *kvm)
{
	struct kvm_page_pretrack *pretrack = &kvm->arch.page_pretrack;

	xa_init_flags(&pretrack->pages, XA_FLAGS_ACCOUNT);
	mutex_init(&pretrack->lock);
	INIT_HLIST_HEAD(&pretrack->nodes);
}

/**
 * kvm_page_pretrack_destroy() - forget the pages of a VM
 * @kvm: the VM, with no vCPU left, and nobody left to be called
 */
void kvm_page_pretrack_destroy(struct kvm *kvm)
{
	WARN_ON_ONCE(!hlist_empty(&kvm->arch.page_pretrack.nodes));
	xa_destroy(&kvm->arch.page_pretrack.pages);
	mutex_destroy(&kvm->arch.page_pretrack.lock);
}

/**
 * kvm_page_pretrack_register() - be called before accesses from now on
 * @kvm: the VM
 * @node: whom to call
 */
void kvm_page_pretrack_register(struct kvm *kvm,
				struct kvm_page_pretrack_node *node)
{
	mutex_lock(&kvm->arch.page_pretrack.lock);
	hlist_add_head_rcu(&node->node, &kvm->arch.page_pretrack.nodes);
	mutex_unlock(&kvm->arch.page_pretrack.lock);
}

/**
 * kvm_page_pretrack_unregister() - not to be called any more
 * @kvm: the VM
 * @node: whom not to call
 *
 * Context: waits for calls under way; kvm->srcu must not be held.
 */
void kvm_page_pretrack_unregister(struct kvm *kvm,
				  struct kvm_page_pretrack_node *node)
{
	mutex_lock(&kvm->arch.page_pretrack.lock);
	hlist_del_rcu(&node->node);
	mutex_unlock(&kvm->arch.page_pretrack.lock);
	synchronize_srcu(&kvm->srcu);
}

unsigned int __kvm_page_pretrack_modes(struct kvm *kvm, gfn_t gfn)
{
	void *entry = xa_load(&kvm->arch.page_pretrack.pages, gfn);

	return entry ? xa_to_value(entry) : 0;
}

bool __kvm_page_pretrack_within(struct kvm *kvm, gfn_t gfn, int level)
{
	gfn_t pages = KVM_PAGES_PER_HPAGE(level);
	unsigned long first = gfn & ~(pages - 1);
	unsigned int stretch = kvm_page_pretrack_stretch(first);

	BUILD_BUG_ON(KVM_PAGES_PER_HPAGE(PG_LEVEL_2M) / KVM_PAGE_PRETRACK_STRETCH != 8);
	if (level == PG_LEVEL_2M &&
	    !bitmap_get_value8(kvm->arch.page_pretrack.stretches, stretch))
		return false;
	return xa_find(&kvm->arch.page_pretrack.pages, &first,
		       first + pages - 1, XA_PRESENT);
}

static int kvm_page_pretrack_store(struct kvm *kvm, gfn_t gfn,
				   unsigned int modes)
{
	void *entry = modes ? xa_mk_value(modes) : NULL;

	/* Too many pages are an error of who watches them, and no end of the VM. */
	return xa_err(xa_store(&kvm->arch.page_pretrack.pages, gfn, entry,
			       GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL |
			       __GFP_NOWARN));
}

/* No page is watched any more: nobody has to look. */
static void kvm_page_pretrack_none(struct kvm_page_pretrack *pretrack)
{
	lockdep_assert_held(&pretrack->lock);

	WRITE_ONCE(pretrack->modes, 0);
	bitmap_zero(pretrack->stretches, KVM_PAGE_PRETRACK_STRETCHES);
}

/*
 * What is zapped comes back at the next fault, as it is allowed to: a large
 * page around a page that is watched now in small ones, and in one when none of
 * its pages is watched any more.
 */
static void kvm_page_pretrack_zap(struct kvm *kvm, gfn_t start, gfn_t end)
{
	gfn_t pages = KVM_PAGES_PER_HPAGE(PG_LEVEL_2M);

	if (!kvm_page_pretrack_within(kvm, start, PG_LEVEL_2M))
		start &= ~(pages - 1);
	if (!kvm_page_pretrack_within(kvm, end - 1, PG_LEVEL_2M))
		end = (end + pages - 1) & ~(pages - 1);
	kvm_zap_gfn_range(kvm, start, end);
}

/**
 * kvm_page_pretrack_set() - watch pages, or forget them
 * @kvm: the VM
 * @changes: the pages and what is to be watched of them
 * @count: how many there are, at least one
 *
 * When this returns, no vCPU can access the pages any more without a call.
 * Neighbours that are next to each other in @changes share the costs.
 *
 * Return: 0, -EINVAL for an unknown mode or an impossible page, or -ENOMEM;
 * what comes before the page that it is about has been done.
 *
 * Context: may sleep; takes mmu_lock.
 */
int kvm_page_pretrack_set(struct kvm *kvm,
			  const struct kvm_page_pretrack_change *changes,
			  unsigned int count)
{
	struct kvm_page_pretrack *pretrack = &kvm->arch.page_pretrack;
	gfn_t start = 0, end = 0;
	unsigned int i;
	int r = 0;

	mutex_lock(&pretrack->lock);
	for (i = 0; i < count; i++) {
		gfn_t gfn = changes[i].gfn;

		if (changes[i].modes & ~KVM_PAGE_TRACK_PRE ||
		    gfn > kvm_mmu_max_gfn()) {
			r = -EINVAL;
			break;
		}
		if (kvm_page_pretrack_modes(kvm, gfn) == changes[i].modes)
			continue;
		WRITE_ONCE(pretrack->modes, pretrack->modes | changes[i].modes);
		set_bit(kvm_page_pretrack_stretch(gfn), pretrack->stretches);
		r = kvm_page_pretrack_store(kvm, gfn, changes[i].modes);
		if (r)
			break;
		if (gfn != end) {
			if (end)
				kvm_page_pretrack_zap(kvm, start, end);
			start = gfn;
		}
		end = gfn + 1;
	}
	if (end)
		kvm_page_pretrack_zap(kvm, start, end);
	if (xa_empty(&pretrack->pages))
		kvm_page_pretrack_none(pretrack);
	mutex_unlock(&pretrack->lock);
	return r;
}

/**
 * kvm_page_pretrack_clear() - forget all pages
 * @kvm: the VM
 *
 * All that lies between them is zapped, too: that is sooner done, and sooner
 * undone, than a flush of TLBs for each.
 *
 * Context: may sleep; takes mmu_lock.
 */
void kvm_page_pretrack_clear(struct kvm *kvm)
{
	struct kvm_page_pretrack *pretrack = &kvm->arch.page_pretrack;
	gfn_t start = 0, end = 0;
	unsigned long gfn;
	void *entry;

	mutex_lock(&pretrack->lock);
	xa_for_each(&pretrack->pages, gfn, entry) {
		xa_erase(&pretrack->pages, gfn);
		if (!end)
			start = gfn;
		end = gfn + 1;
		cond_resched();
	}
	kvm_page_pretrack_none(pretrack);
	if (end)
		kvm_page_pretrack_zap(kvm, start, end);
	mutex_unlock(&pretrack->lock);
}

static struct hlist_head *kvm_pretrack_nodes(struct kvm *kvm)
{
	lockdep_assert(srcu_read_lock_held(&kvm->srcu));
	return &kvm->arch.page_pretrack.nodes;
}

#define kvm_for_each_pretrack_node(kvm, n)	\
	hlist_for_each_entry_srcu(n, kvm_pretrack_nodes(kvm), node, true)

/**
 * kvm_page_pretrack_create_slot() - tell of a memory slot that is going to be
 * @kvm: the VM
 * @slot: the slot, which the guest does not see yet
 * @npages: its size
 */
void kvm_page_pretrack_create_slot(struct kvm *kvm,
				   struct kvm_memory_slot *slot,
				   unsigned long npages)
{
	struct kvm_page_pretrack_node *n;
	int idx;

	lockdep_assert_held(&kvm->slots_lock);

	idx = srcu_read_lock(&kvm->srcu);
	kvm_for_each_pretrack_node(kvm, n) {
		if (n->create_slot)
			n->create_slot(kvm, slot, npages, n);
	}
	srcu_read_unlock(&kvm->srcu, idx);
}

static bool kvm_page_is_pretracked(struct kvm_vcpu *vcpu, gpa_t gpa,
				   unsigned int mode)
{
	if (!(__kvm_page_pretrack_modes(vcpu->kvm, gpa_to_gfn(gpa)) & mode))
		return false;
	vcpu->arch.page_pretracked = true;
	vcpu->arch.page_given_up = false;
	return true;
}

bool __kvm_page_preread(struct kvm_vcpu *vcpu, gpa_t gpa, gva_t gva, u8 *new,
			int bytes, bool *data_ready)
{
	struct kvm_page_pretrack_node *n;
	bool go_on = true;

	if (!kvm_page_is_pretracked(vcpu, gpa, KVM_PAGE_TRACK_PREREAD))
		return true;
	kvm_for_each_pretrack_node(vcpu->kvm, n)
		go_on &= n->preread(vcpu, gpa, gva, new, bytes, n, data_ready);
	return go_on;
}
EXPORT_SYMBOL_GPL(__kvm_page_preread);

bool __kvm_page_prewrite(struct kvm_vcpu *vcpu, gpa_t gpa, gva_t gva,
			 const u8 *new, int bytes)
{
	struct kvm_page_pretrack_node *n;
	bool go_on = true;

	if (!kvm_page_is_pretracked(vcpu, gpa, KVM_PAGE_TRACK_PREWRITE))
		return true;
	kvm_for_each_pretrack_node(vcpu->kvm, n)
		go_on &= n->prewrite(vcpu, gpa, gva, new, bytes, n);
	return go_on;
}
EXPORT_SYMBOL_GPL(__kvm_page_prewrite);

/**
 * kvm_page_fetch_gpa() - where the guest fetches an instruction from
 * @vcpu: the vCPU
 * @gva: linear address of the instruction
 *
 * Code need not be readable (PKU), nor to the kernel if it is the user's (SMAP).
 *
 * Return: its physical address, or INVALID_GPA if fetching it is a fault.
 */
gpa_t kvm_page_fetch_gpa(struct kvm_vcpu *vcpu, gva_t gva)
{
	struct kvm_mmu *mmu = vcpu->arch.walk_mmu;
	u64 access = PFERR_FETCH_MASK;

	if (kvm_x86_call(get_cpl)(vcpu) == 3)
		access |= PFERR_USER_MASK;
	return mmu->gva_to_gpa(vcpu, mmu, gva, access, NULL);
}

/*
 * An instruction may go on in the next page. That is for who decodes it to
 * find, who has no way to stop; it is no way around, since whoever is interested
 * in code that begins in a watched page watches that page.
 */
bool __kvm_page_preexec(struct kvm_vcpu *vcpu)
{
	unsigned long rip = kvm_get_linear_rip(vcpu);
	gpa_t gpa = kvm_page_fetch_gpa(vcpu, rip);
	struct kvm_page_pretrack_node *n;
	bool go_on = true;

	/* The decoder is going to raise the fault. */
	if (gpa == INVALID_GPA ||
	    !kvm_page_is_pretracked(vcpu, gpa, KVM_PAGE_TRACK_PREEXEC))
		return true;
	kvm_for_each_pretrack_node(vcpu->kvm, n)
		go_on &= n->preexec(vcpu, gpa, rip, n);
	if (!go_on)
		kvm_page_given_up(vcpu);
	return go_on;
}

void __kvm_page_executed(struct kvm_vcpu *vcpu, bool more)
{
	struct kvm_page_pretrack_node *n;

	/* What was said for all iterations ends with the instruction, wherever that is. */
	vcpu->arch.page_pretracked = more;
	kvm_for_each_pretrack_node(vcpu->kvm, n)
		n->executed(vcpu, more, n);
}
EXPORT_SYMBOL_GPL(__kvm_page_executed);
