/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The inside of the model of the TDX module.
 *
 * Locking: tdx_model.lock guards all of it; tdx_model_call() holds it while a
 * leaf's function runs, with interrupts off. The module's own locks are counts
 * below it: they never make anyone wait.
 */
#ifndef _X86_VIRT_TDX_MODEL_INTERNAL_H
#define _X86_VIRT_TDX_MODEL_INTERNAL_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <asm/shared/tdx.h>

#include "tdx_model.h"

#define MODEL_FEW_PAGES		2048
#define MODEL_MAX_TDS		64
#define MODEL_MAX_VPS		512
#define MODEL_MAX_KEYIDS	64
#define MODEL_MAX_PACKAGES	8
#define MODEL_MAX_FAULTS	4
#define MODEL_RECORDS		8192

/* Page types; as the module has them. */
enum tdx_model_pt {
	MODEL_PT_NDA	= 0,
	MODEL_PT_REG	= 3,
	MODEL_PT_TDR	= 4,
	MODEL_PT_TDCX	= 5,
	MODEL_PT_TDVPR	= 6,
};

enum tdx_model_td_state {
	MODEL_TD_ASSIGNED,
	MODEL_TD_CONFIGURED,
	MODEL_TD_BLOCKED,
	MODEL_TD_TEARDOWN,
};

enum tdx_model_kot_state {
	MODEL_KOT_FREE,
	MODEL_KOT_ASSIGNED,
	MODEL_KOT_FLUSHED,
	MODEL_KOT_RESERVED,
};

struct tdx_model_td {
	struct tdx_model_page *tdr;	/* NULL: this one is unused */
	enum tdx_model_td_state state;
	unsigned int keyid;
	u64 keyed;			/* packages that have its key */
	unsigned int tdcx;
	bool init;
	unsigned int associated;
	unsigned long children;
	unsigned long epoch;		/* of its TLBs */
};

struct tdx_model_vp {
	struct tdx_model_td *td;	/* NULL: this one is unused */
	unsigned int tdcx;
	bool ready;
	int cpu;			/* with which it is associated, or -1 */
};

struct tdx_model_page {
	struct hlist_node node;
	unsigned long pfn;
	struct page *page;		/* the model has a reference */
	enum tdx_model_pt type;
	int lock;
	struct tdx_model_td *td;
	struct tdx_model_vp *vp;
	bool cached;			/* a TDR that is not written back */
	struct hlist_node gpa_node;	/* private pages only, from here */
	u64 gpa;
	bool blocked;
	unsigned long epoch;		/* when it was blocked */
};

struct tdx_model {
	raw_spinlock_t lock;		/* see above */
	struct kunit *test;
	struct tdx_model_config config;
	u64 packages;

	struct hlist_head *hash;	/* of pages by address */
	struct hlist_head *gpa_hash;	/* of private pages by TD and GPA */
	struct tdx_model_page *pages;
	unsigned int nr_pages;
	unsigned int hash_bits;
	struct tdx_model_td tds[MODEL_MAX_TDS];
	struct tdx_model_vp vps[MODEL_MAX_VPS];

	int kot_lock;
	struct {
		enum tdx_model_kot_state state;
		u64 to_write_back;	/* packages */
	} kot[MODEL_MAX_KEYIDS];
	struct {
		int key_lock;
		int wb_lock;
		u64 keys;		/* KeyIDs with a key of a living TD */
		u64 flushed;		/* KeyIDs that CACHE.WB writes back now */
		unsigned int point;	/* where it was interrupted */
	} package[MODEL_MAX_PACKAGES];

	unsigned long seq;
	unsigned long calls[MODEL_NR_LEAVES];
	unsigned long first[MODEL_NR_LEAVES];
	unsigned long last[MODEL_NR_LEAVES];
	struct tdx_model_record *records;
	unsigned long contended;
	unsigned int running;		/* calls, just now */
	unsigned long overlapped;

	struct tdx_model_fault faults[MODEL_MAX_FAULTS];
	unsigned long fault_seen[MODEL_MAX_FAULTS];
	unsigned int nr_faults;
	tdx_model_hook hook;
	void *hook_data;
	unsigned int interrupts;
	unsigned int no_entropy_leaf;
	unsigned long no_entropy;
	unsigned int dwell;
	unsigned int violations;
};

extern struct tdx_model tdx_model;

/* No kunit_err(): it may sleep. */
#define tdx_model_violation(fmt, ...)					\
do {									\
	tdx_model.violations++;						\
	pr_err("TDX module's model: " fmt "\n", ##__VA_ARGS__);		\
} while (0)

/* What a call is about: found, and locked, before its function runs. */
struct tdx_model_ctx {
	struct tdx_module_args *args;
	unsigned int version;
	struct tdx_model_page *rcx;
	struct tdx_model_page *rdx;
	struct tdx_model_page *r8;
	struct tdx_model_td *td;
	unsigned int package;
	int cpu;
};

typedef u64 (*tdx_model_fn)(struct tdx_model_ctx *ctx);

enum tdx_model_hold { NOT, SHARED, EXCLUSIVE };

/* The locks that a leaf takes. */
struct tdx_model_leaf_info {
	tdx_model_fn fn;
	enum tdx_model_hold rcx;
	enum tdx_model_hold rdx;
	enum tdx_model_hold r8;
	enum tdx_model_hold tdr;	/* of the page's owner, implicitly */
	enum tdx_model_hold kot;
	bool key;			/* the package's key table */
	bool wb;			/* the package's write-back state */
	bool in_rdx;			/* the TDR or TDVPR is in RDX */
};

extern const struct tdx_model_leaf_info tdx_model_leaves[MODEL_NR_LEAVES];

struct tdx_model_page *tdx_model_find(unsigned long pfn);
struct tdx_model_page *tdx_model_page(u64 pa);
void tdx_model_take(struct tdx_model_page *page, enum tdx_model_pt type,
		    struct tdx_model_td *td);
void tdx_model_write(struct tdx_model_page *page);
void tdx_model_return(struct tdx_model_page *page);
bool tdx_model_has_entropy(unsigned int leaf);
void tdx_model_map(struct tdx_model_page *page, u64 gpa);
struct tdx_model_page *tdx_model_find_gpa(struct tdx_model_td *td, u64 gpa);
int tdx_model_alloc_pages(void);
void tdx_model_release_pages(void);

#endif /* _X86_VIRT_TDX_MODEL_INTERNAL_H */
