// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: accesses of the guest that the tool is asked for.
 *
 * An access cannot wait for the tool where KVM meets it, deep in the emulator.
 * The instruction is given up there and the event is sent on the way into the
 * guest. If the tool says yes, the instruction is executed again and the access
 * is granted this time. An instruction may need several such rounds; the grants
 * are kept until it has come to its end.
 *
 * All of it is done by the vCPU's own thread.
 */
#include <linux/string.h>

#include "kvmi_int.h"

/**
 * kvmi_vcpu_grant() - let the access happen that the tool has said yes to
 * @vcpu: the vCPU, which is about to execute the instruction again
 *
 * Return: false if the tool has let the page go meanwhile, so that nobody asks
 * again.
 */
bool kvmi_vcpu_grant(struct kvm_vcpu *vcpu)
{
	const struct kvmi_vcpu_event *asked = &vcpu->introspection.pending;
	const struct kvmi_event_pf_reply *pf = &vcpu->introspection.reply.pf;
	struct kvmi_watch *watch = vcpu->introspection.watch;

	if (kvmi_arch_get_page_access(vcpu->kvm, asked->data.pf.gpa) &
	    asked->data.pf.access)
		return false;

	if (watch->ngrants == KVMI_MAX_GRANTS ||
	    (watch->ngrants && watch->grant[0].rip != asked->rip)) {
		watch->ngrants = 0;
		watch->ctx_size = 0;
	}
	watch->grant[watch->ngrants++] = (struct kvmi_grant){
		.rip = asked->rip,
		.gpa = asked->data.pf.gpa,
		.access = asked->data.pf.access,
	};
	watch->rep_complete = pf->rep_complete;
	/* What it is to read stays when it is asked for a write, say, next. */
	if (pf->ctx_size) {
		watch->ctx_addr = pf->ctx_addr;
		watch->ctx_size = pf->ctx_size;
		memcpy(watch->ctx_data, pf->ctx_data, pf->ctx_size);
	}
	return true;
}

static bool kvmi_vcpu_is_granted(const struct kvmi_watch *watch,
				 const struct kvmi_vcpu_event *event)
{
	const struct kvmi_event_pf *pf = &event->data.pf;
	unsigned int i;

	for (i = 0; i < watch->ngrants; i++) {
		const struct kvmi_grant *grant = &watch->grant[i];

		if (grant->rip == event->rip && grant->access == pf->access &&
		    (watch->rep_complete ? !((grant->gpa ^ pf->gpa) & PAGE_MASK) :
					   grant->gpa == pf->gpa))
			return true;
	}
	return false;
}

/**
 * kvmi_vcpu_may_access() - whether an access to a watched page may happen
 * @vcpu: the vCPU
 * @event: the event that tells of the access
 *
 * What the tool has not said yes to is asked for before the vCPU enters the
 * guest again, and there it executes the same instruction. The yes is for this
 * one execution, see kvmi_vcpu_executed().
 *
 * Context: the vCPU's thread.
 */
bool kvmi_vcpu_may_access(struct kvm_vcpu *vcpu,
			  const struct kvmi_vcpu_event *event)
{
	const struct kvmi_watch *watch = vcpu->introspection.watch;

	if (!watch || !(watch->events & BIT_ULL(KVMI_EVENT_PF)) ||
	    kvmi_vcpu_is_granted(watch, event))
		return true;
	return !kvmi_vcpu_ask(vcpu, event);
}

/**
 * kvmi_vcpu_custom_read() - what the tool wants an instruction to read
 * @vcpu: the vCPU
 * @gva: from where the instruction reads
 * @data: where it goes
 * @size: how much
 *
 * Return: whether the tool gave anything for there.
 *
 * Context: the vCPU's thread, after kvmi_vcpu_may_access() has agreed.
 */
bool kvmi_vcpu_custom_read(struct kvm_vcpu *vcpu, u64 gva, void *data,
			   unsigned int size)
{
	const struct kvmi_watch *watch = vcpu->introspection.watch;

	if (!watch || !watch->ngrants || size > watch->ctx_size ||
	    gva < watch->ctx_addr ||
	    gva - watch->ctx_addr > watch->ctx_size - size)
		return false;
	memcpy(data, watch->ctx_data + (gva - watch->ctx_addr), size);
	return true;
}

/**
 * kvmi_vcpu_executed() - note that an instruction has been executed
 * @vcpu: the vCPU
 * @more: it was one iteration of a string instruction, not the last one
 *
 * The next time it is executed the tool is asked again, unless it said that it
 * need not be for the other iterations.
 *
 * Context: the vCPU's thread.
 */
void kvmi_vcpu_executed(struct kvm_vcpu *vcpu, bool more)
{
	struct kvmi_watch *watch = vcpu->introspection.watch;

	if (watch && !(more && watch->rep_complete)) {
		watch->ngrants = 0;
		watch->ctx_size = 0;
	}
}
