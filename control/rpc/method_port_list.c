/* SPDX-License-Identifier: BSD-3-Clause */
/* port.list, drops: what runs, with its counters. */
#include <stdio.h>
#include <string.h>

#include "carrier.h"
#include "counters.h"
#include "datapath.h"
#include "drop.h"
#include "model_print.h"
#include "rpc/methods.h"

static json_t *sum_print(const struct counters_queue *sum)
{
	return json_pack("{s:I, s:I}", "pkts", (json_int_t)sum->pkts, "bytes",
			 (json_int_t)sum->bytes);
}

static json_t *queues_print(const struct port_queue_stats *queues, uint16_t n)
{
	json_t *list = json_array();

	for (uint16_t i = 0; i < n; i++) {
		struct counters_queue one = {0};

		counters_queue_add(&one, &queues[i]);
		json_array_append_new(
			list, json_pack("{s:I, s:I, s:I}", "pkts", (json_int_t)one.pkts, "bytes",
					(json_int_t)one.bytes, "wakeups", (json_int_t)one.wakeups));
	}
	return list;
}

/* Details may quote what a peer or the system said: make them good JSON. */
static json_t *text_print(const char *text)
{
	json_t *string = json_string(text);

	return string != NULL ? string : json_string("(not printable)");
}

/* In a list `rx` and `tx` are counters; the files of a pcap port have names of their own. */
static void key_rename(json_t *object, const char *from, const char *to)
{
	json_t *value = json_object_get(object, from);

	if (value == NULL)
		return;
	json_object_set(object, to, value);
	json_object_del(object, from);
}

static void doer_print(json_t *object, const struct live_port *live, uint16_t index, uint32_t duty)
{
	json_object_set_new(object, "worker",
			    json_integer(snapshot_doer(datapath_current(), index, duty)));
	json_object_set_new(object, "pinned", json_boolean(live->pinned >> duty & 1));
}

/* Who polls each queue, if it is one that is polled, and who sends on what waits in each impaired direction. */
static void doers_print(json_t *object, const struct live_port *live, uint16_t index)
{
	static const char *const directions[] = {[IMPAIR_IN] = "in", [IMPAIR_OUT] = "out"};
	const json_t *impaired = json_object_get(object, "impaired");
	json_t *queue;
	size_t i;

	if (index >= datapath_current()->n_ports)
		return;
	for (uint32_t d = 0; d < IMPAIR_DIRECTIONS; d++)
		if (live->impair[d] != NULL)
			doer_print(json_object_get(impaired, directions[d]), live, index,
				   SNAPSHOT_DIRECTION(d));
	if (live->port == NULL || live->port->ops->rx == NULL)
		return;
	json_array_foreach (json_object_get(object, "rxq"), i, queue)
		doer_print(queue, live, index, (uint32_t)i);
}

static void counters_print(json_t *object, const struct live_port *live)
{
	const struct port *port = live->port;
	struct counters_queue rx, tx;
	uint64_t drops[DROP_N];

	counters_port(live, &rx, &tx);
	counters_drops(live, drops);
	json_object_set_new(object, "rx", sum_print(&rx));
	json_object_set_new(object, "tx", sum_print(&tx));
	json_object_set_new(object, "rxq",
			    port != NULL ? queues_print(port->rxq, port->spec.n_queues)
					 : json_array());
	json_object_set_new(object, "txq",
			    port != NULL ? queues_print(port->txq, port->spec.n_queues)
					 : json_array());
	json_object_set_new(object, "drops", rpc_drops_print(drops));
}

static json_t *port_print(const struct control *control, const struct model_port *port,
			  const struct live_port *live)
{
	json_t *object = model_port_print(port), *impaired;
	struct port_status status;

	key_rename(object, "rx", "rx_file");
	key_rename(object, "tx", "tx_file");
	counters_status(live, &status);
	json_object_set_new(object, "index", json_integer(port->index));
	json_object_set_new(object, "connected", json_boolean(status.connected));
	json_object_set_new(object, "running", json_boolean(status.running));
	json_object_set_new(object, "link",
			    json_string(counters_link_is_up(port, live, &status) ? "up" : "down"));
	json_object_set_new(object, "n_queues", json_integer(status.n_queues));
	json_object_set_new(object, "features", json_integer((json_int_t)status.features));
	json_object_set_new(object, "packed", json_boolean(status.packed));
	json_object_set_new(object, "ring_size", json_integer(status.ring_size));
	json_object_set_new(object, "n_connects", json_integer((json_int_t)status.n_connects));
	json_object_set_new(object, "n_bad_rings", json_integer((json_int_t)status.n_bad_rings));
	json_object_set_new(object, "detail", text_print(status.detail));
	if (control->carrier != NULL && live->port != NULL) {
		json_object_set_new(object, "sees_carrier",
				    json_boolean(carrier_is_up(control->carrier, port)));
		json_object_set_new(object, "carrier_told",
				    json_boolean(carrier_is_told(control->carrier, port)));
	}
	impaired = rpc_impair_stats(live);
	if (impaired != NULL)
		json_object_set_new(object, "impaired", impaired);
	if (status.io != NULL) {
		json_object_set_new(object, "io", json_string(status.io));
		json_object_set_new(object, "io_detail", text_print(status.io_detail));
	}
	counters_print(object, live);
	doers_print(object, live, port->index);
	return object;
}

void rpc_port_list(struct rpc_call *call)
{
	const struct model *model = apply_model(call->control->apply);
	json_t *list;

	if (!rpc_params_none(call))
		return;
	list = json_array();
	for (size_t i = 0; i < model->n_ports; i++)
		json_array_append_new(
			list, port_print(call->control, model->ports[i],
					 apply_live(call->control->apply, model->ports[i])));
	call->result = json_pack("{s:o}", "ports", list);
}

void rpc_drops(struct rpc_call *call)
{
	const struct model *model = apply_model(call->control->apply);
	uint64_t sums[DROP_N];
	json_t *list;

	if (!rpc_params_none(call))
		return;
	list = json_array();
	for (size_t i = 0; i < model->n_ports; i++) {
		counters_drops(apply_live(call->control->apply, model->ports[i]), sums);
		for (int reason = 1; reason < DROP_N; reason++) {
			if (sums[reason] == 0)
				continue;
			json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:s}", "port",
							      model->ports[i]->spec.name, "reason",
							      drop_name(reason), "count",
							      (json_int_t)sums[reason], "sentence",
							      drop_sentence(reason)));
		}
	}
	call->result = json_pack("{s:o}", "drops", list);
}
