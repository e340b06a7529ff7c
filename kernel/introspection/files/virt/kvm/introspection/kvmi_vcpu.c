// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: vCPUs, their commands, and waiting for the tool.
 *
 * Only a vCPU's own thread touches the vCPU. The receiving thread leaves it
 * jobs and answers in struct kvmi_vcpu and makes a request; the vCPU's thread
 * does the jobs, sends the events and waits for the answers, wherever the
 * request meets it: on its way into the guest, halted, or waiting for the SIPI.
 *
 * Such a thread belongs to the VMM. It waits with signals welcome and without
 * kvm->srcu: KVM_RUN then ends as for any signal, the event stays unanswered,
 * and the next KVM_RUN goes on waiting before it enters the guest.
 *
 * While it does a job it holds no reference to the connection. A job can wait
 * for a page of the guest, and unhook must not wait for that. An answer that
 * comes too late finds another connection or none.
 */
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <uapi/linux/kvm_para.h>

#include "kvmi_int.h"

/* What a tool may leave with a vCPU that does not run. */
#define KVMI_MAX_JOBS	64
#define KVMI_MAX_PAUSES	64

/**
 * struct kvmi_vcpu_command - how to handle a command for a vCPU
 * @size: size of its arguments, without the header
 * @more: whether data may follow them
 * @in_event: whether the vCPU must be waiting for the answer to an event
 * @check: looks at the arguments in the receiving thread first
 * @receive: does it in the receiving thread; the arguments are in kvmi->in
 * @handle: otherwise, does it in the vCPU's thread, with kvm->srcu held; the
 *	size bytes of the reply go to out. All return 0 or a negative KVM_E*.
 */
struct kvmi_vcpu_command {
	size_t size;
	bool more;
	bool in_event;
	int (*check)(struct kvmi *kvmi);
	int (*receive)(struct kvmi *kvmi, struct kvm_vcpu *vcpu);
	int (*handle)(struct kvm_vcpu *vcpu, const struct kvmi_job *job,
		      void *out, size_t *size);
};

/* What a vCPU's thread has to do next. */
enum kvmi_step {
	KVMI_STEP_GO_ON,	/* nothing: enter the guest */
	KVMI_STEP_JOB,
	KVMI_STEP_SEND,
	KVMI_STEP_WAIT,
	KVMI_STEP_FINISH,	/* do what the tool has answered */
	KVMI_STEP_CRASH,
};

/**
 * kvmi_vcpu_init() - prepare a new vCPU for being introspected
 * @vcpu: the vCPU, not yet visible to anyone
 */
void kvmi_vcpu_init(struct kvm_vcpu *vcpu)
{
	spin_lock_init(&vcpu->introspection.lock);
	INIT_LIST_HEAD(&vcpu->introspection.jobs);
}

/**
 * kvmi_vcpu_destroy() - free what is left of introspection with a vCPU
 * @vcpu: the vCPU, of a VM that is not hooked any more
 */
void kvmi_vcpu_destroy(struct kvm_vcpu *vcpu)
{
	kfree(vcpu->introspection.watch);
}

static void kvmi_vcpu_reset(struct kvmi_vcpu *v)
{
	struct kvmi_job *job, *next;
	LIST_HEAD(jobs);

	spin_lock(&v->lock);
	list_splice_init(&v->jobs, &jobs);
	v->njobs = 0;
	v->pauses = 0;
	v->created = false;
	v->state = KVMI_VCPU_IDLE;
	spin_unlock(&v->lock);

	list_for_each_entry_safe(job, next, &jobs, link)
		kfree(job);
}

/*
 * Call the vCPU's thread. The order matters: whoever has cleared UNBLOCK looks
 * for the other request afterwards, before the vCPU blocks.
 */
static void kvmi_vcpu_request(struct kvm_vcpu *vcpu)
{
	kvm_make_request(KVM_REQ_INTROSPECTION, vcpu);
	kvm_make_request(KVM_REQ_UNBLOCK, vcpu);
	kvm_vcpu_kick(vcpu);
}

/**
 * kvmi_vcpu_created() - tell a tool that wants to know of a new vCPU
 * @vcpu: the vCPU, which others can see and use by now
 *
 * What it sends is the vCPU's own state, so the vCPU's thread sends it, and
 * waits for the tool before it enters the guest for the first time.
 */
void kvmi_vcpu_created(struct kvm_vcpu *vcpu)
{
	struct kvmi *kvmi = kvmi_get(vcpu->kvm);

	if (!kvmi)
		return;
	/* Unhook waits for us, and forgets this only then. */
	if (READ_ONCE(kvmi->vm_events) & BIT_ULL(KVMI_EVENT_CREATE_VCPU)) {
		spin_lock(&vcpu->introspection.lock);
		vcpu->introspection.created = true;
		spin_unlock(&vcpu->introspection.lock);
		kvmi_vcpu_request(vcpu);
	}
	kvmi_put(kvmi);
}

