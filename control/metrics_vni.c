/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stddef.h>

#include "cables.h"
#include "drop.h"
#include "metrics_parts.h"
#include "overlay.h"

/* clang-format off */
static const struct {
	const char *name, *help;
	size_t field; /* of struct overlay_counters */
} metrics[] = {
	{"vni_receive_packets_total", "Frames from other hosts.", offsetof(struct overlay_counters, rx_pkts)},
	{"vni_receive_bytes_total", "Bytes from other hosts, of the inner frames.", offsetof(struct overlay_counters, rx_bytes)},
	{"vni_transmit_packets_total", "Frames to other hosts.", offsetof(struct overlay_counters, tx_pkts)},
	{"vni_transmit_bytes_total", "Bytes to other hosts, of the inner frames.", offsetof(struct overlay_counters, tx_bytes)},
	{"vni_suppressed_total", "Requests for a neighbour that were answered here instead of being flooded.",
	 offsetof(struct overlay_counters, suppressed)},
	{"vni_too_big_answers_total", "Answers to stations whose packets are too big for the way.",
	 offsetof(struct overlay_counters, too_big_answers)},
	{"vni_announced_total", "Stations announced to the other hosts.", offsetof(struct overlay_counters, announced)},
};
/* clang-format on */

static const struct overlay_counters *counters_of(const struct control *control,
						  const struct model_vni *vni)
{
	static const struct overlay_counters none;
	const struct overlay_counters *counters = overlay_vni_counters(control->overlay, vni->vni);

	return counters != NULL ? counters : &none;
}

static void states_print(const struct control *control, struct evbuffer *out)
{
	const struct model *model = apply_model(control->apply);

	metrics_family(out, "vni_info", GAUGE, "What a VNI is; the value is always 1.");
	for (size_t i = 0; i < model->n_vnis; i++)
		evbuffer_add_printf(
			out,
			"netloom_vni_info{vni=\"%s\",lab=\"%s\",switch=\"%s\",vlan=\"%u\"} 1\n",
			model->vnis[i]->name, model->vnis[i]->owner, model->vnis[i]->sw,
			(unsigned int)model->vnis[i]->vid);
	metrics_family(out, "vni_state", GAUGE,
		       "1 for the state a VNI is in, 0 for the others: up, degraded, down.");
	for (size_t i = 0; i < model->n_vnis; i++) {
		uint8_t now = overlay_vni_state(control->overlay, model->vnis[i]->vni)->state;

		for (unsigned int state = OVERLAY_UP; state <= OVERLAY_DOWN; state++)
			evbuffer_add_printf(
				out, "netloom_vni_state{vni=\"%s\",lab=\"%s\",state=\"%s\"} %d\n",
				model->vnis[i]->name, model->vnis[i]->owner,
				overlay_vni_word((uint8_t)state), state == now);
	}
}

/* Only of those that are cables: the others have no carrier to speak of. */
static void cables_print(const struct control *control, struct evbuffer *out)
{
	const struct model *model = apply_model(control->apply);

	metrics_family(out, "vni_carrier", GAUGE,
		       "1 while the cable to the other host is whole, 0 while it is not; only of "
		       "VNIs with liveness.");
	for (size_t i = 0; i < model->n_vnis; i++) {
		const struct cable *cable = cables_find(control->cables, model->vnis[i]->vni);

		if (cable != NULL)
			evbuffer_add_printf(out, "netloom_vni_carrier{vni=\"%s\",lab=\"%s\"} %d\n",
					    model->vnis[i]->name, model->vnis[i]->owner,
					    cable->carries);
	}
	metrics_family(out, "vni_carrier_changes_total", COUNTER, "How often that has changed.");
	for (size_t i = 0; i < model->n_vnis; i++) {
		const struct cable *cable = cables_find(control->cables, model->vnis[i]->vni);

		if (cable != NULL)
			evbuffer_add_printf(out,
					    "netloom_vni_carrier_changes_total{vni=\"%s\",lab=\"%s"
					    "\"} %" PRIu64 "\n",
					    model->vnis[i]->name, model->vnis[i]->owner,
					    cable->changes);
	}
}

static void drops_print(const struct control *control, struct evbuffer *out)
{
	const struct model *model = apply_model(control->apply);

	metrics_family(out, "vni_drops_total", COUNTER,
		       "Frames of both directions that did not pass, by reason; reasons that "
		       "never happened are absent.");
	for (size_t i = 0; i < model->n_vnis; i++) {
		const struct overlay_counters *counters = counters_of(control, model->vnis[i]);

		for (int reason = 1; reason < DROP_N; reason++) {
			uint64_t n = stats_read(&counters->drops[reason]);

			if (n != 0)
				evbuffer_add_printf(out,
						    "netloom_vni_drops_total{vni=\"%s\",lab=\"%s\","
						    "reason=\"%s\"} %" PRIu64 "\n",
						    model->vnis[i]->name, model->vnis[i]->owner,
						    drop_name((enum drop_reason)reason), n);
		}
	}
}

void metrics_vni_print(const struct control *control, struct evbuffer *out)
{
	const struct model *model = apply_model(control->apply);

	if (model->n_vnis == 0)
		return;
	states_print(control, out);
	for (size_t k = 0; k < sizeof(metrics) / sizeof(metrics[0]); k++) {
		metrics_family(out, metrics[k].name, COUNTER, metrics[k].help);
		for (size_t i = 0; i < model->n_vnis; i++)
			evbuffer_add_printf(
				out, "netloom_%s{vni=\"%s\",lab=\"%s\"} %" PRIu64 "\n",
				metrics[k].name, model->vnis[i]->name, model->vnis[i]->owner,
				stats_read((const uint64_t *)((const char *)counters_of(
								      control, model->vnis[i]) +
							      metrics[k].field)));
	}
	cables_print(control, out);
	drops_print(control, out);
}
