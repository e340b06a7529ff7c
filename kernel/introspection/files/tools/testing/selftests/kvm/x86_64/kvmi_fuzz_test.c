// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: a tool that sends whatever comes to its mind.
 *
 *	kvmi_fuzz_test [MESSAGES [SEED]]
 *
 * Session by session, a VM with running vCPUs is hooked, told what may be, and
 * fuzzed: good commands, hostile arguments, messages of a wrong size or kind,
 * cut into pieces anywhere, answers to events late and out of order. A session
 * ends in one of several ways, most of them bad. Then:
 *
 * - every command got one answer with its id and its seq, in turn, which is one
 *   that is legal for it;
 * - a violation of the protocol has ended the session, after all that came
 *   before it was answered;
 * - every vCPU goes on, before unhook if the session is at its end, and unhook
 *   returns;
 * - nothing is left behind: no fd, no thread, no memory (see kmemleak).
 *
 * A seed makes the same commands each time. When vCPUs have their events, and
 * so when the answers to these come in between, is up to the machine.
 */
#include "kvmi_fuzz_session.h"

/* vCPUs */

static void guest_code(uint64_t *page)
{
	uint64_t cr3 = get_cr3(), cr4 = get_cr4(), star = rdmsr(MSR_STAR);
	int i;

	for (;;) {
		for (i = 0; i < 4; i++)
			++*page;
		set_cr4(cr4 ^= X86_CR4_DE);
		asm volatile("mov %0, %%cr3" : : "r"(cr3 ^= BIT(3)) : "memory");
		wrmsr(MSR_STAR, star ^= BIT(40));
		asm volatile("outb %al, $0x80");
	}
}

/* Goes on whatever KVM_RUN returned, as long as that is an exit and not an error. */
static void *vcpu_thread(void *arg)
{
	struct cpu *cpu = arg;

	while (!READ_ONCE(cpu->stop)) {
		if (__vcpu_run(cpu->vcpu) && errno != EINTR && errno != EAGAIN)
			CHECK(!f.guest.tame, "KVM_RUN: %s", strerror(errno));
		if (!READ_ONCE(cpu->stop))
			WRITE_ONCE(cpu->vcpu->run->immediate_exit, 0);
		usleep(READ_ONCE(f.rest));
	}
	return NULL;
}

static void fuzzed_create(void)
{
	uint8_t *known;
	int i;

	f.m = machine_create(1 + rng_below(&f.rng, MAX_VCPUS), guest_code);
	machine_unhook(f.m);
	f.m->tool = -1;
	vm_userspace_mem_region_add(f.m->vm, VM_MEM_SRC_ANONYMOUS, SCRATCH_GPA, 1,
				    SCRATCH_PAGES, 0);
	vm_userspace_mem_region_add(f.m->vm, VM_MEM_SRC_ANONYMOUS, KNOWN_GPA, 2,
				    KNOWN_PAGES, KVM_MEM_READONLY);
	known = addr_gpa2hva(f.m->vm, KNOWN_GPA);
	for (i = 0; i < KNOWN_PAGES * 4096; i++)
		known[i] = i ^ (i >> 8);
	for (i = 0; i < f.m->vcpus; i++) {
		pthread_create(&f.m->cpu[i].thread, NULL, vcpu_thread, &f.m->cpu[i]);
		f.m->cpu[i].started = true;
		f.guest.counter[i] = addr_gva2gpa(f.m->vm, f.m->cpu[i].counter_gva);
	}
	f.guest.vcpus = f.m->vcpus;
	f.before = 0;
	f.vms++;
}

static void fuzzed_destroy(void)
{
	machine_destroy(f.m);
	f.m = NULL;
}

static void check_vcpus_go_on(void)
{
	uint64_t before;
	int i, ms;

	for (i = 0; f.guest.tame && i < f.m->vcpus; i++) {
		before = cpu_count(&f.m->cpu[i]);
		for (ms = 0; cpu_count(&f.m->cpu[i]) == before; ms++) {
			CHECK(ms < PATIENCE, "vCPU %d of %d does not go on", i, f.m->vcpus);
			usleep(1000);
		}
	}
}

/* Commands */

/* Send one; each in eight is sent again, some time. */
static void put_something(void)
{
	static struct sent sent, again;
	const struct row *row = &rows[rng_below(&f.rng, ARRAY_SIZE(rows))];

	if (again.hdr.id && rng_once_in(&f.rng, 8)) {
		sent = again;
	} else if (rng_once_in(&f.rng, 16)) {
		make_nonsense(&f.rng, &sent);
	} else {
		make_command(&f.rng, &sent, row, &f.guest);
		if (rng_once_in(&f.rng, 3))
			mutate(&f.rng, &sent);
	}
	if (is_dangerous(&sent, &f.guest))
		return;
	put_command(&sent);
	again.hdr.id = 0;
	if (rng_once_in(&f.rng, 8))
		memcpy(&again, &sent, sizeof(sent.hdr) + sent.hdr.size);
}