/**
 * kvmi_vcpus_reset() - forget what a tool has left with the vCPUs
 * @kvm: the VM, between two connections
 */
void kvmi_vcpus_reset(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	lockdep_assert_held(&kvm->introspection.lock);

	kvm_for_each_vcpu(i, vcpu, kvm) {
		kvmi_vcpu_reset(&vcpu->introspection);
		/* Only its own thread can stop watching it. */
		if (READ_ONCE(vcpu->introspection.watch))
			kvmi_vcpu_request(vcpu);
	}
}

/* Wait until the vCPU, which has been called, has left the guest. */
static void kvmi_vcpu_wait_outside(struct kvm_vcpu *vcpu)
{
	DECLARE_BITMAP(vcpus, KVM_MAX_VCPUS);

	bitmap_zero(vcpus, KVM_MAX_VCPUS);
	__set_bit(vcpu->vcpu_idx, vcpus);
	kvm_make_vcpus_request_mask(vcpu->kvm, KVM_REQ_OUTSIDE_GUEST_MODE, vcpus);
}

/* Each pause becomes an event when the vCPU's thread gets to it. */
static int kvmi_pause_vcpu(struct kvmi *kvmi, struct kvm_vcpu *vcpu)
{
	const struct kvmi_pause_vcpu *arg = kvmi_vcpu_arg(kvmi->in);
	struct kvmi_vcpu *v = &vcpu->introspection;
	int r = 0;

	if (arg->wait > 1 || arg->padding1 || arg->padding2 || arg->padding3)
		return -KVM_EINVAL;

	spin_lock(&v->lock);
	if (v->pauses < KVMI_MAX_PAUSES)
		v->pauses++;
	else
		r = -KVM_EBUSY;
	spin_unlock(&v->lock);
	if (r)
		return r;

	kvmi_vcpu_request(vcpu);
	if (arg->wait)
		kvmi_vcpu_wait_outside(vcpu);
	return 0;
}

static int kvmi_check_control_events(struct kvmi *kvmi)
{
	const struct kvmi_control_events *arg = kvmi_vcpu_arg(kvmi->in);

	if (arg->padding1 || arg->padding2 || arg->enable > 1)
		return -KVM_EINVAL;
	return kvmi_check_event_id(kvmi, arg->event_id, KVMI_VCPU_EVENTS);
}

static const struct kvmi_vcpu_command kvmi_vcpu_commands[] = {
	[KVMI_GET_VCPU_INFO] = {
		.handle	= kvmi_arch_get_vcpu_info,
	},
	[KVMI_PAUSE_VCPU] = {
		.size	= sizeof(struct kvmi_pause_vcpu),
		.receive = kvmi_pause_vcpu,
	},
	[KVMI_CONTROL_EVENTS] = {
		.size	= sizeof(struct kvmi_control_events),
		.check	= kvmi_check_control_events,
		.handle	= kvmi_arch_control_events,
	},
	[KVMI_CONTROL_CR] = {
		.size	= sizeof(struct kvmi_control_cr),
		.handle	= kvmi_arch_control_cr,
	},
	[KVMI_CONTROL_MSR] = {
		.size	= sizeof(struct kvmi_control_msr),
		.handle	= kvmi_arch_control_msr,
	},
	[KVMI_GET_REGISTERS] = {
		.size	= sizeof(struct kvmi_get_registers),
		.more	= true,
		.handle	= kvmi_arch_get_registers,
	},
	[KVMI_SET_REGISTERS] = {
		.size	= sizeof(struct kvm_regs),
		.in_event = true,
		.handle	= kvmi_arch_set_registers,
	},
	[KVMI_GET_CPUID] = {
		.size	= sizeof(struct kvmi_get_cpuid),
		.handle	= kvmi_arch_get_cpuid,
	},
	[KVMI_GET_XSAVE] = {
		.handle	= kvmi_arch_get_xsave,
	},
	[KVMI_VCPU_TRANSLATE_GVA] = {
		.size	= sizeof(struct kvmi_vcpu_translate_gva),
		.handle	= kvmi_arch_translate_gva,
	},
	[KVMI_VCPU_GET_XCR] = {
		.size	= sizeof(struct kvmi_vcpu_get_xcr),
		.handle	= kvmi_arch_get_xcr,
	},
	[KVMI_VCPU_SET_XSAVE] = {
		.more	= true,
		.handle	= kvmi_arch_set_xsave,
	},
};

