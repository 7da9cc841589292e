/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The front-end's socket and its state machine.
 *
 * Theory of operation
 *
 * The owner states what it wants (rings served, or not); the back-end is talked there one message at a
 * time: pump() sends what vhost_phase_next() yields until an answer is due, and goes on when it has come.
 * When a phase has nothing more to say, pump() moves to the next one the owner's wish calls for. Losing
 * the back-end at any moment loses nothing of the wish: the next one that connects is talked there, too.
 *
 * The back-end is hostile: it gets to say only answers of a few bytes, to questions we asked, in time, one at a
 * time. Anything else disconnects it. We receive with room for one file descriptor, and only while in-flight
 * memory has been asked for; the kernel discards all others.
 *
 * While one back-end is connected, others are turned away: a switch that is restarted connects again
 * after the old one's connection has ended. A complaint that repeats is logged with the 1st, 2nd, 4th,
 * 8th... time, because back-ends try again for ever.
 */
#include "vhost/frontend.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "doorbell.h"
#include "sock.h"
#include "vhost/phase.h"
#include "vhost/wire.h"

struct vhost_frontend {
	struct event_base *events;
	const char *name;
	char *path;
	const struct guest_mem *mem;
	const struct vhost_frontend_ops *ops;
	void *owner;
	int listen_fd;
	struct event *listen_event;

	/* what the owner wants */
	bool wanted;
	bool restart; /* run was replaced by next while in use */
	uint64_t enabled;
	struct vhost_run next;

	/* the back-end, fd -1 without */
	int fd;
	bool accepted; /* by the owner */
	struct event *read_event, *write_event, *timeout;
	struct vhost_talk talk;
	struct vhost_run run;	   /* as started, or being started */
	struct vhost_message sent; /* the last one */
	bool sending, waiting;	   /* not fully sent; not yet answered */
	size_t n_sent;
	uint8_t received[VHOST_REPLY_BYTES_MAX];
	size_t n_received;
	int received_fd;      /* came with it; -1: none */
	bool pumping;	      /* pump() is below us on the stack */
	const char *drop_why; /* disconnect as soon as pump() can */

	uint64_t n_complaints;
	struct vhost_frontend_counters counters;
};

static bool has_rings(const struct vhost_frontend *frontend)
{
	return frontend->talk.phase == VHOST_PHASE_STARTING ||
	       frontend->talk.phase == VHOST_PHASE_RUNNING ||
	       frontend->talk.phase == VHOST_PHASE_STOPPING;
}

static void complain(struct vhost_frontend *frontend, const char *why)
{
	uint64_t n = ++frontend->n_complaints;

	frontend->counters.n_refused++;
	if ((n & (n - 1)) == 0)
		log_warning("%s: disconnected the switch: %s%s", frontend->name, why,
			    n > 2 ? " (repeats are not all logged)" : "");
}

static void received_clear(struct vhost_frontend *frontend)
{
	frontend->n_received = 0;
	if (frontend->received_fd >= 0)
		close(frontend->received_fd);
	frontend->received_fd = -1;
}

/* Close the connection and tell the owner. */
static void disconnect(struct vhost_frontend *frontend)
{
	bool had_rings = has_rings(frontend), was_accepted = frontend->accepted;

	if (frontend->fd < 0)
		return;
	event_free(frontend->read_event);
	event_free(frontend->write_event);
	frontend->read_event = frontend->write_event = NULL;
	evtimer_del(frontend->timeout);
	close(frontend->fd);
	frontend->fd = -1;
	frontend->accepted = frontend->sending = frontend->waiting = false;
	frontend->restart = false;
	frontend->drop_why = NULL;
	received_clear(frontend);
	vhost_phase_enter(&frontend->talk, VHOST_PHASE_NONE);
	if (!frontend->wanted)
		vhost_phase_forget(&frontend->talk);
	if (was_accepted)
		frontend->ops->lost(frontend->owner);
	if (had_rings && !frontend->wanted)
		frontend->ops->halted(frontend->owner);
}

static void drop(struct vhost_frontend *frontend, const char *why)
{
	complain(frontend, why);
	disconnect(frontend);
}

static void timeout_arm(struct vhost_frontend *frontend)
{
	struct timeval limit = {.tv_sec = frontend->talk.phase == VHOST_PHASE_STOPPING
						  ? VHOST_STOP_TIMEOUT_S
						  : VHOST_START_TIMEOUT_S};

	evtimer_add(frontend->timeout, &limit);
}

/* Return: true when the message is out and the next one may follow. */
static bool send_go_on(struct vhost_frontend *frontend)
{
	int rc = vhost_wire_send(frontend->fd, &frontend->sent, &frontend->n_sent);

	if (rc == -EAGAIN) {
		event_add(frontend->write_event, NULL);
		timeout_arm(frontend);
		return false;
	}
	if (rc == -EPIPE || rc == -ECONNRESET) {
		log_info("%s: the switch has gone", frontend->name);
		disconnect(frontend);
		return false;
	}
	if (rc) {
		drop(frontend, strerror(-rc));
		return false;
	}
	evtimer_del(frontend->timeout);
	frontend->sending = false;
	frontend->waiting = vhost_message_has_reply(&frontend->sent);
	if (frontend->waiting)
		timeout_arm(frontend);
	return !frontend->waiting;
}

