/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * KVM introspection: hooking a VM to a tool, and the protocol between them.
 *
 * See Documentation/virt/kvm/kvmi.rst.
 */
#ifndef _UAPI_LINUX_KVMI_H
#define _UAPI_LINUX_KVMI_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/kvm.h>
#include <asm/kvmi.h>

/* KVM_CHECK_EXTENSION; from a range of its own, as KVM_CAP_CONTROL. */
#define KVM_CAP_INTROSPECTION		0x56440001

struct kvm_introspection_hook {
	__s32 fd;
	__u32 padding;
	__u8 uuid[16];
};

/* On a VM fd or a control fd. */
#define KVM_INTROSPECTION_HOOK		_IOW(KVMIO, 0xc3, struct kvm_introspection_hook)
#define KVM_INTROSPECTION_UNHOOK	_IO(KVMIO, 0xc4)
#define KVM_INTROSPECTION_PREUNHOOK	_IO(KVMIO, 0xf3)

/**
 * struct kvm_introspection_allow - what the tools of a VM may do
 * @commands: bit n is set if the command with id n is allowed
 * @events: bit n is set if the event with id n is allowed
 * @padding: zero
 */
struct kvm_introspection_allow {
	__u64 commands;
	__u64 events;
	__u64 padding[2];
};

/* On a control fd. */
#define KVM_INTROSPECTION_ALLOW		_IOW(KVMIO, 0xf4, struct kvm_introspection_allow)

/* Length of the histogram in struct kvm_introspection_stats. */
#define KVM_INTROSPECTION_REPLY_HIST	40

/**
 * struct kvm_introspection_stats - what KVM_INTROSPECTION_GET_STATS returns
 * @commands: how many commands the VM's tools have sent
 * @errors: how many commands failed and how many messages broke the protocol
 * @events: how many events the tools were sent
 * @reply_hist: how many events were replied to within so many nanoseconds:
 *	entry n counts those from 2^(n-1) to 2^n, the last one all others
 * @padding: zero
 */
struct kvm_introspection_stats {
	__u64 commands;
	__u64 errors;
	__u64 events;
	__u64 reply_hist[KVM_INTROSPECTION_REPLY_HIST];
	__u64 padding[5];
};

/* On a control fd. */
#define KVM_INTROSPECTION_GET_STATS	_IOR(KVMIO, 0xf5, struct kvm_introspection_stats)

#define KVMI_VERSION		1

/* A message with its header. */
#define KVMI_MSG_SIZE		8192

enum {
	KVMI_EVENT_REPLY	= 0,
	KVMI_EVENT		= 1,

	KVMI_GET_VERSION	= 2,
	KVMI_CHECK_COMMAND	= 3,
	KVMI_CHECK_EVENT	= 4,
	KVMI_GET_GUEST_INFO	= 5,
	KVMI_GET_VCPU_INFO	= 6,
	KVMI_PAUSE_VCPU		= 7,
	KVMI_CONTROL_VM_EVENTS	= 8,
	KVMI_CONTROL_EVENTS	= 9,
	KVMI_CONTROL_CR		= 10,
	KVMI_CONTROL_MSR	= 11,
	KVMI_GET_REGISTERS	= 13,
	KVMI_SET_REGISTERS	= 14,
	KVMI_GET_CPUID		= 15,
	KVMI_GET_XSAVE		= 16,
	KVMI_READ_PHYSICAL	= 17,
	KVMI_WRITE_PHYSICAL	= 18,
	KVMI_GET_PAGE_ACCESS	= 20,
	KVMI_SET_PAGE_ACCESS	= 21,
	KVMI_GET_MTRR_TYPE	= 23,
	KVMI_CONTROL_CMD_RESPONSE = 27,
	KVMI_GET_MAX_GFN	= 29,
	KVMI_GET_NEXT_AVAILABLE_GFN = 31,
	KVMI_VCPU_TRANSLATE_GVA	= 35,
	KVMI_VCPU_GET_XCR	= 37,
	KVMI_VCPU_SET_XSAVE	= 38,

	KVMI_NUM_COMMANDS	= 64,
};

enum {
	KVMI_EVENT_UNHOOK	= 0,
	KVMI_EVENT_CR		= 1,
	KVMI_EVENT_MSR		= 2,
	KVMI_EVENT_XSETBV	= 3,
	KVMI_EVENT_HYPERCALL	= 5,
	KVMI_EVENT_PF		= 6,
	KVMI_EVENT_DESCRIPTOR	= 8,
	KVMI_EVENT_CREATE_VCPU	= 9,
	KVMI_EVENT_PAUSE_VCPU	= 10,
	KVMI_EVENT_CPUID	= 13,

	KVMI_NUM_EVENTS		= 64,
};

