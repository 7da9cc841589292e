/* SPDX-License-Identifier: BSD-3-Clause */
/* See memory_port.h. One worker. */
#include "memory_port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/copy.h"
#include "pcap/pcap_source.h"
#include "vxlan/packet.h"
#include "vxlan/tunnel_rx.h"

#define N_BUFFERS 32 /* a burst: a mempool gives a driver those again that it has just put back */
/* Not a power of two: the buffers would share few places in the cache (mempools of drivers spread theirs as well). */
#define BUFFER_BYTES (2048 + 192)

#define PREFETCH_BYTES 512
#define HUGE_BYTES     ((size_t)2 << 20)

struct memory_port {
	struct port port; /* first */
	struct pcap_source source;
	size_t next;
	struct frame_seg segs[FRAME_BURST];
	struct pull_scratch scratch;
	uint64_t n_sent;
	uint32_t buffer;
	uint8_t buffers[N_BUFFERS][BUFFER_BYTES] __attribute__((aligned(64)));
};

static struct memory_port *memory_port(struct port *port)
{
	return (struct memory_port *)port;
}

/* @front: bytes of the snapshot in front of FRAME_HDR_MAX, as uplinks have it: tap/uplink_frame.h */
static inline uint16_t receive(struct memory_port *p, struct frame *frames, uint16_t max,
			       uint16_t front)
{
	const uint32_t snapshot = (uint32_t)front + FRAME_HDR_MAX;
	size_t next = p->next;

	if (p->source.n == 0)
		return 0;
	for (uint16_t i = 0; i < max; i++) {
		const uint8_t *bytes = p->source.bytes + p->source.starts[next];
		struct frame *f = &frames[i];

		__builtin_prefetch(bytes + PREFETCH_BYTES); /* as drivers do */
		f->len = (uint32_t)(p->source.starts[next + 1] - p->source.starts[next]);
		f->hdr_len = (uint16_t)(f->len < snapshot ? f->len : snapshot);
		f->hdr = f->buf + FRAME_HDR_ROOM - front;
		copy_short(f->hdr, bytes, f->hdr_len);
		f->n_segs = f->len > f->hdr_len ? 1 : 0;
		f->segs = &p->segs[i];
		p->segs[i] =
			(struct frame_seg){.base = bytes + f->hdr_len, .len = f->len - f->hdr_len};
		memset(&f->offload, 0, sizeof(f->offload));
		f->given_vid = 0;
		f->no_learn = false;
		next = next + 1 < p->source.n ? next + 1 : 0;
	}
	p->next = next;
	return max;
}

static uint16_t memory_rx(struct port *port, uint16_t queue, uint16_t worker, struct frame *frames,
			  uint16_t max)
{
	(void)queue;
	(void)worker;
	return receive(memory_port(port), frames, max, 0);
}

static uint16_t uplink_rx(struct port *port, uint16_t queue, uint16_t worker, struct frame *frames,
			  uint16_t max)
{
	uint16_t n = receive(memory_port(port), frames, max, VXLAN_OUTER_LEN4);

	(void)queue;
	return tunnel_rx(overlay_view_current(), port, worker, frames, n,
			 &memory_port(port)->scratch);
}

static void memory_rx_release(struct port *port, uint16_t queue)
{
	(void)port;
	(void)queue;
}

void memory_port_send(struct port *port, struct frame_out *outs, uint16_t n, uint8_t outer_len)
{
	struct memory_port *p = memory_port(port);
	uint64_t n_sent = 0;

	for (uint16_t i = 0; i < n; i++) {
		uint32_t len = packet_write(&outs[i], outer_len,
					    p->buffers[p->buffer++ % N_BUFFERS], BUFFER_BYTES);

		outs[i].drop = len == 0 ? DROP_OVERSIZE : DROP_NONE;
		n_sent += len != 0;
	}
	stats_add(&p->n_sent, n_sent);
}

static void memory_tx(struct port *port, uint16_t queue, struct frame_out *outs, uint16_t n)
{
	(void)queue;
	memory_port_send(port, outs, n, 0);
}

static int memory_rx_fd(struct port *port, uint16_t queue)
{
	(void)port;
	(void)queue;
	return -1;
}

static bool memory_rx_arm(struct port *port, uint16_t queue, bool armed)
{
	(void)queue;
	return armed && memory_port(port)->source.n > 0;
}

static const struct port_ops memory_ops = {.type = "memory",
					   .rx = memory_rx,
					   .rx_release = memory_rx_release,
					   .tx = memory_tx,
					   .rx_fd = memory_rx_fd,
					   .rx_arm = memory_rx_arm};
static const struct port_ops memory_uplink_ops = {.type = "memory",
						  .rx = uplink_rx,
						  .rx_release = memory_rx_release,
						  .rx_fd = memory_rx_fd,
						  .rx_arm = memory_rx_arm,
						  .rx_for_others = true};

/* As buffers of drivers and of guests are: best effort. */
static void use_large_pages(struct pcap_source *source)
{
	size_t size = (source->starts[source->n] / HUGE_BYTES + 1) * HUGE_BYTES;
	uint8_t *bytes = aligned_alloc(HUGE_BYTES, size);

	if (bytes == NULL)
		return;
	madvise(bytes, size, MADV_HUGEPAGE);
	memcpy(bytes, source->bytes, source->starts[source->n]);
	free(source->bytes);
	source->bytes = bytes;
}

struct port *memory_port_new(const char *name, const char *pcap, bool is_uplink, struct err *err)
{
	struct port_spec spec = {.n_queues = 1, .type = "memory"};
	struct memory_port *p = aligned_alloc(64, (sizeof(*p) + 63) & ~(size_t)63);

	if (p == NULL) {
		err_set(err, ENOMEM, "port \"%s\": no memory", name);
		return NULL;
	}
	memset(p, 0, sizeof(*p));
	snprintf(spec.name, sizeof(spec.name), "%s", name);
	port_init(&p->port, is_uplink ? &memory_uplink_ops : &memory_ops, &spec);
	if (pcap != NULL && pcap_source_read(&p->source, pcap, err) != 0) {
		free(p);
		return NULL;
	}
	if (pcap != NULL)
		use_large_pages(&p->source);
	return &p->port;
}

uint64_t memory_port_sent(const struct port *port)
{
	return stats_read(&((const struct memory_port *)port)->n_sent);
}
