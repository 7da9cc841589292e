/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "base/unix_socket.h"

#define LIMIT_S 2
#define TALK_MAX_BYTES                                                                             \
	262144	   /* what a VMM may say in one conversation: events, greeting, answers */
#define ID_LINK	 1 /* of the request whose answer counts */
#define ID_GREET 2

struct guest_link {
	struct bufferevent *bev;
	struct event *limit;
	char nic[PORT_NAME_MAX];
	bool up;
	bool is_asked; /* QMP greets first, and is asked once */
	size_t n_bytes;
	void (*done)(const char *why, void *arg);
	void *arg;
};

static void end(struct guest_link *guest, const char *why)
{
	bufferevent_disable(guest->bev, EV_READ | EV_WRITE);
	event_del(guest->limit);
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
	guest->is_asked = true;
	request_send(guest, json_pack("{s:s, s:i}", "execute", "qmp_capabilities", "id", ID_GREET));
	request_send(guest, json_pack("{s:s, s:i, s:{s:s, s:b}}", "execute", "set_link", "id",
				      ID_LINK, "arguments", "name", guest->nic, "up", guest->up));
}

static void runner_ask(struct guest_link *guest)
{
	guest->is_asked = true;
	request_send(guest,
		     json_pack("{s:s, s:i, s:s, s:{s:s, s:b}}", "jsonrpc", "2.0", "id", ID_LINK,
			       "method", "nic.link", "params", "id", guest->nic, "up", guest->up));
}

/* Return: false when the conversation has ended. Events, and answers to what was not asked, are passed over. */
static bool line_take(struct guest_link *guest, const char *line)
{
	json_t *object = json_loads(line, 0, NULL);
	const json_t *error = json_object_get(object, "error");
	bool is_answer = guest->is_asked &&
			 json_integer_value(json_object_get(object, "id")) == ID_LINK &&
			 (json_object_get(object, "return") != NULL ||
			  json_object_get(object, "result") != NULL);
	char why[200];

	if (error != NULL) {
		const char *text = json_string_value(json_object_get(error, "desc"));

		if (text == NULL)
			text = json_string_value(json_object_get(error, "message"));
		snprintf(why, sizeof(why), "the VMM says: %.150s", text != NULL ? text : "no");
	} else if (!guest->is_asked && json_object_get(object, "QMP") != NULL) {
		qmp_ask(guest);
	}
	json_decref(object);
	if (error == NULL && !is_answer)
		return true;
	end(guest, error != NULL ? why : NULL);
	return false;
}

static void readable(struct bufferevent *bev, void *arg)
{
	struct guest_link *guest = arg;
	struct evbuffer *input = bufferevent_get_input(bev);
	size_t len;
	char *line;

	while ((line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF)) != NULL) {
		bool goes_on = line_take(guest, line);

		free(line);
		if (!goes_on)
			return;
		guest->n_bytes += len + 1;
	}
	if (guest->n_bytes + evbuffer_get_length(input) > TALK_MAX_BYTES)
		end(guest, "the VMM's control socket says much, and no answer");
}

static void changed(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if ((what & (BEV_EVENT_ERROR | BEV_EVENT_EOF)) != 0)
		end(arg, "the VMM's control socket was closed");
}

static void limit_reached(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	end(arg, "the VMM's control socket does not answer");
}

/* A Unix socket connects at once or not at all. */
static int connected_socket(const char *path)
{
	struct sockaddr_un address;
	int fd = unix_socket_open(path, &address, NULL);

	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -ECONNREFUSED;
}

struct guest_link *guest_link_tell(struct event_base *base, const struct model_link *link, bool up,
				   void (*done)(const char *why, void *arg), void *arg)
{
	static const struct timeval limit = {.tv_sec = LIMIT_S};
	struct guest_link *guest;
	int fd = connected_socket(link->guest_socket);

	if (fd < 0)
		return NULL;
	guest = calloc(1, sizeof(*guest));
	if (guest == NULL)
		goto no_guest;
	guest->limit = evtimer_new(base, limit_reached, guest);
	if (guest->limit == NULL)
		goto no_limit;
	guest->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (guest->bev == NULL)
		goto no_bev;
	snprintf(guest->nic, sizeof(guest->nic), "%s", link->guest_nic);
	guest->up = up;
	guest->done = done;
	guest->arg = arg;
	bufferevent_setcb(guest->bev, readable, NULL, changed, guest);
	bufferevent_enable(guest->bev, EV_READ | EV_WRITE);
	event_add(guest->limit, &limit);
	if (link->guest == MODEL_GUEST_RUNNER)
		runner_ask(guest);
	return guest;

no_bev:
	event_free(guest->limit);
no_limit:
	free(guest);
no_guest:
	close(fd);
	return NULL;
}

void guest_link_free(struct guest_link *guest)
{
	if (guest == NULL)
		return;
	event_free(guest->limit);
	bufferevent_free(guest->bev);
	free(guest);
}
