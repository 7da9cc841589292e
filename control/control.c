/* SPDX-License-Identifier: BSD-3-Clause */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ageing.h"
#include "base/clock.h"
#include "base/log.h"
#include "cables.h"
#include "carrier.h"
#include "datapath.h"
#include "eyes/eyes.h"
#include "model_check.h"
#include "model_diff.h"
#include "overlay.h"
#include "rebalance.h"
#include "rpc/server.h"
#include "shortcuts.h"
#include "state.h"
#include "watch.h"

static void datapath_readable(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;

	(void)fd;
	(void)what;
	datapath_poll();
	ageing_wake(control->ageing);
}

static void publishing(const struct model *model, const struct live_port *live, void *arg)
{
	struct control *control = arg;

	shortcuts_withdraw(control->shortcuts);
	overlay_sync(model, live, control->overlay);
}

static void published(const struct model *model, const struct live_port *live, void *arg)
{
	struct control *control = arg;

	overlay_published(model, live, control->overlay);
	eyes_published(control->eyes, model);
	shortcuts_return(control->shortcuts, model);
}

static void cable_changed(const struct cable *cable, void *arg)
{
	struct control *control = arg;
	char why[160];
	json_t *event;

	cable_explain(cable, why, sizeof(why));
	event = json_pack("{s:s, s:I, s:s, s:s, s:b, s:s}", "kind", "cable", "vni",
			  (json_int_t)cable->vni, "port", cable->port, "vtep", cable->vtep,
			  "carrier", cable->carries, "detail", why);
	rpc_server_event(control->rpc, event);
	json_decref(event);
	carrier_port_changed(control->carrier, cable->port);
	shortcuts_soon(control->shortcuts);
}

/* Restore what was saved. */
static int state_restore(struct control *control, struct err *err)
{
	struct model *saved;
	size_t n_ports;
	int rc;

	rc = state_load(control->state_path, &saved, err);
	if (rc != 0)
		return rc;
	n_ports = saved->n_ports;
	rc = model_tap_settle(apply_model(control->apply), saved);
	if (rc != 0) {
		model_free(saved);
		return err_set(err, -rc, "the kernel gives no random numbers");
	}
	rc = apply_prepare(control->apply, saved, true, err);
	if (rc != 0) {
		model_free(saved);
		return rc;
	}
	apply_commit(control->apply);
	eyes_sync(control->eyes);
	ageing_wake(control->ageing);
	if (n_ports > 0)
		log_info("restored %zu ports from %s", n_ports, control->state_path);
	return 0;
}

int control_start(struct control *control, struct err *err)
{
	int rc = -ENOMEM;

	control->started_ns = clock_now_ns();
	control->apply = apply_new();
	if (control->apply == NULL)
		return err_set(err, ENOMEM, "out of memory");
	control->ageing = ageing_new(control->base, control->apply);
	control->eyes = eyes_new(control->apply, control->base);
	if (control->ageing == NULL || control->eyes == NULL)
		goto no_ageing;
	control->datapath_ev = event_new(control->base, datapath_event_fd(), EV_READ | EV_PERSIST,
					 datapath_readable, control);
	if (control->datapath_ev == NULL || event_add(control->datapath_ev, NULL) != 0)
		goto no_event;
	control->overlay = overlay_control_new(control->base, control->apply, err);
	if (control->overlay == NULL) {
		rc = -EIO;
		goto no_event;
	}
	control->cables = cables_new(control->base, cable_changed, control, err);
	if (control->cables == NULL)
		goto no_event;
	control->watch = watch_new(control);
	if (control->watch == NULL) {
		rc = err_set(err, ENOMEM, "out of memory");
		goto no_event;
	}
	control->carrier = carrier_new(control);
	if (control->carrier == NULL) {
		rc = err_set(err, ENOMEM, "out of memory");
		goto no_event;
	}
	control->rebalance = rebalance_new(control, !control->keeps_queues);
	if (control->rebalance == NULL) {
		rc = err_set(err, ENOMEM, "out of memory");
		goto no_event;
	}
	control->shortcuts = shortcuts_new(control);
	if (control->shortcuts == NULL) {
		rc = err_set(err, ENOMEM, "out of memory");
		goto no_event;
	}
	apply_watch(control->apply, publishing, published, control);
	apply_eyes(control->apply, eyes_build, control->eyes);
	rc = state_restore(control, err);
	if (rc != 0)
		goto no_event;
	cables_sync(control->cables, apply_model(control->apply));
	carrier_sync(control->carrier);
	return 0;

no_event:
	cables_free(control->cables);
	datapath_stop();
	shortcuts_free(control->shortcuts);
	rebalance_free(control->rebalance);
	carrier_free(control->carrier);
	watch_free(control->watch);
	overlay_control_free(control->overlay);
	if (control->datapath_ev != NULL)
		event_free(control->datapath_ev);
no_ageing:
	ageing_free(control->ageing);
	datapath_stop();
	apply_free(control->apply);
	eyes_free(control->eyes);
	datapath_fini();
	return err_set(err, -rc, "%s", strerror(-rc));
}

