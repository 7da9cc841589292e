/* SPDX-License-Identifier: BSD-3-Clause */
/* See sflow.h. The datagrams' format is in sflow_xdr.c. */
#include "eyes/sflow.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "counters.h"
#include "datapath.h"
#include "eyes/sflow_xdr.h"

#define PERIOD_MS	 200 /* samples wait no longer; §4.1 allows a second */
#define RING_BYTES	 (1u << 18)
#define SAMPLES_PER_TURN 4096

struct agent {
	struct eyes_watcher watcher; /* first */
	struct sflows *sflows;
	struct model_sflow definition;
	struct vxlan_ip address; /* of the agent, in the datagrams */
	struct event *timer;
	int fd;
	bool is_connected;
	uint64_t tried_ns; /* to connect */
	uint64_t started_ns, counters_due_ns;
	uint64_t n_datagrams, n_samples;
	uint32_t sequence;
	uint32_t *flow_sequences, *counter_sequences; /* by port index */
	int error;				      /* errno of the last datagram, 0: it went */
	struct sflow_datagram datagram;
	LIST_ENTRY(agent) next;
};

struct sflows {
	struct event_base *base;
	struct eyes *eyes;
	LIST_HEAD(agents, agent) agents;
};

struct sflows *sflows_new(struct event_base *base, struct eyes *eyes)
{
	struct sflows *sflows = calloc(1, sizeof(*sflows));

	if (sflows == NULL)
		return NULL;
	sflows->base = base;
	sflows->eyes = eyes;
	LIST_INIT(&sflows->agents);
	return sflows;
}

static void datagram_begin(struct agent *agent)
{
	uint64_t up_ms = (clock_now_ns() - agent->started_ns) / CLOCK_NS_PER_MS;

	sflow_begin(&agent->datagram, &agent->address, agent->sequence, (uint32_t)up_ms);
}

static void datagram_send(struct agent *agent)
{
	if (agent->datagram.n_samples > 0 && agent->is_connected) {
		agent->error = send(agent->fd, agent->datagram.bytes, agent->datagram.used,
				    MSG_DONTWAIT | MSG_NOSIGNAL) < 0
				       ? errno
				       : 0;
		/* Nobody listens there, or we are too fast; else the way, or our address, is gone. */
		agent->is_connected =
			agent->error == 0 || agent->error == ECONNREFUSED || agent->error == EAGAIN;
		agent->sequence++;
		agent->n_datagrams++;
	}
	datagram_begin(agent);
}

static void source_counts(const struct probe *probe, uint16_t port, struct sflow_flow *flow)
{
	uint64_t seen = 0, lost = 0;

	for (uint16_t i = 0; i < probe->n_rings; i++) {
		seen += stats_read(&probe->rings[i]->port_seen[port]);
		lost += stats_read(&probe->rings[i]->port_lost[port]);
	}
	flow->pool = (uint32_t)seen;
	flow->drops = (uint32_t)lost;
}

static void flows_write(struct agent *agent)
{
	const struct probe_record *record;
	struct probe_ring *ring = NULL;

	for (int i = 0;
	     i < SAMPLES_PER_TURN && (record = probe_next(agent->watcher.probe, &ring)) != NULL;
	     i++) {
		struct sflow_flow flow = {
			.sequence = ++agent->flow_sequences[record->port],
			.ifindex = record->port + 1u,
			.rate = agent->definition.rate,
			.frame_len = record->wire_len,
			.header_len = record->cap_len,
			.header = (const uint8_t *)(record + 1),
		};

		source_counts(agent->watcher.probe, record->port, &flow);
		agent->n_samples++;
		if (!sflow_add_flow(&agent->datagram, &flow)) {
			datagram_send(agent);
			sflow_add_flow(&agent->datagram, &flow);
		}
		probe_ring_pop(ring, record);
	}
}

static uint32_t sum_of(const uint64_t drops[DROP_N])
{
	uint64_t sum = 0;

	for (int i = 1; i < DROP_N; i++)
		sum += drops[i];
	return (uint32_t)sum;
}

