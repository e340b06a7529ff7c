/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the life of trust domains needs of the host: the TDX module, its status
 * codes, CPUs and packages, KeyIDs and pages.
 */
#ifndef _X86_VIRT_TDX_HOST_H
#define _X86_VIRT_TDX_HOST_H

#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/topology.h>
#include <linux/types.h>
#include <asm/tdx.h>
#include <asm/tdx_td.h>

/* SEAMCALL leaf functions beyond those of tdx.h */
#define TDH_MNG_ADDCX			1
#define TDH_MEM_PAGE_ADD		2
#define TDH_VP_ADDCX			4
#define TDH_MNG_KEY_CONFIG		8
#define TDH_MNG_CREATE			9
#define TDH_VP_CREATE			10
#define TDH_VP_FLUSH			18
#define TDH_MNG_VPFLUSHDONE		19
#define TDH_MNG_KEY_FREEID		20
#define TDH_MNG_INIT			21
#define TDH_VP_INIT			22
#define TDH_PHYMEM_PAGE_RECLAIM		28
#define TDH_PHYMEM_CACHE_WB		40
#define TDH_PHYMEM_PAGE_WBINVD		41

/* A leaf's number is in bits 15:0, the version of its arguments from here. */
#define TDX_LEAF_VERSION_SHIFT		16

/* Completion status: the upper half says what, the lower half has details. */
#define TDX_STATUS_MASK			GENMASK_ULL(63, 32)
#define TDX_INTERRUPTED_RESUMABLE	0x8000000300000000ULL
#define TDX_INTERRUPTED_RESTARTABLE	0x8000000400000000ULL
#define TDX_OPERAND_INVALID		0xC000010000000000ULL
#define TDX_OPERAND_BUSY		0x8000020000000000ULL
#define TDX_PAGE_METADATA_INCORRECT	0xC000030000000000ULL
#define TDX_TD_ASSOCIATED_PAGES_EXIST	0xC000040000000000ULL
#define TDX_TD_FATAL			0xE000060400000000ULL
#define TDX_LIFECYCLE_STATE_INCORRECT	0xC000060700000000ULL
#define TDX_TDCX_NUM_INCORRECT		0xC000061000000000ULL
#define TDX_VCPU_NOT_ASSOCIATED		0x8000070200000000ULL
#define TDX_KEY_GENERATION_FAILED	0x8000080000000000ULL
#define TDX_TD_KEYS_NOT_CONFIGURED	0x8000081000000000ULL
#define TDX_KEY_CONFIGURED		0x0000081500000000ULL
#define TDX_WBCACHE_NOT_COMPLETE	0x8000081700000000ULL
#define TDX_HKID_NOT_FREE		0xC000082000000000ULL
#define TDX_NO_HKID_READY_TO_WBCACHE	0x0000082100000000ULL
#define TDX_WBCACHE_RESUME_ERROR	0xC000082300000000ULL
#define TDX_FLUSHVP_NOT_DONE		0x8000082400000000ULL

/* Operand ids, in bits 31:0 of some of the above */
#define TDX_OPERAND_ID_RCX		1
#define TDX_OPERAND_ID_RDX		2
#define TDX_OPERAND_ID_TDR		128
#define TDX_OPERAND_ID_TDCX		129
#define TDX_OPERAND_ID_TDVPR		130
#define TDX_OPERAND_ID_KOT		186
#define TDX_OPERAND_ID_KET		187
#define TDX_OPERAND_ID_WBCACHE		188

/* How often something is tried that the module says to try again. */
#define TDX_MAX_TRIES			1000

/* How often a cache write-back goes on after an interruption; each gets further. */
#define TDX_MAX_RESUMES			65536

/* Records of leaks of pages only; those of KeyIDs are bounded by the KeyIDs. */
#define TDX_MAX_PAGE_LEAKS		64

/**
 * struct tdx_host - the host as this code sees it
 * @global_keyid: the TDX module's own KeyID
 * @keyid_start: the first KeyID for guests
 * @nr_keyids: how many there are; 0 if TDX is not enabled
 * @nr_tdcs: how many TDCX pages a TD takes
 * @nr_tdvpx: how many TDVPX pages a vCPU takes, the TDVPR not counted
 */
