/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzer knows of the protocol: how to make up a message, and what KVM
 * may answer to one. A command is a row of a table. One that has none is still
 * sent, with arguments made up of nothing but bytes.
 */
#ifndef SELFTEST_KVMI_FUZZ_H
#define SELFTEST_KVMI_FUZZ_H

#include <linux/kvm_para.h>

#include "kvmi_vcpu.h"

#define MAX_DATA	(KVMI_MSG_SIZE - sizeof(struct kvmi_msg_hdr))
#define NUM_IDS		KVMI_NUM_COMMANDS

/* Memory of the guest that only the tool uses, and some that nobody changes. */
#define SCRATCH_GPA	0x40000000ull
#define SCRATCH_PAGES	4
#define KNOWN_GPA	0x50000000ull
#define KNOWN_PAGES	4

/* Possible answers, as a mask. */
#define OK		BIT(0)
#define INVAL		BIT(1)
#define NOENT		BIT(2)
#define PERM		BIT(3)
#define OPNOTSUPP	BIT(4)
#define BUSY		BIT(5)
#define NOSYS		BIT(6)
#define NOMEM		BIT(7)
#define ANY		(OK | INVAL | NOENT | PERM | OPNOTSUPP | BUSY | NOMEM)
#define SIZE_ANY	(-1)

static inline unsigned int answer_bit(int err)
{
	switch (err) {
	case 0:
		return OK;
	case -KVM_EINVAL:
		return INVAL;
	case -KVM_ENOENT:
		return NOENT;
	case -KVM_EPERM:
		return PERM;
	case -KVM_EOPNOTSUPP:
		return OPNOTSUPP;
	case -KVM_EBUSY:
		return BUSY;
	case -KVM_ENOSYS:
		return NOSYS;
	case -KVM_ENOMEM:
		return NOMEM;
	default:
		return 0;
	}
}

/* xorshift64*; a seed is any number. */
struct rng {
	uint64_t state;
};

static inline void rng_seed(struct rng *rng, uint64_t seed)
{
	rng->state = (seed + 1) * 0x9e3779b97f4a7c15ull;
	if (!rng->state)
		rng->state = 1;
}

static inline uint64_t rng_next(struct rng *rng)
{
	rng->state ^= rng->state >> 12;
	rng->state ^= rng->state << 25;
	rng->state ^= rng->state >> 27;
	return rng->state * 0x2545f4914f6cdd1dull;
}

/* A number below @end. */
static inline uint64_t rng_below(struct rng *rng, uint64_t end)
{
	return (rng_next(rng) >> 16) % end;
}

static inline bool rng_once_in(struct rng *rng, unsigned int n)
{
	return !rng_below(rng, n);
}

/* A number that code which looks at it carelessly might trip over. */
static inline uint64_t rng_hostile(struct rng *rng)
{
	uint64_t value = 1ull << rng_below(rng, 64);

	switch (rng_below(rng, 8)) {
	case 0:
		return 0;
	case 1:
		return value;
	case 2:
		return value - 1;
	case 3:
		return -value;
	case 4:
		return SCRATCH_GPA + rng_below(rng, (SCRATCH_PAGES + 1) * 4096);
	case 5:
		return rng_below(rng, 256);
	case 6:
		return rng_below(rng, 1 << 16) * 4096 + rng_below(rng, 2) * 4095;
	default:
		return rng_next(rng);
	}
}

/**
 * struct row - what a command looks like
 * @id: its id
 * @vcpu: whether its arguments start with a struct kvmi_vcpu_hdr
 * @job: whether the vCPU's thread answers it, or may do so
 * @hostile: whether a guest may not survive it
 * @args: its other arguments, a character a byte: x is anything, b a bool, 0 zero
 * @more: how much may follow
 * @size: of the data of a good answer
 * @answers: what may be answered if size, bools and zeroes are as they should be
 */
struct row {
	uint8_t id;
	bool vcpu;
	bool job;
	bool hostile;
	const char *args;
	uint16_t more;
	int size;
	unsigned int answers;
};

