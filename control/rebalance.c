/* SPDX-License-Identifier: BSD-3-Clause */
#include "rebalance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "balance.h"
#include "base/clock.h"
#include "base/log.h"
#include "control.h"
#include "datapath.h"
#include "rpc/server.h"
#include "stats.h"

#define RECENT_MAX 32 /* moves within REBALANCE_REST_S: at most one in two seconds */

/* What a port's duties had taken when they were last looked at: queues received, impaired directions sent on. */
struct sample {
	const void *who[SNAPSHOT_DUTIES_MAX]; /* another: the index was given to another port */
	uint64_t load[SNAPSHOT_DUTIES_MAX];
};

struct recent {
	const void *who;
	uint16_t duty;
	uint64_t at_ns;
};

struct rebalance {
	struct control *control;
	struct event *timer;
	bool automatic;
	uint64_t at_ns;			    /* of the last tick */
	uint64_t busy_ns[PORT_WORKERS_MAX]; /* as read then */
	uint32_t busy[PORT_WORKERS_MAX];    /* per mille of the time before it */
	uint64_t n_taken[PORT_WORKERS_MAX];
	bool has_samples; /* of the last tick */
	size_t n_samples;
	struct sample *samples; /* [n_samples], by port index */
	struct recent recent[RECENT_MAX];
	unsigned int next_recent;
};

static bool is_direction(uint16_t duty)
{
	return duty >= PORT_QUEUES_MAX;
}

/* What the duty is about: another one when the port is. NULL: there is no such duty. */
static const void *about(const struct live_port *live, uint16_t duty)
{
	if (is_direction(duty))
		return live->impair[duty - PORT_QUEUES_MAX];
	if (live->port == NULL || live->port->ops->rx == NULL || duty >= live->port->spec.n_queues)
		return NULL;
	return live->port;
}

/* What it has taken in all. */
static uint64_t load_of(const struct live_port *live, uint16_t duty)
{
	const struct port_queue_stats *queue;
	struct impair_stats stats;

	if (is_direction(duty)) {
		impair_stats_get(live->impair[duty - PORT_QUEUES_MAX], &stats);
		return balance_load(stats.left_frames, stats.left_bytes);
	}
	queue = &live->port->rxq[duty];
	return balance_load(stats_read(&queue->pkts), stats_read(&queue->bytes));
}

static bool is_resting(const struct rebalance *r, const void *who, uint16_t duty)
{
	for (int i = 0; i < RECENT_MAX; i++) {
		const struct recent *recent = &r->recent[i];

		if (recent->who == who && recent->duty == duty &&
		    r->at_ns - recent->at_ns < REBALANCE_REST_S * CLOCK_NS_PER_SECOND)
			return true;
	}
	return false;
}

static void tell(const struct rebalance *r, const struct model_port *port, uint16_t duty,
		 uint16_t from, uint16_t to, const char *why)
{
	json_t *event = json_pack("{s:s, s:s, s:i, s:i, s:s}", "kind", "queue", "port",
				  port->spec.name, "from", from, "to", to, "why", why);

	if (is_direction(duty)) {
		const char *name = duty == SNAPSHOT_DIRECTION(IMPAIR_IN) ? "in" : "out";

		json_object_set_new(event, "impaired", json_string(name));
		log_info(
			"port \"%s\": frames that wait on the way %s are sent on by worker %u, not "
			"by %u: %s",
			port->spec.name, name, to, from, why);
	} else {
		json_object_set_new(event, "queue", json_integer(duty));
		log_info("port \"%s\": queue %u is polled by worker %u, not by %u: %s",
			 port->spec.name, duty, to, from, why);
	}
	rpc_server_event(r->control->rpc, event);
	json_decref(event);
}

static int move(struct rebalance *r, const struct model_port *port, uint16_t duty, uint16_t to,
		const char *why)
{
	uint16_t from = snapshot_doer(datapath_current(), port->index, duty);

	if (from == to)
		return 0;
	if (apply_duty_move(r->control->apply, port, duty, to) != 0)
		return -ENOMEM;
	r->n_taken[to]++;
	r->has_samples = false;
	r->recent[r->next_recent++ % RECENT_MAX] = (struct recent){
		.who = about(apply_live(r->control->apply, port), duty),
		.duty = duty,
		.at_ns = r->at_ns,
	};
	tell(r, port, duty, from, to, why);
	return 0;
}

static bool samples_reserve(struct rebalance *r, size_t n)
{
	struct sample *more;

	if (n <= r->n_samples)
		return true;
	more = realloc(r->samples, n * sizeof(*more));
	if (more == NULL)
		return false;
	memset(&more[r->n_samples], 0, (n - r->n_samples) * sizeof(*more));
	r->samples = more;
	r->n_samples = n;
	return true;
}

