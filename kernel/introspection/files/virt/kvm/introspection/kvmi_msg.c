// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: the tool's commands and the VM's events.
 *
 * Whatever a tool sends, it gets an answer or is disconnected: an error code
 * for a command that is unknown, not allowed or has wrong arguments, and the
 * end of the connection for what leaves no way to tell where the next message
 * starts or which answer belongs to what.
 */
#include <linux/nospec.h>
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

/**
 * struct kvmi_command - how to handle a command
 * @size: size of its arguments
 * @more: whether data may follow them; kvmi->in_size counts both
 * @handle: does it; the arguments are in kvmi->in, and the size bytes of the
 *	reply go to kvmi->out. Returns 0 or a negative KVM_E*.
 */
struct kvmi_command {
	size_t size;
	bool more;
	int (*handle)(struct kvmi *kvmi, size_t *size);
};

static const struct kvmi_command *kvmi_find_command(u16 id);

static int kvmi_check_command_id(struct kvmi *kvmi, u16 id)
{
	if (!kvmi_find_command(id) && !kvmi_vcpu_knows(id)) {
		if (id < KVMI_NUM_COMMANDS && KVMI_VIEW_COMMANDS & BIT_ULL(id))
			return -KVM_EOPNOTSUPP;
		return -KVM_ENOSYS;
	}
	if (!((kvmi->allow.commands | KVMI_ALWAYS_ALLOWED) & BIT_ULL(id)))
		return -KVM_EPERM;
	/* What comes of these is the event. */
	switch (id) {
	case KVMI_PAUSE_VCPU:
		return kvmi_check_event_id(kvmi, KVMI_EVENT_PAUSE_VCPU, KVMI_VCPU_EVENTS);
	case KVMI_CONTROL_CR:
		return kvmi_check_event_id(kvmi, KVMI_EVENT_CR, KVMI_VCPU_EVENTS);
	case KVMI_CONTROL_MSR:
		return kvmi_check_event_id(kvmi, KVMI_EVENT_MSR, KVMI_VCPU_EVENTS);
	case KVMI_SET_PAGE_ACCESS:
		return kvmi_check_event_id(kvmi, KVMI_EVENT_PF, KVMI_VCPU_EVENTS);
	default:
		return 0;
	}
}

/**
 * kvmi_check_event_id() - whether the tool may have an event
 * @kvmi: the connection
 * @id: what the tool calls an event
 * @events: mask of those that it could be
 *
 * Return: 0; -KVM_ENOENT if there is no such event, -KVM_EINVAL if it is not
 * one of @events, -KVM_EPERM if it is not allowed.
 */
int kvmi_check_event_id(struct kvmi *kvmi, u16 id, u64 events)
{
	if (id >= KVMI_NUM_EVENTS ||
	    !((KVMI_VM_EVENTS | KVMI_VCPU_EVENTS) & BIT_ULL(id)))
		return -KVM_ENOENT;
	if (!(events & BIT_ULL(id)))
		return -KVM_EINVAL;
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
	return kvmi_check_event_id(kvmi, arg->id, KVMI_VM_EVENTS | KVMI_VCPU_EVENTS);
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
	r = kvmi_check_event_id(kvmi, arg->event_id, KVMI_VM_EVENTS);
	if (r)
		return r;

	if (arg->enable)
		WRITE_ONCE(kvmi->vm_events, kvmi->vm_events | BIT_ULL(arg->event_id));
	else
		WRITE_ONCE(kvmi->vm_events, kvmi->vm_events & ~BIT_ULL(arg->event_id));
	return 0;
}

static bool kvmi_within_page(u64 gpa, u64 size)
{
	return size && size <= PAGE_SIZE && offset_in_page(gpa) + size <= PAGE_SIZE;
}

static int kvmi_read_physical(struct kvmi *kvmi, size_t *size)
{
	const struct kvmi_read_physical *arg = (void *)kvmi->in;

	if (!kvmi_within_page(arg->gpa, arg->size))
		return -KVM_EINVAL;

	*size = arg->size;
	return kvmi_mem_read(kvmi->kvm, arg->gpa, kvmi->out, arg->size);
}

static int kvmi_write_physical(struct kvmi *kvmi, size_t *size)
{
	const struct kvmi_write_physical *arg = (void *)kvmi->in;

	if (!kvmi_within_page(arg->gpa, arg->size) ||
	    kvmi->in_size != sizeof(*arg) + arg->size)
		return -KVM_EINVAL;

	return kvmi_mem_write(kvmi->kvm, arg->gpa, arg->data, arg->size);
}

