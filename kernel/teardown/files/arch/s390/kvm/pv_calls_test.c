// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests: how many Ultravisor calls a reboot of a protected guest takes,
 * and the Ultravisor model's own return codes.
 *
 * The guests have one page in each 64 MiB, so that 256 GiB of them fit into a
 * small machine: a page stands for 16384. Every page that is there takes exactly
 * one call, which is asserted; so the calls for a guest that has all its pages
 * follow by multiplication. The process's own pages are all there.
 */
#include <kunit/test.h>
#include <asm/uv.h>

#include "kvm-s390.h"
#include "pv_test_vm.h"
#include "uv_model.h"

#define STRIDE		SZ_64M
#define STANDS_FOR	(STRIDE / PAGE_SIZE)
/* The process's own memory; QEMU has more before its guest has even started. */
#define OWN_PAGES	(SZ_8M / PAGE_SIZE)
#define NR_VCPUS	4UL

struct calls {
	unsigned long pages;
	unsigned long other;
};

static struct calls calls_of(struct pv_test_vm *vm, u32 cmd)
{
	struct calls calls = {};

	uv_model_reset_calls();
	if (pv_test_do(vm, cmd))
		return calls;
	calls.pages = uv_model_calls(UVC_CMD_DESTR_SEC_STOR);
	calls.other = uv_model_all_calls() - calls.pages;
	return calls;
}

/* What a guest that has all its pages takes; @own of the calls are for others. */
static unsigned long full(struct calls calls, unsigned long own)
{
	return (calls.pages - own) * STANDS_FOR + own + calls.other;
}

struct reboots {
	struct calls disable;
	struct calls prepare;
	struct calls perform;
};

/* One synchronous reboot, one asynchronous. */
static struct reboots reboot_twice(struct kunit *test, unsigned long ram)
{
	const struct pv_test_config config = {
		.ram = ram, .stride = STRIDE, .own = OWN_PAGES,
		.vcpus = NR_VCPUS, .limit = TASK_SIZE_MAX - 1,
	};
	struct pv_test_vm *vm = pv_test_vm_create(test, &config);
	struct reboots reboots;

	pv_test_protect(test, vm);
	reboots.disable = calls_of(vm, KVM_PV_DISABLE);
	pv_test_protect(test, vm);
	reboots.prepare = calls_of(vm, KVM_PV_ASYNC_CLEANUP_PREPARE);
	reboots.perform = calls_of(vm, KVM_PV_ASYNC_CLEANUP_PERFORM);
	pv_test_expect_destroyed(test, vm);

	/* The memory of the next one has to fit, too. */
	pv_test_exit(test);
	pv_test_init(test);
	return reboots;
}

/*
 * What is printed here becomes a table and a plot of user space's documentation.
 *
 * A synchronous reboot takes a call for each page of the guest and of its
 * process, each vCPU and the configuration; an asynchronous one for 2 GiB and
 * each vCPU. 2 GiB are exactly 1/32 of 64 GiB: whether the whole is at most
 * that, too, depends on the process to have 31 pages of its own for each vCPU.
 */
static void the_reboot_path_is_constant_above_2g(struct kunit *test)
{
	static const unsigned int sizes[] = { 4, 16, 64, 256 };
	unsigned long ram, disable, prepare;
	struct reboots reboots;
	int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ram = (unsigned long)sizes[i] * SZ_1G;
		reboots = reboot_twice(test, ram);
		KUNIT_EXPECT_EQ(test, reboots.disable.pages, ram / STRIDE + OWN_PAGES);
		KUNIT_EXPECT_EQ(test, reboots.perform.pages, ram / STRIDE + OWN_PAGES);

		disable = full(reboots.disable, OWN_PAGES);
		prepare = full(reboots.prepare, 0);
		kunit_info(test, "calls: %u GiB, %lu vCPUs, %lu pages of its own: %lu %lu %lu\n",
			   sizes[i], NR_VCPUS, OWN_PAGES, disable, prepare,
			   full(reboots.perform, OWN_PAGES));

		KUNIT_EXPECT_EQ(test, disable, ram / PAGE_SIZE + OWN_PAGES + NR_VCPUS + 1);
		KUNIT_EXPECT_EQ(test, prepare, SZ_2G / PAGE_SIZE + NR_VCPUS);
		if (sizes[i] >= 64)
			KUNIT_EXPECT_LE(test, 32 * prepare, disable);
		if (sizes[i] == 64)
			KUNIT_EXPECT_EQ(test, 32 * prepare,
					disable - OWN_PAGES + 31 * NR_VCPUS - 1);
	}
}

static int call_nodata(u16 cmd, u64 handle, u16 *rc)
{
	u16 rrc;

	return uv_cmd_nodata(handle, cmd, rc, &rrc);
}

