/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls to netloomd: JSON-RPC 2.0 as control/rpc/README.md says. One thread. */
#ifndef LAB_RPC_H
#define LAB_RPC_H

#include <jansson.h>

#include "base/err.h"
#include "lab/jsonline.h"

struct rpc {
	struct jsonline line;
	int next_id;
};

/** rpc_open() - Connect to the run directory's netloomd; the sentence says how to start one */
int rpc_open(struct rpc *rpc, struct err *err);

/** rpc_close() - Disconnect */
void rpc_close(struct rpc *rpc);

/**
 * rpc_call() - One request, one answer
 * @method: name
 * @params: stolen; NULL for none
 * @result: out, new reference; may be NULL
 *
 * Return: 0, or -errno: -EREMOTEIO when netloomd refused (its sentence is in @err).
 */
int rpc_call(struct rpc *rpc, const char *method, json_t *params, json_t **result, struct err *err);

/** rpc_once() - rpc_open(), rpc_call(), rpc_close() */
int rpc_once(const char *method, json_t *params, json_t **result, struct err *err);

#endif
