/* SPDX-License-Identifier: BSD-3-Clause */
#include "metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"
#include "counters.h"
#include "datapath.h"
#include "metrics_parts.h"

void metrics_family(struct evbuffer *out, const char *name, enum metric_type type, const char *help)
{
	evbuffer_add_printf(out, "# HELP netloom_%s %s\n# TYPE netloom_%s %s\n", name, help, name,
			    type == GAUGE ? "gauge" : "counter");
}

static void single(struct evbuffer *out, const char *name, enum metric_type type, uint64_t value,
		   const char *help)
{
	metrics_family(out, name, type, help);
	evbuffer_add_printf(out, "netloom_%s %" PRIu64 "\n", name, value);
}

static void print_daemon(const struct control *control, struct evbuffer *out)
{
	const struct model *model = apply_model(control->apply);
	double up_s = (double)(clock_now_ns() - control->started_ns) / 1e9;

	metrics_family(out, "build_info", GAUGE, "Version of netloomd; the value is always 1.");
	evbuffer_add_printf(out, "netloom_build_info{version=\"%s\"} 1\n", NETLOOM_VERSION);
	metrics_family(out, "start_time_seconds", GAUGE,
		       "When netloomd was started, in Unix time.");
	evbuffer_add_printf(out, "netloom_start_time_seconds %.3f\n", (double)time(NULL) - up_s);
	single(out, "hugepages", GAUGE, datapath_hugepages(),
	       "1 if the switch's memory is in hugepages.");
	single(out, "switches", GAUGE, model->n_switches, "Switches that exist.");
	single(out, "ports", GAUGE, model->n_ports, "Ports that exist.");
	single(out, "config_generation", GAUGE, apply_generation(control->apply),
	       "Number of the configuration that the workers use; grows with every change.");
}

static void print_fdb(struct evbuffer *out)
{
	const struct fdb *fdb = datapath_fdb();
	struct fdb_counters counters = fdb_counters(fdb);

	single(out, "fdb_entries", GAUGE, fdb_count(fdb), "Stations in the forwarding database.");
	single(out, "fdb_capacity_entries", GAUGE, fdb_capacity(fdb),
	       "Stations the forwarding database can hold.");
	single(out, "fdb_memory_bytes", GAUGE, fdb_bytes(fdb),
	       "Address space of the forwarding database.");
	single(out, "fdb_learned_total", COUNTER, counters.learned, "Stations learned.");
	single(out, "fdb_moved_total", COUNTER, counters.moved,
	       "Stations that were seen on another port than before.");
	single(out, "fdb_aged_total", COUNTER, counters.aged,
	       "Stations forgotten because they were silent for the ageing time.");
	metrics_family(out, "fdb_refused_total", COUNTER,
		       "Stations that were not learned, by reason.");
	evbuffer_add_printf(out,
			    "netloom_fdb_refused_total{reason=\"full\"} %" PRIu64 "\n"
			    "netloom_fdb_refused_total{reason=\"port-full\"} %" PRIu64 "\n"
			    "netloom_fdb_refused_total{reason=\"sticky\"} %" PRIu64 "\n",
			    counters.refused_full, counters.refused_port_full,
			    counters.refused_sticky);
}

/* clang-format off */
static const struct {
	const char *name, *help;
	size_t field; /* of struct datapath_worker_stats */
} worker_counters[] = {
	{"worker_polls_total", "Rounds over the ports.",
	 offsetof(struct datapath_worker_stats, polls)},
	{"worker_idle_polls_total", "Rounds over the ports that found nothing.",
	 offsetof(struct datapath_worker_stats, idle_polls)},
	{"worker_bursts_total", "Bursts of frames processed.",
	 offsetof(struct datapath_worker_stats, bursts)},
	{"worker_frames_total", "Frames processed.",
	 offsetof(struct datapath_worker_stats, frames)},
	{"worker_sleeps_total", "Times the worker went to sleep for want of work.",
	 offsetof(struct datapath_worker_stats, sleeps)},
	{"worker_learn_ring_full_total", "Stations the worker could not report to the writer in time.",
	 offsetof(struct datapath_worker_stats, learn_ring_full)},
};
/* clang-format on */