#define X8	"xxxxxxxx"
#define X16	"xxxxxxxxxxxxxxxx"
#define X72	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* By number: this has more of them than older kernels know. */
static const struct row rows[] = {
	{ 2, .args = "", .size = 16, .answers = OK },
	{ 3, .args = "xx000000", .answers = OK | NOENT | PERM | OPNOTSUPP | NOSYS },
	{ 4, .args = "xx000000", .answers = OK | NOENT | PERM | OPNOTSUPP },
	{ 5, .args = "", .size = 16, .answers = OK },
	{ 6, true, true, .args = "", .size = 8, .answers = OK },
	{ 7, true, .args = "b0000000", .answers = OK | BUSY },
	{ 8, .args = "xxb00000", .answers = OK | NOENT | INVAL | PERM },
	{ 9, true, true, .args = "xxb00000", .answers = OK | NOENT | INVAL | PERM | OPNOTSUPP },
	{ 10, true, true, .args = "b000xxxx", .answers = OK | INVAL | OPNOTSUPP },
	{ 11, true, true, .args = "b000xxxx", .answers = OK | INVAL | OPNOTSUPP },
	{ 13, true, true, .args = "xx000000", .more = 4 * 500, .size = SIZE_ANY,
	  .answers = OK | INVAL },
	{ 14, true, true, true, .args = X72 X72, .answers = OK | OPNOTSUPP },
	{ 15, true, true, .args = X8, .size = 16, .answers = OK | NOENT },
	{ 16, true, true, .args = "", .size = SIZE_ANY, .answers = OK | OPNOTSUPP },
	{ 17, .args = X16, .size = SIZE_ANY, .answers = OK | NOENT },
	{ 18, .args = X16, .more = 4096, .answers = OK | NOENT | OPNOTSUPP },
	{ 19, true, true, true, .args = "x000xxxx" X8, .answers = OK | INVAL | OPNOTSUPP },
	{ 20, .args = "00xx0000", .more = 4096, .size = SIZE_ANY, .answers = OK | INVAL },
	{ 21, .args = "00xx0000", .more = 4096, .answers = OK | INVAL | OPNOTSUPP },
	{ 23, .args = X8, .size = 8, .answers = OK | INVAL },
	{ 27, .args = "bb000000", .answers = OK },
	{ 29, .args = "", .size = 8, .answers = OK },
	{ 31, .args = "", .size = 8, .answers = OK | NOENT },
	{ 35, true, true, .args = X8, .size = 8, .answers = OK },
	{ 37, true, true, .args = "x0000000", .size = 8, .answers = OK | INVAL },
	{ 38, true, true, true, .args = "", .more = 8000, .answers = OK | INVAL | OPNOTSUPP },
	{ 63, true, true, .args = "b0000000", .answers = OK | INVAL | OPNOTSUPP },
};

/* Events, and how much of its own there is in one and in the answer to it. */
static const struct {
	uint8_t id;
	uint16_t size;
	uint16_t answer;
} event_rows[] = {
	{ 0, 0, 0 },
	{ 1, 24, 8 },
	{ 2, 24, 8 },
	{ 3, 0, 0 },
	{ 4, 16, 0 },
	{ 5, 0, 0 },
	{ 6, 24, 272 },
	{ 7, 16, 0 },
	{ 8, 8, 0 },
	{ 9, 0, 0 },
	{ 10, 0, 0 },
	{ 11, 8, 0 },
	{ 13, 16, 0 },
};

static inline const struct row *find_row(uint16_t id)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].id == id)
			return &rows[i];
	return NULL;
}

/**
 * struct subject - the guest of a session
 * @vcpus: how many there are
 * @tame: nothing is to happen that it does not survive
 * @check: what CHECK_COMMAND has said about each id
 * @counter: the page that each vCPU writes all the time
 */
struct subject {
	int vcpus;
	bool tame;
	int check[NUM_IDS];
	uint64_t counter[MAX_VCPUS];
};

