/* SPDX-License-Identifier: BSD-3-Clause */
#include "pipeline_impair.h"

#include <stdlib.h>

#include "base/clock.h"
#include "l4.h"
#include "offload.h"

#define BATCHES_MAX 8 /* of one direction, then the others get their turn */

static uint32_t id_of(uint16_t port, enum impair_direction direction)
{
	return (uint32_t)port * IMPAIR_DIRECTIONS + direction;
}

/* The direction, if there is one that @worker is to empty now. */
static struct impair *own_state(const struct snapshot *cfg, uint32_t id, uint16_t worker)
{
	uint32_t index = id / IMPAIR_DIRECTIONS, direction = id % IMPAIR_DIRECTIONS;
	const struct port_config *port = snapshot_port(cfg, index);

	if (port == NULL || !snapshot_empties(cfg, index, direction, worker))
		return NULL;
	return port_impair_state(port, direction);
}

struct pipeline_impair *pipeline_impair_new(void)
{
	struct pipeline_impair *impair = calloc(1, sizeof(*impair));

	if (impair == NULL)
		return NULL;
	impair->wheel = wheel_new();
	if (impair->wheel == NULL) {
		free(impair);
		return NULL;
	}
	return impair;
}

void pipeline_impair_free(struct pipeline_impair *impair)
{
	if (impair == NULL)
		return;
	free(impair->wheel);
	free(impair);
}

/*
 * In an interim snapshot the owner is the one that there will be. Whether it has that snapshot, which has it do nothing, or the one behind it: it
 * finds the frame at its first look at that one, or by this kick.
 */
static void owner_kick(struct pipeline *pl, const struct snapshot *cfg, uint32_t id)
{
	struct impair_hub *hub = pl->impair->hub;
	uint16_t owner = snapshot_doer(cfg, id / IMPAIR_DIRECTIONS,
				       SNAPSHOT_DIRECTION(id % IMPAIR_DIRECTIONS));
	struct wheel *wheel = pl->impair->wheel;

	if (hub != NULL && owner != pl->worker)
		wheel = atomic_load_explicit(&hub->wheels[owner], memory_order_acquire);
	if (wheel_kick(wheel, id) && wheel != pl->impair->wheel)
		hub->wake(owner);
}

/* Put @n frames of the same origin into a direction. */
static void push(struct pipeline *pl, const struct snapshot *cfg, uint16_t index,
		 enum impair_direction direction, struct frame_out *outs, uint16_t n)
{
	const struct port_config *port = &cfg->ports[index];
	const struct impair_params *params = &port->impair->params[direction];
	bool is_first = false;
	uint64_t now = clock_now_ns();

	for (uint16_t i = 0; i < n; i++) {
		enum drop_reason reason = impair_push(port->impair->state[direction], params,
						      &outs[i], now, &is_first);

		if (reason != DROP_NONE)
			pipeline_drop_out(pl, cfg, port, &outs[i], reason);
	}
	if (is_first)
		owner_kick(pl, cfg, id_of(index, direction));
}

/* A frame as a wire would carry it: cut into segments; with its checksum where a bit may be flipped. */
static void enter(struct pipeline *pl, const struct snapshot *cfg, uint16_t index,
		  enum impair_direction direction, struct frame_out *out)
{
	const struct port_config *port = &cfg->ports[index];
	struct offload_scratch *scratch = pl->output.scratch;
	uint16_t in_port = out->f->in_port;
	uint8_t hops = out->f->hops;
	enum drop_reason reason;
	struct frame_out *segments;
	uint16_t n;

	offload_scratch_reset(scratch);
	if (out->f->offload.gso == FRAME_GSO_NONE) {
		/* Else the checksum would be made to fit the flipped bit. */
		if (port->impair->params[direction].corrupt_ppm != 0 &&
		    (out->f->offload.flags & FRAME_NEEDS_CSUM) != 0 &&
		    offload_checksum(scratch, out)) {
			out->f->in_port = in_port;
			out->f->hops = hops;
		}
		push(pl, cfg, index, direction, out, 1);
		return;
	}
	reason = offload_segment_start(scratch, out);
	if (reason != DROP_NONE)
		pipeline_drop_out(pl, cfg, port, out, reason);
	while (reason == DROP_NONE && (n = offload_segment_next(scratch, &segments)) > 0) {
		for (uint16_t i = 0; i < n; i++) {
			segments[i].f->in_port = in_port;
			segments[i].f->hops = hops;
		}
		push(pl, cfg, index, direction, segments, n);
	}
	offload_scratch_reset(scratch);
}

