/* SPDX-License-Identifier: BSD-3-Clause */
/* See model_overlay.h: reading and writing VNIs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_read.h"
#include "model.h"
#include "model_parse.h"
#include "model_print.h"

#define LIVENESS_MIN_MS	  50
#define LIVENESS_MAX_MS	  60000
#define LIVENESS_MULT_MAX 50

static const char *const tag_words[] = {
	[VTEP_TAG_STRIP] = "strip",
	[VTEP_TAG_KEEP] = "keep",
	[VTEP_TAG_REFUSE] = "refuse",
	[VTEP_TAG_REFUSE + 1] = NULL,
};

static const char *const liveness_words[] = {
	[MODEL_LIVENESS_OFF] = "off",
	[MODEL_LIVENESS_ON] = "on",
	[MODEL_LIVENESS_AUTO] = "auto",
	[MODEL_LIVENESS_AUTO + 1] = NULL,
};

bool model_vni_may_join(const struct model_vni *vni, const struct model_vtep *vtep)
{
	if (!vni->learn_vteps || strcmp(vni->owner, vtep->owner) != 0)
		return false;
	for (uint16_t i = 0; i < vni->n_vteps; i++) {
		if (strcmp(vni->vteps[i], vtep->name) == 0)
			return false;
	}
	return true;
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

static int neigh_compare(const void *a, const void *b)
{
	return memcmp(&((const struct model_neigh *)a)->ip, &((const struct model_neigh *)b)->ip,
		      sizeof(struct vxlan_ip));
}

/* One {ip, mac, router?}. Return: false if there is none to keep. */
static bool neigh_parse(const struct json_reader *vni, const json_t *value,
			struct model_neigh *neigh)
{
	static const char *const keys[] = {"ip", "mac", "router", NULL};
	unsigned int before = vni->problems->n;
	struct json_reader reader;
	char ip[48], mac[18];
	uint64_t number = 0;

	memset(neigh, 0, sizeof(*neigh));
	if (!json_reader_init(&reader, value, vni->problems, "%s: neighbours", vni->what))
		return false;
	json_read_keys(&reader, keys);
	json_read_bool(&reader, "router", &neigh->is_router);
	if (!json_read_need(&reader, "ip") || !json_read_need(&reader, "mac") ||
	    !json_read_string(&reader, "ip", ip, sizeof(ip)) ||
	    !json_read_string(&reader, "mac", mac, sizeof(mac)))
		return false;
	if (!model_ip_parse(ip, &neigh->ip) || vxlan_ip_unfit(&neigh->ip) != NULL)
		problems_add(vni->problems, PROBLEM_PARAMS,
			     "%s: \"ip\": \"%s\" is no address that a station may have",
			     reader.what, ip);
	if (!model_mac_parse(mac, &number))
		problems_add(vni->problems, PROBLEM_PARAMS,
			     "%s: \"mac\": \"%s\" is no unicast address such as 52:54:00:00:00:01",
			     reader.what, mac);
	for (int i = 0; i < 6; i++)
		neigh->mac[i] = (uint8_t)(number >> (40 - 8 * i));
	return vni->problems->n == before;
}

/* Sorted by address. */
static void neighs_parse(const struct json_reader *reader, struct model_vni *vni)
{
	struct model_neigh *neighs = (struct model_neigh *)vni->vteps[vni->n_vteps];
	char text[46];
	json_t *item;
	size_t i;

	json_array_foreach (json_object_get(reader->object, "neighbours"), i, item) {
		if (neigh_parse(reader, item, &neighs[vni->n_neighs]))
			vni->n_neighs++;
	}
	qsort(neighs, vni->n_neighs, sizeof(*neighs), neigh_compare);
	for (i = 1; i < vni->n_neighs; i++) {
		if (neigh_compare(&neighs[i - 1], &neighs[i]) != 0)
			continue;
		model_ip_print(&neighs[i].ip, text);
		problems_add(reader->problems, PROBLEM_PARAMS,
			     "%s: neighbours: address %s is given twice", reader->what, text);
	}
}

