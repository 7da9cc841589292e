/* SPDX-License-Identifier: BSD-3-Clause */
#include "model_vlan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_read.h"

void model_vlan_default(struct vlan_port *vlan)
{
	memset(vlan, 0, sizeof(*vlan));
	vlan->mode = VLAN_TRUNK;
	vlan->tpid = VLAN_TPID_C;
	vlan->pvid = 1;
	for (uint16_t vid = 1; vid <= VLAN_VID_MAX; vid++)
		vlan_port_allow(vlan, vid);
}

static bool vid_check(json_int_t vid, const char *what, const char *key, struct problems *problems)
{
	if (vid >= 1 && vid <= VLAN_VID_MAX)
		return true;
	if (vid == 0 || vid == 4095)
		problems_add(problems, PROBLEM_PARAMS,
			     "%s: vlan: \"%s\": VLAN %lld is reserved, use 1..%d", what, key,
			     (long long)vid, VLAN_VID_MAX);
	else
		problems_add(problems, PROBLEM_PARAMS,
			     "%s: vlan: \"%s\": VLAN %lld does not exist, use 1..%d", what, key,
			     (long long)vid, VLAN_VID_MAX);
	return false;
}

/* Return: the VLAN, or VLAN_NONE with the fault noted. */
static uint16_t vid_read(const json_t *value, const char *what, const char *key,
			 struct problems *problems)
{
	if (!json_is_integer(value)) {
		problems_add(problems, PROBLEM_PARAMS, "%s: vlan: \"%s\" must be a VLAN, 1..%d",
			     what, key, VLAN_VID_MAX);
		return VLAN_NONE;
	}
	if (!vid_check(json_integer_value(value), what, key, problems))
		return VLAN_NONE;
	return (uint16_t)json_integer_value(value);
}

/* "V-W": strictly digits, a dash, digits. */
static bool range_read(const char *text, uint16_t *first, uint16_t *last)
{
	char *end;
	unsigned long low, high;

	if (strlen(text) > 9 || text[strspn(text, "0123456789-")] != '\0' || text[0] == '-')
		return false;
	low = strtoul(text, &end, 10);
	if (*end != '-' || end[1] < '0' || end[1] > '9')
		return false;
	high = strtoul(end + 1, &end, 10);
	if (*end != '\0' || low < 1 || low > high || high > VLAN_VID_MAX)
		return false;
	*first = (uint16_t)low;
	*last = (uint16_t)high;
	return true;
}

static void trunk_read(const json_t *list, const char *what, struct vlan_port *vlan,
		       struct problems *problems)
{
	uint16_t first, last;
	json_t *item;
	size_t i;

	if (json_is_string(list) && strcmp(json_string_value(list), "all") == 0) {
		for (uint16_t vid = 1; vid <= VLAN_VID_MAX; vid++)
			vlan_port_allow(vlan, vid);
		return;
	}
	if (!json_is_array(list)) {
		problems_add(problems, PROBLEM_PARAMS,
			     "%s: vlan: \"trunk\" must be a list of VLANs or \"all\"", what);
		return;
	}
	if (json_array_size(list) > VLAN_VID_MAX) {
		problems_add(problems, PROBLEM_PARAMS, "%s: vlan: \"trunk\" lists %zu items", what,
			     json_array_size(list));
		return;
	}
	json_array_foreach (list, i, item) {
		if (!json_is_string(item)) {
			first = last = vid_read(item, what, "trunk", problems);
		} else if (!range_read(json_string_value(item), &first, &last)) {
			problems_add(problems, PROBLEM_PARAMS,
				     "%s: vlan: \"trunk\": \"%.20s\" is no range such as \"10-19\"",
				     what, json_string_value(item));
			continue;
		}
		for (uint16_t vid = first; vid != VLAN_NONE && vid <= last; vid++)
			vlan_port_allow(vlan, vid);
	}
}

void model_vlan_parse(const json_t *value, const char *what, struct vlan_port *vlan,
		      struct problems *problems)
{
	static const char *const keys[] = {"access", "trunk", "native", "tpid", "tunnel", NULL};
	static const char *const tpids[] = {"802.1q", "802.1ad", NULL};
	const json_t *access = json_object_get(value, "access");
	const json_t *trunk = json_object_get(value, "trunk");
	const json_t *native = json_object_get(value, "native");
	const json_t *tunnel = json_object_get(value, "tunnel");
	struct json_reader reader;

