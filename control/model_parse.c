/* SPDX-License-Identifier: BSD-3-Clause */
#include "model_parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "json_read.h"
#include "model_impair.h"
#include "model_vlan.h"

/* `port "web"`, or `ports[3]` when it has no proper name. */
static bool reader_open(struct json_reader *reader, const json_t *value, const char *kind,
			const char *place, struct problems *problems)
{
	const char *name = json_string_value(json_object_get(value, "name"));

	if (name != NULL && json_name_ok(name))
		return json_reader_init(reader, value, problems, "%s \"%s\"", kind, name);
	return json_reader_init(reader, value, problems, "%s", place);
}

static enum reserved_action reserved_action(const json_t *value)
{
	const char *word = json_string_value(value);

	if (word != NULL && strcmp(word, "drop") == 0)
		return RESERVED_DROP;
	if (word != NULL && strcmp(word, "forward") == 0)
		return RESERVED_FORWARD;
	if (word != NULL && strcmp(word, "peer") == 0)
		return RESERVED_PEER;
	return (enum reserved_action) - 1;
}

/* The X of 01:80:C2:00:00:0X, "00".."0f"; -1 for anything else. */
static int reserved_index(const char *key)
{
	static const char digits[] = "0123456789abcdef";
	const char *at;

	if (key[0] != '0' || key[1] == '\0' || key[2] != '\0')
		return -1;
	at = strchr(digits, key[1]);
	return at == NULL ? -1 : (int)(at - digits);
}

static void reserved_parse(const struct json_reader *reader, struct model_switch *sw)
{
	const json_t *value = json_object_get(reader->object, "reserved");
	const char *key;
	json_t *item;

	if (json_is_string(value) && reserved_action(value) != (enum reserved_action) - 1 &&
	    reserved_action(value) != RESERVED_PEER) {
		memset(sw->reserved, reserved_action(value), sizeof(sw->reserved));
		return;
	}
	if (value != NULL && !json_is_object(value)) {
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"reserved\" must be \"drop\", \"forward\" or an object of "
			     "\"00\"..\"0f\"",
			     reader->what);
		return;
	}
	json_object_foreach ((json_t *)value, key, item) {
		if (reserved_index(key) < 0)
			problems_add(reader->problems, PROBLEM_PARAMS,
				     "%s: reserved: \"%.20s\" must be one of \"00\"..\"0f\"",
				     reader->what, key);
		else if (reserved_action(item) == (enum reserved_action) - 1)
			problems_add(reader->problems, PROBLEM_PARAMS,
				     "%s: reserved: \"%s\" must be drop, forward or peer",
				     reader->what, key);
		else
			sw->reserved[reserved_index(key)] = reserved_action(item);
	}
}

void model_switch_parse(const json_t *value, const char *place, struct model_switch *sw,
			struct problems *problems)
{
	static const char *const keys[] = {"name",     "owner",	    "ageing_s", "learning",
					   "reserved", "peer_port", NULL};
	struct json_reader reader;

	memset(sw, 0, sizeof(*sw));
	sw->index = SNAPSHOT_NONE;
	sw->ageing_s = MODEL_AGEING_DEFAULT;
	sw->learning = true;
	if (!reader_open(&reader, value, "switch", place, problems))
		return;
	json_read_keys(&reader, keys);
	json_read_need(&reader, "name");
	json_read_name(&reader, "name", sw->name, sizeof(sw->name));
	json_read_name(&reader, "owner", sw->owner, sizeof(sw->owner));
	json_read_uint(&reader, "ageing_s", 0, MODEL_AGEING_MAX, &sw->ageing_s);
	json_read_bool(&reader, "learning", &sw->learning);
	json_read_name(&reader, "peer_port", sw->peer_port, sizeof(sw->peer_port));
	reserved_parse(&reader, sw);
}

