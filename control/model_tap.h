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
struct model;

struct model_tap {
	char netns[PORT_PATH_MAX]; /* name or absolute path, "" for netloomd's own */
	bool has_mac;
	uint8_t mac[6]; /* the user's, else one that model_tap_settle() chose */
	uint8_t n_addresses;
	struct nl_address addresses[MODEL_TAP_ADDRESSES_MAX];
};

/** model_tap_parse() - Read `ifname`, `netns`, `mac`, `addresses`; faults go to the reader's problems */
void model_tap_parse(const struct json_reader *reader, char ifname[16], struct model_tap *tap);

/** model_tap_addresses_parse(), model_tap_addresses_print() - `addresses` alone */
void model_tap_addresses_parse(const struct json_reader *reader, struct model_tap *tap);
void model_tap_addresses_print(const struct model_tap *tap, json_t *object);

/** model_tap_print() - Add what model_tap_parse() reads to @object */
void model_tap_print(const char *ifname, const struct model_tap *tap, json_t *object);

/**
 * model_tap_settle() - Give every tap port of @next an address
 * @before: what runs; a port of the same name hands its address on
 *
 * An address that nobody chose is chosen once and then kept, also over a restart: it is in the state. Else all stations would
 * have to ask for it again, and until they do, what they send is for nobody.
 *
 * Return: 0, or -errno if the machine has no random numbers.
 */
int model_tap_settle(const struct model *before, struct model *next);

bool model_tap_equal(const struct model_tap *a, const struct model_tap *b);

#endif