/* A message, on its way to KVM. */
struct sent {
	struct kvmi_msg_hdr hdr;
	uint8_t data[MAX_DATA + 16];
};

/**
 * struct expected - what KVM may answer to a message
 * @id: the message's id
 * @seq: the message's sequence number
 * @gone: whether it was answered
 * @in_turn: whether it is answered before what is sent later
 * @answers: mask of answers
 * @size: of the data of a good one
 * @gpa: where the data was read from
 */
struct expected {
	uint16_t id;
	uint32_t seq;
	bool gone;
	bool in_turn;
	unsigned int answers;
	int size;
	uint64_t gpa;
};

static inline void put64(uint8_t *data, uint64_t value)
{
	memcpy(data, &value, sizeof(value));
}

static inline uint64_t get64(const uint8_t *data)
{
	uint64_t value;

	memcpy(&value, data, sizeof(value));
	return value;
}

static inline uint16_t get16(const uint8_t *data)
{
	return data[0] | data[1] << 8;
}

static inline bool gpa_within(uint64_t gpa, uint64_t start, int pages)
{
	return gpa >= start && gpa < start + pages * 4096;
}

/* Whether the bytes that say so are bools and zeroes. */
static inline bool fits_args(const char *args, const uint8_t *data)
{
	for (; *args; args++, data++) {
		if (*args == '0' ? *data : *args == 'b' && *data > 1)
			return false;
	}
	return true;
}

/* The guest's memory: what lies within a page can be known, what does not is an error. */
static inline unsigned int expect_physical(const struct sent *sent, unsigned int answers)
{
	uint64_t gpa = get64(sent->data), size = get64(sent->data + 8);

	if (!size || size > 4096 || gpa % 4096 + size > 4096)
		return INVAL;
	if (sent->hdr.id == KVMI_WRITE_PHYSICAL && sent->hdr.size != 16 + size)
		return INVAL;
	if (gpa_within(gpa, SCRATCH_GPA, SCRATCH_PAGES))
		return OK;
	if (gpa_within(gpa, KNOWN_GPA, KNOWN_PAGES))
		return sent->hdr.id == KVMI_READ_PHYSICAL ? OK : NOENT;
	return answers;
}

/* What is answered in any case where a command has a size and arguments of its own kind. */
static inline void expect_args(const struct sent *sent, const struct row *row, int vcpus,
			       struct expected *e)
{
	const uint8_t *args = sent->data + (row->vcpu ? 8 : 0);
	int size = (row->vcpu ? 8 : 0) + strlen(row->args);

	e->in_turn = !row->job;
	e->size = row->size;
	e->gpa = 0;
	if (row->more ? sent->hdr.size < size : sent->hdr.size != size) {
		e->answers = INVAL;
		return;
	}
	if (row->vcpu && (!fits_args("xx000000", sent->data) ||
			  get16(sent->data) >= vcpus)) {
		e->answers = INVAL;
		return;
	}
	e->answers = row->answers | (row->job ? BUSY : 0);
	if (!fits_args(row->args, args))
		e->answers = INVAL | (row->job ? BUSY | (row->answers & OPNOTSUPP) : 0);
	if (row->id == KVMI_READ_PHYSICAL || row->id == KVMI_WRITE_PHYSICAL)
		e->answers = expect_physical(sent, row->answers);
	if (row->id == KVMI_READ_PHYSICAL && e->answers & OK) {
		e->gpa = get64(args);
		e->size = get64(args + 8);
	}
	if ((row->id == 20 && sent->hdr.size != 8 + 8 * get16(args + 2)) ||
	    (row->id == 21 && sent->hdr.size != 8 + 16 * get16(args + 2)))
		e->answers = INVAL;
	if (row->id == 20)
		e->size = get16(args + 2);
	if (row->id == KVMI_GET_REGISTERS && e->answers & OK) {
		if (sent->hdr.size != size + 4 * get16(args))
			e->answers = INVAL | BUSY;
		e->size = 472 + 16 * get16(args);
	}
}