/* Which key belongs to which type of port. */
static const struct {
	const char *key, *type;
} port_type_keys[] = {
	{"socket", MODEL_TYPE_VHOST_USER}, {"guest", MODEL_TYPE_VHOST_USER},
	{"server", MODEL_TYPE_VHOST_USER}, {"rx", MODEL_TYPE_PCAP},
	{"tx", MODEL_TYPE_PCAP},	   {"peer", MODEL_TYPE_PATCH},
	{"netns", MODEL_TYPE_TAP},	   {"pci", MODEL_TYPE_UPLINK},
	{"local", MODEL_TYPE_UPLINK},	   {"udp_port", MODEL_TYPE_UPLINK},
	{"mode", MODEL_TYPE_UPLINK},	   {"source_ports", MODEL_TYPE_UPLINK},
	{"erspan", MODEL_TYPE_ERSPAN},	   {"shortcut", MODEL_TYPE_UPLINK},
};

/* The socket or file behind a port. */
static void path_parse(const struct json_reader *reader, const char *key, char *path)
{
	if (json_read_string(reader, key, path, PORT_PATH_MAX) && path[0] != '/')
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"%s\" must be an absolute path, \"%s\" is not", reader->what,
			     key, path);
}

static void type_parse(const struct json_reader *reader, struct model_port *port)
{
	static const char *const types[] = {MODEL_TYPE_VHOST_USER,
					    MODEL_TYPE_PCAP,
					    MODEL_TYPE_PATCH,
					    MODEL_TYPE_TAP,
					    MODEL_TYPE_UPLINK,
					    MODEL_TYPE_ERSPAN,
					    NULL};
	uint32_t n_queues = 1;
	char mac[18];
	int type;

	if (!json_read_need(reader, "type"))
		return;
	type = json_read_choice(reader, "type", types);
	if (type < 0)
		return;
	snprintf(port->spec.type, sizeof(port->spec.type), "%s", types[type]);
	for (size_t i = 0; i < sizeof(port_type_keys) / sizeof(port_type_keys[0]); i++) {
		if (json_read_has(reader, port_type_keys[i].key) &&
		    strcmp(port_type_keys[i].type, types[type]) != 0)
			problems_add(reader->problems, PROBLEM_PARAMS,
				     "%s: \"%s\" belongs to type %s, this port is %s", reader->what,
				     port_type_keys[i].key, port_type_keys[i].type, types[type]);
	}
	if (json_read_has(reader, "ifname") && strcmp(types[type], MODEL_TYPE_TAP) != 0 &&
	    strcmp(types[type], MODEL_TYPE_UPLINK) != 0)
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"ifname\" belongs to types tap and uplink, this port is %s",
			     reader->what, types[type]);
	if (json_read_has(reader, "mac") && strcmp(types[type], MODEL_TYPE_TAP) != 0 &&
	    strcmp(types[type], MODEL_TYPE_VHOST_USER) != 0)
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"mac\" belongs to types vhost-user and tap, this port is %s",
			     reader->what, types[type]);
	if (json_read_has(reader, "addresses") && strcmp(types[type], MODEL_TYPE_TAP) != 0 &&
	    strcmp(types[type], MODEL_TYPE_UPLINK) != 0)
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"addresses\" belongs to types tap and uplink, this port is %s",
			     reader->what, types[type]);
	if (strcmp(types[type], MODEL_TYPE_VHOST_USER) == 0 ||
	    strcmp(types[type], MODEL_TYPE_TAP) == 0)
		json_read_uint(reader, "queues", 1, PORT_QUEUES_MAX, &n_queues);
	else if (json_read_has(reader, "queues"))
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"queues\" belongs to types vhost-user and tap, this port is %s",
			     reader->what, types[type]);
	if (strcmp(types[type], MODEL_TYPE_VHOST_USER) == 0) {
		json_read_need(reader, "socket");
		path_parse(reader, "socket", port->spec.path);
		json_read_bool(reader, "server", &port->spec.server);
		if (json_read_string(reader, "mac", mac, sizeof(mac)) &&
		    !model_mac_parse(mac, &port->vm_mac))
			problems_add(reader->problems, PROBLEM_PARAMS,
				     "%s: \"mac\": \"%s\" is no unicast address such as "
				     "52:54:00:00:00:01",
				     reader->what, mac);
	} else if (strcmp(types[type], MODEL_TYPE_TAP) == 0) {
		model_tap_parse(reader, port->spec.ifname, &port->tap);
	} else if (strcmp(types[type], MODEL_TYPE_UPLINK) == 0) {
		model_uplink_parse(reader, port->spec.ifname, &port->uplink, &port->tap);
		if (json_read_has(reader, "switch") || json_read_has(reader, "wire"))
			problems_add(
				reader->problems, PROBLEM_PARAMS,
				"%s: an uplink is on no switch and no wire; VNIs join switches "
				"to it",
				reader->what);
	} else if (strcmp(types[type], MODEL_TYPE_ERSPAN) == 0) {
		model_erspan_parse(reader, &port->erspan);
	} else if (strcmp(types[type], MODEL_TYPE_PCAP) == 0) {
		path_parse(reader, "rx", port->spec.path);
		path_parse(reader, "tx", port->spec.tx_path);
		if (!json_read_has(reader, "rx") && !json_read_has(reader, "tx"))
			problems_add(reader->problems, PROBLEM_PARAMS, "%s: needs \"rx\" or \"tx\"",
				     reader->what);
	} else if (json_read_need(reader, "peer")) {
		json_read_name(reader, "peer", port->patch_peer, sizeof(port->patch_peer));
	}
	port->spec.n_queues = (uint16_t)n_queues;
}

