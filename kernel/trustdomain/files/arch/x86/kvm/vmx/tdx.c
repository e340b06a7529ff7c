// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMs that are TDX trust domains (TDs): their creation and their end.
 *
 * The lives of TDs are in arch/x86/virt/vmx/tdx/. Here is when KVM lets one
 * begin, and where it ends: with the VM's process, or with the VM, whichever is
 * first. Running a TD's guest is not implemented: its vCPUs are created and
 * initialized, and KVM_RUN refuses.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/gfp.h>
#include <linux/kvm_host.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <asm/fpu/xcr.h>
#include <asm/tdx.h>
#include <asm/tdx_td.h>
#include <asm/vmx.h>

#include "capabilities.h"
#include "tdx.h"
#include "trustdomain.h"
#include "vmx.h"
#include "x86.h"
#include "x86_ops.h"

static bool enable_tdx __ro_after_init;
module_param_named(tdx, enable_tdx, bool, 0444);
MODULE_PARM_DESC(tdx, "Let VMs be TDX trust domains");

/* Fields of the module's global metadata */
#define TDX_MD_ATTRIBUTES_FIXED0	0x1900000300000000ULL
#define TDX_MD_ATTRIBUTES_FIXED1	0x1900000300000001ULL
#define TDX_MD_XFAM_FIXED0		0x1900000300000002ULL
#define TDX_MD_XFAM_FIXED1		0x1900000300000003ULL
#define TDX_MD_MAX_VCPUS_PER_TD		0x9900000100000008ULL

/* Attributes of a TD that KVM knows of: no #VE for pages it has not accepted. */
#define TDX_TD_ATTR_SEPT_VE_DISABLE	BIT_ULL(28)

/* The module counts a TD's TSC frequency in these. */
#define TDX_TSC_UNIT_KHZ		(25 * 1000)

/* TD_PARAMS, the argument of TDH.MNG.INIT */
struct tdx_td_params {
	u64 attributes;
	u64 xfam;
	u16 max_vcpus;
	u8 reserved0[6];
	u64 eptp_controls;
	u64 config_flags;
	u16 tsc_frequency;
	u8 reserved1[38];
	u64 mrconfigid[6];
	u64 mrowner[6];
	u64 mrownerconfig[6];
	u64 reserved2[4];
	u8 cpuid_values[768];
} __packed;
static_assert(sizeof(struct tdx_td_params) == 1024);

/* What the module and KVM both support. */
static struct {
	u64 attributes;
	u64 xfam;
	u64 max_vcpus;
} tdx_caps __ro_after_init;

static enum cpuhp_state tdx_cpuhp_state __ro_after_init;

static int tdx_online_cpu(unsigned int cpu)
{
	unsigned long flags;
	int r;

	local_irq_save(flags);
	r = tdx_cpu_enable();
	local_irq_restore(flags);
	return r;
}

static int __init tdx_read(u64 field, u64 *value)
{
	u64 status = tdh_sys_rd(field, value);

	if (!status)
		return 0;
	pr_err("cannot read field 0x%llx of the TDX module: 0x%llx\n", field, status);
	return -EIO;
}

/* Bits that can be chosen, of those that KVM knows; those that must be set are among them. */
static int __init tdx_read_mask(u64 may_be_set, u64 must_be_set, u64 known, u64 *mask)
{
	u64 may, must;
	int r;

	r = tdx_read(may_be_set, &may) ?: tdx_read(must_be_set, &must);
	if (r)
		return r;
	if (must & ~known) {
		pr_err("the TDX module requires bits 0x%llx that are not known\n", must & ~known);
		return -EOPNOTSUPP;
	}
	*mask = may & known;
	return 0;
}

static int __init tdx_read_caps(void)
{
	int r;

	r = tdx_read_mask(TDX_MD_ATTRIBUTES_FIXED0, TDX_MD_ATTRIBUTES_FIXED1,
			  TDX_TD_ATTR_SEPT_VE_DISABLE, &tdx_caps.attributes);
	if (r)
		return r;
	r = tdx_read_mask(TDX_MD_XFAM_FIXED0, TDX_MD_XFAM_FIXED1,
			  kvm_caps.supported_xcr0 | kvm_caps.supported_xss, &tdx_caps.xfam);
	if (r)
		return r;
	return tdx_read(TDX_MD_MAX_VCPUS_PER_TD, &tdx_caps.max_vcpus);
}

/* Each online CPU has VMX on. */
static int __init tdx_enable_module(void)
{
	int r;

	cpus_read_lock();
	r = cpuhp_setup_state_cpuslocked(CPUHP_AP_ONLINE_DYN, "kvm/cpu/tdx:online",
					 tdx_online_cpu, NULL);
	if (r < 0)
		goto out;
	tdx_cpuhp_state = r;

	r = tdx_enable();
	if (!r)
		r = tdx_read_caps();
	if (r)
		cpuhp_remove_state_nocalls_cpuslocked(tdx_cpuhp_state);
out:
	cpus_read_unlock();
	return r;
}

