// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: the guest's memory, as the tool's commands see it.
 *
 * Guest memory is the VMM's, and reached through its page tables. A VMM that is
 * exiting has none any more; the VM follows it soon.
 */
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>
#include <uapi/linux/kvm_para.h>

#include "kvmi_int.h"

/* Borrow the VMM's address space; false if it has none. */
static bool kvmi_mem_enter(struct kvm *kvm)
{
	if (!mmget_not_zero(kvm->mm))
		return false;
	kthread_use_mm(kvm->mm);
	return true;
}

static void kvmi_mem_leave(struct kvm *kvm)
{
	kthread_unuse_mm(kvm->mm);
	/* If it was the last one, the memory is not for us to tear down. */
	mmput_async(kvm->mm);
}

/**
 * kvmi_mem_read() - read guest memory
 * @kvm: the VM
 * @gpa: where
 * @data: where it goes
 * @size: how much, within one page
 *
 * Return: 0, or -KVM_ENOENT if the guest has no such page.
 *
 * Context: the receiving thread.
 */
int kvmi_mem_read(struct kvm *kvm, u64 gpa, void *data, size_t size)
{
	int idx, r;

	if (!kvmi_mem_enter(kvm))
		return -KVM_ENOENT;
	idx = srcu_read_lock(&kvm->srcu);
	r = kvm_read_guest_page(kvm, gpa_to_gfn(gpa), data, offset_in_page(gpa), size);
	srcu_read_unlock(&kvm->srcu, idx);
	kvmi_mem_leave(kvm);
	return r ? -KVM_ENOENT : 0;
}

/*
 * Not kvm_write_guest_page(): it is for vCPUs, whose dirty rings tell of what
 * was written, and warns about others. We have only the bitmap to tell.
 */
static int kvmi_mem_write_slot(struct kvm *kvm, u64 gpa, const void *data,
			       size_t size)
{
	gfn_t gfn = gpa_to_gfn(gpa);
	struct kvm_memory_slot *slot = gfn_to_memslot(kvm, gfn);
	unsigned long hva = gfn_to_hva_memslot(slot, gfn);
	bool tracked;

	if (kvm_is_error_hva(hva) || slot->id >= KVM_USER_MEM_SLOTS)
		return -KVM_ENOENT;
	tracked = kvm_slot_dirty_track_enabled(slot);
	if (tracked && !slot->dirty_bitmap)
		return -KVM_EOPNOTSUPP;
	if (copy_to_user((void __user *)hva + offset_in_page(gpa), data, size))
		return -KVM_ENOENT;
	if (tracked)
		set_bit_le(gfn - slot->base_gfn, slot->dirty_bitmap);
	return 0;
}

/**
 * kvmi_mem_write() - write guest memory, and mark the page as dirty
 * @kvm: the VM
 * @gpa: where
 * @data: what
 * @size: how much, within one page
 *
 * Return: 0, -KVM_ENOENT if the guest has no such page or cannot write it, or
 * -KVM_EOPNOTSUPP while the page's changes are tracked by the vCPUs' rings.
 *
 * Context: the receiving thread.
 */
int kvmi_mem_write(struct kvm *kvm, u64 gpa, const void *data, size_t size)
{
	int idx, r;

	if (!kvmi_mem_enter(kvm))
		return -KVM_ENOENT;
	idx = srcu_read_lock(&kvm->srcu);
	r = kvmi_mem_write_slot(kvm, gpa, data, size);
	srcu_read_unlock(&kvm->srcu, idx);
	kvmi_mem_leave(kvm);
	return r;
}

/**
 * kvmi_mem_end() - the first page number behind all of the guest's memory
 * @kvm: the VM
 *
 * Return: 0 if it has none.
 */
u64 kvmi_mem_end(struct kvm *kvm)
{
	struct kvm_memory_slot *slot;
	struct kvm_memslots *slots;
	int idx, bkt;
	u64 end = 0;

	idx = srcu_read_lock(&kvm->srcu);
	/* Once: another call may return the other set, and the loop would mix them up. */
	slots = kvm_memslots(kvm);
	/* The slots that KVM has for its own use are no memory of the guest's. */
	kvm_for_each_memslot(slot, bkt, slots)
		if (slot->id < KVM_USER_MEM_SLOTS)
			end = max(end, slot->base_gfn + slot->npages);
	srcu_read_unlock(&kvm->srcu, idx);
	return end;
}

/**
 * kvmi_mem_next() - the first page number there that KVM does not use itself
 * @kvm: the VM
 */
u64 kvmi_mem_next(struct kvm *kvm)
{
	u64 gfn = kvmi_mem_end(kvm);
	struct kvm_memory_slot *slot;
	int idx;

	idx = srcu_read_lock(&kvm->srcu);
	while ((slot = gfn_to_memslot(kvm, gfn)))
		gfn = slot->base_gfn + slot->npages;
	srcu_read_unlock(&kvm->srcu, idx);
	return gfn;
}
