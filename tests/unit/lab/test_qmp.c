/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cards of a running QEMU, by a QEMU that has nothing but them: it refuses, dies and reports in every order, and what it has in
 * the end is looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/qmp.h"

#define DELETED                                                                                    \
	"{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"nic-eth1\", \"path\": "          \
	"\"/x\"}}\n"

struct qemu {
	bool chardev, netdev, device; /* of the card eth1 */
	bool is_connected;	      /* the switch, to the socket */
	const char *refuses;	      /* a command */
	const char *dies_at;
	bool deletes_first; /* says that the guest has let go before it answers */
	char heard[1024];   /* commands, in order */
	int fd;
	pthread_t thread;
	struct jsonline line; /* our end */
};

static void say(const struct qemu *qemu, const char *text)
{
	if (send(qemu->fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		perror("send"); /* the test waits for it in vain, and says so */
}

static void refuse(const struct qemu *qemu, const char *class)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "{\"error\": {\"class\": \"%s\", \"desc\": \"no, says QEMU\"}}\n", class);
	say(qemu, text);
}

static void answer(const struct qemu *qemu, bool is_done, const char *class)
{
	if (is_done)
		say(qemu, "{\"return\": {}}\n");
	else
		refuse(qemu, class);
}

static void device_delete(struct qemu *qemu)
{
	if (!qemu->device) {
		refuse(qemu, "DeviceNotFound");
		return;
	}
	qemu->device = false;
	if (qemu->deletes_first) {
		say(qemu, DELETED);
		answer(qemu, true, NULL);
		return;
	}
	answer(qemu, true, NULL);
	say(qemu,
	    "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"nic-eth10\"}}\n"
	    "{\"event\": \"DEVICE_UNPLUG_GUEST_ERROR\", \"data\": {\"device\": \"nic-eth1\"}}\n");
	say(qemu, DELETED);
}

/* As QEMU 7.2 does it. */
static void execute(struct qemu *qemu, const char *command)
{
	say(qemu, "{\"event\": \"NIC_RX_FILTER_CHANGED\", \"data\": {\"name\": \"nic-eth0\"}}\n");
	if (qemu->refuses != NULL && strcmp(command, qemu->refuses) == 0) {
		refuse(qemu, "GenericError");
	} else if (strcmp(command, "device_del") == 0) {
		device_delete(qemu);
	} else if (strcmp(command, "netdev_del") == 0) {
		answer(qemu, qemu->netdev, "DeviceNotFound");
		if (qemu->netdev)
			qemu->netdev = qemu->chardev = false;
	} else if (strcmp(command, "chardev-remove") == 0) {
		answer(qemu, qemu->chardev && !qemu->netdev, "GenericError");
		qemu->chardev &= qemu->netdev;
	} else if (strcmp(command, "query-chardev") == 0) {
		say(qemu, qemu->is_connected
				  ? "{\"return\": [{\"label\": \"net-eth1\", \"filename\": "
				    "\"unix:x\"}]}\n"
				  : "{\"return\": [{\"label\": \"net-eth1\", \"filename\": "
				    "\"disconnected:unix:x\"}]}\n");
	} else {
		bool *what = strcmp(command, "chardev-add") == 0  ? &qemu->chardev
			     : strcmp(command, "netdev_add") == 0 ? &qemu->netdev
								  : &qemu->device;

		answer(qemu, !*what, "GenericError");
		*what = true;
	}
}

static void *serve(void *arg)
{
	struct qemu *qemu = arg;
	FILE *in = fdopen(dup(qemu->fd), "r");
	char text[4096];

	while (fgets(text, sizeof(text), in) != NULL) {
		json_t *request = json_loads(text, 0, NULL);
		const char *command = json_string_value(json_object_get(request, "execute"));
		size_t used = strlen(qemu->heard);
		bool dies;

		dies = command == NULL ||
		       (qemu->dies_at != NULL && strcmp(command, qemu->dies_at) == 0);
		if (command != NULL && strcmp(command, "query-chardev") != 0)
			snprintf(qemu->heard + used, sizeof(qemu->heard) - used, "%s ", command);
		if (!dies)
			execute(qemu, command);
		json_decref(request);
		if (dies)
			break;
	}
	fclose(in);
	shutdown(qemu->fd, SHUT_RDWR);
	return NULL;
}

