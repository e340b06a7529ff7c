// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: the tool's commands and the VM's events.
 *
 * Whatever a tool sends, it gets an answer or is disconnected: an error code
 * for a command that is unknown, not allowed or has wrong arguments, and the
 * end of the connection for what leaves no way to tell where the next message
 * starts or which answer belongs to what.
 */
#include <linux/kthread.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <uapi/linux/kvm_para.h>

#include "kvmi_int.h"

/* Commands that a tool needs to find out what it may do. */
#define KVMI_ALWAYS_ALLOWED	(BIT_ULL(KVMI_GET_VERSION) |	\
				 BIT_ULL(KVMI_CHECK_COMMAND) |	\
				 BIT_ULL(KVMI_CHECK_EVENT))

/* Commands about features that no CPU has here, as GET_VERSION tells. */
#define KVMI_VIEW_COMMANDS	(BIT_ULL(12) | BIT_ULL(24) | BIT_ULL(25) | \
				 BIT_ULL(26) | BIT_ULL(28) | BIT_ULL(32) | \
				 BIT_ULL(33) | BIT_ULL(34) | BIT_ULL(36) | \
				 BIT_ULL(43) | BIT_ULL(44) | BIT_ULL(60))

#define KVMI_KNOWN_EVENTS	BIT_ULL(KVMI_EVENT_UNHOOK)

/**
 * struct kvmi_command - how to handle a command
 * @size: size of its arguments
 * @handle: does it; the arguments are in kvmi->in, and the size bytes of the
 *	reply go to kvmi->out. Returns 0 or a negative KVM_E*.
 */
struct kvmi_command {
	size_t size;
	int (*handle)(struct kvmi *kvmi, size_t *size);
};

static const struct kvmi_command *kvmi_find_command(u16 id);

static int kvmi_check_command_id(struct kvmi *kvmi, u16 id)
{
	if (!kvmi_find_command(id)) {
		if (id < KVMI_NUM_COMMANDS && KVMI_VIEW_COMMANDS & BIT_ULL(id))
			return -KVM_EOPNOTSUPP;
		return -KVM_ENOSYS;
	}
	if (!((kvmi->allow.commands | KVMI_ALWAYS_ALLOWED) & BIT_ULL(id)))
		return -KVM_EPERM;
	return 0;
}

static int kvmi_check_event_id(struct kvmi *kvmi, u16 id)
{
	if (id >= KVMI_NUM_EVENTS || !(KVMI_KNOWN_EVENTS & BIT_ULL(id)))
		return -KVM_ENOENT;
	if (!(kvmi->allow.events & BIT_ULL(id)))
		return -KVM_EPERM;
	return 0;
}

static int kvmi_get_version(struct kvmi *kvmi, size_t *size)
{
	struct kvmi_get_version_reply *reply = (void *)kvmi->out;

	*reply = (struct kvmi_get_version_reply){ .version = KVMI_VERSION };
	*size = sizeof(*reply);
	return 0;
}

static int kvmi_check_command(struct kvmi *kvmi, size_t *size)
{
	const struct kvmi_check_command *arg = (void *)kvmi->in;

	if (arg->padding1 || arg->padding2)
		return -KVM_EINVAL;
	return kvmi_check_command_id(kvmi, arg->id);
}

static int kvmi_check_event(struct kvmi *kvmi, size_t *size)
{
	const struct kvmi_check_event *arg = (void *)kvmi->in;

	if (arg->padding1 || arg->padding2)
		return -KVM_EINVAL;
	return kvmi_check_event_id(kvmi, arg->id);
}

static int kvmi_get_guest_info(struct kvmi *kvmi, size_t *size)
{
	struct kvmi_get_guest_info_reply *reply = (void *)kvmi->out;

	*reply = (struct kvmi_get_guest_info_reply){
		.vcpu_count = atomic_read(&kvmi->kvm->online_vcpus),
	};
	*size = sizeof(*reply);
	return 0;
}

static int kvmi_control_vm_events(struct kvmi *kvmi, size_t *size)
{
	const struct kvmi_control_vm_events *arg = (void *)kvmi->in;
	int r;

	if (arg->padding1 || arg->padding2 || arg->enable > 1)
		return -KVM_EINVAL;
	r = kvmi_check_event_id(kvmi, arg->event_id);
	if (r)
		return r;

	if (arg->enable)
		WRITE_ONCE(kvmi->vm_events, kvmi->vm_events | BIT_ULL(arg->event_id));
	else
		WRITE_ONCE(kvmi->vm_events, kvmi->vm_events & ~BIT_ULL(arg->event_id));
	return 0;
}

/*
 * Guest memory is the VMM's, and read through its page tables. A VMM that is
 * exiting has none any more; the VM follows it soon.
 */
static int kvmi_read_guest(struct kvm *kvm, u64 gpa, void *data, size_t size)
{
	int idx, r;

	if (!mmget_not_zero(kvm->mm))
		return -KVM_ENOENT;
	kthread_use_mm(kvm->mm);
	idx = srcu_read_lock(&kvm->srcu);
	r = kvm_read_guest_page(kvm, gpa_to_gfn(gpa), data, offset_in_page(gpa), size);
	srcu_read_unlock(&kvm->srcu, idx);
	kthread_unuse_mm(kvm->mm);
	/* If it was the last one, the memory is not for us to tear down. */
	mmput_async(kvm->mm);

	return r ? -KVM_ENOENT : 0;
}

