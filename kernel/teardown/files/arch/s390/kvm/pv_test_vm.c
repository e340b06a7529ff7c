// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs for KUnit tests of protected guests.
 *
 * KVM itself does not start without SIE. So these VMs are put together by
 * hand, out of real parts: a process's memory with real pages, memory slots, a
 * gmap, vCPUs that never run, and control. Nothing of the code under test is
 * replaced; only the Ultravisor is a model.
 */
#include <kunit/test.h>
#include <linux/kthread.h>
#include <linux/kvm_control.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/gmap.h>
#include <asm/uv.h>

#include "../../../virt/kvm/control.h"
#include "kvm-s390.h"
#include "pv_test_vm.h"
#include "teardown.h"
#include "uv_model.h"

#ifdef KVM_SET_USER_MEMORY_REGION2
#define pv_test_region kvm_userspace_memory_region2
#else
#define pv_test_region kvm_userspace_memory_region
#endif

/* The VMs of the test that runs. */
static LIST_HEAD(pv_test_vms);

static struct mm_struct *pv_test_new_mm(void)
{
	struct mm_struct *mm = mm_alloc();

	if (!mm)
		return NULL;
	mm->task_size = TASK_SIZE;
	arch_pick_mmap_layout(mm, &current->signal->rlim[RLIMIT_STACK]);
	return mm;
}

/* Map @len bytes at a segment boundary. Context: the process's memory in use. */
static unsigned long pv_test_map(unsigned long len)
{
	unsigned long addr;

	addr = vm_mmap(NULL, 0, len + HPAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, 0);
	return IS_ERR_VALUE(addr) ? addr : ALIGN(addr, HPAGE_SIZE);
}