/**
 * expect() - what may be answered to a command
 * @sent: the command
 * @guest: the guest
 * @e: what to expect
 */
static inline void expect(const struct sent *sent, const struct subject *guest,
			  struct expected *e)
{
	const struct row *row = find_row(sent->hdr.id);
	int known = sent->hdr.id < NUM_IDS ? guest->check[sent->hdr.id] : -KVM_ENOSYS;

	*e = (struct expected){ .id = sent->hdr.id, .seq = sent->hdr.seq, .in_turn = true };
	if (known) {
		e->answers = answer_bit(known);
	} else if (row) {
		expect_args(sent, row, guest->vcpus, e);
	} else {
		e->in_turn = false;
		e->answers = ANY;
		e->size = SIZE_ANY;
	}
}

/* A page that a tame tool can watch: who stops with a page of code or stack stays there. */
static inline bool may_watch(const struct subject *guest, uint64_t gpa)
{
	int i;

	for (i = 0; i < guest->vcpus; i++)
		if (gpa_within(gpa, guest->counter[i], 1))
			return true;
	return gpa >= SCRATCH_GPA;
}

/* Whether it can do to the guest what a tame session leaves out. */
static inline bool is_dangerous(const struct sent *sent, const struct subject *guest)
{
	const struct row *row = find_row(sent->hdr.id);
	struct expected e;
	int i;

	expect(sent, guest, &e);
	if (!guest->tame || !(e.answers & OK))
		return false;
	if (sent->hdr.id == KVMI_WRITE_PHYSICAL)
		return !gpa_within(get64(sent->data), SCRATCH_GPA, SCRATCH_PAGES);
	for (i = 8; sent->hdr.id == 21 && i < sent->hdr.size; i += 16)
		if (!may_watch(guest, get64(sent->data + i)))
			return true;
	return !row || row->hostile;
}

static inline void make_pages(struct rng *rng, struct sent *sent, const struct subject *guest)
{
	int n = rng_below(rng, rng_once_in(rng, 200) ? 250 : 4), i;
	int step = sent->hdr.id == 20 ? 8 : 16;
	uint8_t *entry = sent->data + 8;

	sent->data[2] = n;
	sent->data[3] = 0;
	sent->hdr.size += n * step;
	for (i = 0; i < n; i++, entry += step) {
		put64(entry, rng_once_in(rng, 4) ? SCRATCH_GPA + rng_hostile(rng) % (1ull << 34) :
						   guest->counter[rng_below(rng, guest->vcpus)]);
		if (!guest->tame && rng_once_in(rng, 2))
			put64(entry, rng_below(rng, 0x400000));
		if (step == 16)
			put64(entry + 8, rng_below(rng, rng_once_in(rng, 20) ? 16 : 8));
	}
}

