/* SPDX-License-Identifier: BSD-3-Clause */
#include "model_check.h"

#include <stdlib.h>
#include <string.h>

static const char *owner_text(const char *owner)
{
	return owner[0] == '\0' ? "(none)" : owner;
}

static void owner_check(const struct model_port *port, const char *key, const char *name,
			const char *owner, struct problems *problems)
{
	if (strcmp(port->owner, owner) != 0)
		problems_add(problems, PROBLEM_STATE,
			     "port \"%s\" of owner %s: \"%s\": \"%s\" belongs to owner %s",
			     port->spec.name, owner_text(port->owner), key, name,
			     owner_text(owner));
}

/* The other end of a wire or patch. @back is what it says about us. */
static void pair_check(const struct model *model, const struct model_port *port, const char *key,
		       const char *name, struct problems *problems)
{
	const struct model_port *peer = model_port_find(model, name);
	bool is_wire = strcmp(key, "wire") == 0;
	const char *back;

	if (strcmp(name, port->spec.name) == 0) {
		problems_add(problems, PROBLEM_PARAMS, "port \"%s\": \"%s\" names the port itself",
			     port->spec.name, key);
		return;
	}
	if (peer == NULL) {
		problems_add(problems, PROBLEM_PARAMS,
			     "port \"%s\": \"%s\": there is no port \"%s\"", port->spec.name, key,
			     name);
		return;
	}
	owner_check(port, key, name, peer->owner, problems);
	if (is_wire)
		back = peer->attachment == MODEL_ON_WIRE ? peer->target : "";
	else
		back = peer->patch_peer;
	if (strcmp(back, port->spec.name) != 0)
		problems_add(problems, PROBLEM_PARAMS,
			     "port \"%s\": \"%s\": port \"%s\" does not name this one back%s%s%s",
			     port->spec.name, key, name, back[0] != '\0' ? " but \"" : "", back,
			     back[0] != '\0' ? "\"" : "");
}

static void impair_check(const struct model_port *port, struct problems *problems)
{
	bool carries_others = strcmp(port->spec.type, MODEL_TYPE_UPLINK) == 0;

	if (carries_others &&
	    (impair_is_set(&port->impair[IMPAIR_IN]) || impair_is_set(&port->impair[IMPAIR_OUT])))
		problems_add(
			problems, PROBLEM_PARAMS,
			"port \"%s\": \"impair\": an uplink is not a link of the lab; impair the "
			"ports whose frames it carries",
			port->spec.name);
	if (model_port_is_patch(port) && impair_is_set(&port->impair[IMPAIR_IN]))
		problems_add(
			problems, PROBLEM_PARAMS,
			"port \"%s\": impair: \"in\": on a patch link say it as \"out\" of the "
			"other end, \"%s\"",
			port->spec.name, port->patch_peer);
}

static void port_check(const struct model *model, const struct model_port *port,
		       struct problems *problems)
{
	const struct model_switch *sw;

	impair_check(port, problems);

	if (model_port_is_patch(port)) {
		pair_check(model, port, "peer", port->patch_peer, problems);
		if (port->attachment == MODEL_ON_WIRE)
			problems_add(
				problems, PROBLEM_PARAMS,
				"port \"%s\": \"wire\": a patch port joins switches, it cannot "
				"be on a wire",
				port->spec.name);
	}
	if (port->attachment == MODEL_ON_WIRE) {
		pair_check(model, port, "wire", port->target, problems);
	} else if (port->attachment == MODEL_ON_SWITCH) {
		sw = model_switch_find(model, port->target);
		if (sw == NULL)
			problems_add(problems, PROBLEM_PARAMS,
				     "port \"%s\": \"switch\": there is no switch \"%s\"",
				     port->spec.name, port->target);
		else
			owner_check(port, "switch", sw->name, sw->owner, problems);
	}
}

static void switch_check(const struct model *model, const struct model_switch *sw,
			 struct problems *problems)
{
	const struct model_port *port = model_port_find(model, sw->peer_port);
	bool has_peer = memchr(sw->reserved, RESERVED_PEER, sizeof(sw->reserved)) != NULL;

