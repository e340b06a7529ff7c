/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMs for KUnit tests of protected guests: everything but SIE is real.
 */
#ifndef _KVM_S390_PV_TEST_VM_H
#define _KVM_S390_PV_TEST_VM_H

#include <kunit/test.h>
#include <linux/kvm_host.h>
#include <linux/sizes.h>
#include <uapi/linux/kvm_teardown.h>

struct kvm_control_file;

/**
 * struct pv_test_config - what a VM shall be like
 * @ram: bytes of guest memory
 * @stride: one page in so many bytes of it is there
 * @own: pages of memory that the VM's process has for itself
 * @vcpus: number of vCPUs
 * @limit: highest guest address; decides the type of the top level table
 */
struct pv_test_config {
	unsigned long ram;
	unsigned long stride;
	unsigned long own;
	unsigned int vcpus;
	unsigned long limit;
};

/* 4 GiB with 64 pages, 32 of them below 2 GiB; and one of the process. */
#define PV_TEST_SMALL ((struct pv_test_config) {			\
	.ram = SZ_4G, .stride = SZ_64M, .own = 1, .vcpus = 2,		\
	.limit = TASK_SIZE_MAX - 1,					\
})
#define PV_TEST_SMALL_PAGES	64
#define PV_TEST_SMALL_LOW	32

/**
 * struct pv_test_vm - a VM and its process
 * @node: in the list of the test's VMs
 * @kvm: the VM
 * @mm: the process's memory; NULL once the process has ended
 * @config: what it is like
 * @ram: address of the guest memory in it
 * @own: address of the process's own memory in it
 * @events: its open control fd
 */
struct pv_test_vm {
	struct list_head node;
	struct kvm *kvm;
	struct mm_struct *mm;
	struct pv_test_config config;
	unsigned long ram;
	unsigned long own;
	struct kvm_control_file *events;
};

struct pv_test_vm *pv_test_vm_create(struct kunit *test,
				     const struct pv_test_config *config);
/* The same with PV_TEST_SMALL; and one whose first guest is set aside. */
struct pv_test_vm *pv_test_small(struct kunit *test);
struct pv_test_vm *pv_test_small_set_aside(struct kunit *test);
void pv_test_vm_exit_process(struct pv_test_vm *vm);
void pv_test_vm_destroy(struct pv_test_vm *vm);

/* KVM_S390_PV_COMMAND, from the VM's process. */
int pv_test_command(struct pv_test_vm *vm, u32 cmd, u16 *rc, u16 *rrc);
int pv_test_do(struct pv_test_vm *vm, u32 cmd);
int pv_test_enable(struct pv_test_vm *vm);
/* KVM_PV_ENABLE, and all of the guest's memory becomes secure. */
void pv_test_protect(struct kunit *test, struct pv_test_vm *vm);
int pv_test_populate(struct pv_test_vm *vm);
int pv_test_import(struct pv_test_vm *vm);

struct kvm_teardown_info pv_test_info(struct pv_test_vm *vm);
int pv_test_protected_count(struct pv_test_vm *vm);
u32 pv_test_next_event(struct pv_test_vm *vm, u64 *data0, u64 *data1);

/* A fatal signal for a kernel thread, and its end. */
void pv_test_kill(struct task_struct *task);
void pv_test_revive(struct task_struct *task);

/* The end of a test: nothing is left of the VM's guests, and nothing was lost. */
void pv_test_expect_nothing_left(struct kunit *test, struct pv_test_vm *vm);
void pv_test_expect_destroyed(struct kunit *test, struct pv_test_vm *vm);

int pv_test_init(struct kunit *test);
void pv_test_exit(struct kunit *test);

#endif /* _KVM_S390_PV_TEST_VM_H */
