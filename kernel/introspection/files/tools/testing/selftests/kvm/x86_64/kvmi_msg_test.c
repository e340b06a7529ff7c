// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: the messages between a tool and KVM, well-formed or not.
 */
#include <pthread.h>

#include "kvmi_test.h"

FIXTURE(kvmi) {
	struct guest guest;
	int tool;
};

FIXTURE_SETUP(kvmi)
{
	self->guest = guest_create();
	self->tool = tool_hook(self->guest.control);
	ASSERT_GE(self->tool, 0) TH_LOG("hook: %s", strerror(errno));
}

FIXTURE_TEARDOWN(kvmi)
{
	close(self->tool);
	guest_destroy(&self->guest);
}

static int check_command(int tool, uint16_t id)
{
	struct kvmi_check_command arg = { .id = id };

	return tool_command(tool, KVMI_CHECK_COMMAND, &arg, sizeof(arg), NULL, 0);
}

static int check_event(int tool, uint16_t id)
{
	struct kvmi_check_event arg = { .id = id };

	return tool_command(tool, KVMI_CHECK_EVENT, &arg, sizeof(arg), NULL, 0);
}

static int read_physical(int tool, uint64_t gpa, uint64_t size, void *data)
{
	struct kvmi_read_physical arg = { .gpa = gpa, .size = size };

	return tool_command(tool, KVMI_READ_PHYSICAL, &arg, sizeof(arg), data, size);
}

static int write_physical(int tool, uint64_t gpa, uint64_t size, const void *data,
			  uint16_t data_size)
{
	uint64_t arg[2 + 4096 / 8 + 1] = { gpa, size };

	memcpy(arg + 2, data, data_size);
	return tool_command(tool, KVMI_WRITE_PHYSICAL, arg, 16 + data_size, NULL, 0);
}

static int want_unhook_event(int tool, int enable)
{
	struct kvmi_control_vm_events arg = {
		.event_id = KVMI_EVENT_UNHOOK,
		.enable = enable,
	};

	return tool_command(tool, KVMI_CONTROL_VM_EVENTS, &arg, sizeof(arg), NULL, 0);
}

/* Unhook, allow just this, and hook again; returns the new tool. */
static int hook_with(struct guest *guest, int tool, uint64_t commands, uint64_t events)
{
	struct kvm_introspection_allow allow = { .commands = commands, .events = events };

	close(tool);
	TEST_ASSERT(!ioctl(guest->control, KVM_INTROSPECTION_UNHOOK), "unhook");
	TEST_ASSERT(!ioctl(guest->control, KVM_INTROSPECTION_ALLOW, &allow), "allow");
	tool = tool_hook(guest->control);
	TEST_ASSERT(tool >= 0, "hook: %s", strerror(errno));
	return tool;
}

TEST_F(kvmi, get_version)
{
	struct kvmi_get_version_reply reply;

	memset(&reply, 0xff, sizeof(reply));
	EXPECT_EQ(0, tool_command(self->tool, KVMI_GET_VERSION, NULL, 0, &reply, 16));
	EXPECT_EQ(KVMI_VERSION, reply.version);
	EXPECT_EQ(0, reply.padding);
	EXPECT_EQ(0, reply.spp | reply.vmfunc | reply.eptp | reply.ve);
	EXPECT_EQ(0, reply.padding2[0] | reply.padding2[3]);
}

TEST_F(kvmi, check_command)
{
	struct kvmi_check_command arg = { .id = KVMI_GET_VERSION };

	EXPECT_EQ(0, check_command(self->tool, KVMI_GET_VERSION));
	EXPECT_EQ(0, check_command(self->tool, KVMI_READ_PHYSICAL));
	EXPECT_EQ(-1000 /* KVM_ENOSYS */, check_command(self->tool, 62));
	EXPECT_EQ(-1000, check_command(self->tool, 64));
	EXPECT_EQ(-1000, check_command(self->tool, 0xffff));
	EXPECT_EQ(-1000, check_command(self->tool, KVMI_EVENT));
	EXPECT_EQ(-EOPNOTSUPP, check_command(self->tool, 24));

	arg.padding1 = 1;
	EXPECT_EQ(-EINVAL, tool_command(self->tool, KVMI_CHECK_COMMAND, &arg, sizeof(arg),
					NULL, 0));
	arg.padding1 = 0;
	arg.padding2 = 1;
	EXPECT_EQ(-EINVAL, tool_command(self->tool, KVMI_CHECK_COMMAND, &arg, sizeof(arg),
					NULL, 0));
}

