/* SPDX-License-Identifier: BSD-3-Clause */
#include "model_print.h"

#include <stdio.h>
#include <string.h>

#include "model_impair.h"
#include "model_vlan.h"

static const char *const reserved_words[] = {
	[RESERVED_DROP] = "drop",
	[RESERVED_FORWARD] = "forward",
	[RESERVED_PEER] = "peer",
};

static void set_string(json_t *object, const char *key, const char *value)
{
	if (value[0] != '\0')
		json_object_set_new(object, key, json_string(value));
}

static json_t *reserved_print(const struct model_switch *sw)
{
	json_t *object;
	char key[3];

	for (int i = 1; i <= 16; i++) {
		if (i == 16)
			return json_string(reserved_words[sw->reserved[0]]);
		if (sw->reserved[i] != sw->reserved[0] || sw->reserved[i] == RESERVED_PEER)
			break;
	}
	object = json_object();
	for (int i = 0; i < 16; i++) {
		snprintf(key, sizeof(key), "0%x", (unsigned int)i & 15);
		if (sw->reserved[i] != RESERVED_DROP)
			json_object_set_new(object, key,
					    json_string(reserved_words[sw->reserved[i]]));
	}
	return object;
}

json_t *model_switch_print(const struct model_switch *sw)
{
	json_t *object = json_object();

	set_string(object, "name", sw->name);
	set_string(object, "owner", sw->owner);
	json_object_set_new(object, "ageing_s", json_integer(sw->ageing_s));
	json_object_set_new(object, "learning", json_boolean(sw->learning));
	json_object_set_new(object, "reserved", reserved_print(sw));
	set_string(object, "peer_port", sw->peer_port);
	return object;
}

json_t *model_port_print(const struct model_port *port)
{
	json_t *object = json_object(), *impair;
	char mac[18];

	set_string(object, "name", port->spec.name);
	set_string(object, "owner", port->owner);
	set_string(object, "type", port->spec.type);
	if (strcmp(port->spec.type, MODEL_TYPE_VHOST_USER) == 0) {
		set_string(object, "socket", port->spec.path);
		json_object_set_new(object, "server", json_boolean(port->spec.server));
		json_object_set_new(object, "queues", json_integer(port->spec.n_queues));
		if (port->vm_mac != 0) {
			model_mac_print(port->vm_mac, mac);
			set_string(object, "mac", mac);
		}
	} else if (strcmp(port->spec.type, MODEL_TYPE_PCAP) == 0) {
		set_string(object, "rx", port->spec.path);
		set_string(object, "tx", port->spec.tx_path);
	} else if (strcmp(port->spec.type, MODEL_TYPE_TAP) == 0) {
		model_tap_print(port->spec.ifname, &port->tap, object);
		json_object_set_new(object, "queues", json_integer(port->spec.n_queues));
	} else if (strcmp(port->spec.type, MODEL_TYPE_UPLINK) == 0) {
		model_uplink_print(port->spec.ifname, &port->uplink, &port->tap, object);
	} else if (strcmp(port->spec.type, MODEL_TYPE_ERSPAN) == 0) {
		json_object_set_new(object, "erspan", model_erspan_print(&port->erspan));
	}
	set_string(object, "peer", port->patch_peer);
	json_object_set_new(object, "mtu", json_integer(port->mtu));
	json_object_set_new(object, "admin", json_string(port->admin_up ? "up" : "down"));
	json_object_set_new(object, "fdb_limit", json_integer(port->fdb_limit));
	json_object_set_new(object, "sticky", json_boolean(port->sticky));
	impair = model_impair_print(port->impair);
	if (impair != NULL)
		json_object_set_new(object, "impair", impair);
	model_link_print(&port->link, object);
	if (port->attachment == MODEL_ON_SWITCH) {
		set_string(object, "switch", port->target);
		json_object_set_new(object, "vlan", model_vlan_print(&port->vlan));
	} else if (port->attachment == MODEL_ON_WIRE) {
		set_string(object, "wire", port->target);
	}
	return object;
}

void model_mac_print(uint64_t mac, char text[18])
{
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", (unsigned int)(mac >> 40 & 0xff),
		 (unsigned int)(mac >> 32 & 0xff), (unsigned int)(mac >> 24 & 0xff),
		 (unsigned int)(mac >> 16 & 0xff), (unsigned int)(mac >> 8 & 0xff),
		 (unsigned int)(mac & 0xff));
}

json_t *model_station_print(const struct model_station *station)
{
	char mac[18];

	model_mac_print(station->mac, mac);
	return json_pack("{s:s, s:i, s:s, s:s, s:b}", "switch", station->sw, "vlan", station->vid,
			 "mac", mac, "port", station->port, "sticky", station->sticky);
}