/* A family of times; @offset: of the nanoseconds in a worker's counters. */
static void print_worker_seconds(struct evbuffer *out, const struct datapath_worker_stats *stats,
				 uint16_t n, const char *name, const char *help, size_t offset)
{
	metrics_family(out, name, COUNTER, help);
	for (uint16_t i = 0; i < n; i++) {
		uint64_t ns = *(const uint64_t *)((const char *)&stats[i] + offset);

		evbuffer_add_printf(out, "netloom_%s{worker=\"%u\"} %" PRIu64 ".%09" PRIu64 "\n",
				    name, i, ns / CLOCK_NS_PER_SECOND, ns % CLOCK_NS_PER_SECOND);
	}
}

static void print_workers(struct evbuffer *out)
{
	struct datapath_worker_stats stats[PORT_WORKERS_MAX];
	uint16_t n = datapath_n_workers();

	for (uint16_t i = 0; i < n; i++)
		datapath_worker_stats(i, &stats[i]);
	print_worker_seconds(out, stats, n, "worker_cpu_seconds_total",
			     "CPU time of a datapath thread.",
			     offsetof(struct datapath_worker_stats, cpu_ns));
	print_worker_seconds(out, stats, n, "worker_busy_seconds_total",
			     "Time in rounds over the ports that found something to do.",
			     offsetof(struct datapath_worker_stats, busy_ns));
	metrics_family(out, "worker_asleep", GAUGE, "1 while the worker waits for a frame.");
	for (uint16_t i = 0; i < n; i++)
		evbuffer_add_printf(out, "netloom_worker_asleep{worker=\"%u\"} %d\n", i,
				    stats[i].asleep);
	for (size_t k = 0; k < sizeof(worker_counters) / sizeof(worker_counters[0]); k++) {
		metrics_family(out, worker_counters[k].name, COUNTER, worker_counters[k].help);
		for (uint16_t i = 0; i < n; i++)
			evbuffer_add_printf(out, "netloom_%s{worker=\"%u\"} %" PRIu64 "\n",
					    worker_counters[k].name, i,
					    *(const uint64_t *)((const char *)&stats[i] +
								worker_counters[k].field));
	}
}

/* What one port says, read once for all of its metrics. */
struct port_view {
	const struct model_port *port;
	const struct live_port *live;
	struct port_status status;
	struct counters_queue rx, tx;
};

static uint64_t view_up(const struct port_view *view)
{
	return counters_link_is_up(view->port, view->live, &view->status);
}

static uint64_t view_admin(const struct port_view *view)
{
	return view->port->admin_up;
}

static uint64_t view_connected(const struct port_view *view)
{
	return view->status.connected;
}

static uint64_t view_stations(const struct port_view *view)
{
	return view->port->index == SNAPSHOT_NONE
		       ? 0
		       : fdb_count_on_port(datapath_fdb(), view->port->index);
}

static uint64_t view_rx_pkts(const struct port_view *view)
{
	return view->rx.pkts;
}

static uint64_t view_rx_bytes(const struct port_view *view)
{
	return view->rx.bytes;
}

static uint64_t view_tx_pkts(const struct port_view *view)
{
	return view->tx.pkts;
}

static uint64_t view_tx_bytes(const struct port_view *view)
{
	return view->tx.bytes;
}

static uint64_t view_wakeups(const struct port_view *view)
{
	return view->tx.wakeups;
}

static uint64_t view_connects(const struct port_view *view)
{
	return view->status.n_connects;
}

static uint64_t view_bad_rings(const struct port_view *view)
{
	return view->status.n_bad_rings;
}

