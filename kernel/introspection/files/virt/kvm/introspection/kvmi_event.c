// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: the events of vCPUs, from the exit that they are about to
 * the tool's answer.
 *
 * An event that the guest causes is met where KVM handles the guest's exit. It
 * is only noted there, with the instruction not executed and a request made.
 * The vCPU's thread then sends it, waits, and does what the tool has answered.
 * If the tool goes away instead, the guest executes the instruction again, and
 * nobody watches.
 */
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "kvmi_int.h"

static bool kvmi_action_allowed(u8 event, u8 action)
{
	switch (action) {
	case KVMI_EVENT_ACTION_CONTINUE:
	case KVMI_EVENT_ACTION_CRASH:
		return true;
	case KVMI_EVENT_ACTION_RETRY:
		return kvmi_arch_may_retry(event);
	default:
		return false;
	}
}

/**
 * kvmi_vcpu_answer() - take the tool's answer to an event
 * @kvmi: the connection, with the answer in its buffer
 * @seq: the sequence number of the event
 *
 * Return: 0, or -EPROTO if this answers no event that any vCPU waits with, or
 * in a way that the event does not allow.
 *
 * Context: the receiving thread.
 */
int kvmi_vcpu_answer(struct kvmi *kvmi, u32 seq)
{
	const struct kvmi_event_reply *reply = kvmi_vcpu_arg(kvmi->in);
	const union kvmi_reply_data *data = (const void *)(reply + 1);
	size_t size = sizeof(struct kvmi_vcpu_hdr) + sizeof(*reply);
	struct kvm_vcpu *vcpu;
	struct kvmi_vcpu *v;
	int r = -EPROTO;

	if (kvmi->in_size < size ||
	    kvmi->in_size != size + kvmi_arch_reply_size(reply->event))
		return -EPROTO;
	vcpu = kvmi_vcpu_get(kvmi);
	if (!vcpu || reply->padding1 || reply->padding2 ||
	    !kvmi_action_allowed(reply->event, reply->action) ||
	    !kvmi_arch_reply_valid(reply->event, data))
		return -EPROTO;

	v = &vcpu->introspection;
	spin_lock(&v->lock);
	if (v->state == KVMI_VCPU_ASKING && v->seq == seq && v->event == reply->event) {
		v->action = reply->action;
		memcpy(&v->reply, data, kvmi->in_size - size);
		v->state = KVMI_VCPU_ANSWERED;
		KVM_STATS_LOG_HIST_UPDATE(kvmi->kvm->stat.generic.introspection_reply_hist,
					  ktime_get_ns() - v->asked_ns);
		r = 0;
	}
	spin_unlock(&v->lock);
	wake_up_all(&kvmi->wait);
	return r;
}

/**
 * kvmi_vcpu_asks() - note the event that a vCPU is about to wait with
 * @vcpu: the vCPU
 * @event: the event's id
 * @seq: its sequence number
 *
 * The tool does not see the event before this was called.
 */
void kvmi_vcpu_asks(struct kvm_vcpu *vcpu, u8 event, u32 seq)
{
	struct kvmi_vcpu *v = &vcpu->introspection;

	spin_lock(&v->lock);
	v->event = event;
	v->seq = seq;
	v->asked_ns = ktime_get_ns();
	v->state = KVMI_VCPU_ASKING;
	spin_unlock(&v->lock);
}

/**
 * kvmi_vcpu_ask() - note an event that the tool is to be asked about
 * @vcpu: the vCPU, which executes an instruction that its @watch is about
 * @event: the event
 *
 * Return: true if the vCPU is going to ask the tool before it goes on; the
 * instruction must not be executed then. false if there is no tool any more.
 *
 * Context: the vCPU's thread.
 */
bool kvmi_vcpu_ask(struct kvm_vcpu *vcpu, const struct kvmi_vcpu_event *event)
{
	struct kvmi_vcpu *v = &vcpu->introspection;
	struct kvmi *kvmi = kvmi_get(vcpu->kvm);
	bool due;

	if (!kvmi)
		return false;

	/* Unhook waits for us, and forgets this only then. */
	due = kvmi->session == v->watch->session;
	if (due) {
		v->pending = *event;
		spin_lock(&v->lock);
		v->state = KVMI_VCPU_DUE;
		spin_unlock(&v->lock);
		kvm_make_request(KVM_REQ_INTROSPECTION, vcpu);
	}
	kvmi_put(kvmi);
	return due;
}

/**
 * kvmi_vcpu_watch() - what a tool wants to see of a vCPU, to be changed
 * @vcpu: the vCPU
 * @session: the tool's connection
 *
 * Return: what it wants to see so far, or NULL if there is no memory for it.
 *
 * Context: the vCPU's thread.
 */
struct kvmi_watch *kvmi_vcpu_watch(struct kvm_vcpu *vcpu, u64 session)
{
	struct kvmi_watch *watch = vcpu->introspection.watch;

	if (!watch) {
		watch = kzalloc(sizeof(*watch), GFP_KERNEL_ACCOUNT);
		if (!watch)
			return NULL;
		WRITE_ONCE(vcpu->introspection.watch, watch);
	}
	if (watch->session != session) {
		memset(watch, 0, sizeof(*watch));
		watch->session = session;
	}
	return watch;
}

/**
 * kvmi_vcpu_check_watch() - stop watching for a tool that is gone
 * @vcpu: the vCPU
 * @kvmi: the connection, NULL if there is none that works
 *
 * Context: the vCPU's thread.
 */
void kvmi_vcpu_check_watch(struct kvm_vcpu *vcpu, struct kvmi *kvmi)
{
	struct kvmi_watch *watch = vcpu->introspection.watch;

	if (!watch || !watch->session || (kvmi && kvmi->session == watch->session))
		return;
	memset(watch, 0, sizeof(*watch));
	kvmi_arch_update_watch(vcpu);
	kvmi_arch_update_debug(vcpu);
}

/**
 * kvmi_vcpu_send() - send the event that is due
 * @kvmi: the connection, with a reference
 * @vcpu: the vCPU
 *
 * If that fails the connection ends, and nobody waits for the answer.
 *
 * Context: the vCPU's thread.
 */
void kvmi_vcpu_send(struct kvmi *kvmi, struct kvm_vcpu *vcpu)
{
	struct kvmi_vcpu_event *pending = &vcpu->introspection.pending;
	struct kvmi_event event = {
		.size = sizeof(event),
		.vcpu = vcpu->vcpu_idx,
		.event = pending->id,
	};

	kvm_vcpu_srcu_read_lock(vcpu);
	kvmi_arch_setup_event(vcpu, &event.arch);
	kvm_vcpu_srcu_read_unlock(vcpu);
	kvmi_msg_send_event(kvmi, vcpu, &event, &pending->data, pending->size);
}

/**
 * kvmi_vcpu_finish() - do what the tool has answered
 * @vcpu: the vCPU
 *
 * Return: 1 to go on, or 0 if KVM_RUN has to return with an exit reason.
 *
 * Context: the vCPU's thread.
 */
int kvmi_vcpu_finish(struct kvm_vcpu *vcpu)
{
	int r;

	kvm_vcpu_srcu_read_lock(vcpu);
	r = kvmi_arch_finish_event(vcpu);
	kvm_vcpu_srcu_read_unlock(vcpu);
	return r;
}