static int kvmi_get_page_access(struct kvmi *kvmi, size_t *size)
{
	const struct kvmi_get_page_access *arg = (void *)kvmi->in;
	int i;

	if (arg->view || arg->padding ||
	    kvmi->in_size != struct_size(arg, gpa, arg->count))
		return -KVM_EINVAL;

	for (i = 0; i < arg->count; i++)
		kvmi->out[i] = kvmi_arch_get_page_access(kvmi->kvm, arg->gpa[i]);
	*size = arg->count;
	return 0;
}

static int kvmi_set_page_access(struct kvmi *kvmi, size_t *size)
{
	const struct kvmi_set_page_access *arg = (void *)kvmi->in;

	if (arg->view || arg->padding ||
	    kvmi->in_size != struct_size(arg, entries, arg->count))
		return -KVM_EINVAL;
	return kvmi_arch_set_page_access(kvmi->kvm, arg->entries, arg->count);
}

static int kvmi_get_mtrr_type(struct kvmi *kvmi, size_t *size)
{
	const struct kvmi_get_mtrr_type *arg = (void *)kvmi->in;
	struct kvmi_get_mtrr_type_reply *reply = (void *)kvmi->out;

	*reply = (struct kvmi_get_mtrr_type_reply){};
	*size = sizeof(*reply);
	return kvmi_arch_get_mtrr_type(kvmi->kvm, arg->gpa, &reply->type);
}

static int kvmi_control_cmd_response(struct kvmi *kvmi, size_t *size)
{
	const struct kvmi_control_cmd_response *arg = (void *)kvmi->in;

	if (arg->enable > 1 || arg->now > 1 || arg->padding1 || arg->padding2)
		return -KVM_EINVAL;

	kvmi->mute_next = !arg->enable;
	if (arg->now)
		kvmi->mute = !arg->enable;
	return 0;
}

static int kvmi_get_max_gfn(struct kvmi *kvmi, size_t *size)
{
	struct kvmi_get_max_gfn_reply *reply = (void *)kvmi->out;

	reply->gfn = kvmi_mem_end(kvmi->kvm);
	*size = sizeof(*reply);
	return 0;
}

static int kvmi_get_next_available_gfn(struct kvmi *kvmi, size_t *size)
{
	struct kvmi_get_next_available_gfn_reply *reply = (void *)kvmi->out;

	reply->gfn = kvmi_mem_next(kvmi->kvm);
	*size = sizeof(*reply);
	return kvmi_arch_gfn_possible(reply->gfn) ? 0 : -KVM_ENOENT;
}

static const struct kvmi_command kvmi_commands[] = {
	[KVMI_GET_VERSION] = {
		.handle	= kvmi_get_version,
	},
	[KVMI_CHECK_COMMAND] = {
		.size	= sizeof(struct kvmi_check_command),
		.handle	= kvmi_check_command,
	},
	[KVMI_CHECK_EVENT] = {
		.size	= sizeof(struct kvmi_check_event),
		.handle	= kvmi_check_event,
	},
	[KVMI_GET_GUEST_INFO] = {
		.handle	= kvmi_get_guest_info,
	},
	[KVMI_CONTROL_VM_EVENTS] = {
		.size	= sizeof(struct kvmi_control_vm_events),
		.handle	= kvmi_control_vm_events,
	},
	[KVMI_READ_PHYSICAL] = {
		.size	= sizeof(struct kvmi_read_physical),
		.handle	= kvmi_read_physical,
	},
	[KVMI_WRITE_PHYSICAL] = {
		.size	= sizeof(struct kvmi_write_physical),
		.more	= true,
		.handle	= kvmi_write_physical,
	},
	[KVMI_GET_PAGE_ACCESS] = {
		.size	= sizeof(struct kvmi_get_page_access),
		.more	= true,
		.handle	= kvmi_get_page_access,
	},
	[KVMI_SET_PAGE_ACCESS] = {
		.size	= sizeof(struct kvmi_set_page_access),
		.more	= true,
		.handle	= kvmi_set_page_access,
	},
	[KVMI_GET_MTRR_TYPE] = {
		.size	= sizeof(struct kvmi_get_mtrr_type),
		.handle	= kvmi_get_mtrr_type,
	},
	[KVMI_CONTROL_CMD_RESPONSE] = {
		.size	= sizeof(struct kvmi_control_cmd_response),
		.handle	= kvmi_control_cmd_response,
	},
	[KVMI_GET_MAX_GFN] = {
		.handle	= kvmi_get_max_gfn,
	},
	[KVMI_GET_NEXT_AVAILABLE_GFN] = {
		.handle	= kvmi_get_next_available_gfn,
	},
};

