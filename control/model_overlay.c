/* SPDX-License-Identifier: BSD-3-Clause */
/* See model_overlay.h: reading and writing uplinks and VTEPs; VNIs are in model_vni.c, how things fit together in model_overlay_check.c. */
#include "model_overlay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_read.h"
#include "model.h"
#include "model_parse.h"
#include "tap/nic_device.h"

static const char *const csum_words[] = {
	[VTEP_CSUM_AUTO] = "auto",
	[VTEP_CSUM_ON] = "on",
	[VTEP_CSUM_ZERO] = "zero",
	[VTEP_CSUM_ZERO + 1] = NULL,
};

static const char *const mode_words[] = {
	[UPLINK_AUTO] = "auto",
	[UPLINK_AF_XDP] = "af_xdp",
	[UPLINK_AF_PACKET] = "af_packet",
	[UPLINK_AF_PACKET + 1] = NULL,
};

void model_ip_print(const struct vxlan_ip *ip, char text[46])
{
	inet_ntop(ip->is_v6 ? AF_INET6 : AF_INET, ip->b, text, 46);
}

bool model_ip_parse(const char *text, struct vxlan_ip *ip)
{
	memset(ip, 0, sizeof(*ip));
	if (inet_pton(AF_INET, text, ip->b) == 1)
		return true;
	ip->is_v6 = 1;
	return inet_pton(AF_INET6, text, ip->b) == 1;
}

static void local_parse(const struct json_reader *reader, const json_t *item,
			struct uplink_config *config)
{
	const char *text = json_string_value(item);

	if (config->n_locals == UPLINK_LOCALS_MAX)
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"local\": an uplink has at most %d VTEP addresses", reader->what,
			     UPLINK_LOCALS_MAX);
	else if (text == NULL || !model_ip_parse(text, &config->locals[config->n_locals]))
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"local\": \"%.60s\" is no address such as \"192.0.2.1\" or "
			     "\"2001:db8::1\"",
			     reader->what, text != NULL ? text : "");
	else
		config->n_locals++;
}

/* "MIN-MAX" */
static void source_ports_parse(const struct json_reader *reader, struct model_uplink *uplink)
{
	unsigned int min, max;
	char text[16];
	int end = 0;

	uplink->src_port_min = 49152; /* the dynamic ones: RFC 7348 §5, RFC 6335 §6 */
	uplink->src_port_max = 65535;
	if (!json_read_string(reader, "source_ports", text, sizeof(text)))
		return;
	if (sscanf(text, "%5u-%5u%n", &min, &max, &end) != 2 || text[end] != '\0' || min == 0 ||
	    min > max || max > UINT16_MAX) {
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"source_ports\": \"%s\" is no range of UDP ports such as "
			     "\"49152-65535\"",
			     reader->what, text);
		return;
	}
	uplink->src_port_min = (uint16_t)min;
	uplink->src_port_max = (uint16_t)max;
}

/* nic00-03.0 for 0000:00:03.0: a name the kernel takes. */
static void shadow_name(const char *pci, char ifname[16])
{
	unsigned int domain = 0, bus = 0, device = 0, function = 0;

	sscanf(pci, "%4x:%2x:%2x.%1x", &domain, &bus, &device, &function);
	if (domain == 0)
		snprintf(ifname, 16, "nic%02x-%02x.%x", bus & 0xff, device & 0x1f, function & 7);
	else
		snprintf(ifname, 16, "n%04x-%02x-%02x.%x", domain & 0xffff, bus & 0xff,
			 device & 0x1f, function & 7);
}

/* A card that netloomd drives itself. */
static void card_parse(const struct json_reader *reader, char ifname[16],
		       struct model_uplink *uplink, struct model_tap *shadow)
{
	char pci[sizeof(uplink->config.pci)];

	if (!json_read_string(reader, "pci", pci, sizeof(pci)))
		return;
	if (!nic_device_check(pci)) {
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"pci\": \"%s\" is no PCI address such as \"0000:00:03.0\"; "
			     "`lspci -D` lists them",
			     reader->what, pci);
		return;
	}
	memcpy(uplink->config.pci, pci, sizeof(pci));
	if (!json_read_has(reader, "ifname"))
		shadow_name(pci, ifname);
	if (json_read_has(reader, "mode"))
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"mode\" is for kernel interfaces; this uplink is a card of "
			     "netloomd's own",
			     reader->what);
	model_tap_addresses_parse(reader, shadow);
}

