/* SPDX-License-Identifier: BSD-3-Clause */
/* See model_overlay.h: reading and writing. How things fit together is in model_overlay_check.c. */
#include "model_overlay.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_read.h"
#include "model.h"

static const char *const tag_words[] = {
	[VTEP_TAG_STRIP] = "strip",
	[VTEP_TAG_KEEP] = "keep",
	[VTEP_TAG_REFUSE] = "refuse",
	[VTEP_TAG_REFUSE + 1] = NULL,
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

static bool ip_parse(const char *text, struct vxlan_ip *ip)
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
	else if (text == NULL || !ip_parse(text, &config->locals[config->n_locals]))
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: \"local\": \"%.60s\" is no address such as \"192.0.2.1\" or "
			     "\"2001:db8::1\"",
			     reader->what, text != NULL ? text : "");
	else
		config->n_locals++;
}

void model_uplink_parse(const struct json_reader *reader, char ifname[16],
			struct model_uplink *uplink)
{
	uint32_t udp_port = VXLAN_UDP_PORT;
	const json_t *list;
	const char *unfit;
	json_t *item;
	size_t i;
	int mode;

	if (json_read_need(reader, "ifname") && json_read_string(reader, "ifname", ifname, 16)) {
		unfit = nl_ifname_check(ifname);
		if (unfit != NULL)
			problems_add(reader->problems, PROBLEM_PARAMS, "%s: \"ifname\": \"%s\": %s",
				     reader->what, ifname, unfit);
	}
	json_read_uint(reader, "udp_port", 1, 65535, &udp_port);
	uplink->config.udp_port = (uint16_t)udp_port;
	mode = json_read_choice(reader, "mode", mode_words);
	uplink->config.mode = (uint8_t)(mode >= 0 ? mode : UPLINK_AUTO);
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
}

bool model_uplink_equal(const struct model_uplink *a, const struct model_uplink *b)
{
	if (a->config.udp_port != b->config.udp_port || a->config.mode != b->config.mode ||
	    a->config.n_locals != b->config.n_locals)
		return false;
	for (uint8_t i = 0; i < a->config.n_locals; i++) {
		if (!vxlan_ip_equal(&a->config.locals[i], &b->config.locals[i]))
			return false;
	}
	return true;
}

void model_uplink_print(const char *ifname, const struct model_uplink *uplink, json_t *object)
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
	json_object_set_new(object, "mode", json_string(mode_words[uplink->config.mode]));
}

void model_vtep_parse(const json_t *value, const char *place, struct model_vtep *vtep,
		      struct problems *problems)
{
	static const char *const keys[] = {"name", "owner", "uplink", "remote", NULL};
	const char *name = json_string_value(json_object_get(value, "name"));
	struct json_reader reader;
	char text[64];
	bool is_object;

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
	if (json_read_need(&reader, "remote") &&
	    json_read_string(&reader, "remote", text, sizeof(text)) &&
	    !ip_parse(text, &vtep->remote))
		problems_add(problems, PROBLEM_PARAMS,
			     "%s: \"remote\": \"%s\" is no address such as \"192.0.2.2\" or "
			     "\"2001:db8::2\"",
			     reader.what, text);
}

static void members_parse(const struct json_reader *reader, struct model_vni *vni)
{
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(reader->object, "vteps"), i, item) {
		const char *name = json_string_value(item);

		if (name == NULL || !json_name_ok(name))
			problems_add(reader->problems, PROBLEM_PARAMS,
				     "%s: \"vteps\": must be names of VTEPs", reader->what);
		else
			snprintf(vni->vteps[vni->n_vteps++], PORT_NAME_MAX, "%s", name);
	}
}

struct model_vni *model_vni_parse(const json_t *value, const char *place, struct problems *problems)
{
	static const char *const keys[] = {"vni",      "owner",	    "switch", "vlan",
					   "vteps",    "mtu",	    "flood",  "tag",
					   "learning", "bum_limit", NULL};
	const json_t *number = json_object_get(value, "vni"),
		     *list = json_object_get(value, "vteps");
	size_t n = json_array_size(list);
	uint32_t vid = 0, mtu = 0;
	struct json_reader reader;
	struct model_vni *vni;
	bool is_object;
	int tag;

