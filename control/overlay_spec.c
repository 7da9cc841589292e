/* SPDX-License-Identifier: BSD-3-Clause */
#include "overlay_spec.h"

#include <stdlib.h>
#include <string.h>

static bool is_uplink(const struct model_port *port)
{
	return strcmp(port->spec.type, MODEL_TYPE_UPLINK) == 0;
}

const struct model_port *overlay_uplink_at(const struct model *model, uint16_t position)
{
	for (size_t i = 0; i < model->n_ports; i++) {
		if (is_uplink(model->ports[i]) && position-- == 0)
			return model->ports[i];
	}
	return NULL;
}

static void locals_fill(const struct model *model, struct overlay_spec *out)
{
	uint16_t position = 0;

	for (size_t i = 0; i < model->n_ports; i++) {
		const struct uplink_config *config = &model->ports[i]->uplink.config;

		if (!is_uplink(model->ports[i]))
			continue;
		out->spec.udp_port = config->udp_port;
		for (uint8_t j = 0; j < config->n_locals && out->spec.n_locals < VTEP_LOCALS_MAX;
		     j++) {
			out->local_uplink[out->spec.n_locals] = position;
			out->locals[out->spec.n_locals++] = config->locals[j];
		}
		position++;
	}
}

/* The VTEP address of an uplink that is of the same family as the remote one. */
static uint16_t local_find(const struct model *model, const struct overlay_spec *spec,
			   const struct model_vtep *vtep)
{
	for (uint16_t i = 0; i < spec->spec.n_locals; i++) {
		const struct model_port *uplink = overlay_uplink_at(model, spec->local_uplink[i]);

		if (strcmp(uplink->spec.name, vtep->uplink) == 0 &&
		    spec->locals[i].is_v6 == vtep->remote.is_v6)
			return i;
	}
	return VTEP_NONE;
}

static uint16_t switch_number(const struct model *model, const char *name, bool running)
{
	for (size_t i = 0; i < model->n_switches; i++) {
		if (strcmp(model->switches[i]->name, name) == 0)
			return running ? model->switches[i]->index : (uint16_t)i;
	}
	return VTEP_NONE;
}

static void peer_fill(const struct model *model, const struct model_vtep *vtep, uint16_t local,
		      struct vtep_peer_spec *peer)
{
	const struct model_uplink *uplink = &model_port_find(model, vtep->uplink)->uplink;

	*peer = (struct vtep_peer_spec){.remote = vtep->remote,
					.local = local,
					.udp_port = vtep->udp_port,
					.src_port_min = uplink->src_port_min,
					.src_port_max = uplink->src_port_max,
					.dscp_fixed = vtep->dscp_fixed,
					.dscp = vtep->dscp,
					.csum = vtep->csum};
}

static void peers_fill(const struct model *model, struct overlay_spec *out, uint16_t *peer_of)
{
	for (size_t i = 0; i < model->n_vteps; i++) {
		uint16_t local = local_find(model, out, model->vteps[i]);

		peer_of[i] = VTEP_NONE;
		if (local == VTEP_NONE || out->spec.n_peers == VTEP_PEERS_MAX)
			continue;
		peer_of[i] = out->spec.n_peers;
		out->peer_vtep[out->spec.n_peers] = (uint16_t)i;
		peer_fill(model, model->vteps[i], local, &out->peers[out->spec.n_peers++]);
	}
}

uint16_t overlay_vtep_number(const struct model *model, const char *name)
{
	for (size_t low = 0, high = model->n_vteps; low < high;) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(model->vteps[middle]->name, name);

		if (order == 0)
			return (uint16_t)middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return VTEP_NONE;
}

static void vnis_fill(const struct model *model, struct overlay_spec *out, const uint16_t *peer_of,
		      bool running)
{
	struct vtep_member *member = out->members;

	for (size_t i = 0; i < model->n_vnis; i++) {
		const struct model_vni *vni = model->vnis[i];
		struct vtep_vni_spec *spec = &out->vnis[i];

		*spec = (struct vtep_vni_spec){.vni = vni->vni,
					       .sw = switch_number(model, vni->sw, running),
					       .vid = vni->vid,
					       .mtu = vni->mtu,
					       .tag = vni->tag,
					       .flood_off = !vni->flood,
					       .learning_off = !vni->learning,
					       .suppress = vni->suppress,
					       .announce = vni->announce,
					       .liveness = vni->liveness != MODEL_LIVENESS_OFF,
					       .members = member};
		for (uint16_t j = 0; j < vni->n_vteps; j++) {
			uint16_t number = overlay_vtep_number(model, vni->vteps[j]);

			if (number == VTEP_NONE || peer_of[number] == VTEP_NONE)
				continue;
			*member++ = (struct vtep_member){.peer = peer_of[number], .flood = true};
			spec->n_members++;
		}
		for (size_t j = 0; vni->learn_vteps && j < model->n_vteps; j++) {
			if (peer_of[j] == VTEP_NONE || !model_vni_may_join(vni, model->vteps[j]))
				continue;
			*member++ = (struct vtep_member){.peer = peer_of[j]};
			spec->n_members++;
		}
	}
	out->spec.n_vnis = (uint32_t)model->n_vnis;
}

struct overlay_spec *overlay_spec_new(const struct model *model, bool running)
{
	struct overlay_spec *out = calloc(1, sizeof(*out));
	uint16_t *peer_of = calloc(model->n_vteps + 1, sizeof(*peer_of));
	size_t n_members = 1;

	for (size_t i = 0; i < model->n_vnis; i++)
		n_members += model->vnis[i]->n_vteps +
			     (model->vnis[i]->learn_vteps ? model->n_vteps : 0);
	if (out == NULL || peer_of == NULL)
		goto no_memory;
	out->peers = calloc(model->n_vteps + 1, sizeof(*out->peers));
	out->peer_vtep = calloc(model->n_vteps + 1, sizeof(*out->peer_vtep));
	out->vnis = calloc(model->n_vnis + 1, sizeof(*out->vnis));
	out->members = calloc(n_members, sizeof(*out->members));
	if (out->peers == NULL || out->peer_vtep == NULL || out->vnis == NULL ||
	    out->members == NULL)
		goto no_memory;
	out->spec.locals = out->locals;
	out->spec.peers = out->peers;
	out->spec.vnis = out->vnis;
	locals_fill(model, out);
	peers_fill(model, out, peer_of);
	vnis_fill(model, out, peer_of, running);
	free(peer_of);
	return out;

no_memory:
	free(peer_of);
	overlay_spec_free(out);
	return NULL;
}

void overlay_spec_flood(struct overlay_spec *spec, uint32_t vni, uint16_t peer)
{
	struct vtep_member *members = (struct vtep_member *)spec->vnis[vni].members;

	for (uint32_t i = 0; i < spec->vnis[vni].n_members; i++) {
		if (members[i].peer == peer)
			members[i].flood = true;
	}
}

void overlay_spec_free(struct overlay_spec *spec)
{
	if (spec == NULL)
		return;
	free(spec->peers);
	free(spec->peer_vtep);
	free(spec->vnis);
	free(spec->members);
	free(spec);
}