static void attachment_parse(const struct json_reader *reader, struct model_port *port)
{
	const json_t *vlan = json_object_get(reader->object, "vlan");
	bool on_switch = json_read_has(reader, "switch");
	bool on_wire = json_read_has(reader, "wire");

	if (on_switch && on_wire)
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"switch\" and \"wire\" exclude each other", reader->what);
	if (vlan != NULL && !on_switch)
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"vlan\" has no meaning without \"switch\"", reader->what);
	if (on_wire) {
		port->attachment = MODEL_ON_WIRE;
		json_read_name(reader, "wire", port->target, sizeof(port->target));
	}
	if (!on_switch)
		return;
	port->attachment = MODEL_ON_SWITCH;
	json_read_name(reader, "switch", port->target, sizeof(port->target));
	if (vlan == NULL)
		model_vlan_default(&port->vlan);
	else
		model_vlan_parse(vlan, reader->what, &port->vlan, reader->problems);
}

void model_port_parse(const json_t *value, const char *place, struct model_port *port,
		      struct problems *problems)
{
	static const char *const keys[] = {"name",   "owner",	     "type",	  "mtu",
					   "admin",  "sticky",	     "fdb_limit", "socket",
					   "server", "queues",	     "rx",	  "tx",
					   "peer",   "switch",	     "vlan",	  "wire",
					   "ifname", "netns",	     "mac",	  "addresses",
					   "local",  "udp_port",     "mode",	  "pci",
					   "impair", "source_ports", "carrier",	  "flap",
					   "guest",  "erspan",	     "shortcut",  NULL};
	static const char *const states[] = {"up", "down", NULL};
	uint32_t mtu = MODEL_MTU_DEFAULT;
	struct json_reader reader;

	memset(port, 0, sizeof(*port));
	port->index = SNAPSHOT_NONE;
	port->admin_up = true;
	port->spec.n_queues = 1;
	if (!reader_open(&reader, value, "port", place, problems))
		return;
	json_read_keys(&reader, keys);
	json_read_need(&reader, "name");
	json_read_name(&reader, "name", port->spec.name, sizeof(port->spec.name));
	json_read_name(&reader, "owner", port->owner, sizeof(port->owner));
	json_read_uint(&reader, "mtu", MODEL_MTU_MIN, FRAME_MTU_MAX, &mtu);
	port->mtu = (uint16_t)mtu;
	if (json_read_choice(&reader, "admin", states) == 1)
		port->admin_up = false;
	json_read_uint(&reader, "fdb_limit", 0, UINT32_MAX, &port->fdb_limit);
	json_read_bool(&reader, "sticky", &port->sticky);
	type_parse(&reader, port);
	attachment_parse(&reader, port);
	model_impair_parse(json_object_get(value, "impair"), reader.what, port->impair, problems);
	model_link_parse(&reader, &port->link);
}