	memset(vlan, 0, sizeof(*vlan));
	vlan->tpid = VLAN_TPID_C;
	if (!json_reader_init(&reader, value, problems, "%s: vlan", what))
		return;
	json_read_keys(&reader, keys);
	if ((access != NULL) + (trunk != NULL) + (tunnel != NULL) != 1) {
		problems_add(problems, PROBLEM_PARAMS,
			     "%s: vlan: needs exactly one of \"access\", \"trunk\", \"tunnel\"",
			     what);
		return;
	}
	if (trunk == NULL && (native != NULL || json_read_has(&reader, "tpid"))) {
		problems_add(problems, PROBLEM_PARAMS,
			     "%s: vlan: \"native\" and \"tpid\" go with \"trunk\" only", what);
		return;
	}
	if (trunk != NULL) {
		vlan->mode = VLAN_TRUNK;
		trunk_read(trunk, what, vlan, problems);
		if (native != NULL)
			vlan->pvid = vid_read(native, what, "native", problems);
		if (json_array_size(trunk) == 0 && json_is_array(trunk) && native == NULL)
			problems_add(problems, PROBLEM_PARAMS,
				     "%s: vlan: \"trunk\" is empty, the port would carry nothing",
				     what);
		if (json_read_choice(&reader, "tpid", tpids) == 1)
			vlan->tpid = VLAN_TPID_S;
	} else if (access != NULL) {
		vlan->mode = VLAN_ACCESS;
		vlan->pvid = vid_read(access, what, "access", problems);
	} else {
		vlan->mode = VLAN_TUNNEL;
		vlan->tpid = VLAN_TPID_S;
		vlan->pvid = vid_read(tunnel, what, "tunnel", problems);
	}
	if (vlan->pvid != VLAN_NONE)
		vlan_port_allow(vlan, vlan->pvid);
}

/* The next run of VLANs from *@vid on. Return: false when there is none. */
static bool run_next(const struct vlan_port *vlan, uint16_t *vid, uint16_t *first, uint16_t *last)
{
	while (*vid <= VLAN_VID_MAX && !vlan_is_member(vlan, *vid))
		(*vid)++;
	if (*vid > VLAN_VID_MAX)
		return false;
	*first = *vid;
	while (*vid <= VLAN_VID_MAX && vlan_is_member(vlan, *vid))
		(*vid)++;
	*last = *vid - 1;
	return true;
}

json_t *model_vlan_print(const struct vlan_port *vlan)
{
	json_t *trunk, *object;
	uint16_t vid = 1, first, last;
	char range[16];

	if (vlan->mode == VLAN_ACCESS)
		return json_pack("{s:i}", "access", vlan->pvid);
	if (vlan->mode == VLAN_TUNNEL)
		return json_pack("{s:i}", "tunnel", vlan->pvid);
	trunk = json_array();
	while (run_next(vlan, &vid, &first, &last)) {
		if (first == 1 && last == VLAN_VID_MAX) {
			json_decref(trunk);
			trunk = json_string("all");
		} else if (first == last) {
			json_array_append_new(trunk, json_integer(first));
		} else {
			snprintf(range, sizeof(range), "%u-%u", first, last);
			json_array_append_new(trunk, json_string(range));
		}
	}
	object = json_pack("{s:o}", "trunk", trunk);
	if (vlan->pvid != VLAN_NONE)
		json_object_set_new(object, "native", json_integer(vlan->pvid));
	if (vlan->tpid == VLAN_TPID_S)
		json_object_set_new(object, "tpid", json_string("802.1ad"));
	return object;
}

void model_vlan_text(const struct vlan_port *vlan, char *text, size_t size)
{
	uint16_t vid = 1, first, last;
	size_t used;

	if (vlan->mode != VLAN_TRUNK) {
		snprintf(text, size, "%s %u", vlan->mode == VLAN_ACCESS ? "access" : "tunnel",
			 vlan->pvid);
		return;
	}
	used = (size_t)snprintf(text, size, "trunk");
	while (used < size && run_next(vlan, &vid, &first, &last)) {
		char before = used == strlen("trunk") ? ' ' : ',';

		if (first == 1 && last == VLAN_VID_MAX)
			used += (size_t)snprintf(text + used, size - used, " all");
		else if (first == last)
			used += (size_t)snprintf(text + used, size - used, "%c%u", before, first);
		else
			used += (size_t)snprintf(text + used, size - used, "%c%u-%u", before, first,
						 last);
	}
	if (used < size && vlan->pvid != VLAN_NONE)
		used += (size_t)snprintf(text + used, size - used, " native %u", vlan->pvid);
	if (used < size && vlan->tpid == VLAN_TPID_S)
		snprintf(text + used, size - used, " 802.1ad");
}

bool model_vlan_equal(const struct vlan_port *a, const struct vlan_port *b)
{
	return a->mode == b->mode && a->tpid == b->tpid && a->pvid == b->pvid &&
	       memcmp(a->members, b->members, sizeof(a->members)) == 0;
}