/* The kernel forwards what it sees: nothing that AF_XDP or netloomd's own driver has taken from it, and IPv4 only. */
static void shortcut_check(const struct json_reader *reader, const struct uplink_config *config)
{
	bool has_v6 = false;

	for (uint8_t i = 0; i < config->n_locals; i++)
		has_v6 |= config->locals[i].is_v6 != 0;
	if (config->shortcut && (config->pci[0] != '\0' || config->mode == UPLINK_AF_XDP))
		problems_add(
			reader->problems, PROBLEM_PARAMS,
			"%s: \"shortcut\" is for packets that pass through the kernel; it takes "
			"an uplink with \"ifname\", and mode \"auto\" or \"af_packet\"",
			reader->what);
	if (config->shortcut && has_v6)
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"shortcut\" is for IPv4; leave it out, or give IPv6 addresses "
			     "an uplink without",
			     reader->what);
}

void model_uplink_parse(const struct json_reader *reader, char ifname[16],
			struct model_uplink *uplink, struct model_tap *shadow)
{
	uint32_t udp_port = VXLAN_UDP_PORT;
	const json_t *list;
	const char *unfit;
	json_t *item;
	size_t i;
	int mode;

	if (json_read_has(reader, "pci"))
		card_parse(reader, ifname, uplink, shadow);
	else if (json_read_has(reader, "addresses"))
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"addresses\" is for uplinks with \"pci\"; those of a kernel "
			     "interface are the kernel's: `ip address add`",
			     reader->what);
	if ((json_read_has(reader, "pci") || json_read_need(reader, "ifname")) &&
	    json_read_string(reader, "ifname", ifname, 16)) {
		unfit = nl_ifname_check(ifname);
		if (unfit != NULL)
			problems_add(reader->problems, PROBLEM_PARAMS, "%s: \"ifname\": \"%s\": %s",
				     reader->what, ifname, unfit);
	}
	json_read_uint(reader, "udp_port", 1, 65535, &udp_port);
	uplink->config.udp_port = (uint16_t)udp_port;
	mode = json_read_choice(reader, "mode", mode_words);
	uplink->config.mode = (uint8_t)(mode >= 0 ? mode : UPLINK_AUTO);
	source_ports_parse(reader, uplink);
	json_read_bool(reader, "shortcut", &uplink->config.shortcut);
	if (!json_read_need(reader, "local"))
		return;
	list = json_object_get(reader->object, "local");
	if (!json_is_array(list) || json_array_size(list) == 0) {
		problems_add(
			reader->problems, PROBLEM_PARAMS,
			"%s: \"local\" must be a list of this host's addresses on the underlay",
			reader->what);
		return;
	}
	json_array_foreach (list, i, item)
		local_parse(reader, item, &uplink->config);
	shortcut_check(reader, &uplink->config);
}

bool model_uplink_equal(const struct model_uplink *a, const struct model_uplink *b)
{
	if (a->config.udp_port != b->config.udp_port || a->config.mode != b->config.mode ||
	    strcmp(a->config.pci, b->config.pci) != 0 || a->config.shortcut != b->config.shortcut ||
	    a->config.n_locals != b->config.n_locals)
		return false;
	for (uint8_t i = 0; i < a->config.n_locals; i++) {
		if (!vxlan_ip_equal(&a->config.locals[i], &b->config.locals[i]))
			return false;
	}
	return true;
}

void model_uplink_print(const char *ifname, const struct model_uplink *uplink,
			const struct model_tap *shadow, json_t *object)
{
	json_t *list = json_array();
	char text[46];

	for (uint8_t i = 0; i < uplink->config.n_locals; i++) {
		model_ip_print(&uplink->config.locals[i], text);
		json_array_append_new(list, json_string(text));
	}
	json_object_set_new(object, "ifname", json_string(ifname));
	json_object_set_new(object, "local", list);
	json_object_set_new(object, "udp_port", json_integer(uplink->config.udp_port));
	snprintf(text, sizeof(text), "%u-%u", uplink->src_port_min, uplink->src_port_max);
	json_object_set_new(object, "source_ports", json_string(text));
	json_object_set_new(object, "shortcut", json_boolean(uplink->config.shortcut));
	if (uplink->config.pci[0] == '\0') {
		json_object_set_new(object, "mode", json_string(mode_words[uplink->config.mode]));
		return;
	}
	json_object_set_new(object, "pci", json_string(uplink->config.pci));
	model_tap_addresses_print(shadow, object);
}

/* "inherit", or a number */
static void dscp_parse(const struct json_reader *reader, struct model_vtep *vtep)
{
	const json_t *value = json_object_get(reader->object, "dscp");
	const char *word = json_string_value(value);
	json_int_t number = json_integer_value(value);

	if (value == NULL || (word != NULL && strcmp(word, "inherit") == 0))
		return;
	if (!json_is_integer(value) || number < 0 || number > 63) {
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"dscp\" must be \"inherit\" or a number from 0 to 63",
			     reader->what);
		return;
	}
	vtep->dscp_fixed = true;
	vtep->dscp = (uint8_t)number;
}

