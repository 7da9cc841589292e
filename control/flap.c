/* SPDX-License-Identifier: BSD-3-Clause */
#include "flap.h"

#include <string.h>

#include "base/log.h"

/* The same for both ends of a link. */
static uint64_t phase_of(const struct model_port *port)
{
	const char *other = model_port_is_patch(port)		? port->patch_peer
			    : port->attachment == MODEL_ON_WIRE ? port->target
								: port->spec.name;
	const char *first = strcmp(port->spec.name, other) < 0 ? port->spec.name : other;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *first != '\0'; first++)
		hash = (hash ^ (uint8_t)*first) * UINT64_C(0x100000001b3);
	return hash % port->link.flap_every_ms;
}

bool flap_is_down(const struct model_port *port, uint64_t now_ms, uint64_t *next_ms)
{
	uint64_t every = port->link.flap_every_ms, up = every - port->link.flap_down_ms, at;

	if (every == 0)
		return *next_ms = UINT64_MAX, false;
	at = (now_ms + phase_of(port)) % every;
	*next_ms = at < up ? up - at : every - at;
	return at >= up;
}

uint64_t flap_apply(struct apply *apply, uint64_t now_ms)
{
	const struct model *model = apply_model(apply);
	uint64_t first_ms = UINT64_MAX, next_ms;
	bool changed = false;

	for (size_t i = 0; i < model->n_ports; i++) {
		bool is_down = flap_is_down(model->ports[i], now_ms, &next_ms);

		first_ms = next_ms < first_ms ? next_ms : first_ms;
		changed |= apply_flapped(apply, model->ports[i], is_down);
	}
	if (changed && apply_republish(apply) != 0)
		log_error("out of memory: links that flap stay as they are until the next change");
	return first_ms;
}
