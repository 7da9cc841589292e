/* SPDX-License-Identifier: BSD-3-Clause */
#include "apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply_fdb.h"
#include "apply_impair.h"
#include "apply_live.h"
#include "apply_snapshot.h"
#include "base/log.h"
#include "datapath.h"
#include "model_diff.h"
#include "port_open.h"

struct apply {
	struct model *model;
	struct live_port *live; /* [SNAPSHOT_PORTS_MAX], by index */
	uint64_t generation;
	apply_on_publish before_publish, after_publish;
	void *on_publish_arg;
	apply_on_build on_build;
	void *on_build_arg;

	/* between prepare and commit or abort; all [SNAPSHOT_PORTS_MAX] by index */
	struct model *next;
	struct live_port *next_live;
	bool *opened;	 /* next_live[i] is ours to undo */
	bool *suspended; /* live[i] was closed early, to be opened again on abort */
	struct snapshot *snapshot;
};

struct apply *apply_new(void)
{
	struct apply *apply = calloc(1, sizeof(*apply));

	if (apply == NULL)
		return NULL;
	apply->model = model_new();
	apply->live = calloc(SNAPSHOT_PORTS_MAX, sizeof(*apply->live));
	if (apply->model != NULL && apply->live != NULL)
		return apply;
	model_free(apply->model);
	free(apply->live);
	free(apply);
	return NULL;
}

void apply_watch(struct apply *apply, apply_on_publish before, apply_on_publish after, void *arg)
{
	apply->before_publish = before;
	apply->after_publish = after;
	apply->on_publish_arg = arg;
}

static void publish(struct apply *apply, struct snapshot *snapshot, const struct model *model,
		    const struct live_port *live)
{
	if (apply->before_publish != NULL)
		apply->before_publish(model, live, apply->on_publish_arg);
	datapath_publish(snapshot);
	if (apply->after_publish != NULL)
		apply->after_publish(model, live, apply->on_publish_arg);
}

void apply_eyes(struct apply *apply, apply_on_build on_build, void *arg)
{
	apply->on_build = on_build;
	apply->on_build_arg = arg;
}

static struct snapshot *snapshot_build(struct apply *apply, const struct model *model,
				       const struct live_port *live, uint64_t generation)
{
	struct snapshot *snapshot = apply_snapshot_build(model, live, generation);

	if (snapshot != NULL && apply->on_build != NULL)
		apply->on_build(snapshot, model, apply->on_build_arg);
	return snapshot;
}

int apply_republish(struct apply *apply)
{
	struct snapshot *again =
		snapshot_build(apply, apply->model, apply->live, ++apply->generation);

	if (again == NULL)
		return -ENOMEM;
	publish(apply, again, apply->model, apply->live);
	return 0;
}

void apply_free(struct apply *apply)
{
	if (apply == NULL)
		return;
	for (size_t i = 0; i < SNAPSHOT_PORTS_MAX; i++)
		apply_live_close(&apply->live[i]);
	model_free(apply->model);
	free(apply->live);
	free(apply);
}

const struct model *apply_model(const struct apply *apply)
{
	return apply->model;
}

const struct live_port *apply_live(const struct apply *apply, const struct model_port *port)
{
	return &apply->live[port->index];
}

const struct live_port *apply_live_all(const struct apply *apply)
{
	return apply->live;
}

bool apply_port_failed(const struct model_port *port, void *arg)
{
	const struct apply *apply = arg;

	struct port *live = apply->live[port->index].port;

	return !model_port_is_patch(port) && (live == NULL || port_is_lost(live));
}

uint64_t apply_generation(const struct apply *apply)
{
	return apply->generation;
}

/* The lowest index in use by nobody, neither now nor next. */
static uint16_t index_take(bool *used, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!used[i]) {
			used[i] = true;
			return (uint16_t)i;
		}
	}
	return SNAPSHOT_NONE;
}

static int indices_give(const struct model *old, struct model *next, struct err *err)
{
	bool used_ports[SNAPSHOT_PORTS_MAX] = {false};
	bool used_switches[SNAPSHOT_SWITCHES_MAX] = {false};

	for (size_t i = 0; i < old->n_ports; i++)
		used_ports[old->ports[i]->index] = true;
	for (size_t i = 0; i < old->n_switches; i++)
		used_switches[old->switches[i]->index] = true;
	for (size_t i = 0; i < next->n_switches; i++) {
		struct model_switch *sw = next->switches[i];
		const struct model_switch *before = model_switch_find(old, sw->name);

		sw->index = before != NULL ? before->index
					   : index_take(used_switches, SNAPSHOT_SWITCHES_MAX);
		if (sw->index == SNAPSHOT_NONE)
			return err_set(err, ENOSPC,
				       "switch \"%s\": no free index; remove the old switches "
				       "first, then add the new ones",
				       sw->name);
	}
	for (size_t i = 0; i < next->n_ports; i++) {
		struct model_port *port = next->ports[i];
		const struct model_port *before = model_port_find(old, port->spec.name);

		port->index =
			before != NULL ? before->index : index_take(used_ports, SNAPSHOT_PORTS_MAX);
		if (port->index == SNAPSHOT_NONE)
			return err_set(err, ENOSPC,
				       "port \"%s\": no free index; remove the old ports first, "
				       "then add the new ones",
				       port->spec.name);
	}
	return 0;
}

