/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/ask.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* QEMU's word for a device or a network back-end that is not there. */
static bool is_not_found(const json_t *error)
{
	const char *class = json_string_value(json_object_get(error, "class"));

	return class != NULL && strcmp(class, "DeviceNotFound") == 0;
}

int ask_verdict(const json_t *message, struct err *err)
{
	const json_t *error = json_object_get(message, "error");
	const char *text;

	if (error == NULL)
		return json_object_get(message, "return") == NULL &&
		       json_object_get(message, "result") == NULL;
	text = json_string_value(json_object_get(error, "desc"));
	if (text == NULL)
		text = json_string_value(json_object_get(error, "message"));
	return err_set(err, is_not_found(error) ? ENOENT : EREMOTEIO, "the VMM says: %s",
		       text != NULL ? text : "no");
}

int ask_answer(struct jsonline *line, json_t **out, struct err *err)
{
	for (int n_lines = 0; n_lines < ASK_EVENTS_MAX; n_lines++) {
		json_t *message;
		int rc = jsonline_receive(line, ASK_TIMEOUT_MS, &message, err);

		if (rc < 0)
			return rc;
		rc = ask_verdict(message, err);
		if (rc == 0 && out != NULL)
			*out = json_incref(message);
		json_decref(message);
		if (rc <= 0)
			return rc;
	}
	return err_set(err, EPROTO, "the VMM sends events and no answer");
}

int ask(struct jsonline *line, json_t *request, json_t **out, struct err *err)
{
	int rc = request == NULL ? -ENOMEM : jsonline_send(line, request, ASK_TIMEOUT_MS, err);

	json_decref(request);
	return rc < 0 ? rc : ask_answer(line, out, err);
}
