/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moving the window of a frame: the outer headers leave its front, padding leaves its end, and the snapshot grows again
 * from the segments, so that the stages behind find as many inner header bytes as with a frame that came without a tunnel.
 */
#ifndef VXLAN_PULL_H
#define VXLAN_PULL_H

#include "frame.h"

/* Segment lists of frames whose own list must not be written; lives as long as the frames. One per worker. */
struct pull_scratch {
	struct frame_seg segs[FRAME_BURST][FRAME_SEGS_MAX];
};

/** pull_window_any() - As pull_window(), whatever there is to do */
void pull_window_any(struct frame *f, uint16_t skip, uint32_t len, struct frame_seg *segs);

/**
 * pull_window() - Keep bytes @skip .. @skip + @len of a frame and refill its snapshot
 * @f:    hdr, hdr_len, len, segs and n_segs are rewritten; hdr stays inside buf with FRAME_HDR_ROOM in front
 * @skip: bytes to remove from the front, at most hdr_len
 * @len:  bytes that remain, skip + len at most f->len
 * @segs: FRAME_SEGS_MAX entries that f->segs may point to afterwards
 *
 * Bytes that come into the snapshot are copied once, and from then on only the copy counts.
 */
static inline void pull_window(struct frame *f, uint16_t skip, uint32_t len, struct frame_seg *segs)
{
	uint32_t have = f->hdr_len - skip;

	/* All that remains is there already, where it should be: small frames, and what an uplink took a larger snapshot of. */
	if (f->len - skip == len && (have == len || have >= FRAME_HDR_MAX) &&
	    f->hdr + skip >= f->buf + FRAME_HDR_ROOM) {
		f->hdr += skip;
		f->hdr_len = (uint16_t)have;
		f->len = len;
		return;
	}
	pull_window_any(f, skip, len, segs);
}

#endif