TEST_F(kvmi, check_event)
{
	struct kvmi_check_event arg = { .id = KVMI_EVENT_UNHOOK, .padding2 = 1 };

	EXPECT_EQ(0, check_event(self->tool, KVMI_EVENT_UNHOOK));
	EXPECT_EQ(-ENOENT, check_event(self->tool, 12));
	EXPECT_EQ(-ENOENT, check_event(self->tool, 64));
	EXPECT_EQ(-ENOENT, check_event(self->tool, 0xffff));
	EXPECT_EQ(-EINVAL, tool_command(self->tool, KVMI_CHECK_EVENT, &arg, sizeof(arg),
					NULL, 0));
}

TEST_F(kvmi, get_guest_info)
{
	struct kvmi_get_guest_info_reply reply;

	EXPECT_EQ(0, tool_command(self->tool, KVMI_GET_GUEST_INFO, NULL, 0, &reply, 16));
	EXPECT_EQ(0, reply.vcpu_count);
	__vm_vcpu_add(self->guest.vm, 0);
	EXPECT_EQ(0, tool_command(self->tool, KVMI_GET_GUEST_INFO, NULL, 0, &reply, 16));
	EXPECT_EQ(1, reply.vcpu_count);
}

TEST_F(kvmi, read_physical)
{
	uint8_t data[4096];
	int i;

	for (i = 0; i < GUEST_PAGES; i++) {
		memset(data, 0, sizeof(data));
		EXPECT_EQ(0, read_physical(self->tool, GUEST_GPA + i * 4096, 4096, data));
		EXPECT_EQ(0, memcmp(data, self->guest.memory + i * 4096, 4096));
	}
	EXPECT_EQ(0, read_physical(self->tool, GUEST_GPA + 4095, 1, data));
	EXPECT_EQ(self->guest.memory[4095], data[0]);
	EXPECT_EQ(0, read_physical(self->tool, GUEST_GPA + 100, 1000, data));
	EXPECT_EQ(0, memcmp(data, self->guest.memory + 100, 1000));
}

TEST_F(kvmi, read_physical_stays_in_a_page_of_the_guest)
{
	uint64_t end = GUEST_GPA + GUEST_PAGES * 4096;

	EXPECT_EQ(-EINVAL, read_physical(self->tool, GUEST_GPA, 0, NULL));
	EXPECT_EQ(-EINVAL, read_physical(self->tool, GUEST_GPA, 4097, NULL));
	EXPECT_EQ(-EINVAL, read_physical(self->tool, GUEST_GPA + 1, 4096, NULL));
	EXPECT_EQ(-EINVAL, read_physical(self->tool, GUEST_GPA + 4095, 2, NULL));
	EXPECT_EQ(-EINVAL, read_physical(self->tool, GUEST_GPA + 8, -8ull, NULL));
	EXPECT_EQ(-ENOENT, read_physical(self->tool, end, 1, NULL));
	EXPECT_EQ(-ENOENT, read_physical(self->tool, GUEST_GPA - 4096, 4096, NULL));
	EXPECT_EQ(-ENOENT, read_physical(self->tool, ~0xfffull, 4096, NULL));
}

