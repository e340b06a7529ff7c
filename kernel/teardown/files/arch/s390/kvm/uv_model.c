// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model of the Ultravisor for KUnit tests.
 *
 * It takes the place of the instruction that calls the Ultravisor, knows
 * configurations, their CPUs, the storage donated for both and who owns which
 * page, and refuses what the Ultravisor refuses. Any call can be made to fail,
 * to ask for another try, or to wait.
 *
 * Locking: model.lock serializes calls about configurations and CPUs, which
 * may sleep. Calls about pages may come under spinlocks; they only use atomic
 * counters and the xarray's own lock.
 */
#include <kunit/test.h>
#include <linux/bitops.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>
#include <asm/uv.h>

#include "kvm-s390.h"
#include "uv_model.h"
#include "uv_storage.h"

struct uv_model_conf {
	struct list_head node;
	u64 handle;
	unsigned int cpus;
	bool alive;
};

struct uv_model_cpu {
	struct list_head node;
	struct uv_model_conf *conf;
	u64 handle;
	u16 num;
	bool alive;
};

static const struct {
	u16 cmd;
	u16 len;
} uv_model_cmds[] = {
	{ UVC_CMD_CREATE_SEC_CONF, sizeof(struct uv_cb_cgc) },
	{ UVC_CMD_DESTROY_SEC_CONF, sizeof(struct uv_cb_nodata) },
	{ UVC_CMD_DESTROY_SEC_CONF_FAST, sizeof(struct uv_cb_destroy_fast) },
	{ UVC_CMD_CREATE_SEC_CPU, sizeof(struct uv_cb_csc) },
	{ UVC_CMD_DESTROY_SEC_CPU, sizeof(struct uv_cb_nodata) },
	{ UVC_CMD_CONV_FROM_SEC_STOR, sizeof(struct uv_cb_cfs) },
	{ UVC_CMD_DESTR_SEC_STOR, sizeof(struct uv_cb_cfs) },
	{ UVC_CMD_PIN_PAGE_SHARED, sizeof(struct uv_cb_cfs) },
};

static struct {
	struct mutex lock;	/* see above */
	struct kunit *test;
	struct list_head confs;
	struct list_head cpus;
	struct xarray pages;
	atomic_long_t nr_secure;
	atomic_long_t calls[ARRAY_SIZE(uv_model_cmds)];
	u64 last_handle;
	bool old_firmware;
	struct uv_model_fault fault;
	atomic_long_t fault_seen;
	uv_model_hook hook;
	void *hook_data;
	atomic_t violations;
	struct uv_info saved_info;
	int saved_host;
} model;

static int uv_model_slot(u16 cmd)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(uv_model_cmds); i++)
		if (uv_model_cmds[i].cmd == cmd)
			return i;
	return -1;
}