static void counters_write(struct agent *agent, const struct model_port *port)
{
	const struct live_port *live = apply_live(eyes_apply(agent->sflows->eyes), port);
	struct counters_queue rx = {0}, tx = {0};
	struct port_status status;
	uint64_t drops[DROP_N];
	struct sflow_counters c = {
		.sequence = ++agent->counter_sequences[port->index],
		.ifindex = port->index + 1u,
		.admin_up = port->admin_up,
	};

	counters_port(live, &rx, &tx);
	counters_drops(live, drops);
	counters_status(live, &status);
	c.link_up = status.running;
	c.rx_bytes = rx.bytes;
	c.rx_pkts = (uint32_t)rx.pkts;
	c.tx_bytes = tx.bytes;
	c.tx_pkts = (uint32_t)tx.pkts;
	c.rx_drops = sum_of(drops); /* they are counted per port, not per direction */
	if (sflow_add_counters(&agent->datagram, &c))
		return;
	datagram_send(agent);
	sflow_add_counters(&agent->datagram, &c);
}

/*
 * Connected, so that the kernel chooses the source address, which is the agent's unless told otherwise. Without a route
 * (the network comes up after us, or changes) it is tried again.
 */
static void agent_connect(struct agent *agent)
{
	const struct model_sflow *definition = &agent->definition;
	static const struct vxlan_ip none;
	struct sockaddr_in6 six = {.sin6_family = AF_INET6,
				   .sin6_port = htons(definition->udp_port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(definition->udp_port)};
	bool is_v6 = definition->collector.is_v6;
	socklen_t len = is_v6 ? sizeof(six) : sizeof(four);
	struct sockaddr *address = is_v6 ? (struct sockaddr *)&six : (struct sockaddr *)&four;
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

	(void)connect(agent->fd, &nowhere, sizeof(nowhere)); /* forgets the source address */
	memcpy(&six.sin6_addr, definition->collector.b, 16);
	memcpy(&four.sin_addr, definition->collector.b, 4);
	agent->tried_ns = clock_now_ns();
	agent->is_connected = connect(agent->fd, address, len) == 0;
	agent->error = agent->is_connected ? 0 : errno;
	if (!agent->is_connected || !vxlan_ip_equal(&definition->agent, &none) ||
	    getsockname(agent->fd, address, &len) != 0)
		return;
	agent->address.is_v6 = is_v6;
	memcpy(agent->address.b, is_v6 ? (void *)&six.sin6_addr : (void *)&four.sin_addr,
	       is_v6 ? 16 : 4);
}

static void agent_tick(evutil_socket_t fd, short what, void *arg)
{
	struct agent *agent = arg;
	const struct model *model = eyes_model(agent->sflows->eyes);
	uint64_t now = clock_now_ns();

	(void)fd;
	(void)what;
	if (!agent->is_connected && now - agent->tried_ns >= CLOCK_NS_PER_SECOND) {
		agent_connect(agent);
		datagram_begin(agent); /* with the address that it has now */
	}
	flows_write(agent);
	if (agent->definition.interval_s != 0 && now >= agent->counters_due_ns) {
		agent->counters_due_ns = now + agent->definition.interval_s * CLOCK_NS_PER_SECOND;
		for (size_t i = 0; i < model->n_ports; i++) {
			if (eyes_matches(&agent->watcher.select, model, model->ports[i]))
				counters_write(agent, model->ports[i]);
		}
	}
	datagram_send(agent);
}

static void agent_free(struct agent *agent)
{
	if (agent->timer != NULL)
		event_free(agent->timer);
	if (agent->fd >= 0)
		close(agent->fd);
	free(agent->flow_sequences);
	free(agent->counter_sequences);
	free(agent);
}

static int agent_new(struct sflows *sflows, const struct model_sflow *definition)
{
	static const struct timeval period = {.tv_usec = PERIOD_MS * 1000};
	struct agent *agent = calloc(1, sizeof(*agent));
	struct eyes_select *select;
	struct err err = {.text = ""};

	if (agent == NULL)
		return -ENOMEM;
	agent->fd = socket(definition->collector.is_v6 ? AF_INET6 : AF_INET,
			   SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	agent->sflows = sflows;
	agent->definition = *definition;
	agent->address = definition->agent;
	agent->started_ns = clock_now_ns();
	agent->flow_sequences = calloc(SNAPSHOT_PORTS_MAX, sizeof(uint32_t));
	agent->counter_sequences = calloc(SNAPSHOT_PORTS_MAX, sizeof(uint32_t));
	agent->timer = event_new(sflows->base, -1, EV_PERSIST, agent_tick, agent);
	agent->watcher.probe = probe_new(datapath_n_workers(), RING_BYTES);
	if (agent->flow_sequences == NULL || agent->counter_sequences == NULL ||
	    agent->timer == NULL || agent->watcher.probe == NULL || agent->fd < 0 ||
	    event_add(agent->timer, &period) != 0)
		goto fail;
	agent_connect(agent);
	select = &agent->watcher.select;
	select->n_targets = definition->of.n;
	memcpy(select->targets, definition->of.names, sizeof(definition->of.names));
	select->points[PROBE_IN] = true;
	agent->watcher.probe->sample = definition->rate;
	agent->watcher.probe->snaplen = definition->header;
	datagram_begin(agent);
	if (eyes_add(sflows->eyes, &agent->watcher, &err) != 0)
		goto fail;
	LIST_INSERT_HEAD(&sflows->agents, agent, next);
	return 0;
fail:
	log_error("sflow \"%s\": cannot start: %s", definition->name,
		  err.text[0] != '\0' ? err.text : "no memory or no socket");
	probe_free(agent->watcher.probe);
	agent_free(agent);
	return -EIO;
}

static void agent_end(struct agent *agent)
{
	LIST_REMOVE(agent, next);
	event_del(agent->timer); /* also of one that the workers keep, see eyes_remove() */
	eyes_remove(&agent->watcher);
	if (agent->watcher.probe == NULL)
		agent_free(agent);
}

void sflows_free(struct sflows *sflows)
{
	if (sflows == NULL)
		return;
	while (!LIST_EMPTY(&sflows->agents))
		agent_end(LIST_FIRST(&sflows->agents));
	free(sflows);
}

static struct agent *agent_find(const struct sflows *sflows, const char *name)
{
	struct agent *agent;

	LIST_FOREACH (agent, &sflows->agents, next) {
		/* cppcheck-suppress uninitvar; it does not know LIST_FOREACH */
		if (strcmp(agent->definition.name, name) == 0)
			return agent;
	}
	return NULL;
}

void sflows_sync(struct sflows *sflows, const struct model *model)
{
	struct agent *agent, *after;

	for (agent = LIST_FIRST(&sflows->agents); agent != NULL; agent = after) {
		const struct model_sflow *wanted = model_sflow_find(model, agent->definition.name);

		after = LIST_NEXT(agent, next);
		if (wanted == NULL || !model_sflow_equal(wanted, &agent->definition))
			agent_end(agent);
	}
	for (size_t i = 0; i < model->n_sflows; i++) {
		if (agent_find(sflows, model->sflows[i]->name) == NULL)
			agent_new(sflows, model->sflows[i]);
	}
}

void sflows_status(const struct sflows *sflows, const char *name, json_t *object)
{
	const struct agent *agent = agent_find(sflows, name);
	uint64_t n_seen = 0, n_frames = 0, n_lost = 0;
	char detail[128] = "";

	if (agent == NULL)
		snprintf(detail, sizeof(detail), "it could not be started: see the log");
	else if (agent->error != 0)
		snprintf(detail, sizeof(detail), "the collector cannot be reached: %s",
			 strerror(agent->error));
	if (agent != NULL)
		probe_count(agent->watcher.probe, &n_seen, &n_frames, &n_lost);
	json_object_set_new(object, "seen", json_integer((json_int_t)n_seen));
	json_object_set_new(object, "samples", json_integer((json_int_t)n_frames));
	json_object_set_new(object, "lost", json_integer((json_int_t)n_lost));
	json_object_set_new(object, "datagrams",
			    json_integer(agent != NULL ? (json_int_t)agent->n_datagrams : 0));
	json_object_set_new(object, "detail", json_string(detail));
}
