/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/control.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lab/jsonline.h"
#include "lab/node.h"
#include "lab/rundir.h"
#include "lab/vmm.h"

#define CONTROL_LINE_MAX   (1u << 20)
#define CONTROL_TIMEOUT_MS 5000
#define EVENTS_MAX	   1000 /* passed over while an answer is awaited */

/* The next line that answers a request: QMP mixes events in. */
static int answer_wait(struct jsonline *line, struct err *err)
{
	for (int n_lines = 0;; n_lines++) {
		const json_t *error;
		json_t *answer;
		int rc = jsonline_receive(line, CONTROL_TIMEOUT_MS, &answer, err);

		if (rc < 0)
			return rc;
		if (n_lines == EVENTS_MAX) {
			json_decref(answer);
			return err_set(err, EPROTO, "the VMM sends events and no answer");
		}
		error = json_object_get(answer, "error");
		if (error != NULL) {
			const char *text = json_string_value(json_object_get(error, "desc"));

			if (text == NULL)
				text = json_string_value(json_object_get(error, "message"));
			rc = err_set(err, EREMOTEIO, "the VMM says: %s",
				     text != NULL ? text : "no");
		} else if (json_object_get(answer, "return") == NULL &&
			   json_object_get(answer, "result") == NULL) {
			json_decref(answer);
			continue;
		}
		json_decref(answer);
		return rc;
	}
}

/* Steals @request. */
static int request_send(struct jsonline *line, json_t *request, struct err *err)
{
	int rc = request == NULL ? -ENOMEM : jsonline_send(line, request, CONTROL_TIMEOUT_MS, err);

	json_decref(request);
	return rc < 0 ? rc : answer_wait(line, err);
}

static int qmp_greet(struct jsonline *line, struct err *err)
{
	json_t *greeting;
	int rc = jsonline_receive(line, CONTROL_TIMEOUT_MS, &greeting, err);

	if (rc < 0)
		return rc;
	json_decref(greeting);
	return request_send(line, json_pack("{s:s}", "execute", "qmp_capabilities"), err);
}

static int control_open(struct jsonline *line, const char *lab, const char *node, json_t **spec,
			struct err *err)
{
	struct lab_path path = rundir_node(lab, node, "control.sock");
	int rc;

	*spec = node_record_read(lab, node);
	if (*spec == NULL || !node_is_running(lab, node)) {
		json_decref(*spec);
		return err_set(err, ENOENT, "node \"%s/%s\" does not run", lab, node);
	}
	rc = jsonline_open(line, path.text, "the VMM", CONTROL_LINE_MAX, err);
	if (rc == 0 && strcmp(vmm_spec_name(json_object_get(*spec, "spec")), "qemu") == 0) {
		rc = qmp_greet(line, err);
		if (rc < 0)
			jsonline_close(line);
	}
	if (rc < 0)
		json_decref(*spec);
	return rc;
}

int control_power_button(const char *lab, const char *node, struct err *err)
{
	struct jsonline line;
	json_t *record;
	int rc = control_open(&line, lab, node, &record, err);

	if (rc < 0)
		return rc;
	if (strcmp(vmm_spec_name(json_object_get(record, "spec")), "qemu") == 0)
		rc = request_send(&line, json_pack("{s:s}", "execute", "system_powerdown"), err);
	else
		rc = request_send(&line,
				  json_pack("{s:s, s:i, s:s, s:{s:b}}", "jsonrpc", "2.0", "id", 1,
					    "method", "stop", "params", "force", 0),
				  err);
	jsonline_close(&line);
	json_decref(record);
	return rc;
}