static void liveness_parse(const struct json_reader *reader, struct model_vni *vni)
{
	uint32_t multiplier = MODEL_LIVENESS_MULT;
	int mode = json_read_choice(reader, "liveness", liveness_words);

	vni->liveness = (uint8_t)(mode >= 0 ? mode : MODEL_LIVENESS_OFF);
	vni->liveness_ms = MODEL_LIVENESS_MS;
	json_read_uint(reader, "liveness_ms", LIVENESS_MIN_MS, LIVENESS_MAX_MS, &vni->liveness_ms);
	json_read_uint(reader, "liveness_multiplier", 1, LIVENESS_MULT_MAX, &multiplier);
	vni->liveness_multiplier = (uint8_t)multiplier;
}

/* Entries of a list of at most @max, 0 and a fault for anything else. */
static size_t list_size(const struct json_reader *reader, const char *key, size_t max)
{
	const json_t *list = json_object_get(reader->object, key);

	if (list == NULL || (json_is_array(list) && json_array_size(list) <= max))
		return json_array_size(list);
	problems_add(reader->problems, PROBLEM_PARAMS,
		     "%s: \"%s\" must be a list of at most %zu entries", reader->what, key, max);
	return 0;
}

struct model_vni *model_vni_parse(const json_t *value, const char *place, struct problems *problems)
{
	static const char *const keys[] = {"vni",	"owner",	 "switch",
					   "vlan",	"vteps",	 "mtu",
					   "flood",	"tag",		 "learning",
					   "bum_limit", "too_big_limit", "suppress",
					   "announce",	"learn_vteps",	 "neighbours",
					   "liveness",	"liveness_ms",	 "liveness_multiplier",
					   NULL};
	const json_t *number = json_object_get(value, "vni");
	size_t n, n_neighs;
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
	n = list_size(&reader, "vteps", MODEL_VNI_VTEPS_MAX);
	n_neighs = list_size(&reader, "neighbours", MODEL_VNI_NEIGHS_MAX);
	vni = calloc(1, sizeof(*vni) + n * sizeof(vni->vteps[0]) +
				(n_neighs + 1) * sizeof(struct model_neigh));
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
	vni->suppress = vni->announce = vni->learning;
	json_read_bool(&reader, "suppress", &vni->suppress);
	json_read_bool(&reader, "announce", &vni->announce);
	json_read_bool(&reader, "learn_vteps", &vni->learn_vteps);
	vni->too_big_limit = MODEL_TOO_BIG_LIMIT;
	json_read_uint(&reader, "too_big_limit", 0, UINT32_MAX, &vni->too_big_limit);
	tag = json_read_choice(&reader, "tag", tag_words);
	vni->tag = (uint8_t)(tag >= 0 ? tag : VTEP_TAG_STRIP);
	liveness_parse(&reader, vni);
	if (n > 0)
		members_parse(&reader, vni);
	if (n_neighs > 0)
		neighs_parse(&reader, vni);
	if (json_read_need(&reader, "vni") &&
	    json_read_uint(&reader, "vni", 1, VXLAN_VNI_MAX, &vni->vni)) {
		snprintf(vni->name, sizeof(vni->name), "%u", vni->vni);
		return vni;
	}
	free(vni);
	return NULL;
}

static json_t *neighs_print(const struct model_vni *vni)
{
	const struct model_neigh *neighs = model_vni_neighs(vni);
	json_t *list = json_array();
	char ip[46], mac[18];

	for (uint16_t i = 0; i < vni->n_neighs; i++) {
		model_ip_print(&neighs[i].ip, ip);
		model_mac_print(fdb_mac(neighs[i].mac), mac);
		json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "ip", ip, "mac", mac,
						      "router", neighs[i].is_router));
	}
	return list;
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
	json_object_set_new(object, "too_big_limit", json_integer(vni->too_big_limit));
	json_object_set_new(object, "tag", json_string(tag_words[vni->tag]));
	json_object_set_new(object, "suppress", json_boolean(vni->suppress));
	json_object_set_new(object, "announce", json_boolean(vni->announce));
	json_object_set_new(object, "learn_vteps", json_boolean(vni->learn_vteps));
	json_object_set_new(object, "liveness", json_string(liveness_words[vni->liveness]));
	json_object_set_new(object, "liveness_ms", json_integer(vni->liveness_ms));
	json_object_set_new(object, "liveness_multiplier", json_integer(vni->liveness_multiplier));
	if (vni->n_neighs > 0)
		json_object_set_new(object, "neighbours", neighs_print(vni));
	return object;
}
