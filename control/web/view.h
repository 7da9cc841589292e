/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A look at everything, as the page's JSON. `topology` is the drawing: nodes with places, links with the ports that count
 * them; it is made again only when it differs. `state` is what changes each second. The feed's thread only.
 */
#ifndef CONTROL_WEB_VIEW_H
#define CONTROL_WEB_VIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "lab/rpc.h"

struct view {
	struct rpc rpc;
	bool is_connected;
	json_t *status, *ports, *switches; /* netloomd's answers; NULL while none answers */
	json_t *labs;	       /* name: what its stored file looked like when it was drawn */
	char *topology;	       /* the last one, as a line */
	json_int_t generation; /* of netloomd, that the topology is from */
	bool topology_is_new;
};

/** view_look() - Ask netloomd, read the labs; @lab: only this one, NULL: all */
void view_look(struct view *view, const char *lab);

/** view_topology() - The drawing, borrowed; @is_new: not handed out before; NULL: none yet */
const char *view_topology(struct view *view, bool *is_new);

/** view_state() - A line, to be freed; NULL without memory */
char *view_state(const struct view *view);

/** view_forget() - Free what is remembered */
void view_forget(struct view *view);

/**
 * view_ask() - One port, switch or node closely
 * Return: 0, or -errno with a sentence.
 */
int view_ask(const char *kind, const char *name, json_t **answer, struct err *err);

/** view_line() - An object as a line of text with its newline, to be freed */
char *view_line(const json_t *object);

#endif