static void put_arg(uint16_t id, const void *arg, uint16_t size)
{
	struct sent sent = { .hdr = { .id = id, .size = size, .seq = rng_next(&f.other) } };

	memcpy(sent.data, arg, size);
	put_command(&sent);
}

/* What may this session do? And is that what it was told before? */
static void learn(int *check)
{
	struct kvmi_check_command arg = {};
	struct {
		struct kvmi_msg_hdr hdr;
		struct kvmi_error_code code;
	} reply;
	int i;

	for (i = 0; i < NUM_IDS; i++) {
		arg.id = i;
		CHECK(!tool_send(f.m->tool, KVMI_CHECK_COMMAND, i, &arg, sizeof(arg)), "send");
	}
	for (i = 0; i < NUM_IDS; i++) {
		CHECK(recv(f.m->tool, &reply, sizeof(reply), MSG_WAITALL) == sizeof(reply) &&
		      reply.hdr.id == KVMI_CHECK_COMMAND && reply.hdr.seq == i, "no check");
		check[i] = reply.code.err;
		CHECK(answer_bit(check[i]) & (OK | PERM | OPNOTSUPP | NOSYS), "%d may be %d",
		      i, check[i]);
		CHECK(check == f.base || check[i] == f.base[i] ||
		      (check[i] == -KVM_EPERM && !f.base[i]), "%d became %d", i, check[i]);
		if (i > KVMI_CHECK_EVENT && !f.base[i] && !(f.allow.commands & BIT(i)))
			CHECK(check[i] == -KVM_EPERM, "%d is allowed", i);
	}
	f.commands += NUM_IDS;
	f.messages += NUM_IDS;
}

/* Sessions */

static void *unhook_thread(void *arg)
{
	usleep((uintptr_t)arg);
	CHECK(!ioctl(f.m->control, KVM_INTROSPECTION_UNHOOK), "unhook: %s", strerror(errno));
	return NULL;
}

/* What the host's side may try at any time, and what becomes of it. */
static void *manager_thread(void *done)
{
	struct kvm_introspection_allow allow = {};
	int r;

	CHECK(tool_hook(f.m->control) == -1 && errno == EEXIST, "hooked twice");
	CHECK(ioctl(f.m->control, KVM_INTROSPECTION_ALLOW, &allow) == -1 && errno == EBUSY,
	      "allowed while hooked");
	/* It may have been broken a moment ago. */
	r = ioctl(f.m->control, KVM_INTROSPECTION_PREUNHOOK);
	CHECK(!r || errno == EAGAIN || errno == ENOENT || errno == EPIPE,
	      "preunhook: errno %d", errno);
	WRITE_ONCE(*(bool *)done, true);
	return NULL;
}

/*
 * A thread of its own, because PREUNHOOK waits for room in the socket: a tool
 * that does not read meanwhile is one that KVM gives up in the end.
 */
static void disturb(void)
{
	struct pollfd poll_fd = { .fd = f.m->tool, .events = POLLIN };
	pthread_t manager;
	bool done = false;

	if (!rng_once_in(&f.rng, 4) || f.end == END_RACE)
		return;
	pthread_create(&manager, NULL, manager_thread, &done);
	while (!READ_ONCE(done) && !f.closed)
		if (poll(&poll_fd, 1, 1) == 1)
			take();
	pthread_join(manager, NULL);
}

/* An event to be answered; false if none is allowed. */
static bool await_question(struct question **q)
{
	struct kvmi_control_cmd_response on = { .enable = 1, .now = 1 };
	uint64_t pause[2] = {};
	int i;

	if (f.guest.check[KVMI_PAUSE_VCPU])
		return false;
	put_arg(KVMI_CONTROL_CMD_RESPONSE, &on, sizeof(on));
	put_arg(KVMI_PAUSE_VCPU, pause, sizeof(pause));
	for (;;) {
		flush();
		for (i = 0; i < f.m->vcpus; i++) {
			*q = &f.questions[i];
			if ((*q)->open)
				return true;
		}
		check_open();
		wait_for_kvm();
	}
}