static const struct kvmi_vcpu_command *kvmi_vcpu_find_command(u16 id)
{
	BUILD_BUG_ON(ARRAY_SIZE(kvmi_vcpu_commands) > KVMI_NUM_COMMANDS);

	if (id >= ARRAY_SIZE(kvmi_vcpu_commands))
		return NULL;
	id = array_index_nospec(id, ARRAY_SIZE(kvmi_vcpu_commands));
	if (!kvmi_vcpu_commands[id].receive && !kvmi_vcpu_commands[id].handle)
		return NULL;
	return &kvmi_vcpu_commands[id];
}

/**
 * kvmi_vcpu_knows() - whether a command is one for a vCPU
 * @id: its id
 */
bool kvmi_vcpu_knows(u16 id)
{
	return kvmi_vcpu_find_command(id);
}

/**
 * kvmi_vcpu_get() - the vCPU that the message is about
 * @kvmi: the connection, with a message in its buffer
 *
 * Return: the vCPU, NULL if there is none.
 *
 * Context: the receiving thread.
 */
struct kvm_vcpu *kvmi_vcpu_get(struct kvmi *kvmi)
{
	const struct kvmi_vcpu_hdr *hdr = (void *)kvmi->in;

	if (hdr->padding1 || hdr->padding2)
		return NULL;
	return kvm_get_vcpu(kvmi->kvm, hdr->vcpu);
}

static int kvmi_vcpu_add_job(struct kvmi_vcpu *v, struct kvmi_job *job)
{
	int r = 0;

	spin_lock(&v->lock);
	if (job->command->in_event && v->state != KVMI_VCPU_ASKING)
		r = -KVM_EOPNOTSUPP;
	else if (v->njobs >= KVMI_MAX_JOBS)
		r = -KVM_EBUSY;
	if (!r) {
		list_add_tail(&job->link, &v->jobs);
		v->njobs++;
	}
	spin_unlock(&v->lock);
	return r;
}

static int kvmi_vcpu_queue(struct kvmi *kvmi, struct kvm_vcpu *vcpu,
			   const struct kvmi_vcpu_command *command,
			   const struct kvmi_msg_hdr *hdr)
{
	struct kvmi_job *job;
	int r;

	job = kmalloc(struct_size(job, in, hdr->size), GFP_KERNEL);
	if (!job)
		return -KVM_ENOMEM;
	job->command = command;
	job->hdr = *hdr;
	job->session = kvmi->session;
	job->mute = kvmi->mute;
	memcpy(job->in, kvmi->in, hdr->size);

	r = kvmi_vcpu_add_job(&vcpu->introspection, job);
	if (r) {
		kfree(job);
		return r;
	}
	kvmi_vcpu_request(vcpu);
	wake_up_all(&kvmi->wait);
	return 1;
}

/**
 * kvmi_vcpu_receive() - take a command for a vCPU
 * @kvmi: the connection, with the command's arguments in its buffer
 * @hdr: the command, one that kvmi_vcpu_knows()
 *
 * Return: 0 or a negative KVM_E* to be answered now; 1 if the vCPU's thread is
 * going to answer.
 *
 * Context: the receiving thread.
 */
int kvmi_vcpu_receive(struct kvmi *kvmi, const struct kvmi_msg_hdr *hdr)
{
	const struct kvmi_vcpu_command *command = kvmi_vcpu_find_command(hdr->id);
	size_t size = sizeof(struct kvmi_vcpu_hdr) + command->size;
	struct kvm_vcpu *vcpu;
	int r;

	if (command->more ? hdr->size < size : hdr->size != size)
		return -KVM_EINVAL;
	vcpu = kvmi_vcpu_get(kvmi);
	if (!vcpu)
		return -KVM_EINVAL;
	r = command->check ? command->check(kvmi) : 0;
	if (r)
		return r;
	if (command->receive)
		return command->receive(kvmi, vcpu);
	return kvmi_vcpu_queue(kvmi, vcpu, command, hdr);
}

static void kvmi_vcpu_do(struct kvm_vcpu *vcpu, struct kvmi_job *job)
{
	size_t size = 0;
	struct kvmi *kvmi;
	void *out;
	int err;

	out = kzalloc(KVMI_MAX_REPLY, GFP_KERNEL_ACCOUNT);
	if (out) {
		kvm_vcpu_srcu_read_lock(vcpu);
		err = job->command->handle(vcpu, job, out, &size);
		kvm_vcpu_srcu_read_unlock(vcpu);
	} else {
		err = -KVM_ENOMEM;
	}
	if (err)
		kvmi_count_error(vcpu->kvm);

	kvmi = kvmi_get(vcpu->kvm);
	if (kvmi) {
		/* It may be broken by now; then this was in vain. */
		if (kvmi->session == job->session && !job->mute)
			kvmi_msg_reply(kvmi, &job->hdr, err, out, size);
		kvmi_put(kvmi);
	}
	kfree(out);
	kfree(job);
}

