/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM: calls out before a guest reads, writes or executes certain pages.
 *
 * A page is known by its guest frame number and by nothing else, so it stays
 * watched when its memory slot is deleted, moved or created anew, and whatever
 * the guest does to the mode it runs in.
 *
 * Enforced where leaf SPTEs are made (make_spte()): what is watched has no
 * SPTE that would allow it, and no large one. What then faults is emulated, and
 * the emulator calls out before each access.
 */
#ifndef __KVM_X86_PAGE_PRETRACK_H
#define __KVM_X86_PAGE_PRETRACK_H

#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/kvm_types.h>
#include <linux/types.h>

struct kvm;
struct kvm_memory_slot;
struct kvm_vcpu;

/* Accesses to a page. */
#define KVM_PAGE_TRACK_PREREAD	BIT(0)
#define KVM_PAGE_TRACK_PREWRITE	BIT(1)
#define KVM_PAGE_TRACK_PREEXEC	BIT(2)
#define KVM_PAGE_TRACK_PRE	(KVM_PAGE_TRACK_PREREAD | \
				 KVM_PAGE_TRACK_PREWRITE | \
				 KVM_PAGE_TRACK_PREEXEC)

#ifdef CONFIG_KVM_PAGE_PRETRACK

#include <linux/kvm_host.h>

void kvm_page_pretrack_init(struct kvm *kvm);
void kvm_page_pretrack_destroy(struct kvm *kvm);
void kvm_page_pretrack_register(struct kvm *kvm,
				struct kvm_page_pretrack_node *node);
void kvm_page_pretrack_unregister(struct kvm *kvm,
				  struct kvm_page_pretrack_node *node);
int kvm_page_pretrack_set(struct kvm *kvm,
			  const struct kvm_page_pretrack_change *changes,
			  unsigned int count);
void kvm_page_pretrack_clear(struct kvm *kvm);
void kvm_page_pretrack_create_slot(struct kvm *kvm,
				   struct kvm_memory_slot *slot,
				   unsigned long npages);

unsigned int __kvm_page_pretrack_modes(struct kvm *kvm, gfn_t gfn);
bool __kvm_page_pretrack_within(struct kvm *kvm, gfn_t gfn, int level);
bool __kvm_page_preread(struct kvm_vcpu *vcpu, gpa_t gpa, gva_t gva, u8 *new,
			int bytes, bool *data_ready);
bool __kvm_page_prewrite(struct kvm_vcpu *vcpu, gpa_t gpa, gva_t gva,
			 const u8 *new, int bytes);
bool __kvm_page_preexec(struct kvm_vcpu *vcpu);
void __kvm_page_executed(struct kvm_vcpu *vcpu, bool more);
gpa_t kvm_page_fetch_gpa(struct kvm_vcpu *vcpu, gva_t gva);

/* Whether any page is watched for this: all that it costs who watches none. */
static inline bool kvm_page_pretrack_any(struct kvm *kvm, unsigned int modes)
{
	return READ_ONCE(kvm->arch.page_pretrack.modes) & modes;
}

static inline unsigned int kvm_page_pretrack_stretch(gfn_t gfn)
{
	return gfn / KVM_PAGE_PRETRACK_STRETCH % KVM_PAGE_PRETRACK_STRETCHES;
}

/* Whether such a page may be at @gfn: all that it costs who is far from those watched. */
static inline bool kvm_page_pretrack_near(struct kvm *kvm, gfn_t gfn,
					  unsigned int modes)
{
	return kvm_page_pretrack_any(kvm, modes) &&
	       test_bit(kvm_page_pretrack_stretch(gfn),
			kvm->arch.page_pretrack.stretches);
}

/*
 * The emulation of an instruction has come to no end. Accesses that are asked for
 * elsewhere, for what KVM does for a guest without its emulator, have no such end.
 */
static inline void kvm_page_given_up(struct kvm_vcpu *vcpu)
{
	vcpu->arch.page_given_up = true;
}

/* The emulation of an instruction has come to an end other than a "not now". */
static inline void kvm_page_executed(struct kvm_vcpu *vcpu, bool more)
{
	if (vcpu->arch.page_pretracked)
		__kvm_page_executed(vcpu, more);
}

