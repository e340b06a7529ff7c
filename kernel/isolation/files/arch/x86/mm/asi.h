/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address space isolation: what its files share.
 */
#ifndef _X86_MM_ASI_H
#define _X86_MM_ASI_H

#include <linux/atomic.h>
#include <linux/types.h>
#include <asm/pgtable_types.h>

struct page;

int asi_map_init(void);
bool asi_map_owns(unsigned int index);
void asi_map_fill_pgd(pgd_t *pgd);
pte_t *asi_pte(unsigned long pfn);
void asi_shoot_down(bool may_wait);

#ifdef CONFIG_ASI_DEBUG

/**
 * struct asi_audit - what a walk through a restricted address space has found
 * @leaves: number of present entries that map memory
 * @frames: number of page frames that they cover
 * @sensitive: how many of those hold memory of a process or a guest
 * @first: address of the first of those
 * @user: number of entries in the half that belongs to user space
 */
struct asi_audit {
	u64 leaves;
	u64 frames;
	u64 sensitive;
	unsigned long first;
	u64 user;
};

extern atomic_t asi_skip_unmap;

void asi_audit_pgd(pgd_t *pgd, struct asi_audit *audit);
bool asi_covers(pgd_t *pgd, unsigned long pfn);

/* A mistake on purpose: see that it is found. As asi_forget_enter(). */
static inline bool asi_forget_unmap(void)
{
	return unlikely(atomic_dec_if_positive(&asi_skip_unmap) >= 0);
}

#else

static inline bool asi_forget_unmap(void)
{
	return false;
}

#endif

#endif /* _X86_MM_ASI_H */
