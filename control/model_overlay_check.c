/* SPDX-License-Identifier: BSD-3-Clause */
/* See model_overlay.h: what does not fit together, and the ports that come from what does. */
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "overlay_spec.h"

bool model_tunnel_name(const char *vtep, const char *sw, char name[PORT_NAME_MAX])
{
	return snprintf(name, PORT_NAME_MAX, "%s:%s", vtep, sw) < PORT_NAME_MAX;
}

static void tunnel_add(struct model *model, const struct model_switch *sw,
		       const struct model_vni *vni, const char *vtep, struct problems *problems)
{
	struct model_port port = {
		.attachment = MODEL_ON_SWITCH,
		.mtu = FRAME_MTU_MAX, /* what fits is for encapsulation to say, and to tell the guest */
		.admin_up = true,
		.index = SNAPSHOT_NONE,
		.spec = {.type = MODEL_TYPE_VXLAN, .n_queues = 1},
		.vlan = {.mode = VLAN_TRUNK, .tpid = VLAN_TPID_C},
	};
	struct model_port *there;

	if (!model_tunnel_name(vtep, sw->name, port.spec.name)) {
		problems_add(problems, PROBLEM_PARAMS,
			     "vni %s: the names of VTEP \"%s\" and switch \"%s\" have more than %d "
			     "characters together; shorten one",
			     vni->name, vtep, sw->name, PORT_NAME_MAX - 2);
		return;
	}
	there = model_port_find(model, port.spec.name);
	if (there != NULL && strcmp(there->spec.type, MODEL_TYPE_VXLAN) != 0) {
		problems_add(problems, PROBLEM_STATE,
			     "vni %s: the name of port \"%s\" is needed for VTEP \"%s\" on switch "
			     "\"%s\"; rename the port",
			     vni->name, port.spec.name, vtep, sw->name);
		return;
	}
	if (there == NULL) {
		snprintf(port.owner, sizeof(port.owner), "%s", sw->owner);
		snprintf(port.target, sizeof(port.target), "%s", sw->name);
		if (model_port_add(model, &port) != 0) {
			problems_add(problems, PROBLEM_MACHINE, "out of memory");
			return;
		}
		there = model_port_find(model, port.spec.name);
	}
	vlan_port_allow(&there->vlan, vni->vid);
}

static void tunnels_remove(struct model *model)
{
	for (size_t i = model->n_ports; i-- > 0;) {
		char name[PORT_NAME_MAX];

		if (strcmp(model->ports[i]->spec.type, MODEL_TYPE_VXLAN) != 0)
			continue;
		memcpy(name, model->ports[i]->spec.name, sizeof(name));
		model_port_remove(model, name);
	}
}

void model_overlay_derive(struct model *model, struct problems *problems)
{
	tunnels_remove(model);
	for (size_t i = 0; i < model->n_vnis; i++) {
		const struct model_vni *vni = model->vnis[i];
		const struct model_switch *sw = model_switch_find(model, vni->sw);

		for (uint16_t j = 0; sw != NULL && j < vni->n_vteps; j++) {
			if (model_vtep_find(model, vni->vteps[j]) != NULL)
				tunnel_add(model, sw, vni, vni->vteps[j], problems);
		}
		for (size_t j = 0; sw != NULL && vni->learn_vteps && j < model->n_vteps; j++) {
			if (model_vni_may_join(vni, model->vteps[j]))
				tunnel_add(model, sw, vni, model->vteps[j]->name, problems);
		}
	}
}

/* @port wants the interface that @there has. */
static void interface_taken(const struct model_port *port, const struct model_port *there,
			    struct problems *problems)
{
	bool of_labs = port->owner[0] != '\0' && there->owner[0] != '\0';

	if (of_labs && strcmp(port->owner, there->owner) != 0)
		problems_add(problems, PROBLEM_STATE,
			     "uplink \"%s\": lab %s has interface %s; `netloom down %s` first, or "
			     "give this lab an interface and a VTEP address of its own on it: `ip "
			     "link add NAME link %s type macvlan mode bridge`",
			     port->spec.name, there->owner, port->spec.ifname, there->owner,
			     port->spec.ifname);
	else
		problems_add(problems, PROBLEM_PARAMS,
			     "uplink \"%s\": interface %s is uplink \"%s\" already; let VTEPs "
			     "name that one, or remove it first",
			     port->spec.name, port->spec.ifname, there->spec.name);
}