static void connection_open(struct qemu *qemu)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	qemu->line = (struct jsonline){.fd = ends[0], .peer = "the VMM", .max = 65536};
	qemu->fd = ends[1];
	qemu->heard[0] = '\0';
	assert_int_equal(pthread_create(&qemu->thread, NULL, serve, qemu), 0);
}

static void connection_close(struct qemu *qemu)
{
	jsonline_close(&qemu->line);
	assert_int_equal(pthread_join(qemu->thread, NULL), 0);
	close(qemu->fd);
}

static int plug(struct qemu *qemu, struct err *err)
{
	json_t *spec = json_pack("{s:s}", "vmm", "qemu");
	json_t *nic = json_pack("{s:s, s:s, s:i, s:i}", "name", "eth1", "mac", "02:00:00:00:00:01",
				"mtu", 1500, "queues", 1);
	int rc;

	connection_open(qemu);
	err->text[0] = '\0';
	rc = qmp_nic_plug(&qemu->line, spec, nic, "/nowhere", err);
	connection_close(qemu);
	json_decref(spec);
	json_decref(nic);
	return rc;
}

static int pull(struct qemu *qemu)
{
	struct err err = {.text = ""};
	int rc;

	connection_open(qemu);
	rc = qmp_nic_pull(&qemu->line, "eth1", &err);
	connection_close(qemu);
	return rc;
}

static bool has_nothing(const struct qemu *qemu)
{
	return !qemu->chardev && !qemu->netdev && !qemu->device;
}

static void a_card_comes_and_goes_whole(void **state)
{
	struct qemu qemu = {.is_connected = true};
	struct err err;

	(void)state;
	for (int i = 0; i < 2; i++) {
		qemu.deletes_first = i == 1;
		assert_int_equal(plug(&qemu, &err), 0);
		assert_true(qemu.chardev && qemu.netdev && qemu.device);
		assert_int_equal(pull(&qemu), 0);
		assert_string_equal(qemu.heard, "device_del netdev_del ");
		assert_true(has_nothing(&qemu));
		assert_int_equal(pull(&qemu), 0);
	}
}

static void what_is_made_goes_when_a_part_is_refused(void **state)
{
	static const char *const parts[] = {"chardev-add", "netdev_add", "device_add"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct qemu qemu = {.is_connected = true, .refuses = parts[i]};
		struct err err;

		assert_int_equal(plug(&qemu, &err), -EREMOTEIO);
		assert_non_null(strstr(err.text, "no, says QEMU"));
		assert_non_null(strstr(qemu.heard, parts[i]));
		assert_true(has_nothing(&qemu));
	}
}

static void a_socket_that_the_switch_does_not_find_goes(void **state)
{
	struct qemu qemu = {.is_connected = false};
	struct err err;

	(void)state;
	assert_int_equal(plug(&qemu, &err), -ENOTCONN);
	assert_non_null(strstr(err.text, "netloomd does not connect"));
	assert_null(strstr(qemu.heard, "netdev_add"));
	assert_true(has_nothing(&qemu));
}

/* The connection ends in the middle, QEMU lives on: what is left does not keep the next try from its card. */
static void half_a_card_gives_way_to_a_whole_one(void **state)
{
	static const char *const parts[] = {"netdev_add", "device_add"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct qemu qemu = {.is_connected = true, .dies_at = parts[i]};
		struct err err;

		assert_int_equal(plug(&qemu, &err), -ECONNRESET);
		assert_true(qemu.chardev && qemu.netdev == (i == 1) && !qemu.device);
		qemu.dies_at = NULL;
		assert_int_equal(plug(&qemu, &err), 0);
		assert_true(qemu.chardev && qemu.netdev && qemu.device);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_card_comes_and_goes_whole),
		cmocka_unit_test(what_is_made_goes_when_a_part_is_refused),
		cmocka_unit_test(a_socket_that_the_switch_does_not_find_goes),
		cmocka_unit_test(half_a_card_gives_way_to_a_whole_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