/* Have the new back-end look at what was posted while nobody did, and the guest at what was used. */
static void rings_poke(const struct vhost_run *run)
{
	for (uint16_t i = 0; i < run->n_rings; i++) {
		(void)doorbell_ring(run->rings[i].kick_fd);
		if (run->rings[i].call_fd >= 0)
			(void)doorbell_ring(run->rings[i].call_fd);
	}
}

static void introduced(struct vhost_frontend *frontend)
{
	const char *why;

	vhost_phase_enter(&frontend->talk, VHOST_PHASE_IDLE);
	why = frontend->ops->connected(frontend->owner, frontend->talk.features,
				       frontend->talk.n_pairs);
	if (why) {
		drop(frontend, why);
		return;
	}
	frontend->accepted = true;
	frontend->counters.n_connects++;
	frontend->n_complaints = 0;
	log_info("%s: a switch has connected", frontend->name);
	/* Not disconnected, for it would come again at once: it may have the rings of the next driver. */
	why = frontend->wanted ? vhost_phase_unfit(&frontend->talk, &frontend->next) : NULL;
	if (why)
		log_warning("%s: the switch is not given the rings: %s", frontend->name, why);
}

/* The phase has no more to say. Return: false when there is nothing to do but wait. */
static bool phase_end(struct vhost_frontend *frontend)
{
	switch (frontend->talk.phase) {
	case VHOST_PHASE_HANDSHAKE:
		introduced(frontend);
		return true;
	case VHOST_PHASE_IDLE:
		if (!frontend->wanted || vhost_phase_unfit(&frontend->talk, &frontend->next))
			return false;
		frontend->run = frontend->next;
		frontend->restart = false;
		vhost_phase_enter(&frontend->talk, VHOST_PHASE_STARTING);
		return true;
	case VHOST_PHASE_STARTING:
		vhost_phase_enter(&frontend->talk, VHOST_PHASE_RUNNING);
		rings_poke(&frontend->run);
		frontend->ops->running(frontend->owner);
		return true;
	case VHOST_PHASE_RUNNING:
		if (frontend->wanted && !frontend->restart)
			return false;
		vhost_phase_enter(&frontend->talk, VHOST_PHASE_STOPPING);
		return true;
	case VHOST_PHASE_STOPPING:
		vhost_phase_enter(&frontend->talk, VHOST_PHASE_IDLE);
		if (!frontend->wanted) {
			vhost_phase_forget(&frontend->talk);
			frontend->ops->halted(frontend->owner);
		}
		return true;
	case VHOST_PHASE_NONE:
		break;
	}
	return false;
}

/* Say all that can be said now. Callbacks may call us again through the public functions: those only note. */
static void pump(struct vhost_frontend *frontend)
{
	if (frontend->pumping)
		return;
	frontend->pumping = true;
	while (frontend->fd >= 0) {
		if (frontend->drop_why) {
			drop(frontend, frontend->drop_why);
			continue;
		}
		if (frontend->waiting || (frontend->sending && !send_go_on(frontend)))
			break;
		if (vhost_phase_next(&frontend->talk, &frontend->run, frontend->enabled,
				     frontend->mem, &frontend->sent)) {
			frontend->sending = true;
			frontend->n_sent = 0;
		} else if (!phase_end(frontend)) {
			break;
		}
	}
	frontend->pumping = false;
}

static void answer_take(struct vhost_frontend *frontend)
{
	struct vhost_reply reply;
	const char *why;
	int rc = -EPROTO;

	if (frontend->waiting)
		rc = vhost_reply_parse(&frontend->sent, frontend->received, frontend->n_received,
				       &reply, &why);
	else
		why = "it spoke without being asked";
	if (rc == -EAGAIN)
		return;
	if (!rc) {
		reply.fd = frontend->received_fd;
		why = vhost_phase_answer(&frontend->talk, &frontend->sent, &reply);
		frontend->received_fd = reply.fd;
	}
	if (why) {
		drop(frontend, why);
		return;
	}
	evtimer_del(frontend->timeout);
	frontend->waiting = false;
	received_clear(frontend);
	pump(frontend);
}

static void backend_readable(evutil_socket_t fd, short what, void *data)
{
	struct vhost_frontend *frontend = data;
	bool may_have_fd = frontend->waiting && frontend->received_fd < 0 &&
			   frontend->sent.header.request == VHOST_GET_INFLIGHT_FD;
	/* Never full: a whole answer is taken at once. */
	ssize_t n = vhost_wire_receive(fd, frontend->received + frontend->n_received,
				       sizeof(frontend->received) - frontend->n_received,
				       may_have_fd ? &frontend->received_fd : NULL);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		log_info("%s: the switch has gone", frontend->name);
		disconnect(frontend);
		return;
	}
	frontend->n_received += (size_t)n;
	answer_take(frontend);
}

