/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame that is made here and not forwarded: an answer to a guest, an announcement for it. Small, owns its bytes.
 */
#ifndef VXLAN_REPLY_H
#define VXLAN_REPLY_H

#include "frame.h"

#define REPLY_LEN_MAX 256

struct reply {
	uint16_t len;
	uint8_t bytes[REPLY_LEN_MAX]; /* complete frame, without FCS */
	struct frame_seg seg;	      /* what reply_frame() does not fit into the snapshot */
};

/**
 * reply_frame() - Present a reply as a frame, ready for a port's tx
 * @reply: outlives @f
 * @f:	   out; what a port sets at rx is set. Tags are in hdr, as the guest's own frame had them
 */
void reply_frame(struct reply *reply, struct frame *f);

#endif
