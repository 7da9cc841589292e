/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of methods, and what a method gets to work with. Documented for users in README.md, which a test compares with
 * the table. Control thread only.
 */
#ifndef CONTROL_RPC_METHODS_H
#define CONTROL_RPC_METHODS_H

#include <event2/buffer.h>
#include <jansson.h>

#include "control.h"
#include "drop.h"
#include "problems.h"

struct rpc_client;

struct rpc_call {
	struct control *control;
	struct rpc_client *client; /* who asks; NULL outside of a server */
	const json_t *params;	   /* an object, borrowed */
	json_t *result;		   /* out: new reference; NULL means {} */
	struct evbuffer *
		text; /* out, instead of result: JSON text, for answers too large to build as a tree */
	struct problems
		problems; /* out: not empty means that the call failed and changed nothing */
};

struct rpc_method {
	const char *name;
	void (*handle)(struct rpc_call *call);
};

/* Ends with a NULL name. */
extern const struct rpc_method rpc_methods[];

/** rpc_method_find() - Return: NULL if there is no such method */
const struct rpc_method *rpc_method_find(const char *name);

/* method_apply.c */
void rpc_apply(struct rpc_call *call);
/* method_status.c */
void rpc_status(struct rpc_call *call);
void rpc_stop(struct rpc_call *call);
void rpc_events(struct rpc_call *call);
/* method_cycles.c */
void rpc_cycles(struct rpc_call *call);
void rpc_absences(struct rpc_call *call);
/* method_switch.c */
void rpc_switch_list(struct rpc_call *call);
void rpc_switch_set(struct rpc_call *call);
void rpc_switch_delete(struct rpc_call *call);
/* method_port.c */
void rpc_port_set(struct rpc_call *call);
void rpc_port_admin(struct rpc_call *call);
void rpc_port_delete(struct rpc_call *call);
/* method_impair.c */
void rpc_port_impair(struct rpc_call *call);
/** rpc_impair_stats() - What the links of a port have done; NULL when it is not impaired */
json_t *rpc_impair_stats(const struct live_port *live);
/* method_port_list.c */
void rpc_port_list(struct rpc_call *call);
void rpc_drops(struct rpc_call *call);
/* method_queue.c */
void rpc_queue_pin(struct rpc_call *call);
/* method_fdb.c */
void rpc_fdb_list(struct rpc_call *call);
void rpc_fdb_set(struct rpc_call *call);
void rpc_fdb_delete(struct rpc_call *call);
void rpc_fdb_flush(struct rpc_call *call);

/* method_capture.c */
/** rpc_targets_read() - Read `targets` */
struct eyes_select;
struct json_reader;
void rpc_targets_read(const struct json_reader *reader, struct eyes_select *select);
void rpc_capture(struct rpc_call *call);
void rpc_capture_list(struct rpc_call *call);

/* method_trace.c */
void rpc_trace(struct rpc_call *call);
void rpc_trace_live(struct rpc_call *call);

/* method_mirror.c */
void rpc_mirror_list(struct rpc_call *call);
void rpc_mirror_set(struct rpc_call *call);
void rpc_mirror_delete(struct rpc_call *call);
void rpc_sflow_list(struct rpc_call *call);
void rpc_sflow_set(struct rpc_call *call);
void rpc_sflow_delete(struct rpc_call *call);

/* method_overlay.c */
void rpc_uplink_list(struct rpc_call *call);
void rpc_uplink_set(struct rpc_call *call);
void rpc_uplink_delete(struct rpc_call *call);
void rpc_vtep_list(struct rpc_call *call);
void rpc_vtep_set(struct rpc_call *call);
void rpc_vtep_delete(struct rpc_call *call);
void rpc_neigh_list(struct rpc_call *call);
void rpc_vni_list(struct rpc_call *call);
void rpc_vni_set(struct rpc_call *call);
void rpc_vni_delete(struct rpc_call *call);

/**
 * rpc_change_end() - Finish a method that changes the model
 * @next: the edited copy, taken; NULL when there was no memory for it
 *
 * Does the change unless problems were found already; the result becomes {changes: [...]}.
 */
void rpc_change_end(struct rpc_call *call, struct model *next, bool dry_run);

/**
 * rpc_params_name() - Read params that are {name} and perhaps @more
 * @keys: all keys the method knows, NULL-terminated
 */
bool rpc_params_name(struct rpc_call *call, const char *const keys[], char name[MODEL_NAME_MAX]);

/** rpc_params_none() - Refuse any params. Return: whether there are none. */
bool rpc_params_none(struct rpc_call *call);

/**
 * rpc_owner_ok() - Refuse to replace what is another owner's
 * @what: begins the sentence, such as `mirror "m"`
 */
bool rpc_owner_ok(struct rpc_call *call, const char *what, const char *theirs, const char *owner);

/** rpc_drops_print() - {reason: count} of the reasons that occurred */
json_t *rpc_drops_print(const uint64_t drops[DROP_N]);

#endif
