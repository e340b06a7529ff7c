/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address space isolation: what generic code sees of it.
 */
#ifndef _LINUX_ASI_H
#define _LINUX_ASI_H

#include <linux/types.h>

#ifdef CONFIG_MITIGATION_ADDRESS_SPACE_ISOLATION
#include <asm/asi.h>
#else

struct page;

static inline void asi_alloc_pages(struct page *page, unsigned int order, gfp_t gfp)
{
}

#endif

#endif /* _LINUX_ASI_H */
