/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cables between hosts: VNIs with `liveness`. Each has a BFD session with its other end, and the carrier of the port at this end
 * follows it: no carrier while the other host is not heard, or says that the port at its end is shut or has nobody attached.
 *
 * One timer for all: it looks at every session, sends what is due soon together with what is due, and at most 200 times a second. There is
 * none, and nothing else, while no VNI has `liveness`. Control thread only.
 */
#ifndef CONTROL_CABLES_H
#define CONTROL_CABLES_H

#include <event2/event.h>

#include "base/err.h"
#include "model.h"
#include "vxlan/bfd_session.h"

struct cables;

/* One of them. */
struct cable {
	uint32_t vni;
	char sw[MODEL_NAME_MAX];
	char port[MODEL_NAME_MAX]; /* at this end; "": there is none */
	char vtep[MODEL_NAME_MAX]; /* where the other end is */
	uint8_t mode;		   /* enum model_liveness */
	bool carries; /* what the port's carrier is to be, as far as it is for the cable to say */
	struct bfd_session session;
	uint64_t sent, received, refused, changes; /* packets; how often `carries` changed */
};

/* The carrier that a cable gives has changed. */
typedef void (*cables_on_change)(const struct cable *cable, void *arg);

/** cables_new() - None yet. Return: owned by the caller, NULL with @err filled. */
struct cables *cables_new(struct event_base *base, cables_on_change on_change, void *arg,
			  struct err *err);

/** cables_free() - Tell all other ends; the workers still run. NULL is fine. */
void cables_free(struct cables *cables);

/**
 * cables_leave() - Tell the other ends of those that are none any more in @next, which is about to run
 *
 * Waits a few milliseconds at most for the workers to send that. NULL: all.
 */
void cables_leave(struct cables *cables, const struct model *next);

/** cables_sync() - Follow the model that runs now; sessions of cables that stay go on. @cables may be NULL. */
void cables_sync(struct cables *cables, const struct model *model);

/** cables_end() - How a port is, which may be the end of a cable: not shut, and somebody is attached */
void cables_end(struct cables *cables, const struct model_port *port, bool is_whole);

/** cables_carry() - Whether the port may have a carrier, for all that its cable knows; @cables may be NULL */
bool cables_carry(const struct cables *cables, const struct model_port *port);

/** cables_find() - That of a VNI, NULL if it is none; @cables may be NULL */
const struct cable *cables_find(const struct cables *cables, uint32_t vni);

/** cable_word() - "up", "down", or "silent": the other end of an `auto` one has never spoken BFD */
const char *cable_word(const struct cable *cable);

/** cable_explain() - Why it does not carry, a sentence; "" if it does */
void cable_explain(const struct cable *cable, char *text, size_t size);

#endif
