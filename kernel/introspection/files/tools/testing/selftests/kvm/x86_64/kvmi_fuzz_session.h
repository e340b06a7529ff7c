/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One session of the fuzzer: what was sent, what is expected for it, and whether
 * what comes from KVM is that.
 */
#ifndef SELFTEST_KVMI_FUZZ_SESSION_H
#define SELFTEST_KVMI_FUZZ_SESSION_H

#include "kvmi_fuzz.h"

#define BATCH		(256 * 1024)
#define MAX_EXPECTED	4096
/* Only for what hangs, in milliseconds: a test machine can stand still for a while. */
#define PATIENCE	120000

/* How a session ends. */
enum end {
	END_ANSWERED,		/* all is answered, the tool leaves or is unhooked */
	END_TOO_LARGE,		/* a violation of the protocol: a message too large, */
	END_EVENT,		/* one that only KVM sends, */
	END_NO_QUESTION,	/* an answer to nothing, */
	END_TWICE,		/* the same answer again, */
	END_WRONG,		/* a wrong one */
	END_CUT,		/* the tool leaves in the middle of a message */
	END_HALF_CLOSED,	/* it says that no more will come */
	END_URGENT,		/* it sends a byte out of the turn */
	END_UNHOOKED,		/* it is unhooked, in the middle of a message */
	END_RACE,		/* it is unhooked while it sends */
	END_DESTROYED,		/* the VM goes */
	NUM_ENDS,
};

static const char * const end_names[NUM_ENDS] = {
	"answered", "too large", "event", "no question", "twice", "wrong", "cut",
	"half closed", "urgent", "unhooked", "race", "destroyed",
};

struct question {
	bool open;
	struct kvmi_msg_hdr hdr;
	struct kvmi_event event;
	uint8_t own[512];
};

static struct fuzz {
	struct rng rng;		/* makes the commands */
	struct rng other;	/* decides what depends on the machine */
	struct machine *m;
	uint64_t before;	/* commands that the VM had before the session */
	int rest;		/* of a vCPU between two exits, in microseconds */

	/* the session */
	enum end end;
	struct subject guest;
	struct kvm_introspection_allow allow;
	bool mute, mute_next;
	bool over;		/* nothing is sent after a violation */
	bool closed;		/* KVM has ended it */
	uint64_t commands;
	uint32_t event_seq;
	struct question questions[MAX_VCPUS];
	struct expected expected[MAX_EXPECTED];
	int first, last;	/* of what is expected, without those gone in front */

	uint8_t out[BATCH];
	int out_from, out_to;
	int piece;		/* the most that is written at once */
	uint8_t in[2 * KVMI_MSG_SIZE];
	int in_size;

	/* the whole run */
	int base[NUM_IDS];	/* CHECK_COMMAND, when everything is allowed */
	uint64_t seed, wanted, messages, answers, events, sessions, vms;
	uint64_t ends[NUM_ENDS];
} f;

