/* SPDX-License-Identifier: BSD-3-Clause */
#include "model.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct model *model_new(void)
{
	return calloc(1, sizeof(struct model));
}

void model_free(struct model *model)
{
	if (model == NULL)
		return;
	for (size_t i = 0; i < model->n_switches; i++)
		free(model->switches[i]);
	for (size_t i = 0; i < model->n_ports; i++)
		free(model->ports[i]);
	free(model->switches);
	free(model->ports);
	for (size_t i = 0; i < model->n_vteps; i++)
		free(model->vteps[i]);
	for (size_t i = 0; i < model->n_vnis; i++)
		free(model->vnis[i]);
	for (size_t i = 0; i < model->n_mirrors; i++)
		free(model->mirrors[i]);
	for (size_t i = 0; i < model->n_sflows; i++)
		free(model->sflows[i]);
	free(model->mirrors);
	free(model->sflows);
	free(model->vteps);
	free(model->vnis);
	free(model->stations);
	free(model);
}

struct model *model_copy(const struct model *model)
{
	struct model *copy = model_new();
	int rc = copy == NULL ? -ENOMEM : 0;

	for (size_t i = 0; rc == 0 && i < model->n_switches; i++)
		rc = model_switch_add(copy, model->switches[i]);
	for (size_t i = 0; rc == 0 && i < model->n_ports; i++)
		rc = model_port_add(copy, model->ports[i]);
	for (size_t i = 0; rc == 0 && i < model->n_stations; i++)
		rc = model_station_set(copy, &model->stations[i]);
	for (size_t i = 0; rc == 0 && i < model->n_vteps; i++)
		rc = model_vtep_add(copy, model->vteps[i]);
	for (size_t i = 0; rc == 0 && i < model->n_vnis; i++)
		rc = model_vni_add(copy, model->vnis[i]);
	for (size_t i = 0; rc == 0 && i < model->n_mirrors; i++)
		rc = model_mirror_add(copy, model->mirrors[i]);
	for (size_t i = 0; rc == 0 && i < model->n_sflows; i++)
		rc = model_sflow_add(copy, model->sflows[i]);
	if (rc == 0)
		return copy;
	model_free(copy);
	return NULL;
}

/* All kinds of objects begin with their name: struct port_spec does, and so do the others. */
static_assert(offsetof(struct model_port, spec.name) == 0, "a port begins with its name");
static_assert(offsetof(struct model_switch, name) == 0, "a switch begins with its name");
static_assert(offsetof(struct model_vtep, name) == 0, "a VTEP begins with its name");
static_assert(offsetof(struct model_vni, name) == 0, "a VNI begins with its name");
static_assert(offsetof(struct model_mirror, name) == 0, "a mirror begins with its name");
static_assert(offsetof(struct model_sflow, name) == 0, "an sFlow agent begins with its name");

/* Where the name is in a sorted list, or where it belongs. */
static size_t list_place(void *const *list, size_t n, const char *name, bool *found)
{
	size_t low = 0, high = n;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp((const char *)list[middle], name);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void *list_find(void *const *list, size_t n, const char *name)
{
	bool found;
	size_t at = list_place(list, n, name, &found);

	return found ? list[at] : NULL;
}

static int list_add(void ***list, size_t *n, size_t *room, const void *object, size_t size)
{
	bool found;
	size_t at = list_place(*list, *n, object, &found);
	void *copy;

	if (found)
		return -EEXIST;
	if (*n == *room) {
		size_t more = *room == 0 ? 16 : *room * 2;
		void **grown = reallocarray(*list, more, sizeof(void *));

		if (grown == NULL)
			return -ENOMEM;
		*list = grown;
		*room = more;
	}
	copy = malloc(size);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, object, size);
	memmove(*list + at + 1, *list + at, (*n - at) * sizeof(void *));
	(*list)[at] = copy;
	(*n)++;
	return 0;
}

