/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of Intel TDX trust domains (TDs), from the host's side: what they
 * are made of, what the TDX module has been given for them, and how all of it
 * comes back.
 *
 * Nothing here knows about KVM. See arch/x86/virt/vmx/tdx/tdx_td.c for the
 * order of things and the locking.
 */
#ifndef _ASM_X86_TDX_TD_H
#define _ASM_X86_TDX_TD_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct misc_cg;
struct page;
struct pid;
struct tdx_leak;
struct tdx_td;

/**
 * enum tdx_td_state - how far the host has driven the life of a TD
 * @TDX_TD_NONE: nothing was created in the module yet
 * @TDX_TD_ASSIGNED: it has a KeyID and a root page (TDR)
 * @TDX_TD_CONFIGURED: its key is configured on every package; its control
 *	pages (TDCX) are being or have been added
 * @TDX_TD_INITIALIZED: tdh_mng_init() is done
 * @TDX_TD_BLOCKED: its vCPUs are flushed, it can never run again
 * @TDX_TD_TEARDOWN: the KeyID was given back, pages are being reclaimed
 * @TDX_TD_RECLAIMED: nothing is left of it
 * @TDX_TD_LEAKED: the module did not give something back
 */
enum tdx_td_state {
	TDX_TD_NONE,
	TDX_TD_ASSIGNED,
	TDX_TD_CONFIGURED,
	TDX_TD_INITIALIZED,
	TDX_TD_BLOCKED,
	TDX_TD_TEARDOWN,
	TDX_TD_RECLAIMED,
	TDX_TD_LEAKED,
};

/**
 * struct tdx_td_info - what is known of a TD
 * @state: how far it is
 * @hkid: its KeyID, 0 if it has none
 * @vcpus: vCPUs that were created in the module
 * @control_pages: TDR, TDCX, TDVPR and TDVPX pages that the module has
 * @private_pages: pages of the guest that the module has
 * @reclaimed_pages: pages that the module has given back
 * @leaked_pages: pages that it will not give back
 * @status: completion status of the SEAMCALL that failed last, 0 if none did
 * @status_leaf: which SEAMCALL that was
 * @created_ns: CLOCK_BOOTTIME of its creation in the module, 0 if it was not
 * @key_released_ns: CLOCK_BOOTTIME of when its KeyID was given back, or 0
 */
struct tdx_td_info {
	enum tdx_td_state state;
	u32 hkid;
	u32 vcpus;
	u64 control_pages;
	u64 private_pages;
	u64 reclaimed_pages;
	u64 leaked_pages;
	u64 status;
	u64 status_leaf;
	u64 created_ns;
	u64 key_released_ns;
};

/**
 * struct tdx_leak_info - something that was lost until the host reboots
 * @hkid: the KeyID, 0 if only pages were lost
 * @leaf: the SEAMCALL that failed
 * @status: its completion status
 * @pages: how many pages were lost
 * @time_ns: CLOCK_BOOTTIME
 */
struct tdx_leak_info {
	u32 hkid;
	u64 leaf;
	u64 status;
	u64 pages;
	u64 time_ns;
};

/**
 * struct tdx_td_ops - what the owner of a TD wants to know
 * @state: it went from state @from to state @to
 * @released: KeyID @hkid was given back
 * @leaked: it leaked what @leak says
 * @update: its &struct tdx_td_info has changed; called every few hundred pages
 *
 * All may be NULL. They are called with the TD's lock held and may sleep.
 */
struct tdx_td_ops {
	void (*state)(struct tdx_td *td, enum tdx_td_state from, enum tdx_td_state to);
	void (*released)(struct tdx_td *td, u32 hkid);
	void (*leaked)(struct tdx_td *td, const struct tdx_leak_info *leak);
	void (*update)(struct tdx_td *td);
};

/**
 * struct tdx_td - a trust domain
 * @tdr_page: its root page, NULL if it has none
 * @nr_tdcs: how many of its control pages (TDCX) were added
 * @lock: serializes what is done to it; outside of CPU hotplug's lock
 * @ops: what its owner wants to know
 * @misc_cg: the group that is charged for @hkid
 * @owner: the process that made it
 * @leak: the record of what it might leak, allocated in advance
 * @hkid: its KeyID, 0 if it has none
 * @vps: its vCPUs (struct tdx_vp)
 * @control: pages other than the TDR that the module has for it and its vCPUs
 * @private: pages of the guest that the module has
 * @tainted: pages that the module does not have, but may have written with the
 *	TD's key; unusable until the caches are written back
 * @nr_tainted: how many
 * @info_lock: protects @info, so that readers need not wait for @lock
 * @info: what is known of it
 */
struct tdx_td {
	struct page *tdr_page;
	unsigned int nr_tdcs;