TEST_F(kvmi, write_physical)
{
	uint8_t data[4096];
	int i;

	for (i = 0; i < 4096; i++)
		data[i] = i * 7 + 1;
	EXPECT_EQ(0, write_physical(self->tool, GUEST_GPA + 4096, 4096, data, 4096));
	EXPECT_EQ(0, memcmp(data, self->guest.memory + 4096, 4096));
	EXPECT_EQ(0, write_physical(self->tool, GUEST_GPA + 4095, 1, data + 5, 1));
	EXPECT_EQ(data[5], self->guest.memory[4095]);
	EXPECT_EQ((uint8_t)(4094 ^ (4094 >> 8)), self->guest.memory[4094]);
	EXPECT_EQ(data[0], self->guest.memory[4096]);
}

TEST_F(kvmi, write_physical_stays_in_a_page_of_the_guest)
{
	uint64_t end = GUEST_GPA + GUEST_PAGES * 4096;
	static uint8_t before[GUEST_PAGES * 4096];
	uint8_t data[4104] = {};

	vm_userspace_mem_region_add(self->guest.vm, VM_MEM_SRC_ANONYMOUS, end + 4096, 2, 1,
				    KVM_MEM_READONLY);
	memcpy(before, self->guest.memory, sizeof(before));
	EXPECT_EQ(-EINVAL, write_physical(self->tool, GUEST_GPA, 0, data, 0));
	EXPECT_EQ(-EINVAL, write_physical(self->tool, GUEST_GPA, 4097, data, 4097));
	EXPECT_EQ(-EINVAL, write_physical(self->tool, GUEST_GPA + 4095, 2, data, 2));
	EXPECT_EQ(-EINVAL, write_physical(self->tool, GUEST_GPA + 8, -8ull, data, 8));
	/* As much data as it says, neither more nor less. */
	EXPECT_EQ(-EINVAL, write_physical(self->tool, GUEST_GPA, 8, data, 7));
	EXPECT_EQ(-EINVAL, write_physical(self->tool, GUEST_GPA, 8, data, 9));
	EXPECT_EQ(-ENOENT, write_physical(self->tool, end, 8, data, 8));
	EXPECT_EQ(-ENOENT, write_physical(self->tool, end + 4096, 8, data, 8));
	EXPECT_EQ(0, memcmp(before, self->guest.memory, sizeof(before)));
}

TEST_F(kvmi, write_physical_marks_the_page_dirty)
{
	struct kvm_vm *vm = self->guest.vm;
	unsigned long dirty = 0;
	uint64_t data = 1;

	vm_mem_region_set_flags(vm, 1, KVM_MEM_LOG_DIRTY_PAGES);
	EXPECT_EQ(0, write_physical(self->tool, GUEST_GPA + 2 * 4096, 8, &data, 8));
	EXPECT_EQ(0, read_physical(self->tool, GUEST_GPA, 8, &data));
	kvm_vm_get_dirty_log(vm, 1, &dirty);
	EXPECT_EQ(1 << 2, dirty);
}

/* Only a vCPU has a ring to tell in; what nobody is told would be lost in a migration. */
TEST_F(kvmi, write_physical_refuses_what_a_dirty_ring_would_miss)
{
	struct kvm_vm *vm = self->guest.vm;
	uint64_t data = 1;

	vm_enable_dirty_ring(vm, 65536);
	EXPECT_EQ(0, write_physical(self->tool, GUEST_GPA, 8, &data, 8));
	vm_mem_region_set_flags(vm, 1, KVM_MEM_LOG_DIRTY_PAGES);
	EXPECT_EQ(-EOPNOTSUPP, write_physical(self->tool, GUEST_GPA + 4096, 8, &data, 8));
	EXPECT_NE(1, *(uint64_t *)(self->guest.memory + 4096));
}

TEST_F(kvmi, get_max_gfn)
{
	struct kvmi_get_max_gfn_reply reply;

	EXPECT_EQ(0, tool_command(self->tool, KVMI_GET_MAX_GFN, NULL, 0, &reply, 8));
	EXPECT_EQ(GUEST_GPA / 4096 + GUEST_PAGES, reply.gfn);
	vm_userspace_mem_region_add(self->guest.vm, VM_MEM_SRC_ANONYMOUS, 1ull << 32, 2, 3, 0);
	EXPECT_EQ(0, tool_command(self->tool, KVMI_GET_MAX_GFN, NULL, 0, &reply, 8));
	EXPECT_EQ((1 << 20) + 3, reply.gfn);
}

