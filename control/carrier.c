/* SPDX-License-Identifier: BSD-3-Clause */
#include "carrier.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cables.h"
#include "control.h"
#include "counters.h"
#include "flap.h"
#include "guest_link.h"
#include "rpc/server.h"
#include "tap/tap_port.h"
#include "watch.h"

#define RETRY_S 1

/* What is known about the port with this index. */
struct told {
	struct carrier *carrier;
	const void
		*who; /* what is behind the index; another: the index was given to another port */
	char name[MODEL_NAME_MAX];
	bool up;
	bool is_told;		/* the peer knows, or has nobody to tell it */
	bool is_connected;	/* somebody was attached */
	struct model_link link; /* as it was then */
	struct guest_link *guest;
	struct event *retry;
};

struct carrier {
	struct control *control;
	struct event *flap_timer;
	struct told *told[SNAPSHOT_PORTS_MAX];
};

static void guest_tell(struct told *told);

static void flap_tick(evutil_socket_t fd, short what, void *arg)
{
	struct carrier *carrier = arg;

	(void)fd;
	(void)what;
	carrier_sync(carrier);
	watch_links(carrier->control->watch);
}

struct carrier *carrier_new(struct control *control)
{
	struct carrier *carrier = calloc(1, sizeof(*carrier));

	if (carrier == NULL)
		return NULL;
	carrier->control = control;
	carrier->flap_timer = event_new(control->base, -1, 0, flap_tick, carrier);
	if (carrier->flap_timer != NULL)
		return carrier;
	free(carrier);
	return NULL;
}

static void told_free(struct told *told)
{
	if (told == NULL)
		return;
	guest_link_free(told->guest);
	if (told->retry != NULL)
		event_free(told->retry);
	free(told);
}

void carrier_free(struct carrier *carrier)
{
	if (carrier == NULL)
		return;
	for (size_t i = 0; i < SNAPSHOT_PORTS_MAX; i++)
		told_free(carrier->told[i]);
	event_free(carrier->flap_timer);
	free(carrier);
}

static bool is_connected(const struct carrier *carrier, const struct model_port *port)
{
	struct port_status status;

	counters_status(apply_live(carrier->control->apply, port), &status);
	return status.connected;
}

static bool is_shut(const struct carrier *carrier, const struct model_port *port)
{
	return !port->admin_up || apply_live(carrier->control->apply, port)->is_flapped;
}

/* On no switch, and yet frames come out of it. */
static bool is_mirrored_to(const struct carrier *carrier, const struct model_port *port)
{
	const struct model *model = apply_model(carrier->control->apply);

	for (size_t i = 0; i < model->n_mirrors; i++) {
		if (strcmp(model->mirrors[i]->to, port->spec.name) == 0)
			return true;
	}
	return false;
}

bool carrier_is_up(const struct carrier *carrier, const struct model_port *port)
{
	const struct model_port *other;

	if (port->link.carrier_always)
		return true;
	if (is_shut(carrier, port))
		return false;
	if (port->attachment == MODEL_DETACHED)
		return is_mirrored_to(carrier, port);
	if (port->attachment != MODEL_ON_WIRE)
		return cables_carry(carrier->control->cables, port);
	other = model_port_find(apply_model(carrier->control->apply), port->target);
	return other != NULL && !is_shut(carrier, other) && is_connected(carrier, other);
}

bool carrier_is_told(const struct carrier *carrier, const struct model_port *port)
{
	const struct told *told = carrier->told[port->index];

	return told != NULL && told->is_told && told->up == carrier_is_up(carrier, port);
}

static void retry_now(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	guest_tell(arg);
}

static void retry_later(struct told *told, const char *why)
{
	static const struct timeval later = {.tv_sec = RETRY_S};

	log_debug("port \"%s\": its guest could not be told of the carrier: %s", told->name, why);
	if (told->retry == NULL)
		told->retry = event_new(told->carrier->control->base, -1, 0, retry_now, told);
	if (told->retry != NULL)
		event_add(told->retry, &later);
}

static void guest_done(const char *why, void *arg)
{
	struct told *told = arg;

	if (why != NULL)
		retry_later(told, why);
	else
		told->is_told = true;
	guest_link_free(told->guest);
	told->guest = NULL;
}

