/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The next frames that match, and what each stage decided about them: a watcher whose probe traces. Like a capture it is
 * pulled; a reader that is too slow loses frames. Control thread only.
 */
#ifndef CONTROL_EYES_TRACE_LIVE_H
#define CONTROL_EYES_TRACE_LIVE_H

#include <jansson.h>

#include "eyes/eyes.h"

#define TRACE_LIVE_MAX	     8
#define TRACE_LIVE_COUNT_MAX 100000

struct trace_live;

struct trace_live_spec {
	struct eyes_select select; /* points are not looked at */
	char filter[FILTER_TEXT_MAX];
	uint32_t count;
};

/** trace_live_open() - Trace the next frames. Return: 0 or -errno with @err. */
int trace_live_open(struct eyes *eyes, const struct trace_live_spec *spec, struct trace_live **out,
		    struct err *err);
void trace_live_close(struct trace_live *live);

/** trace_live_next() - The next frame, as trace_words() says it. Return: new reference; NULL when there is none yet. */
json_t *trace_live_next(struct trace_live *live);

/** trace_live_end() - Read no more */
void trace_live_end(struct trace_live *live);

/** trace_live_is_over() - As many as were wanted have been read or lost */
bool trace_live_is_over(const struct trace_live *live);

#endif
