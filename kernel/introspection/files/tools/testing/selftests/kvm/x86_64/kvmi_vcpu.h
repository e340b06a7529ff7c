/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of introspected vCPUs share: a guest whose vCPUs count, each
 * in a thread of its own, and a tool that takes replies and events in the order
 * in which they happen to come.
 */
#ifndef SELFTEST_KVMI_VCPU_H
#define SELFTEST_KVMI_VCPU_H

#include <pthread.h>
#include <signal.h>

#include "kvmi_test.h"

#define MAX_VCPUS	4
#define MAGIC		0x1122334455667788ull
#define MAX_STASHED	100

struct message {
	struct kvmi_msg_hdr hdr;
	union {
		struct kvmi_event event;
		struct {
			struct kvmi_error_code code;
			uint8_t data[KVMI_MSG_SIZE - 16];
		} reply;
		uint8_t raw[KVMI_MSG_SIZE];
	};
};

struct machine;

struct cpu {
	struct machine *machine;
	struct kvm_vcpu *vcpu;
	pthread_t thread;
	pid_t tid;
	bool started;
	bool stop;
	bool ended;		/* KVM_RUN has returned with an exit reason */
	int signals;		/* KVM_RUN that ended with EINTR */
	int exits;		/* that ended with an exit reason */
	uint64_t *counter;
	vm_vaddr_t counter_gva;
};

struct machine {
	struct kvm_vm *vm;
	struct cpu cpu[MAX_VCPUS];
	int vcpus;
	int control;
	int tool;
	uint32_t seq;
	struct message stashed[MAX_STASHED];	/* events that came before a reply */
	int nstashed;
};

/* Count, with a known value in r12 and xmm7. */
static inline void guest_count(uint64_t *counter)
{
	asm volatile("movq %[magic], %%r12\n\t"
		     "movq %%r12, %%xmm7\n\t"
		     "1: incq (%%rdi)\n\t"
		     "jmp 1b"
		     : : "D"(counter), [magic] "r"(MAGIC) : "r12", "memory");
}

static inline void on_signal(int number)
{
}

static inline void machine_hook(struct machine *m)
{
	m->nstashed = 0;
	m->tool = tool_hook(m->control);
	TEST_ASSERT(m->tool >= 0, "hook: %s", strerror(errno));
}

static inline void machine_unhook(struct machine *m)
{
	TEST_ASSERT(!ioctl(m->control, KVM_INTROSPECTION_UNHOOK), "unhook");
	close(m->tool);
}

/* Make a vCPU of the machine's VM one of its CPUs, with a page to count in. */
static inline struct cpu *cpu_init(struct machine *m, int number, struct kvm_vcpu *vcpu)
{
	struct cpu *cpu = &m->cpu[number];

	cpu->machine = m;
	cpu->vcpu = vcpu;
	cpu->counter_gva = vm_vaddr_alloc_page(m->vm);
	cpu->counter = addr_gva2hva(m->vm, cpu->counter_gva);
	vcpu_args_set(cpu->vcpu, 1, cpu->counter_gva);
	return cpu;
}

static inline struct machine *machine_create(int vcpus, void *guest_code)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct machine *m = calloc(1, sizeof(*m));
	struct kvm_vcpu *vcpu[MAX_VCPUS];
	int i;

	sigaction(SIGUSR1, &action, NULL);
	m->vcpus = vcpus;
	m->vm = vm_create_with_vcpus(vcpus, guest_code, vcpu);
	for (i = 0; i < vcpus; i++)
		cpu_init(m, i, vcpu[i]);
	m->control = control_open(m->vm->kvm_fd);
	TEST_ASSERT(m->control >= 0, "KVM_CONTROL_OPEN: %s", strerror(errno));
	fcntl(m->control, F_SETFL, O_NONBLOCK);
	machine_hook(m);
	return m;
}

static inline void *cpu_thread(void *arg)
{
	struct cpu *cpu = arg;

	/* Known to whoever has seen the guest run. */
	cpu->tid = syscall(SYS_gettid);
	while (!READ_ONCE(cpu->stop)) {
		if (!__vcpu_run(cpu->vcpu)) {
			WRITE_ONCE(cpu->exits, cpu->exits + 1);
			WRITE_ONCE(cpu->ended, true);
			break;
		}
		TEST_ASSERT(errno == EINTR || errno == EAGAIN, "KVM_RUN: %s", strerror(errno));
		if (errno == EINTR)
			WRITE_ONCE(cpu->signals, cpu->signals + 1);
		if (!READ_ONCE(cpu->stop))
			WRITE_ONCE(cpu->vcpu->run->immediate_exit, 0);
	}
	return NULL;
}