	if (json_is_integer(number))
		is_object = json_reader_init(&reader, value, problems, "vni %lld",
					     (long long)json_integer_value(number));
	else
		is_object = json_reader_init(&reader, value, problems, "%s", place);
	if (!is_object)
		return NULL;
	if (n > MODEL_VNI_VTEPS_MAX || (list != NULL && !json_is_array(list))) {
		problems_add(problems, PROBLEM_PARAMS,
			     "%s: \"vteps\" must be a list of at most %d names", reader.what,
			     MODEL_VNI_VTEPS_MAX);
		n = 0;
	}
	vni = calloc(1, sizeof(*vni) + n * sizeof(vni->vteps[0]));
	if (vni == NULL) {
		problems_add(problems, PROBLEM_MACHINE, "out of memory");
		return NULL;
	}
	vni->flood = true;
	vni->learning = true;
	json_read_keys(&reader, keys);
	json_read_name(&reader, "owner", vni->owner, sizeof(vni->owner));
	if (json_read_need(&reader, "switch"))
		json_read_name(&reader, "switch", vni->sw, sizeof(vni->sw));
	if (json_read_need(&reader, "vlan"))
		json_read_uint(&reader, "vlan", 1, VLAN_VID_MAX, &vid);
	vni->vid = (uint16_t)vid;
	json_read_uint(&reader, "mtu", MODEL_MTU_MIN, FRAME_MTU_MAX, &mtu);
	vni->mtu = (uint16_t)mtu;
	json_read_uint(&reader, "bum_limit", 0, UINT32_MAX, &vni->bum_limit);
	json_read_bool(&reader, "flood", &vni->flood);
	json_read_bool(&reader, "learning", &vni->learning);
	tag = json_read_choice(&reader, "tag", tag_words);
	vni->tag = (uint8_t)(tag >= 0 ? tag : VTEP_TAG_STRIP);
	if (n > 0)
		members_parse(&reader, vni);
	if (json_read_need(&reader, "vni") &&
	    json_read_uint(&reader, "vni", 1, VXLAN_VNI_MAX, &vni->vni)) {
		snprintf(vni->name, sizeof(vni->name), "%u", vni->vni);
		return vni;
	}
	free(vni);
	return NULL;
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
	return object;
}

json_t *model_vni_print(const struct model_vni *vni)
{
	json_t *object = json_object(), *vteps = json_array();

	for (uint16_t i = 0; i < vni->n_vteps; i++)
		json_array_append_new(vteps, json_string(vni->vteps[i]));
	json_object_set_new(object, "vni", json_integer(vni->vni));
	if (vni->owner[0] != '\0')
		json_object_set_new(object, "owner", json_string(vni->owner));
	json_object_set_new(object, "switch", json_string(vni->sw));
	json_object_set_new(object, "vlan", json_integer(vni->vid));
	json_object_set_new(object, "vteps", vteps);
	if (vni->mtu != 0)
		json_object_set_new(object, "mtu", json_integer(vni->mtu));
	json_object_set_new(object, "flood", json_boolean(vni->flood));
	json_object_set_new(object, "learning", json_boolean(vni->learning));
	json_object_set_new(object, "bum_limit", json_integer(vni->bum_limit));
	json_object_set_new(object, "tag", json_string(tag_words[vni->tag]));
	return object;
}

static void owner_settle(const char *what, char *own, const char *owner, struct problems *problems)
{
	if (owner == NULL)
		return;
	if (own[0] != '\0' && strcmp(own, owner) != 0)
		problems_add(problems, PROBLEM_PARAMS,
			     "%s: \"owner\" is \"%s\" in a request for \"%s\"", what, own, owner);
	snprintf(own, PORT_NAME_MAX, "%s", owner);
}

void model_overlay_parse(struct model *model, const json_t *vteps, const json_t *vnis,
			 const char *owner, struct problems *problems)
{
	char place[PORT_NAME_MAX + 16];
	json_t *item;
	size_t i;

	json_array_foreach (vteps, i, item) {
		struct model_vtep vtep;

		snprintf(place, sizeof(place), "vteps[%zu]", i);
		model_vtep_parse(item, place, &vtep, problems);
		if (vtep.name[0] == '\0')
			continue;
		snprintf(place, sizeof(place), "vtep \"%s\"", vtep.name);
		owner_settle(place, vtep.owner, owner, problems);
		if (model_vtep_add(model, &vtep) != 0)
			problems_add(problems, PROBLEM_STATE,
				     "%s: the name is used already, perhaps by another owner",
				     place);
	}
	json_array_foreach (vnis, i, item) {
		struct model_vni *vni;

		snprintf(place, sizeof(place), "vnis[%zu]", i);
		vni = model_vni_parse(item, place, problems);
		if (vni == NULL)
			continue;
		snprintf(place, sizeof(place), "vni %s", vni->name);
		owner_settle(place, vni->owner, owner, problems);
		if (model_vni_add(model, vni) != 0)
			problems_add(problems, PROBLEM_STATE,
				     "%s: it is there already, perhaps another owner's", place);
		free(vni);
	}
}