/* What a duty has taken since the last look, which is now. 0 at the first one. */
static uint64_t load_since(struct rebalance *r, uint16_t index, const struct live_port *live,
			   uint16_t duty)
{
	struct sample *sample = &r->samples[index];
	const void *who = about(live, duty);
	uint64_t load = load_of(live, duty), before = sample->load[duty];
	bool is_known = r->has_samples && sample->who[duty] == who && load >= before;

	sample->who[duty] = who;
	sample->load[duty] = load;
	return is_known ? load - before : 0;
}

/* All duties, with what they have taken. Return: how many; @ports: out, whose each is. */
static size_t queues_look(struct rebalance *r, struct balance_queue *queues,
			  const struct model_port **ports, size_t max)
{
	const struct model *model = apply_model(r->control->apply);
	const struct snapshot *cfg = datapath_current();
	size_t n = 0;

	for (size_t i = 0; i < model->n_ports; i++) {
		const struct live_port *live = apply_live(r->control->apply, model->ports[i]);
		uint16_t index = model->ports[i]->index;

		if (index >= cfg->n_ports)
			continue;
		for (uint16_t duty = 0; duty < SNAPSHOT_DUTIES_MAX && n < max; duty++) {
			if (about(live, duty) == NULL)
				continue;
			queues[n] = (struct balance_queue){
				.duty = duty,
				.worker = snapshot_doer(cfg, index, duty),
				.is_fixed = (live->pinned >> duty & 1) != 0 ||
					    is_resting(r, about(live, duty), duty),
				.load = load_since(r, index, live, duty),
			};
			ports[n++] = model->ports[i];
		}
	}
	return n;
}

static void balance(struct rebalance *r)
{
	size_t max = 0, n;
	const struct model *model = apply_model(r->control->apply);
	const struct model_port **ports;
	struct balance_queue *queues;
	struct balance_move chosen;

	for (size_t i = 0; i < model->n_ports; i++)
		max += model->ports[i]->spec.n_queues + IMPAIR_DIRECTIONS;
	queues = calloc(max + 1, sizeof(*queues));
	ports = calloc(max + 1, sizeof(*ports));
	if (queues != NULL && ports != NULL && samples_reserve(r, datapath_current()->n_ports)) {
		bool had_samples = r->has_samples;

		n = queues_look(r, queues, ports, max);
		r->has_samples = true;
		if (had_samples &&
		    balance_choose(r->busy, datapath_n_workers(), queues, n, &chosen) &&
		    move(r, ports[chosen.queue], queues[chosen.queue].duty, chosen.to,
			 "that one was busy and this one had room") != 0)
			log_warning("out of memory: a busy worker keeps its queues");
	}
	free(queues);
	free(ports);
}

/* Return: whether a worker is busy. */
static bool workers_look(struct rebalance *r, uint64_t now)
{
	uint64_t elapsed = now - r->at_ns;
	bool any = false;

	for (uint16_t i = 0; i < datapath_n_workers(); i++) {
		struct datapath_worker_stats stats;
		uint64_t busy;

		datapath_worker_stats(i, &stats);
		busy = elapsed > 0 ? (stats.busy_ns - r->busy_ns[i]) * 1000 / elapsed : 0;
		r->busy[i] = busy > 1000 ? 1000 : (uint32_t)busy;
		r->busy_ns[i] = stats.busy_ns;
		any |= r->busy[i] >= BALANCE_BUSY;
	}
	r->at_ns = now;
	return any;
}

void rebalance_tick(struct rebalance *r, uint64_t now_ns)
{
	if (workers_look(r, now_ns) && r->automatic && datapath_n_workers() > 1)
		balance(r);
	else
		r->has_samples = false;
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	rebalance_tick(arg, clock_now_ns());
}

struct rebalance *rebalance_new(struct control *control, bool automatic)
{
	static const struct timeval second = {.tv_sec = 1};
	struct rebalance *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->control = control;
	r->automatic = automatic;
	workers_look(r, clock_now_ns());
	r->timer = event_new(control->base, -1, EV_PERSIST, tick, r);
	if (r->timer != NULL && event_add(r->timer, &second) == 0)
		return r;
	rebalance_free(r);
	return NULL;
}

void rebalance_free(struct rebalance *r)
{
	if (r == NULL)
		return;
	if (r->timer != NULL)
		event_free(r->timer);
	free(r->samples);
	free(r);
}

uint32_t rebalance_busy(const struct rebalance *r, uint16_t worker)
{
	return r != NULL ? r->busy[worker] : 0;
}

uint64_t rebalance_taken(const struct rebalance *r, uint16_t worker)
{
	return r != NULL ? r->n_taken[worker] : 0;
}

int rebalance_pin(struct rebalance *r, const struct model_port *port, uint16_t duty, int worker,
		  struct err *err)
{
	if (worker >= 0 && move(r, port, duty, (uint16_t)worker, "it was asked for") != 0)
		return err_set(err, ENOMEM, "out of memory");
	apply_duty_pin(r->control->apply, port, duty, worker >= 0);
	return 0;
}
