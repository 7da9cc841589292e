/* SPDX-License-Identifier: BSD-3-Clause */
/* Received bytes as frames. */
#ifndef TAP_UPLINK_FRAME_H
#define TAP_UPLINK_FRAME_H

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/copy.h"
#include "frame.h"
#include "port.h"
#include "vxlan/vxlan.h"

/* The snapshot has the outer headers as well: behind them, where a frame's snapshot begins, it is one of the inner frame as it is. */
#define UPLINK_HDR_MAX (VXLAN_OUTER_LEN4 + FRAME_HDR_MAX)

static_assert(VXLAN_OUTER_LEN4 <= FRAME_HDR_ROOM, "there is room for outer headers");

static inline void uplink_frame_empty(struct frame *f)
{
	memset(f, 0, offsetof(struct frame, buf));
	f->hdr = f->buf + FRAME_HDR_ROOM - VXLAN_OUTER_LEN4;
}

/* Add @len bytes: the first ones copied, the rest where they are. */
static inline void uplink_frame_fill(struct frame *f, struct frame_seg *seg, const uint8_t *bytes,
				     uint32_t len)
{
	uint16_t room = (uint16_t)(UPLINK_HDR_MAX - f->hdr_len);
	uint16_t part = len < room ? (uint16_t)len : room;

	copy_short(f->hdr + f->hdr_len, bytes, part);
	f->hdr_len = (uint16_t)(f->hdr_len + part);
	f->len += len;
	if (len > part) {
		*seg = (struct frame_seg){bytes + part, len - part};
		f->segs = seg;
		f->n_segs = 1;
	}
}

/* Count what came in, with its outer headers, before any of it is refused. A row that was merged is one. The queue's worker. */
static inline void uplink_frames_count(struct port *port, uint16_t queue,
				       const struct frame *frames, uint16_t n)
{
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < n; i++)
		bytes += frames[i].len;
	stats_add(&port->rxq[queue].pkts, n);
	stats_add(&port->rxq[queue].bytes, bytes);
}

#endif
