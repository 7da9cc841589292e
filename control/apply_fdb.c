/* SPDX-License-Identifier: BSD-3-Clause */
#include "apply_fdb.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "model_vlan.h"

static uint16_t switch_index(const struct model *model, const char *name)
{
	const struct model_switch *sw = model_switch_find(model, name);

	return sw == NULL ? SNAPSHOT_NONE : sw->index;
}

struct by_index {
	const struct model_port *port;
	uint16_t sw; /* index of its switch, SNAPSHOT_NONE for none */
	bool replaced;
};

static bool entry_is_stale(const struct fdb_entry *entry, void *arg)
{
	const struct by_index *by_index = arg;
	const struct by_index *at;

	if (entry->port >= SNAPSHOT_PORTS_MAX)
		return true;
	at = &by_index[entry->port];
	if (at->port == NULL || at->sw == SNAPSHOT_NONE || at->sw != entry->fid >> 12 ||
	    !vlan_is_member(&at->port->vlan, entry->fid & 0xfff))
		return true;
	if ((entry->flags & FDB_STATIC) != 0)
		return false;
	return at->replaced || (!at->port->admin_up && (entry->flags & FDB_STICKY) == 0);
}

/* Whether something went that entries may hang on; additions need no walk over the table. */
static bool something_went(const struct model *old, const struct model *next, const bool *replaced)
{
	for (size_t i = 0; i < old->n_ports; i++) {
		const struct model_port *before = old->ports[i];
		const struct model_port *after = model_port_find(next, before->spec.name);

		if (after == NULL || replaced[after->index] ||
		    before->admin_up != after->admin_up ||
		    before->attachment != after->attachment ||
		    strcmp(before->target, after->target) != 0 ||
		    !model_vlan_equal(&before->vlan, &after->vlan))
			return true;
	}
	return false;
}

/* Of what was learned, as many as *@arg says; it is counted down. */
static bool entry_makes_room(const struct fdb_entry *entry, void *arg)
{
	uint32_t *wanted = arg;

	if (*wanted == 0 || (entry->flags & (FDB_STATIC | FDB_STICKY)) != 0)
		return false;
	(*wanted)--;
	return true;
}

static void station_enter(struct fdb *fdb, const struct model *model,
			  const struct model_station *station)
{
	uint32_t fid = FDB_FID(switch_index(model, station->sw), station->vid);
	uint16_t port = model_port_find(model, station->port)->index;
	/* A sticky one is the user's, too: only FDB_STATIC keeps an entry from ageing. */
	uint8_t want = station->sticky ? FDB_STATIC | FDB_STICKY : FDB_STATIC, flags = 0;
	uint32_t now_s = (uint32_t)(clock_now_ns() / CLOCK_NS_PER_SECOND);
	uint32_t wanted = fdb_capacity(fdb) / 16 + 1; /* at once: a walk for each would take long */
	enum fdb_change change;

	if (fdb_lookup(fdb, fid, station->mac, &flags) == port && flags == want)
		return;
	fdb_delete(fdb, fid, station->mac);
	change = fdb_learn(fdb, fid, station->mac, port, want, 0, now_s);
	if (change == FDB_FULL) {
		fdb_flush(fdb, entry_makes_room, &wanted);
		change = fdb_learn(fdb, fid, station->mac, port, want, 0, now_s);
	}
	if (change != FDB_ADDED)
		log_error("switch \"%s\": no room for a static entry on port \"%s\"", station->sw,
			  station->port);
}

void apply_fdb_sync(struct fdb *fdb, const struct model *old, const struct model *next,
		    const bool *replaced)
{
	static struct by_index by_index[SNAPSHOT_PORTS_MAX];

	for (size_t i = 0; i < old->n_stations; i++) {
		const struct model_station *one = &old->stations[i];
		const struct model_station *other =
			model_station_find(next, one->sw, one->vid, one->mac);

		if (other == NULL || other->sticky != one->sticky ||
		    strcmp(other->port, one->port) != 0)
			fdb_delete(fdb, FDB_FID(switch_index(old, one->sw), one->vid), one->mac);
	}
	if (something_went(old, next, replaced)) {
		memset(by_index, 0, sizeof(by_index));
		for (size_t i = 0; i < next->n_ports; i++) {
			const struct model_port *port = next->ports[i];

			by_index[port->index] = (struct by_index){
				.port = port,
				.sw = port->attachment == MODEL_ON_SWITCH
					      ? switch_index(next, port->target)
					      : SNAPSHOT_NONE,
				.replaced = replaced[port->index],
			};
		}
		fdb_flush(fdb, entry_is_stale, by_index);
	}
	for (size_t i = 0; i < next->n_stations; i++)
		station_enter(fdb, next, &next->stations[i]);
}
