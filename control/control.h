/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control thread's centre: the one place through which every change goes, whoever asks for it.
 *
 * Order of a change: check the whole, write the new state beside the old one (finds a full disk), open what must be
 * opened (finds everything else), rename the state (the change is decided), publish. Whatever fails before the rename
 * leaves the daemon and its state file as they were. Control thread only.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <event2/event.h>
#include <jansson.h>

#include "apply.h"
#include "problems.h"

struct ageing;
struct cables;
struct carrier;
struct eyes;
struct overlay_control;
struct page_child;
struct rebalance;
struct rpc_server;
struct shortcuts;
struct watch;

struct control {
	struct event_base *base; /* borrowed */
	struct apply *apply;
	struct ageing *ageing;
	struct overlay_control *overlay; /* NULL in tests of control alone */
	struct eyes *eyes;
	struct rpc_server *rpc;	 /* NULL until it listens */
	struct page_child *page; /* NULL: netloomd has no page served */
	struct cables *cables;	 /* NULL in tests of control alone */
	struct carrier *carrier; /* NULL in tests of control alone */
	struct watch *watch;	 /* what `events` tells; NULL in tests of control alone */
	struct rebalance *rebalance;
	struct shortcuts *shortcuts; /* NULL in tests of control alone */
	bool keeps_queues;	     /* with the worker they begin with, unless moved by hand */
	struct event *datapath_ev;   /* datapath_event_fd() */
	const char *state_path;	     /* borrowed */
	uint64_t started_ns;
};

/**
 * control_start() - Take over from the datapath: events, ageing, and the state that was saved
 * @control: base, state_path and keeps_queues are set, the rest is zero
 *
 * Ports of the saved state that cannot be opened are logged and left out; all others run.
 * Return: 0 or -errno with @err.
 */
int control_start(struct control *control, struct err *err);

/** control_stop() - Undo control_start(): stops the datapath, closes the ports, keeps the state */
void control_stop(struct control *control);

/**
 * control_change() - Make @next what runs, whole or not at all
 * @next:     an edited model_copy(); taken in any case
 * @dry_run:  only say what would be done
 * @problems: empty before; anything in it afterwards means that nothing was changed
 *
 * Return: new reference, the list of changes as diff_print() makes it; NULL with @problems filled.
 */
json_t *control_change(struct control *control, struct model *next, bool dry_run,
		       struct problems *problems);

/** control_station_seen() - A station was learned, or has moved; fits datapath_options.on_station */
void control_station_seen(uint32_t fid, uint64_t mac, uint16_t port, void *control);

/** control_port_changed() - A port's peer came or went; fits datapath_options.on_port_change */
void control_port_changed(struct port *port, void *control);

#endif
