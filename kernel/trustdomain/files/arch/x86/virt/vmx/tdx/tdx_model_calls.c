// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TDX module model's leaves: what each checks, in the module's order, and
 * what it does. The locks that it takes are in the table at the end.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <asm/processor.h>

#include "tdx_model_internal.h"

#define MODEL_TD_PARAMS_SIZE	1024

/* The page that an operand names is of the type that the leaf wants. */
static u64 tdx_model_check(struct tdx_model_page *page, enum tdx_model_pt type,
			   unsigned int operand)
{
	if (!page)
		return MODEL_OPERAND_INVALID | operand;
	return page->type == type ? 0 : MODEL_PAGE_METADATA | operand;
}

/* As the module's: the TD has its key, and its control structure is complete. */
static u64 tdx_model_check_tdcs(struct tdx_model_td *td, bool init)
{
	if (td->state != MODEL_TD_CONFIGURED)
		return MODEL_KEYS_NOT_CONFIGURED;
	if (td->tdcx < tdx_model.config.tdcs_pages)
		return MODEL_TDCX_NUM;
	return td->init == init ? 0 : MODEL_OP_STATE;
}

static struct tdx_model_td *tdx_model_new_td(void)
{
	int i;

	for (i = 0; i < MODEL_MAX_TDS; i++)
		if (!tdx_model.tds[i].tdr)
			return &tdx_model.tds[i];
	return NULL;
}

static struct tdx_model_vp *tdx_model_new_vp(void)
{
	int i;

	for (i = 0; i < MODEL_MAX_VPS; i++)
		if (!tdx_model.vps[i].td)
			return &tdx_model.vps[i];
	return NULL;
}

static u64 tdx_model_mng_create(struct tdx_model_ctx *ctx)
{
	u64 keyid = ctx->args->rdx - tdx_model.config.global_keyid;
	struct tdx_model_td *td;
	u64 status;

	if (ctx->args->rdx < tdx_model.config.global_keyid ||
	    keyid > tdx_model.config.nr_keyids)
		return MODEL_OPERAND_INVALID | MODEL_RDX;
	status = tdx_model_check(ctx->rcx, MODEL_PT_NDA, MODEL_RCX);
	if (status)
		return status;
	if (tdx_model.kot[keyid].state != MODEL_KOT_FREE)
		return MODEL_KEYID_NOT_FREE;
	if (!tdx_model_has_entropy(MODEL_MNG_CREATE)) {
		tdx_model_write(ctx->rcx);
		ctx->rcx->cached = true;
		return MODEL_RND_NO_ENTROPY;
	}

	td = tdx_model_new_td();
	if (!td) {
		tdx_model_violation("too many TDs");
		return MODEL_OPERAND_INVALID;
	}
	memset(td, 0, sizeof(*td));
	td->tdr = ctx->rcx;
	td->state = MODEL_TD_ASSIGNED;
	td->keyid = keyid;
	tdx_model.kot[keyid].state = MODEL_KOT_ASSIGNED;
	tdx_model_take(ctx->rcx, MODEL_PT_TDR, td);
	ctx->rcx->cached = true;
	return 0;
}

static u64 tdx_model_mng_key_config(struct tdx_model_ctx *ctx)
{
	u64 status = tdx_model_check(ctx->rcx, MODEL_PT_TDR, MODEL_RCX);
	struct tdx_model_td *td = ctx->td;

	if (status)
		return status;
	if (td->state != MODEL_TD_ASSIGNED)
		return MODEL_LIFECYCLE;
	if (td->keyed & BIT_ULL(ctx->package))
		return MODEL_KEY_CONFIGURED;
	td->keyed |= BIT_ULL(ctx->package);
	tdx_model.package[ctx->package].keys |= BIT_ULL(td->keyid);
	if (td->keyed == tdx_model.packages)
		td->state = MODEL_TD_CONFIGURED;
	return 0;
}

