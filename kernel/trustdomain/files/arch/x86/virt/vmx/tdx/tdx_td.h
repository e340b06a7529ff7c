/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of trust domains: what tdx_td.c and tdx_td_teardown.c share.
 */
#ifndef _X86_VIRT_TDX_TD_H
#define _X86_VIRT_TDX_TD_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <asm/tdx_td.h>

/* tdx_td.c */
extern struct mutex tdx_key_lock;

bool tdx_try_again(u64 status, unsigned int *tries);
int tdx_td_failed(struct tdx_td *td, u64 leaf, u64 status);
void tdx_td_update(struct tdx_td *td);
void tdx_td_set_state(struct tdx_td *td, enum tdx_td_state state);

/* tdx_td_teardown.c */
void tdx_vp_associate(struct tdx_vp *vp);
u64 tdx_tdr_free(struct tdx_td *td);
void tdx_td_forget(struct tdx_td *td);
void tdx_td_leak(struct tdx_td *td, u64 pages, u64 leaf, u64 status);
void tdx_td_destroy_locked(struct tdx_td *td, enum tdx_td_state end);

#endif /* _X86_VIRT_TDX_TD_H */