static void put_violation(void)
{
	struct question *q = NULL;
	struct sent sent = {};
	int i;

	if ((f.end == END_TWICE || f.end == END_WRONG) && !await_question(&q))
		f.end = END_NO_QUESTION;
	if (q)
		make_answer(&sent, q);
	switch (f.end) {
	case END_TWICE:
		put_message(&sent);
		/* The vCPU may ask anew before the same answer comes again. */
		q->open = false;
		break;
	case END_WRONG:
		/* Neither the CONTINUE nor the CRASH that it could be, or something else. */
		if (rng_once_in(&f.rng, 2))
			sent.data[8] = 3 + rng_below(&f.rng, 253);
		else
			sent.hdr.seq += 1 + rng_below(&f.rng, 1000000);
		break;
	case END_TOO_LARGE:
		sent.hdr = (struct kvmi_msg_hdr){
			.id = rng_below(&f.rng, 70),
			.size = MAX_DATA + 1 + rng_below(&f.rng, 0xffff - MAX_DATA),
		};
		break;
	case END_EVENT:
		sent.hdr = (struct kvmi_msg_hdr){
			.id = KVMI_EVENT,
			.size = rng_below(&f.rng, 1000),
		};
		break;
	default:
		sent.hdr = (struct kvmi_msg_hdr){
			.id = KVMI_EVENT_REPLY,
			.size = rng_once_in(&f.rng, 2) ? 16 : rng_below(&f.rng, 1000),
			.seq = f.event_seq + 1000000,
		};
		for (i = 0; i < sent.hdr.size && rng_once_in(&f.rng, 2); i++)
			sent.data[i] = rng_hostile(&f.rng);
		break;
	}
	put_message(&sent);
	f.over = true;
	flush();
}

/* Read to the end; what came before the violation must be answered in turn. */
static void check_ended(int why)
{
	int broken;

	while (!f.closed)
		wait_for_kvm();
	CHECK(!is_expecting(true), "id %d, seq %#x was not answered", f.expected[f.first].id,
	      f.expected[f.first].seq);
	broken = wait_for_broken(f.m->control);
	CHECK(broken == why, "ended because of %d", broken);
}

static void check_commands(void)
{
	uint64_t commands = vm_get_stat(f.m->vm, "introspection_commands");

	CHECK(commands == f.before + f.commands, "%lu commands were sent, and %lu received",
	      f.commands, commands - f.before);
}

/* A message without its end. */
static void put_half(void)
{
	struct sent sent = {
		.hdr = {
			.id = 2 + rng_below(&f.rng, 68),
			.size = 1 + rng_below(&f.rng, rng_once_in(&f.rng, 3) ? MAX_DATA : 100),
		},
	};

	put(&sent, 1 + rng_below(&f.rng, sizeof(sent.hdr) + sent.hdr.size - 1));
	f.over = true;
	flush();
}

static void end_session(pthread_t race)
{
	struct kvmi_control_cmd_response on = { .enable = 1, .now = 1 };
	int why;

	switch (f.end) {
	case END_ANSWERED:
		put_arg(KVMI_CONTROL_CMD_RESPONSE, &on, sizeof(on));
		put_arg(KVMI_GET_VERSION, NULL, 0);
		flush();
		wait_for_answers();
		check_commands();
		break;
	case END_CUT:
		put_half();
		shutdown(f.m->tool, SHUT_RDWR);
		why = wait_for_broken(f.m->control);
		CHECK(why == EPIPE || why == ECONNRESET, "ended because of %d", why);
		check_vcpus_go_on();
		break;
	case END_HALF_CLOSED:
		put_half();
		shutdown(f.m->tool, SHUT_WR);
		check_ended(EPIPE);
		check_commands();
		check_vcpus_go_on();
		break;
	case END_URGENT:
		put_half();
		send(f.m->tool, "u", 1, MSG_OOB | MSG_NOSIGNAL | MSG_DONTWAIT);
		send(f.m->tool, f.out, 1000, MSG_NOSIGNAL | MSG_DONTWAIT);
		break;
	case END_UNHOOKED:
		put_half();
		break;
	case END_RACE:
		pthread_join(race, NULL);
		break;
	case END_DESTROYED:
		break;
	default:
		put_violation();
		check_ended(EPROTO);
		check_commands();
		check_vcpus_go_on();
		break;
	}
}

static int hook(void)
{
	struct kvm_introspection_hook hook = {};
	struct timeval limit = { .tv_sec = PATIENCE / 1000 };
	struct timeval hurry = { .tv_usec = 1 };
	int pair[2], size = 1;

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair: %s", strerror(errno));
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	/* What may have been set on KVM's end. */
	if (rng_once_in(&f.rng, 16))
		setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &hurry, sizeof(hurry));
	if (rng_once_in(&f.rng, 16))
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	hook.fd = pair[1];
	CHECK(!ioctl(f.m->control, KVM_INTROSPECTION_HOOK, &hook), "not hooked: %s",
	      strerror(errno));
	close(pair[1]);
	return pair[0];
}

