// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model of the TDX module for KUnit tests.
 *
 * It takes the place of the SEAMCALL instruction, knows KeyIDs, trust domains,
 * their vCPUs and who owns which page, and refuses what the module refuses. Its
 * locks never wait, as the module's: whoever comes second is told what is busy.
 * Any call can be made to fail.
 *
 * It is made from the published interface, not from hardware: what it shows is
 * that the host keeps to that interface.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>

#include "tdx_model_internal.h"

struct tdx_model tdx_model;

static u64 tdx_model_fault(unsigned int leaf)
{
	u64 status = 0;
	int i;

	for (i = 0; i < tdx_model.nr_faults; i++) {
		const struct tdx_model_fault *fault = &tdx_model.faults[i];
		unsigned long seen;

		if (fault->leaf != MODEL_ANY_LEAF && fault->leaf != leaf)
			continue;
		seen = ++tdx_model.fault_seen[i];
		if (seen >= fault->nth && seen - fault->nth < fault->times)
			status = fault->status;
	}
	return status;
}

static bool tdx_model_try_lock(int *lock, enum tdx_model_hold hold)
{
	if (hold == EXCLUSIVE ? *lock : *lock < 0)
		return false;
	*lock += hold == EXCLUSIVE ? -1 : 1;
	return true;
}

static void tdx_model_unlock(int *lock, enum tdx_model_hold hold)
{
	*lock -= hold == EXCLUSIVE ? -1 : 1;
}

/* The locks of a call, in the order in which they are taken. */
struct tdx_model_locks {
	struct {
		int *lock;
		enum tdx_model_hold hold;
	} held[5];
	int nr;
};

static u64 tdx_model_lock(struct tdx_model_locks *locks, int *lock,
			  enum tdx_model_hold hold, unsigned int operand)
{
	if (!tdx_model_try_lock(lock, hold)) {
		tdx_model.contended++;
		return MODEL_BUSY | operand;
	}
	locks->held[locks->nr].lock = lock;
	locks->held[locks->nr++].hold = hold;
	return 0;
}

static u64 tdx_model_lock_page(struct tdx_model_locks *locks,
			       struct tdx_model_page *page,
			       enum tdx_model_hold hold, unsigned int operand)
{
	return hold == NOT || !page ? 0 :
	       tdx_model_lock(locks, &page->lock, hold, operand);
}

/* The owner of the page that the call is about is locked, too, and not asked for. */
static u64 tdx_model_lock_owner(struct tdx_model_locks *locks,
				const struct tdx_model_leaf_info *info,
				struct tdx_model_ctx *ctx)
{
	struct tdx_model_page *page = info->in_rdx ? ctx->rdx : ctx->rcx;

	if (page && page->type != MODEL_PT_NDA)
		ctx->td = page->td;
	if (!info->tdr || !ctx->td || ctx->td->tdr == page)
		return 0;
	return tdx_model_lock(locks, &ctx->td->tdr->lock, info->tdr,
			      tdx_model.config.v1_0 ? MODEL_RCX : MODEL_TDR);
}

static u64 tdx_model_lock_all(struct tdx_model_locks *locks,
			      const struct tdx_model_leaf_info *info,
			      struct tdx_model_ctx *ctx)
{
	u64 status;

	status = tdx_model_lock_page(locks, ctx->rdx, info->rdx, MODEL_RDX);
	if (!status && info->in_rdx)
		status = tdx_model_lock_owner(locks, info, ctx);
	if (!status)
		status = tdx_model_lock_page(locks, ctx->rcx, info->rcx, MODEL_RCX);
	if (!status)
		status = tdx_model_lock_page(locks, ctx->r8, info->r8, MODEL_R8);
	if (!status && !info->in_rdx)
		status = tdx_model_lock_owner(locks, info, ctx);
	if (!status && info->wb)
		status = tdx_model_lock(locks, &tdx_model.package[ctx->package].wb_lock,
					EXCLUSIVE, MODEL_WBCACHE);
	if (!status && info->key)
		status = tdx_model_lock(locks, &tdx_model.package[ctx->package].key_lock,
					EXCLUSIVE, MODEL_KET);
	if (!status && info->kot)
		status = tdx_model_lock(locks, &tdx_model.kot_lock, info->kot, MODEL_KOT);
	return status;
}

static void tdx_model_unlock_all(struct tdx_model_locks *locks)
{
	while (locks->nr--)
		tdx_model_unlock(locks->held[locks->nr].lock, locks->held[locks->nr].hold);
}

/* Others come meanwhile, and are told that this one is busy. */
static void tdx_model_dwell(void)
	__must_hold(&tdx_model.lock)
{
	unsigned int i;

	if (!tdx_model.dwell)
		return;
	tdx_model.overlapped += !!tdx_model.running++;
	raw_spin_unlock(&tdx_model.lock);
	for (i = 0; i < READ_ONCE(tdx_model.dwell); i++)
		cpu_relax();
	raw_spin_lock(&tdx_model.lock);
	tdx_model.running--;
}

