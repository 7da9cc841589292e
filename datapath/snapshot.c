/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Building and freeing snapshots: control thread only.
 */
#include "snapshot.h"

#include <errno.h>
#include <stdlib.h>

struct snapshot *snapshot_new(struct fdb *fdb, uint16_t n_ports, uint16_t n_switches,
			      uint16_t n_workers)
{
	struct snapshot *s;

	if (n_ports > SNAPSHOT_PORTS_MAX || n_switches > SNAPSHOT_SWITCHES_MAX || n_workers == 0 ||
	    n_workers > PORT_WORKERS_MAX)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->fdb = fdb;
	s->n_ports = n_ports;
	s->n_switches = n_switches;
	s->n_workers = n_workers;
	s->ports = calloc(n_ports + 1u, sizeof(*s->ports));
	s->switches = calloc(n_switches + 1u, sizeof(*s->switches));
	s->doers = calloc(n_ports + 1u, SNAPSHOT_DUTIES_MAX);
	s->taken_over = calloc(n_ports + 1u, sizeof(*s->taken_over));
	if (s->ports == NULL || s->switches == NULL || s->doers == NULL || s->taken_over == NULL) {
		snapshot_free(s);
		return NULL;
	}
	for (uint32_t i = 0; i < n_ports; i++) {
		s->ports[i].sw = SNAPSHOT_NONE;
		s->ports[i].peer = SNAPSHOT_NONE;
	}
	for (uint32_t i = 0; i < n_switches; i++)
		s->switches[i].peer_port = SNAPSHOT_NONE;
	return s;
}

static bool is_member(const struct snapshot *s, const struct port_config *port)
{
	return port->role == PORT_SWITCHED && port->sw < s->n_switches &&
	       s->switches[port->sw].used;
}

static int switches_finish(struct snapshot *s)
{
	for (uint32_t i = 0; i < s->n_ports; i++)
		if (is_member(s, &s->ports[i]))
			s->switches[s->ports[i].sw].n_ports++;
	for (uint32_t i = 0; i < s->n_switches; i++) {
		struct switch_config *sw = &s->switches[i];

		if (sw->n_ports == 0)
			continue;
		sw->ports = calloc(sw->n_ports, sizeof(*sw->ports));
		if (sw->ports == NULL)
			return -ENOMEM;
		sw->n_ports = 0;
	}
	for (uint32_t i = 0; i < s->n_ports; i++) {
		struct switch_config *sw;

		if (!is_member(s, &s->ports[i]))
			continue;
		sw = &s->switches[s->ports[i].sw];
		((uint16_t *)sw->ports)[sw->n_ports++] = (uint16_t)i;
	}
	return 0;
}

static uint16_t n_rx_queues(const struct port_config *port)
{
	if (port->role == PORT_UNUSED || port->port == NULL || port->port->ops->rx == NULL)
		return 0;
	return port->port->spec.n_queues;
}

/* Add the queues of ports that are impaired on the way in, or of those that are not. */
static void polls_fill(struct snapshot *s, bool impaired)
{
	for (uint32_t i = 0; i < s->n_ports; i++) {
		if ((port_impair_state(&s->ports[i], IMPAIR_IN) != NULL) != impaired)
			continue;
		for (uint32_t q = 0; q < n_rx_queues(&s->ports[i]); q++) {
			struct poll_list *list = &s->polls[snapshot_doer(s, i, q)];

			((struct poll_entry *)list->entries)[list->n++] =
				(struct poll_entry){.port = (uint16_t)i, .queue = (uint8_t)q};
		}
	}
}

static int polls_finish(struct snapshot *s)
{
	for (uint32_t i = 0; i < s->n_ports; i++)
		for (uint32_t q = 0; q < n_rx_queues(&s->ports[i]); q++)
			s->polls[snapshot_doer(s, i, q)].n++;
	for (uint32_t w = 0; w < s->n_workers; w++) {
		struct poll_list *list = &s->polls[w];

		list->entries = calloc(2 * (size_t)list->n + 1, sizeof(*list->entries));
		if (list->entries == NULL)
			return -ENOMEM;
		list->n = 0;
	}
	polls_fill(s, false);
	for (uint32_t w = 0; w < s->n_workers; w++)
		s->polls[w].n_plain = s->polls[w].n;
	polls_fill(s, true);
	return 0;
}

