/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bad sides of a lab's links in netloomd's words: which port has them, and on which side; and who is to see the carrier.
 * One thread.
 *
 * What a machine sends comes in at its port; what a switch sends to a machine goes out there; what a switch sends over a patch
 * link goes out at its own end.
 */
#ifndef LAB_DESIRED_IMPAIR_H
#define LAB_DESIRED_IMPAIR_H

#include <jansson.h>

#include "topo/topo.h"

struct impair_place {
	int end;	  /* of the link, whose port it is */
	const char *side; /* "in" or "out" of that port */
};

/**
 * desired_impair_place() - Where frames pass that an end of a link sends
 * Return: false when that is not on this host.
 */
bool desired_impair_place(const struct topo *topo, const struct topo_link *link, int sender,
			  struct impair_place *place);

/** desired_impair_set() - Say in a port object what the file says about its link */
void desired_impair_set(json_t *port, const struct topo *topo, const struct topo_link *link,
			int end);

/**
 * desired_guests_set() - Say in apply's port objects which VMM is to be told of the carrier
 * @spec: of the node's VM, decides how
 */
void desired_guests_set(json_t *apply, const char *lab, const char *node, const json_t *spec);

/** desired_impair_change() - What is named, as netloomd's port.impair takes it: null where it shall be good */
json_t *desired_impair_change(const struct topo_impair *impair);

/** desired_impair_parse() - The other way round: one side as netloomd lists it; NULL gives a good one */
void desired_impair_parse(const json_t *side, struct topo_impair *impair);

#endif