/* From now on the model knows whether the host frees them. */
static void tdx_model_find_pages(const struct tdx_model_leaf_info *info,
				 struct tdx_model_ctx *ctx)
{
	if (info->rcx != NOT)
		ctx->rcx = tdx_model_page(ctx->args->rcx);
	if (info->rdx != NOT)
		ctx->rdx = tdx_model_page(ctx->args->rdx);
	if (info->r8 != NOT)
		ctx->r8 = tdx_model_page(ctx->args->r8);
}

static u64 tdx_model_execute(const struct tdx_model_leaf_info *info,
			     struct tdx_model_ctx *ctx)
{
	struct tdx_model_locks locks = {};
	u64 status;

	ctx->cpu = smp_processor_id();
	ctx->package = tdx_model_package_of(ctx->cpu);
	status = tdx_model_lock_all(&locks, info, ctx);
	if (!status) {
		tdx_model_dwell();
		status = info->fn(ctx);
	}
	tdx_model_unlock_all(&locks);
	return status;
}

static void tdx_model_note(unsigned int leaf, u64 rcx, u64 status)
{
	struct tdx_model_record *record;

	tdx_model.seq++;
	tdx_model.last[leaf] = tdx_model.seq;
	if (!tdx_model.first[leaf])
		tdx_model.first[leaf] = tdx_model.seq;
	record = &tdx_model.records[tdx_model.seq % MODEL_RECORDS];
	record->leaf = leaf;
	record->rcx = rcx;
	record->status = status;
	record->cpu = smp_processor_id();
	record->package = tdx_model_package_of(record->cpu);
}

/**
 * tdx_model_call() - in place of the SEAMCALL instruction
 * @fn: the leaf; its version in bits 16 to 23
 * @args: its operands, and what it returns
 *
 * Context: any; does not sleep.
 * Return: the completion status.
 */
u64 tdx_model_call(u64 fn, struct tdx_module_args *args)
{
	struct tdx_model_ctx ctx = { .args = args, .version = fn >> 16 & 0xff };
	unsigned int leaf = fn & 0xffff;
	unsigned long flags;
	tdx_model_hook hook;
	u64 rcx = args->rcx;
	u64 status;

	if (leaf >= MODEL_NR_LEAVES || !tdx_model_leaves[leaf].fn || fn >> 24) {
		tdx_model_violation("no leaf %llx", fn);
		return MODEL_OPERAND_INVALID;
	}
	hook = READ_ONCE(tdx_model.hook);
	if (hook)
		hook(leaf, tdx_model.calls[leaf] + 1, tdx_model.hook_data);

	raw_spin_lock_irqsave(&tdx_model.lock, flags);
	tdx_model.calls[leaf]++;
	tdx_model_find_pages(&tdx_model_leaves[leaf], &ctx);
	status = tdx_model_fault(leaf);
	if (!status)
		status = tdx_model_execute(&tdx_model_leaves[leaf], &ctx);
	tdx_model_note(leaf, rcx, status);
	raw_spin_unlock_irqrestore(&tdx_model.lock, flags);
	return status;
}

/**
 * tdx_model_install() - make the model ready for calls
 * @test: the test that uses it
 * @config: what it is like
 */
void tdx_model_install(struct kunit *test, const struct tdx_model_config *config)
{
	unsigned int cpu;

	memset(&tdx_model, 0, sizeof(tdx_model));
	raw_spin_lock_init(&tdx_model.lock);
	tdx_model.test = test;
	tdx_model.config = *config;
	if (!config->max_pages)
		tdx_model.config.max_pages = MODEL_FEW_PAGES;
	for_each_online_cpu(cpu)
		tdx_model.packages |= BIT_ULL(tdx_model_package_of(cpu));
	tdx_model.kot[0].state = MODEL_KOT_RESERVED;

	KUNIT_ASSERT_EQ(test, tdx_model_alloc_pages(), 0);
	tdx_model.records = vcalloc(MODEL_RECORDS, sizeof(*tdx_model.records));
	KUNIT_ASSERT_NOT_NULL(test, tdx_model.records);
	KUNIT_ASSERT_LT(test, config->nr_keyids, MODEL_MAX_KEYIDS);
	KUNIT_ASSERT_LT(test, tdx_model.packages, BIT_ULL(MODEL_MAX_PACKAGES));
}

/**
 * tdx_model_remove() - undo tdx_model_install()
 */
void tdx_model_remove(void)
{
	if (!tdx_model.test)
		return;
	tdx_model_release_pages();
	vfree(tdx_model.records);
	tdx_model.test = NULL;
}

/**
 * tdx_model_add_fault() - make calls go wrong
 * @fault: which and how
 */
void tdx_model_add_fault(const struct tdx_model_fault *fault)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&tdx_model.lock, flags);
	if (tdx_model.nr_faults == MODEL_MAX_FAULTS) {
		tdx_model_violation("too many faults");
	} else {
		tdx_model.fault_seen[tdx_model.nr_faults] = 0;
		tdx_model.faults[tdx_model.nr_faults++] = *fault;
	}
	raw_spin_unlock_irqrestore(&tdx_model.lock, flags);
}

