/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMs that are trust domains: what KVM as a whole knows of them.
 */
#ifndef __KVM_X86_TRUSTDOMAIN_H
#define __KVM_X86_TRUSTDOMAIN_H

#include <linux/kvm_host.h>

#ifdef CONFIG_INTEL_TDX_HOST

int kvm_trustdomain_create(struct kvm *kvm);
void kvm_trustdomain_destroy(struct kvm *kvm);

#endif /* CONFIG_INTEL_TDX_HOST */

#endif /* __KVM_X86_TRUSTDOMAIN_H */