#define SLOT_GPA(i) ((1ull << 32) + (i) * 4096ull)
#define SLOTS 200

struct asker {
	int tool;
	bool done;
	uint64_t asked;
	uint64_t wrong;
};

static void *asker_thread(void *arg)
{
	struct kvmi_get_max_gfn_reply reply;
	struct asker *asker = arg;

	while (!READ_ONCE(asker->done)) {
		TEST_ASSERT_EQ(tool_command(asker->tool, KVMI_GET_MAX_GFN, NULL, 0, &reply, 8), 0);
		asker->asked++;
		asker->wrong += reply.gfn != SLOT_GPA(SLOTS) / 4096 &&
				reply.gfn != SLOT_GPA(SLOTS + 1) / 4096;
	}
	return NULL;
}

/* KVM has two sets of slots, which change places while it looks through one of them. */
TEST_F(kvmi, get_max_gfn_while_memory_changes)
{
	struct asker asker = { .tool = self->tool };
	struct kvm_vm *vm = self->guest.vm;
	pthread_t thread;
	int i;

	for (i = 0; i < SLOTS; i++)
		vm_set_user_memory_region(vm, 2 + i, 0, SLOT_GPA(i), 4096, self->guest.memory);
	ASSERT_EQ(0, pthread_create(&thread, NULL, asker_thread, &asker));
	for (i = 0; i < 3000; i++) {
		vm_set_user_memory_region(vm, 2 + SLOTS, 0, SLOT_GPA(SLOTS), 4096,
					  self->guest.memory);
		vm_set_user_memory_region(vm, 2 + SLOTS, 0, SLOT_GPA(SLOTS), 0, NULL);
	}
	WRITE_ONCE(asker.done, true);
	pthread_join(thread, NULL);
	EXPECT_LT(0, asker.asked);
	EXPECT_EQ(0, asker.wrong);
}

static int send_cmd_response(int tool, uint32_t seq, int enable, int now)
{
	struct kvmi_control_cmd_response arg = { .enable = enable, .now = now };

	return tool_send(tool, KVMI_CONTROL_CMD_RESPONSE, seq, &arg, sizeof(arg));
}

/* The next reply's sequence number. */
static uint32_t next_reply(int tool)
{
	struct {
		struct kvmi_msg_hdr hdr;
		struct kvmi_error_code code;
	} reply;
	uint8_t data[4096];

	if (recv(tool, &reply, sizeof(reply), MSG_WAITALL) != sizeof(reply))
		return 0;
	/* Asking for nothing waits for something. */
	if (reply.hdr.size > sizeof(reply.code))
		recv(tool, data, reply.hdr.size - sizeof(reply.code), MSG_WAITALL);
	return reply.hdr.seq;
}

TEST_F(kvmi, replies_may_be_switched_off)
{
	/* From the next command on. */
	ASSERT_EQ(0, send_cmd_response(self->tool, 1, 0, 0));
	ASSERT_EQ(0, tool_send(self->tool, KVMI_GET_VERSION, 2, NULL, 0));
	ASSERT_EQ(0, tool_send(self->tool, 99, 3, NULL, 0));
	ASSERT_EQ(0, send_cmd_response(self->tool, 4, 1, 0));
	ASSERT_EQ(0, tool_send(self->tool, KVMI_GET_VERSION, 5, NULL, 0));
	EXPECT_EQ(1, next_reply(self->tool));
	EXPECT_EQ(5, next_reply(self->tool));
	/* From this command on. */
	ASSERT_EQ(0, send_cmd_response(self->tool, 6, 0, 1));
	ASSERT_EQ(0, tool_send(self->tool, KVMI_GET_VERSION, 7, NULL, 0));
	ASSERT_EQ(0, send_cmd_response(self->tool, 8, 1, 1));
	EXPECT_EQ(8, next_reply(self->tool));
	EXPECT_EQ(0, check_command(self->tool, KVMI_GET_VERSION));
}

