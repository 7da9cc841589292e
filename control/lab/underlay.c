/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/underlay.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lab/rpc.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static bool uplink_is_bad(const json_t *uplink)
{
	return text_of(uplink, "detail")[0] != '\0' &&
	       !json_is_true(json_object_get(uplink, "running"));
}

/* No way out of this host. With one, the other host may just not be there yet. */
static bool vtep_is_bad(const json_t *vtep)
{
	return !json_is_true(json_object_get(vtep, "usable")) &&
	       json_integer_value(json_object_get(vtep, "next_hops")) == 0;
}

static size_t list_report(const char *lab, const char *method, const char *key,
			  bool (*is_bad)(const json_t *))
{
	json_t *result = NULL;
	const json_t *item;
	size_t n_bad = 0;
	size_t i;

	if (rpc_once(method, NULL, &result, NULL) < 0)
		return 0; /* it has just ended: others say so */
	json_array_foreach (json_object_get(result, key), i, item) {
		if (strcmp(text_of(item, "owner"), lab) != 0 || !is_bad(item))
			continue;
		fprintf(stderr, "%s: %s\n", text_of(item, "name"), text_of(item, "detail"));
		n_bad++;
	}
	json_decref(result);
	return n_bad;
}

size_t underlay_report(const char *lab)
{
	size_t n_bad = list_report(lab, "uplink.list", "uplinks", uplink_is_bad);

	/* Through a bad uplink nothing is reached: that has been said. */
	return n_bad > 0 ? n_bad : list_report(lab, "vtep.list", "vteps", vtep_is_bad);
}
