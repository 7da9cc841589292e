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

/*
 * What outlives a back-end: with it, the next one takes the rings up where the one before let go or died. Split rings need none
 * of it, their position is in the guest's memory.
 */
struct vhost_kept {
	bool touched; /* a back-end had the rings and has not said where it stopped */
	uint16_t bases[VHOST_RINGS_MAX]; /* packed: where it stopped, wrap counter in bit 15 */
	int inflight_fd; /* memory of a back-end's, with its in-flight state; -1: none */
	struct vhost_inflight inflight;
};

/* What is known of the back-end and where the conversation stands. */
struct vhost_talk {
	enum vhost_phase phase;
	unsigned int step;
	uint64_t features;	    /* the back-end's */
	uint64_t protocol_features; /* agreed on */
	uint64_t n_pairs;
	uint64_t enabled_sent; /* bit per ring, as the back-end was told */
	struct vhost_kept kept;
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
 * @reply: its descriptor is taken over when it is wanted: -1 then
 *
 * Return: NULL, or why this back-end cannot be used.
 */
const char *vhost_phase_answer(struct vhost_talk *talk, const struct vhost_message *sent,
			       struct vhost_reply *reply);

/** vhost_phase_enter() - Begin a conversation; the first one is begun after vhost_phase_init() */
void vhost_phase_enter(struct vhost_talk *talk, enum vhost_phase phase);

/** vhost_phase_init() - Nobody was ever connected */
void vhost_phase_init(struct vhost_talk *talk);

/** vhost_phase_forget() - The rings that come next are new ones, as after a reset; closes what was kept */
void vhost_phase_forget(struct vhost_talk *talk);

/**
 * vhost_phase_unfit() - Whether the back-end cannot take up rings as they are: it is not given them
 * @run: the rings, which are to be served
 *
 * Return: NULL, or why not.
 */
const char *vhost_phase_unfit(const struct vhost_talk *talk, const struct vhost_run *run);

#endif
