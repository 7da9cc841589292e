/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `netloom top` shows: rates from two looks at netloomd's counters, as lines of a given width. Knows nothing of
 * terminals but colour; pure, but for the memory it keeps. One thread.
 */
#ifndef LAB_TOP_H
#define LAB_TOP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum top_sort { TOP_BY_RATE, TOP_BY_PACKETS, TOP_BY_DROPS, TOP_BY_NAME, TOP_SORTS };

struct top {
	json_t *status[2], *ports[2]; /* the look before, and the last one; NULL: none yet */
	uint64_t at_ns[2];
	json_t *sentences; /* of reasons */
	const char *lab;   /* only its ports; NULL: all. Borrowed. */
	double speed_bps;  /* of a link that has no rate limit, for its utilisation */
	enum top_sort sort;
	size_t first;	/* port to show first */
	size_t n_ports; /* of the last drawing */
};

struct top_screen {
	FILE *out;
	unsigned int columns, rows;
	bool colour;
};

/**
 * top_look() - Take another look
 * @status, @ports, @drops: answers of status, port.list and drops; new references, taken
 */
void top_look(struct top *top, uint64_t now_ns, json_t *status, json_t *ports, json_t *drops);

/** top_draw() - At most @screen->rows lines, none longer than its columns, all ended by a newline */
void top_draw(struct top *top, const struct top_screen *screen);

/** top_sort_name() - "rate" */
const char *top_sort_name(enum top_sort sort);

/** top_forget() - Free what is remembered */
void top_forget(struct top *top);

#endif
