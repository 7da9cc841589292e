/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/control.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "lab/ask.h"
#include "lab/jsonline.h"
#include "lab/node.h"
#include "lab/qmp.h"
#include "lab/rundir.h"
#include "lab/vmm.h"

#define CONTROL_LINE_MAX (1u << 20)
#define LOOK_MS		 50
#define LEAVE_MS	 60000 /* vm-runner gives up on the guest long before */

static bool is_qemu(const json_t *record)
{
	return strcmp(vmm_spec_name(json_object_get(record, "spec")), "qemu") == 0;
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
	if (rc == 0 && is_qemu(*spec)) {
		rc = qmp_greet(line, err);
		if (rc < 0)
			jsonline_close(line);
	}
	if (rc < 0)
		json_decref(*spec);
	return rc;
}

static json_t *runner_request(const char *method, json_t *params)
{
	return json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method", method,
			 "params", params);
}

int control_power_button(const char *lab, const char *node, struct err *err)
{
	struct jsonline line;
	json_t *record;
	int rc = control_open(&line, lab, node, &record, err);

	if (rc < 0)
		return rc;
	if (is_qemu(record))
		rc = qmp_power_button(&line, err);
	else
		rc = ask(&line, runner_request("stop", json_pack("{s:b}", "force", 0)), NULL, err);
	jsonline_close(&line);
	json_decref(record);
	return rc;
}

/* Return: 1 while the card is there and leaving, 0 when there is none, -EBUSY when it stays. */
static int runner_nic_look(struct jsonline *line, const char *ifname, struct err *err)
{
	json_t *answer, *item;
	size_t i;
	int rc = ask(line, runner_request("status", json_object()), &answer, err);

	if (rc < 0)
		return rc;
	json_array_foreach (json_object_get(json_object_get(answer, "result"), "nics"), i, item) {
		const char *id = json_string_value(json_object_get(item, "id"));

		if (id != NULL && strcmp(id, ifname) == 0)
			rc = json_is_true(json_object_get(item, "leaving")) ? 1 : -EBUSY;
	}
	json_decref(answer);
	return rc;
}

/* A card may be there, or not, that our record says otherwise of: where a change was broken off. */
static int runner_nic_pull(struct jsonline *line, const char *ifname, struct err *err)
{
	int rc = runner_nic_look(line, ifname, err);

	if (rc == -EBUSY) {
		rc = ask(line, runner_request("nic.remove", json_pack("{s:s}", "id", ifname)), NULL,
			 err);
		rc = rc == 0 ? 1 : rc;
	}
	for (int waited = 0; rc == 1 && waited < LEAVE_MS; waited += LOOK_MS) {
		if (jsonline_interrupted)
			return err_set(err, EINTR, "interrupted while the guest lets go of card %s",
				       ifname);
		poll(NULL, 0, LOOK_MS);
		rc = runner_nic_look(line, ifname, err);
	}
	if (rc == 1 || rc == -EBUSY)
		return err_set(err, ETIMEDOUT,
			       "the guest does not let go of card %s; does it still boot?", ifname);
	return rc;
}

static int runner_nic_plug(struct jsonline *line, const json_t *nic, const char *folder,
			   struct err *err)
{
	const char *name = json_string_value(json_object_get(nic, "name"));
	json_t *net = vmm_runner_net(nic, folder);
	json_t *request = runner_request("nic.add", json_pack("{s:o}", "net", net));
	json_t *path = json_sprintf("%s/%s.sock", folder, name);
	int rc = runner_nic_pull(line, name, err), fd = -1;

	if (rc == 0)
		rc = fd = unix_socket_listen(json_string_value(path), err);
	if (fd >= 0) {
		rc = jsonline_send_fd(line, request, fd, ASK_TIMEOUT_MS, err);
		if (rc == 0)
			rc = ask_answer(line, NULL, err);
		if (rc < 0)
			unlink(json_string_value(path));
		close(fd);
	}
	json_decref(request);
	json_decref(path);
	return rc;
}

int control_nic_plug(const char *lab, const char *node, const json_t *nic, const char *folder,
		     struct err *err)
{
	struct jsonline line;
	json_t *record;
	int rc = control_open(&line, lab, node, &record, err);

	if (rc < 0)
		return rc;
	rc = is_qemu(record)
		     ? qmp_nic_plug(&line, json_object_get(record, "spec"), nic, folder, err)
		     : runner_nic_plug(&line, nic, folder, err);
	jsonline_close(&line);
	json_decref(record);
	return rc;
}

int control_nic_pull(const char *lab, const char *node, const char *ifname, struct err *err)
{
	struct jsonline line;
	json_t *record;
	int rc = control_open(&line, lab, node, &record, err);

	if (rc < 0)
		return rc;
	rc = is_qemu(record) ? qmp_nic_pull(&line, ifname, err)
			     : runner_nic_pull(&line, ifname, err);
	jsonline_close(&line);
	json_decref(record);
	return rc;
}
