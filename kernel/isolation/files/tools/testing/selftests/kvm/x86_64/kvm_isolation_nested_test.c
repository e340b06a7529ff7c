// SPDX-License-Identifier: GPL-2.0-only
/*
 * Isolated VMs whose guests are hypervisors: what these run is isolated, too.
 */
#include "kvm_isolation_test.h"
#include "svm_util.h"

static void guest_nested(void)
{
	for (;;)
		vmmcall();
}

static void guest_hypervisor(struct svm_test_data *svm)
{
	unsigned long stack[64];
	int i;

	generic_svm_setup(svm, guest_nested, &stack[64]);
	for (;;) {
		for (i = 0; i < EXITS; i++) {
			run_guest(svm->vmcb, svm->vmcb_gpa);
			GUEST_ASSERT_EQ(svm->vmcb->control.exit_code, SVM_EXIT_VMMCALL);
			svm->vmcb->save.rip += 3;
		}
		GUEST_SYNC(0);
	}
}

/* Each time around, KVM enters the guest's guest once, and the guest. */
TEST(guests_of_the_guest_are_isolated)
{
	struct kvm_isolation_stats before, after;
	struct kvm_vcpu *vcpu;
	struct kvm_vm *vm;
	vm_vaddr_t svm;
	int fd;

	if (!asi_on)
		SKIP(return, WITHOUT_ASI);
	if (!kvm_cpu_has(X86_FEATURE_SVM))
		SKIP(return, "AMD's only");
	vm = vm_create_with_one_vcpu(&vcpu, guest_hypervisor);
	vcpu_alloc_svm(vm, &svm);
	vcpu_args_set(vcpu, 1, svm);
	fd = control_open_self();
	ASSERT_GE(fd, 0);

	set(fd, true);
	run(vcpu);
	after = stats(fd);
	EXPECT_LE(2 * EXITS, after.entries_restricted);
	EXPECT_EQ(0, after.entries_unrestricted);
	EXPECT_EQ(0, after.violations);

	set(fd, false);
	before = stats(fd);
	run(vcpu);
	after = stats(fd);
	EXPECT_EQ(before.entries_restricted, after.entries_restricted);
	EXPECT_LE(2 * EXITS, after.entries_unrestricted);

	set(fd, true);
	before = stats(fd);
	run(vcpu);
	after = stats(fd);
	EXPECT_LE(2 * EXITS, after.entries_restricted - before.entries_restricted);
	EXPECT_EQ(before.entries_unrestricted, after.entries_unrestricted);
	EXPECT_EQ(0, after.violations);
	close(fd);
	kvm_vm_free(vm);
}

int main(int argc, char **argv)
{
	return run_tests(argc, argv);
}
