/* SPDX-License-Identifier: BSD-3-Clause */
/* See bum.h. Pure; workers. */
#include "bum.h"

#include "base/clock.h"

struct bum_rate bum_rate(uint32_t frames_per_s, uint32_t burst)
{
	struct bum_rate rate = {0};

	if (frames_per_s == 0)
		return rate;
	rate.ns_per_frame = CLOCK_NS_PER_SECOND / frames_per_s;
	if (rate.ns_per_frame == 0)
		rate.ns_per_frame = 1;
	rate.burst_ns = rate.ns_per_frame * (burst > 0 ? burst : 1);
	return rate;
}

bool bum_meter_take(struct bum_meter *meter, const struct bum_rate *rate, uint64_t now_ns)
{
	uint64_t full_at, next;

	if (rate->ns_per_frame == 0)
		return true;
	full_at = atomic_load_explicit(&meter->full_at_ns, memory_order_relaxed);
	do {
		next = (full_at > now_ns ? full_at : now_ns) + rate->ns_per_frame;
		if (next > now_ns + rate->burst_ns)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&meter->full_at_ns, &full_at, next, memory_order_relaxed, memory_order_relaxed));
	return true;
}

/* Only the bytes that count: a frame_out has room for 96, of which a tag needs 16. */
static inline void out_copy(struct frame_out *to, const struct frame_out *from)
{
	to->f = from->f;
	to->prefix_len = from->prefix_len;
	to->skip = from->skip;
	to->drop = DROP_NONE;
	memcpy(to->prefix, from->prefix, from->prefix_len);
}

uint16_t bum_flood(const struct vtep_table *table, uint16_t vni, uint16_t from_peer,
		   const struct frame_out *template, struct frame_out *outs,
		   struct encap_dest *dests, uint16_t max, uint32_t *start, enum drop_reason *drop)
{
	const struct vtep_vni *v = &table->vnis[vni];
	uint16_t n = 0;

	*drop = DROP_NONE;
	if (from_peer != VTEP_NONE)
		*drop = DROP_VXLAN_SPLIT_HORIZON;
	else if (v->flood_off)
		*drop = DROP_VXLAN_BUM_OFF;
	if (*drop != DROP_NONE)
		return 0;
	while (n < max && *start < v->n_flood) {
		out_copy(&outs[n], template);
		dests[n] = (struct encap_dest){.vni = vni, .peer = v->flood[(*start)++]};
		n++;
	}
	return n;
}
