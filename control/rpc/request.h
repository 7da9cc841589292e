/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One line of JSON-RPC 2.0 in, one line out. Control thread only.
 */
#ifndef CONTROL_RPC_REQUEST_H
#define CONTROL_RPC_REQUEST_H

#include <event2/buffer.h>
#include <jansson.h>
#include <stddef.h>

struct control;
struct rpc_client;

/**
 * rpc_request_line() - Check a request, do it, write the answer
 * @client: may be subscribed to events; NULL for none
 * @line:   @length bytes of anything, borrowed
 * @output: the answer is appended, with a newline; nothing for a notification
 */
void rpc_request_line(struct control *control, struct rpc_client *client, const char *line,
		      size_t length, struct evbuffer *output);

/** rpc_request_refuse() - Append an error for a request whose id is not known */
void rpc_request_refuse(struct evbuffer *output, int code, const char *sentence);

/** rpc_request_notify() - Append a notification; @params is borrowed */
void rpc_request_notify(struct evbuffer *output, const char *method, const json_t *params);

#endif