static void uplinks_check(const struct model *model, struct problems *problems)
{
	const struct model_port *first = overlay_uplink_at(model, 0), *uplink, *other;

	for (uint16_t i = 1; (uplink = overlay_uplink_at(model, i)) != NULL; i++) {
		if (uplink->uplink.config.udp_port != first->uplink.config.udp_port)
			problems_add(problems, PROBLEM_PARAMS,
				     "uplink \"%s\": \"udp_port\" is %u, uplink \"%s\" has %u; "
				     "VXLAN has one port on a host",
				     uplink->spec.name, uplink->uplink.config.udp_port,
				     first->spec.name, first->uplink.config.udp_port);
		for (uint16_t j = 0; j < i; j++) {
			other = overlay_uplink_at(model, j);
			if (strcmp(other->spec.ifname, uplink->spec.ifname) != 0)
				continue;
			if (other->index == SNAPSHOT_NONE && uplink->index != SNAPSHOT_NONE)
				interface_taken(other, uplink, problems);
			else
				interface_taken(uplink, other, problems);
		}
	}
}

static void vtep_check(const struct model *model, const struct model_vtep *vtep,
		       struct problems *problems)
{
	const struct model_port *uplink = model_port_find(model, vtep->uplink);
	bool has_family = false;

	if (uplink == NULL || strcmp(uplink->spec.type, MODEL_TYPE_UPLINK) != 0) {
		problems_add(problems, PROBLEM_PARAMS,
			     "vtep \"%s\": \"uplink\": there is no uplink \"%s\"", vtep->name,
			     vtep->uplink);
		return;
	}
	for (uint8_t i = 0; i < uplink->uplink.config.n_locals; i++)
		has_family |= uplink->uplink.config.locals[i].is_v6 == vtep->remote.is_v6;
	if (!has_family)
		problems_add(
			problems, PROBLEM_PARAMS,
			"vtep \"%s\": \"remote\": an %s address, and uplink \"%s\" has no local "
			"address of that family",
			vtep->name, vtep->remote.is_v6 ? "IPv6" : "IPv4", vtep->uplink);
}

static void vni_check(const struct model *model, const struct model_vni *vni,
		      struct problems *problems)
{
	const struct model_switch *sw = model_switch_find(model, vni->sw);

	if (sw == NULL)
		problems_add(problems, PROBLEM_PARAMS,
			     "vni %s: \"switch\": there is no switch \"%s\"", vni->name, vni->sw);
	else if (strcmp(sw->owner, vni->owner) != 0)
		problems_add(problems, PROBLEM_STATE,
			     "vni %s: \"switch\": \"%s\" belongs to another owner", vni->name,
			     vni->sw);
	for (uint16_t i = 0; i < vni->n_vteps; i++) {
		if (model_vtep_find(model, vni->vteps[i]) == NULL)
			problems_add(problems, PROBLEM_PARAMS,
				     "vni %s: \"vteps\": there is no vtep \"%s\"", vni->name,
				     vni->vteps[i]);
	}
}

void model_overlay_check(const struct model *model, struct problems *problems)
{
	unsigned int before = problems->n;
	struct err err = {.text = ""};
	struct overlay_spec *spec;

	uplinks_check(model, problems);
	if (model->n_vteps > VTEP_PEERS_MAX)
		problems_add(problems, PROBLEM_PARAMS,
			     "%zu VTEPs: there is room for %d; remove those of hosts that are gone",
			     model->n_vteps, VTEP_PEERS_MAX);
	for (size_t i = 0; i < model->n_vteps; i++)
		vtep_check(model, model->vteps[i], problems);
	for (size_t i = 0; i < model->n_vnis; i++)
		vni_check(model, model->vnis[i], problems);
	model_cables_check(model, problems);
	if (problems->n > before)
		return;
	spec = overlay_spec_new(model, false);
	if (spec == NULL)
		problems_add(problems, PROBLEM_MACHINE, "out of memory");
	else if (vtep_spec_check(&spec->spec, &err) != 0)
		problems_add(problems, PROBLEM_PARAMS, "%s", err.text);
	overlay_spec_free(spec);
}
