/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse: headers of the snapshot, and whether the sender's offload wishes agree with them.
 *
 * Sets n_tags, ethertype, l3_off, run, offload.gso_hdr_len; of the burst is_alike and is_plain. Drops runts, except on
 * wires, and contradictory offloads.
 *
 * Frames come in runs: a sender fills a burst, and most of it goes to one receiver. All that the next stages decide but for a
 * frame's length depends on where it came in, on its addresses and its first tag; frames next to each other that agree in
 * these are numbered as one run, and the stages decide once for each run.
 */
#include "l4.h"
#include "offload.h"
#include "pipeline.h"

#include <endian.h>
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

/* Of an untagged frame. Little end first: bit 0 says that it is a group's. */
struct addresses {
	uint64_t to;   /* and the first two bytes of the source */
	uint64_t from; /* and the type */
};

static inline struct addresses addresses_of(const struct frame *f)
{
	struct addresses a;

	memcpy(&a.to, f->hdr, sizeof(a.to));
	memcpy(&a.from, f->hdr + 6, sizeof(a.from));
	return a;
}

static inline bool type_is_known(uint16_t type)
{
	return (type == L4_ETHERTYPE_IP4) | (type == L4_ETHERTYPE_IP6) | (type == L4_ETHERTYPE_ARP);
}

/*
 * Most bursts: untagged, without wishes, by one port, sources that are not 0. What tells the frames apart is not a branch.
 * Return: false if it is another one; then nothing is said of it yet.
 */
static bool parse_untagged(struct burst *b)
{
	const struct frame *first = b->frames[0];
	const uint16_t in_port = first->in_port, given_vid = first->given_vid;
	const bool no_learn = first->no_learn;
	struct addresses before;
	uint64_t groups = 0;
	uint32_t longest = 0;
	uint8_t run = 1; /* at most FRAME_BURST */

	if (first->hdr_len < L4_ETH_HDR_LEN)
		return false;
	before = addresses_of(first);
	for (uint16_t i = 0; i < b->n; i++) {
		struct frame *f = b->frames[i];
		struct addresses a;
		uint16_t type;

		if (__builtin_expect(f->hdr_len < L4_ETH_HDR_LEN, 0))
			return false;
		a = addresses_of(f);
		type = be16toh((uint16_t)(a.from >> 48));
		if (__builtin_expect(type == VLAN_TPID_C || type == VLAN_TPID_S ||
					     (f->offload.flags | f->offload.gso) != 0 ||
					     f->in_port != in_port || f->given_vid != given_vid ||
					     f->no_learn != no_learn || a.from << 16 == 0,
				     0))
			return false;
		run = (uint8_t)(run + (((a.to ^ before.to) | (a.from ^ before.from)) != 0));
		before = a;
		groups |= a.to | a.from;
		longest = f->len > longest ? f->len : longest;
		f->n_tags = 0;
		f->run = run;
		f->ethertype = type;
		f->l3_off = type_is_known(type) ? L4_ETH_HDR_LEN : 0;
	}
	b->longest = longest;
	b->is_alike = run == 1;
	b->is_plain = !b->is_alike && (groups & 1) == 0;
	return true;
}

static void parse_any(struct pipeline *pl, struct burst *b)
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
	b->is_plain = false;
}

void stage_parse(struct pipeline *pl, struct burst *b)
{
	if (!parse_untagged(b))
		parse_any(pl, b);
}

void stage_parse_watched(struct pipeline *pl, struct burst *b)
{
	stage_parse(pl, b);
	if (b->cfg->mirrored_in != 0 || pl->trace != NULL)
		b->is_alike = b->is_plain = false;
}
