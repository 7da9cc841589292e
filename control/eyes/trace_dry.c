/* SPDX-License-Identifier: BSD-3-Clause */
#include "eyes/trace_dry.h"

#include <errno.h>
#include <string.h>

#include "pipeline.h"

int trace_dry(const struct snapshot *cfg, uint16_t port, const uint8_t *bytes, uint32_t len,
	      struct trace *trace)
{
	struct pipeline *pl = pipeline_new(0, 1, NULL);
	struct frame_seg rest;
	struct frame f;

	if (pl == NULL)
		return -ENOMEM;
	memset(&f, 0, offsetof(struct frame, buf));
	f.hdr = f.buf + FRAME_HDR_ROOM;
	f.hdr_len = (uint16_t)(len < FRAME_HDR_MAX ? len : FRAME_HDR_MAX);
	f.len = len;
	memcpy(f.hdr, bytes, f.hdr_len);
	if (len > f.hdr_len) {
		rest = (struct frame_seg){.base = bytes + f.hdr_len, .len = len - f.hdr_len};
		f.segs = &rest;
		f.n_segs = 1;
	}
	f.in_port = port;
	memset(trace, 0, offsetof(struct trace, events));
	trace->dry = true;
	pl->trace = trace;
	pipeline_run(pl, cfg, &f, 1);
	pl->trace = NULL;
	pipeline_free(pl);
	return 0;
}