void control_stop(struct control *control)
{
	eyes_close(control->eyes);
	event_free(control->datapath_ev);
	ageing_free(control->ageing);
	cables_free(control->cables); /* says so to the other ends, so the workers still run */
	control->cables = NULL;
	shortcuts_free(control->shortcuts);
	control->shortcuts = NULL;
	datapath_stop();
	rebalance_free(control->rebalance);
	carrier_free(control->carrier);
	watch_free(control->watch);
	overlay_control_free(control->overlay);
	apply_free(control->apply);
	eyes_free(control->eyes);
	datapath_fini();
}

/* Static entries must not crowd out learning. */
static void stations_fit(const struct model *next, struct problems *problems)
{
	uint32_t capacity = fdb_capacity(datapath_fdb());

	if (next->n_stations > capacity / 2)
		problems_add(problems, PROBLEM_STATE,
			     "%zu static entries are more than half of the FDB (%u entries); start "
			     "netloomd with more --fdb-entries",
			     next->n_stations, capacity);
}

static bool is_empty(const json_t *changes)
{
	return json_array_size(changes) == 0;
}

json_t *control_change(struct control *control, struct model *next, bool dry_run,
		       struct problems *problems)
{
	struct err err = {.text = ""};
	json_t *changes = NULL, *event;

	if (model_tap_settle(apply_model(control->apply), next) != 0)
		problems_add(problems, PROBLEM_MACHINE, "the kernel gives no random numbers");
	model_overlay_derive(next, problems);
	model_check(next, problems);
	stations_fit(next, problems);
	if (problems->n == 0 && control->overlay != NULL)
		overlay_check(control->overlay, next, problems);
	if (problems->n > 0)
		goto refused;
	changes = diff_print(apply_model(control->apply), next, apply_port_failed, control->apply);
	if (changes == NULL) {
		problems_add(problems, PROBLEM_MACHINE, "out of memory");
		goto refused;
	}
	if (dry_run || is_empty(changes)) {
		model_free(next);
		return changes;
	}
	if (state_write(control->state_path, next, &err) != 0) {
		problems_add(problems, PROBLEM_MACHINE, "%s", err.text);
		goto refused;
	}
	if (apply_prepare(control->apply, next, false, &err) != 0) {
		state_discard(control->state_path);
		problems_add(problems, PROBLEM_MACHINE, "%s", err.text);
		goto refused;
	}
	if (state_commit(control->state_path, &err) != 0) {
		apply_abort(control->apply); /* frees next */
		json_decref(changes);
		problems_add(problems, PROBLEM_MACHINE, "%s", err.text);
		return NULL;
	}
	cables_leave(control->cables, next);
	apply_commit(control->apply);
	cables_sync(control->cables, apply_model(control->apply));
	eyes_sync(control->eyes);
	ageing_wake(control->ageing);
	event = json_pack("{s:s, s:I}", "kind", "config", "generation",
			  (json_int_t)apply_generation(control->apply));
	rpc_server_event(control->rpc, event);
	json_decref(event);
	carrier_sync(control->carrier);
	watch_links(control->watch);
	return changes;

refused:
	json_decref(changes);
	model_free(next);
	return NULL;
}

void control_station_seen(uint32_t fid, uint64_t mac, uint16_t port, void *arg)
{
	struct control *control = arg;

	if (control->overlay != NULL)
		overlay_station_seen(control->overlay, fid, mac, port);
	shortcuts_soon(control->shortcuts);
}

void control_port_changed(struct port *port, void *arg)
{
	struct control *control = arg;
	const struct model_port *model_port;
	struct port_status status;
	json_t *event;

	port->ops->status(port, &status);
	log_info("port \"%s\": %s%s%s", port->spec.name,
		 status.running	    ? "running"
		 : status.connected ? "connected, driver not started"
				    : "not connected",
		 status.detail[0] != '\0' ? ": " : "", status.detail);
	model_port = model_port_find(apply_model(control->apply), port->spec.name);
	if (status.running && model_port != NULL)
		overlay_port_up(control->overlay, apply_model(control->apply), model_port);
	event = json_pack("{s:s, s:s, s:b, s:b}", "kind", "port", "name", port->spec.name,
			  "connected", status.connected, "running", status.running);
	rpc_server_event(control->rpc, event);
	json_decref(event);
	carrier_port_changed(control->carrier, port->spec.name);
	shortcuts_soon(control->shortcuts);
	watch_links(control->watch);
}