static u64 tdx_model_mng_addcx(struct tdx_model_ctx *ctx)
{
	u64 status = tdx_model_check(ctx->rdx, MODEL_PT_TDR, MODEL_RDX);
	struct tdx_model_td *td = ctx->td;
	bool last;

	if (status)
		return status;
	if (td->state != MODEL_TD_CONFIGURED)
		return MODEL_KEYS_NOT_CONFIGURED;
	if (td->tdcx >= tdx_model.config.tdcs_pages)
		return MODEL_TDCX_NUM;
	status = tdx_model_check(ctx->rcx, MODEL_PT_NDA, MODEL_RCX);
	if (status)
		return status;

	/* From 1.5 on the last page needs a random key, and is written before. */
	last = td->tdcx + 1 == tdx_model.config.tdcs_pages;
	if (last && !tdx_model.config.v1_0 && !tdx_model_has_entropy(MODEL_MNG_ADDCX)) {
		tdx_model_write(ctx->rcx);
		return MODEL_RND_NO_ENTROPY;
	}
	tdx_model_take(ctx->rcx, MODEL_PT_TDCX, td);
	td->tdcx++;
	return 0;
}

static u64 tdx_model_mng_init(struct tdx_model_ctx *ctx)
{
	u64 status = tdx_model_check(ctx->rcx, MODEL_PT_TDR, MODEL_RCX);

	if (!status)
		status = tdx_model_check_tdcs(ctx->td, false);
	if (status)
		return status;
	if (!IS_ALIGNED(ctx->args->rdx, MODEL_TD_PARAMS_SIZE) ||
	    !pfn_valid(PHYS_PFN(ctx->args->rdx)))
		return MODEL_OPERAND_INVALID | MODEL_RDX;
	ctx->td->init = true;
	ctx->args->rcx = 0;
	return 0;
}

static u64 tdx_model_vp_create(struct tdx_model_ctx *ctx)
{
	u64 status = tdx_model_check(ctx->rdx, MODEL_PT_TDR, MODEL_RDX);
	struct tdx_model_vp *vp;

	if (!status)
		status = tdx_model_check_tdcs(ctx->td, true);
	if (!status)
		status = tdx_model_check(ctx->rcx, MODEL_PT_NDA, MODEL_RCX);
	if (status)
		return status;

	vp = tdx_model_new_vp();
	if (!vp) {
		tdx_model_violation("too many vCPUs");
		return MODEL_OPERAND_INVALID;
	}
	*vp = (struct tdx_model_vp) { .td = ctx->td, .cpu = -1 };
	tdx_model_take(ctx->rcx, MODEL_PT_TDVPR, ctx->td);
	ctx->rcx->vp = vp;
	return 0;
}

static u64 tdx_model_vp_addcx(struct tdx_model_ctx *ctx)
{
	u64 status = tdx_model_check(ctx->rdx, MODEL_PT_TDVPR, MODEL_RDX);
	struct tdx_model_vp *vp;

	if (!status)
		status = tdx_model_check_tdcs(ctx->td, true);
	if (status)
		return status;
	vp = ctx->rdx->vp;
	if (vp->ready)
		return MODEL_VCPU_STATE;
	if (vp->tdcx >= tdx_model.config.tdvps_pages)
		return MODEL_TDCX_NUM;
	status = tdx_model_check(ctx->rcx, MODEL_PT_NDA, MODEL_RCX);
	if (status)
		return status;
	tdx_model_take(ctx->rcx, MODEL_PT_TDCX, ctx->td);
	vp->tdcx++;
	return 0;
}

