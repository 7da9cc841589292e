/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which message comes next: the conversations of a front-end, each a generator of messages.
 * No socket: phase.c can be tested by calling it.
 */
#ifndef VM_VHOST_PHASE_H
#define VM_VHOST_PHASE_H

#include "vhost/frontend.h"
#include "vhost/proto.h"

enum vhost_phase {
	VHOST_PHASE_NONE,      /* nobody is connected */
	VHOST_PHASE_HANDSHAKE, /* who are you */
	VHOST_PHASE_IDLE,      /* introduced, has no rings */
	VHOST_PHASE_STARTING,  /* being given the rings */
	VHOST_PHASE_RUNNING,
	VHOST_PHASE_STOPPING, /* giving the rings back */
};

/* What is known of the back-end and where the conversation stands. */
struct vhost_talk {
	enum vhost_phase phase;
	unsigned int step;
	uint64_t features;	    /* the back-end's */
	uint64_t protocol_features; /* agreed on */
	uint64_t n_pairs;
	uint64_t enabled_sent; /* bit per ring, as the back-end was told */
};

/**
 * vhost_phase_next() - The next message of the current conversation
 * @run:     what to start with; read in STARTING only, and n_rings in STOPPING
 * @enabled: which rings are to be served
 *
 * Return: false when there is nothing more to say in this phase.
 */
bool vhost_phase_next(struct vhost_talk *talk, const struct vhost_run *run, uint64_t enabled,
		      const struct guest_mem *mem, struct vhost_message *message);

/**
 * vhost_phase_answer() - Take in an answer
 * Return: NULL, or why this back-end cannot be used.
 */
const char *vhost_phase_answer(struct vhost_talk *talk, const struct vhost_message *sent,
			       const struct vhost_reply *reply);

/** vhost_phase_enter() - Begin a conversation */
void vhost_phase_enter(struct vhost_talk *talk, enum vhost_phase phase);

#endif
