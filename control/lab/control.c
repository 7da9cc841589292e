/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/control.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lab/jsonline.h"
#include "lab/node.h"
#include "lab/rundir.h"
#include "lab/vmm.h"

#define CONTROL_LINE_MAX   (1u << 20)
#define CONTROL_TIMEOUT_MS 5000
#define LOOK_MS		   50
#define LEAVE_MS	   60000 /* vm-runner gives up on the guest long before */
#define SOCKET_BACKLOG	   16
#define SOCKET_MODE	   0660 /* as vm-runner makes its own */
#define EVENTS_MAX	   1000 /* passed over while an answer is awaited */

/* QEMU's word for a device or a network back-end that is not there. */
static bool is_not_found(const json_t *error)
{
	const char *class = json_string_value(json_object_get(error, "class"));

	return class != NULL && strcmp(class, "DeviceNotFound") == 0;
}

/*
 * The next line that answers a request: QMP mixes events in. @out: the answer, or NULL when nobody wants it.
 *
 * Return: 0, -ENOENT for what the VMM has not got, -EREMOTEIO for what else it refuses, or why it could not be asked.
 */
static int answer_wait(struct jsonline *line, json_t **out, struct err *err)
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
			rc = err_set(err, is_not_found(error) ? ENOENT : EREMOTEIO,
				     "the VMM says: %s", text != NULL ? text : "no");
		} else if (json_object_get(answer, "return") == NULL &&
			   json_object_get(answer, "result") == NULL) {
			json_decref(answer);
			continue;
		}
		if (out != NULL && rc == 0)
			*out = json_incref(answer);
		json_decref(answer);
		return rc;
	}
}

/* Steals @request. */
static int request_ask(struct jsonline *line, json_t *request, json_t **out, struct err *err)
{
	int rc = request == NULL ? -ENOMEM : jsonline_send(line, request, CONTROL_TIMEOUT_MS, err);

	json_decref(request);
	return rc < 0 ? rc : answer_wait(line, out, err);
}

static int request_send(struct jsonline *line, json_t *request, struct err *err)
{
	return request_ask(line, request, NULL, err);
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
		rc = request_send(&line, json_pack("{s:s}", "execute", "system_powerdown"), err);
	else
		rc = request_send(&line, runner_request("stop", json_pack("{s:b}", "force", 0)),
				  err);
	jsonline_close(&line);
	json_decref(record);
	return rc;
}

static json_t *qmp_request(const char *command, json_t *arguments)
{
	return json_pack("{s:s, s:o}", "execute", command, "arguments", arguments);
}

/* QEMU stands still in netdev_add until the switch has connected: go there afterwards. */
static int switch_wait(struct jsonline *line, const json_t *chardev, struct err *err)
{
	for (int waited = 0; waited < CONTROL_TIMEOUT_MS; waited += LOOK_MS) {
		bool connected = false;
		json_t *answer, *item;
		size_t i;
		int rc = request_ask(line, json_pack("{s:s}", "execute", "query-chardev"), &answer,
				     err);

		if (rc < 0)
			return rc;
		json_array_foreach (json_object_get(answer, "return"), i, item) {
			const char *file = json_string_value(json_object_get(item, "filename"));

			if (json_equal(json_object_get(item, "label"), chardev) && file != NULL)
				connected =
					strncmp(file, "disconnected", strlen("disconnected")) != 0;
		}
		json_decref(answer);
		if (connected)
			return 0;
		poll(NULL, 0, LOOK_MS);
	}
	return err_set(err, ETIMEDOUT, "netloomd does not connect to the new card %s",
		       json_string_value(chardev));
}

/* QEMU says so when the guest has let go. */
static int deleted_wait(struct jsonline *line, const json_t *id, struct err *err)
{
	for (int n_lines = 0; n_lines < EVENTS_MAX; n_lines++) {
		json_t *event, *device;
		bool found;
		int rc = jsonline_receive(line, CONTROL_TIMEOUT_MS, &event, err);

		if (rc == -ETIMEDOUT)
			return err_set(err, ETIMEDOUT,
				       "the guest does not let go of card %s; does it still boot?",
				       json_string_value(id));
		if (rc < 0)
			return rc;
		device = json_object_get(json_object_get(event, "data"), "device");
		found = device != NULL && json_equal(device, id);
		json_decref(event);
		if (found)
			return 0;
	}
	return err_set(err, EPROTO, "the VMM sends other events only");
}