static u64 tdx_model_vp_init(struct tdx_model_ctx *ctx)
{
	u64 status = tdx_model_check(ctx->rcx, MODEL_PT_TDVPR, MODEL_RCX);
	struct tdx_model_vp *vp;

	if (!status)
		status = tdx_model_check_tdcs(ctx->td, true);
	if (status)
		return status;
	vp = ctx->rcx->vp;
	if (vp->tdcx < tdx_model.config.tdvps_pages)
		return MODEL_TDCX_NUM;
	if (vp->ready)
		return MODEL_VCPU_STATE;
	vp->ready = true;
	vp->cpu = ctx->cpu;
	ctx->td->associated++;
	return 0;
}

static u64 tdx_model_vp_flush(struct tdx_model_ctx *ctx)
{
	u64 status = tdx_model_check(ctx->rcx, MODEL_PT_TDVPR, MODEL_RCX);
	struct tdx_model_vp *vp;

	if (status)
		return status;
	if (ctx->td->state != MODEL_TD_CONFIGURED)
		return MODEL_KEYS_NOT_CONFIGURED;
	vp = ctx->rcx->vp;
	if (vp->tdcx < tdx_model.config.tdvps_pages)
		return MODEL_TDCX_NUM;
	if (vp->cpu != ctx->cpu)
		return MODEL_NOT_ASSOCIATED;
	vp->cpu = -1;
	ctx->td->associated--;
	return 0;
}

static u64 tdx_model_mng_vpflushdone(struct tdx_model_ctx *ctx)
{
	u64 status = tdx_model_check(ctx->rcx, MODEL_PT_TDR, MODEL_RCX);
	struct tdx_model_td *td = ctx->td;

	if (status)
		return status;
	if (td->state != MODEL_TD_ASSIGNED && td->state != MODEL_TD_CONFIGURED)
		return MODEL_LIFECYCLE;
	if (td->init && td->associated)
		return MODEL_FLUSH_NOT_DONE;
	td->state = MODEL_TD_BLOCKED;
	tdx_model.kot[td->keyid].state = MODEL_KOT_FLUSHED;
	tdx_model.kot[td->keyid].to_write_back = tdx_model.packages;
	return 0;
}

/* Write back for all KeyIDs that are flushed when it starts. */
static u64 tdx_model_cache_wb(struct tdx_model_ctx *ctx)
{
	unsigned int *point = &tdx_model.package[ctx->package].point;
	u64 flushed = 0;
	int i;

	if (ctx->args->rcx > 1)
		return MODEL_OPERAND_INVALID | MODEL_RCX;
	if (!ctx->args->rcx) {
		*point = 0;
		for (i = 1; i <= tdx_model.config.nr_keyids; i++)
			if (tdx_model.kot[i].state == MODEL_KOT_FLUSHED)
				flushed |= BIT_ULL(i);
		if (!flushed)
			return MODEL_NO_KEYID_TO_WB;
		tdx_model.package[ctx->package].flushed = flushed;
	} else if (!*point) {
		return MODEL_WB_RESUME;
	}

	if (*point < READ_ONCE(tdx_model.interrupts)) {
		(*point)++;
		return MODEL_INTERRUPTED;
	}
	*point = 0;
	for (i = 1; i <= tdx_model.config.nr_keyids; i++)
		if (tdx_model.package[ctx->package].flushed & BIT_ULL(i))
			tdx_model.kot[i].to_write_back &= ~BIT_ULL(ctx->package);
	return 0;
}

static u64 tdx_model_mng_key_freeid(struct tdx_model_ctx *ctx)
{
	u64 status = tdx_model_check(ctx->rcx, MODEL_PT_TDR, MODEL_RCX);
	struct tdx_model_td *td = ctx->td;
	int i;

	if (status)
		return status;
	if (td->state != MODEL_TD_BLOCKED)
		return MODEL_LIFECYCLE;
	if (tdx_model.kot[td->keyid].to_write_back)
		return MODEL_WB_NOT_COMPLETE;
	td->state = MODEL_TD_TEARDOWN;
	tdx_model.kot[td->keyid].state = MODEL_KOT_FREE;
	for (i = 0; i < MODEL_MAX_PACKAGES; i++)
		tdx_model.package[i].keys &= ~BIT_ULL(td->keyid);
	return 0;
}