static const struct kvmi_command *kvmi_find_command(u16 id)
{
	BUILD_BUG_ON(ARRAY_SIZE(kvmi_commands) > KVMI_NUM_COMMANDS);

	if (id >= ARRAY_SIZE(kvmi_commands))
		return NULL;
	id = array_index_nospec(id, ARRAY_SIZE(kvmi_commands));
	return kvmi_commands[id].handle ? &kvmi_commands[id] : NULL;
}

/**
 * kvmi_msg_reply() - answer a command
 * @kvmi: the connection, with a reference
 * @command: the command's header
 * @err: 0 or a negative KVM_E*
 * @data: data that follows if @err is 0
 * @size: size of the data
 *
 * Return: 0, or an error of the socket, which ends the connection.
 */
int kvmi_msg_reply(struct kvmi *kvmi, const struct kvmi_msg_hdr *command,
		   int err, const void *data, size_t size)
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
		{ (void *)data, size },
	};
	int r;

	mutex_lock(&kvmi->send_lock);
	r = kvmi_sock_write(kvmi, vec, err || !size ? 2 : 3);
	mutex_unlock(&kvmi->send_lock);
	return r;
}

/* 0 or a negative KVM_E* to be answered now; 1 if a vCPU is going to answer. */
static int kvmi_run_command(struct kvmi *kvmi, const struct kvmi_msg_hdr *hdr,
			    size_t *size)
{
	const struct kvmi_command *command = kvmi_find_command(hdr->id);
	int r;

	r = kvmi_check_command_id(kvmi, hdr->id);
	if (r)
		return r;
	if (!command)
		return kvmi_vcpu_receive(kvmi, hdr);
	if (command->more ? hdr->size < command->size : hdr->size != command->size)
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
	int err, r;

	r = kvmi_sock_read(kvmi, &hdr, sizeof(hdr));
	if (r)
		return r;
	if (hdr.size > KVMI_MSG_SIZE - sizeof(hdr) || hdr.id == KVMI_EVENT)
		return -EPROTO;
	r = kvmi_sock_read(kvmi, kvmi->in, hdr.size);
	if (r)
		return r;

	kvmi->in_size = hdr.size;
	if (hdr.id == KVMI_EVENT_REPLY)
		return kvmi_vcpu_answer(kvmi, hdr.seq);

	kvmi->kvm->stat.generic.introspection_commands++;
	err = kvmi_run_command(kvmi, &hdr, &size);
	if (err < 0)
		kvmi_count_error(kvmi->kvm);
	if (err <= 0 && !kvmi->mute)
		r = kvmi_msg_reply(kvmi, &hdr, err, kvmi->out, size);
	kvmi->mute = kvmi->mute_next;
	return r;
}

/**
 * kvmi_msg_send_event() - send an event
 * @kvmi: the connection, with a reference
 * @vcpu: the vCPU that is going to wait for the answer, NULL if there is none
 * @event: the event
 * @data: what it has of its own
 * @size: size of that
 *
 * Return: 0, or an error of the socket, which ends the connection.
 */
int kvmi_msg_send_event(struct kvmi *kvmi, struct kvm_vcpu *vcpu,
			const struct kvmi_event *event, const void *data,
			size_t size)
{
	struct kvmi_msg_hdr hdr = {
		.id = KVMI_EVENT,
		.size = event->size + size,
	};
	struct kvec vec[] = {
		{ &hdr, sizeof(hdr) },
		{ (void *)event, event->size },
		{ (void *)data, size },
	};
	int r;

	mutex_lock(&kvmi->send_lock);
	hdr.seq = ++kvmi->event_seq;
	if (vcpu)
		kvmi_vcpu_asks(vcpu, event->event, hdr.seq);
	r = kvmi_sock_write(kvmi, vec, size ? 3 : 2);
	if (!r)
		kvmi->kvm->stat.generic.introspection_events++;
	mutex_unlock(&kvmi->send_lock);
	return r;
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

	BUILD_BUG_ON(sizeof(struct kvmi_event) != 544);

	if (!(READ_ONCE(kvmi->vm_events) & BIT_ULL(KVMI_EVENT_UNHOOK)))
		return -EAGAIN;

	return kvmi_msg_send_event(kvmi, NULL, &event, NULL, 0);
}
