/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of the Ultravisor for KUnit tests.
 */
#ifndef _KVM_S390_UV_MODEL_H
#define _KVM_S390_UV_MODEL_H

#include <linux/types.h>

struct kunit;

/* Return codes, as the Ultravisor's users know them. */
#define UV_RC_INV_CMD		0x0002
#define UV_RC_INV_STATE		0x0003
#define UV_RC_INV_LEN		0x0005
#define UV_RC_NO_RESUME		0x0007
#define UV_RC_INV_GHANDLE	0x0020
#define UV_RC_INV_CHANDLE	0x0021
#define UV_RC_CSC_NUM		0x0103
#define UV_RC_CSC_DEFINED	0x0104
#define UV_RC_CGC_ORIGIN	0x0101
#define UV_RC_CGC_LEN		0x0102
#define UV_RC_CGC_ASCE		0x0105
#define UV_RC_NOT_SECURE	0x0107

/**
 * struct uv_model_fault - what goes wrong
 * @cmd: command of the calls that are meant
 * @nth: which of them, counted from when the fault is set, from 1
 * @cc: condition code; 1 fails the call, 2 and 3 ask for another try
 * @times: how many in a row
 * @rc: return code
 * @rrc: return reason code
 */
struct uv_model_fault {
	u16 cmd;
	unsigned long nth;
	int cc;
	unsigned long times;
	u16 rc;
	u16 rrc;
};

typedef void (*uv_model_hook)(u16 cmd, unsigned long nth, void *data);

void uv_model_install(struct kunit *test);
void uv_model_remove(void);

void uv_model_set_fault(const struct uv_model_fault *fault);
bool uv_model_fault_happened(void);
void uv_model_set_hook(uv_model_hook hook, void *data);
void uv_model_set_fast(bool installed);
void uv_model_set_old_firmware(bool old);

int uv_model_import(u64 handle, unsigned long pfn);
unsigned long uv_model_calls(u16 cmd);
unsigned long uv_model_all_calls(void);
void uv_model_reset_calls(void);

unsigned int uv_model_confs(void);
unsigned int uv_model_cpus(void);
unsigned long uv_model_secure_pages(void);
unsigned long uv_model_donated_pages(void);
unsigned long uv_model_kept_pages(void);
unsigned int uv_model_violations(void);

#endif /* _KVM_S390_UV_MODEL_H */
