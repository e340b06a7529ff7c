/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM introspection: what its own files share.
 */
#ifndef __KVMI_INT_H
#define __KVMI_INT_H

#include <linux/completion.h>
#include <linux/kvm_host.h>
#include <linux/kvmi_host.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/refcount.h>
#include <linux/wait.h>

/* The most data that fits into a reply. */
#define KVMI_MAX_REPLY	(KVMI_MSG_SIZE - sizeof(struct kvmi_msg_hdr) -	\
			 sizeof(struct kvmi_error_code))

/* Events of the VM, and of its vCPUs. */
#define KVMI_VM_EVENTS		(BIT_ULL(KVMI_EVENT_UNHOOK) | \
				 BIT_ULL(KVMI_EVENT_CREATE_VCPU))
#define KVMI_VCPU_EVENTS	(BIT_ULL(KVMI_EVENT_PF) | \
				 BIT_ULL(KVMI_EVENT_PAUSE_VCPU) | \
				 BIT_ULL(KVMI_EVENT_TRAP) | \
				 KVMI_DEBUG_EVENTS | \
				 KVMI_ARCH_EVENTS)

struct kvmi_vcpu_command;

/**
 * struct kvmi - a VM's connection with its tool
 * @kvm: the VM; it outlives this
 * @sock: the connection
 * @recv: the thread that receives and answers
 * @session: tells this connection from the VM's others
 * @allow: what the tool may do; does not change
 * @uuid: the VM's name as the host side gave it
 * @users: the VM, and whoever else is using it at the moment
 * @unused: completed when there are no @users left
 * @broken: why the connection is useless (an errno), 0 while it works
 * @wait: where vCPUs wait for the tool
 * @send_lock: keeps messages whole on their way out; protects @event_seq
 * @event_seq: sequence number of the last event
 * @vm_events: mask of the VM's events that the tool asked for
 * @mute: whether the command being handled gets no reply
 * @mute_next: the same for the next one
 * @in: the arguments of the command being handled
 * @in_size: their size
 * @out: the data of its reply
 * @ahead: what has been received of later messages
 * @ahead_pos: where that begins
 * @ahead_end: and where it ends
 *
 * @vm_events is written by @recv only; what follows it is @recv's alone.
 */
struct kvmi {
	struct kvm *kvm;
	struct socket *sock;
	struct task_struct *recv;
	u64 session;
	struct kvm_introspection_allow allow;
	u8 uuid[16];
	refcount_t users;
	struct completion unused;
	int broken;
	wait_queue_head_t wait;
	struct mutex send_lock;	/* keeps messages whole */
	u32 event_seq;
	u64 vm_events;
	bool mute;
	bool mute_next;
	size_t in_size;
	u8 in[KVMI_MSG_SIZE] __aligned(8);
	u8 out[PAGE_SIZE] __aligned(8);
	u8 ahead[1024];
	size_t ahead_pos;
	size_t ahead_end;
};

/**
 * struct kvmi_job - a command for a vCPU, until the vCPU's thread has done it
 * @link: in the vCPU's list
 * @command: how to do it
 * @session: the connection that it came by
 * @mute: whether it gets no reply
 * @hdr: the message
 * @in: its arguments, which start with a struct kvmi_vcpu_hdr
 */
struct kvmi_job {
	struct list_head link;
	const struct kvmi_vcpu_command *command;
	u64 session;
	bool mute;
	struct kvmi_msg_hdr hdr;
	u8 in[] __aligned(8);
};

/* A vCPU command's own arguments. */
static inline const void *kvmi_vcpu_arg(const u8 *in)
{
	return in + sizeof(struct kvmi_vcpu_hdr);
}

/* kvmi.c */
struct kvmi *kvmi_get(struct kvm *kvm);
void kvmi_put(struct kvmi *kvmi);
void kvmi_break(struct kvmi *kvmi, int why);
void kvmi_count_error(struct kvm *kvm);

/* kvmi_sock.c */
struct socket *kvmi_sock_get(int fd);
void kvmi_sock_shutdown(struct kvmi *kvmi);
int kvmi_sock_read(struct kvmi *kvmi, void *buf, size_t size);
int kvmi_sock_write(struct kvmi *kvmi, struct kvec *vec, size_t count);

/* kvmi_mem.c */
int kvmi_mem_read(struct kvm *kvm, u64 gpa, void *data, size_t size);
int kvmi_mem_write(struct kvm *kvm, u64 gpa, const void *data, size_t size);
u64 kvmi_mem_end(struct kvm *kvm);
u64 kvmi_mem_next(struct kvm *kvm);