/**
 * tdx_bringup() - offer VMs that are trust domains, if that is wanted and possible
 *
 * VMX stays on from then on: the module needs it whenever it is called.
 */
void __init tdx_bringup(void)
{
	int r = -EOPNOTSUPP;

	if (!enable_tdx)
		return;

	if (!boot_cpu_has(X86_FEATURE_TDX_HOST_PLATFORM) || !enable_ept ||
	    !cpu_feature_enabled(X86_FEATURE_MOVDIR64B))
		goto err;

	r = kvm_enable_virtualization();
	if (r)
		goto err;

	r = tdx_enable_module();
	if (r)
		goto err_disable_virtualization;

	kvm_caps.supported_vm_types |= BIT(KVM_X86_TDX_VM);
	return;

err_disable_virtualization:
	kvm_disable_virtualization();
err:
	enable_tdx = false;
	pr_err("TDX is not available: %d\n", r);
}

/**
 * tdx_cleanup() - undo tdx_bringup()
 */
void tdx_cleanup(void)
{
	if (!enable_tdx)
		return;
	cpuhp_remove_state_nocalls(tdx_cpuhp_state);
	kvm_disable_virtualization();
}

int vt_vm_init(struct kvm *kvm)
{
	int r = vmx_vm_init(kvm);

	if (r || kvm->arch.vm_type != KVM_X86_TDX_VM)
		return r;

	kvm->max_vcpus = min_t(u64, kvm->max_vcpus, tdx_caps.max_vcpus);
	return kvm_trustdomain_create(kvm);
}

void vt_vm_destroy(struct kvm *kvm)
{
	if (kvm->arch.td)
		kvm_trustdomain_destroy(kvm);
	vmx_vm_destroy(kvm);
}

int vt_vcpu_create(struct kvm_vcpu *vcpu)
{
	int r = vmx_vcpu_create(vcpu);

	/* None waits for another to start it: they all refuse to run. */
	if (!r && vcpu->kvm->arch.td)
		vcpu->arch.mp_state = KVM_MP_STATE_RUNNABLE;
	return r;
}

void vt_vcpu_free(struct kvm_vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (vmx->vp) {
		tdx_td_remove_vcpu(vmx->vp);
		kfree(vmx->vp);
	}
	vmx_vcpu_free(vcpu);
}

int vt_vcpu_pre_run(struct kvm_vcpu *vcpu)
{
	if (vcpu->kvm->arch.td)
		return -EOPNOTSUPP;
	return vmx_vcpu_pre_run(vcpu);
}

/*
 * The VM's process ends, or the VM does: no vCPU runs any more. The KeyID need
 * not wait for the memory.
 */
void vt_flush_shadow_all_private(struct kvm *kvm)
{
	/* If it fails now it is tried once more as the VM is destroyed. */
	if (kvm->arch.td)
		tdx_td_release_key(kvm->arch.td);
}

static int tdx_get_capabilities(struct kvm_tdx_cmd *cmd)
{
	struct kvm_tdx_capabilities __user *user = u64_to_user_ptr(cmd->data);
	struct kvm_tdx_capabilities *caps;
	int r = 0;

	if (cmd->flags)
		return -EINVAL;

	/* No CPUID bit can be configured: cpuid.nent is 0. */
	caps = kzalloc(sizeof(*caps), GFP_KERNEL);
	if (!caps)
		return -ENOMEM;
	caps->supported_attrs = tdx_caps.attributes;
	caps->supported_xfam = tdx_caps.xfam;
	if (copy_to_user(user, caps, sizeof(*caps)))
		r = -EFAULT;
	kfree(caps);
	return r;
}

static int tdx_check_init_vm(const struct kvm_tdx_init_vm *init)
{
	if (memchr_inv(init->reserved, 0, sizeof(init->reserved)) || init->cpuid.padding)
		return -EINVAL;
	if (init->cpuid.nent > KVM_MAX_CPUID_ENTRIES)
		return -E2BIG;
	if (init->attributes & ~tdx_caps.attributes || init->xfam & ~tdx_caps.xfam)
		return -EINVAL;
	return 0;
}

static void tdx_fill_params(struct kvm *kvm, const struct kvm_tdx_init_vm *init,
			    struct tdx_td_params *params)
{
	params->attributes = init->attributes;
	params->xfam = init->xfam;
	params->max_vcpus = kvm->max_vcpus;
	params->eptp_controls = VMX_EPTP_MT_WB | VMX_EPTP_PWL_4;
	params->tsc_frequency = kvm->arch.default_tsc_khz / TDX_TSC_UNIT_KHZ;

	BUILD_BUG_ON(sizeof(params->mrconfigid) != sizeof(init->mrconfigid));
	memcpy(params->mrconfigid, init->mrconfigid, sizeof(params->mrconfigid));
	memcpy(params->mrowner, init->mrowner, sizeof(params->mrowner));
	memcpy(params->mrownerconfig, init->mrownerconfig, sizeof(params->mrownerconfig));
}

