/* SPDX-License-Identifier: BSD-3-Clause */
#include "model_link.h"

#include <stdio.h>
#include <string.h>

#define FLAP_DOWN_MIN_MS 10
#define FLAP_MAX_MS	 86400000 /* a day */

static void flap_parse(const struct json_reader *outer, struct model_link *link)
{
	static const char *const keys[] = {"every_ms", "down_ms", NULL};
	const json_t *value = json_object_get(outer->object, "flap");
	struct json_reader reader;

	if (value == NULL ||
	    !json_reader_init(&reader, value, outer->problems, "%s: flap", outer->what))
		return;
	json_read_keys(&reader, keys);
	json_read_need(&reader, "every_ms");
	json_read_need(&reader, "down_ms");
	json_read_uint(&reader, "every_ms", FLAP_DOWN_MIN_MS, FLAP_MAX_MS, &link->flap_every_ms);
	json_read_uint(&reader, "down_ms", FLAP_DOWN_MIN_MS, FLAP_MAX_MS, &link->flap_down_ms);
	if (link->flap_down_ms >= link->flap_every_ms)
		problems_add(
			reader.problems, PROBLEM_PARAMS,
			"%s: \"down_ms\" must be less than \"every_ms\", or the link is never up",
			reader.what);
}

static void guest_parse(const struct json_reader *outer, struct model_link *link)
{
	static const char *const keys[] = {"qmp", "runner", "nic", NULL};
	const json_t *value = json_object_get(outer->object, "guest");
	struct json_reader reader;
	const char *key;

	if (value == NULL ||
	    !json_reader_init(&reader, value, outer->problems, "%s: guest", outer->what))
		return;
	json_read_keys(&reader, keys);
	json_read_need(&reader, "nic");
	json_read_name(&reader, "nic", link->guest_nic, sizeof(link->guest_nic));
	if (json_read_has(&reader, "qmp") == json_read_has(&reader, "runner")) {
		problems_add(reader.problems, PROBLEM_PARAMS,
			     "%s: needs either \"qmp\" or \"runner\", the VMM's control socket",
			     reader.what);
		return;
	}
	key = json_read_has(&reader, "qmp") ? "qmp" : "runner";
	if (!json_read_string(&reader, key, link->guest_socket, sizeof(link->guest_socket)))
		return;
	if (link->guest_socket[0] != '/')
		problems_add(reader.problems, PROBLEM_PARAMS, "%s: \"%s\" must be an absolute path",
			     reader.what, key);
	link->guest = key[0] == 'q' ? MODEL_GUEST_QMP : MODEL_GUEST_RUNNER;
}

void model_link_parse(const struct json_reader *reader, struct model_link *link)
{
	static const char *const words[] = {"follow", "always", NULL};

	link->carrier_always = json_read_choice(reader, "carrier", words) == 1;
	flap_parse(reader, link);
	guest_parse(reader, link);
}

void model_link_print(const struct model_link *link, json_t *object)
{
	if (link->carrier_always)
		json_object_set_new(object, "carrier", json_string("always"));
	if (link->flap_every_ms != 0)
		json_object_set_new(object, "flap",
				    json_pack("{s:I, s:I}", "every_ms",
					      (json_int_t)link->flap_every_ms, "down_ms",
					      (json_int_t)link->flap_down_ms));
	if (link->guest != MODEL_GUEST_NONE)
		json_object_set_new(object, "guest",
				    json_pack("{s:s, s:s}",
					      link->guest == MODEL_GUEST_QMP ? "qmp" : "runner",
					      link->guest_socket, "nic", link->guest_nic));
}

bool model_link_same_guest(const struct model_link *a, const struct model_link *b)
{
	return a->guest == b->guest && strcmp(a->guest_socket, b->guest_socket) == 0 &&
	       strcmp(a->guest_nic, b->guest_nic) == 0;
}

void model_link_diff(const struct model_link *old, const struct model_link *next, char *text,
		     size_t size)
{
	char flap[80] = "", guest[200] = "";

	if (old->flap_every_ms != next->flap_every_ms || old->flap_down_ms != next->flap_down_ms)
		snprintf(flap, sizeof(flap), ", flap every %u ms for %u ms", next->flap_every_ms,
			 next->flap_down_ms);
	if (next->flap_every_ms == 0 && flap[0] != '\0')
		snprintf(flap, sizeof(flap), ", no flap");
	if (!model_link_same_guest(old, next))
		snprintf(guest, sizeof(guest), ", guest %s",
			 next->guest != MODEL_GUEST_NONE ? next->guest_socket : "none");
	snprintf(text, size, "%s%s%s",
		 old->carrier_always == next->carrier_always ? ""
		 : next->carrier_always			     ? ", carrier always"
							     : ", carrier follow",
		 flap, guest);
	if (text[0] != '\0')
		memmove(text, text + 2, strlen(text + 2) + 1);
}
