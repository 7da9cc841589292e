/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mirror: copies of what comes in at ports that are mirrored. Copies of what goes out are made by output.
 *
 * Needs vid. Sets nothing, drops nothing. Only run while somebody looks.
 */
#include "pipeline.h"

void stage_mirror(struct pipeline *pl, struct burst *b)
{
	if (b->cfg->mirrored_in == 0)
		return;
	for (uint16_t i = 0; i < b->n; i++) {
		struct frame_out out;
		uint32_t mirrors = b->cfg->ports[b->frames[i]->in_port].mirror_in;

		if (mirrors == 0)
			continue;
		frame_out_init(&out, b->frames[i]);
		mirror_frame(pl, b->cfg, mirrors, &out);
	}
}