/* Remove what is there of a card; half of one may be left where a change was broken off. */
static int qemu_nic_pull(struct jsonline *line, const char *ifname, struct err *err)
{
	json_t *id = json_sprintf("nic-%s", ifname);
	struct err why = {.text = ""};
	int rc = request_send(line, qmp_request("device_del", json_pack("{s:O}", "id", id)), &why);

	if (rc == 0)
		rc = deleted_wait(line, id, &why);
	/* Its socket goes with it. */
	if (rc == 0 || rc == -ENOENT) {
		why.text[0] = '\0';
		rc = request_send(
			line,
			qmp_request("netdev_del",
				    json_pack("{s:o}", "id", json_sprintf("nd-%s", ifname))),
			&why);
	}
	/* But not if it had no back-end yet. */
	if (rc == -ENOENT) {
		why.text[0] = '\0';
		rc = request_send(
			line,
			qmp_request("chardev-remove",
				    json_pack("{s:o}", "id", json_sprintf("net-%s", ifname))),
			&why);
		rc = rc == -EREMOTEIO ? 0 : rc; /* nor a socket */
	}
	json_decref(id);
	return rc < 0 ? err_set(err, -rc, "%s", why.text) : 0;
}

static int qemu_nic_plug(struct jsonline *line, const json_t *spec, const json_t *nic,
			 const char *folder, struct err *err)
{
	const char *name = json_string_value(json_object_get(nic, "name"));
	int queues = (int)json_integer_value(json_object_get(nic, "queues"));
	json_t *id = json_sprintf("nic-%s", name), *netdev = json_sprintf("nd-%s", name);
	json_t *chardev = json_sprintf("net-%s", name);
	int rc = qemu_nic_pull(line, name, err);

	if (rc == 0)
		rc = request_send(
			line,
			qmp_request("chardev-add",
				    json_pack("{s:O, s:{s:s, s:{s:{s:s, s:{s:o}}, s:b, s:b}}}",
					      "id", chardev, "backend", "type", "socket", "data",
					      "addr", "type", "unix", "data", "path",
					      json_sprintf("%s/%s.sock", folder, name), "server", 1,
					      "wait", 0)),
			err);
	if (rc == 0)
		rc = switch_wait(line, chardev, err);
	if (rc == 0)
		rc = request_send(
			line,
			qmp_request("netdev_add",
				    json_pack("{s:s, s:O, s:O, s:i}", "type", "vhost-user", "id",
					      netdev, "chardev", chardev, "queues", queues)),
			err);
	if (rc == 0)
		rc = request_send(
			line,
			qmp_request("device_add",
				    json_pack("{s:s, s:O, s:O, s:O, s:s, s:O, s:b, s:i, s:i, s:s}",
					      "driver", "virtio-net-pci", "id", id, "netdev",
					      netdev, "mac", json_object_get(nic, "mac"), "romfile",
					      "", "host_mtu", json_object_get(nic, "mtu"), "mq",
					      queues > 1, "vectors", vmm_qemu_vectors(spec, nic),
					      "rx_queue_size", 1024, "bus", VMM_QEMU_BUS)),
			err);
	json_decref(id);
	json_decref(netdev);
	json_decref(chardev);
	return rc;
}

/* A socket that listens, for vm-runner, whose sandbox lets it open none. What is there was left by somebody. */
static int socket_listen(const char *path, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, ENAMETOOLONG, "socket path %s is longer than %zu bytes", path,
			       sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, errno, "socket: %m");
	unlink(path);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, SOCKET_MODE) < 0 || listen(fd, SOCKET_BACKLOG) < 0) {
		rc = err_set(err, errno, "socket %s: %m", path);
		close(fd);
		return rc;
	}
	return fd;
}

/* Return: 1 while the card is there and leaving, 0 when there is none, -EBUSY when it stays. */
static int runner_nic_look(struct jsonline *line, const char *ifname, struct err *err)
{
	json_t *answer, *item;
	size_t i;
	int rc = request_ask(line, runner_request("status", json_object()), &answer, err);

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
		rc = request_send(
			line, runner_request("nic.remove", json_pack("{s:s}", "id", ifname)), err);
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
		rc = fd = socket_listen(json_string_value(path), err);
	if (fd >= 0) {
		rc = jsonline_send_fd(line, request, fd, CONTROL_TIMEOUT_MS, err);
		if (rc == 0)
			rc = answer_wait(line, NULL, err);
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
		     ? qemu_nic_plug(&line, json_object_get(record, "spec"), nic, folder, err)
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
	rc = is_qemu(record) ? qemu_nic_pull(&line, ifname, err)
			     : runner_nic_pull(&line, ifname, err);
	jsonline_close(&line);
	json_decref(record);
	return rc;
}
