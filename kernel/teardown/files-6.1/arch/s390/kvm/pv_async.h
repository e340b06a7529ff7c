/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asynchronous teardown of protected guests: what pv.c shares with it.
 */
#ifndef _KVM_S390_PV_ASYNC_H
#define _KVM_S390_PV_ASYNC_H

#include <linux/kvm_host.h>

/* in pv.c */
void kvm_s390_clear_pv_state(struct kvm *kvm);
void kvm_s390_pv_dealloc_vm(struct kvm *kvm);

/* in pv_async.c */
int kvm_s390_pv_prepare_async(struct kvm *kvm, u16 *rc, u16 *rrc);
void kvm_s390_pv_deinit_at_exit(struct kvm *kvm);

#endif /* _KVM_S390_PV_ASYNC_H */
