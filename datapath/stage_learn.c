/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * learn: refresh the station's age, or hand it to the FDB's writer. IEEE 802.1Q-2018 §8.7.
 *
 * Needs vid and run. Sets the burst's dst_hash of each run and prefetches what forward will look up, so that the cache
 * misses of a burst overlap. Drops frames from a station that is static or sticky elsewhere. Wires learn
 * nothing.
 */
#include "l4.h"
#include "pipeline.h"

#define ETHERTYPE_ARP	0x0806
#define IP6_NEXT_HEADER 6
#define PROTO_ICMP6	58

#define RECENT_TSC (1 << 22) /* about a millisecond or two */

/* Whether the writer was told the same a moment ago; it is remembered if not. */
static bool told_recently(struct pipeline *pl, uint64_t hash, uint64_t key, uint16_t port)
{
	size_t i = hash % PIPELINE_RECENT_MAX;

	if (pl->recent[i].key == key && pl->recent[i].port == port &&
	    pl->now_tsc - pl->recent[i].tsc < RECENT_TSC)
		return true;
	pl->recent[i].key = key;
	pl->recent[i].port = port;
	pl->recent[i].tsc = pl->now_tsc;
	return false;
}

static void tell_writer(struct pipeline *pl, const struct snapshot *cfg, uint64_t hash,
			uint32_t fid, uint64_t mac, uint16_t port)
{
	const struct learn_event event = {
		.mac = mac, .fid = fid, .port = port, .generation = (uint16_t)cfg->generation};

	if (pl->learn == NULL || told_recently(pl, hash, mac << 16 ^ fid, port))
		return;
	if (!learn_push(pl->learn, &event)) {
		pl->recent[hash % PIPELINE_RECENT_MAX].key = 0;
		pl->n_learn_refused++;
	}
}

/* Where to look for the source; where for the destination is noted in the burst. */
static inline uint64_t find_bucket(struct burst *b, const struct frame *f, uint32_t fid)
{
	uint64_t hash = fdb_hash_prefetch(b->cfg->fdb, fid, fdb_mac(f->hdr + 6));

	b->dst_hash[f->run] = fdb_hash_prefetch(b->cfg->fdb, fid, fdb_mac(f->hdr));
	return hash;
}

/* For the first frame of each run. */
static void find_buckets(struct burst *b, uint64_t *hashes)
{
	int run = -1;

	for (uint16_t i = 0; i < b->n; i++) {
		const struct frame *f = b->frames[i];
		const struct port_config *in = &b->cfg->ports[f->in_port];

		if (in->role == PORT_WIRE || f->run == run)
			continue;
		run = f->run;
		hashes[i] = find_bucket(b, f, FDB_FID(in->sw, f->vid));
	}
}

/*
 * What a frame's source is to the table, past what learn_plain() knows.
 * Return: FDB_REFUSED when the frame must not pass.
 */
PIPELINE_TWICE enum fdb_change learn(struct pipeline *pl, const struct snapshot *cfg,
				     const struct frame *f, uint64_t hash, bool watched)
{
	bool dry = watched && pipeline_is_dry(pl);
	const struct port_config *in = &cfg->ports[f->in_port];
	uint32_t fid = FDB_FID(in->sw, f->vid);
	uint64_t mac = fdb_mac(f->hdr + 6);
	enum fdb_change change;

	if (in->role == PORT_WIRE)
		return FDB_KNOWN;
	change = fdb_refresh_hashed(cfg->fdb, hash, fid, mac, f->in_port,
				    dry ? FDB_NO_REFRESH : pl->now_s);
	if (change != FDB_KNOWN && change != FDB_REFUSED && !f->no_learn && !dry &&
	    cfg->switches[in->sw].learning)
		tell_writer(pl, cfg, hash, fid, mac, f->in_port);
	return change;
}

static inline bool is_neighbour_discovery(const struct frame *f)
{
	if (f->ethertype == ETHERTYPE_ARP)
		return true;
	return f->ethertype == L4_ETHERTYPE_IP6 && f->l3_off + IP6_NEXT_HEADER < f->hdr_len &&
	       f->hdr[f->l3_off + IP6_NEXT_HEADER] == PROTO_ICMP6;
}

/* Return: false if some are dropped or shown to those who snoop, and each has to be looked at. */
PIPELINE_TWICE bool learn_alike(struct pipeline *pl, struct burst *b, bool watched)
{
	struct frame *first = b->frames[0];
	const struct port_config *in = &b->cfg->ports[first->in_port];

	if (in->role == PORT_WIRE)
		return true;
	if (in->snoops &&
	    (first->ethertype == ETHERTYPE_ARP || first->ethertype == L4_ETHERTYPE_IP6))
		return false;
	return learn(pl, b->cfg, first, find_bucket(b, first, FDB_FID(in->sw, first->vid)),
		     watched) != FDB_REFUSED;
}