static int kvmi_read_physical(struct kvmi *kvmi, size_t *size)
{
	const struct kvmi_read_physical *arg = (void *)kvmi->in;

	if (!arg->size || arg->size > PAGE_SIZE ||
	    offset_in_page(arg->gpa) + arg->size > PAGE_SIZE)
		return -KVM_EINVAL;

	*size = arg->size;
	return kvmi_read_guest(kvmi->kvm, arg->gpa, kvmi->out, arg->size);
}

static const struct kvmi_command kvmi_commands[] = {
	[KVMI_GET_VERSION]	= { 0, kvmi_get_version },
	[KVMI_CHECK_COMMAND]	= { sizeof(struct kvmi_check_command), kvmi_check_command },
	[KVMI_CHECK_EVENT]	= { sizeof(struct kvmi_check_event), kvmi_check_event },
	[KVMI_GET_GUEST_INFO]	= { 0, kvmi_get_guest_info },
	[KVMI_CONTROL_VM_EVENTS] = { sizeof(struct kvmi_control_vm_events),
				     kvmi_control_vm_events },
	[KVMI_READ_PHYSICAL]	= { sizeof(struct kvmi_read_physical), kvmi_read_physical },
};

static const struct kvmi_command *kvmi_find_command(u16 id)
{
	BUILD_BUG_ON(ARRAY_SIZE(kvmi_commands) > KVMI_NUM_COMMANDS);

	if (id >= ARRAY_SIZE(kvmi_commands))
		return NULL;
	id = array_index_nospec(id, ARRAY_SIZE(kvmi_commands));
	return kvmi_commands[id].handle ? &kvmi_commands[id] : NULL;
}

static int kvmi_reply(struct kvmi *kvmi, const struct kvmi_msg_hdr *command,
		      int err, size_t size)
{
	struct kvmi_error_code code = { .err = err };
	struct kvmi_msg_hdr hdr = {
		.id = command->id,
		.seq = command->seq,
		.size = sizeof(code) + (err ? 0 : size),
	};
	struct kvec vec[] = {
		{ &hdr, sizeof(hdr) },
		{ &code, sizeof(code) },
		{ kvmi->out, size },
	};
	int r;

	mutex_lock(&kvmi->send_lock);
	r = kvmi_sock_write(kvmi, vec, err || !size ? 2 : 3);
	mutex_unlock(&kvmi->send_lock);
	return r;
}

static int kvmi_run_command(struct kvmi *kvmi, const struct kvmi_msg_hdr *hdr,
			    size_t *size)
{
	const struct kvmi_command *command = kvmi_find_command(hdr->id);
	int r;

	r = kvmi_check_command_id(kvmi, hdr->id);
	if (r)
		return r;
	if (hdr->size != command->size)
		return -KVM_EINVAL;
	return command->handle(kvmi, size);
}

/**
 * kvmi_msg_handle() - receive one message and answer it
 * @kvmi: the connection
 *
 * Return: 0, or an error after which the connection is of no more use: -EPROTO
 * for what is no command, or an error of the socket.
 *
 * Context: the receiving thread.
 */
int kvmi_msg_handle(struct kvmi *kvmi)
{
	struct kvmi_msg_hdr hdr;
	size_t size = 0;
	int r;

	r = kvmi_sock_read(kvmi, &hdr, sizeof(hdr));
	if (r)
		return r;
	/* No event waits for a reply yet. */
	if (hdr.size > KVMI_MSG_SIZE - sizeof(hdr) ||
	    hdr.id == KVMI_EVENT_REPLY || hdr.id == KVMI_EVENT)
		return -EPROTO;
	r = kvmi_sock_read(kvmi, kvmi->in, hdr.size);
	if (r)
		return r;

	kvmi->kvm->stat.generic.introspection_commands++;
	r = kvmi_run_command(kvmi, &hdr, &size);
	return kvmi_reply(kvmi, &hdr, r, size);
}

/**
 * kvmi_msg_send_unhook() - ask the tool to let go of the VM
 * @kvmi: the connection, with a reference
 *
 * Return: 0, -EAGAIN if the tool does not want to be asked, or an error of the
 * socket.
 */
int kvmi_msg_send_unhook(struct kvmi *kvmi)
{
	struct kvmi_event event = {
		.size = sizeof(event),
		.event = KVMI_EVENT_UNHOOK,
	};
	struct kvmi_msg_hdr hdr = {
		.id = KVMI_EVENT,
		.size = sizeof(event),
	};
	struct kvec vec[] = {
		{ &hdr, sizeof(hdr) },
		{ &event, sizeof(event) },
	};
	int r;

	BUILD_BUG_ON(sizeof(struct kvmi_event) != 544);

	if (!(READ_ONCE(kvmi->vm_events) & BIT_ULL(KVMI_EVENT_UNHOOK)))
		return -EAGAIN;

	mutex_lock(&kvmi->send_lock);
	hdr.seq = ++kvmi->event_seq;
	r = kvmi_sock_write(kvmi, vec, ARRAY_SIZE(vec));
	if (!r)
		kvmi->kvm->stat.generic.introspection_events++;
	mutex_unlock(&kvmi->send_lock);
	return r;
}