#define CHECK(condition, format, ...)						\
	TEST_ASSERT(condition, "seed %lu, session %lu (%s): " format, f.seed,	\
		    f.sessions, end_names[f.end], ##__VA_ARGS__)

/* What comes from KVM */

static inline void take_answer(const struct kvmi_msg_hdr *hdr, const uint8_t *data)
{
	const struct kvmi_error_code *code = (void *)data;
	int size = hdr->size - sizeof(*code), i;
	struct expected *e = NULL;

	CHECK(size >= 0 && !code->padding, "not even an error code for %d", hdr->id);
	for (i = f.first; i < f.last; i++) {
		e = &f.expected[i];
		/* Two that look the same may be answered in either order. */
		if (!e->gone && e->id == hdr->id && e->seq == hdr->seq &&
		    e->answers & answer_bit(code->err))
			break;
	}
	CHECK(i < f.last, "answer %d to id %d, seq %#x, which nobody expects", code->err,
	      hdr->id, hdr->seq);
	if (code->err)
		CHECK(!size, "%d bytes with the error %d", size, code->err);
	else
		CHECK(e->size == SIZE_ANY || e->size == size, "%d bytes for %d instead of %d",
		      size, hdr->id, e->size);
	if (!code->err && gpa_within(e->gpa, KNOWN_GPA, KNOWN_PAGES))
		CHECK(!memcmp(data + sizeof(*code), addr_gpa2hva(f.m->vm, e->gpa), size),
		      "wrong data from %#lx", e->gpa);
	for (i = f.first; e->in_turn && &f.expected[i] != e; i++)
		CHECK(f.expected[i].gone || !f.expected[i].in_turn,
		      "id %d, seq %#x was answered before id %d, seq %#x", e->id, e->seq,
		      f.expected[i].id, f.expected[i].seq);
	e->gone = true;
	while (f.first < f.last && f.expected[f.first].gone)
		f.first++;
	f.answers++;
}

static inline void take_event(const struct kvmi_msg_hdr *hdr, const uint8_t *data)
{
	const struct kvmi_event *event = (void *)data;
	struct question *q;
	int i;

	CHECK(hdr->size >= sizeof(*event) && event->size == sizeof(*event),
	      "an event of %d bytes", hdr->size);
	f.event_seq++;
	CHECK(hdr->seq == f.event_seq, "event %#x instead of %#x", hdr->seq, f.event_seq);
	for (i = 0; i < ARRAY_SIZE(event_rows) && event_rows[i].id != event->event; i++)
		;
	CHECK(i < ARRAY_SIZE(event_rows), "event %d is unknown", event->event);
	CHECK(hdr->size == sizeof(*event) + event_rows[i].size, "event %d of %d bytes",
	      event->event, hdr->size);
	CHECK(f.allow.events & BIT(event->event), "event %d is not allowed", event->event);
	f.events++;
	if (event->event == KVMI_EVENT_UNHOOK)
		return;
	CHECK(event->vcpu < f.m->vcpus, "an event of vCPU %d", event->vcpu);
	q = &f.questions[event->vcpu];
	CHECK(!q->open, "vCPU %d asks again", event->vcpu);
	q->open = true;
	q->hdr = *hdr;
	q->event = *event;
	memcpy(q->own, data + sizeof(*event), event_rows[i].size);
}

static inline void take(void)
{
	struct kvmi_msg_hdr hdr;
	int n = recv(f.m->tool, f.in + f.in_size, sizeof(f.in) - f.in_size, MSG_DONTWAIT);

	if (n <= 0) {
		f.closed = !n || errno != EAGAIN;
		return;
	}
	f.in_size += n;
	while (f.in_size >= sizeof(hdr)) {
		memcpy(&hdr, f.in, sizeof(hdr));
		CHECK(hdr.size <= MAX_DATA, "a message of %d bytes", hdr.size);
		if (f.in_size < sizeof(hdr) + hdr.size)
			break;
		if (hdr.id == KVMI_EVENT)
			take_event(&hdr, f.in + sizeof(hdr));
		else
			take_answer(&hdr, f.in + sizeof(hdr));
		f.in_size -= sizeof(hdr) + hdr.size;
		memmove(f.in, f.in + sizeof(hdr) + hdr.size, f.in_size);
	}
}

/* What goes there */

static inline void put(const void *data, int size)
{
	if (f.over)
		return;
	TEST_ASSERT(f.out_to + size <= BATCH, "too much at once");
	memcpy(f.out + f.out_to, data, size);
	f.out_to += size;
}

static inline void put_message(const struct sent *sent)
{
	put(&sent->hdr, sizeof(sent->hdr) + min_t(int, sent->hdr.size, MAX_DATA));
	f.messages += !f.over;
}

/* CONTROL_CMD_RESPONSE, as KVM understands it; returns whether the command is answered. */
static inline bool mute(const struct sent *sent, unsigned int answers)
{
	bool answered;

	if (sent->hdr.id == KVMI_CONTROL_CMD_RESPONSE && answers == OK) {
		f.mute_next = !sent->data[0];
		if (sent->data[1])
			f.mute = f.mute_next;
	}
	answered = !f.mute;
	f.mute = f.mute_next;
	return answered;
}

static inline void put_command(const struct sent *sent)
{
	struct expected e;

	if (f.over)
		return;
	put_message(sent);
	f.commands++;
	expect(sent, &f.guest, &e);
	if (!mute(sent, e.answers))
		return;
	if (f.last == MAX_EXPECTED) {
		memmove(f.expected, f.expected + f.first, (f.last - f.first) * sizeof(e));
		f.last -= f.first;
		f.first = 0;
	}
	TEST_ASSERT(f.last < MAX_EXPECTED, "too much expected at once");
	f.expected[f.last++] = e;
}

static inline int answer_size(uint8_t event)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(event_rows) && event_rows[i].id != event; i++)
		;
	return event_rows[i].answer;
}

