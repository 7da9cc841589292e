/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client of a Unix socket that speaks JSON, one object per line: netloomd, vm-runner's control socket,
 * QMP and the QEMU guest agent all do. Every wait has an end, every answer a bound. One thread.
 */
#ifndef LAB_JSONLINE_H
#define LAB_JSONLINE_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"

struct jsonline {
	int fd;
	const char *peer; /* for sentences: "netloomd", borrowed */
	char *buffer;
	size_t len;	/* bytes that have arrived */
	size_t room;	/* of buffer */
	size_t scanned; /* of them, searched for a newline already */
	size_t max;	/* longest line accepted */
};

/** jsonline_interrupted - Set by a signal handler: waits end with -EINTR */
extern volatile int jsonline_interrupted;

/**
 * jsonline_open() - Connect
 * @line: filled
 * @path: of the socket
 * @peer: its name for sentences, borrowed
 * @max:  bytes of the longest answer
 *
 * Return: 0, or -errno: -ENOENT and -ECONNREFUSED mean that nobody listens. Close with jsonline_close().
 */
int jsonline_open(struct jsonline *line, const char *path, const char *peer, size_t max,
		  struct err *err);

/** jsonline_close() - Disconnect; fine on a zeroed or closed one */
void jsonline_close(struct jsonline *line);

/** jsonline_send() - Write an object and a newline. Return: 0 or -errno */
int jsonline_send(struct jsonline *line, const json_t *object, int timeout_ms, struct err *err);

/** jsonline_send_fd() - As jsonline_send(), with a file descriptor attached, which stays the caller's */
int jsonline_send_fd(struct jsonline *line, const json_t *object, int fd, int timeout_ms,
		     struct err *err);

/** jsonline_send_raw() - Write bytes as they are */
int jsonline_send_raw(struct jsonline *line, const char *bytes, size_t len, int timeout_ms,
		      struct err *err);

/**
 * jsonline_receive() - The next line, parsed
 * @timeout_ms: 0: only what is there already
 * @out:        new reference; bytes before the last 0xff of the line are skipped (the agent's delimiter)
 *
 * Return: 0, -ETIMEDOUT, -ECONNRESET when the peer has gone, -EPROTO when a line is no JSON (the next call
 * gives the next line), -EINTR, or -EMSGSIZE when a line is longer than the bound: nothing more can be read
 * from this connection then, close it.
 */
int jsonline_receive(struct jsonline *line, int timeout_ms, json_t **out, struct err *err);

#endif
