/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of the TDX module for KUnit tests.
 *
 * Leaves, status codes and operand ids have names of their own here: a number
 * that is wrong in the driver must not be right in the model because of that.
 */
#ifndef _X86_VIRT_TDX_MODEL_H
#define _X86_VIRT_TDX_MODEL_H

#include <linux/limits.h>
#include <linux/types.h>

struct kunit;
struct tdx_module_args;

enum tdx_model_leaf {
	MODEL_MNG_ADDCX		= 1,
	MODEL_MEM_PAGE_ADD	= 2,
	MODEL_VP_ADDCX		= 4,
	MODEL_MEM_RANGE_BLOCK	= 7,
	MODEL_MNG_KEY_CONFIG	= 8,
	MODEL_MNG_CREATE	= 9,
	MODEL_VP_CREATE		= 10,
	MODEL_VP_FLUSH		= 18,
	MODEL_MNG_VPFLUSHDONE	= 19,
	MODEL_MNG_KEY_FREEID	= 20,
	MODEL_MNG_INIT		= 21,
	MODEL_VP_INIT		= 22,
	MODEL_PAGE_RECLAIM	= 28,
	MODEL_MEM_PAGE_REMOVE	= 29,
	MODEL_MEM_TRACK		= 38,
	MODEL_CACHE_WB		= 40,
	MODEL_PAGE_WBINVD	= 41,
	MODEL_NR_LEAVES		= 64,
	MODEL_ANY_LEAF		= MODEL_NR_LEAVES,
};

#define MODEL_INTERRUPTED		0x8000000300000000ULL
#define MODEL_OPERAND_INVALID		0xc000010000000000ULL
#define MODEL_BUSY			0x8000020000000000ULL
#define MODEL_RND_NO_ENTROPY		0x8000020300000000ULL
#define MODEL_PAGE_METADATA		0xc000030000000000ULL
#define MODEL_PAGES_EXIST		0xc000040000000000ULL
#define MODEL_TD_FATAL			0xe000060400000000ULL
#define MODEL_LIFECYCLE			0xc000060700000000ULL
#define MODEL_OP_STATE			0xc000060800000000ULL
#define MODEL_TDCX_NUM			0xc000061000000000ULL
#define MODEL_VCPU_STATE		0xc000070000000000ULL
#define MODEL_NOT_ASSOCIATED		0x8000070200000000ULL
#define MODEL_KEY_GENERATION		0x8000080000000000ULL
#define MODEL_KEYS_NOT_CONFIGURED	0x8000081000000000ULL
#define MODEL_KEY_CONFIGURED		0x0000081500000000ULL
#define MODEL_WB_NOT_COMPLETE		0x8000081700000000ULL
#define MODEL_KEYID_NOT_FREE		0xc000082000000000ULL
#define MODEL_NO_KEYID_TO_WB		0x0000082100000000ULL
#define MODEL_WB_RESUME			0xc000082300000000ULL
#define MODEL_FLUSH_NOT_DONE		0x8000082400000000ULL
#define MODEL_NOT_BLOCKED		0xc0000b0400000000ULL
#define MODEL_NOT_TRACKED		0xc0000b0800000000ULL
/* Not of the module: the instruction found none. */
#define MODEL_NO_MODULE			0x8000ff00ffff0000ULL

/* Operand ids. */
#define MODEL_RCX	1
#define MODEL_RDX	2
#define MODEL_R8	8
#define MODEL_R9	9
#define MODEL_TDR	128
#define MODEL_KOT	186
#define MODEL_KET	187
#define MODEL_WBCACHE	188

/**
 * struct tdx_model_config - what the machine and its module are like
 * @global_keyid: the module's own; the guests' follow it
 * @nr_keyids: how many guests can have
 * @tdcs_pages: TDCX pages that a TD needs
 * @tdvps_pages: TDCX pages that a vCPU needs, its TDVPR not counted
 * @v1_0: behave as module 1.0 and not as 1.5
 * @max_pages: how many pages the module can have metadata of; 0 for a few
 */
struct tdx_model_config {
	u16 global_keyid;
	u16 nr_keyids;
	u8 tdcs_pages;
	u8 tdvps_pages;
	bool v1_0;
	unsigned int max_pages;
};

/**
 * struct tdx_model_fault - what goes wrong
 * @leaf: the calls that are meant, %MODEL_ANY_LEAF for all
 * @nth: which of them, counted from when the fault is set, from 1
 * @times: how many in a row
 * @status: what they return, without having done anything
 */
struct tdx_model_fault {
	unsigned int leaf;
	unsigned long nth;
	unsigned long times;
	u64 status;
};

#define MODEL_FOREVER	(ULONG_MAX / 2)

/**
 * struct tdx_model_record - a call that was made
 * @leaf: of it
 * @rcx: its first operand
 * @status: what it returned
 * @cpu: where it was made
 * @package: of that CPU
 */
struct tdx_model_record {
	unsigned int leaf;
	u64 rcx;
	u64 status;
	unsigned int cpu;
	unsigned int package;
};

/* Called before each call; by whom and where the call is. */
typedef void (*tdx_model_hook)(unsigned int leaf, unsigned long nth, void *data);

void tdx_model_install(struct kunit *test, const struct tdx_model_config *config);
void tdx_model_remove(void);
u64 tdx_model_call(u64 fn, struct tdx_module_args *args);

void tdx_model_add_fault(const struct tdx_model_fault *fault);
void tdx_model_clear_faults(void);
bool tdx_model_fault_happened(void);
void tdx_model_set_hook(tdx_model_hook hook, void *data);
void tdx_model_set_interrupts(unsigned int per_package);
void tdx_model_set_no_entropy(unsigned int leaf, unsigned long times);
void tdx_model_set_dwell(unsigned int loops);

unsigned long tdx_model_calls(unsigned int leaf);
unsigned long tdx_model_contended(void);
unsigned long tdx_model_overlapped(void);
unsigned long tdx_model_first(unsigned int leaf);
unsigned long tdx_model_last(unsigned int leaf);
void tdx_model_reset_calls(void);
const struct tdx_model_record *tdx_model_record(unsigned long seq);

unsigned int tdx_model_nr_packages(void);
unsigned int tdx_model_package_of(unsigned int cpu);
unsigned int tdx_model_tds(void);
unsigned int tdx_model_keyids(void);
unsigned long tdx_model_owned_pages(void);
unsigned long tdx_model_kept_pages(void);
unsigned int tdx_model_violations(void);
void tdx_model_expect_violations(unsigned int nr);
void tdx_model_audit(void);

#endif /* _X86_VIRT_TDX_MODEL_H */