TEST_F(kvmi, wrong_arguments_switch_no_replies)
{
	struct kvmi_control_cmd_response arg[] = {
		{ .enable = 2 }, { .now = 2 }, { .padding1 = 1 }, { .padding2 = 1 },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(arg); i++)
		EXPECT_EQ(-EINVAL, tool_command(self->tool, KVMI_CONTROL_CMD_RESPONSE, &arg[i],
						sizeof(arg[i]), NULL, 0));
}

TEST_F(kvmi, wrong_sizes_and_unknown_commands_are_answered)
{
	static uint8_t data[KVMI_MSG_SIZE - sizeof(struct kvmi_msg_hdr)];
	int id;

	for (id = 2; id < 70; id++) {
		int err = tool_command(self->tool, id, data, sizeof(data), NULL, 0);

		EXPECT_TRUE(err == -EINVAL || err == -1000 || err == -EOPNOTSUPP)
			TH_LOG("command %d: %d", id, err);
	}
	EXPECT_EQ(-EINVAL, tool_command(self->tool, KVMI_GET_VERSION, data, 1, NULL, 0));
	EXPECT_EQ(-EINVAL, tool_command(self->tool, KVMI_READ_PHYSICAL, data, 15, NULL, 0));
	EXPECT_EQ(-EINVAL, tool_command(self->tool, KVMI_READ_PHYSICAL, NULL, 0, NULL, 0));
	EXPECT_EQ(0, check_command(self->tool, KVMI_GET_VERSION));
}

TEST_F(kvmi, a_message_too_large_ends_the_connection)
{
	struct kvmi_msg_hdr hdr = {
		.id = KVMI_GET_VERSION,
		.size = KVMI_MSG_SIZE - sizeof(hdr) + 1,
	};

	ASSERT_EQ(sizeof(hdr), send(self->tool, &hdr, sizeof(hdr), 0));
	EXPECT_TRUE(tool_sees_the_end(self->tool));
	EXPECT_EQ(EPROTO, wait_for_broken(self->guest.control));
}

TEST_F(kvmi, a_reply_to_nothing_ends_the_connection)
{
	uint64_t data[2] = {};

	ASSERT_EQ(0, tool_send(self->tool, KVMI_EVENT_REPLY, 1, data, sizeof(data)));
	EXPECT_EQ(EPROTO, wait_for_broken(self->guest.control));
}

TEST_F(kvmi, messages_may_come_in_pieces)
{
	struct kvmi_read_physical arg = { .gpa = GUEST_GPA, .size = 8 };
	struct kvmi_msg_hdr hdr = { .id = KVMI_READ_PHYSICAL, .size = sizeof(arg), .seq = 7 };
	uint8_t message[sizeof(hdr) + sizeof(arg)], reply[24];
	int i;

	memcpy(message, &hdr, sizeof(hdr));
	memcpy(message + sizeof(hdr), &arg, sizeof(arg));
	for (i = 0; i < sizeof(message); i++)
		ASSERT_EQ(1, send(self->tool, message + i, 1, 0));
	EXPECT_EQ(sizeof(reply), recv(self->tool, reply, sizeof(reply), MSG_WAITALL));
	EXPECT_EQ(0, memcmp(reply + 16, self->guest.memory, 8));
}

TEST_F(kvmi, what_is_not_allowed_is_refused)
{
	struct kvmi_read_physical arg = { .gpa = GUEST_GPA, .size = 8 };

	self->tool = hook_with(&self->guest, self->tool, 1ull << KVMI_GET_GUEST_INFO, 0);
	EXPECT_EQ(0, check_command(self->tool, KVMI_GET_GUEST_INFO));
	EXPECT_EQ(-EPERM, check_command(self->tool, KVMI_READ_PHYSICAL));
	EXPECT_EQ(-EPERM, tool_command(self->tool, KVMI_READ_PHYSICAL, &arg, sizeof(arg),
				       NULL, 0));
	EXPECT_EQ(-EPERM, check_event(self->tool, KVMI_EVENT_UNHOOK));
	EXPECT_EQ(-EPERM, want_unhook_event(self->tool, 1));
}