/* An event that is about no instruction becomes the one to send next. */
static bool kvmi_vcpu_take_event(struct kvmi_vcpu *v)
{
	struct kvmi_vcpu_event event = {};

	if (v->created) {
		v->created = false;
		event.id = KVMI_EVENT_CREATE_VCPU;
	} else if (v->pauses) {
		v->pauses--;
		event.id = KVMI_EVENT_PAUSE_VCPU;
	} else {
		return false;
	}
	v->pending = event;
	return true;
}

static enum kvmi_step kvmi_vcpu_next(struct kvmi_vcpu *v, struct kvmi_job **job)
{
	enum kvmi_step step = KVMI_STEP_GO_ON;

	spin_lock(&v->lock);
	if (v->state == KVMI_VCPU_ANSWERED && list_empty(&v->jobs)) {
		v->state = KVMI_VCPU_IDLE;
		step = v->action == KVMI_EVENT_ACTION_CRASH ? KVMI_STEP_CRASH :
							      KVMI_STEP_FINISH;
	}
	if (!list_empty(&v->jobs)) {
		*job = list_first_entry(&v->jobs, struct kvmi_job, link);
		list_del(&(*job)->link);
		v->njobs--;
		step = KVMI_STEP_JOB;
	} else if (v->state == KVMI_VCPU_ASKING) {
		step = KVMI_STEP_WAIT;
	} else if (v->state == KVMI_VCPU_DUE) {
		step = KVMI_STEP_SEND;
	} else if (step == KVMI_STEP_GO_ON && kvmi_vcpu_take_event(v)) {
		step = KVMI_STEP_SEND;
	}
	spin_unlock(&v->lock);
	return step;
}

static bool kvmi_vcpu_may_go_on(struct kvmi *kvmi, struct kvmi_vcpu *v)
{
	bool r;

	spin_lock(&v->lock);
	r = v->state != KVMI_VCPU_ASKING || !list_empty(&v->jobs);
	spin_unlock(&v->lock);
	return r || READ_ONCE(kvmi->broken);
}

/* Do the next thing, if there is one and someone to do it for. */
static enum kvmi_step kvmi_vcpu_step(struct kvm_vcpu *vcpu)
{
	struct kvmi_vcpu *v = &vcpu->introspection;
	struct kvmi *kvmi = kvmi_get(vcpu->kvm);
	struct kvmi_job *job;
	enum kvmi_step step;

	kvmi_vcpu_check_watch(vcpu, kvmi);
	/* Unhook throws away what a broken connection has left. */
	if (!kvmi)
		return KVMI_STEP_GO_ON;

	step = kvmi_vcpu_next(v, &job);
	if (step == KVMI_STEP_SEND)
		kvmi_vcpu_send(kvmi, vcpu);
	else if (step == KVMI_STEP_WAIT)
		wait_event_interruptible(kvmi->wait, kvmi_vcpu_may_go_on(kvmi, v));
	kvmi_put(kvmi);

	if (step == KVMI_STEP_JOB)
		kvmi_vcpu_do(vcpu, job);
	return step;
}

static int kvmi_vcpu_crash(struct kvm_vcpu *vcpu)
{
	vcpu->run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
	vcpu->run->system_event.type = KVM_SYSTEM_EVENT_CRASH;
	vcpu->run->system_event.ndata = 0;
	return 0;
}

static int kvmi_vcpu_steps(struct kvm_vcpu *vcpu)
{
	int r;

	for (;;) {
		switch (kvmi_vcpu_step(vcpu)) {
		case KVMI_STEP_GO_ON:
			return 1;
		case KVMI_STEP_CRASH:
			return kvmi_vcpu_crash(vcpu);
		case KVMI_STEP_FINISH:
			r = kvmi_vcpu_finish(vcpu);
			if (r <= 0)
				return r;
			break;
		default:
			break;
		}
		if (signal_pending(current)) {
			kvm_handle_signal_exit(vcpu);
			return -EINTR;
		}
		cond_resched();
	}
}

/**
 * kvmi_vcpu_handle_request() - do what the tool wants of a vCPU
 * @vcpu: the vCPU, loaded, with kvm->srcu held
 *
 * Return: 1 to go on, or else what KVM_RUN returns: 0 with an exit reason, or
 * -EINTR.
 *
 * Context: the vCPU's thread, KVM_REQ_INTROSPECTION just cleared.
 */
int kvmi_vcpu_handle_request(struct kvm_vcpu *vcpu)
{
	int r;

	kvm_vcpu_srcu_read_unlock(vcpu);
	r = kvmi_vcpu_steps(vcpu);
	kvm_vcpu_srcu_read_lock(vcpu);

	/* The next KVM_RUN goes on from here. */
	if (r <= 0)
		kvm_make_request(KVM_REQ_INTROSPECTION, vcpu);
	return r;
}
