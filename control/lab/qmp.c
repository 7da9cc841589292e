/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/qmp.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "lab/ask.h"
#include "lab/vmm.h"

#define LOOK_MS 50

int qmp_greet(struct jsonline *line, struct err *err)
{
	json_t *greeting;
	int rc = jsonline_receive(line, ASK_TIMEOUT_MS, &greeting, err);

	if (rc < 0)
		return rc;
	json_decref(greeting);
	return ask(line, json_pack("{s:s}", "execute", "qmp_capabilities"), NULL, err);
}

int qmp_power_button(struct jsonline *line, struct err *err)
{
	return ask(line, json_pack("{s:s}", "execute", "system_powerdown"), NULL, err);
}

/* Steals @arguments. */
static int execute(struct jsonline *line, const char *command, json_t *arguments, struct err *err)
{
	return ask(line, json_pack("{s:s, s:o}", "execute", command, "arguments", arguments), NULL,
		   err);
}

/* Steals @id. */
static int execute_on(struct jsonline *line, const char *command, json_t *id, struct err *err)
{
	return execute(line, command, json_pack("{s:o}", "id", id), err);
}

/* QEMU stands still in netdev_add until the switch has connected: go there afterwards. */
static int switch_wait(struct jsonline *line, const json_t *chardev, struct err *err)
{
	for (int waited = 0; waited < ASK_TIMEOUT_MS; waited += LOOK_MS) {
		bool connected = false;
		json_t *answer, *item;
		size_t i;
		int rc = ask(line, json_pack("{s:s}", "execute", "query-chardev"), &answer, err);

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
	return err_set(err, ENOTCONN, "netloomd does not connect to the new card %s",
		       json_string_value(chardev));
}

/* Return: whether it is QEMU's word that the guest has let go of the device. */
static bool is_deleted(const json_t *event, const json_t *id)
{
	const char *what = json_string_value(json_object_get(event, "event"));
	const json_t *device = json_object_get(json_object_get(event, "data"), "device");

	return what != NULL && strcmp(what, "DEVICE_DELETED") == 0 && device != NULL &&
	       json_equal(device, id);
}

/* The guest lets go after the answer; before it, when it had not taken the card yet. */
static int device_remove(struct jsonline *line, const json_t *id, struct err *err)
{
	json_t *request =
		json_pack("{s:s, s:{s:O}}", "execute", "device_del", "arguments", "id", id);
	bool answered = false, deleted = false;
	int rc = jsonline_send(line, request, ASK_TIMEOUT_MS, err);

	json_decref(request);
	for (int n_lines = 0; rc == 0 && !(answered && deleted); n_lines++) {
		json_t *message;

		if (n_lines == ASK_EVENTS_MAX)
			return err_set(err, EPROTO, "the VMM sends other events only");
		rc = jsonline_receive(line, ASK_TIMEOUT_MS, &message, err);
		if (rc == -ETIMEDOUT && answered)
			return err_set(err, ETIMEDOUT,
				       "the guest does not let go of card %s; does it still boot?",
				       json_string_value(id));
		if (rc < 0)
			return rc;
		rc = ask_verdict(message, err);
		answered |= rc == 0;
		deleted |= rc == 1 && is_deleted(message, id);
		rc = rc == 1 ? 0 : rc;
		json_decref(message);
	}
	return rc;
}

int qmp_nic_pull(struct jsonline *line, const char *ifname, struct err *err)
{
	json_t *id = json_sprintf("nic-%s", ifname);
	struct err why = {.text = ""};
	int rc = device_remove(line, id, &why);

	/* Its socket goes with it. */
	if (rc == 0 || rc == -ENOENT) {
		why.text[0] = '\0';
		rc = execute_on(line, "netdev_del", json_sprintf("nd-%s", ifname), &why);
	}
	/* But not if it had no back-end yet. */
	if (rc == -ENOENT) {
		why.text[0] = '\0';
		rc = execute_on(line, "chardev-remove", json_sprintf("net-%s", ifname), &why);
		rc = rc == -EREMOTEIO ? 0 : rc; /* nor a socket */
	}
	json_decref(id);
	return rc < 0 ? err_set(err, -rc, "%s", why.text) : 0;
}

int qmp_nic_plug(struct jsonline *line, const json_t *spec, const json_t *nic, const char *folder,
		 struct err *err)
{
	const char *name = json_string_value(json_object_get(nic, "name"));
	int queues = (int)json_integer_value(json_object_get(nic, "queues"));
	json_t *netdev = json_sprintf("nd-%s", name), *chardev = json_sprintf("net-%s", name);
	int rc = qmp_nic_pull(line, name, err);

	if (rc < 0)
		goto out;
	rc = execute(line, "chardev-add",
		     json_pack("{s:O, s:{s:s, s:{s:{s:s, s:{s:o}}, s:b, s:b}}}", "id", chardev,
			       "backend", "type", "socket", "data", "addr", "type", "unix", "data",
			       "path", json_sprintf("%s/%s.sock", folder, name), "server", 1,
			       "wait", 0),
		     err);
	if (rc == 0)
		rc = switch_wait(line, chardev, err);
	if (rc == 0)
		rc = execute(line, "netdev_add",
			     json_pack("{s:s, s:O, s:O, s:i}", "type", "vhost-user", "id", netdev,
				       "chardev", chardev, "queues", queues),
			     err);
	if (rc == 0)
		rc = execute(line, "device_add",
			     json_pack("{s:s, s:o, s:O, s:O, s:s, s:O, s:b, s:i, s:i, s:b, s:s}",
				       "driver", "virtio-net-pci", "id",
				       json_sprintf("nic-%s", name), "netdev", netdev, "mac",
				       json_object_get(nic, "mac"), "romfile", "", "host_mtu",
				       json_object_get(nic, "mtu"), "mq", queues > 1, "vectors",
				       vmm_qemu_vectors(spec, nic), "rx_queue_size", 1024, "packed",
				       json_is_true(json_object_get(nic, "packed")), "bus",
				       VMM_QEMU_BUS),
			     err);
	/* QEMU has refused a part, and can be asked: it loses the others. Its first sentence is the one to tell. */
	if (rc == -ENOENT || rc == -EREMOTEIO || rc == -ENOTCONN)
		qmp_nic_pull(line, name, NULL);
out:
	json_decref(netdev);
	json_decref(chardev);
	return rc;
}