TEST_F(kvmi, asking_what_is_allowed_is_always_allowed)
{
	struct kvmi_get_version_reply reply;

	self->tool = hook_with(&self->guest, self->tool, 0, 0);
	EXPECT_EQ(0, tool_command(self->tool, KVMI_GET_VERSION, NULL, 0, &reply, 16));
	EXPECT_EQ(0, check_command(self->tool, KVMI_GET_VERSION));
	EXPECT_EQ(0, check_command(self->tool, KVMI_CHECK_COMMAND));
	EXPECT_EQ(0, check_command(self->tool, KVMI_CHECK_EVENT));
	EXPECT_EQ(-EPERM, check_command(self->tool, KVMI_GET_GUEST_INFO));
}

TEST_F(kvmi, the_allow_list_is_the_managers)
{
	struct kvm_introspection_allow allow = {};

	EXPECT_ERROR(EBUSY, ioctl(self->guest.control, KVM_INTROSPECTION_ALLOW, &allow));
	ASSERT_EQ(0, ioctl(self->guest.control, KVM_INTROSPECTION_UNHOOK));
	allow.padding[1] = 1;
	EXPECT_ERROR(EINVAL, ioctl(self->guest.control, KVM_INTROSPECTION_ALLOW, &allow));
	EXPECT_ERROR(EFAULT, ioctl(self->guest.control, KVM_INTROSPECTION_ALLOW, NULL));
	allow.padding[1] = 0;
	EXPECT_EQ(-1, ioctl(self->guest.vm->fd, KVM_INTROSPECTION_ALLOW, &allow));
	ASSERT_EQ(0, ioctl(self->guest.control, KVM_INTROSPECTION_ALLOW, &allow));
	/* Whoever hooks, the list holds. */
	close(self->tool);
	self->tool = tool_hook(self->guest.vm->fd);
	ASSERT_GE(self->tool, 0);
	EXPECT_EQ(-EPERM, check_command(self->tool, KVMI_READ_PHYSICAL));
}

TEST_F(kvmi, unhook_event)
{
	struct {
		struct kvmi_msg_hdr hdr;
		struct kvmi_event event;
	} message;
	uint8_t zero[sizeof(message.event.arch)] = {};

	EXPECT_ERROR(EAGAIN, ioctl(self->guest.control, KVM_INTROSPECTION_PREUNHOOK));
	EXPECT_EQ(-EINVAL, want_unhook_event(self->tool, 2));
	EXPECT_EQ(0, want_unhook_event(self->tool, 1));
	EXPECT_EQ(0, ioctl(self->guest.control, KVM_INTROSPECTION_PREUNHOOK));
	ASSERT_EQ(sizeof(message), recv(self->tool, &message, sizeof(message), MSG_WAITALL));
	EXPECT_EQ(KVMI_EVENT, message.hdr.id);
	EXPECT_EQ(544, message.hdr.size);
	EXPECT_EQ(544, message.event.size);
	EXPECT_EQ(KVMI_EVENT_UNHOOK, message.event.event);
	EXPECT_EQ(0, memcmp(&message.event.arch, zero, sizeof(zero)));

	/* It may go on for now, and be asked again. */
	EXPECT_EQ(0, check_command(self->tool, KVMI_GET_VERSION));
	EXPECT_EQ(0, ioctl(self->guest.vm->fd, KVM_INTROSPECTION_PREUNHOOK));
	EXPECT_EQ(sizeof(message), recv(self->tool, &message, sizeof(message), MSG_WAITALL));
	EXPECT_EQ(0, want_unhook_event(self->tool, 0));
	EXPECT_ERROR(EAGAIN, ioctl(self->guest.control, KVM_INTROSPECTION_PREUNHOOK));

	ASSERT_EQ(0, ioctl(self->guest.control, KVM_INTROSPECTION_UNHOOK));
	EXPECT_ERROR(ENOENT, ioctl(self->guest.control, KVM_INTROSPECTION_PREUNHOOK));
}