void pipeline_impair_in(struct pipeline *pl, const struct snapshot *cfg, struct frame *frames,
			uint16_t n)
{
	struct burst b = {.cfg = cfg, .n = n};

	for (uint16_t i = 0; i < n; i++) {
		frames[i].hops = 0;
		b.frames[i] = &frames[i];
	}
	stage_parse(pl, &b);
	for (uint16_t i = 0; i < b.n; i++) {
		struct frame_out out = {.f = b.frames[i]};

		if (!cfg->ports[b.frames[i]->in_port].admin_up)
			pipeline_drop(pl, &b, b.frames[i], DROP_PORT_DOWN);
		else
			enter(pl, cfg, b.frames[i]->in_port, IMPAIR_IN, &out);
	}
}

void pipeline_impair_out(struct pipeline *pl, const struct snapshot *cfg, uint16_t port,
			 struct frame_out *out)
{
	enter(pl, cfg, port, IMPAIR_OUT, out);
}

/* To the port, or across the link whose end it is. */
static void leave_out(struct pipeline *pl, const struct snapshot *cfg, uint16_t index,
		      struct impair_batch *batch)
{
	const struct port_config *port = &cfg->ports[index];

	pipeline_begin(pl, cfg);
	for (uint16_t i = 0; i < batch->n; i++) {
		struct frame *f = &batch->frames[i];
		struct frame_out *out;

		if (snapshot_port(cfg, f->in_port) == NULL)
			f->in_port = index; /* where it came from has gone meanwhile */
		if (!port->admin_up) {
			pipeline_drop_at(pl, cfg, port, f, DROP_PORT_DOWN);
		} else if (port->is_patch) {
			pipeline_cross(pl, cfg, &(struct frame_out){.f = f}, port);
		} else {
			l4_parse_tags(f);
			out = output_add(pl, cfg, index, f);
			out->prefix_len = out->skip = 0;
		}
	}
	pipeline_crossed(pl, cfg);
	output_flush(pl, cfg);
}

static void leave(struct pipeline *pl, const struct snapshot *cfg, uint32_t id,
		  struct impair_batch *batch)
{
	uint16_t index = (uint16_t)(id / IMPAIR_DIRECTIONS);

	if (id % IMPAIR_DIRECTIONS == IMPAIR_OUT) {
		leave_out(pl, cfg, index, batch);
		return;
	}
	for (uint16_t i = 0; i < batch->n; i++)
		batch->frames[i].in_port = index;
	pipeline_resume(pl, cfg, batch->frames, batch->n);
}

struct looking {
	struct wheel *wheel;
	const struct snapshot *cfg;
	uint16_t worker;
};

static void look(uint32_t id, void *arg)
{
	const struct looking *looking = arg;
	const struct impair *state = own_state(looking->cfg, id, looking->worker);

	wheel_set(looking->wheel, id, state == NULL ? UINT64_MAX : impair_due(state));
}

void pipeline_impair_adopt(struct pipeline *pl, const struct snapshot *cfg)
{
	struct looking looking = {.wheel = pl->impair->wheel, .cfg = cfg, .worker = pl->worker};

	for (uint32_t i = 0; i < cfg->n_impaired; i++)
		for (int d = 0; d < IMPAIR_DIRECTIONS; d++)
			look(id_of(cfg->impaired[i], d), &looking);
}

uint32_t pipeline_impair_run(struct pipeline *pl, const struct snapshot *cfg)
{
	struct looking looking = {.wheel = pl->impair->wheel, .cfg = cfg, .worker = pl->worker};
	struct impair_batch *batch = &pl->impair->batch;
	uint64_t now;
	uint32_t n = 0, id = 0;

	wheel_kicked(looking.wheel, (uint32_t)cfg->n_ports * IMPAIR_DIRECTIONS, look, &looking);
	if (looking.wheel->n == 0)
		return 0;
	now = clock_now_ns();
	while (wheel_first(looking.wheel, &id) <= now) {
		struct impair *state = own_state(cfg, id, pl->worker);

		for (int i = 0;
		     state != NULL && i < BATCHES_MAX && impair_pop(state, now, batch) > 0; i++) {
			leave(pl, cfg, id, batch);
			impair_release(state, batch);
			n += batch->n;
		}
		/* What has just been kicked is looked at now, not after its next kick, which may not come. */
		look(id, &looking);
		if (n >= BATCHES_MAX * FRAME_BURST)
			break;
	}
	return n;
}

uint64_t pipeline_impair_next(const struct pipeline *pl)
{
	uint32_t id;

	return wheel_first(pl->impair->wheel, &id);
}