/* Tell user space what the module said last, if it was what failed. */
static void tdx_set_hw_error(struct kvm_tdx_cmd *cmd, struct tdx_td *td)
{
	struct tdx_td_info info;

	tdx_td_get_info(td, &info);
	cmd->hw_error = info.status;
}

static int tdx_create_vm(struct kvm *kvm, struct kvm_tdx_cmd *cmd,
			 struct tdx_td_params *params)
{
	struct tdx_td *td = kvm->arch.td;
	u64 error;
	int r;

	r = tdx_td_create(td);
	if (r)
		goto out;

	r = tdx_td_init(td, params, &error);
	if (r) {
		/* User space may try again, with other parameters. */
		tdx_set_hw_error(cmd, td);
		tdx_td_destroy(td);
		return r;
	}
out:
	if (r)
		tdx_set_hw_error(cmd, td);
	return r;
}

static int tdx_init_vm(struct kvm *kvm, struct kvm_tdx_cmd *cmd)
{
	const struct kvm_tdx_init_vm __user *user = u64_to_user_ptr(cmd->data);
	struct tdx_td_params *params;
	struct kvm_tdx_init_vm init;
	int r;

	if (cmd->flags)
		return -EINVAL;
	if (copy_from_user(&init, user, sizeof(init)))
		return -EFAULT;
	r = tdx_check_init_vm(&init);
	if (r)
		return r;

	/* It must be aligned to its size, as a page is. */
	params = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!params)
		return -ENOMEM;
	tdx_fill_params(kvm, &init, params);
	r = tdx_create_vm(kvm, cmd, params);
	free_page((unsigned long)params);
	return r;
}

static int tdx_terminate_vm(struct kvm *kvm, struct kvm_tdx_cmd *cmd)
{
	int r;

	if (cmd->flags || cmd->data)
		return -EINVAL;

	r = tdx_td_release_key(kvm->arch.td);
	if (r) {
		tdx_set_hw_error(cmd, kvm->arch.td);
		return r;
	}
	kvm_vm_dead(kvm);
	return 0;
}

static int tdx_read_cmd(struct kvm_tdx_cmd *cmd, void __user *argp)
{
	if (copy_from_user(cmd, argp, sizeof(*cmd)))
		return -EFAULT;
	/* It is only returned. */
	return cmd->hw_error ? -EINVAL : 0;
}

int vt_mem_enc_ioctl(struct kvm *kvm, void __user *argp)
{
	struct kvm_tdx_cmd cmd;
	int r;

	if (!kvm->arch.td)
		return -ENOTTY;
	r = tdx_read_cmd(&cmd, argp);
	if (r)
		return r;

	mutex_lock(&kvm->lock);
	switch (cmd.id) {
	case KVM_TDX_CAPABILITIES:
		r = tdx_get_capabilities(&cmd);
		break;
	case KVM_TDX_INIT_VM:
		r = tdx_init_vm(kvm, &cmd);
		break;
	case KVM_TDX_TERMINATE_VM:
		r = tdx_terminate_vm(kvm, &cmd);
		break;
	case KVM_TDX_INIT_MEM_REGION:
	case KVM_TDX_FINALIZE_VM:
		r = -EOPNOTSUPP;
		break;
	default:
		r = -EINVAL;
		break;
	}
	mutex_unlock(&kvm->lock);

	if (copy_to_user(argp, &cmd, sizeof(cmd)))
		return -EFAULT;
	return r;
}

static int tdx_init_vcpu(struct kvm_vcpu *vcpu, struct kvm_tdx_cmd *cmd)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	struct tdx_td *td = vcpu->kvm->arch.td;
	int r;

	if (cmd->flags)
		return -EINVAL;

	if (!vmx->vp) {
		vmx->vp = kzalloc(sizeof(*vmx->vp), GFP_KERNEL_ACCOUNT);
		if (!vmx->vp)
			return -ENOMEM;
		tdx_vp_setup(vmx->vp);
	}

	r = tdx_td_create_vcpu(td, vmx->vp);
	if (!r)
		r = tdx_td_init_vcpu(vmx->vp, cmd->data, vcpu->vcpu_id);
	if (r)
		tdx_set_hw_error(cmd, td);
	return r;
}

int vt_vcpu_mem_enc_ioctl(struct kvm_vcpu *vcpu, void __user *argp)
{
	struct kvm_tdx_cmd cmd;
	int r;

	if (!vcpu->kvm->arch.td)
		return -ENOTTY;
	r = tdx_read_cmd(&cmd, argp);
	if (r)
		return r;

	switch (cmd.id) {
	case KVM_TDX_INIT_VCPU:
		r = tdx_init_vcpu(vcpu, &cmd);
		break;
	case KVM_TDX_INIT_MEM_REGION:
	case KVM_TDX_GET_CPUID:
		r = -EOPNOTSUPP;
		break;
	default:
		r = -EINVAL;
		break;
	}

	if (copy_to_user(argp, &cmd, sizeof(cmd)))
		return -EFAULT;
	return r;
}