TEST_F(kvmi, statistics)
{
	EXPECT_EQ(1, vm_get_stat(self->guest.vm, "introspection_hooked"));
	EXPECT_EQ(0, vm_get_stat(self->guest.vm, "introspection_commands"));
	EXPECT_EQ(0, want_unhook_event(self->tool, 1));
	EXPECT_EQ(1, vm_get_stat(self->guest.vm, "introspection_commands"));
	EXPECT_EQ(0, ioctl(self->guest.control, KVM_INTROSPECTION_PREUNHOOK));
	EXPECT_EQ(1, vm_get_stat(self->guest.vm, "introspection_events"));
	EXPECT_EQ(0, ioctl(self->guest.control, KVM_INTROSPECTION_UNHOOK));
	EXPECT_EQ(0, vm_get_stat(self->guest.vm, "introspection_hooked"));
}

static uint64_t errors(struct guest *guest)
{
	return guest_stats(guest->vm, guest->control).errors;
}

TEST_F(kvmi, statistics_count_what_failed)
{
	self->tool = hook_with(&self->guest, self->tool, 1ull << KVMI_CONTROL_CMD_RESPONSE, 0);
	EXPECT_EQ(0, errors(&self->guest));
	EXPECT_EQ(0, check_command(self->tool, KVMI_GET_VERSION));
	EXPECT_EQ(0, errors(&self->guest));
	/* Asking counts as well, if the answer is no. */
	EXPECT_EQ(-EPERM, check_command(self->tool, KVMI_READ_PHYSICAL));
	EXPECT_EQ(1, errors(&self->guest));
	EXPECT_EQ(-EPERM, read_physical(self->tool, GUEST_GPA, 8, NULL));
	EXPECT_EQ(2, errors(&self->guest));
	EXPECT_EQ(-1000, tool_command(self->tool, 99, NULL, 0, NULL, 0));
	EXPECT_EQ(3, errors(&self->guest));
	/* Replied to or not. */
	ASSERT_EQ(0, send_cmd_response(self->tool, 1, 0, 1));
	ASSERT_EQ(0, tool_send(self->tool, 99, 2, NULL, 0));
	ASSERT_EQ(0, send_cmd_response(self->tool, 3, 1, 1));
	EXPECT_EQ(3, next_reply(self->tool));
	EXPECT_EQ(4, errors(&self->guest));
	EXPECT_EQ(7, guest_stats(self->guest.vm, self->guest.control).commands);
}

TEST_F(kvmi, statistics_count_a_broken_protocol)
{
	uint64_t data[2] = {};

	ASSERT_EQ(0, tool_send(self->tool, KVMI_EVENT_REPLY, 1, data, sizeof(data)));
	EXPECT_EQ(EPROTO, wait_for_broken(self->guest.control));
	EXPECT_EQ(1, errors(&self->guest));
	/* They are the VM's: the next tool goes on with them. */
	self->tool = hook_with(&self->guest, self->tool, ~0ull, ~0ull);
	EXPECT_EQ(1, errors(&self->guest));
	close(self->tool);
	EXPECT_EQ(EPIPE, wait_for_broken(self->guest.control));
	EXPECT_EQ(1, errors(&self->guest));
	EXPECT_EQ(0, guest_stats(self->guest.vm, self->guest.control).commands);
}

TEST_F(kvmi, statistics_are_for_control_fds)
{
	struct kvm_introspection_stats stats;

	EXPECT_EQ(-1, ioctl(self->guest.vm->fd, KVM_INTROSPECTION_GET_STATS, &stats));
	EXPECT_ERROR(EFAULT, ioctl(self->guest.control, KVM_INTROSPECTION_GET_STATS, NULL));
	EXPECT_EQ(0, ioctl(self->guest.control, KVM_INTROSPECTION_GET_STATS, &stats));
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	return test_harness_run(argc, argv);
}