bool model_mac_parse(const char *text, uint64_t *mac)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t value = 0;

	if (strlen(text) != 17)
		return false;
	for (int i = 0; i < 17; i++) {
		char c = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] - 'A' + 'a') : text[i];
		const char *at = strchr(digits, c);

		if (i % 3 == 2) {
			if (c != ':')
				return false;
		} else if (at == NULL) {
			return false;
		} else {
			value = value << 4 | (uint64_t)(at - digits);
		}
	}
	if (value == 0 || (value >> 40 & 1) != 0)
		return false;
	*mac = value;
	return true;
}

void model_station_parse(const json_t *value, const char *place, struct model_station *station,
			 struct problems *problems)
{
	static const char *const keys[] = {"switch", "vlan", "mac", "port", "sticky", NULL};
	char mac[18];
	uint32_t vid = 0;
	struct json_reader reader;

	memset(station, 0, sizeof(*station));
	if (!json_reader_init(&reader, value, problems, "%s", place))
		return;
	json_read_keys(&reader, keys);
	for (int i = 0; i < 4; i++)
		json_read_need(&reader, keys[i]);
	json_read_name(&reader, "switch", station->sw, sizeof(station->sw));
	json_read_name(&reader, "port", station->port, sizeof(station->port));
	json_read_uint(&reader, "vlan", 1, VLAN_VID_MAX, &vid);
	station->vid = (uint16_t)vid;
	json_read_bool(&reader, "sticky", &station->sticky);
	if (json_read_string(&reader, "mac", mac, sizeof(mac)) &&
	    !model_mac_parse(mac, &station->mac))
		problems_add(problems, PROBLEM_PARAMS,
			     "%s: \"mac\": \"%s\" is no unicast address such as 52:54:00:00:00:01",
			     place, mac);
}

void model_owner_settle(const char *what, char own[MODEL_NAME_MAX], const char *owner,
			struct problems *problems)
{
	if (owner == NULL)
		return;
	if (own[0] != '\0' && strcmp(own, owner) != 0)
		problems_add(problems, PROBLEM_PARAMS,
			     "%s: \"owner\" is \"%s\" in a request for \"%s\"", what, own, owner);
	snprintf(own, MODEL_NAME_MAX, "%s", owner);
}

static void added(int rc, const char *kind, const char *name, const char *theirs, const char *owner,
		  struct problems *problems)
{
	if (rc == -EEXIST && owner != NULL && strcmp(theirs, owner) != 0)
		problems_add(problems, PROBLEM_STATE, "%s \"%s\" belongs to %s%s%s", kind, name,
			     theirs[0] != '\0' ? "owner \"" : "nobody's objects, not to \"",
			     theirs[0] != '\0' ? theirs : owner, "\"");
	else if (rc == -EEXIST)
		problems_add(problems, PROBLEM_PARAMS, "%s \"%s\": the name is used twice", kind,
			     name);
	else if (rc != 0)
		problems_add(problems, PROBLEM_MACHINE, "%s \"%s\": out of memory", kind, name);
}

void model_objects_parse(struct model *model, const json_t *switches, const json_t *ports,
			 const char *owner, struct problems *problems)
{
	struct model_switch sw;
	struct model_port port;
	char place[MODEL_NAME_MAX + 16];
	json_t *item;
	size_t i;
	int rc;

	json_array_foreach (switches, i, item) {
		snprintf(place, sizeof(place), "switches[%zu]", i);
		model_switch_parse(item, place, &sw, problems);
		if (sw.name[0] == '\0')
			continue;
		snprintf(place, sizeof(place), "switch \"%s\"", sw.name);
		model_owner_settle(place, sw.owner, owner, problems);
		rc = model_switch_add(model, &sw);
		if (rc != 0)
			added(rc, "switch", sw.name,
			      rc == -EEXIST ? model_switch_find(model, sw.name)->owner : "", owner,
			      problems);
	}
	json_array_foreach (ports, i, item) {
		snprintf(place, sizeof(place), "ports[%zu]", i);
		model_port_parse(item, place, &port, problems);
		if (port.spec.name[0] == '\0')
			continue;
		snprintf(place, sizeof(place), "port \"%s\"", port.spec.name);
		model_owner_settle(place, port.owner, owner, problems);
		rc = model_port_add(model, &port);
		if (rc != 0)
			added(rc, "port", port.spec.name,
			      rc == -EEXIST ? model_port_find(model, port.spec.name)->owner : "",
			      owner, problems);
	}
}