static void guest_tell(struct told *told)
{
	const struct model_port *port =
		model_port_find(apply_model(told->carrier->control->apply), told->name);

	guest_link_free(told->guest);
	told->guest = NULL;
	if (told->retry != NULL)
		event_del(told->retry); /* of what was to be told before */
	if (port == NULL || port->link.guest == MODEL_GUEST_NONE || !told->is_connected) {
		told->is_told = true; /* nobody is there; told when he comes */
		return;
	}
	told->is_told = false;
	told->guest = guest_link_tell(told->carrier->control->base, &port->link, told->up,
				      guest_done, told);
	if (told->guest == NULL)
		retry_later(told, "its VMM's control socket cannot be reached");
}

static struct told *told_of(struct carrier *carrier, const struct model_port *port, const void *who)
{
	struct told *told = carrier->told[port->index];

	if (told != NULL && told->who == who && strcmp(told->name, port->spec.name) == 0)
		return told;
	told_free(told);
	told = carrier->told[port->index] = calloc(1, sizeof(*told));
	if (told == NULL)
		return NULL;
	told->carrier = carrier;
	told->who = who;
	memcpy(told->name, port->spec.name, sizeof(told->name));
	told->is_told = true;
	return told;
}

static void port_look(struct carrier *carrier, const struct model_port *port)
{
	const struct live_port *live = apply_live(carrier->control->apply, port);
	bool is_new, up, connected;
	struct told *told;
	json_t *event;

	if (live->port == NULL)
		return; /* patch ends have no peer that looks */
	is_new =
		carrier->told[port->index] == NULL || carrier->told[port->index]->who != live->port;
	told = told_of(carrier, port, live->port);
	if (told == NULL)
		return;
	up = carrier_is_up(carrier, port);
	connected = is_connected(carrier, port);
	if (!is_new && told->up == up && told->is_connected == connected &&
	    model_link_same_guest(&told->link, &port->link))
		return;
	if (is_new || told->up != up) {
		told->up = up;
		if (live->port->ops == &tap_port_ops)
			tap_port_set_carrier(live->port, up);
		event = json_pack("{s:s, s:s, s:b}", "kind", "carrier", "port", port->spec.name,
				  "carrier", up);
		if (!is_new)
			rpc_server_event(carrier->control->rpc, event);
		json_decref(event);
	}
	told->is_connected = connected;
	told->link = port->link;
	guest_tell(told);
}

/* What the other end of a cable to another host is told of this one. A patch goes on to a port of a switch, which may be shut. */
static void end_look(struct carrier *carrier, const struct model_port *port)
{
	const struct model_port *behind =
		model_port_is_patch(port)
			? model_port_find(apply_model(carrier->control->apply), port->patch_peer)
			: NULL;

	cables_end(carrier->control->cables, port,
		   !is_shut(carrier, port) && is_connected(carrier, port) &&
			   (behind == NULL || !is_shut(carrier, behind)));
}

/* What is known of ports that have gone: their names, and the memory behind them, come again. */
static void gone_forget(struct carrier *carrier, const struct model *model)
{
	for (size_t i = 0; i < SNAPSHOT_PORTS_MAX; i++) {
		const struct told *told = carrier->told[i];
		const struct model_port *port =
			told != NULL ? model_port_find(model, told->name) : NULL;

		if (told == NULL || (port != NULL && port->index == i))
			continue;
		told_free(carrier->told[i]);
		carrier->told[i] = NULL;
	}
}

void carrier_sync(struct carrier *carrier)
{
	const struct model *model;
	uint64_t next_ms;
	struct timeval wait;

	if (carrier == NULL)
		return;
	next_ms = flap_apply(carrier->control->apply, clock_now_ns() / CLOCK_NS_PER_MS);
	event_del(carrier->flap_timer);
	if (next_ms != UINT64_MAX) {
		wait.tv_sec = (time_t)(next_ms / 1000);
		wait.tv_usec = (suseconds_t)(next_ms % 1000 * 1000);
		event_add(carrier->flap_timer, &wait);
	}
	model = apply_model(carrier->control->apply);
	gone_forget(carrier, model);
	for (size_t i = 0; i < model->n_ports; i++) {
		port_look(carrier, model->ports[i]);
		end_look(carrier, model->ports[i]);
	}
}

void carrier_port_changed(struct carrier *carrier, const char *name)
{
	const struct model_port *port, *other;

	if (carrier == NULL)
		return;
	port = model_port_find(apply_model(carrier->control->apply), name);
	if (port == NULL)
		return;
	port_look(carrier, port);
	end_look(carrier, port);
	other = port->attachment == MODEL_ON_WIRE
			? model_port_find(apply_model(carrier->control->apply), port->target)
			: NULL;
	if (other != NULL)
		port_look(carrier, other);
}