/* Fill next_live with what stays and @open with what must be opened. Before indices are given out. */
static void ports_sort(struct apply *apply, const struct model *next, bool *open)
{
	char detail[512];

	for (size_t i = 0; i < next->n_ports; i++) {
		const struct model_port *port = next->ports[i];
		const struct model_port *before = model_port_find(apply->model, port->spec.name);
		bool named = port->index == SNAPSHOT_NONE;
		bool new_object = before == NULL ||
				  diff_port(before, port, detail, sizeof(detail)) == DIFF_REPLACE ||
				  (named && apply_port_failed(before, apply));

		open[i] = new_object;
		if (!new_object)
			apply->next_live[before->index] = apply->live[before->index];
	}
}

/* Whether the object behind @old's index is not taken over by the next model. */
static bool goes(const struct apply *apply, const struct model_port *old)
{
	return apply->live[old->index].port != NULL &&
	       apply->next_live[old->index].port != apply->live[old->index].port;
}

/* Take out and close ports that stand in the way of new ones. */
static int ports_suspend(struct apply *apply, const struct model *next, const bool *open)
{
	struct live_port *held = NULL;
	struct snapshot *interim;
	size_t n = 0;

	for (size_t i = 0; i < apply->model->n_ports; i++) {
		const struct model_port *old = apply->model->ports[i];

		if (!goes(apply, old))
			continue;
		for (size_t j = 0; j < next->n_ports && !apply->suspended[old->index]; j++) {
			if (open[j] && port_clash(old, next->ports[j])) {
				apply->suspended[old->index] = true;
				n++;
			}
		}
	}
	if (n == 0)
		return 0;
	held = calloc(SNAPSHOT_PORTS_MAX, sizeof(*held));
	if (held == NULL)
		goto no_memory;
	for (size_t i = 0; i < SNAPSHOT_PORTS_MAX; i++) {
		if (!apply->suspended[i])
			held[i] = apply->live[i];
	}
	interim = snapshot_build(apply, apply->model, held, ++apply->generation);
	if (interim == NULL) {
		free(held);
		goto no_memory;
	}
	publish(apply, interim, apply->model, held);
	free(held);
	for (size_t i = 0; i < SNAPSHOT_PORTS_MAX; i++) {
		if (apply->suspended[i])
			apply_live_suspend(&apply->live[i]);
	}
	return 0;

no_memory:
	memset(apply->suspended, 0, SNAPSHOT_PORTS_MAX * sizeof(bool));
	return -ENOMEM;
}

void apply_open_again(struct apply *apply)
{
	bool opened = false;

	for (size_t i = 0; i < apply->model->n_ports; i++) {
		const struct model_port *port = apply->model->ports[i];
		struct live_port *live = &apply->live[port->index];

		if (live->port == NULL && live->error[0] != '\0' && port_opens_again(port))
			opened |= apply_live_open_again(live, port);
	}
	if (opened && apply_republish(apply) != 0)
		log_error("out of memory: ports stay out until the next change");
}

static int ports_open(struct apply *apply, const struct model *next, const bool *open,
		      bool tolerant, struct err *err)
{
	for (size_t i = 0; i < next->n_ports; i++) {
		const struct model_port *port = next->ports[i];
		struct live_port *live = &apply->next_live[port->index];
		struct err why = {.text = ""};
		int rc;

		if (!open[i])
			continue;
		memset(live, 0, sizeof(*live));
		rc = apply_live_open(live, port, &why);
		apply->opened[port->index] = true;
		if (rc == 0)
			continue;
		if (!tolerant)
			return err_set(err, -rc, "%s", why.text);
		log_error("%s; the port is left out, %s", why.text,
			  port_opens_again(port) ? "and tried again"
						 : "name it in a request to try again");
	}
	return 0;
}