#else /* !CONFIG_KVM_PAGE_PRETRACK */

static inline void kvm_page_pretrack_init(struct kvm *kvm)
{
}

static inline void kvm_page_pretrack_destroy(struct kvm *kvm)
{
}

static inline void kvm_page_pretrack_create_slot(struct kvm *kvm,
						 struct kvm_memory_slot *slot,
						 unsigned long npages)
{
}

static inline unsigned int __kvm_page_pretrack_modes(struct kvm *kvm, gfn_t gfn)
{
	return 0;
}

static inline bool __kvm_page_pretrack_within(struct kvm *kvm, gfn_t gfn,
					      int level)
{
	return false;
}

static inline bool __kvm_page_preread(struct kvm_vcpu *vcpu, gpa_t gpa,
				      gva_t gva, u8 *new, int bytes,
				      bool *data_ready)
{
	return true;
}

static inline bool __kvm_page_prewrite(struct kvm_vcpu *vcpu, gpa_t gpa,
				       gva_t gva, const u8 *new, int bytes)
{
	return true;
}

static inline bool __kvm_page_preexec(struct kvm_vcpu *vcpu)
{
	return true;
}

static inline void kvm_page_given_up(struct kvm_vcpu *vcpu)
{
}

static inline void kvm_page_executed(struct kvm_vcpu *vcpu, bool more)
{
}

static inline bool kvm_page_pretrack_any(struct kvm *kvm, unsigned int modes)
{
	return false;
}

static inline bool kvm_page_pretrack_near(struct kvm *kvm, gfn_t gfn,
					  unsigned int modes)
{
	return false;
}

#endif /* CONFIG_KVM_PAGE_PRETRACK */

/* KVM_PAGE_TRACK_PRE* of a page, 0 if it is not watched. */
static inline unsigned int kvm_page_pretrack_modes(struct kvm *kvm, gfn_t gfn)
{
	return kvm_page_pretrack_near(kvm, gfn, KVM_PAGE_TRACK_PRE) ?
	       __kvm_page_pretrack_modes(kvm, gfn) : 0;
}

/* Whether a page is watched among those that a mapping of @level covers. */
static inline bool kvm_page_pretrack_within(struct kvm *kvm, gfn_t gfn, int level)
{
	return kvm_page_pretrack_any(kvm, KVM_PAGE_TRACK_PRE) &&
	       __kvm_page_pretrack_within(kvm, gfn, level);
}

static inline bool kvm_page_preread(struct kvm_vcpu *vcpu, gpa_t gpa, gva_t gva,
				    u8 *new, int bytes, bool *data_ready)
{
	*data_ready = false;
	return !kvm_page_pretrack_near(vcpu->kvm, gpa_to_gfn(gpa), KVM_PAGE_TRACK_PREREAD) ||
	       __kvm_page_preread(vcpu, gpa, gva, new, bytes, data_ready);
}

static inline bool kvm_page_prewrite(struct kvm_vcpu *vcpu, gpa_t gpa, gva_t gva,
				     const u8 *new, int bytes)
{
	return !kvm_page_pretrack_near(vcpu->kvm, gpa_to_gfn(gpa), KVM_PAGE_TRACK_PREWRITE) ||
	       __kvm_page_prewrite(vcpu, gpa, gva, new, bytes);
}

/*
 * Before KVM itself reads or writes a page because an instruction says so, by
 * its physical address.
 */
static inline bool kvm_page_preaccess(struct kvm_vcpu *vcpu, gpa_t gpa,
				      bool read, bool write)
{
	bool ready;

	if (read && !kvm_page_preread(vcpu, gpa, INVALID_GPA, NULL, PAGE_SIZE, &ready))
		return false;
	return !write || kvm_page_prewrite(vcpu, gpa, INVALID_GPA, NULL, PAGE_SIZE);
}

/* Before the instruction at the vCPU's RIP is emulated. */
static inline bool kvm_page_preexec(struct kvm_vcpu *vcpu)
{
	return !kvm_page_pretrack_any(vcpu->kvm, KVM_PAGE_TRACK_PREEXEC) ||
	       __kvm_page_preexec(vcpu);
}

#endif /* __KVM_X86_PAGE_PRETRACK_H */
