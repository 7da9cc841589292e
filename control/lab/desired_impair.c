/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/desired_impair.h"

#include <stdio.h>
#include <string.h>

#include "lab/rundir.h"
#include "lab/vmm.h"
#include "topo/span.h"

bool desired_impair_place(const struct topo *topo, const struct topo_link *link, int sender,
			  struct impair_place *place)
{
	const struct topo_node *node = &topo->nodes[link->ends[sender].node_index];
	bool from_machine = node->kind != TOPO_SWITCH;

	place->end = sender;
	place->side = from_machine ? "in" : "out";
	/* Between hosts a switch's end is a patch to the link's own switch. */
	if (!from_machine && !topo_link_is_patch(topo, link) && !span_link_crosses(topo, link))
		place->end = 1 - sender;
	return span_node_is_here(topo, &topo->nodes[link->ends[place->end].node_index]);
}

/* @absent: value of what is named and 0; NULL leaves it out. */
static json_t *fields_json(const struct topo_impair *impair, json_t *absent)
{
	json_t *object = json_object();

	for (int i = 0; i < TOPO_IMPAIR_FIELDS; i++) {
		const char *const *words = topo_impair_choices[i];
		uint32_t value = impair->value[i];

		if ((impair->named & 1u << i) == 0)
			continue;
		/* With bursts no loss at all inside of them is something to say. */
		if (value == 0 &&
		    !(i == TOPO_IMPAIR_BURST_LOSS && impair->value[TOPO_IMPAIR_BURST_ENTER] != 0)) {
			if (absent != NULL)
				json_object_set(object, topo_impair_keys[i], absent);
			continue;
		}
		json_object_set_new(object, topo_impair_keys[i],
				    words != NULL ? json_string(words[value])
						  : json_integer(value));
	}
	return object;
}

void desired_impair_set(json_t *port, const struct topo *topo, const struct topo_link *link,
			int end)
{
	json_t *impair = json_object();
	struct impair_place place;

	for (int sender = 0; sender < 2; sender++) {
		json_t *side = fields_json(&link->impair[sender], NULL);

		if (json_object_size(side) > 0 &&
		    desired_impair_place(topo, link, sender, &place) && place.end == end)
			json_object_set(impair, place.side, side);
		json_decref(side);
	}
	if (json_object_size(impair) > 0)
		json_object_set(port, "impair", impair);
	json_decref(impair);
	if (link->carrier_always)
		json_object_set_new(port, "carrier", json_string("always"));
	if (link->flap_every_ms != 0)
		json_object_set_new(port, "flap",
				    json_pack("{s:i, s:i}", "every_ms", (int)link->flap_every_ms,
					      "down_ms", (int)link->flap_down_ms));
}

void desired_guests_set(json_t *apply, const char *lab, const char *node, const json_t *spec)
{
	struct lab_path path = rundir_node(lab, node, "control.sock");
	bool is_qemu = strcmp(vmm_spec_name(spec), "qemu") == 0;
	char prefix[2 * TOPO_NAME_MAX + 3];
	json_t *port;
	size_t i;

	snprintf(prefix, sizeof(prefix), "%s/%s:", lab, node);
	json_array_foreach (json_object_get(apply, "ports"), i, port) {
		const char *name = json_string_value(json_object_get(port, "name"));

		if (strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		json_object_set_new(port, "guest",
				    json_pack("{s:s, s:o}", is_qemu ? "qmp" : "runner", path.text,
					      "nic",
					      json_sprintf("%s%s", is_qemu ? "nic-" : "",
							   name + strlen(prefix))));
	}
}

json_t *desired_impair_change(const struct topo_impair *impair)
{
	return fields_json(impair, json_null());
}

void desired_impair_parse(const json_t *side, struct topo_impair *impair)
{
	memset(impair, 0, sizeof(*impair));
	for (int i = 0; i < TOPO_IMPAIR_FIELDS; i++) {
		const json_t *value = json_object_get(side, topo_impair_keys[i]);
		const char *const *words = topo_impair_choices[i];
		const char *text = json_string_value(value);

		if (value == NULL)
			continue;
		impair->named |= 1u << i;
		impair->value[i] = (uint32_t)json_integer_value(value);
		for (uint32_t k = 0; words != NULL && text != NULL && words[k] != NULL; k++) {
			if (strcmp(words[k], text) == 0)
				impair->value[i] = k;
		}
	}
}