static void backend_writable(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	pump(data);
}

static void backend_late(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	drop(data, "it did not answer in time");
}

static void connect_new(struct vhost_frontend *frontend, int fd)
{
	frontend->read_event =
		event_new(frontend->events, fd, EV_READ | EV_PERSIST, backend_readable, frontend);
	frontend->write_event =
		event_new(frontend->events, fd, EV_WRITE, backend_writable, frontend);
	if (!frontend->read_event || !frontend->write_event ||
	    event_add(frontend->read_event, NULL)) {
		if (frontend->read_event)
			event_free(frontend->read_event);
		if (frontend->write_event)
			event_free(frontend->write_event);
		close(fd);
		return;
	}
	frontend->fd = fd;
	vhost_phase_enter(&frontend->talk, VHOST_PHASE_HANDSHAKE);
	pump(frontend);
}

/* Its end may lie behind the new connection in the event loop's list. */
static void old_one_check(struct vhost_frontend *frontend)
{
	char byte;

	if (frontend->fd >= 0 && recv(frontend->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
		log_info("%s: the switch has gone", frontend->name);
		disconnect(frontend);
	}
}

static void listen_readable(evutil_socket_t listen_fd, short what, void *data)
{
	struct vhost_frontend *frontend = data;
	int fd = sock_accept(listen_fd);
	uint64_t n;

	(void)what;
	if (fd < 0)
		return;
	old_one_check(frontend);
	if (frontend->fd < 0) {
		connect_new(frontend, fd);
		return;
	}
	close(fd);
	n = ++frontend->counters.n_refused;
	if ((n & (n - 1)) == 0)
		log_warning("%s: turned a second switch away: one is connected", frontend->name);
}

struct vhost_frontend *vhost_frontend_new(struct event_base *events, const char *name,
					  const char *path, int fd, const struct guest_mem *mem,
					  const struct vhost_frontend_ops *ops, void *owner,
					  struct err *err)
{
	struct vhost_frontend *frontend = calloc(1, sizeof(*frontend));

	if (!frontend) {
		err_set(err, ENOMEM, "%s: no memory", name);
		return NULL;
	}
	frontend->events = events;
	frontend->name = name;
	frontend->mem = mem;
	frontend->ops = ops;
	frontend->owner = owner;
	frontend->fd = frontend->received_fd = -1;
	vhost_phase_init(&frontend->talk);
	frontend->listen_fd = fd >= 0 ? fd : sock_listen(path, err);
	if (frontend->listen_fd < 0)
		goto fail;
	frontend->path = strdup(path);
	frontend->timeout = evtimer_new(events, backend_late, frontend);
	frontend->listen_event = event_new(events, frontend->listen_fd, EV_READ | EV_PERSIST,
					   listen_readable, frontend);
	if (!frontend->path || !frontend->timeout || !frontend->listen_event ||
	    event_add(frontend->listen_event, NULL)) {
		err_set(err, ENOMEM, "%s: no memory", name);
		if (fd >= 0)
			frontend->listen_fd = -1;
		goto fail;
	}
	return frontend;
fail:
	vhost_frontend_free(frontend);
	return NULL;
}

void vhost_frontend_free(struct vhost_frontend *frontend)
{
	if (!frontend)
		return;
	if (frontend->read_event)
		event_free(frontend->read_event);
	if (frontend->write_event)
		event_free(frontend->write_event);
	if (frontend->timeout)
		event_free(frontend->timeout);
	if (frontend->listen_event)
		event_free(frontend->listen_event);
	if (frontend->fd >= 0)
		close(frontend->fd);
	received_clear(frontend);
	vhost_phase_forget(&frontend->talk);
	sock_unlisten(frontend->listen_fd, frontend->path);
	free(frontend->path);
	free(frontend);
}

void vhost_frontend_run(struct vhost_frontend *frontend, const struct vhost_run *run,
			uint64_t enabled)
{
	frontend->next = *run;
	frontend->enabled = enabled;
	frontend->wanted = true;
	frontend->restart = has_rings(frontend);
	pump(frontend);
}

void vhost_frontend_enable(struct vhost_frontend *frontend, uint64_t enabled)
{
	frontend->enabled = enabled;
	pump(frontend);
}

bool vhost_frontend_halt(struct vhost_frontend *frontend)
{
	frontend->wanted = false;
	if (!has_rings(frontend)) {
		vhost_phase_forget(&frontend->talk);
		return true;
	}
	pump(frontend);
	return false;
}

void vhost_frontend_drop(struct vhost_frontend *frontend, const char *why)
{
	if (frontend->fd < 0)
		return;
	frontend->drop_why = why;
	pump(frontend);
}

struct vhost_frontend_counters vhost_frontend_counters(const struct vhost_frontend *frontend)
{
	return frontend->counters;
}
