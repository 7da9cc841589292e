/* SPDX-License-Identifier: BSD-3-Clause */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control.h"
#include "counters.h"
#include "rpc/server.h"

#define MOVES_PER_SECOND 20
#define DROPS_QUIET_S	 5 /* between two events for the same reason on the same port */

/* What was last told of the port with this index. */
struct told {
	const void
		*who; /* what is behind the index; another: the index was given to another port */
	bool link_up;
	uint64_t drops[DROP_N];
	uint32_t drops_at_s[DROP_N];
};

struct move {
	uint32_t fid;
	uint64_t mac;
	uint16_t from, to;
};

struct watch {
	struct control *control;
	struct event *timer; /* pending while somebody is subscribed */
	struct told **told;  /* [SNAPSHOT_PORTS_MAX], NULL while nobody is */
	uint32_t second;     /* of the moves counted below */
	struct event *later; /* tells the moves below */
	struct move waiting[MOVES_PER_SECOND];
	unsigned int n_waiting;
	unsigned int moves, missed; /* told in this second; not told since the last one that was */
};

static uint32_t now_s(void)
{
	return (uint32_t)(clock_now_ns() / CLOCK_NS_PER_SECOND);
}

static void tell(struct watch *watch, json_t *event)
{
	if (event == NULL)
		return;
	rpc_server_event(watch->control->rpc, event);
	json_decref(event);
}

static bool link_is_up(const struct model_port *port, const struct live_port *live)
{
	struct port_status status;

	counters_status(live, &status);
	return counters_link_is_up(port, live, &status);
}

/* The memory of a port; a new one starts with what is, so that nothing old is told as new. */
static struct told *told_of(struct watch *watch, const struct model_port *port,
			    const struct live_port *live, bool *is_new)
{
	const void *who =
		live->port != NULL ? (const void *)live->port : (const void *)live->patch_drops;
	struct told *told;

	*is_new = false;
	if (port->index == SNAPSHOT_NONE)
		return NULL;
	told = watch->told[port->index];
	if (told != NULL && told->who == who)
		return told;
	if (told == NULL)
		told = calloc(1, sizeof(*told));
	if (told == NULL)
		return NULL;
	watch->told[port->index] = told;
	told->who = who;
	told->link_up = link_is_up(port, live);
	counters_drops(live, told->drops);
	*is_new = true;
	return told;
}

static void told_forget(struct watch *watch)
{
	for (size_t i = 0; watch->told != NULL && i < SNAPSHOT_PORTS_MAX; i++)
		free(watch->told[i]);
	free(watch->told);
	watch->told = NULL;
}

static void drops_tell(struct watch *watch, const struct model_port *port, struct told *told,
		       const struct live_port *live)
{
	uint64_t sums[DROP_N];
	uint32_t now = now_s();

	counters_drops(live, sums);
	for (int reason = 1; reason < DROP_N; reason++) {
		if (sums[reason] <= told->drops[reason] ||
		    now - told->drops_at_s[reason] < DROPS_QUIET_S)
			continue;
		tell(watch, json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "kind", "drops", "port",
				      port->spec.name, "reason", drop_name(reason), "count",
				      (json_int_t)(sums[reason] - told->drops[reason]), "total",
				      (json_int_t)sums[reason], "sentence", drop_sentence(reason)));
		told->drops[reason] = sums[reason];
		told->drops_at_s[reason] = now;
	}
}

static void moves_tell(evutil_socket_t fd, short what, void *arg);

static void watch_tick(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval second = {.tv_sec = 1};
	struct watch *watch = arg;
	const struct model *model = apply_model(watch->control->apply);
	bool is_new;

	(void)fd;
	(void)what;
	if (!rpc_server_is_heard(watch->control->rpc)) {
		told_forget(watch);
		return;
	}
	for (size_t i = 0; i < model->n_ports; i++) {
		const struct live_port *live = apply_live(watch->control->apply, model->ports[i]);
		struct told *told = told_of(watch, model->ports[i], live, &is_new);

		if (told != NULL && !is_new)
			drops_tell(watch, model->ports[i], told, live);
	}
	event_add(watch->timer, &second);
}