void model_vtep_parse(const json_t *value, const char *place, struct model_vtep *vtep,
		      struct problems *problems)
{
	static const char *const keys[] = {"name",     "owner", "uplink",   "remote",
					   "udp_port", "dscp",	"checksum", NULL};
	const char *name = json_string_value(json_object_get(value, "name"));
	struct json_reader reader;
	uint32_t udp_port = 0;
	char text[64];
	bool is_object;
	int csum;

	memset(vtep, 0, sizeof(*vtep));
	if (name != NULL && json_name_ok(name))
		is_object = json_reader_init(&reader, value, problems, "vtep \"%s\"", name);
	else
		is_object = json_reader_init(&reader, value, problems, "%s", place);
	if (!is_object)
		return;
	json_read_keys(&reader, keys);
	json_read_need(&reader, "name");
	json_read_need(&reader, "uplink");
	json_read_name(&reader, "name", vtep->name, sizeof(vtep->name));
	json_read_name(&reader, "owner", vtep->owner, sizeof(vtep->owner));
	json_read_name(&reader, "uplink", vtep->uplink, sizeof(vtep->uplink));
	json_read_uint(&reader, "udp_port", 1, UINT16_MAX, &udp_port);
	vtep->udp_port = (uint16_t)udp_port;
	dscp_parse(&reader, vtep);
	csum = json_read_choice(&reader, "checksum", csum_words);
	vtep->csum = (uint8_t)(csum >= 0 ? csum : VTEP_CSUM_AUTO);
	if (json_read_need(&reader, "remote") &&
	    json_read_string(&reader, "remote", text, sizeof(text)) &&
	    !model_ip_parse(text, &vtep->remote))
		problems_add(problems, PROBLEM_PARAMS,
			     "%s: \"remote\": \"%s\" is no address such as \"192.0.2.2\" or "
			     "\"2001:db8::2\"",
			     reader.what, text);
}

json_t *model_vtep_print(const struct model_vtep *vtep)
{
	json_t *object = json_object();
	char text[46];

	model_ip_print(&vtep->remote, text);
	json_object_set_new(object, "name", json_string(vtep->name));
	if (vtep->owner[0] != '\0')
		json_object_set_new(object, "owner", json_string(vtep->owner));
	json_object_set_new(object, "uplink", json_string(vtep->uplink));
	json_object_set_new(object, "remote", json_string(text));
	if (vtep->udp_port != 0)
		json_object_set_new(object, "udp_port", json_integer(vtep->udp_port));
	json_object_set_new(object, "dscp",
			    vtep->dscp_fixed ? json_integer(vtep->dscp) : json_string("inherit"));
	json_object_set_new(object, "checksum", json_string(csum_words[vtep->csum]));
	return object;
}

/* @what: with its name or number, which an object of @theirs has already. */
static void taken(const char *what, const char *theirs, const char *owner,
		  struct problems *problems)
{
	if (owner == NULL || strcmp(theirs, owner) == 0)
		problems_add(problems, PROBLEM_PARAMS, "%s is there twice; leave one of them out",
			     what);
	else if (theirs[0] == '\0')
		problems_add(problems, PROBLEM_STATE,
			     "%s belongs to nobody's objects, not to \"%s\"; choose another, or "
			     "delete that one",
			     what, owner);
	else
		problems_add(problems, PROBLEM_STATE,
			     "%s belongs to owner \"%s\", not to \"%s\"; choose another", what,
			     theirs, owner);
}

void model_overlay_parse(struct model *model, const json_t *vteps, const json_t *vnis,
			 const char *owner, struct problems *problems)
{
	char place[PORT_NAME_MAX + 16];
	json_t *item;
	size_t i;
	int rc;

	json_array_foreach (vteps, i, item) {
		struct model_vtep vtep;

		snprintf(place, sizeof(place), "vteps[%zu]", i);
		model_vtep_parse(item, place, &vtep, problems);
		if (vtep.name[0] == '\0')
			continue;
		snprintf(place, sizeof(place), "vtep \"%s\"", vtep.name);
		model_owner_settle(place, vtep.owner, owner, problems);
		rc = model_vtep_add(model, &vtep);
		if (rc == -EEXIST)
			taken(place, model_vtep_find(model, vtep.name)->owner, owner, problems);
		else if (rc != 0)
			problems_add(problems, PROBLEM_MACHINE, "%s: out of memory", place);
	}
	json_array_foreach (vnis, i, item) {
		struct model_vni *vni;

		snprintf(place, sizeof(place), "vnis[%zu]", i);
		vni = model_vni_parse(item, place, problems);
		if (vni == NULL)
			continue;
		snprintf(place, sizeof(place), "vni %s", vni->name);
		model_owner_settle(place, vni->owner, owner, problems);
		rc = model_vni_add(model, vni);
		if (rc == -EEXIST)
			taken(place, model_vni_find(model, vni->name)->owner, owner, problems);
		else if (rc != 0)
			problems_add(problems, PROBLEM_MACHINE, "%s: out of memory", place);
		free(vni);
	}
}