/* Arguments that mean something, most of the time. */
static inline void make_sense(struct rng *rng, struct sent *sent, uint8_t *args,
			      const struct subject *guest)
{
	static const uint32_t msrs[] = { MSR_STAR, MSR_LSTAR, MSR_EFER, MSR_KERNEL_GS_BASE };
	uint64_t page = rng_below(rng, SCRATCH_PAGES), from = rng_below(rng, 4096);
	uint32_t n, i;

	switch (sent->hdr.id) {
	case KVMI_CHECK_COMMAND:
	case KVMI_CHECK_EVENT:
	case KVMI_CONTROL_VM_EVENTS:
	case KVMI_CONTROL_EVENTS:
		args[0] = rng_below(rng, rng_once_in(rng, 2) ? 14 : 66);
		args[1] = 0;
		break;
	case 10:
		memset(args + 4, 0, 4);
		args[4] = rng_below(rng, 5);
		break;
	case 11:
		memcpy(args + 4, &msrs[rng_below(rng, ARRAY_SIZE(msrs))], 4);
		break;
	case KVMI_GET_REGISTERS:
		n = rng_once_in(rng, 50) ? rng_below(rng, 500) : rng_below(rng, 6);
		args[0] = n;
		args[1] = n >> 8;
		for (i = 0; i < n; i++)
			memcpy(args + 8 + 4 * i, &msrs[rng_below(rng, ARRAY_SIZE(msrs))], 4);
		sent->hdr.size += 4 * n;
		break;
	case KVMI_READ_PHYSICAL:
	case KVMI_WRITE_PHYSICAL:
		n = rng_below(rng, rng_once_in(rng, 8) ? 4096 - from :
				   min_t(uint64_t, 64, 4096 - from));
		put64(args, (rng_once_in(rng, 3) && sent->hdr.id == KVMI_READ_PHYSICAL ?
			     KNOWN_GPA : SCRATCH_GPA) + 4096 * page + from);
		if (!guest->tame && rng_once_in(rng, 2))
			put64(args, rng_below(rng, 0x400000));
		put64(args + 8, n + 1);
		if (sent->hdr.id == KVMI_WRITE_PHYSICAL) {
			memset(args + 16, rng_next(rng), n + 1);
			sent->hdr.size += n + 1;
		}
		break;
	case 20:
	case 21:
		make_pages(rng, sent, guest);
		break;
	case 38:
		/* All state as it is after a reset, but for one thing, maybe. */
		memset(args, 0, 4096);
		if (rng_once_in(rng, 2))
			put64(args + 8 * rng_below(rng, 80), rng_hostile(rng));
		sent->hdr.size += 4096;
		break;
	default:
		break;
	}
}

/* A command as it should be. */
static inline void make_command(struct rng *rng, struct sent *sent, const struct row *row,
				const struct subject *guest)
{
	uint8_t *args = sent->data;
	const char *c;

	sent->hdr = (struct kvmi_msg_hdr){ .id = row->id, .seq = rng_next(rng) };
	if (row->vcpu) {
		memset(args, 0, 8);
		args[0] = rng_below(rng, guest->vcpus);
		args += 8;
	}
	sent->hdr.size = args - sent->data + strlen(row->args);
	for (c = row->args; *c; c++)
		*args++ = *c == 'x' ? rng_hostile(rng) : *c == 'b' ? rng_below(rng, 2) : 0;
	make_sense(rng, sent, args - strlen(row->args), guest);
}

/* One that nobody has thought of. */
static inline void make_nonsense(struct rng *rng, struct sent *sent)
{
	int i;

	sent->hdr = (struct kvmi_msg_hdr){
		.id = 2 + rng_below(rng, rng_once_in(rng, 4) ? 0xfffe : NUM_IDS - 2),
		.size = rng_below(rng, rng_once_in(rng, 20) ? MAX_DATA + 1 : 100),
		.seq = rng_next(rng),
	};
	for (i = 0; i < sent->hdr.size; i += 8)
		put64(sent->data + i, rng_hostile(rng));
}

/* Change something. */
static inline void mutate(struct rng *rng, struct sent *sent)
{
	uint64_t value = rng_hostile(rng);
	int at, size = 1 << rng_below(rng, 4);

	switch (rng_below(rng, 4)) {
	case 0:
		sent->hdr.id = 2 + rng_below(rng, NUM_IDS + 6);
		break;
	case 1:
		at = sent->hdr.size;
		sent->hdr.size = rng_once_in(rng, 3) ? rng_below(rng, 600) :
						      at + rng_below(rng, 17) - 8;
		sent->hdr.size = min_t(uint64_t, sent->hdr.size, MAX_DATA);
		if (sent->hdr.size > at)
			memset(sent->data + at, value, sent->hdr.size - at);
		break;
	default:
		at = rng_below(rng, sent->hdr.size + 1);
		memcpy(sent->data + at, &value, min_t(int, size, sent->hdr.size - at));
		break;
	}
}

#endif /* SELFTEST_KVMI_FUZZ_H */
