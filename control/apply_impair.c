/* SPDX-License-Identifier: BSD-3-Clause */
#include "apply_impair.h"

#include <errno.h>
#include <stdlib.h>

/* FNV-1a: the same name, the same random numbers. */
static uint64_t salt_of(const char *name, int direction)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) + (uint64_t)direction;

	for (; *name != '\0'; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	return hash;
}

int apply_impair_open(struct live_port *live, const struct model_port *port, struct err *err)
{
	for (int i = 0; i < IMPAIR_DIRECTIONS; i++) {
		if (!impair_is_set(&port->impair[i])) {
			live->impair[i] = NULL; /* whoever had it before frees it */
			continue;
		}
		if (live->impair[i] == NULL)
			live->impair[i] = impair_new(salt_of(port->spec.name, i));
		if (live->impair[i] == NULL)
			return err_set(
				err, ENOMEM,
				"port \"%s\": impair: no address space left for frames that wait",
				port->spec.name);
	}
	return 0;
}

/* Control is the only one to count this reason, so it counts as the first worker. */
static void cleared_count(struct live_port *live, uint64_t n)
{
	if (n == 0)
		return;
	if (live->port != NULL)
		port_drop(live->port, 0, DROP_IMPAIR_CLEARED, n);
	else if (live->patch_drops != NULL)
		stats_add(&live->patch_drops[0].by_reason[DROP_IMPAIR_CLEARED], n);
}

void apply_impair_close(struct live_port *live, const struct live_port *kept)
{
	for (int i = 0; i < IMPAIR_DIRECTIONS; i++) {
		if (kept == NULL || kept->impair[i] != live->impair[i])
			cleared_count(live, impair_free(live->impair[i]));
	}
}

int apply_impair_fill(struct snapshot *snapshot, const struct model *model,
		      const struct live_port *live)
{
	size_t n = 0;

	for (size_t i = 0; i < model->n_ports; i++) {
		const struct live_port *own = &live[model->ports[i]->index];

		n += own->impair[IMPAIR_IN] != NULL || own->impair[IMPAIR_OUT] != NULL;
	}
	if (n == 0)
		return 0;
	snapshot->impairs = calloc(n, sizeof(*snapshot->impairs));
	if (snapshot->impairs == NULL)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < model->n_ports; i++) {
		const struct model_port *port = model->ports[i];
		const struct live_port *own = &live[port->index];
		struct port_impair *impair = &snapshot->impairs[n];

		if (own->impair[IMPAIR_IN] == NULL && own->impair[IMPAIR_OUT] == NULL)
			continue;
		for (int k = 0; k < IMPAIR_DIRECTIONS; k++) {
			impair->state[k] = own->impair[k];
			impair->params[k] = port->impair[k];
		}
		snapshot->ports[port->index].impair = impair;
		n++;
	}
	return 0;
}
