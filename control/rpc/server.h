/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The RPC socket: connections, lines in, lines out. What is in the lines is request.h's.
 *
 * Bounds, because a client may be anything: a number of connections; the bytes of a line and of all unfinished lines
 * together; the bytes a client may leave unread, and for how long. A client that goes beyond is dropped, and nobody else notices.
 * Requests of one connection are answered in order; while a client does not read, it is not read from. Control thread only.
 */
#ifndef CONTROL_RPC_SERVER_H
#define CONTROL_RPC_SERVER_H

#include <event2/buffer.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

#define RPC_CLIENTS_MAX	      64
#define RPC_LINE_MAX	      (16u << 20)
#define RPC_INPUT_TOTAL_MAX   (128u << 20) /* unfinished lines of all clients */
#define RPC_OUTPUT_PAUSE      (1u << 20)   /* no further request is taken while more is unread */
#define RPC_OUTPUT_EVENTS_MAX (4u << 20)   /* a subscriber that is so far behind is dropped */
#define RPC_OUTPUT_TOTAL_MAX  (512u << 20) /* unread answers of all clients */
#define RPC_OUTPUT_STALL_S    10	   /* dropped after so long without reading a byte */

struct control;
struct rpc_server;
struct rpc_client;

/**
 * rpc_server_new() - Listen
 * @path: a socket there is replaced: the caller holds the lock that says nobody serves it
 * Return: 0 or -errno with @err naming the path.
 */
int rpc_server_new(struct control *control, const char *path, struct rpc_server **out,
		   struct err *err);

/** rpc_server_free() - Drop all clients, remove the socket */
void rpc_server_free(struct rpc_server *server);

/** rpc_server_event() - Notify all subscribers; @params is borrowed. @server may be NULL. */
void rpc_server_event(struct rpc_server *server, const json_t *params);

/** rpc_server_is_heard() - Whether anybody is subscribed to events. @server may be NULL. */
bool rpc_server_is_heard(const struct rpc_server *server);

/** rpc_server_room() - Whether an answer of @bytes may be queued now */
bool rpc_server_room(const struct rpc_server *server, size_t bytes);

/** rpc_client_subscribe() - Send this client the events from now on */
void rpc_client_subscribe(struct rpc_client *client);

#define RPC_STREAM_OUTPUT_MAX (256u << 10) /* bytes of a stream that wait to be read */
#define RPC_STREAM_PERIOD_MS  20	   /* how often a stream is asked for more */

/* What a client is sent after its last answer; see rpc_client_stream(). */
struct rpc_stream {
	/* Append about @room bytes, if there are so many. Return: false when that was the last. */
	bool (*pull)(void *arg, struct evbuffer *output, size_t room);
	/* The client wants no more: come to an end with the next calls of pull. */
	void (*end)(void *arg);
	/* Last call, also when the client has gone. */
	void (*free)(void *arg);
};

/**
 * rpc_client_stream() - From this request's answer on, the connection carries a stream
 * @arg: owned by the stream when this returns 0
 *
 * What the client sends is read and forgotten, and it gets no events any more; that it sends no more (shutdown) ends the stream. A client that does not read
 * is not asked to: what it does not take is the stream's business, and nothing else waits.
 * Return: 0 or -ENOMEM. @client may not be NULL.
 */
int rpc_client_stream(struct rpc_client *client, const struct rpc_stream *stream, void *arg);

/** rpc_client_end_daemon() - End the event loop when this client has been answered */
void rpc_client_end_daemon(struct rpc_client *client);

#endif
