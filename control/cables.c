/* SPDX-License-Identifier: BSD-3-Clause */
/* See cables.h. Packets are received before sessions expire, so that a time in which this thread was busy is not taken for silence. */
#include "cables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "vxlan/liveness.h"
#include "vxlan/overlay.h"

#define TOGETHER_NS   5000000 /* what is due within this time is sent along, */
#define WAKE_MIN_US   5000    /* so nobody needs to wake earlier; what is urgent is due at once */
#define LEAVE_WAITS   50
#define LEAVE_WAIT_US 100
#define DRAIN_AT_ONCE 64
#define PUSH_AT_ONCE  64
#define US_PER_MS     1000

struct cables {
	cables_on_change on_change;
	void *arg;
	int event_fd;
	struct event *heard, *timer;
	struct cable *all; /* sorted by VNI */
	struct cable **by_switch;
	size_t n;
	uint64_t timer_ns; /* when the timer will run, BFD_NEVER */
};

static int vni_compare(const void *a, const void *b)
{
	const struct cable *x = a, *y = b;

	return x->vni < y->vni ? -1 : x->vni > y->vni;
}

static int switch_compare(const void *a, const void *b)
{
	return strcmp((*(struct cable *const *)a)->sw, (*(struct cable *const *)b)->sw);
}

static struct cable *by_vni(const struct cables *cables, uint32_t vni)
{
	const struct cable key = {.vni = vni};

	return cables == NULL || cables->n == 0
		       ? NULL
		       : bsearch(&key, cables->all, cables->n, sizeof(key), vni_compare);
}

static struct cable *by_switch(const struct cables *cables, const char *sw)
{
	for (size_t low = 0, high = cables != NULL ? cables->n : 0; low < high;) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(cables->by_switch[middle]->sw, sw);