struct tdx_host {
	u32 global_keyid;
	u32 keyid_start;
	u32 nr_keyids;
	u32 nr_tdcs;
	u32 nr_tdvpx;
};

extern struct tdx_host tdx_host;

#ifdef CONFIG_INTEL_TDX_HOST_KUNIT_TEST

/**
 * struct tdx_test_host - a host made up by a test
 * @host: its numbers
 * @call: called for each SEAMCALL, on the CPU that issues it
 * @nr_packages: how many packages it has
 * @package_of: the package of a CPU, from 0; real CPUs, online or not
 * @page_alloc: allocates a zeroed page, NULL for the real thing
 * @page_free: frees one, NULL for the real thing
 * @hurry: nobody else uses the module: not to sleep before a SEAMCALL is repeated
 */
struct tdx_test_host {
	struct tdx_host host;
	u64 (*call)(u64 fn, struct tdx_module_args *args);
	unsigned int nr_packages;
	unsigned int (*package_of)(unsigned int cpu);
	struct page *(*page_alloc)(void);
	void (*page_free)(struct page *page);
	bool hurry;
};

extern const struct tdx_test_host *tdx_test_host;

/*
 * Put a made-up host in place of the real one, and take it away again with all
 * records of KeyIDs and leaks. -EBUSY if the real one has TDX enabled.
 */
int tdx_test_host_install(const struct tdx_test_host *host);
void tdx_test_host_remove(void);

#define TDX_TEST_HOST		READ_ONCE(tdx_test_host)

#else /* !CONFIG_INTEL_TDX_HOST_KUNIT_TEST */

/* Never called: lets what a test replaces read the same with and without. */
struct tdx_test_host {
	u64 (*call)(u64 fn, struct tdx_module_args *args);
	unsigned int nr_packages;
	unsigned int (*package_of)(unsigned int cpu);
	struct page *(*page_alloc)(void);
	void (*page_free)(struct page *page);
	bool hurry;
};

#define TDX_TEST_HOST		((const struct tdx_test_host *)NULL)

#endif /* CONFIG_INTEL_TDX_HOST_KUNIT_TEST */

static inline u64 tdx_seamcall(u64 fn, struct tdx_module_args *args)
{
	const struct tdx_test_host *test = TDX_TEST_HOST;

	return test ? test->call(fn, args) : __seamcall_ret(fn, args);
}

static inline unsigned int tdx_nr_packages(void)
{
	const struct tdx_test_host *test = TDX_TEST_HOST;

	return test ? test->nr_packages : topology_max_packages();
}

static inline unsigned int tdx_package_of(unsigned int cpu)
{
	const struct tdx_test_host *test = TDX_TEST_HOST;

	return test ? test->package_of(cpu) : topology_logical_package_id(cpu);
}

static inline bool tdx_may_sleep(void)
{
	const struct tdx_test_host *test = TDX_TEST_HOST;

	return !test || !test->hurry;
}

static inline struct page *tdx_alloc_page(void)
{
	const struct tdx_test_host *test = TDX_TEST_HOST;

	return test && test->page_alloc ? test->page_alloc() :
					  alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
}

static inline void tdx_free_page(struct page *page)
{
	const struct tdx_test_host *test = TDX_TEST_HOST;

	if (test && test->page_free)
		test->page_free(page);
	else
		__free_page(page);
}

/* One online CPU per package: tdx_package.c */
typedef u64 (*tdx_package_fn)(struct tdx_td *td);
int tdx_on_each_package(tdx_package_fn fn, struct tdx_td *td, u64 *status);
bool tdx_is_last_of_package(unsigned int cpu);

/* KeyIDs and leaks: tdx_keyid.c */
int tdx_keyid_init(void);
void tdx_keyid_exit(void);
int tdx_keyid_alloc(struct tdx_td *td);
void tdx_keyid_free(struct tdx_td *td);
bool tdx_keyids_in_use(void);
struct tdx_leak *tdx_leak_alloc(void);
void tdx_leak_free(struct tdx_leak *leak);
void tdx_leak_record(struct tdx_td *td, u64 pages, struct tdx_leak_info *info);

/* The CPUs that have vCPUs' state: tdx_td_teardown.c */
void tdx_vp_start_cpus(void);
int tdx_vp_flush_cpu(unsigned int cpu);

#endif /* _X86_VIRT_TDX_HOST_H */
