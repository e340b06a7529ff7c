/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_KVM_PAGE_PRETRACK_H
#define _ASM_X86_KVM_PAGE_PRETRACK_H

#ifdef CONFIG_KVM_PAGE_PRETRACK

#include <linux/kvm_types.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct kvm;
struct kvm_memory_slot;
struct kvm_vcpu;

/**
 * struct kvm_page_pretrack_node - someone who is called before accesses
 * @node: in the VM's list
 * @preread: before @bytes bytes at @gpa are read; if @new is not NULL, may put
 *	them there and set @data_ready, and then the guest gets these
 * @prewrite: before the @bytes bytes at @new are written to @gpa; @new is NULL
 *	if they are not known yet
 * @preexec: before the instruction at @gpa is executed
 * @executed: an instruction has been emulated, or has raised a fault, after all
 *	that were called for it returned true; more: it was one iteration of a
 *	string instruction that has not come to its end
 * @create_slot: before the guest can see a new memory slot, with
 *	kvm->slots_lock held; may be NULL
 *
 * The first three return false if the access must not happen now. The guest
 * then executes its instruction again. All nodes are called in any case. @gva
 * is the linear address, INVALID_GPA if there is none.
 *
 * Context: the vCPU's thread in the middle of KVM_RUN, with kvm->srcu held.
 */
struct kvm_page_pretrack_node {
	struct hlist_node node;
	bool (*preread)(struct kvm_vcpu *vcpu, gpa_t gpa, gva_t gva, u8 *new,
			int bytes, struct kvm_page_pretrack_node *node,
			bool *data_ready);
	bool (*prewrite)(struct kvm_vcpu *vcpu, gpa_t gpa, gva_t gva,
			 const u8 *new, int bytes,
			 struct kvm_page_pretrack_node *node);
	bool (*preexec)(struct kvm_vcpu *vcpu, gpa_t gpa, gva_t gva,
			struct kvm_page_pretrack_node *node);
	void (*executed)(struct kvm_vcpu *vcpu, bool more,
			 struct kvm_page_pretrack_node *node);
	void (*create_slot)(struct kvm *kvm, struct kvm_memory_slot *slot,
			    unsigned long npages,
			    struct kvm_page_pretrack_node *node);
};

/**
 * struct kvm_page_pretrack_change - what is to be watched of a page
 * @gfn: the page; there need not be memory
 * @modes: mask of KVM_PAGE_TRACK_PRE*, 0 to forget it
 */
struct kvm_page_pretrack_change {
	gfn_t gfn;
	unsigned int modes;
};

/*
 * So many stretches of guest memory, and of so many pages, are told apart by who
 * looks in a hurry: 4 GiB, after which they begin anew.
 */
#define KVM_PAGE_PRETRACK_STRETCHES	16384
#define KVM_PAGE_PRETRACK_STRETCH	64

/**
 * struct kvm_page_pretrack - pages of a VM that are watched
 * @pages: what is watched of a page, by its gfn
 * @modes: all that is or has been watched of them, 0 if there are none
 * @stretches: where that is or was, see kvm_page_pretrack_stretch()
 * @lock: serializes changes of the rest
 * @nodes: whom to call before accesses; read with kvm->srcu held
 */
struct kvm_page_pretrack {
	struct xarray pages;
	unsigned int modes;
	DECLARE_BITMAP(stretches, KVM_PAGE_PRETRACK_STRETCHES);
	struct mutex lock;	/* serializes changes */
	struct hlist_head nodes;
};

#endif /* CONFIG_KVM_PAGE_PRETRACK */

#endif /* _ASM_X86_KVM_PAGE_PRETRACK_H */