/* What becomes of a vCPU whose event was answered. */
enum {
	KVMI_EVENT_ACTION_CONTINUE = 0,
	KVMI_EVENT_ACTION_RETRY	= 1,	/* execute the instruction again */
	KVMI_EVENT_ACTION_CRASH	= 2,	/* stop the VM */
};

struct kvmi_msg_hdr {
	__u16 id;
	__u16 size;	/* of what follows */
	__u32 seq;
};

struct kvmi_error_code {
	__s32 err;
	__u32 padding;
};

struct kvmi_get_version_reply {
	__u32 version;
	__u32 padding;
	__u8 spp;
	__u8 vmfunc;
	__u8 eptp;
	__u8 ve;
	__u8 padding2[4];
};

struct kvmi_check_command {
	__u16 id;
	__u16 padding1;
	__u32 padding2;
};

struct kvmi_check_event {
	__u16 id;
	__u16 padding1;
	__u32 padding2;
};

struct kvmi_get_guest_info_reply {
	__u32 vcpu_count;
	__u32 padding[3];
};

struct kvmi_control_vm_events {
	__u16 event_id;
	__u8 enable;
	__u8 padding1;
	__u32 padding2;
};

struct kvmi_read_physical {
	__u64 gpa;
	__u64 size;
};

struct kvmi_write_physical {
	__u64 gpa;
	__u64 size;
	__u8 data[];
};

/* What a guest may do to a page without an event; other bits are no access. */
#define KVMI_PAGE_ACCESS_R	(1 << 0)
#define KVMI_PAGE_ACCESS_W	(1 << 1)
#define KVMI_PAGE_ACCESS_X	(1 << 2)

struct kvmi_get_page_access {
	__u16 view;
	__u16 count;
	__u32 padding;
	__u64 gpa[];
};

struct kvmi_page_access_entry {
	__u64 gpa;
	__u8 access;
	__u8 padding1;
	__u16 padding2;
	__u32 padding3;
};

struct kvmi_set_page_access {
	__u16 view;
	__u16 count;
	__u32 padding;
	struct kvmi_page_access_entry entries[];
};

struct kvmi_control_cmd_response {
	__u8 enable;
	__u8 now;
	__u16 padding1;
	__u32 padding2;
};

struct kvmi_get_max_gfn_reply {
	__u64 gfn;	/* the first one behind the guest's memory */
};

struct kvmi_get_next_available_gfn_reply {
	__u64 gfn;
};

/* What the arguments of a vCPU command start with. */
struct kvmi_vcpu_hdr {
	__u16 vcpu;
	__u16 padding1;
	__u32 padding2;
};

struct kvmi_get_vcpu_info_reply {
	__u64 tsc_speed;	/* in Hz */
};

struct kvmi_pause_vcpu {
	__u8 wait;
	__u8 padding1;
	__u16 padding2;
	__u32 padding3;
};

struct kvmi_control_events {
	__u16 event_id;
	__u8 enable;
	__u8 padding1;
	__u32 padding2;
};

struct kvmi_vcpu_translate_gva {
	__u64 gva;
};

struct kvmi_vcpu_translate_gva_reply {
	__u64 gpa;	/* all ones if there is nothing */
};

/* Follows a struct kvmi_vcpu_hdr; what the event has of its own comes next. */
struct kvmi_event_reply {
	__u8 action;
	__u8 event;
	__u16 padding1;
	__u32 padding2;
};

/* What the event has of its own comes next. */
struct kvmi_event {
	__u16 size;	/* of this structure */
	__u16 vcpu;
	__u8 event;
	__u8 padding[3];
	struct kvmi_event_arch arch;
};

/* Follows the struct kvmi_event of KVMI_EVENT_PF. */
struct kvmi_event_pf {
	__u64 gva;	/* linear address */
	__u64 gpa;
	__u8 access;	/* the one KVMI_PAGE_ACCESS_* that the guest wants */
	__u8 padding1;
	__u16 view;
	__u32 padding2;
};

#define KVMI_CTX_DATA_SIZE	256

/**
 * struct kvmi_event_pf_reply - follows the struct kvmi_event_reply
 * @ctx_addr: linear address of data that the instruction reads instead of memory
 * @ctx_size: how much of it there is
 * @singlestep: zero
 * @rep_complete: do not ask again for a string instruction's other iterations
 * @padding: zero
 * @ctx_data: the data
 */
struct kvmi_event_pf_reply {
	__u64 ctx_addr;
	__u32 ctx_size;
	__u8 singlestep;
	__u8 rep_complete;
	__u16 padding;
	__u8 ctx_data[KVMI_CTX_DATA_SIZE];
};

#endif /* _UAPI_LINUX_KVMI_H */
