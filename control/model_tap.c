/* SPDX-License-Identifier: BSD-3-Clause */
#include "model_tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "json_read.h"
#include "model.h"
#include "model_parse.h"
#include "model_print.h"

static void mac_parse(const struct json_reader *reader, struct model_tap *tap)
{
	char text[18];
	uint64_t mac;

	if (!json_read_string(reader, "mac", text, sizeof(text)))
		return;
	if (!model_mac_parse(text, &mac)) {
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"mac\": \"%s\" is no unicast address such as 52:54:00:00:00:01",
			     reader->what, text);
		return;
	}
	tap->has_mac = true;
	for (int i = 0; i < 6; i++)
		tap->mac[i] = (uint8_t)(mac >> (40 - 8 * i));
}

void model_tap_addresses_parse(const struct json_reader *reader, struct model_tap *tap)
{
	const json_t *list = json_object_get(reader->object, "addresses");
	json_t *item;
	size_t i;

	if (list == NULL)
		return;
	if (!json_is_array(list) || json_array_size(list) > MODEL_TAP_ADDRESSES_MAX) {
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"addresses\" must be an array of at most %d addresses",
			     reader->what, MODEL_TAP_ADDRESSES_MAX);
		return;
	}
	json_array_foreach (list, i, item) {
		struct err err = {.text = ""};

		if (!json_is_string(item))
			problems_add(reader->problems, PROBLEM_PARAMS,
				     "%s: \"addresses\": must be strings such as \"10.0.0.1/24\"",
				     reader->what);
		else if (nl_address_parse(json_string_value(item),
					  &tap->addresses[tap->n_addresses], &err) != 0)
			problems_add(reader->problems, PROBLEM_PARAMS, "%s: %s", reader->what,
				     err.text);
		else
			tap->n_addresses++;
	}
}

void model_tap_parse(const struct json_reader *reader, char ifname[16], struct model_tap *tap)
{
	const char *unfit;

	if (json_read_need(reader, "ifname") && json_read_string(reader, "ifname", ifname, 16)) {
		unfit = nl_ifname_check(ifname);
		if (unfit != NULL)
			problems_add(reader->problems, PROBLEM_PARAMS, "%s: \"ifname\": \"%s\": %s",
				     reader->what, ifname, unfit);
	}
	if (json_read_string(reader, "netns", tap->netns, sizeof(tap->netns)) &&
	    tap->netns[0] == '\0')
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"netns\" is empty; leave it out for netloomd's own namespace",
			     reader->what);
	mac_parse(reader, tap);
	model_tap_addresses_parse(reader, tap);
}

void model_tap_addresses_print(const struct model_tap *tap, json_t *object)
{
	char text[INET6_ADDRSTRLEN + 8], host[INET6_ADDRSTRLEN];
	json_t *list = json_array();

	for (uint8_t i = 0; i < tap->n_addresses; i++) {
		const struct nl_address *address = &tap->addresses[i];

		inet_ntop(address->family, address->bytes, host, sizeof(host));
		snprintf(text, sizeof(text), "%s/%u", host, address->prefix_len);
		json_array_append_new(list, json_string(text));
	}
	json_object_set_new(object, "addresses", list);
}

void model_tap_print(const char *ifname, const struct model_tap *tap, json_t *object)
{
	char text[18];

	json_object_set_new(object, "ifname", json_string(ifname));
	if (tap->netns[0] != '\0')
		json_object_set_new(object, "netns", json_string(tap->netns));
	if (tap->has_mac) {
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", tap->mac[0],
			 tap->mac[1], tap->mac[2], tap->mac[3], tap->mac[4], tap->mac[5]);
		json_object_set_new(object, "mac", json_string(text));
	}
	model_tap_addresses_print(tap, object);
}

int model_tap_settle(const struct model *before, struct model *next)
{
	for (size_t i = 0; i < next->n_ports; i++) {
		struct model_port *port = next->ports[i];
		const struct model_port *old = model_port_find(before, port->spec.name);
		struct model_tap *tap = &port->tap;

		if (strcmp(port->spec.type, MODEL_TYPE_TAP) != 0 || tap->has_mac)
			continue;
		if (old != NULL && old->tap.has_mac) {
			memcpy(tap->mac, old->tap.mac, sizeof(tap->mac));
		} else {
			if (getrandom(tap->mac, sizeof(tap->mac), 0) != sizeof(tap->mac))
				return -EIO;
			tap->mac[0] = (uint8_t)((tap->mac[0] & 0xfc) | 0x02); /* local, unicast */
		}
		tap->has_mac = true;
	}
	return 0;
}

bool model_tap_equal(const struct model_tap *a, const struct model_tap *b)
{
	if (strcmp(a->netns, b->netns) != 0 || a->has_mac != b->has_mac ||
	    memcmp(a->mac, b->mac, sizeof(a->mac)) != 0 || a->n_addresses != b->n_addresses)
		return false;
	for (uint8_t i = 0; i < a->n_addresses; i++) {
		if (a->addresses[i].family != b->addresses[i].family ||
		    a->addresses[i].prefix_len != b->addresses[i].prefix_len ||
		    memcmp(a->addresses[i].bytes, b->addresses[i].bytes, 16) != 0)
			return false;
	}
	return true;
}