static int impaired_finish(struct snapshot *s)
{
	s->impaired = calloc(s->n_ports + 1u, sizeof(*s->impaired));
	if (s->impaired == NULL)
		return -ENOMEM;
	for (uint16_t i = 0; i < s->n_ports; i++)
		if (s->ports[i].impair != NULL)
			s->impaired[s->n_impaired++] = i;
	return 0;
}

void snapshot_move(struct snapshot *snapshot, uint16_t port, uint16_t duty, uint16_t worker)
{
	snapshot->doers[port * SNAPSHOT_DUTIES_MAX + duty] = (uint8_t)(worker + 1);
}

/* Whether an entry of @next's list of worker @w is another worker's in @current. */
static bool changes_hands(const struct snapshot *next, const struct snapshot *current, uint32_t w,
			  const struct poll_entry *entry)
{
	const struct port_config *before;

	if (entry->port >= current->n_ports)
		return false;
	before = &current->ports[entry->port];
	return before->port == next->ports[entry->port].port &&
	       entry->queue < n_rx_queues(before) &&
	       snapshot_doer(current, entry->port, entry->queue) != w;
}

/* Return: whether any impaired direction is another worker's in @next than in @current; they are marked. */
static bool directions_hold(struct snapshot *next, const struct snapshot *current)
{
	bool any = false;

	for (uint32_t i = 0; i < next->n_impaired; i++) {
		uint16_t port = next->impaired[i];

		next->taken_over[port] = 0;
		for (uint32_t d = 0; d < IMPAIR_DIRECTIONS && port < current->n_ports; d++) {
			const struct impair *state = port_impair_state(&next->ports[port], d);

			if (state == NULL || state != port_impair_state(&current->ports[port], d) ||
			    snapshot_doer(next, port, SNAPSHOT_DIRECTION(d)) ==
				    snapshot_doer(current, port, SNAPSHOT_DIRECTION(d)))
				continue;
			next->taken_over[port] |= (uint8_t)(1u << d);
			any = true;
		}
	}
	return any;
}

bool snapshot_hold(struct snapshot *next, const struct snapshot *current, struct snapshot *interim)
{
	bool any = directions_hold(next, current);

	for (uint32_t w = 0; w < next->n_workers; w++) {
		struct poll_entry *entries = (struct poll_entry *)next->polls[w].entries;

		for (uint32_t i = 0; i < next->polls[w].n; i++) {
			entries[i].is_taken_over = changes_hands(next, current, w, &entries[i]);
			any |= entries[i].is_taken_over;
		}
	}
	if (!any)
		return false;
	*interim = *next;
	interim->is_interim = true;
	for (uint32_t w = 0; w < next->n_workers; w++) {
		const struct poll_list *list = &next->polls[w];
		struct poll_entry *kept = (struct poll_entry *)list->entries + list->n;
		struct poll_list *held = &interim->polls[w];

		*held = (struct poll_list){.entries = kept};
		for (uint32_t i = 0; i < list->n; i++) {
			if (list->entries[i].is_taken_over)
				continue;
			held->n_plain += i < list->n_plain;
			kept[held->n++] = list->entries[i];
		}
	}
	return true;
}

int snapshot_finish(struct snapshot *snapshot)
{
	int rc = switches_finish(snapshot);

	for (uint32_t i = 0; i < snapshot->n_ports; i++) {
		struct port_config *port = &snapshot->ports[i];

		port->has_detour = port->is_patch || port_impair_state(port, IMPAIR_OUT) != NULL;
	}
	if (rc == 0)
		rc = polls_finish(snapshot);
	if (rc == 0)
		rc = impaired_finish(snapshot);
	return rc;
}

void snapshot_free(struct snapshot *snapshot)
{
	if (snapshot == NULL)
		return;
	for (uint32_t i = 0; snapshot->switches != NULL && i < snapshot->n_switches; i++)
		free((void *)snapshot->switches[i].ports);
	for (uint32_t w = 0; w < PORT_WORKERS_MAX; w++)
		free((void *)snapshot->polls[w].entries);
	free(snapshot->switches);
	free(snapshot->impairs);
	free(snapshot->doers);
	free(snapshot->taken_over);
	free(snapshot->impaired);
	free(snapshot->ports);
	free(snapshot);
}