/* The answer that changes nothing: CR and MSR keep the guest's new value. */
static inline void make_answer(struct sent *sent, const struct question *q)
{
	struct kvmi_vcpu_hdr *vcpu = (void *)sent->data;
	struct kvmi_event_reply *reply = (void *)(vcpu + 1);
	int size = answer_size(q->event.event);

	memset(sent->data, 0, 1024);
	sent->hdr = (struct kvmi_msg_hdr){
		.id = KVMI_EVENT_REPLY,
		.size = sizeof(*vcpu) + sizeof(*reply) + size,
		.seq = q->hdr.seq,
	};
	vcpu->vcpu = q->event.vcpu;
	reply->event = q->event.event;
	if (rng_once_in(&f.other, 30))
		reply->action = KVMI_EVENT_ACTION_CRASH;
	if (size == sizeof(uint64_t))
		memcpy(reply + 1, q->own + 16, size);
	/* Asked again until it is no longer watched; or other data for an instruction to read. */
	if (q->event.event == 6 && rng_once_in(&f.other, 8))
		reply->action = KVMI_EVENT_ACTION_RETRY;
	if (q->event.event == 6 && rng_once_in(&f.other, 8)) {
		put64(sent->data + 16, rng_once_in(&f.other, 2) ? get64(q->own) :
							    rng_hostile(&f.other));
		sent->data[24] = rng_next(&f.other);
		sent->data[28] = rng_below(&f.other, 2);
		sent->data[29] = rng_below(&f.other, 2);
	}
}

/* Answer those that ask, or some of them, in any order. */
static inline void answer_some(int one_in)
{
	int start = rng_below(&f.other, MAX_VCPUS), i;
	struct question *q;
	struct sent sent;

	for (i = 0; i < MAX_VCPUS; i++) {
		q = &f.questions[(start + i) % MAX_VCPUS];
		if (!q->open || f.over || !rng_once_in(&f.other, one_in))
			continue;
		make_answer(&sent, q);
		put_message(&sent);
		q->open = false;
	}
}

/* Write what there is to write, and read meanwhile. */
static inline void flush(void)
{
	struct pollfd poll_fd = { .fd = f.m->tool };
	int piece = f.piece, n, r;

	/* Cut anywhere. Seldom, since each piece costs as much as some messages. */
	if (rng_once_in(&f.other, 32))
		piece = 20;
	while (f.out_from < f.out_to && !f.closed) {
		poll_fd.events = POLLIN | POLLOUT;
		r = poll(&poll_fd, 1, PATIENCE);
		CHECK(r > 0, "KVM neither reads nor writes");
		if (poll_fd.revents & POLLIN) {
			take();
			answer_some(2);
		}
		if (!(poll_fd.revents & POLLOUT) || f.closed)
			continue;
		n = min(f.out_to - f.out_from, 1 + (int)rng_below(&f.other, piece));
		n = send(f.m->tool, f.out + f.out_from, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			f.out_from += n;
		else if (errno != EAGAIN)
			break;	/* what it has sent before is still to be read */
	}
	f.out_from = 0;
	f.out_to = 0;
}

static inline bool is_expecting(bool in_turn)
{
	int i;

	for (i = f.first; i < f.last; i++)
		if (!f.expected[i].gone && (!in_turn || f.expected[i].in_turn))
			return true;
	return false;
}

static inline void wait_for_kvm(void)
{
	struct pollfd poll_fd = { .fd = f.m->tool, .events = POLLIN };

	CHECK(poll(&poll_fd, 1, PATIENCE) == 1, "id %d, seq %#x is not answered",
	      f.expected[f.first].id, f.expected[f.first].seq);
	take();
}

/* A session that KVM has ended although nothing was wrong: it says why. */
static inline void check_open(void)
{
	if (f.closed)
		CHECK(false, "KVM has ended the connection because of %d",
		      wait_for_broken(f.m->control));
}

static inline void wait_for_answers(void)
{
	while (is_expecting(false) && !f.closed) {
		answer_some(1);
		flush();
		if (is_expecting(false))
			wait_for_kvm();
	}
	check_open();
}

#endif /* SELFTEST_KVMI_FUZZ_SESSION_H */
