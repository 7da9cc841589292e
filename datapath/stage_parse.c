/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse: headers of the snapshot, and whether the sender's offload wishes agree with them.
 *
 * Sets n_tags, ethertype, l3_off, run, offload.gso_hdr_len. Drops runts, except on wires, and
 * contradictory offloads.
 *
 * Frames come in runs: a sender fills a burst, and most of it goes to one receiver. All that the next stages decide but for a
 * frame's length depends on where it came in, on its addresses and its first tag; frames next to each other that agree in
 * these are numbered as one run, and the stages decide once for each run.
 */
#include "l4.h"
#include "offload.h"
#include "pipeline.h"

#include <string.h>

#define RUN_BYTES 18 /* addresses, tag and the type behind it: what vlan_classify() looks at */

static inline bool continues_run(const struct frame *f, const struct frame *before)
{
	uint64_t a[2], b[2];
	uint16_t last_a, last_b;

	if (f->hdr_len < RUN_BYTES || before->hdr_len < RUN_BYTES)
		return false;
	memcpy(a, f->hdr, sizeof(a));
	memcpy(b, before->hdr, sizeof(b));
	memcpy(&last_a, f->hdr + sizeof(a), sizeof(last_a));
	memcpy(&last_b, before->hdr + sizeof(b), sizeof(last_b));
	return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (uint64_t)(last_a ^ last_b)) == 0 &&
	       f->in_port == before->in_port && f->given_vid == before->given_vid &&
	       f->no_learn == before->no_learn;
}

void stage_parse(struct pipeline *pl, struct burst *b)
{
	const struct frame *before = NULL;
	uint16_t kept = 0;
	uint8_t run = 0;

	for (uint16_t i = 0; i < b->n; i++) {
		struct frame *f = b->frames[i];
		bool whole = l4_parse_tags(f);

		/* A burst has at most FRAME_BURST runs: the number is never used twice. */
		if (before == NULL || !continues_run(f, before))
			run++;
		f->run = run;
		before = f;

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
