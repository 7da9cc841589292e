/* SPDX-License-Identifier: BSD-3-Clause */
/* What a port's link shows its peer: carrier, flaps, and which VMM has to be told. Control thread only. */
#ifndef CONTROL_MODEL_LINK_H
#define CONTROL_MODEL_LINK_H

#include "json_read.h"
#include "port.h"

enum model_guest { MODEL_GUEST_NONE, MODEL_GUEST_QMP, MODEL_GUEST_RUNNER };

struct model_link {
	bool carrier_always;	/* the peer sees a carrier whatever happens to the link */
	uint32_t flap_every_ms; /* 0: it does not flap */
	uint32_t flap_down_ms;	/* at the end of each period */
	uint8_t guest;		/* enum model_guest: the protocol of the VMM's control socket */
	char guest_socket[PORT_PATH_MAX];
	char guest_nic[PORT_NAME_MAX]; /* the card's name there */
};

/** model_link_same_guest() - Whether the same card of the same VMM is to be told */
bool model_link_same_guest(const struct model_link *a, const struct model_link *b);

/** model_link_parse() - `carrier`, `flap` and `guest` of a port object */
void model_link_parse(const struct json_reader *reader, struct model_link *link);

/** model_link_print() - Put what is not as usual into a port object */
void model_link_print(const struct model_link *link, json_t *object);

/** model_link_diff() - What differs between two, "" if nothing */
void model_link_diff(const struct model_link *old, const struct model_link *next, char *text,
		     size_t size);

#endif
