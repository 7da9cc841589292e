/* SPDX-License-Identifier: BSD-3-Clause */
/* See mirror.h. Runs on the worker that has the frame. */
#include "mirror.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline.h"
#include "pipeline_impair.h"
#include "probe/filter.h"

struct mirror_cuts {
	uint16_t n;
	struct frame frames[FRAME_BURST];
	struct frame_seg segs[FRAME_BURST][FRAME_SEGS_MAX + 1];
};

struct mirror_cuts *mirror_cuts_new(void)
{
	return calloc(1, sizeof(struct mirror_cuts));
}

void mirror_cuts_free(struct mirror_cuts *cuts)
{
	free(cuts);
}

/* The first @len bytes as a frame of its own, whose payload stays where it is. */
static struct frame *cut(struct pipeline *pl, const struct snapshot *cfg,
			 const struct frame_out *out, uint32_t len)
{
	struct mirror_cuts *cuts = pl->mirror_cuts;
	const struct frame *from = out->f;
	uint32_t head = (uint32_t)(out->prefix_len + from->hdr_len - out->skip), rest;
	struct frame_seg *segs;
	struct frame *f;

	if (cuts->n == FRAME_BURST) {
		output_flush(pl, cfg);
		cuts->n = 0;
	}
	segs = cuts->segs[cuts->n];
	f = &cuts->frames[cuts->n++];
	memcpy(f, from, offsetof(struct frame, buf));
	memset(&f->offload, 0, sizeof(f->offload)); /* what is cut is not segmented nor summed */
	f->hdr = f->buf;
	f->hdr_len = (uint16_t)(head < sizeof(f->buf) ? head : sizeof(f->buf));
	if (f->hdr_len > len)
		f->hdr_len = (uint16_t)len;
	frame_out_copy(out, f->buf, f->hdr_len);
	f->len = len;
	f->is_cut = true;
	f->segs = segs;
	f->n_segs = 0;
	rest = len - f->hdr_len;
	if (rest > 0 && head > f->hdr_len) {
		uint32_t more = head - f->hdr_len < rest ? head - f->hdr_len : rest;

		segs[f->n_segs++] = (struct frame_seg){
			.base = from->hdr + from->hdr_len - (head - f->hdr_len), .len = more};
		rest -= more;
	}
	for (uint16_t i = 0; i < from->n_segs && rest > 0; i++) {
		segs[f->n_segs] = from->segs[i];
		if (segs[f->n_segs].len > rest)
			segs[f->n_segs].len = rest;
		rest -= segs[f->n_segs++].len;
	}
	return f;
}

static void copy_to(struct pipeline *pl, const struct snapshot *cfg, const struct mirror *mirror,
		    uint16_t index, const struct frame_out *out)
{
	const struct port_config *to = &cfg->ports[index];
	uint32_t len = frame_out_len(out);
	struct frame_out copy;
	struct frame_out *place;

	if (!to->admin_up) {
		pipeline_drop_out(pl, cfg, to, out, DROP_PORT_DOWN);
		return;
	}
	if (__builtin_expect(pl->trace != NULL, 0)) {
		trace_out(pl->trace, TRACE_MIRROR, out, index);
		if (pl->trace->dry)
			return;
	}
	frame_out_init(&copy, out->f);
	copy.prefix_len = out->prefix_len;
	copy.skip = out->skip;
	memcpy(copy.prefix, out->prefix, out->prefix_len);
	if (mirror->snaplen != 0 && mirror->snaplen < len) {
		copy.f = cut(pl, cfg, out, mirror->snaplen);
		copy.prefix_len = copy.skip = 0;
	}
	if (pipeline_l3_len(copy.f) > to->mtu) {
		pipeline_drop_out(pl, cfg, to, out, DROP_OVERSIZE);
		return;
	}
	if (port_impair_state(to, IMPAIR_OUT) != NULL) {
		pipeline_impair_out(pl, cfg, index, &copy);
		return;
	}
	place = output_add(pl, cfg, index, copy.f);
	place->prefix_len = copy.prefix_len;
	place->skip = copy.skip;
	memcpy(place->prefix, copy.prefix, copy.prefix_len);
}

void mirror_frame(struct pipeline *pl, const struct snapshot *cfg, uint32_t mirrors,
		  const struct frame_out *out)
{
	for (; mirrors != 0; mirrors &= mirrors - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(mirrors);
		struct mirror *mirror = cfg->mirrors[i];

		if ((mirror->vid != 0 && mirror->vid != out->f->vid) ||
		    !filter_match(mirror->filter, pl->filter_scratch, out))
			continue;
		if (!pipeline_is_dry(pl))
			stats_add(&mirror->n_copies[pl->worker], 1);
		copy_to(pl, cfg, mirror, cfg->mirror_to[i], out);
	}
}
