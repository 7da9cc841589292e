/* SPDX-License-Identifier: BSD-3-Clause */
/* The page's drawing: labs as their files say, and what was made by hand, with places. The feed's thread only. */
#ifndef CONTROL_WEB_DRAWING_H
#define CONTROL_WEB_DRAWING_H

#include <jansson.h>

/**
 * drawing_make() - {"type": "topology", "nodes": [..], "links": [..]}
 * @labs:     names of the labs that are up, as keys
 * @only:     one lab, then nothing made by hand is drawn; NULL: all
 * @ports:    of port.list, or NULL
 * @switches: of switch.list, or NULL
 *
 * A link says which counters are its two directions: "forward" from its first end to its second, and "back".
 */
json_t *drawing_make(const json_t *labs, const char *only, const json_t *ports,
		     const json_t *switches);

#endif