static inline void cpu_start(struct cpu *cpu)
{
	cpu->stop = false;
	cpu->ended = false;
	cpu->vcpu->run->immediate_exit = 0;
	pthread_create(&cpu->thread, NULL, cpu_thread, cpu);
	cpu->started = true;
}

/* Out of KVM_RUN, whatever it is doing there: this is what QEMU does. */
static inline void cpu_stop(struct cpu *cpu)
{
	if (!cpu->started)
		return;
	WRITE_ONCE(cpu->stop, true);
	WRITE_ONCE(cpu->vcpu->run->immediate_exit, 1);
	pthread_kill(cpu->thread, SIGUSR1);
	pthread_join(cpu->thread, NULL);
	cpu->started = false;
}

/* However long it takes; the test's time limit is for what never happens. */
#define wait_until(condition)		\
	do {				\
		while (!(condition))	\
			usleep(1000);	\
	} while (0)

static inline uint64_t cpu_count(struct cpu *cpu)
{
	return READ_ONCE(*cpu->counter);
}

static inline void cpu_wait_counting(struct cpu *cpu)
{
	uint64_t before = cpu_count(cpu);
	struct kvm_run *run = cpu->vcpu->run;

	wait_until(cpu_count(cpu) != before || READ_ONCE(cpu->ended));
	TEST_ASSERT(cpu_count(cpu) != before,
		    "a vCPU does not count, KVM_RUN returned %s (%llx %llx)",
		    exit_reason_str(run->exit_reason), run->hw.hardware_exit_reason,
		    run->internal.data[0]);
}

static inline bool cpu_stands_still(struct cpu *cpu)
{
	uint64_t before = cpu_count(cpu);

	usleep(20000);
	return cpu_count(cpu) == before;
}

static inline void machine_start(struct machine *m)
{
	int i;

	for (i = 0; i < m->vcpus; i++)
		cpu_start(&m->cpu[i]);
	for (i = 0; i < m->vcpus; i++)
		cpu_wait_counting(&m->cpu[i]);
}

static inline void machine_wait_counting(struct machine *m)
{
	int i;

	for (i = 0; i < m->vcpus; i++)
		cpu_wait_counting(&m->cpu[i]);
}

static inline void machine_destroy(struct machine *m)
{
	int i;

	for (i = 0; i < m->vcpus; i++)
		cpu_stop(&m->cpu[i]);
	close(m->tool);
	kvm_vm_free(m->vm);
	close(m->control);
	free(m);
}

static inline void receive(struct machine *m, struct message *message)
{
	TEST_ASSERT(recv(m->tool, &message->hdr, sizeof(message->hdr), MSG_WAITALL) ==
		    sizeof(message->hdr), "no message: %s", strerror(errno));
	TEST_ASSERT(message->hdr.size <= sizeof(message->raw), "a message too large");
	TEST_ASSERT(recv(m->tool, message->raw, message->hdr.size, MSG_WAITALL) ==
		    message->hdr.size, "half a message");
}

/* The next reply; events that come first are kept. */
static inline void next_reply(struct machine *m, struct message *message)
{
	for (;;) {
		receive(m, message);
		if (message->hdr.id != KVMI_EVENT)
			return;
		TEST_ASSERT(m->nstashed < MAX_STASHED, "too many events");
		m->stashed[m->nstashed++] = *message;
	}
}

static inline void next_event(struct machine *m, struct message *message)
{
	if (m->nstashed) {
		*message = m->stashed[0];
		memmove(m->stashed, m->stashed + 1, --m->nstashed * sizeof(*message));
	} else {
		receive(m, message);
	}
	TEST_ASSERT(message->hdr.id == KVMI_EVENT, "message %d is no event", message->hdr.id);
}

/* Send a command for a vCPU; returns its sequence number. */
static inline uint32_t send_command(struct machine *m, uint16_t id, uint16_t vcpu,
				    const void *arg, uint16_t size)
{
	uint8_t data[KVMI_MSG_SIZE] = {};

	((struct kvmi_vcpu_hdr *)data)->vcpu = vcpu;
	if (size)
		memcpy(data + sizeof(struct kvmi_vcpu_hdr), arg, size);
	TEST_ASSERT(!tool_send(m->tool, id, ++m->seq, data, sizeof(struct kvmi_vcpu_hdr) + size),
		    "send: %s", strerror(errno));
	return m->seq;
}

/* Send it and wait for the reply; returns its error code. */
static inline int command_raw(struct machine *m, uint16_t id, uint16_t vcpu, const void *arg,
			      uint16_t size, struct message *reply)
{
	uint32_t seq = send_command(m, id, vcpu, arg, size);

	next_reply(m, reply);
	TEST_ASSERT_EQ(reply->hdr.id, id);
	TEST_ASSERT_EQ(reply->hdr.seq, seq);
	TEST_ASSERT_EQ(reply->reply.code.padding, 0);
	if (reply->reply.code.err)
		TEST_ASSERT_EQ(reply->hdr.size, sizeof(reply->reply.code));
	return reply->reply.code.err;
}