	struct mutex lock;	/* serializes everything below but info */
	const struct tdx_td_ops *ops;
	struct misc_cg *misc_cg;
	struct pid *owner;
	struct tdx_leak *leak;
	u32 hkid;
	struct list_head vps;
	struct list_head control;
	struct list_head private;
	struct list_head tainted;
	u64 nr_tainted;

	spinlock_t info_lock;	/* protects info */
	struct tdx_td_info info;
};

/**
 * struct tdx_vp - a vCPU of a trust domain
 * @tdvpr_page: its root page, NULL if it has none
 * @nr_tdvpx: how many of its other pages (TDVPX) were added
 * @td: what it is a vCPU of, NULL if it is of none
 * @node: in the TD's list of vCPUs
 * @cpu: the CPU that has its state in cache, or -1; changed on that CPU only,
 *	with interrupts off
 * @cpu_node: in that CPU's list, accessed like @cpu
 * @initialized: tdh_vp_init() is done
 *
 * All but @cpu and @cpu_node is protected by the TD's lock. The pages belong to
 * the TD: they come back with it, and a vCPU may be gone before.
 */
struct tdx_vp {
	struct page *tdvpr_page;
	unsigned int nr_tdvpx;
	struct tdx_td *td;
	struct list_head node;
	int cpu;
	struct list_head cpu_node;
	bool initialized;
};

/**
 * struct tdx_capacity - KeyIDs of the host
 * @total: KeyIDs for guests
 * @used: assigned to TDs, leaked ones not counted
 * @leaked: lost until the host reboots
 * @leaked_pages: pages lost until the host reboots
 * @leaks: how many records tdx_get_leak() has
 */
struct tdx_capacity {
	u32 total;
	u32 used;
	u32 leaked;
	u64 leaked_pages;
	u64 leaks;
};

#ifdef CONFIG_INTEL_TDX_HOST

/* Host */
int tdx_td_host_init(u32 global_keyid, u32 guest_keyid_start, u32 nr_guest_keyids);
bool tdx_td_host_enabled(void);
int tdx_get_capacity(struct tdx_capacity *capacity);
int tdx_get_leak(u64 index, struct tdx_leak_info *info, pid_t *pid);
u64 tdh_sys_rd(u64 field, u64 *data);

/* A TD's life, in this order; each can fail, and tdx_td_destroy() ends it from anywhere. */
void tdx_td_setup(struct tdx_td *td, const struct tdx_td_ops *ops);
int tdx_td_create(struct tdx_td *td);
int tdx_td_init(struct tdx_td *td, void *params, u64 *error);
int tdx_td_create_vcpu(struct tdx_td *td, struct tdx_vp *vp);
int tdx_td_init_vcpu(struct tdx_vp *vp, u64 initial_rcx, u32 x2apic_id);
int tdx_td_add_page(struct tdx_td *td, u64 gpa, struct page *source);
void tdx_td_remove_vcpu(struct tdx_vp *vp);
int tdx_td_release_key(struct tdx_td *td);
int tdx_td_reclaim(struct tdx_td *td);
void tdx_td_destroy(struct tdx_td *td);
void tdx_td_get_info(struct tdx_td *td, struct tdx_td_info *info);

void tdx_vp_setup(struct tdx_vp *vp);

/* SEAMCALL leaf functions; all return the completion status. */
u64 tdh_mng_create(struct tdx_td *td, u32 hkid);
u64 tdh_mng_key_config(struct tdx_td *td);
u64 tdh_mng_addcx(struct tdx_td *td, struct page *tdcs_page);
u64 tdh_mng_init(struct tdx_td *td, u64 td_params, u64 *extended_err);
u64 tdh_mng_vpflushdone(struct tdx_td *td);
u64 tdh_mng_key_freeid(struct tdx_td *td);
u64 tdh_mem_page_add(struct tdx_td *td, u64 gpa, struct page *page, struct page *source,
		     u64 *ext_err1, u64 *ext_err2);
u64 tdh_vp_create(struct tdx_td *td, struct tdx_vp *vp);
u64 tdh_vp_addcx(struct tdx_vp *vp, struct page *tdvpx_page);
u64 tdh_vp_init(struct tdx_vp *vp, u64 initial_rcx, u32 x2apicid);
u64 tdh_vp_flush(struct tdx_vp *vp);
u64 tdh_phymem_page_reclaim(struct page *page, u64 *tdx_pt, u64 *tdx_owner, u64 *tdx_size);
u64 tdh_phymem_cache_wb(bool resume);
u64 tdh_phymem_page_wbinvd_tdr(struct tdx_td *td);

#else /* !CONFIG_INTEL_TDX_HOST */

static inline bool tdx_td_host_enabled(void)
{
	return false;
}

#endif /* CONFIG_INTEL_TDX_HOST */

#endif /* _ASM_X86_TDX_TD_H */
