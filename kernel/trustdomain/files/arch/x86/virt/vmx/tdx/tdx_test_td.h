/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trust domains for KUnit tests: all but the TDX module is real.
 */
#ifndef _X86_VIRT_TDX_TEST_TD_H
#define _X86_VIRT_TDX_TEST_TD_H

#include <kunit/test.h>
#include <asm/tdx_td.h>

#include "tdx_model.h"

#define TDX_TEST_GLOBAL_KEYID	40
#define TDX_TEST_KEYIDS		4
#define TDX_TEST_TDCS		6
#define TDX_TEST_TDVPX		5
#define TDX_TEST_VPS		8
/* Of a TD with so many vCPUs. */
#define TDX_TEST_CONTROL(vps)	(1 + TDX_TEST_TDCS + (vps) * (1 + TDX_TEST_TDVPX))

/**
 * struct tdx_test_td - a trust domain and what was heard of it
 * @td: the TD
 * @vps: its vCPUs
 * @nr_vps: how many of them tdx_test_boot() gives it
 * @nr_pages: how many private pages tdx_test_boot() gives it
 * @states: bits of the states that it came to
 * @released: KeyID that was given back last, or 0
 * @nr_released: how often one was
 * @leaks: how often something leaked
 * @leaked_pages: how many pages did
 */
struct tdx_test_td {
	struct tdx_td td;
	struct tdx_vp vps[TDX_TEST_VPS];
	unsigned int nr_vps;
	unsigned int nr_pages;
	unsigned long states;
	u32 released;
	unsigned int nr_released;
	unsigned int leaks;
	u64 leaked_pages;
};

int tdx_test_init(struct kunit *test);
void tdx_test_exit(struct kunit *test);
/* Other numbers than those of tdx_test_init(): a new machine, all is forgotten. */
void tdx_test_reinstall(struct kunit *test, const struct tdx_model_config *config);
/* Sleep as the real thing does before a call is repeated: others use the module. */
void tdx_test_take_time(void);
#define TDX_TEST_CONFIG ((struct tdx_model_config) {			\
	.global_keyid = TDX_TEST_GLOBAL_KEYID,				\
	.nr_keyids = TDX_TEST_KEYIDS,					\
	.tdcs_pages = TDX_TEST_TDCS,					\
	.tdvps_pages = TDX_TEST_TDVPX,					\
})

/* Not created in the module yet. */
struct tdx_test_td *tdx_test_new(struct kunit *test, unsigned int nr_vps,
				 unsigned int nr_pages);
/* Create, initialize, vCPUs, pages; stops at the first error. */
int tdx_test_boot(struct tdx_test_td *t);
/* Forget what it was, for another life. */
void tdx_test_renew(struct tdx_test_td *t);
struct tdx_td_info tdx_test_info(struct tdx_test_td *t);
struct tdx_capacity tdx_test_capacity(void);

/* Run on this CPU, or anywhere again. */
void tdx_test_pin(int cpu);
#define TDX_TEST_ANYWHERE	(-1)

/* Of the next page allocations the @nth fails; 0: none does. */
void tdx_test_fail_page(unsigned long nth);
bool tdx_test_page_failed(void);

/*
 * Nobody lives: what the module has not given back, what the host has not freed
 * and what is accounted for as leaked is the same.
 */
void tdx_test_expect_exact(struct kunit *test);
void tdx_test_expect_nothing_left(struct kunit *test);
/* The same numbers in one TD's events as in the host's records. */
void tdx_test_expect_reported(struct kunit *test, struct tdx_test_td *t);

#endif /* _X86_VIRT_TDX_TEST_TD_H */
