/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse: headers of the snapshot, and whether the sender's offload wishes agree with them.
 *
 * Sets n_tags, ethertype, l3_off, run, offload.gso_hdr_len; of the burst is_alike. Drops runts, except on wires, and
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

/* What has to be the same. */
struct run_key {
	uint64_t bytes[2];
	uint64_t rest; /* more bytes, and where from; 0: too short to say */
};

static inline struct run_key run_key(const struct frame *f)
{
	struct run_key key = {.rest = 0};
	uint16_t last;

	if (f->hdr_len < RUN_BYTES)
		return key;
	memcpy(key.bytes, f->hdr, sizeof(key.bytes));
	memcpy(&last, f->hdr + sizeof(key.bytes), sizeof(last));
	key.rest = last | (uint64_t)f->in_port << 16 | (uint64_t)f->given_vid << 32 |
		   (uint64_t)f->no_learn << 48 | UINT64_C(1) << 63;
	return key;
}

static inline bool run_continues(const struct run_key *key, const struct run_key *before)
{
	return ((key->bytes[0] ^ before->bytes[0]) | (key->bytes[1] ^ before->bytes[1]) |
		(key->rest ^ before->rest)) == 0 &&
	       key->rest != 0;
}

void stage_parse(struct pipeline *pl, struct burst *b)
{
	struct run_key before_key = {.rest = 0};
	const struct frame *before = NULL;
	uint16_t kept = 0;
	uint32_t longest = 0;
	uint8_t run = 0;
	bool plain = true;

	for (uint16_t i = 0; i < b->n; i++) {
		struct frame *f = b->frames[i];
		struct run_key key = run_key(f);
		bool continues = run_continues(&key, &before_key), whole = true;

		/* With a tag at most, the run's bytes are all that l4_parse_tags() looks at. */
		if (continues && before->n_tags < 2) {
			f->n_tags = before->n_tags;
			f->ethertype = before->ethertype;
			f->l3_off = before->l3_off;
		} else {
			whole = l4_parse_tags(f);
		}
		/* A burst has at most FRAME_BURST runs: the number is never used twice. */
		run = (uint8_t)(run + !continues);
		f->run = run;
		before = f;
		before_key = key;
		if (f->len > longest)
			longest = f->len;

		if (__builtin_expect(!whole && b->cfg->ports[f->in_port].role != PORT_WIRE, 0)) {
			pipeline_drop(pl, b, f, DROP_RUNT);
			continue;
		}
		if ((f->offload.flags | f->offload.gso) != 0) {
			plain = false;
			if (!offload_validate(f)) {
				pipeline_drop(pl, b, f, DROP_BAD_OFFLOAD);
				continue;
			}
		}
		b->frames[kept++] = f;
	}
	b->n = kept;
	b->longest = longest;
	b->is_alike = plain && run == 1 && kept > 0 && b->frames[0]->n_tags < 2;
}

void stage_parse_watched(struct pipeline *pl, struct burst *b)
{
	stage_parse(pl, b);
	if (b->cfg->mirrored_in != 0 || pl->trace != NULL)
		b->is_alike = false;
}