/* The same, with data of a known size. */
static inline int command(struct machine *m, uint16_t id, uint16_t vcpu, const void *arg,
			  uint16_t size, void *data, uint16_t data_size)
{
	struct message reply;
	int err = command_raw(m, id, vcpu, arg, size, &reply);

	if (!err) {
		TEST_ASSERT_EQ(reply.hdr.size, sizeof(reply.reply.code) + data_size);
		if (data_size)
			memcpy(data, reply.reply.data, data_size);
	}
	return err;
}

/* A command for the VM, while vCPUs send events. */
static inline int tool_command_in(struct machine *m, uint16_t id, const void *arg,
				  uint16_t size, void *data, uint16_t data_size)
{
	struct message reply;

	TEST_ASSERT(!tool_send(m->tool, id, ++m->seq, arg, size), "send: %s", strerror(errno));
	next_reply(m, &reply);
	TEST_ASSERT_EQ(reply.hdr.id, id);
	TEST_ASSERT_EQ(reply.hdr.seq, m->seq);
	if (!reply.reply.code.err) {
		TEST_ASSERT_EQ(reply.hdr.size, sizeof(reply.reply.code) + data_size);
		if (data_size)
			memcpy(data, reply.reply.data, data_size);
	}
	return reply.reply.code.err;
}

static inline int pause_vcpu(struct machine *m, uint16_t vcpu, uint8_t wait)
{
	struct kvmi_pause_vcpu arg = { .wait = wait };

	return command(m, KVMI_PAUSE_VCPU, vcpu, &arg, sizeof(arg), NULL, 0);
}

/* A vCPU that waits with an event does it; one that does not, before it goes on. */
static inline int vcpu_ping(struct machine *m, uint16_t vcpu)
{
	struct kvmi_get_vcpu_info_reply reply;

	return command(m, KVMI_GET_VCPU_INFO, vcpu, NULL, 0, &reply, sizeof(reply));
}

static inline void answer(struct machine *m, const struct message *event, uint8_t action)
{
	struct {
		struct kvmi_vcpu_hdr hdr;
		struct kvmi_event_reply reply;
	} message = {
		.hdr.vcpu = event->event.vcpu,
		.reply = { .action = action, .event = event->event.event },
	};

	TEST_ASSERT(!tool_send(m->tool, KVMI_EVENT_REPLY, event->hdr.seq, &message,
			       sizeof(message)), "send: %s", strerror(errno));
}

/* Pause all vCPUs; events[i] is that of vCPU i. */
static inline void pause_all(struct machine *m, struct message *events)
{
	struct message event;
	int i;

	for (i = 0; i < m->vcpus; i++)
		TEST_ASSERT_EQ(pause_vcpu(m, i, 1), 0);
	for (i = 0; i < m->vcpus; i++) {
		next_event(m, &event);
		TEST_ASSERT(event.event.vcpu < m->vcpus, "an event of vCPU %d", event.event.vcpu);
		events[event.event.vcpu] = event;
	}
}

static inline int control_events(struct machine *m, uint16_t vcpu, uint16_t event, uint8_t enable)
{
	struct kvmi_control_events arg = { .event_id = event, .enable = enable };

	return command(m, KVMI_CONTROL_EVENTS, vcpu, &arg, sizeof(arg), NULL, 0);
}

/* Answer with @size bytes of the value. */
static inline void answer_sized(struct machine *m, const struct message *event, uint8_t action,
				uint64_t value, int size)
{
	struct {
		struct kvmi_vcpu_hdr hdr;
		struct kvmi_event_reply reply;
		uint64_t value;
		uint8_t more;
	} message = {
		.hdr.vcpu = event->event.vcpu,
		.reply = { .action = action, .event = event->event.event },
		.value = value,
	};

	TEST_ASSERT(!tool_send(m->tool, KVMI_EVENT_REPLY, event->hdr.seq, &message,
			       sizeof(message.hdr) + sizeof(message.reply) + size),
		    "send: %s", strerror(errno));
}

/* The event's own part, of an event that can be no other one. */
static inline void *own_part(const struct message *event, uint8_t id, size_t size)
{
	TEST_ASSERT_EQ(event->event.event, id);
	TEST_ASSERT_EQ(event->event.size, sizeof(struct kvmi_event));
	TEST_ASSERT_EQ(event->hdr.size, sizeof(struct kvmi_event) + size);
	return (void *)(event->raw + sizeof(struct kvmi_event));
}

#endif /* SELFTEST_KVMI_VCPU_H */