/* kvmi_msg.c */
int kvmi_msg_handle(struct kvmi *kvmi);
int kvmi_msg_reply(struct kvmi *kvmi, const struct kvmi_msg_hdr *command,
		   int err, const void *data, size_t size);
int kvmi_msg_send_unhook(struct kvmi *kvmi);
int kvmi_msg_send_event(struct kvmi *kvmi, struct kvm_vcpu *vcpu,
			const struct kvmi_event *event, const void *data,
			size_t size);
int kvmi_check_event_id(struct kvmi *kvmi, u16 id, u64 events);

/* kvmi_vcpu.c */
void kvmi_vcpus_reset(struct kvm *kvm);
bool kvmi_vcpu_knows(u16 id);
int kvmi_vcpu_receive(struct kvmi *kvmi, const struct kvmi_msg_hdr *hdr);
struct kvm_vcpu *kvmi_vcpu_get(struct kvmi *kvmi);

/* kvmi_event.c */
int kvmi_vcpu_answer(struct kvmi *kvmi, u32 seq);
void kvmi_vcpu_asks(struct kvm_vcpu *vcpu, u8 event, u32 seq);
bool kvmi_vcpu_ask(struct kvm_vcpu *vcpu, const struct kvmi_vcpu_event *event);
struct kvmi_watch *kvmi_vcpu_watch(struct kvm_vcpu *vcpu, u64 session);
void kvmi_vcpu_check_watch(struct kvm_vcpu *vcpu, struct kvmi *kvmi);
void kvmi_vcpu_send(struct kvmi *kvmi, struct kvm_vcpu *vcpu);
int kvmi_vcpu_finish(struct kvm_vcpu *vcpu);

/* kvmi_access.c */
bool kvmi_vcpu_grant(struct kvm_vcpu *vcpu);

/* arch/.../kvmi_page.c */
void kvmi_arch_hook(struct kvm *kvm);
void kvmi_arch_unhook(struct kvm *kvm);
void kvmi_arch_destroy(struct kvm *kvm);
bool kvmi_arch_gfn_possible(u64 gfn);
u8 kvmi_arch_get_page_access(struct kvm *kvm, u64 gpa);
int kvmi_arch_set_page_access(struct kvm *kvm,
			      const struct kvmi_page_access_entry *entries,
			      int count);

/* arch/.../kvmi.c */
size_t kvmi_arch_reply_size(u8 event);
bool kvmi_arch_may_retry(u8 event);
bool kvmi_arch_reply_valid(u8 event, const union kvmi_reply_data *reply);
int kvmi_arch_finish_event(struct kvm_vcpu *vcpu);
int kvmi_arch_update_watch(struct kvm_vcpu *vcpu);
int kvmi_arch_control_events(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			     void *out, size_t *size);
int kvmi_arch_control_cr(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			 void *out, size_t *size);
int kvmi_arch_control_msr(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			  void *out, size_t *size);
void kvmi_arch_setup_event(struct kvm_vcpu *vcpu, struct kvmi_event_arch *event);
int kvmi_arch_get_vcpu_info(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			    void *out, size_t *size);
int kvmi_arch_get_registers(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			    void *out, size_t *size);
int kvmi_arch_set_registers(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			    void *out, size_t *size);
int kvmi_arch_get_cpuid(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			void *out, size_t *size);
int kvmi_arch_get_xsave(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			void *out, size_t *size);
int kvmi_arch_set_xsave(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			void *out, size_t *size);
int kvmi_arch_translate_gva(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			    void *out, size_t *size);
int kvmi_arch_get_xcr(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
		      void *out, size_t *size);

/* arch/.../kvmi_mtrr.c */
int kvmi_arch_get_mtrr_type(struct kvm *kvm, u64 gpa, u8 *type);

/* arch/.../kvmi_step.c */
int kvmi_arch_go_on(struct kvm_vcpu *vcpu);
int kvmi_arch_update_debug(struct kvm_vcpu *vcpu);
void kvmi_arch_step_once(struct kvm_vcpu *vcpu);
int kvmi_arch_opcode(struct kvm_vcpu *vcpu, u8 *insn);
int kvmi_arch_control_singlestep(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
				 void *out, size_t *size);

/* arch/.../kvmi_trap.c */
bool kvmi_arch_inject(struct kvm_vcpu *vcpu);
int kvmi_arch_finish_breakpoint(struct kvm_vcpu *vcpu);
int kvmi_arch_debug_exit(struct kvm_vcpu *vcpu);
int kvmi_arch_inject_exception(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
			       void *out, size_t *size);

#endif /* __KVMI_INT_H */