static u64 tdx_model_reclaim_tdr(struct tdx_model_ctx *ctx)
{
	struct tdx_model_td *td = ctx->td;

	if (td->state != MODEL_TD_TEARDOWN)
		return MODEL_LIFECYCLE;
	if (td->children)
		return MODEL_PAGES_EXIST;
	tdx_model_return(ctx->rcx);
	td->tdr = NULL;
	return 0;
}

static u64 tdx_model_page_reclaim(struct tdx_model_ctx *ctx)
{
	struct tdx_model_page *page = ctx->rcx;
	u64 owner;

	if (ctx->args->rcx & ~PAGE_MASK || ctx->args->rcx >> boot_cpu_data.x86_phys_bits)
		return MODEL_OPERAND_INVALID | MODEL_RCX;
	if (!page)
		return MODEL_OPERAND_INVALID | MODEL_RCX;
	if (page->type == MODEL_PT_NDA)
		return MODEL_PAGE_METADATA | MODEL_RCX;

	owner = page->type == MODEL_PT_TDR ? 0 : PFN_PHYS(ctx->td->tdr->pfn);
	ctx->args->rcx = page->type;
	ctx->args->rdx = owner;
	ctx->args->r8 = 0;
	if (page->type == MODEL_PT_TDR)
		return tdx_model_reclaim_tdr(ctx);
	if (ctx->td->state != MODEL_TD_TEARDOWN)
		return MODEL_LIFECYCLE;
	if (page->vp)
		page->vp->td = NULL;
	tdx_model_return(page);
	return 0;
}

static u64 tdx_model_page_wbinvd(struct tdx_model_ctx *ctx)
{
	u64 keyid = ctx->args->rcx >> boot_cpu_data.x86_phys_bits;
	u64 status = tdx_model_check(ctx->rcx, MODEL_PT_NDA, MODEL_RCX);

	if (status)
		return status;
	if (keyid == tdx_model.config.global_keyid)
		ctx->rcx->cached = false;
	return 0;
}

static u64 tdx_model_mem_page_add(struct tdx_model_ctx *ctx)
{
	u64 status = tdx_model_check(ctx->rdx, MODEL_PT_TDR, MODEL_RDX);
	u64 gpa = ctx->args->rcx;

	if (!status)
		status = tdx_model_check_tdcs(ctx->td, true);
	if (!status)
		status = tdx_model_check(ctx->r8, MODEL_PT_NDA, MODEL_R8);
	if (status)
		return status;
	if (gpa & ~PAGE_MASK || tdx_model_find_gpa(ctx->td, gpa))
		return MODEL_OPERAND_INVALID | MODEL_RCX;
	if (ctx->args->r9 & ~PAGE_MASK || !pfn_valid(PHYS_PFN(ctx->args->r9)))
		return MODEL_OPERAND_INVALID | MODEL_R9;
	tdx_model_take(ctx->r8, MODEL_PT_REG, ctx->td);
	tdx_model_map(ctx->r8, gpa);
	ctx->args->rcx = 0;
	ctx->args->rdx = 0;
	return 0;
}

/* The calls of a teardown with a live key: block, track, remove. */
static u64 tdx_model_check_gpa(struct tdx_model_ctx *ctx, struct tdx_model_page **page)
{
	u64 status = tdx_model_check(ctx->rdx, MODEL_PT_TDR, MODEL_RDX);

	if (!status)
		status = tdx_model_check_tdcs(ctx->td, true);
	if (status)
		return status;
	*page = tdx_model_find_gpa(ctx->td, ctx->args->rcx);
	return *page ? 0 : MODEL_OPERAND_INVALID | MODEL_RCX;
}

static u64 tdx_model_mem_range_block(struct tdx_model_ctx *ctx)
{
	struct tdx_model_page *page;
	u64 status = tdx_model_check_gpa(ctx, &page);

	if (status)
		return status;
	page->blocked = true;
	page->epoch = ctx->td->epoch;
	return 0;
}