		if (order == 0)
			return cables->by_switch[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The cable whose end this port is. */
static struct cable *by_port(const struct cables *cables, const struct model_port *port)
{
	if (cables == NULL || cables->n == 0 || port->attachment != MODEL_ON_SWITCH ||
	    strcmp(port->spec.type, MODEL_TYPE_VXLAN) == 0)
		return NULL;
	return by_switch(cables, port->target);
}

const struct cable *cables_find(const struct cables *cables, uint32_t vni)
{
	return by_vni(cables, vni);
}

bool cables_carry(const struct cables *cables, const struct model_port *port)
{
	const struct cable *cable = by_port(cables, port);

	return cable == NULL || cable->carries;
}

static bool is_silent(const struct cable *cable)
{
	return cable->mode == MODEL_LIVENESS_AUTO && !cable->session.is_heard;
}

const char *cable_word(const struct cable *cable)
{
	return is_silent(cable) ? "silent" : cable->carries ? "up" : "down";
}

void cable_explain(const struct cable *cable, char *text, size_t size)
{
	const struct bfd_session *session = &cable->session;

	if (cable->carries)
		text[0] = '\0';
	else if (session->state == BFD_UP)
		snprintf(text, size,
			 "the port at the other end is shut, or has nobody attached to it");
	else if (!session->is_heard)
		snprintf(text, size,
			 "vtep %s has not answered yet: is its end of the cable set up, and its "
			 "netloomd running?",
			 cable->vtep);
	else if (session->remote_state == BFD_ADMIN_DOWN)
		snprintf(text, size, "vtep %s has taken its end of the cable away", cable->vtep);
	else if (session->diag == BFD_DIAG_EXPIRED)
		snprintf(
			text, size,
			"vtep %s is not heard any more: its netloomd, its host or the way to it is "
			"down",
			cable->vtep);
	else
		snprintf(text, size,
			 "vtep %s and this host are about to agree that the way is good",
			 cable->vtep);
}

static void timer_set(struct cables *cables, uint64_t at_ns, uint64_t now_ns)
{
	struct timeval wait;
	uint64_t us;

	if (at_ns >= cables->timer_ns)
		return;
	cables->timer_ns = at_ns;
	us = at_ns > now_ns ? (at_ns - now_ns) / 1000 + 1 : 0;
	wait = (struct timeval){.tv_sec = (time_t)(us / 1000000),
				.tv_usec = (suseconds_t)(us % 1000000)};
	event_add(cables->timer, &wait);
}

/* Tell whoever looks at the port, if the carrier that the cable gives is another one now. */
static void settle(struct cables *cables, struct cable *cable)
{
	bool carries = bfd_session_is_whole(&cable->session) || is_silent(cable);
	char why[160];

	if (carries == cable->carries)
		return;
	cable->carries = carries;
	cable->changes++;
	cable_explain(cable, why, sizeof(why));
	log_info("vni %u: the cable to vtep %s is %s%s%s", cable->vni, cable->vtep,
		 carries ? "whole" : "broken", carries ? "" : ": ", why);
	cables->on_change(cable, cables->arg);
}

/* A packet for the cable has come. */
static void received(struct cables *cables, const struct liveness_event *event, uint64_t now_ns)
{
	struct cable *cable = by_vni(cables, event->vni);
	const struct overlay_view *view = overlay_view_current();
	int32_t index = view != NULL ? vtep_vni_find(view->table, event->vni) : -1;

	if (cable == NULL)
		return; /* it has just gone */
	if (bfd_session_receive(&cable->session, &event->packet, now_ns)) {
		cable->received++;
		settle(cables, cable);
		timer_set(cables, cable->session.send_at_ns, now_ns);
		return;
	}
	cable->refused++;
	if (index >= 0) /* only this thread counts under this reason */
		stats_add(&overlay_counters(view->table->vnis[index].slot)
				   ->drops[DROP_VXLAN_BFD_STRANGER],
			  1);
}

static void drain(struct cables *cables)
{
	struct liveness_event events[DRAIN_AT_ONCE];
	uint32_t left = LIVENESS_RING, n;

	do {
		n = liveness_drain(events, DRAIN_AT_ONCE);
		for (uint32_t i = 0; i < n; i++)
			received(cables, &events[i], clock_now_ns());
		left -= n;
	} while (n == DRAIN_AT_ONCE && left >= DRAIN_AT_ONCE);
	if (n == DRAIN_AT_ONCE) /* the writer wakes us only when it was empty */
		event_active(cables->heard, EV_READ, 0);
}

struct batch {
	struct liveness_event events[PUSH_AT_ONCE];
	uint32_t n;
};

static void batch_flush(struct batch *batch)
{
	if (batch->n > 0)
		liveness_push(batch->events, batch->n);
	batch->n = 0;
}

static struct bfd_packet *batch_next(struct batch *batch, uint32_t vni)
{
	if (batch->n == PUSH_AT_ONCE)
		batch_flush(batch);
	batch->events[batch->n].vni = vni;
	return &batch->events[batch->n++].packet;
}

/* Everything that is due. */
static void run(struct cables *cables)
{
	uint64_t now_ns, next_ns = BFD_NEVER;
	struct batch batch = {.n = 0};

	cables->timer_ns = BFD_NEVER;
	drain(cables);
	now_ns = clock_now_ns();
	for (size_t i = 0; i < cables->n; i++) {
		struct cable *cable = &cables->all[i];
		struct bfd_session *session = &cable->session;

		if (session->expires_ns <= now_ns) {
			bfd_session_expire(session, now_ns);
			settle(cables, cable);
		}
		if (session->send_at_ns <= now_ns + TOGETHER_NS) {
			bfd_session_send(session, batch_next(&batch, cable->vni), now_ns);
			cable->sent++;
		}
		if (bfd_session_next_ns(session) < next_ns)
			next_ns = bfd_session_next_ns(session);
	}
	batch_flush(&batch);
	if (next_ns < now_ns + WAKE_MIN_US * 1000)
		next_ns = now_ns + WAKE_MIN_US * 1000;
	if (cables->n > 0)
		timer_set(cables, next_ns, now_ns);
}

static void timer_ran(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	run(arg);
}

static void packets_came(evutil_socket_t fd, short what, void *arg)
{
	uint64_t value;

	(void)what;
	if (read(fd, &value, sizeof(value)) < 0)
		value = 0; /* called without need: fine */
	drain(arg);
}

struct cables *cables_new(struct event_base *base, cables_on_change on_change, void *arg,
			  struct err *err)
{
	struct cables *cables = calloc(1, sizeof(*cables));

	if (cables == NULL) {
		err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	cables->on_change = on_change;
	cables->arg = arg;
	cables->timer_ns = BFD_NEVER;
	cables->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	cables->timer = evtimer_new(base, timer_ran, cables);
	if (cables->event_fd >= 0)
		cables->heard = event_new(base, cables->event_fd, EV_READ | EV_PERSIST,
					  packets_came, cables);
	if (cables->timer == NULL || cables->heard == NULL || event_add(cables->heard, NULL) != 0) {
		err_set(err, ENOMEM, "out of memory");
		cables_free(cables);
		return NULL;
	}
	liveness_init(cables->event_fd);
	return cables;
}

static void wait_for_workers(void)
{
	for (int i = 0; i < LEAVE_WAITS && liveness_waits(); i++)
		usleep(LEAVE_WAIT_US);
}

/* NULL: it is no cable, there or any more. */
static const struct model_vni *vni_of(const struct model *model, uint32_t number)
{
	char name[PORT_NAME_MAX];
	const struct model_vni *vni;

	snprintf(name, sizeof(name), "%u", number);
	vni = model != NULL ? model_vni_find(model, name) : NULL;
	return vni != NULL && vni->liveness != MODEL_LIVENESS_OFF && vni->n_vteps == 1 ? vni : NULL;
}

/* Another VTEP is another cable, and a session of its own. */
static bool stays(const struct cable *cable, const struct model_vni *vni)
{
	return vni != NULL && strcmp(cable->vtep, vni->vteps[0]) == 0 &&
	       strcmp(cable->sw, vni->sw) == 0;
}

void cables_leave(struct cables *cables, const struct model *next)
{
	struct batch batch = {.n = 0};
	bool any = false;

	for (size_t i = 0; cables != NULL && i < cables->n; i++) {
		struct cable *cable = &cables->all[i];

		if (stays(cable, vni_of(next, cable->vni)))
			continue;
		bfd_session_leave(&cable->session, batch_next(&batch, cable->vni));
		any = true;
	}
	batch_flush(&batch);
	if (any)
		wait_for_workers();
}

static void cables_forget(struct cables *cables)
{
	free(cables->all);
	free(cables->by_switch);
}

void cables_free(struct cables *cables)
{
	if (cables == NULL)
		return;
	cables_leave(cables, NULL);
	liveness_init(-1);
	if (cables->timer != NULL)
		event_free(cables->timer);
	if (cables->heard != NULL)
		event_free(cables->heard);
	if (cables->event_fd >= 0)
		close(cables->event_fd);
	cables_forget(cables);
	free(cables);
}

/* Not 0, and no other session's: §6.8.1 of RFC 5880. */
static uint32_t discriminator_new(const struct cables *cables, const struct cable *all, size_t n)
{
	uint32_t discr;
	bool is_taken;

	do {
		if (getrandom(&discr, sizeof(discr), GRND_NONBLOCK) != sizeof(discr))
			discr = (uint32_t)clock_now_ns() ^ (uint32_t)(n << 20);
		is_taken = discr == 0;
		for (size_t i = 0; i < n && !is_taken; i++)
			is_taken = all[i].session.discr == discr;
		for (size_t i = 0; i < cables->n && !is_taken; i++)
			is_taken = cables->all[i].session.discr == discr;
	} while (is_taken);
	return discr;
}

static void cable_begin(struct cable *cable, const struct model_vni *vni, uint32_t discr,
			uint64_t now_ns)
{
	*cable = (struct cable){.vni = vni->vni, .mode = vni->liveness};
	memcpy(cable->sw, vni->sw, sizeof(cable->sw));
	memcpy(cable->vtep, vni->vteps[0], sizeof(cable->vtep));
	bfd_session_init(&cable->session, discr, vni->liveness_ms * US_PER_MS,
			 vni->liveness_multiplier, true, now_ns);
	cable->carries = is_silent(cable);
}

static void cable_go_on(struct cable *cable, const struct model_vni *vni, uint64_t now_ns)
{
	cable->mode = vni->liveness;
	cable->port[0] = '\0';
	if (cable->session.interval_us != vni->liveness_ms * US_PER_MS ||
	    cable->session.mult != vni->liveness_multiplier)
		bfd_session_change(&cable->session, vni->liveness_ms * US_PER_MS,
				   vni->liveness_multiplier, now_ns);
}

static void ports_name(struct cables *cables, const struct model *model)
{
	for (size_t i = 0; i < model->n_ports; i++) {
		struct cable *cable = by_port(cables, model->ports[i]);

		if (cable != NULL)
			memcpy(cable->port, model->ports[i]->spec.name, sizeof(cable->port));
	}
}

void cables_sync(struct cables *cables, const struct model *model)
{
	uint64_t now_ns = clock_now_ns();
	struct cable *all, **sorted;
	size_t n = 0;

	if (cables == NULL)
		return;
	for (size_t i = 0; i < model->n_vnis; i++)
		n += vni_of(model, model->vnis[i]->vni) != NULL;
	if (n == 0 && cables->n == 0)
		return;
	all = calloc(n + 1, sizeof(*all));
	sorted = calloc(n + 1, sizeof(struct cable *));
	if (all == NULL || sorted == NULL) {
		log_error("out of memory: cables to other hosts stay as they are until the next "
			  "change");
		free(all);
		free(sorted);
		return;
	}
	n = 0;
	for (size_t i = 0; i < model->n_vnis; i++) {
		const struct model_vni *vni = vni_of(model, model->vnis[i]->vni);
		const struct cable *old = vni != NULL ? by_vni(cables, vni->vni) : NULL;

		if (vni == NULL)
			continue;
		if (old != NULL && stays(old, vni)) {
			all[n] = *old;
			cable_go_on(&all[n], vni, now_ns);
		} else {
			cable_begin(&all[n], vni, discriminator_new(cables, all, n), now_ns);
		}
		n++;
	}
	qsort(all, n, sizeof(*all), vni_compare);
	for (size_t i = 0; i < n; i++)
		sorted[i] = &all[i];
	qsort(sorted, n, sizeof(struct cable *), switch_compare);
	cables_forget(cables);
	cables->all = all;
	cables->by_switch = sorted;
	cables->n = n;
	ports_name(cables, model);
	for (size_t i = 0; i < n; i++) {
		if (all[i].port[0] == '\0')
			bfd_session_end(&all[i].session, true, now_ns);
		settle(cables, &all[i]);
	}
	timer_set(cables, now_ns, now_ns);
}

void cables_end(struct cables *cables, const struct model_port *port, bool is_whole)
{
	struct cable *cable = by_port(cables, port);
	uint64_t now_ns;

	if (cable == NULL)
		return;
	now_ns = clock_now_ns();
	bfd_session_end(&cable->session, !is_whole, now_ns);
	timer_set(cables, cable->session.send_at_ns, now_ns);
}