/* Ports that stay may become impaired, or no longer be. */
static int impairs_open(struct apply *apply, const struct model *next, const bool *open,
			struct err *err)
{
	for (size_t i = 0; i < next->n_ports; i++) {
		const struct model_port *port = next->ports[i];
		struct live_port *live = &apply->next_live[port->index];
		int rc = 0;

		if (!open[i] && (live->port != NULL || live->patch_drops != NULL))
			rc = apply_impair_open(live, port, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static void prepare_free(struct apply *apply)
{
	free(apply->next_live);
	free(apply->opened);
	free(apply->suspended);
	apply->next = NULL;
	apply->next_live = NULL;
	apply->opened = NULL;
	apply->suspended = NULL;
	apply->snapshot = NULL;
}

/* Undo what prepare did to the world. */
static void prepare_undo(struct apply *apply)
{
	struct snapshot *again;
	bool reopened = false;

	snapshot_free(apply->snapshot);
	for (size_t i = 0; i < SNAPSHOT_PORTS_MAX; i++) {
		if (apply->opened[i])
			apply_live_close(&apply->next_live[i]);
		else
			apply_impair_close(&apply->next_live[i], &apply->live[i]);
	}
	for (size_t i = 0; i < apply->model->n_ports; i++) {
		const struct model_port *port = apply->model->ports[i];
		struct live_port *live = &apply->live[port->index];
		struct err err = {.text = ""};

		if (!apply->suspended[port->index])
			continue;
		reopened = true;
		if (apply_live_open(live, port, &err) != 0)
			log_error("cannot be opened again: %s", err.text);
	}
	if (reopened) {
		again = snapshot_build(apply, apply->model, apply->live, ++apply->generation);
		if (again != NULL)
			publish(apply, again, apply->model, apply->live);
		else
			log_error("out of memory: ports stay out until the next change");
	}
	prepare_free(apply);
}

int apply_prepare(struct apply *apply, struct model *next, bool tolerant, struct err *err)
{
	bool *open = calloc(next->n_ports + 1, sizeof(*open));
	int rc;

	apply->next_live = calloc(SNAPSHOT_PORTS_MAX, sizeof(*apply->next_live));
	apply->opened = calloc(SNAPSHOT_PORTS_MAX, sizeof(bool));
	apply->suspended = calloc(SNAPSHOT_PORTS_MAX, sizeof(bool));
	if (open == NULL || apply->next_live == NULL || apply->opened == NULL ||
	    apply->suspended == NULL) {
		free(open);
		prepare_free(apply);
		return err_set(err, ENOMEM, "out of memory");
	}
	ports_sort(apply, next, open);
	rc = indices_give(apply->model, next, err);
	if (rc == 0)
		rc = ports_suspend(apply, next, open);
	if (rc == 0)
		rc = ports_open(apply, next, open, tolerant, err);
	if (rc == 0)
		rc = impairs_open(apply, next, open, err);
	free(open);
	if (rc == 0) {
		apply->snapshot =
			snapshot_build(apply, next, apply->next_live, apply->generation + 1);
		if (apply->snapshot == NULL)
			rc = -ENOMEM;
	}
	if (rc != 0) {
		prepare_undo(apply);
		return err_set(err, -rc, "%s", strerror(-rc));
	}
	apply->next = next;
	return 0;
}

void apply_abort(struct apply *apply)
{
	struct model *next = apply->next;

	prepare_undo(apply);
	model_free(next);
}

void apply_commit(struct apply *apply)
{
	struct live_port *old_live = apply->live;
	bool *replaced = apply->suspended; /* becomes: by index, another object than before */

	apply->generation++;
	publish(apply, apply->snapshot, apply->next, apply->next_live);
	for (size_t i = 0; i < SNAPSHOT_PORTS_MAX; i++) {
		if (old_live[i].port != apply->next_live[i].port ||
		    old_live[i].patch_drops != apply->next_live[i].patch_drops) {
			apply_live_close(&old_live[i]);
			replaced[i] = true;
		} else {
			apply_impair_close(&old_live[i], &apply->next_live[i]);
		}
	}
	for (size_t i = 0; i < apply->next->n_ports; i++) {
		const struct model_port *port = apply->next->ports[i];
		const struct model_port *before = model_port_find(apply->model, port->spec.name);

		if (before != NULL && apply->next_live[port->index].port != NULL &&
		    !replaced[port->index])
			port_follow(apply->next_live[port->index].port, before, port);
	}
	apply_fdb_sync(datapath_fdb(), apply->model, apply->next, replaced);
	model_free(apply->model);
	free(old_live);
	apply->model = apply->next;
	apply->live = apply->next_live;
	apply->next_live = NULL;
	prepare_free(apply);
}

bool apply_flapped(struct apply *apply, const struct model_port *port, bool is_down)
{
	struct live_port *live = &apply->live[port->index];

	if (live->is_flapped == is_down)
		return false;
	live->is_flapped = is_down;
	return true;
}

int apply_duty_move(struct apply *apply, const struct model_port *port, uint16_t duty,
		    uint16_t worker)
{
	uint8_t *doer = &apply->live[port->index].doers[duty], before = *doer;

	*doer = (uint8_t)(worker + 1);
	if (apply_republish(apply) == 0)
		return 0;
	*doer = before;
	return -ENOMEM;
}

void apply_duty_pin(struct apply *apply, const struct model_port *port, uint16_t duty, bool pinned)
{
	struct live_port *live = &apply->live[port->index];

	live->pinned = (live->pinned & ~(1u << duty)) | (uint32_t)pinned << duty;
}
