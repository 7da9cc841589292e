/* SPDX-License-Identifier: BSD-3-Clause */
#include "apply_snapshot.h"

#include <string.h>

#include "apply_impair.h"
#include "datapath.h"
#include "vxlan/snoop.h"

static bool runs(const struct model_port *port, const struct live_port *live)
{
	return model_port_is_patch(port) || live[port->index].port != NULL;
}

/* Index of the named port if it runs. */
static uint16_t running_index(const struct model *model, const struct live_port *live,
			      const char *name)
{
	const struct model_port *port = model_port_find(model, name);

	return port != NULL && runs(port, live) ? port->index : SNAPSHOT_NONE;
}

static void port_fill(struct port_config *config, const struct model *model,
		      const struct model_port *port, const struct live_port *live)
{
	const struct live_port *own = &live[port->index];

	if (!runs(port, live))
		return;
	config->port = own->port;
	config->patch_drops = own->patch_drops;
	config->patch_stats = own->patch_stats;
	config->role = PORT_DETACHED;
	config->is_patch = model_port_is_patch(port);
	config->admin_up = port->admin_up && !own->is_flapped;
	config->mtu = port->mtu;
	config->fdb_limit = port->fdb_limit;
	config->sticky = port->sticky;
	config->vlan = port->vlan;
	config->is_tunnel = strcmp(port->spec.type, MODEL_TYPE_VXLAN) == 0;
	if (config->is_tunnel)
		config->vlan.mode =
			VLAN_ACCESS; /* frames carry no tag in a tunnel: the VNI says it */
	if (config->is_patch)
		config->peer = running_index(model, live, port->patch_peer);
	if (port->attachment == MODEL_ON_SWITCH) {
		config->role = PORT_SWITCHED;
		config->sw = model_switch_find(model, port->target)->index;
	} else if (port->attachment == MODEL_ON_WIRE) {
		config->peer = running_index(model, live, port->target);
		if (config->peer != SNAPSHOT_NONE)
			config->role = PORT_WIRE;
	}
}

static void switch_fill(struct switch_config *config, const struct model *model,
			const struct model_switch *sw, const struct live_port *live)
{
	config->used = true;
	memcpy(config->reserved, sw->reserved, sizeof(config->reserved));
	config->peer_port = running_index(model, live, sw->peer_port);
	config->learning = sw->learning;
	config->ageing_s = sw->ageing_s;
}

/* Where ARP and ND are suppressed, all that is said about addresses is of interest. */
static void snoops_fill(struct snapshot *snapshot, const struct model *model)
{
	bool suppresses[SNAPSHOT_SWITCHES_MAX] = {false};

	for (size_t i = 0; i < model->n_vnis; i++) {
		const struct model_switch *sw = model_switch_find(model, model->vnis[i]->sw);

		if (sw != NULL && model->vnis[i]->suppress)
			suppresses[sw->index] = true;
	}
	for (uint16_t i = 0; i < snapshot->n_ports; i++) {
		struct port_config *port = &snapshot->ports[i];

		port->snoops = port->role == PORT_SWITCHED && suppresses[port->sw];
	}
}

/* The duties of another worker than the one they began with. */
static void moves_fill(struct snapshot *snapshot, const struct live_port *live)
{
	for (uint16_t i = 0; i < snapshot->n_ports; i++)
		for (uint32_t duty = 0; duty < SNAPSHOT_DUTIES_MAX; duty++)
			if (live[i].doers[duty] != 0)
				snapshot_move(snapshot, i, (uint16_t)duty, live[i].doers[duty] - 1);
}

struct snapshot *apply_snapshot_build(const struct model *model, const struct live_port *live,
				      uint64_t generation)
{
	uint16_t n_ports = 0, n_switches = 0;
	struct snapshot *snapshot;

	for (size_t i = 0; i < model->n_ports; i++) {
		if (model->ports[i]->index >= n_ports)
			n_ports = model->ports[i]->index + 1;
	}
	for (size_t i = 0; i < model->n_switches; i++) {
		if (model->switches[i]->index >= n_switches)
			n_switches = model->switches[i]->index + 1;
	}
	snapshot = snapshot_new(datapath_fdb(), n_ports, n_switches, datapath_n_workers());
	if (snapshot == NULL)
		return NULL;
	snapshot->generation = generation;
	snapshot->snoop = snoop_frame;
	for (uint16_t i = 0; i < n_ports; i++) {
		snapshot->ports[i].sw = SNAPSHOT_NONE;
		snapshot->ports[i].peer = SNAPSHOT_NONE;
	}
	for (size_t i = 0; i < model->n_switches; i++)
		switch_fill(&snapshot->switches[model->switches[i]->index], model,
			    model->switches[i], live);
	for (size_t i = 0; i < model->n_ports; i++)
		port_fill(&snapshot->ports[model->ports[i]->index], model, model->ports[i], live);
	snoops_fill(snapshot, model);
	moves_fill(snapshot, live);
	if (apply_impair_fill(snapshot, model, live) == 0 && snapshot_finish(snapshot) == 0)
		return snapshot;
	snapshot_free(snapshot);
	return NULL;
}
