/* SPDX-License-Identifier: BSD-3-Clause */
#include "rebalance.h"

#include <errno.h>
#include <stdlib.h>

#include "balance.h"
#include "base/clock.h"
#include "base/log.h"
#include "control.h"
#include "datapath.h"
#include "rpc/server.h"
#include "stats.h"

#define RECENT_MAX 32 /* moves within REBALANCE_REST_S: at most one in two seconds */

/* What a port's queues had received when they were last looked at. */
struct sample {
	const struct port *who; /* another: the index was given to another port */
	uint64_t load[PORT_QUEUES_MAX];
};

struct recent {
	const struct port *who;
	uint16_t queue;
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

static bool is_resting(const struct rebalance *r, const struct port *who, uint16_t queue)
{
	for (int i = 0; i < RECENT_MAX; i++) {
		const struct recent *recent = &r->recent[i];

		if (recent->who == who && recent->queue == queue &&
		    r->at_ns - recent->at_ns < REBALANCE_REST_S * CLOCK_NS_PER_SECOND)
			return true;
	}
	return false;
}

static void tell(const struct rebalance *r, const struct model_port *port, uint16_t queue,
		 uint16_t from, uint16_t to, const char *why)
{
	json_t *event =
		json_pack("{s:s, s:s, s:i, s:i, s:i, s:s}", "kind", "queue", "port",
			  port->spec.name, "queue", queue, "from", from, "to", to, "why", why);

	rpc_server_event(r->control->rpc, event);
	json_decref(event);
	log_info("port \"%s\": queue %u is polled by worker %u, not by %u: %s", port->spec.name,
		 queue, to, from, why);
}

static int move(struct rebalance *r, const struct model_port *port, uint16_t queue, uint16_t to,
		const char *why)
{
	uint16_t from = snapshot_poller(datapath_current(), port->index, queue);

	if (from == to)
		return 0;
	if (apply_queue_move(r->control->apply, port, queue, to) != 0)
		return -ENOMEM;
	r->n_taken[to]++;
	r->has_samples = false;
	r->recent[r->next_recent++ % RECENT_MAX] = (struct recent){
		.who = apply_live(r->control->apply, port)->port,
		.queue = queue,
		.at_ns = r->at_ns,
	};
	tell(r, port, queue, from, to, why);
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
	for (size_t i = r->n_samples; i < n; i++)
		more[i].who = NULL;
	r->samples = more;
	r->n_samples = n;
	return true;
}

/* What a queue has received since the last look, which is now. 0 at the first one. */
static uint64_t load_since(struct rebalance *r, uint16_t index, const struct port *port,
			   uint16_t queue)
{
	uint64_t load = balance_load(stats_read(&port->rxq[queue].pkts),
				     stats_read(&port->rxq[queue].bytes));
	uint64_t before = r->samples[index].load[queue];
	bool is_known = r->has_samples && r->samples[index].who == port && load >= before;

	r->samples[index].load[queue] = load;
	return is_known ? load - before : 0;
}

/* All rx queues, with what they have received. Return: how many; @ports: out, whose each is. */
static size_t queues_look(struct rebalance *r, struct balance_queue *queues,
			  const struct model_port **ports, size_t max)
{
	const struct model *model = apply_model(r->control->apply);
	const struct snapshot *cfg = datapath_current();
	size_t n = 0;

	for (size_t i = 0; i < model->n_ports; i++) {
		const struct live_port *live = apply_live(r->control->apply, model->ports[i]);
		uint16_t index = model->ports[i]->index;

		if (live->port == NULL || live->port->ops->rx == NULL || index >= cfg->n_ports)
			continue;
		for (uint16_t q = 0; q < live->port->spec.n_queues && n < max; q++) {
			queues[n] = (struct balance_queue){
				.port = index,
				.queue = q,
				.worker = snapshot_poller(cfg, index, q),
				.is_fixed = (live->pinned >> q & 1) != 0 ||
					    is_resting(r, live->port, q),
				.load = load_since(r, index, live->port, q),
			};
			ports[n++] = model->ports[i];
		}
		r->samples[index].who = live->port;
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
		max += model->ports[i]->spec.n_queues;
	queues = calloc(max + 1, sizeof(*queues));
	ports = calloc(max + 1, sizeof(*ports));
	if (queues != NULL && ports != NULL && samples_reserve(r, datapath_current()->n_ports)) {
		bool had_samples = r->has_samples;

		n = queues_look(r, queues, ports, max);
		r->has_samples = true;
		if (had_samples &&
		    balance_choose(r->busy, datapath_n_workers(), queues, n, &chosen) &&
		    move(r, ports[chosen.queue], queues[chosen.queue].queue, chosen.to,
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

int rebalance_pin(struct rebalance *r, const struct model_port *port, uint16_t queue, int worker,
		  struct err *err)
{
	if (worker >= 0 && move(r, port, queue, (uint16_t)worker, "it was asked for") != 0)
		return err_set(err, ENOMEM, "out of memory");
	apply_queue_pin(r->control->apply, port, queue, worker >= 0);
	return 0;
}
