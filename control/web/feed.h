/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the page shows, collected on a thread of its own: netloomd's lists, the labs' files, the VMs' monitors, and
 * all events. Its calls may wait for netloomd; the HTTP server must not, so it only ever takes lines that are ready.
 *
 * Nothing is asked for while no page is open.
 */
#ifndef CONTROL_WEB_FEED_H
#define CONTROL_WEB_FEED_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/err.h"

struct feed;

enum feed_kind { FEED_TOPOLOGY, FEED_STATE, FEED_EVENT };

struct feed_options {
	const char *lab; /* only this lab; NULL: all that netloomd has. Borrowed. */
	/* A line of JSON with its newline; borrowed for the call. On the loop's thread. */
	void (*on_line)(enum feed_kind kind, const char *text, void *arg);
	/* The answer to feed_ask(); @text is an object, or NULL with @sentence. */
	void (*on_answer)(void *who, const char *text, const char *sentence, void *arg);
	void *arg;
};

/** feed_new() - Start the thread; @base is borrowed */
int feed_new(struct event_base *base, const struct feed_options *options, struct feed **out,
	     struct err *err);

/** feed_free() - Stop it; waits for a call to netloomd that is under way, 20 s at most */
void feed_free(struct feed *feed);

/** feed_want() - Whether anybody looks */
void feed_want(struct feed *feed, bool wanted);

/**
 * feed_ask() - Have one object looked at closely
 * @kind: "port", "switch" or "node"
 * @who:  handed to on_answer()
 * Return: false when too many questions wait already.
 */
bool feed_ask(struct feed *feed, const char *kind, const char *name, void *who);

#endif