static u64 tdx_model_mem_track(struct tdx_model_ctx *ctx)
{
	u64 status = tdx_model_check(ctx->rcx, MODEL_PT_TDR, MODEL_RCX);

	if (!status)
		status = tdx_model_check_tdcs(ctx->td, true);
	if (!status)
		ctx->td->epoch++;
	return status;
}

static u64 tdx_model_mem_page_remove(struct tdx_model_ctx *ctx)
{
	struct tdx_model_page *page;
	u64 status = tdx_model_check_gpa(ctx, &page);

	if (status)
		return status;
	if (!page->blocked)
		return MODEL_NOT_BLOCKED | MODEL_RCX;
	if (page->epoch == ctx->td->epoch)
		return MODEL_NOT_TRACKED | MODEL_RCX;
	ctx->args->rcx = PFN_PHYS(page->pfn);
	tdx_model_return(page);
	return 0;
}

const struct tdx_model_leaf_info tdx_model_leaves[MODEL_NR_LEAVES] = {
	[MODEL_MNG_ADDCX] = { .fn = tdx_model_mng_addcx,
		.rcx = EXCLUSIVE, .rdx = EXCLUSIVE, .in_rdx = true },
	[MODEL_MEM_PAGE_ADD] = { .fn = tdx_model_mem_page_add,
		.rdx = SHARED, .r8 = EXCLUSIVE, .in_rdx = true },
	[MODEL_VP_ADDCX] = { .fn = tdx_model_vp_addcx,
		.rcx = EXCLUSIVE, .rdx = EXCLUSIVE, .tdr = SHARED, .in_rdx = true },
	[MODEL_MEM_RANGE_BLOCK] = { .fn = tdx_model_mem_range_block,
		.rdx = SHARED, .in_rdx = true },
	[MODEL_MNG_KEY_CONFIG] = { .fn = tdx_model_mng_key_config,
		.rcx = EXCLUSIVE, .key = true },
	[MODEL_MNG_CREATE] = { .fn = tdx_model_mng_create,
		.rcx = EXCLUSIVE, .kot = EXCLUSIVE },
	[MODEL_VP_CREATE] = { .fn = tdx_model_vp_create,
		.rcx = EXCLUSIVE, .rdx = SHARED, .in_rdx = true },
	[MODEL_VP_FLUSH] = { .fn = tdx_model_vp_flush,
		.rcx = EXCLUSIVE, .tdr = SHARED },
	[MODEL_MNG_VPFLUSHDONE] = { .fn = tdx_model_mng_vpflushdone,
		.rcx = EXCLUSIVE, .kot = EXCLUSIVE },
	[MODEL_MNG_KEY_FREEID] = { .fn = tdx_model_mng_key_freeid,
		.rcx = EXCLUSIVE, .kot = EXCLUSIVE },
	[MODEL_MNG_INIT] = { .fn = tdx_model_mng_init, .rcx = EXCLUSIVE },
	[MODEL_VP_INIT] = { .fn = tdx_model_vp_init,
		.rcx = EXCLUSIVE, .tdr = SHARED },
	[MODEL_PAGE_RECLAIM] = { .fn = tdx_model_page_reclaim,
		.rcx = EXCLUSIVE, .tdr = SHARED },
	[MODEL_MEM_PAGE_REMOVE] = { .fn = tdx_model_mem_page_remove,
		.rdx = SHARED, .in_rdx = true },
	[MODEL_MEM_TRACK] = { .fn = tdx_model_mem_track, .rcx = SHARED },
	[MODEL_CACHE_WB] = { .fn = tdx_model_cache_wb, .kot = SHARED, .wb = true },
	[MODEL_PAGE_WBINVD] = { .fn = tdx_model_page_wbinvd, .rcx = SHARED },
};