static int list_remove(void **list, size_t *n, const char *name)
{
	bool found;
	size_t at = list_place(list, *n, name, &found);

	if (!found)
		return -ENOENT;
	free(list[at]);
	memmove(list + at, list + at + 1, (*n - at - 1) * sizeof(void *));
	(*n)--;
	return 0;
}

struct model_switch *model_switch_find(const struct model *model, const char *name)
{
	return list_find((void *const *)model->switches, model->n_switches, name);
}

struct model_port *model_port_find(const struct model *model, const char *name)
{
	return list_find((void *const *)model->ports, model->n_ports, name);
}

int model_switch_add(struct model *model, const struct model_switch *sw)
{
	return list_add((void ***)&model->switches, &model->n_switches, &model->room_switches, sw,
			sizeof(*sw));
}

int model_port_add(struct model *model, const struct model_port *port)
{
	return list_add((void ***)&model->ports, &model->n_ports, &model->room_ports, port,
			sizeof(*port));
}

int model_switch_remove(struct model *model, const char *name)
{
	return list_remove((void **)model->switches, &model->n_switches, name);
}

int model_port_remove(struct model *model, const char *name)
{
	return list_remove((void **)model->ports, &model->n_ports, name);
}

struct model_vtep *model_vtep_find(const struct model *model, const char *name)
{
	return list_find((void *const *)model->vteps, model->n_vteps, name);
}

int model_vtep_add(struct model *model, const struct model_vtep *vtep)
{
	return list_add((void ***)&model->vteps, &model->n_vteps, &model->room_vteps, vtep,
			sizeof(*vtep));
}

int model_vtep_remove(struct model *model, const char *name)
{
	return list_remove((void **)model->vteps, &model->n_vteps, name);
}

struct model_vni *model_vni_find(const struct model *model, const char *name)
{
	return list_find((void *const *)model->vnis, model->n_vnis, name);
}

int model_vni_add(struct model *model, const struct model_vni *vni)
{
	return list_add((void ***)&model->vnis, &model->n_vnis, &model->room_vnis, vni,
			model_vni_bytes(vni));
}

int model_vni_remove(struct model *model, const char *name)
{
	return list_remove((void **)model->vnis, &model->n_vnis, name);
}

struct model_mirror *model_mirror_find(const struct model *model, const char *name)
{
	return list_find((void *const *)model->mirrors, model->n_mirrors, name);
}

int model_mirror_add(struct model *model, const struct model_mirror *mirror)
{
	return list_add((void ***)&model->mirrors, &model->n_mirrors, &model->room_mirrors, mirror,
			sizeof(*mirror));
}

int model_mirror_remove(struct model *model, const char *name)
{
	return list_remove((void **)model->mirrors, &model->n_mirrors, name);
}

struct model_sflow *model_sflow_find(const struct model *model, const char *name)
{
	return list_find((void *const *)model->sflows, model->n_sflows, name);
}

int model_sflow_add(struct model *model, const struct model_sflow *sflow)
{
	return list_add((void ***)&model->sflows, &model->n_sflows, &model->room_sflows, sflow,
			sizeof(*sflow));
}

int model_sflow_remove(struct model *model, const char *name)
{
	return list_remove((void **)model->sflows, &model->n_sflows, name);
}

