/* SPDX-License-Identifier: BSD-3-Clause */
/* See reply.h. Pure; workers. */
#include "reply.h"

#include <stddef.h>
#include <string.h>

void reply_frame(struct reply *reply, struct frame *f)
{
	uint16_t hdr_len = reply->len < FRAME_HDR_MAX ? reply->len : FRAME_HDR_MAX;

	memset(f, 0, offsetof(struct frame, buf));
	f->hdr = f->buf + FRAME_HDR_ROOM;
	f->hdr_len = hdr_len;
	f->len = reply->len;
	memcpy(f->hdr, reply->bytes, hdr_len);
	reply->seg = (struct frame_seg){reply->bytes + hdr_len, (uint32_t)(reply->len - hdr_len)};
	f->segs = &reply->seg;
	f->n_segs = reply->seg.len > 0 ? 1 : 0;
}
