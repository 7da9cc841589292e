/* SPDX-License-Identifier: BSD-3-Clause */
/* Writing the record; see trace.h. Runs on the thread that has the pipeline. */
#include "probe/trace.h"

#include <string.h>

#include "pipeline.h"

static struct trace_event *event_add(struct trace *trace, enum trace_kind kind,
				     const struct frame *f)
{
	struct trace_event *event;

	if (trace->n == TRACE_EVENTS_MAX) {
		trace->n_more++;
		return NULL;
	}
	event = &trace->events[trace->n++];
	*event = (struct trace_event){
		.kind = (uint8_t)kind,
		.hops = f->hops,
		.n_tags = f->n_tags,
		.strip = f->strip,
		.verdict = f->verdict,
		.source = trace->source,
		.in_port = f->in_port,
		.port = f->in_port,
		.out_port = f->out_port,
		.vid = f->vid,
		.prio = f->prio,
		.ethertype = f->ethertype,
		.len = f->len,
	};
	return event;
}

void trace_stage(struct trace *trace, unsigned int stage, const struct burst *b)
{
	for (uint16_t i = 0; i < b->n; i++) {
		struct trace_event *event = event_add(trace, TRACE_STAGE, b->frames[i]);

		if (event != NULL)
			event->stage = (uint8_t)stage;
	}
}

/* The tag the receiver will see first, or 0. */
static uint32_t out_tag(const struct frame_out *out)
{
	const struct frame *f = out->f;
	uint8_t bytes[16];
	uint32_t n = out->prefix_len < sizeof(bytes) ? out->prefix_len : sizeof(bytes);
	uint32_t tag;

	memcpy(bytes, out->prefix, n);
	for (uint32_t i = out->skip; n < sizeof(bytes) && i < f->hdr_len; i++)
		bytes[n++] = f->hdr[i];
	if (n < sizeof(bytes))
		return 0;
	tag = (uint32_t)bytes[12] << 24 | (uint32_t)bytes[13] << 16 | (uint32_t)bytes[14] << 8 |
	      bytes[15];
	return tag >> 16 == VLAN_TPID_C || tag >> 16 == VLAN_TPID_S ? tag : 0;
}

void trace_frame(struct trace *trace, enum trace_kind kind, const struct frame *f, uint16_t port,
		 enum drop_reason reason)
{
	struct trace_event *event = event_add(trace, kind, f);

	if (event == NULL)
		return;
	event->port = port;
	event->reason = (uint8_t)reason;
	event->tag = out_tag(&(struct frame_out){.f = (struct frame *)(uintptr_t)f});
}

void trace_out(struct trace *trace, enum trace_kind kind, const struct frame_out *out,
	       uint16_t port)
{
	struct trace_event *event = event_add(trace, kind, out->f);

	if (event == NULL)
		return;
	event->port = port;
	event->tag = out_tag(out);
	event->len = frame_out_len(out);
}
