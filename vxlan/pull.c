/* SPDX-License-Identifier: BSD-3-Clause */
/* See pull.h. Pure; workers. */
#include "pull.h"

#include "base/copy.h"

void pull_window_any(struct frame *f, uint16_t skip, uint32_t len, struct frame_seg *segs)
{
	uint32_t want = len < FRAME_HDR_MAX ? len : FRAME_HDR_MAX;
	uint32_t have = f->hdr_len - skip; /* snapshot bytes that stay */
	uint8_t kept[FRAME_HDR_MAX];
	uint32_t left;
	uint16_t n = 0;

	if (have >= len) {
		/* Of small frames all that remains is in the snapshot already. */
		f->hdr += skip;
		f->hdr_len = (uint16_t)len;
		f->len = len;
		f->n_segs = 0;
		return;
	}
	if (have >= want) {
		f->hdr += skip;
	} else {
		/* The two places overlap. */
		copy_short(kept, f->hdr + skip, have);
		copy_short(f->buf + FRAME_HDR_ROOM, kept, have);
		f->hdr = f->buf + FRAME_HDR_ROOM;
	}

	left = len - have; /* bytes still to be taken from the segments */
	for (uint16_t i = 0; i < f->n_segs && left > 0; i++) {
		struct frame_seg seg = f->segs[i];
		uint32_t pulled = have < want ? want - have : 0;

		if (seg.len > left)
			seg.len = left;
		left -= seg.len;
		if (pulled > seg.len)
			pulled = seg.len;
		copy_short(f->hdr + have, seg.base, pulled);
		have += pulled;
		if (seg.len > pulled)
			segs[n++] = (struct frame_seg){seg.base + pulled, seg.len - pulled};
	}
	f->hdr_len = (uint16_t)have;
	f->len = len - left;
	f->segs = segs;
	f->n_segs = n;
}