#define uv_model_violation(fmt, ...)					\
do {									\
	atomic_inc(&model.violations);					\
	kunit_err(model.test, "Ultravisor model: " fmt, ##__VA_ARGS__);	\
} while (0)

static void uv_model_hold(struct page *page, unsigned int order, void *area,
			  u64 owner)
{
	if (!uv_storage_hold(page, order, area, owner))
		uv_model_violation("out of memory");
}

/* The owner is gone: from now on KVM may free what it gave. */
static void uv_model_give_back(u64 owner)
{
	if (!uv_storage_give_back(owner))
		uv_model_violation("storage of %llx was freed too early", owner);
}

static struct uv_model_conf *uv_model_find_conf(u64 handle)
{
	struct uv_model_conf *conf;

	list_for_each_entry(conf, &model.confs, node)
		if (conf->alive && conf->handle == handle)
			return conf;
	return NULL;
}

static u16 uv_model_check_conf(struct uv_cb_cgc *uvcb)
{
	unsigned long type = uvcb->guest_asce & _ASCE_TYPE_MASK;

	if (uvcb->guest_stor_origin & ~HPAGE_MASK)
		return UV_RC_CGC_ORIGIN;
	if (!uvcb->guest_stor_len || uvcb->guest_stor_len & ~HPAGE_MASK ||
	    uvcb->guest_stor_len > uv_info.max_sec_stor_addr)
		return UV_RC_CGC_LEN;
	if (!(uvcb->guest_asce & _ASCE_ORIGIN) ||
	    (type == _ASCE_TYPE_SEGMENT && uvcb->guest_stor_len > SZ_2G))
		return UV_RC_CGC_ASCE;
	return UVC_RC_EXECUTED;
}

static void uv_model_hold_area(void *area, unsigned long len, u64 owner)
{
	unsigned long offset;

	for (offset = 0; offset < len; offset += PAGE_SIZE)
		uv_model_hold(vmalloc_to_page(area + offset), 0,
			      offset ? NULL : area, owner);
}

static u16 uv_model_create_conf(struct uv_cb_cgc *uvcb)
{
	unsigned long var = uv_info.guest_virt_var_stor_len;
	u16 rc = uv_model_check_conf(uvcb);
	struct uv_model_conf *conf;

	if (rc != UVC_RC_EXECUTED)
		return rc;

	conf = kzalloc(sizeof(*conf), GFP_KERNEL);
	if (!conf)
		return UV_RC_INV_STATE;
	conf->handle = ++model.last_handle;
	conf->alive = true;
	list_add(&conf->node, &model.confs);

	uv_model_hold(phys_to_page(uvcb->conf_base_stor_origin),
		      get_order(uv_info.guest_base_stor_len), NULL, conf->handle);
	uv_model_hold_area((void *)uvcb->conf_virt_stor_origin,
			   ALIGN(var * (uvcb->guest_stor_len / HPAGE_SIZE), PAGE_SIZE) +
			   uv_info.guest_virt_base_stor_len, conf->handle);
	uv_model_hold(phys_to_page(uvcb->guest_asce & _ASCE_ORIGIN),
		      CRST_ALLOC_ORDER, NULL, conf->handle);

	uvcb->guest_handle = conf->handle;
	return UVC_RC_EXECUTED;
}

static u16 uv_model_destroy_conf(u64 handle)
{
	struct uv_model_conf *conf = uv_model_find_conf(handle);

	if (!conf)
		return UV_RC_INV_GHANDLE;
	if (conf->cpus)
		return UV_RC_INV_STATE;
	conf->alive = false;
	uv_model_give_back(handle);
	return UVC_RC_EXECUTED;
}

static u16 uv_model_create_cpu(struct uv_cb_csc *uvcb)
{
	struct uv_model_conf *conf = uv_model_find_conf(uvcb->guest_handle);
	struct uv_model_cpu *cpu;

	if (!conf)
		return UV_RC_INV_GHANDLE;
	if (uvcb->num > uv_info.max_guest_cpu_id)
		return UV_RC_CSC_NUM;
	list_for_each_entry(cpu, &model.cpus, node)
		if (cpu->alive && cpu->conf == conf && cpu->num == uvcb->num)
			return UV_RC_CSC_DEFINED;

	cpu = kzalloc(sizeof(*cpu), GFP_KERNEL);
	if (!cpu)
		return UV_RC_INV_STATE;
	cpu->conf = conf;
	cpu->handle = ++model.last_handle;
	cpu->num = uvcb->num;
	cpu->alive = true;
	list_add(&cpu->node, &model.cpus);
	WRITE_ONCE(conf->cpus, conf->cpus + 1);
	uv_model_hold(phys_to_page(uvcb->stor_origin),
		      get_order(uv_info.guest_cpu_stor_len), NULL, cpu->handle);
	uvcb->cpu_handle = cpu->handle;
	return UVC_RC_EXECUTED;
}

static u16 uv_model_destroy_cpu(u64 handle)
{
	struct uv_model_cpu *cpu;

	list_for_each_entry(cpu, &model.cpus, node) {
		if (!cpu->alive || cpu->handle != handle)
			continue;
		cpu->alive = false;
		WRITE_ONCE(cpu->conf->cpus, cpu->conf->cpus - 1);
		uv_model_give_back(handle);
		return UVC_RC_EXECUTED;
	}
	return UV_RC_INV_CHANDLE;
}

/* Context: any. */
static u16 uv_model_release_page(struct uv_cb_cfs *uvcb, bool destroy)
{
	unsigned long pfn = PHYS_PFN(uvcb->paddr);
	struct uv_model_conf *owner = xa_load(&model.pages, pfn);

	if (!owner) {
		if (!destroy || !model.old_firmware)
			return UVC_RC_EXECUTED;
		uvcb->header.rrc = 0xd;
		return UV_RC_NOT_SECURE;
	}
	/* A running guest's page can be exported, but not be taken away. */
	if (destroy && owner->alive && READ_ONCE(owner->cpus))
		return UV_RC_INV_STATE;
	if (xa_erase(&model.pages, pfn))
		atomic_long_dec(&model.nr_secure);
	return UVC_RC_EXECUTED;
}

static u16 uv_model_check_len(struct uv_cb_header *header)
{
	int slot = uv_model_slot(header->cmd);

	if (slot < 0)
		return UV_RC_INV_CMD;
	return header->len == uv_model_cmds[slot].len ? UVC_RC_EXECUTED : UV_RC_INV_LEN;
}

static u16 uv_model_execute(struct uv_cb_header *header)
{
	u16 rc;

	switch (header->cmd) {
	case UVC_CMD_DESTR_SEC_STOR:
		return uv_model_release_page((void *)header, true);
	case UVC_CMD_CONV_FROM_SEC_STOR:
		return uv_model_release_page((void *)header, false);
	case UVC_CMD_PIN_PAGE_SHARED:
		return UV_RC_INV_STATE;		/* nothing is shared */
	}

	mutex_lock(&model.lock);
	switch (header->cmd) {
	case UVC_CMD_CREATE_SEC_CONF:
		rc = uv_model_create_conf((void *)header);
		break;
	case UVC_CMD_DESTROY_SEC_CONF:
		rc = uv_model_destroy_conf(((struct uv_cb_nodata *)header)->handle);
		break;
	case UVC_CMD_DESTROY_SEC_CONF_FAST:
		rc = test_bit_inv(BIT_UVC_CMD_DESTROY_SEC_CONF_FAST,
				  uv_info.inst_calls_list) ?
		     uv_model_destroy_conf(((struct uv_cb_destroy_fast *)header)->handle) :
		     UV_RC_INV_CMD;
		break;
	case UVC_CMD_CREATE_SEC_CPU:
		rc = uv_model_create_cpu((void *)header);
		break;
	default:
		rc = uv_model_destroy_cpu(((struct uv_cb_nodata *)header)->handle);
		break;
	}
	mutex_unlock(&model.lock);
	return rc;
}

/* What is set to go wrong with this call, or NULL. */
static const struct uv_model_fault *uv_model_faulty(u16 cmd)
{
	const struct uv_model_fault *fault = &model.fault;
	long seen;

	if (!fault->times || fault->cmd != cmd)
		return NULL;
	seen = atomic_long_inc_return(&model.fault_seen);
	return seen >= fault->nth && seen < fault->nth + fault->times ? fault : NULL;
}

static int uv_model_do_call(struct uv_cb_header *header)
{
	const struct uv_model_fault *fault;
	int slot = uv_model_slot(header->cmd);
	unsigned long nth = 0;

	if (slot >= 0)
		nth = atomic_long_inc_return(&model.calls[slot]);
	if (model.hook)
		model.hook(header->cmd, nth, model.hook_data);

	header->rrc = 0;
	header->rc = uv_model_check_len(header);
	if (header->rc != UVC_RC_EXECUTED) {
		uv_model_violation("command %x is wrong: rc %x", header->cmd, header->rc);
		return UVC_CC_ERROR;
	}

	fault = uv_model_faulty(header->cmd);
	/* A configuration can be there although its creation has failed. */
	if (!fault || fault->rc & UVC_RC_NEED_DESTROY)
		header->rc = uv_model_execute(header);
	if (fault) {
		header->rc = fault->rc;
		header->rrc = fault->rrc;
		return fault->cc;
	}
	return header->rc == UVC_RC_EXECUTED ? UVC_CC_OK : UVC_CC_ERROR;
}

/* In place of the instruction. */
static int uv_model_call(unsigned long r1, unsigned long r2)
{
	int cc;
#ifdef CONFIG_FAULT_INJECTION
	/* Our own allocations are not what a test wants to fail. */
	unsigned int fail_nth = current->fail_nth;

	current->fail_nth = 0;
#endif
	cc = uv_model_do_call((struct uv_cb_header *)r2);
#ifdef CONFIG_FAULT_INJECTION
	current->fail_nth = fail_nth;
#endif
	return cc;
}

/**
 * uv_model_install() - put the model in the place of the Ultravisor
 * @test: the test that uses it
 */
void uv_model_install(struct kunit *test)
{
	memset(&model, 0, sizeof(model));
	mutex_init(&model.lock);
	model.test = test;
	INIT_LIST_HEAD(&model.confs);
	INIT_LIST_HEAD(&model.cpus);
	xa_init(&model.pages);
	model.last_handle = 0x1000;
	model.saved_info = uv_info;
	model.saved_host = prot_virt_host;

	/* Sizes differ from each other, so that no order is right by luck. */
	uv_info.guest_base_stor_len = 2 * PAGE_SIZE;
	uv_info.guest_virt_base_stor_len = PAGE_SIZE;
	uv_info.guest_virt_var_stor_len = 64;
	uv_info.guest_cpu_stor_len = 4 * PAGE_SIZE;
	uv_info.max_sec_stor_addr = 1UL << 42;
	uv_info.max_guest_cpu_id = 247;
	/* So that KVM leaves the GISA alone, which needs the machine's own. */
	set_bit_inv(BIT_UV_FEAT_AIV, &uv_info.uv_feature_indications);
	uv_model_set_fast(false);
	prot_virt_host = 1;
	WRITE_ONCE(uv_call_model, uv_model_call);
}

/**
 * uv_model_remove() - undo uv_model_install()
 */
void uv_model_remove(void)
{
	struct uv_model_conf *conf, *next_conf;
	struct uv_model_cpu *cpu, *next_cpu;

	if (!model.test)
		return;
	WRITE_ONCE(uv_call_model, NULL);
	prot_virt_host = model.saved_host;
	uv_info = model.saved_info;

	uv_storage_release();
	list_for_each_entry_safe(cpu, next_cpu, &model.cpus, node)
		kfree(cpu);
	list_for_each_entry_safe(conf, next_conf, &model.confs, node)
		kfree(conf);
	xa_destroy(&model.pages);
	model.test = NULL;
}

/**
 * uv_model_set_fault() - make calls go wrong
 * @fault: which and how; NULL for none
 */
void uv_model_set_fault(const struct uv_model_fault *fault)
{
	atomic_long_set(&model.fault_seen, 0);
	model.fault = fault ? *fault : (struct uv_model_fault) {};
}

/**
 * uv_model_fault_happened() - whether there were calls enough for the fault
 */
bool uv_model_fault_happened(void)
{
	return atomic_long_read(&model.fault_seen) >= model.fault.nth;
}

/**
 * uv_model_set_hook() - have a function called before each call is executed
 * @hook: the function; may sleep where the caller may
 * @data: passed to it
 */
void uv_model_set_hook(uv_model_hook hook, void *data)
{
	model.hook_data = data;
	WRITE_ONCE(model.hook, hook);
}

/**
 * uv_model_set_fast() - whether configurations can be destroyed in one call
 * @installed: they can
 */
void uv_model_set_fast(bool installed)
{
	if (installed)
		set_bit_inv(BIT_UVC_CMD_DESTROY_SEC_CONF_FAST, uv_info.inst_calls_list);
	else
		clear_bit_inv(BIT_UVC_CMD_DESTROY_SEC_CONF_FAST, uv_info.inst_calls_list);
}

/**
 * uv_model_set_old_firmware() - which answer a page that is not secure gets
 * @old: an error, as firmware once did
 */
void uv_model_set_old_firmware(bool old)
{
	model.old_firmware = old;
}

/**
 * uv_model_import() - give a page to a configuration
 * @handle: the configuration
 * @pfn: the page
 */
int uv_model_import(u64 handle, unsigned long pfn)
{
	struct uv_model_conf *conf;
	void *old;

	mutex_lock(&model.lock);
	conf = uv_model_find_conf(handle);
	mutex_unlock(&model.lock);
	if (!conf)
		return -EINVAL;
	old = xa_store(&model.pages, pfn, conf, GFP_KERNEL);
	if (xa_is_err(old))
		return xa_err(old);
	if (!old)
		atomic_long_inc(&model.nr_secure);
	return 0;
}

unsigned long uv_model_calls(u16 cmd)
{
	return atomic_long_read(&model.calls[uv_model_slot(cmd)]);
}

unsigned long uv_model_all_calls(void)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(uv_model_cmds); i++)
		sum += atomic_long_read(&model.calls[i]);
	return sum;
}

void uv_model_reset_calls(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(uv_model_cmds); i++)
		atomic_long_set(&model.calls[i], 0);
}

unsigned int uv_model_confs(void)
{
	struct uv_model_conf *conf;
	unsigned int n = 0;

	list_for_each_entry(conf, &model.confs, node)
		n += conf->alive;
	return n;
}

unsigned int uv_model_cpus(void)
{
	struct uv_model_cpu *cpu;
	unsigned int n = 0;

	list_for_each_entry(cpu, &model.cpus, node)
		n += cpu->alive;
	return n;
}

unsigned long uv_model_secure_pages(void)
{
	return atomic_long_read(&model.nr_secure);
}

unsigned int uv_model_violations(void)
{
	return atomic_read(&model.violations);
}