static void the_model_refuses_what_is_wrong(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_vm_create(test, &PV_TEST_SMALL);
	struct uv_cb_csc csc = {
		.header.cmd = UVC_CMD_CREATE_SEC_CPU, .header.len = sizeof(csc),
	};
	struct uv_cb_cgc cgc = {
		.header.cmd = UVC_CMD_CREATE_SEC_CONF, .header.len = sizeof(cgc),
		.guest_stor_origin = PAGE_SIZE,
	};
	u64 handle;
	u16 rc;

	KUNIT_EXPECT_NE(test, uv_call(0, (u64)&cgc), 0);
	KUNIT_EXPECT_EQ(test, cgc.header.rc, UV_RC_CGC_ORIGIN);
	cgc.guest_stor_origin = 0;
	KUNIT_EXPECT_NE(test, uv_call(0, (u64)&cgc), 0);
	KUNIT_EXPECT_EQ(test, cgc.header.rc, UV_RC_CGC_LEN);
	cgc.guest_stor_len = SZ_4G;
	KUNIT_EXPECT_NE(test, uv_call(0, (u64)&cgc), 0);
	KUNIT_EXPECT_EQ(test, cgc.header.rc, UV_RC_CGC_ASCE);

	pv_test_protect(test, vm);
	handle = kvm_s390_pv_get_handle(vm->kvm);
	KUNIT_EXPECT_NE(test, call_nodata(UVC_CMD_DESTROY_SEC_CONF, 1, &rc), 0);
	KUNIT_EXPECT_EQ(test, rc, UV_RC_INV_GHANDLE);
	KUNIT_EXPECT_NE(test, call_nodata(UVC_CMD_DESTROY_SEC_CPU, handle, &rc), 0);
	KUNIT_EXPECT_EQ(test, rc, UV_RC_INV_CHANDLE);
	/* It has CPUs. */
	KUNIT_EXPECT_NE(test, call_nodata(UVC_CMD_DESTROY_SEC_CONF, handle, &rc), 0);
	KUNIT_EXPECT_EQ(test, rc, UV_RC_INV_STATE);

	csc.guest_handle = 1;
	KUNIT_EXPECT_NE(test, uv_call(0, (u64)&csc), 0);
	KUNIT_EXPECT_EQ(test, csc.header.rc, UV_RC_INV_GHANDLE);
	csc.guest_handle = handle;
	KUNIT_EXPECT_NE(test, uv_call(0, (u64)&csc), 0);
	KUNIT_EXPECT_EQ(test, csc.header.rc, UV_RC_CSC_DEFINED);
	csc.num = 248;
	KUNIT_EXPECT_NE(test, uv_call(0, (u64)&csc), 0);
	KUNIT_EXPECT_EQ(test, csc.header.rc, UV_RC_CSC_NUM);

	KUNIT_EXPECT_EQ(test, uv_model_violations(), 0U);
	csc.header.len = 8;
	KUNIT_EXPECT_NE(test, uv_call(0, (u64)&csc), 0);
	KUNIT_EXPECT_EQ(test, csc.header.rc, UV_RC_INV_LEN);
	csc.header.cmd = 0x7777;
	KUNIT_EXPECT_NE(test, uv_call(0, (u64)&csc), 0);
	KUNIT_EXPECT_EQ(test, csc.header.rc, UV_RC_INV_CMD);
	KUNIT_EXPECT_EQ(test, uv_model_violations(), 2U);
}

static void the_model_notices_storage_that_is_freed_too_early(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_vm_create(test, &PV_TEST_SMALL);
	struct page *page;
	u64 handle;
	u16 rc;

	pv_test_protect(test, vm);
	handle = kvm_s390_pv_get_handle(vm->kvm);
	KUNIT_EXPECT_EQ(test, uv_model_kept_pages(), uv_model_donated_pages());
	page = virt_to_page((void *)vm->kvm->arch.pv.stor_base);
	put_page(page);
	KUNIT_EXPECT_EQ(test, uv_model_kept_pages(), uv_model_donated_pages() - 2);
	KUNIT_EXPECT_EQ(test, kvm_s390_cpus_from_pv(vm->kvm, &rc, &rc), 0);
	KUNIT_EXPECT_EQ(test, call_nodata(UVC_CMD_DESTROY_SEC_CONF, handle, &rc), 0);
	KUNIT_EXPECT_EQ(test, uv_model_violations(), 1U);
	/* KVM knows nothing of all that, and is going to be refused. */
	get_page(page);
}

static struct kunit_case pv_calls_test_cases[] = {
	KUNIT_CASE(the_model_refuses_what_is_wrong),
	KUNIT_CASE(the_model_notices_storage_that_is_freed_too_early),
	KUNIT_CASE(the_reboot_path_is_constant_above_2g),
	{}
};

static struct kunit_suite pv_calls_test_suite = {
	.name = "kvm_s390_pv_calls",
	.init = pv_test_init,
	.exit = pv_test_exit,
	.test_cases = pv_calls_test_cases,
};

kunit_test_suite(pv_calls_test_suite);
