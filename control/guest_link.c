/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#define TIMEOUT_S      2
#define LINE_MAX_BYTES 65536

struct guest_link {
	struct bufferevent *bev;
	uint8_t protocol; /* enum model_guest */
	char nic[PORT_NAME_MAX];
	bool up;
	int n_answers_left;
	void (*done)(const char *why, void *arg);
	void *arg;
};

static void end(struct guest_link *guest, const char *why)
{
	bufferevent_disable(guest->bev, EV_READ | EV_WRITE);
	guest->done(why, guest->arg); /* may free us */
}

static void request_send(struct guest_link *guest, json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);

	if (text != NULL)
		evbuffer_add_printf(bufferevent_get_output(guest->bev), "%s\n", text);
	free(text);
	json_decref(request);
}

static void qmp_ask(struct guest_link *guest)
{
	request_send(guest, json_pack("{s:s}", "execute", "qmp_capabilities"));
	request_send(guest, json_pack("{s:s, s:{s:s, s:b}}", "execute", "set_link", "arguments",
				      "name", guest->nic, "up", guest->up));
	guest->n_answers_left = 2;
}

/* Return: false when the conversation has ended. */
static bool line_take(struct guest_link *guest, const char *line)
{
	json_t *object = json_loads(line, 0, NULL);
	const json_t *error = json_object_get(object, "error");
	char why[200];

	if (error != NULL) {
		const char *text = json_string_value(json_object_get(error, "desc"));

		if (text == NULL)
			text = json_string_value(json_object_get(error, "message"));
		snprintf(why, sizeof(why), "the VMM says: %.150s", text != NULL ? text : "no");
		json_decref(object);
		end(guest, why);
		return false;
	}
	if (json_object_get(object, "QMP") != NULL)
		qmp_ask(guest);
	else if (json_object_get(object, "return") != NULL ||
		 json_object_get(object, "result") != NULL)
		guest->n_answers_left--;
	json_decref(object);
	if (guest->n_answers_left > 0)
		return true;
	end(guest, NULL);
	return false;
}

static void readable(struct bufferevent *bev, void *arg)
{
	struct guest_link *guest = arg;
	struct evbuffer *input = bufferevent_get_input(bev);
	bool goes_on = true;
	char *line;

	while (goes_on && (line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF)) != NULL) {
		goes_on = line_take(guest, line);
		free(line);
	}
	if (goes_on && evbuffer_get_length(input) > LINE_MAX_BYTES)
		end(guest, "the VMM's control socket sends no lines");
}

static void changed(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if ((what & BEV_EVENT_TIMEOUT) != 0)
		end(arg, "the VMM's control socket does not answer");
	else if ((what & (BEV_EVENT_ERROR | BEV_EVENT_EOF)) != 0)
		end(arg, "the VMM's control socket was closed");
}

/* A Unix socket connects at once or not at all. */
static int connected_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -ECONNREFUSED;
}

struct guest_link *guest_link_tell(struct event_base *base, const struct model_link *link, bool up,
				   void (*done)(const char *why, void *arg), void *arg)
{
	static const struct timeval timeout = {.tv_sec = TIMEOUT_S};
	struct guest_link *guest;
	int fd = connected_socket(link->guest_socket);

	if (fd < 0)
		return NULL;
	guest = calloc(1, sizeof(*guest));
	if (guest != NULL)
		guest->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (guest == NULL || guest->bev == NULL) {
		close(fd);
		free(guest);
		return NULL;
	}
	guest->protocol = link->guest;
	snprintf(guest->nic, sizeof(guest->nic), "%s", link->guest_nic);
	guest->up = up;
	guest->done = done;
	guest->arg = arg;
	guest->n_answers_left = 1;
	bufferevent_setcb(guest->bev, readable, NULL, changed, guest);
	bufferevent_set_timeouts(guest->bev, &timeout, &timeout);
	bufferevent_enable(guest->bev, EV_READ | EV_WRITE);
	if (guest->protocol == MODEL_GUEST_RUNNER)
		request_send(guest,
			     json_pack("{s:s, s:i, s:s, s:{s:s, s:b}}", "jsonrpc", "2.0", "id", 1,
				       "method", "nic.link", "params", "id", guest->nic, "up", up));
	return guest;
}

void guest_link_free(struct guest_link *guest)
{
	if (guest == NULL)
		return;
	bufferevent_free(guest->bev);
	free(guest);
}
