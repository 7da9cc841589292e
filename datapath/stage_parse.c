/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse: headers of the snapshot, and whether the sender's offload wishes agree with them.
 *
 * Sets n_tags, ethertype, l3_off, offload.gso_hdr_len. Drops runts, except on wires, and
 * contradictory offloads.
 */
#include "l4.h"
#include "offload.h"
#include "pipeline.h"

void stage_parse(struct pipeline *pl, struct burst *b)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		struct frame *f = b->frames[i];
		bool whole = l4_parse_tags(f);

		if (__builtin_expect(!whole && b->cfg->ports[f->in_port].role != PORT_WIRE, 0)) {
			pipeline_drop(pl, b, f, DROP_RUNT);
			continue;
		}
		if ((f->offload.flags | f->offload.gso) != 0 && !offload_validate(f)) {
			pipeline_drop(pl, b, f, DROP_BAD_OFFLOAD);
			continue;
		}
		b->frames[kept++] = f;
	}
	b->n = kept;
}
