// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SEAMCALL leaf functions that make and unmake trust domains.
 *
 * One function per leaf, which fills in registers and interprets nothing: all
 * return the completion status.
 */
#include <linux/export.h>
#include <linux/mm.h>
#include <asm/cacheflush.h>
#include <asm/io.h>
#include <asm/processor.h>
#include <asm/tdx.h>

#include "tdx.h"
#include "tdx_host.h"

/*
 * The module writes a page that it is given with another KeyID: no line of it
 * may be in the caches with this one, to be written back later.
 */
static void tdx_clflush_page(struct page *page)
{
	clflush_cache_range(page_to_virt(page), PAGE_SIZE);
}

/* A page's physical address as the module wants it with a KeyID. */
static u64 tdx_keyed_paddr(u32 hkid, struct page *page)
{
	return page_to_phys(page) | (u64)hkid << boot_cpu_data.x86_phys_bits;
}

/**
 * tdh_sys_rd() - read a field of the module's global metadata
 * @field: its id
 * @data: where to store it
 *
 * Return: the completion status.
 */
u64 tdh_sys_rd(u64 field, u64 *data)
{
	struct tdx_module_args args = {
		.rdx = field,
	};
	u64 status = tdx_seamcall(TDH_SYS_RD, &args);

	*data = args.r8;
	return status;
}
EXPORT_SYMBOL_GPL(tdh_sys_rd);

/**
 * tdh_mng_create() - create a TD and assign a KeyID to it
 * @td: the TD, with a TDR page
 * @hkid: the KeyID
 *
 * Return: the completion status.
 */
u64 tdh_mng_create(struct tdx_td *td, u32 hkid)
{
	struct tdx_module_args args = {
		.rcx = page_to_phys(td->tdr_page),
		.rdx = hkid,
	};

	tdx_clflush_page(td->tdr_page);
	return tdx_seamcall(TDH_MNG_CREATE, &args);
}
EXPORT_SYMBOL_GPL(tdh_mng_create);

/**
 * tdh_mng_key_config() - configure a TD's key on the current CPU's package
 * @td: the TD
 *
 * Return: the completion status.
 */
u64 tdh_mng_key_config(struct tdx_td *td)
{
	struct tdx_module_args args = {
		.rcx = page_to_phys(td->tdr_page),
	};

	return tdx_seamcall(TDH_MNG_KEY_CONFIG, &args);
}
EXPORT_SYMBOL_GPL(tdh_mng_key_config);

/**
 * tdh_mng_addcx() - give the module a control page of a TD
 * @td: the TD
 * @tdcs_page: the page
 *
 * Return: the completion status. The page may have been written with the TD's
 * key even if it is not success.
 */
u64 tdh_mng_addcx(struct tdx_td *td, struct page *tdcs_page)
{
	struct tdx_module_args args = {
		.rcx = page_to_phys(tdcs_page),
		.rdx = page_to_phys(td->tdr_page),
	};

	tdx_clflush_page(tdcs_page);
	return tdx_seamcall(TDH_MNG_ADDCX, &args);
}
EXPORT_SYMBOL_GPL(tdh_mng_addcx);

/**
 * tdh_mng_init() - initialize a TD
 * @td: the TD, with all its control pages
 * @td_params: physical address of its TD_PARAMS
 * @extended_err: where to store which field of them is wrong
 *
 * Return: the completion status.
 */
u64 tdh_mng_init(struct tdx_td *td, u64 td_params, u64 *extended_err)
{
	struct tdx_module_args args = {
		.rcx = page_to_phys(td->tdr_page),
		.rdx = td_params,
	};
	u64 status = tdx_seamcall(TDH_MNG_INIT, &args);

	*extended_err = args.rcx;
	return status;
}
EXPORT_SYMBOL_GPL(tdh_mng_init);

/**
 * tdh_mng_vpflushdone() - tell the module that all vCPUs of a TD are flushed
 * @td: the TD
 *
 * Return: the completion status.
 */
u64 tdh_mng_vpflushdone(struct tdx_td *td)
{
	struct tdx_module_args args = {
		.rcx = page_to_phys(td->tdr_page),
	};

	return tdx_seamcall(TDH_MNG_VPFLUSHDONE, &args);
}
EXPORT_SYMBOL_GPL(tdh_mng_vpflushdone);

/**
 * tdh_mng_key_freeid() - take the KeyID from a TD
 * @td: the TD, blocked, with the caches of all packages written back
 *
 * Return: the completion status.
 */
u64 tdh_mng_key_freeid(struct tdx_td *td)
{
	struct tdx_module_args args = {
		.rcx = page_to_phys(td->tdr_page),
	};

	return tdx_seamcall(TDH_MNG_KEY_FREEID, &args);
}
EXPORT_SYMBOL_GPL(tdh_mng_key_freeid);

/**
 * tdh_mem_page_add() - give the module a 4 KiB page of a guest's memory
 * @td: the TD
 * @gpa: where the guest finds it
 * @page: the page
 * @source: a page with its first contents
 * @ext_err1: where to store the first detail of an error
 * @ext_err2: where to store the second
 *
 * Return: the completion status.
 */