static int pv_test_touch(unsigned long addr, unsigned long len, unsigned long stride)
{
	unsigned long offset;

	for (offset = 0; offset < len; offset += stride) {
		if (put_user((u8)1, (u8 __user *)(addr + offset)))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

/**
 * pv_test_populate() - let the guest's pages be there
 * @vm: the VM
 */
int pv_test_populate(struct pv_test_vm *vm)
{
	int r;

	kthread_use_mm(vm->mm);
	r = pv_test_touch(vm->ram, vm->config.ram, vm->config.stride);
	kthread_unuse_mm(vm->mm);
	return r;
}

static int pv_test_set_memory(struct pv_test_vm *vm, unsigned long size)
{
	struct pv_test_region region = {
		.memory_size = size,
		.userspace_addr = vm->ram,
	};
	int r;

	mutex_lock(&vm->kvm->slots_lock);
	r = __kvm_set_memory_region(vm->kvm, &region);
	mutex_unlock(&vm->kvm->slots_lock);
	return r;
}

static void pv_test_init_memslots(struct kvm *kvm)
{
	struct kvm_memslots *slots;
	int i;

	for (i = 0; i < 2; i++) {
		slots = &kvm->__memslots[0][i];
		atomic_long_set(&slots->last_used_slot, 0);
		slots->hva_tree = RB_ROOT_CACHED;
		slots->gfn_tree = RB_ROOT;
		hash_init(slots->id_hash);
		slots->node_idx = i;
	}
	rcu_assign_pointer(kvm->memslots[0], &kvm->__memslots[0][0]);
}

static struct kvm_vcpu *pv_test_new_vcpu(struct kvm *kvm, unsigned int id)
{
	struct kvm_vcpu *vcpu = kvzalloc(sizeof(*vcpu), GFP_KERNEL);

	if (!vcpu)
		return NULL;
	mutex_init(&vcpu->mutex);
	vcpu->kvm = kvm;
	vcpu->vcpu_id = id;
	vcpu->vcpu_idx = id;
	vcpu->arch.sie_block = (void *)get_zeroed_page(GFP_KERNEL);
	if (!vcpu->arch.sie_block) {
		kvfree(vcpu);
		return NULL;
	}
	vcpu->arch.sie_block->icpua = id;
	return vcpu;
}

static int pv_test_add_vcpus(struct kvm *kvm, unsigned int nr)
{
	struct kvm_vcpu *vcpu;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		vcpu = pv_test_new_vcpu(kvm, i);
		if (!vcpu || xa_insert(&kvm->vcpu_array, i, vcpu, GFP_KERNEL))
			return -ENOMEM;
		atomic_inc(&kvm->online_vcpus);
	}
	return 0;
}

static struct kvm *pv_test_new_kvm(struct mm_struct *mm)
{
	struct kvm *kvm = kvzalloc(sizeof(*kvm), GFP_KERNEL);

	if (!kvm)
		return NULL;
	mmgrab(mm);
	kvm->mm = mm;
	spin_lock_init(&kvm->mmu_lock);
	mutex_init(&kvm->lock);
	mutex_init(&kvm->slots_lock);
	mutex_init(&kvm->slots_arch_lock);
	spin_lock_init(&kvm->mn_invalidate_lock);
	rcuwait_init(&kvm->mn_memslots_update_rcuwait);
	xa_init(&kvm->vcpu_array);
	refcount_set(&kvm->users_count, 1);
	pv_test_init_memslots(kvm);

	kvm->arch.use_esca = 1;
	kvm->arch.sca = (void *)get_zeroed_page(GFP_KERNEL);
	kvm->arch.sie_page2 = (void *)get_zeroed_page(GFP_KERNEL | GFP_DMA);
	if (!kvm->arch.sca || !kvm->arch.sie_page2)
		return NULL;
	/* There is a GISA: nobody shall try to set it up. */
	kvm->arch.gisa_int.origin = &kvm->arch.sie_page2->gisa;
	INIT_LIST_HEAD(&kvm->arch.pv.need_cleanup);
	kvm_s390_teardown_init(kvm);
	return kvm;
}

static struct kvm_control_file *pv_test_open_control(struct kvm *kvm)
{
	struct kvm_control_file *cf = kzalloc(sizeof(*cf), GFP_KERNEL);

	if (!cf)
		return NULL;
	cf->control = kvm->control;
	refcount_inc(&kvm->control->users);
	spin_lock_irq(&kvm->control->lock);
	list_add_tail(&cf->node, &kvm->control->files);
	spin_unlock_irq(&kvm->control->lock);
	return cf;
}

/**
 * pv_test_vm_create() - a new VM; the test ends if it cannot be had
 * @test: the test
 * @config: what it shall be like
 */
struct pv_test_vm *pv_test_vm_create(struct kunit *test,
				     const struct pv_test_config *config)
{
	struct pv_test_vm *vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);
	int r;

	KUNIT_ASSERT_NOT_NULL(test, vm);
	list_add(&vm->node, &pv_test_vms);
	vm->config = *config;
	vm->mm = pv_test_new_mm();
	KUNIT_ASSERT_NOT_NULL(test, vm->mm);

	kthread_use_mm(vm->mm);
	vm->ram = pv_test_map(config->ram);
	vm->own = pv_test_map(max(config->own, 1UL) * PAGE_SIZE);
	r = pv_test_touch(vm->own, config->own * PAGE_SIZE, PAGE_SIZE);
	kthread_unuse_mm(vm->mm);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(vm->ram));
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(vm->own));
	KUNIT_ASSERT_EQ(test, r, 0);

	vm->kvm = pv_test_new_kvm(vm->mm);
	KUNIT_ASSERT_NOT_NULL(test, vm->kvm);
	KUNIT_ASSERT_EQ(test, init_srcu_struct(&vm->kvm->srcu), 0);
	vm->kvm->arch.mem_limit = config->limit + 1;
	vm->kvm->arch.gmap = gmap_create(vm->mm, config->limit);
	KUNIT_ASSERT_NOT_NULL(test, vm->kvm->arch.gmap);
	vm->kvm->arch.gmap->private = vm->kvm;
	KUNIT_ASSERT_EQ(test, kvm_control_create_vm(vm->kvm), 0);
	KUNIT_ASSERT_EQ(test, kvm_arch_post_init_vm(vm->kvm), 0);
	vm->events = pv_test_open_control(vm->kvm);
	KUNIT_ASSERT_NOT_NULL(test, vm->events);
	KUNIT_ASSERT_EQ(test, pv_test_add_vcpus(vm->kvm, config->vcpus), 0);
	KUNIT_ASSERT_EQ(test, pv_test_set_memory(vm, config->ram), 0);
	KUNIT_ASSERT_EQ(test, pv_test_populate(vm), 0);
	return vm;
}

/**
 * pv_test_vm_exit_process() - end the VM's process; the VM stays for now
 * @vm: the VM
 */
