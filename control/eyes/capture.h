/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A capture: frames of some ports as a pcapng stream.
 *
 * It is pulled: capture_read() gives what has come since, in whole blocks, as much as the caller has room for. What is not
 * pulled waits in rings of bounded size; what finds no room there is lost and counted, in the packets' drop counts and comments
 * and in the interfaces' statistics. So the switch never waits for a reader. Every port is an interface of the
 * stream; one that joins later is described when its first frame comes.
 *
 * Direction is the switch's: in from the port's peer, out to it. Control thread only.
 */
#ifndef CONTROL_EYES_CAPTURE_H
#define CONTROL_EYES_CAPTURE_H

#include <event2/buffer.h>
#include <jansson.h>

#include "eyes/eyes.h"

#define CAPTURES_MAX		32
#define CAPTURE_BUFFER_KB_MIN	64
#define CAPTURE_BUFFER_KB_MAX	65536
#define CAPTURE_BUFFER_KB_TOTAL (256 << 10) /* of all captures, all workers */
#define CAPTURE_BUFFER_KB	4096 /* of each worker's ring; memory is touched as it fills */
#define CAPTURE_SNAPLEN_DEFAULT 262144

struct capture;

struct capture_spec {
	struct eyes_select select;
	char filter[FILTER_TEXT_MAX]; /* "" for none */
	uint32_t snaplen;
	uint32_t buffer_kb; /* a power of two */
};

/** capture_spec_init() - All frames that come in and go out, whole */
void capture_spec_init(struct capture_spec *spec);

/**
 * capture_open() - Begin
 * @spec: borrowed for the call
 * @out:  to be ended with capture_close()
 *
 * Return: 0 or -errno with @err: the filter, a target that is not there, too many captures, memory.
 */
int capture_open(struct eyes *eyes, const struct capture_spec *spec, struct capture **out,
		 struct err *err);

/** capture_close() - End it and free it; what was not read is gone */
void capture_close(struct capture *capture);

/**
 * capture_read() - Append what has come since, in whole blocks
 * @max: stop once so many bytes were appended; one block more may be there
 *
 * The first call appends the section header. Return: bytes appended.
 */
size_t capture_read(struct capture *capture, struct evbuffer *out, size_t max);

/**
 * capture_stop() - Take no more frames
 *
 * capture_read() goes on with what waits, and then appends each interface's statistics; capture_is_over() says when.
 */
void capture_stop(struct capture *capture);
bool capture_is_over(const struct capture *capture);

/** capture_list() - All captures, as a JSON array. Return: new reference. */
json_t *capture_list(void);

#endif