void tdx_model_clear_faults(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&tdx_model.lock, flags);
	tdx_model.nr_faults = 0;
	raw_spin_unlock_irqrestore(&tdx_model.lock, flags);
}

/**
 * tdx_model_fault_happened() - whether there were calls enough for every fault
 */
bool tdx_model_fault_happened(void)
{
	int i;

	for (i = 0; i < tdx_model.nr_faults; i++)
		if (tdx_model.fault_seen[i] < tdx_model.faults[i].nth)
			return false;
	return true;
}

/**
 * tdx_model_set_hook() - have a function called before each call
 * @hook: the function; its context is that of the call
 * @data: passed to it
 */
void tdx_model_set_hook(tdx_model_hook hook, void *data)
{
	tdx_model.hook_data = data;
	smp_wmb();	/* who sees the hook sees its data */
	WRITE_ONCE(tdx_model.hook, hook);
}

/**
 * tdx_model_set_interrupts() - let interrupts come during CACHE.WB
 * @per_package: how often it is interrupted before a package is done
 */
void tdx_model_set_interrupts(unsigned int per_package)
{
	WRITE_ONCE(tdx_model.interrupts, per_package);
}

/**
 * tdx_model_set_no_entropy() - let the machine run out of random numbers
 * @leaf: of the calls that need some: %MODEL_MNG_CREATE or %MODEL_MNG_ADDCX
 * @times: how many of them find none, when they have written their page
 */
void tdx_model_set_no_entropy(unsigned int leaf, unsigned long times)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&tdx_model.lock, flags);
	tdx_model.no_entropy_leaf = leaf;
	tdx_model.no_entropy = times;
	raw_spin_unlock_irqrestore(&tdx_model.lock, flags);
}

bool tdx_model_has_entropy(unsigned int leaf)
{
	if (tdx_model.no_entropy_leaf != leaf || !tdx_model.no_entropy)
		return true;
	tdx_model.no_entropy--;
	return false;
}

/**
 * tdx_model_set_dwell() - how long calls take, so that others meet them
 * @loops: number of loops
 */
void tdx_model_set_dwell(unsigned int loops)
{
	WRITE_ONCE(tdx_model.dwell, loops);
}

/* Calls of a leaf, or of all. */
unsigned long tdx_model_calls(unsigned int leaf)
{
	return leaf == MODEL_ANY_LEAF ? tdx_model.seq : tdx_model.calls[leaf];
}

/* How often one call met another one's lock. */
unsigned long tdx_model_contended(void)
{
	return tdx_model.contended;
}

/* How often one call began while another one was under way; with a dwell only. */
unsigned long tdx_model_overlapped(void)
{
	return tdx_model.overlapped;
}

/* The number of the first and last call of a leaf, among all calls; 0 for none. */
unsigned long tdx_model_first(unsigned int leaf)
{
	return tdx_model.first[leaf];
}

unsigned long tdx_model_last(unsigned int leaf)
{
	return tdx_model.last[leaf];
}

void tdx_model_reset_calls(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&tdx_model.lock, flags);
	tdx_model.seq = 0;
	tdx_model.contended = 0;
	memset(tdx_model.calls, 0, sizeof(tdx_model.calls));
	memset(tdx_model.first, 0, sizeof(tdx_model.first));
	memset(tdx_model.last, 0, sizeof(tdx_model.last));
	raw_spin_unlock_irqrestore(&tdx_model.lock, flags);
}

/**
 * tdx_model_record() - what is known of a call
 * @seq: its number among all calls, from 1
 *
 * Return: the record, or NULL if there was none, or many since.
 */
const struct tdx_model_record *tdx_model_record(unsigned long seq)
{
	if (!seq || seq > tdx_model.seq || tdx_model.seq - seq >= MODEL_RECORDS)
		return NULL;
	return &tdx_model.records[seq % MODEL_RECORDS];
}

unsigned int tdx_model_nr_packages(void)
{
	return hweight64(tdx_model.packages);
}

unsigned int tdx_model_package_of(unsigned int cpu)
{
	return topology_logical_package_id(cpu);
}

/* Those of which a TDR is left. */
unsigned int tdx_model_tds(void)
{
	unsigned int n = 0;
	int i;

	for (i = 0; i < MODEL_MAX_TDS; i++)
		n += !!tdx_model.tds[i].tdr;
	return n;
}

/* Those that are not free; the global one is not counted. */
unsigned int tdx_model_keyids(void)
{
	unsigned int n = 0;
	int i;

	for (i = 1; i <= tdx_model.config.nr_keyids; i++)
		n += tdx_model.kot[i].state != MODEL_KOT_FREE;
	return n;
}

unsigned int tdx_model_violations(void)
{
	return tdx_model.violations;
}

/**
 * tdx_model_expect_violations() - the test did what is wrong, on purpose
 * @nr: so often
 */
void tdx_model_expect_violations(unsigned int nr)
{
	KUNIT_EXPECT_EQ(tdx_model.test, tdx_model.violations, nr);
	tdx_model.violations = 0;
}