/* clang-format off */
static const struct {
	const char *name;
	enum metric_type type;
	uint64_t (*value)(const struct port_view *view);
	const char *help;
} port_metrics[] = {
	{"port_up", GAUGE, view_up, "1 if frames can flow: not shut, not flapping just now, and the peer's driver runs."},
	{"port_admin_up", GAUGE, view_admin, "0 if the port was shut."},
	{"port_connected", GAUGE, view_connected, "1 if a peer is attached."},
	{"port_fdb_entries", GAUGE, view_stations, "Stations behind the port."},
	{"port_receive_packets_total", COUNTER, view_rx_pkts, "Frames from the peer into the switch."},
	{"port_receive_bytes_total", COUNTER, view_rx_bytes, "Bytes from the peer into the switch."},
	{"port_transmit_packets_total", COUNTER, view_tx_pkts, "Frames from the switch to the peer."},
	{"port_transmit_bytes_total", COUNTER, view_tx_bytes, "Bytes from the switch to the peer."},
	{"port_notifications_total", COUNTER, view_wakeups, "Notifications sent to the peer."},
	{"port_connects_total", COUNTER, view_connects, "Times a peer has connected."},
	{"port_bad_rings_total", COUNTER, view_bad_rings, "Times a queue was stopped for a malformed ring."},
};
/* clang-format on */

/* Names have no character that would have to be escaped in a label (model_parse.c). */
static void port_line(struct evbuffer *out, const char *name, const struct model_port *port,
		      uint64_t value)
{
	evbuffer_add_printf(out, "netloom_%s{port=\"%s\",lab=\"%s\"} %" PRIu64 "\n", name,
			    port->spec.name, port->owner, value);
}

static void print_drops(const struct port_view *views, size_t n, struct evbuffer *out)
{
	uint64_t sums[DROP_N];

	metrics_family(
		out, "port_drops_total", COUNTER,
		"Frames that did not leave, by reason; reasons that never happened are absent.");
	for (size_t i = 0; i < n; i++) {
		counters_drops(views[i].live, sums);
		for (int reason = 1; reason < DROP_N; reason++) {
			if (sums[reason] != 0)
				evbuffer_add_printf(
					out,
					"netloom_port_drops_total{port=\"%s\",lab=\"%s\","
					"reason=\"%s\"} %" PRIu64 "\n",
					views[i].port->spec.name, views[i].port->owner,
					drop_name(reason), sums[reason]);
		}
	}
}

static void print_ports(const struct control *control, struct evbuffer *out)
{
	const struct model *model = apply_model(control->apply);
	struct port_view *views = calloc(model->n_ports + 1, sizeof(*views));

	for (size_t i = 0; views != NULL && i < model->n_ports; i++) {
		views[i].port = model->ports[i];
		views[i].live = apply_live(control->apply, model->ports[i]);
		counters_status(views[i].live, &views[i].status);
		counters_port(views[i].live, &views[i].rx, &views[i].tx);
	}
	if (views == NULL || model->n_ports == 0) {
		free(views);
		return;
	}
	metrics_family(out, "port_info", GAUGE, "What a port is; the value is always 1.");
	for (size_t i = 0; i < model->n_ports; i++)
		evbuffer_add_printf(
			out,
			"netloom_port_info{port=\"%s\",lab=\"%s\",type=\"%s\",switch=\"%s\",wire="
			"\"%s\"} "
			"1\n",
			views[i].port->spec.name, views[i].port->owner, views[i].port->spec.type,
			views[i].port->attachment == MODEL_ON_SWITCH ? views[i].port->target : "",
			views[i].port->attachment == MODEL_ON_WIRE ? views[i].port->target : "");
	for (size_t k = 0; k < sizeof(port_metrics) / sizeof(port_metrics[0]); k++) {
		metrics_family(out, port_metrics[k].name, port_metrics[k].type,
			       port_metrics[k].help);
		for (size_t i = 0; i < model->n_ports; i++)
			port_line(out, port_metrics[k].name, views[i].port,
				  port_metrics[k].value(&views[i]));
	}
	print_drops(views, model->n_ports, out);
	free(views);
}

void metrics_print(const struct control *control, struct evbuffer *out)
{
	print_daemon(control, out);
	print_workers(out);
	print_fdb(out);
	print_ports(control, out);
	metrics_impair_print(control, out);
	metrics_vni_print(control, out);
}
