/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of steps, breakpoints and exceptions share.
 */
#ifndef SELFTEST_KVMI_DEBUG_H
#define SELFTEST_KVMI_DEBUG_H

#include "kvmi_page.h"

/* What the guest tells in the page that starts with its counter. */
enum {
	COUNT,
	FLAGS,		/* as the guest has pushed them */
	VECTOR,		/* of the last exception */
	ERROR,		/* its error code */
	ADDRESS,	/* CR2 in its handler */
	LEAKED,		/* frames of handlers with a TF that nobody had set */
	HANDLED,	/* exceptions: one for each vector from here on */
};

#define INT_VECTOR	0x40
#define BAD_GVA		0x123456789000ull
#define TF		BIT(8)		/* of RFLAGS */

static inline int control_singlestep(struct machine *m, uint16_t vcpu, uint8_t enable)
{
	struct kvmi_vcpu_control_singlestep arg = { .enable = enable };

	return command(m, KVMI_VCPU_CONTROL_SINGLESTEP, vcpu, &arg, sizeof(arg), NULL, 0);
}

static inline void step_on(struct machine *m, uint16_t vcpu)
{
	TEST_ASSERT_EQ(control_events(m, vcpu, KVMI_EVENT_SINGLESTEP, 1), 0);
	TEST_ASSERT_EQ(control_singlestep(m, vcpu, 1), 0);
}

static inline void step_off(struct machine *m, uint16_t vcpu)
{
	TEST_ASSERT_EQ(control_singlestep(m, vcpu, 0), 0);
}

/* The next event, which must be a step; returns where the guest is. */
static inline uint64_t next_step(struct machine *m, struct message *event)
{
	const struct kvmi_event_singlestep *own;
	int i;

	next_event(m, event);
	own = own_part(event, KVMI_EVENT_SINGLESTEP, sizeof(*own));
	TEST_ASSERT_EQ(own->failed, 0);
	for (i = 0; i < ARRAY_SIZE(own->padding); i++)
		TEST_ASSERT_EQ(own->padding[i], 0);
	return event->event.arch.regs.rip;
}

/*
 * Every exception comes here. The guest's page is in rdi; what a fault is about
 * is an instruction of two bytes.
 */
static inline void guest_handler(struct ex_regs *regs)
{
	uint64_t *page = (uint64_t *)regs->rdi;

	page[VECTOR] = regs->vector;
	page[ERROR] = regs->error_code;
	asm volatile("movq %%cr2, %0" : "=r"(page[ADDRESS]));
	if (regs->rflags & TF)
		page[LEAKED]++;
	page[HANDLED + regs->vector]++;
}

static inline void guest_skip(struct ex_regs *regs)
{
	guest_handler(regs);
	regs->rip += 2;
}

/* No interrupts of the guest's and no events are left over, and it goes on. */
static inline void expect_silence(struct machine *m)
{
	machine_wait_counting(m);
	TEST_ASSERT_EQ(vcpu_ping(m, 0), 0);
	machine_wait_counting(m);
	TEST_ASSERT_EQ(vcpu_ping(m, 0), 0);
	TEST_ASSERT_EQ(m->nstashed, 0);
}

#endif /* SELFTEST_KVMI_DEBUG_H */