static void begin_session(void)
{
	static const int pieces[] = { 700, KVMI_MSG_SIZE, BATCH };
	static const int rests[] = { 500, 2000, 10000, 20000 };
	struct kvm_control_event event;

	rng_seed(&f.rng, f.seed + (f.sessions << 32));
	rng_seed(&f.other, ~f.seed + (f.sessions << 32));
	f.end = rng_once_in(&f.rng, 2) ? END_ANSWERED : rng_below(&f.rng, NUM_ENDS);
	f.guest.tame = !rng_once_in(&f.rng, 20);
	f.piece = pieces[rng_below(&f.rng, ARRAY_SIZE(pieces))];
	f.allow = (struct kvm_introspection_allow){ .commands = ~0ull, .events = ~0ull };
	if (rng_once_in(&f.rng, 4)) {
		f.allow.commands = rng_next(&f.rng) | rng_next(&f.rng);
		f.allow.events = rng_next(&f.rng) | rng_next(&f.rng);
	}
	WRITE_ONCE(f.rest, rests[rng_below(&f.rng, ARRAY_SIZE(rests))]);
	f.mute = false;
	f.mute_next = false;
	f.over = false;
	f.closed = false;
	f.commands = 0;
	f.event_seq = 0;
	f.first = 0;
	f.last = 0;
	f.in_size = 0;
	memset(f.questions, 0, sizeof(f.questions));

	if (!f.m)
		fuzzed_create();
	while (read(f.m->control, &event, sizeof(event)) > 0)
		;
	f.before = vm_get_stat(f.m->vm, "introspection_commands");
	CHECK(!ioctl(f.m->control, KVM_INTROSPECTION_ALLOW, &f.allow), "allow");
	f.m->tool = hook();
	learn(f.guest.check);
}

static void after_session(void)
{
	int tool = f.m->tool;
	char rest[4096];
	int n;

	f.m->tool = -1;
	if (f.end == END_DESTROYED || !f.guest.tame || rng_once_in(&f.rng, 40)) {
		fuzzed_destroy();
	} else {
		CHECK(!ioctl(f.m->control, KVM_INTROSPECTION_UNHOOK), "unhook: %s",
		      strerror(errno));
		check_vcpus_go_on();
	}
	do {
		n = recv(tool, rest, sizeof(rest), 0);
	} while (n > 0);
	CHECK(!n || errno == ECONNRESET, "the connection stayed open: %s", strerror(errno));
	close(tool);
	f.ends[f.end]++;
	f.sessions++;
}

static void session(void)
{
	static const int lengths[] = { 20, 300, 3000, 9000 };
	pthread_t race = 0;
	uint64_t end;
	int batch;

	begin_session();
	if (f.end == END_RACE)
		pthread_create(&race, NULL, unhook_thread,
			       (void *)(uintptr_t)rng_below(&f.rng, 20000));
	end = f.messages + 1 + rng_below(&f.rng, lengths[rng_below(&f.rng, 4)]);
	while (f.messages < end && !f.closed) {
		for (batch = rng_below(&f.rng, 200); batch && f.messages < end; batch--) {
			if (f.out_to > BATCH - 2 * KVMI_MSG_SIZE)
				break;
			put_something();
		}
		answer_some(2);
		flush();
		disturb();
	}
	end_session(race);
	after_session();
}

FIXTURE(fuzz) {
};

FIXTURE_SETUP(fuzz)
{
	/* What is allowed when everything is; also opens what stays open. */
	f.allow.commands = ~0ull;
	fuzzed_create();
	f.m->tool = hook();
	learn(f.base);
	fuzzed_destroy();
}

FIXTURE_TEARDOWN(fuzz)
{
}

TEST_F_TIMEOUT(fuzz, messages, 3000)
{
	int last = dup(0), i;

	close(last);
	printf("# seed %lu, %lu messages\n", f.seed, f.wanted);
	fflush(stdout);
	while (f.messages < f.wanted)
		session();
	if (f.m)
		fuzzed_destroy();

	EXPECT_EQ(0, threads_named("kvmi-recv"));
	EXPECT_EQ(last, dup(0));
	printf("# %lu messages, %lu answers and %lu events in %lu sessions with %lu VMs\n",
	       f.messages, f.answers, f.events, f.sessions, f.vms);
	for (i = 0; i < NUM_ENDS; i++)
		printf("# %s: %lu\n", end_names[i], f.ends[i]);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_INTROSPECTION));
	f.wanted = argc > 1 ? strtoul(argv[1], NULL, 0) : 50000;
	f.seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	return test_harness_run(1, argv);
}