	if (has_peer && sw->peer_port[0] == '\0')
		problems_add(problems, PROBLEM_PARAMS,
			     "switch \"%s\": reserved: \"peer\" needs \"peer_port\"", sw->name);
	if (sw->peer_port[0] == '\0')
		return;
	if (port == NULL || port->attachment != MODEL_ON_SWITCH ||
	    strcmp(port->target, sw->name) != 0)
		problems_add(problems, PROBLEM_PARAMS,
			     "switch \"%s\": \"peer_port\": \"%s\" is no port of this switch",
			     sw->name, sw->peer_port);
}

struct path_user {
	const char *path, *key, *port;
};

static int path_compare(const void *a, const void *b)
{
	return strcmp(((const struct path_user *)a)->path, ((const struct path_user *)b)->path);
}

/* Two ports must not serve one socket nor write one file; reading one file is fine. */
static void paths_check(const struct model *model, struct problems *problems)
{
	struct path_user *users = calloc(model->n_ports + 1, sizeof(*users));
	size_t n = 0;

	if (users == NULL) {
		problems_add(problems, PROBLEM_MACHINE, "out of memory");
		return;
	}
	for (size_t i = 0; i < model->n_ports; i++) {
		const struct port_spec *spec = &model->ports[i]->spec;

		if (strcmp(spec->type, MODEL_TYPE_VHOST_USER) == 0)
			users[n++] = (struct path_user){spec->path, "socket", spec->name};
		else if (spec->tx_path[0] != '\0')
			users[n++] = (struct path_user){spec->tx_path, "tx", spec->name};
	}
	qsort(users, n, sizeof(*users), path_compare);
	for (size_t i = 1; i < n; i++) {
		if (users[i].path[0] != '\0' && strcmp(users[i - 1].path, users[i].path) == 0)
			problems_add(problems, PROBLEM_PARAMS,
				     "port \"%s\": \"%s\": %s is used by port \"%s\" already",
				     users[i].port, users[i].key, users[i].path, users[i - 1].port);
	}
	free(users);
}

static void stations_check(const struct model *model, struct problems *problems)
{
	for (size_t i = 0; i < model->n_stations; i++) {
		const struct model_station *station = &model->stations[i];
		const struct model_port *port = model_port_find(model, station->port);

		if (model_switch_find(model, station->sw) == NULL)
			problems_add(problems, PROBLEM_STATE,
				     "static entry: \"switch\": there is no switch \"%s\"",
				     station->sw);
		else if (port == NULL)
			problems_add(problems, PROBLEM_STATE,
				     "static entry: \"port\": there is no port \"%s\"",
				     station->port);
		else if (port->attachment != MODEL_ON_SWITCH ||
			 strcmp(port->target, station->sw) != 0)
			problems_add(problems, PROBLEM_STATE,
				     "static entry: port \"%s\" is not on switch \"%s\"",
				     station->port, station->sw);
		else if (!vlan_is_member(&port->vlan, station->vid))
			problems_add(problems, PROBLEM_STATE,
				     "static entry: \"vlan\": port \"%s\" does not carry VLAN %u",
				     station->port, station->vid);
	}
}

void model_check(const struct model *model, struct problems *problems)
{
	if (model->n_switches > SNAPSHOT_SWITCHES_MAX)
		problems_add(problems, PROBLEM_PARAMS, "%zu switches, at most %u are possible",
			     model->n_switches, SNAPSHOT_SWITCHES_MAX);
	if (model->n_ports > SNAPSHOT_PORTS_MAX)
		problems_add(problems, PROBLEM_PARAMS, "%zu ports, at most %u are possible",
			     model->n_ports, SNAPSHOT_PORTS_MAX);
	for (size_t i = 0; i < model->n_switches; i++)
		switch_check(model, model->switches[i], problems);
	for (size_t i = 0; i < model->n_ports; i++)
		port_check(model, model->ports[i], problems);
	model_overlay_check(model, problems);
	model_eyes_check(model, problems);
	paths_check(model, problems);
	stations_check(model, problems);
}
