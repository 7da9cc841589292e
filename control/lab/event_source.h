/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All that happens, as one stream of JSON objects: netloomd's events, and the states of the labs' VMs, of which
 * netloomd knows nothing. Each has `time` (RFC 3339, UTC) and `kind`; control/lab/README.md lists them.
 *
 * A netloomd that goes away is an event, and so is its return; the source goes on. VMs are looked at twice a second.
 * One thread.
 */
#ifndef LAB_EVENT_SOURCE_H
#define LAB_EVENT_SOURCE_H

#include <jansson.h>
#include <stdbool.h>

#include "lab/rpc.h"

struct event_source {
	struct rpc rpc; /* subscribed, while is_connected */
	bool is_connected;
	const char *lab;     /* only its events; NULL: all */
	json_t *nodes;	     /* "LAB/NODE": state that was last told */
	json_t *waiting;     /* events found and not handed out yet */
	uint64_t look_ns;    /* when to look at the VMs again */
	uint64_t connect_ns; /* when to try netloomd again */
};

/**
 * event_source_open() - Subscribe
 * @lab: only events of this lab, borrowed; NULL for all
 * Return: 0; -errno when no netloomd answers.
 */
int event_source_open(struct event_source *source, const char *lab, struct err *err);

/** event_source_close() - Fine on a zeroed one */
void event_source_close(struct event_source *source);

/**
 * event_source_next() - The next event
 * @event: new reference, or NULL when none came within @timeout_ms
 * Return: 0, or -EINTR.
 */
int event_source_next(struct event_source *source, int timeout_ms, json_t **event);

#endif