void pv_test_vm_exit_process(struct pv_test_vm *vm)
{
	struct mm_struct *mm = vm->mm;

	vm->mm = NULL;
	mmput(mm);
}

static void pv_test_destroy_vcpus(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;
	u16 rc, rrc;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (kvm_s390_pv_cpu_get_handle(vcpu))
			kvm_s390_pv_destroy_cpu(vcpu, &rc, &rrc);
		xa_erase(&kvm->vcpu_array, i);
		free_page((unsigned long)vcpu->arch.sie_block);
		kvfree(vcpu);
	}
	atomic_set(&kvm->online_vcpus, 0);
}

/**
 * pv_test_vm_destroy() - what closing the last file descriptor of a VM does
 * @vm: the VM; its process and what is recorded of it stay
 */
void pv_test_vm_destroy(struct pv_test_vm *vm)
{
	struct kvm *kvm = vm->kvm;
	u16 rc, rrc;

	/* In the order of kvm_arch_destroy_vm(). */
	pv_test_destroy_vcpus(kvm);
	kvm_s390_pv_deinit_cleanup_all(kvm, &rc, &rrc);
	if (kvm->arch.pv.mmu_notifier.ops)
		mmu_notifier_unregister(&kvm->arch.pv.mmu_notifier, kvm->mm);
	gmap_remove(kvm->arch.gmap);

	kvm->arch.gmap = NULL;
}

static void pv_test_vm_free(struct pv_test_vm *vm)
{
	struct kvm *kvm = vm->kvm;
	struct kvm_memory_slot *slot;

	if (!kvm)
		return;
	if (kvm->arch.gmap)
		pv_test_vm_destroy(vm);
	slot = id_to_memslot(kvm_memslots(kvm), 0);
	if (slot) {
		kvfree(slot->dirty_bitmap);
		kfree(slot);
	}
	if (vm->mm)
		pv_test_vm_exit_process(vm);
	if (kvm->control)
		kvm_control_destroy_vm(kvm);
	if (vm->events) {
		/* The last user of the control object. */
		kfree(vm->events->control);
		kfree(vm->events);
	}
	cleanup_srcu_struct(&kvm->srcu);
	free_page((unsigned long)kvm->arch.sca);
	free_page((unsigned long)kvm->arch.sie_page2);
	mmdrop(kvm->mm);
	kvfree(kvm);
}

int pv_test_command(struct pv_test_vm *vm, u32 cmd, u16 *rc, u16 *rrc)
{
	struct kvm_pv_cmd args = { .cmd = cmd };
	struct mm_struct *mm = vm->kvm->mm;
	bool inside = current->mm == mm;
	int r;

	/* A hook of the model may be in the process already. */
	if (!inside)
		kthread_use_mm(mm);
	r = kvm_s390_handle_pv(vm->kvm, &args);
	if (!inside)
		kthread_unuse_mm(mm);
	if (rc)
		*rc = args.rc;
	if (rrc)
		*rrc = args.rrc;
	return r;
}

int pv_test_do(struct pv_test_vm *vm, u32 cmd)
{
	return pv_test_command(vm, cmd, NULL, NULL);
}

int pv_test_enable(struct pv_test_vm *vm)
{
	return pv_test_do(vm, KVM_PV_ENABLE);
}

static int pv_test_import_page(struct pv_test_vm *vm, unsigned long addr)
{
	struct page *page;
	int r;

	if (get_user_pages_unlocked(addr, 1, &page, FOLL_WRITE) != 1)
		return -EFAULT;
	/* As make_folio_secure() does. */
	set_bit(PG_arch_1, &page->flags);
	r = uv_model_import(kvm_s390_pv_get_handle(vm->kvm), page_to_pfn(page));
	put_page(page);
	return r;
}

/**
 * pv_test_import() - let the guest's memory become secure
 * @vm: the VM, protected
 */
int pv_test_import(struct pv_test_vm *vm)
{
	bool inside = current->mm == vm->mm;
	unsigned long offset;
	int r = 0;

	if (!inside)
		kthread_use_mm(vm->mm);
	for (offset = 0; !r && offset < vm->config.ram; offset += vm->config.stride) {
		r = pv_test_import_page(vm, vm->ram + offset);
		cond_resched();
	}
	if (!inside)
		kthread_unuse_mm(vm->mm);
	return r;
}

