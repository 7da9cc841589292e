/* SPDX-License-Identifier: BSD-3-Clause */
#include "ageing.h"

#include <stdlib.h>

#include "base/clock.h"
#include "datapath.h"

#define SWEEP_S_MAX 16 /* a full pass over the table takes at most so many seconds */

struct ageing {
	const struct apply *apply; /* borrowed */
	struct event *timer;
	uint64_t generation; /* for which the two below hold */
	uint32_t sweep_s;    /* seconds per full pass, 0: nothing ages */
	uint32_t ageing_s[SNAPSHOT_SWITCHES_MAX + 1];
};

static uint32_t ageing_of_fid(uint32_t fid, void *arg)
{
	const struct ageing *ageing = arg;

	return fid >> 12 <= SNAPSHOT_SWITCHES_MAX ? ageing->ageing_s[fid >> 12] : 0;
}

static void times_update(struct ageing *ageing)
{
	const struct model *model = apply_model(ageing->apply);
	uint32_t shortest = 0;

	if (ageing->generation == apply_generation(ageing->apply))
		return;
	ageing->generation = apply_generation(ageing->apply);
	for (size_t i = 0; i < model->n_switches; i++) {
		uint32_t ageing_s = model->switches[i]->ageing_s;

		ageing->ageing_s[model->switches[i]->index] = ageing_s;
		if (ageing_s != 0 && (shortest == 0 || ageing_s < shortest))
			shortest = ageing_s;
	}
	ageing->sweep_s = shortest / 4 < 1 ? (shortest != 0) : shortest / 4;
	if (ageing->sweep_s > SWEEP_S_MAX)
		ageing->sweep_s = SWEEP_S_MAX;
}

static void ageing_tick(evutil_socket_t fd, short what, void *arg)
{
	struct ageing *ageing = arg;
	struct fdb *fdb = datapath_fdb();
	size_t slots = fdb_bytes(fdb) / 16;

	(void)fd;
	(void)what;
	times_update(ageing);
	if (ageing->sweep_s == 0)
		return;
	fdb_age(fdb, (uint32_t)(clock_now_ns() / CLOCK_NS_PER_SECOND), ageing_of_fid, ageing,
		slots / ageing->sweep_s + 1);
	ageing_wake(ageing);
}

struct ageing *ageing_new(struct event_base *base, const struct apply *apply)
{
	struct ageing *ageing = calloc(1, sizeof(*ageing));

	if (ageing == NULL)
		return NULL;
	ageing->apply = apply;
	ageing->generation = UINT64_MAX;
	ageing->timer = event_new(base, -1, 0, ageing_tick, ageing);
	if (ageing->timer != NULL)
		return ageing;
	free(ageing);
	return NULL;
}

void ageing_free(struct ageing *ageing)
{
	if (ageing == NULL)
		return;
	event_free(ageing->timer);
	free(ageing);
}

void ageing_wake(struct ageing *ageing)
{
	static const struct timeval second = {.tv_sec = 1};

	times_update(ageing);
	if (ageing->sweep_s == 0 || event_pending(ageing->timer, EV_TIMEOUT, NULL))
		return;
	if (fdb_count(datapath_fdb()) > apply_model(ageing->apply)->n_stations)
		event_add(ageing->timer, &second);
}
