/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the user says about a port of type "tap" beyond its name and queues: where the interface lives and how it is addressed.
 */
#ifndef CONTROL_MODEL_TAP_H
#define CONTROL_MODEL_TAP_H

#include <jansson.h>
#include <stdbool.h>

#include "nl/nl_link.h"
#include "port.h"

#define MODEL_TAP_ADDRESSES_MAX 8

struct json_reader;

struct model_tap {
	char netns[PORT_PATH_MAX]; /* name or absolute path, "" for netloomd's own */
	bool has_mac;
	uint8_t mac[6];
	uint8_t n_addresses;
	struct nl_address addresses[MODEL_TAP_ADDRESSES_MAX];
};

/** model_tap_parse() - Read `ifname`, `netns`, `mac`, `addresses`; faults go to the reader's problems */
void model_tap_parse(const struct json_reader *reader, char ifname[16], struct model_tap *tap);

/** model_tap_print() - Add what model_tap_parse() reads to @object */
void model_tap_print(const char *ifname, const struct model_tap *tap, json_t *object);

bool model_tap_equal(const struct model_tap *a, const struct model_tap *b);

#endif