void pv_test_protect(struct kunit *test, struct pv_test_vm *vm)
{
	KUNIT_ASSERT_EQ(test, pv_test_enable(vm), 0);
	KUNIT_ASSERT_EQ(test, pv_test_import(vm), 0);
	KUNIT_ASSERT_NE(test, uv_model_secure_pages(), 0UL);
}

struct kvm_teardown_info pv_test_info(struct pv_test_vm *vm)
{
	struct kvm_teardown_info info = {};

	vm->kvm->control->ops->teardown->get_info(vm->kvm, &info);
	return info;
}

int pv_test_protected_count(struct pv_test_vm *vm)
{
	return atomic_read(&vm->kvm->mm->context.protected_count);
}

/**
 * pv_test_next_event() - the VM's next event about teardown
 * @vm: the VM
 * @data0: first datum, or NULL
 * @data1: second datum, or NULL
 *
 * Return: its type, 0 if there is none.
 */
u32 pv_test_next_event(struct pv_test_vm *vm, u64 *data0, u64 *data1)
{
	struct kvm_control_event event;

	do {
		if (!kvm_control_take_event(vm->events, &event))
			return 0;
	} while (event.type < KVM_TEARDOWN_EVENT_PREPARED);

	if (data0)
		*data0 = event.data[0];
	if (data1)
		*data1 = event.data[1];
	return event.type;
}

struct pv_test_vm *pv_test_small(struct kunit *test)
{
	return pv_test_vm_create(test, &PV_TEST_SMALL);
}

struct pv_test_vm *pv_test_small_set_aside(struct kunit *test)
{
	struct pv_test_vm *vm = pv_test_small(test);

	pv_test_protect(test, vm);
	KUNIT_ASSERT_EQ(test, pv_test_do(vm, KVM_PV_ASYNC_CLEANUP_PREPARE), 0);
	return vm;
}

void pv_test_kill(struct task_struct *task)
{
	struct sighand_struct *sighand = rcu_dereference_protected(task->sighand, true);

	spin_lock_irq(&sighand->siglock);
	sigaddset(&task->pending.signal, SIGKILL);
	spin_unlock_irq(&sighand->siglock);
	set_tsk_thread_flag(task, TIF_SIGPENDING);
}

void pv_test_revive(struct task_struct *task)
{
	struct sighand_struct *sighand = rcu_dereference_protected(task->sighand, true);

	spin_lock_irq(&sighand->siglock);
	sigdelset(&task->pending.signal, SIGKILL);
	spin_unlock_irq(&sighand->siglock);
	clear_tsk_thread_flag(task, TIF_SIGPENDING);
}

/* The VM may go on, unprotected; only its current table is still in use. */
void pv_test_expect_nothing_left(struct kunit *test, struct pv_test_vm *vm)
{
	KUNIT_EXPECT_EQ(test, uv_model_confs(), 0U);
	KUNIT_EXPECT_EQ(test, uv_model_cpus(), 0U);
	KUNIT_EXPECT_EQ(test, uv_model_secure_pages(), 0UL);
	KUNIT_EXPECT_EQ(test, uv_model_donated_pages(), 0UL);
	KUNIT_EXPECT_EQ(test, pv_test_protected_count(vm), 0);
	KUNIT_EXPECT_EQ(test, pv_test_info(vm).state, 0U);
	KUNIT_EXPECT_EQ(test, uv_model_violations(), 0U);
}

void pv_test_expect_destroyed(struct kunit *test, struct pv_test_vm *vm)
{
	if (vm->kvm->arch.gmap)
		pv_test_vm_destroy(vm);
	pv_test_expect_nothing_left(test, vm);
	KUNIT_EXPECT_EQ(test, uv_model_kept_pages(), 0UL);
}

int pv_test_init(struct kunit *test)
{
	INIT_LIST_HEAD(&pv_test_vms);
	uv_model_install(test);
	return 0;
}

void pv_test_exit(struct kunit *test)
{
	struct pv_test_vm *vm;

	pv_test_revive(current);
	uv_model_set_fault(NULL);
	uv_model_set_hook(NULL, NULL);
	list_for_each_entry(vm, &pv_test_vms, node)
		pv_test_vm_free(vm);
	uv_model_remove();
}