/* What is not simply known: frames in @odd, a bit each. */
static void learn_odd(struct pipeline *pl, struct burst *b, uint64_t odd, uint32_t fid)
{
	const struct frame first = *b->frames[0];
	uint64_t refused = 0;
	uint16_t kept = 0;

	for (; odd != 0; odd &= odd - 1) {
		unsigned int i = (unsigned int)__builtin_ctzll(odd);
		struct frame *f = b->frames[i];

		frame_as_admitted(f, &first);
		if (learn(pl, b->cfg, f, fdb_hash(b->cfg->fdb, fid, fdb_mac(f->hdr + 6)), false) ==
		    FDB_REFUSED)
			refused |= UINT64_C(1) << i;
	}
	if (refused == 0)
		return;
	for (uint16_t i = 0; i < b->n; i++) {
		struct frame *f = b->frames[i];

		if ((refused >> i & 1) != 0)
			pipeline_drop(pl, b, f, DROP_STICKY_MOVE);
		else
			b->frames[kept++] = f;
	}
	if (kept > 0)
		frame_as_admitted(b->frames[0], &first);
	b->n = kept;
}

/*
 * Stations that were seen behind this port in this very second, as nearly all were: they need no more than that one look, and
 * nothing is written.
 */
static void learn_plain(struct pipeline *pl, struct burst *b, const struct port_config *in)
{
	const struct frame *first = b->frames[0];
	const struct fdb *fdb = b->cfg->fdb;
	const uint32_t fid = FDB_FID(in->sw, first->vid);
	const struct key any = key_make(fid, 0);
	const uint64_t expected = value_make(&any, first->in_port, 0, pl->now_s);
	struct {
		uint64_t word;
		const struct bucket *bucket;
	} at[FRAME_BURST];
	const uint16_t n = b->n;
	uint64_t odd = 0;

	for (uint16_t i = 0; i < n; i++) {
		const struct frame *f = b->frames[i];
		uint64_t to = key_word_at(f->hdr, any.word), to_hash = word_hash(fdb, fid, to);

		at[i].word = key_word_at(f->hdr + 6, any.word);
		at[i].bucket = bucket_first(fdb, word_hash(fdb, fid, at[i].word));
		__builtin_prefetch(at[i].bucket);
		__builtin_prefetch(bucket_first(fdb, to_hash));
		b->dst_hash[f->run] = to_hash;
	}
	for (uint16_t i = 0; i < n; i++) {
		const struct slot *slot = bucket_guess(at[i].bucket, at[i].word);
		uint64_t value = slot_glance(slot, at[i].word) & ~(VALUE_VERSION | VALUE_FLAGS);

		odd |= (uint64_t)(value != expected) << i;
	}
	if (__builtin_expect(odd != 0, 0))
		learn_odd(pl, b, odd, fid);
}

PIPELINE_TWICE void learn_burst(struct pipeline *pl, struct burst *b, bool watched)
{
	enum fdb_change of_run = FDB_KNOWN;
	uint64_t hashes[FRAME_BURST];
	uint16_t kept = 0;
	int run = -1;

	if (b->is_alike) {
		if (learn_alike(pl, b, watched))
			return;
		burst_differ(b);
	}
	if (b->is_plain) {
		const struct port_config *in = &b->cfg->ports[b->frames[0]->in_port];

		if (!in->snoops) {
			learn_plain(pl, b, in);
			return;
		}
		burst_differ(b);
	}
	find_buckets(b, hashes);
	for (uint16_t i = 0; i < b->n; i++) {
		struct frame *f = b->frames[i];

		if (f->run != run) {
			run = f->run;
			of_run = learn(pl, b->cfg, f, hashes[i], watched);
			if (watched && pl->trace != NULL)
				pl->trace->source = (uint8_t)of_run;
		}
		if (of_run == FDB_REFUSED) {
			pipeline_drop(pl, b, f, DROP_STICKY_MOVE);
			continue;
		}
		if (__builtin_expect(b->cfg->ports[f->in_port].snoops, 0) &&
		    is_neighbour_discovery(f) && !(watched && pipeline_is_dry(pl)))
			b->cfg->snoop(f, b->cfg->ports[f->in_port].sw, pl->now_s);
		b->frames[kept++] = f;
	}
	b->n = kept;
}

void stage_learn(struct pipeline *pl, struct burst *b)
{
	learn_burst(pl, b, false);
}

void stage_learn_watched(struct pipeline *pl, struct burst *b)
{
	learn_burst(pl, b, true);
}