struct watch *watch_new(struct control *control)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (watch == NULL)
		return NULL;
	watch->control = control;
	watch->timer = event_new(control->base, -1, 0, watch_tick, watch);
	watch->later = event_new(control->base, -1, 0, moves_tell, watch);
	if (watch->timer != NULL && watch->later != NULL)
		return watch;
	watch_free(watch);
	return NULL;
}

void watch_free(struct watch *watch)
{
	if (watch == NULL)
		return;
	told_forget(watch);
	if (watch->timer != NULL)
		event_free(watch->timer);
	if (watch->later != NULL)
		event_free(watch->later);
	free(watch);
}

void watch_start(struct watch *watch)
{
	if (watch->told != NULL)
		return;
	watch->told = calloc(SNAPSHOT_PORTS_MAX, sizeof(struct told *));
	if (watch->told != NULL)
		watch_tick(-1, 0, watch);
}

void watch_links(struct watch *watch)
{
	const struct model *model;
	bool is_new;

	if (watch == NULL || watch->told == NULL)
		return;
	model = apply_model(watch->control->apply);
	for (size_t i = 0; i < model->n_ports; i++) {
		const struct live_port *live = apply_live(watch->control->apply, model->ports[i]);
		struct told *told = told_of(watch, model->ports[i], live, &is_new);
		bool up = told != NULL && link_is_up(model->ports[i], live);

		if (told == NULL || is_new || told->link_up == up)
			continue;
		told->link_up = up;
		tell(watch, json_pack("{s:s, s:s, s:s}", "kind", "link", "port",
				      model->ports[i]->spec.name, "link", up ? "up" : "down"));
	}
}

static const char *port_name(const struct model *model, uint16_t index)
{
	for (size_t i = 0; i < model->n_ports; i++) {
		if (model->ports[i]->index == index)
			return model->ports[i]->spec.name;
	}
	return "?";
}

static const char *switch_name(const struct model *model, uint32_t index)
{
	for (size_t i = 0; i < model->n_switches; i++) {
		if (model->switches[i]->index == index)
			return model->switches[i]->name;
	}
	return "?";
}

static void move_tell(struct watch *watch, const struct move *move)
{
	const struct model *model = apply_model(watch->control->apply);
	uint64_t mac = move->mac;
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x",
		 (unsigned int)(mac >> 40 & 255), (unsigned int)(mac >> 32 & 255),
		 (unsigned int)(mac >> 24 & 255), (unsigned int)(mac >> 16 & 255),
		 (unsigned int)(mac >> 8 & 255), (unsigned int)(mac & 255));
	tell(watch, json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:i}", "kind", "mac-move", "switch",
			      switch_name(model, move->fid >> 12), "vlan", (int)(move->fid & 0xfff),
			      "mac", text, "from", port_name(model, move->from), "to",
			      port_name(model, move->to), "missed", (int)watch->missed));
	watch->missed = 0;
}

static void moves_tell(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;

	(void)fd;
	(void)what;
	for (unsigned int i = 0; i < watch->n_waiting; i++)
		move_tell(watch, &watch->waiting[i]);
	watch->n_waiting = 0;
}

void watch_moved(uint32_t fid, uint64_t mac, uint16_t from, uint16_t to, void *arg)
{
	struct control *control = arg;
	struct watch *watch = control->watch;

	if (watch == NULL || watch->told == NULL)
		return;
	if (watch->second != now_s()) {
		watch->second = now_s();
		watch->moves = 0;
	}
	if (watch->moves++ >= MOVES_PER_SECOND || watch->n_waiting == MOVES_PER_SECOND) {
		watch->missed++;
		return;
	}
	/* Perhaps a change is just being published, and the model has not its ports yet: told from the loop. */
	watch->waiting[watch->n_waiting++] = (struct move){fid, mac, from, to};
	event_active(watch->later, EV_TIMEOUT, 0);
}
