/* SPDX-License-Identifier: BSD-3-Clause */
/* The parts of `netloom link`. One thread. */
#ifndef LAB_CMD_LINK_H
#define LAB_CMD_LINK_H

#include <stdbool.h>

#include <jansson.h>

#include "lab/cli.h"
#include "topo/topo.h"

/**
 * link_side() - One direction of a link as netloomd lists it
 * @sender: end of the link whose frames it takes
 * @ports:  the list of `port.list`, borrowed
 * @impair: out
 * @port:   out, the port that does it, borrowed from @ports; NULL when it is not there
 *
 * Return: "in" or "out" of that port; NULL when the direction is not on this host.
 */
const char *link_side(const struct topo *topo, const struct topo_link *link, int sender,
		      const json_t *ports, struct topo_impair *impair, const json_t **port);

/** link_show() - `netloom link show`; @where: a lab, one end of a link, or NULL for all. Return: exit status */
int link_show(const struct command *command, const char *where, bool json);

#endif