static size_t station_place(const struct model *model, const char *sw, uint16_t vid, uint64_t mac,
			    bool *found)
{
	size_t low = 0, high = model->n_stations;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct model_station *station = &model->stations[middle];
		int order = strcmp(station->sw, sw);

		if (order == 0)
			order = (station->vid > vid) - (station->vid < vid);
		if (order == 0)
			order = (station->mac > mac) - (station->mac < mac);
		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct model_station *model_station_find(const struct model *model, const char *sw, uint16_t vid,
					 uint64_t mac)
{
	bool found;
	size_t at = station_place(model, sw, vid, mac, &found);

	return found ? &model->stations[at] : NULL;
}

int model_station_set(struct model *model, const struct model_station *station)
{
	bool found;
	size_t at = station_place(model, station->sw, station->vid, station->mac, &found);

	if (found) {
		model->stations[at] = *station;
		return 0;
	}
	if (model->n_stations == MODEL_STATIONS_MAX)
		return -ENOSPC;
	if (model->n_stations == model->room_stations) {
		size_t more = model->room_stations == 0 ? 16 : model->room_stations * 2;
		struct model_station *grown =
			reallocarray(model->stations, more, sizeof(*model->stations));

		if (grown == NULL)
			return -ENOMEM;
		model->stations = grown;
		model->room_stations = more;
	}
	memmove(&model->stations[at + 1], &model->stations[at],
		(model->n_stations - at) * sizeof(*model->stations));
	model->stations[at] = *station;
	model->n_stations++;
	return 0;
}

int model_station_remove(struct model *model, const char *sw, uint16_t vid, uint64_t mac)
{
	bool found;
	size_t at = station_place(model, sw, vid, mac, &found);

	if (!found)
		return -ENOENT;
	memmove(&model->stations[at], &model->stations[at + 1],
		(model->n_stations - at - 1) * sizeof(*model->stations));
	model->n_stations--;
	return 0;
}

void model_stations_prune(struct model *model)
{
	size_t kept = 0;

	for (size_t i = 0; i < model->n_stations; i++) {
		const struct model_station *station = &model->stations[i];
		const struct model_port *port = model_port_find(model, station->port);

		if (port == NULL || model_switch_find(model, station->sw) == NULL ||
		    port->attachment != MODEL_ON_SWITCH || strcmp(port->target, station->sw) != 0 ||
		    !vlan_is_member(&port->vlan, station->vid))
			continue;
		if (kept != i)
			model->stations[kept] = *station;
		kept++;
	}
	model->n_stations = kept;
}

void model_owner_remove(struct model *model, const char *owner)
{
	size_t kept = 0;

	for (size_t i = 0; i < model->n_switches; i++) {
		if (strcmp(model->switches[i]->owner, owner) == 0)
			free(model->switches[i]);
		else
			model->switches[kept++] = model->switches[i];
	}
	model->n_switches = kept;
	kept = 0;
	for (size_t i = 0; i < model->n_ports; i++) {
		if (strcmp(model->ports[i]->owner, owner) == 0)
			free(model->ports[i]);
		else
			model->ports[kept++] = model->ports[i];
	}
	model->n_ports = kept;
	kept = 0;
	for (size_t i = 0; i < model->n_vteps; i++) {
		if (strcmp(model->vteps[i]->owner, owner) == 0)
			free(model->vteps[i]);
		else
			model->vteps[kept++] = model->vteps[i];
	}
	model->n_vteps = kept;
	kept = 0;
	for (size_t i = 0; i < model->n_vnis; i++) {
		if (strcmp(model->vnis[i]->owner, owner) == 0)
			free(model->vnis[i]);
		else
			model->vnis[kept++] = model->vnis[i];
	}
	model->n_vnis = kept;
	kept = 0;
	for (size_t i = 0; i < model->n_mirrors; i++) {
		if (strcmp(model->mirrors[i]->owner, owner) == 0)
			free(model->mirrors[i]);
		else
			model->mirrors[kept++] = model->mirrors[i];
	}
	model->n_mirrors = kept;
	kept = 0;
	for (size_t i = 0; i < model->n_sflows; i++) {
		if (strcmp(model->sflows[i]->owner, owner) == 0)
			free(model->sflows[i]);
		else
			model->sflows[kept++] = model->sflows[i];
	}
	model->n_sflows = kept;
}

uint64_t model_port_mac(const struct model_port *port)
{
	return port->tap.has_mac ? fdb_mac(port->tap.mac) : port->vm_mac;
}

bool model_port_is_patch(const struct model_port *port)
{
	return strcmp(port->spec.type, MODEL_TYPE_PATCH) == 0;
}
