/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Ultravisor model's account of donated storage.
 */
#ifndef _KVM_S390_UV_STORAGE_H
#define _KVM_S390_UV_STORAGE_H

#include <linux/types.h>

struct page;

bool uv_storage_hold(struct page *page, unsigned int order, void *area, u64 owner);
bool uv_storage_give_back(u64 owner);
void uv_storage_release(void);

#endif /* _KVM_S390_UV_STORAGE_H */