u64 tdh_mem_page_add(struct tdx_td *td, u64 gpa, struct page *page,
		     struct page *source, u64 *ext_err1, u64 *ext_err2)
{
	struct tdx_module_args args = {
		.rcx = gpa,
		.rdx = page_to_phys(td->tdr_page),
		.r8 = page_to_phys(page),
		.r9 = page_to_phys(source),
	};
	u64 status;

	tdx_clflush_page(page);
	status = tdx_seamcall(TDH_MEM_PAGE_ADD, &args);

	*ext_err1 = args.rcx;
	*ext_err2 = args.rdx;
	return status;
}
EXPORT_SYMBOL_GPL(tdh_mem_page_add);

/**
 * tdh_vp_create() - create a vCPU
 * @td: what it is a vCPU of
 * @vp: the vCPU, with a TDVPR page
 *
 * Return: the completion status.
 */
u64 tdh_vp_create(struct tdx_td *td, struct tdx_vp *vp)
{
	struct tdx_module_args args = {
		.rcx = page_to_phys(vp->tdvpr_page),
		.rdx = page_to_phys(td->tdr_page),
	};

	tdx_clflush_page(vp->tdvpr_page);
	return tdx_seamcall(TDH_VP_CREATE, &args);
}
EXPORT_SYMBOL_GPL(tdh_vp_create);

/**
 * tdh_vp_addcx() - give the module a control page of a vCPU
 * @vp: the vCPU
 * @tdvpx_page: the page
 *
 * Return: the completion status.
 */
u64 tdh_vp_addcx(struct tdx_vp *vp, struct page *tdvpx_page)
{
	struct tdx_module_args args = {
		.rcx = page_to_phys(tdvpx_page),
		.rdx = page_to_phys(vp->tdvpr_page),
	};

	tdx_clflush_page(tdvpx_page);
	return tdx_seamcall(TDH_VP_ADDCX, &args);
}
EXPORT_SYMBOL_GPL(tdh_vp_addcx);

/**
 * tdh_vp_init() - initialize a vCPU; associates it with the current CPU
 * @vp: the vCPU, with all its control pages
 * @initial_rcx: what the guest finds in RCX at first
 * @x2apicid: its APIC id
 *
 * Return: the completion status.
 */
u64 tdh_vp_init(struct tdx_vp *vp, u64 initial_rcx, u32 x2apicid)
{
	struct tdx_module_args args = {
		.rcx = page_to_phys(vp->tdvpr_page),
		.rdx = initial_rcx,
		.r8 = x2apicid,
	};

	/* Only version 1 takes the APIC id. */
	return tdx_seamcall(TDH_VP_INIT | 1ULL << TDX_LEAF_VERSION_SHIFT, &args);
}
EXPORT_SYMBOL_GPL(tdh_vp_init);

/**
 * tdh_vp_flush() - write a vCPU's state back to memory
 * @vp: the vCPU, associated with the current CPU
 *
 * Return: the completion status.
 */
u64 tdh_vp_flush(struct tdx_vp *vp)
{
	struct tdx_module_args args = {
		.rcx = page_to_phys(vp->tdvpr_page),
	};

	return tdx_seamcall(TDH_VP_FLUSH, &args);
}
EXPORT_SYMBOL_GPL(tdh_vp_flush);

/**
 * tdh_phymem_page_reclaim() - take a page back from the module
 * @page: the page; its TD has no KeyID any more
 * @tdx_pt: where to store what it was used for
 * @tdx_owner: where to store the address of its TD's TDR
 * @tdx_size: where to store its size
 *
 * Return: the completion status.
 */
u64 tdh_phymem_page_reclaim(struct page *page, u64 *tdx_pt, u64 *tdx_owner,
			    u64 *tdx_size)
{
	struct tdx_module_args args = {
		.rcx = page_to_phys(page),
	};
	u64 status = tdx_seamcall(TDH_PHYMEM_PAGE_RECLAIM, &args);

	*tdx_pt = args.rcx;
	*tdx_owner = args.rdx;
	*tdx_size = args.r8;
	return status;
}
EXPORT_SYMBOL_GPL(tdh_phymem_page_reclaim);

/**
 * tdh_phymem_cache_wb() - write back the caches of the current CPU's package
 * @resume: go on after an interruption
 *
 * Return: the completion status.
 */
u64 tdh_phymem_cache_wb(bool resume)
{
	struct tdx_module_args args = {
		.rcx = resume,
	};

	return tdx_seamcall(TDH_PHYMEM_CACHE_WB, &args);
}
EXPORT_SYMBOL_GPL(tdh_phymem_cache_wb);

/**
 * tdh_phymem_page_wbinvd_tdr() - write back and drop a TDR's cache lines
 * @td: the TD, its TDR page reclaimed
 *
 * The module wrote it with its own KeyID.
 *
 * Return: the completion status.
 */
u64 tdh_phymem_page_wbinvd_tdr(struct tdx_td *td)
{
	struct tdx_module_args args = {
		.rcx = tdx_keyed_paddr(tdx_host.global_keyid, td->tdr_page),
	};

	return tdx_seamcall(TDH_PHYMEM_PAGE_WBINVD, &args);
}
EXPORT_SYMBOL_GPL(tdh_phymem_page_wbinvd_tdr);
