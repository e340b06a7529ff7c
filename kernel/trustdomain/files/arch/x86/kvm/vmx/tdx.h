/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMs that are TDX trust domains.
 */
#ifndef __KVM_X86_VMX_TDX_H
#define __KVM_X86_VMX_TDX_H

#include <linux/kvm_host.h>

#ifdef CONFIG_INTEL_TDX_HOST

void tdx_bringup(void);
void tdx_cleanup(void);

int vt_vm_init(struct kvm *kvm);
void vt_vm_destroy(struct kvm *kvm);
int vt_vcpu_create(struct kvm_vcpu *vcpu);
void vt_vcpu_free(struct kvm_vcpu *vcpu);
int vt_vcpu_pre_run(struct kvm_vcpu *vcpu);
void vt_flush_shadow_all_private(struct kvm *kvm);
int vt_mem_enc_ioctl(struct kvm *kvm, void __user *argp);
int vt_vcpu_mem_enc_ioctl(struct kvm_vcpu *vcpu, void __user *argp);

/* Operations that are other ones for trust domains. */
#define vt_op(name)		vt_##name

#else /* !CONFIG_INTEL_TDX_HOST */

static inline void tdx_bringup(void)
{
}

static inline void tdx_cleanup(void)
{
}

#define vt_op(name)		vmx_##name

#endif /* CONFIG_INTEL_TDX_HOST */

#endif /* __KVM_X86_VMX_TDX_H */
