/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of watched pages share.
 */
#ifndef SELFTEST_KVMI_PAGE_H
#define SELFTEST_KVMI_PAGE_H

#include "kvmi_vcpu.h"

#define RWX	(KVMI_PAGE_ACCESS_R | KVMI_PAGE_ACCESS_W | KVMI_PAGE_ACCESS_X)
#define RX	(KVMI_PAGE_ACCESS_R | KVMI_PAGE_ACCESS_X)
#define WX	(KVMI_PAGE_ACCESS_W | KVMI_PAGE_ACCESS_X)
#define RW	(KVMI_PAGE_ACCESS_R | KVMI_PAGE_ACCESS_W)

/* Follows a struct kvmi_event in a message. */
static inline const struct kvmi_event_pf *pf_of(const struct message *m)
{
	return (const void *)(m->raw + sizeof(struct kvmi_event));
}

static inline int set_access(struct machine *m, uint64_t gpa, uint8_t access)
{
	struct {
		struct kvmi_set_page_access arg;
		struct kvmi_page_access_entry entry;
	} message = {
		.arg = { .count = 1 },
		.entry = { .gpa = gpa, .access = access },
	};

	return tool_command_in(m, KVMI_SET_PAGE_ACCESS, &message, sizeof(message), NULL, 0);
}

static inline int get_access(struct machine *m, uint64_t gpa)
{
	struct {
		struct kvmi_get_page_access arg;
		uint64_t gpa;
	} message = { .arg = { .count = 1 }, .gpa = gpa };
	uint8_t access = 0xff;
	int err = tool_command_in(m, KVMI_GET_PAGE_ACCESS, &message, sizeof(message),
				  &access, sizeof(access));

	return err ? err : access;
}

static inline int switch_event(struct machine *m, int vcpu, uint8_t enable)
{
	struct kvmi_control_events arg = { .event_id = KVMI_EVENT_PF, .enable = enable };

	return command(m, KVMI_CONTROL_EVENTS, vcpu, &arg, sizeof(arg), NULL, 0);
}

/*
 * Switch the event on before the guest executes anything. Only the vCPU's own
 * thread does that: it waits with a pause meanwhile.
 */
static inline void switch_event_first(struct machine *m, int vcpu)
{
	struct message event;

	TEST_ASSERT_EQ(pause_vcpu(m, vcpu, 0), 0);
	cpu_start(&m->cpu[vcpu]);
	next_event(m, &event);
	TEST_ASSERT_EQ(event.event.event, KVMI_EVENT_PAUSE_VCPU);
	TEST_ASSERT_EQ(switch_event(m, vcpu, 1), 0);
	cpu_stop(&m->cpu[vcpu]);
	answer(m, &event, KVMI_EVENT_ACTION_CONTINUE);
}

static inline void answer_pf(struct machine *m, const struct message *event, uint8_t action,
			     const struct kvmi_event_pf_reply *pf)
{
	struct {
		struct kvmi_vcpu_hdr hdr;
		struct kvmi_event_reply reply;
		struct kvmi_event_pf_reply pf;
	} message = {
		.hdr.vcpu = event->event.vcpu,
		.reply = { .action = action, .event = KVMI_EVENT_PF },
	};

	if (pf)
		message.pf = *pf;
	TEST_ASSERT(!tool_send(m->tool, KVMI_EVENT_REPLY, event->hdr.seq, &message,
			       sizeof(message)), "send: %s", strerror(errno));
}

static inline uint64_t counter_gpa(struct cpu *cpu)
{
	return addr_gva2gpa(cpu->machine->vm, cpu->counter_gva);
}

/* The next event, which must be this access to this page. */
static inline void expect_pf(struct machine *m, struct message *event, uint64_t gpa, uint8_t access)
{
	next_event(m, event);
	TEST_ASSERT_EQ(event->event.event, KVMI_EVENT_PF);
	TEST_ASSERT_EQ(event->hdr.size, sizeof(struct kvmi_event) + sizeof(struct kvmi_event_pf));
	TEST_ASSERT_EQ(event->event.size, sizeof(struct kvmi_event));
	TEST_ASSERT_EQ(pf_of(event)->gpa & ~0xfffull, gpa & ~0xfffull);
	TEST_ASSERT_EQ(pf_of(event)->access, access);
	TEST_ASSERT_EQ(pf_of(event)->view, 0);
}

#endif /* SELFTEST_KVMI_PAGE_H */
