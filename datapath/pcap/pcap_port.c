/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pcap port: see pcap_port.h. One queue.
 */
#include "pcap/pcap_port.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pcap/pcap_sink.h"
#include "pcap/pcap_source.h"

struct pcap_port {
	struct port port; /* first */
	struct pcap_source source;
	_Atomic size_t next; /* frame to receive; its worker writes */
	struct frame_seg segs[FRAME_BURST];
	pthread_mutex_t tx_lock; /* workers may send at the same time */
	struct pcap_sink sink;
	_Atomic uint64_t n_failed;
};

static struct pcap_port *pcap_port(struct port *port)
{
	return (struct pcap_port *)port;
}

static int pcap_port_open(const struct port_spec *spec, struct port **out, struct err *err)
{
	struct pcap_port *p;
	int rc;

	if (spec->path[0] == '\0' && spec->tx_path[0] == '\0')
		return err_set(
			err, EINVAL,
			"port \"%s\": a pcap port needs a file to receive from or to send to",
			spec->name);
	if (spec->n_queues != 1)
		return err_set(err, EINVAL, "port \"%s\": a pcap port has one queue", spec->name);
	p = aligned_alloc(64, (sizeof(*p) + 63) & ~(size_t)63);
	if (p == NULL)
		return err_set(err, ENOMEM, "port \"%s\": out of memory", spec->name);
	memset(p, 0, sizeof(*p));
	port_init(&p->port, &pcap_port_ops, spec);
	pthread_mutex_init(&p->tx_lock, NULL);
	p->sink.fd = -1;
	rc = spec->path[0] != '\0' ? pcap_source_read(&p->source, spec->path, err) : 0;
	if (rc == 0 && spec->tx_path[0] != '\0')
		rc = pcap_sink_open(&p->sink, spec->tx_path, err);
	if (rc != 0) {
		pcap_port_ops.close(&p->port);
		return rc;
	}
	*out = &p->port;
	return 0;
}

static void pcap_port_close(struct port *port)
{
	struct pcap_port *p = pcap_port(port);

	pcap_sink_close(&p->sink);
	pcap_source_free(&p->source);
	pthread_mutex_destroy(&p->tx_lock);
	free(p);
}

static void pcap_port_status(struct port *port, struct port_status *status)
{
	struct pcap_port *p = pcap_port(port);
	uint64_t n_failed = atomic_load_explicit(&p->n_failed, memory_order_relaxed);

	memset(status, 0, sizeof(*status));
	status->connected = true;
	status->running = true;
	status->n_queues = 1;
	status->n_connects = 1;
	if (n_failed > 0)
		snprintf(status->detail, sizeof(status->detail),
			 "%llu frames could not be written: is the disk full?",
			 (unsigned long long)n_failed);
}

static uint16_t pcap_port_rx(struct port *port, uint16_t queue, uint16_t worker,
			     struct frame *frames, uint16_t max)
{
	struct pcap_port *p = pcap_port(port);
	size_t next = atomic_load_explicit(&p->next, memory_order_relaxed);
	uint16_t n = 0;

	(void)queue;
	(void)worker;
	if (max > FRAME_BURST)
		max = FRAME_BURST;
	for (; n < max && next < p->source.n; n++, next++) {
		const uint8_t *bytes = p->source.bytes + p->source.starts[next];
		struct frame *f = &frames[n];

		f->len = (uint32_t)(p->source.starts[next + 1] - p->source.starts[next]);
		f->hdr_len = (uint16_t)(f->len < FRAME_HDR_MAX ? f->len : FRAME_HDR_MAX);
		f->hdr = f->buf + FRAME_HDR_ROOM;
		memcpy(f->hdr, bytes, f->hdr_len);
		f->n_segs = f->len > f->hdr_len ? 1 : 0;
		f->segs = &p->segs[n];
		p->segs[n] =
			(struct frame_seg){.base = bytes + f->hdr_len, .len = f->len - f->hdr_len};
		memset(&f->offload, 0, sizeof(f->offload));
	}
	atomic_store_explicit(&p->next, next, memory_order_relaxed);
	return n;
}

static void pcap_port_rx_release(struct port *port, uint16_t queue)
{
	(void)port;
	(void)queue;
}

static void pcap_port_tx(struct port *port, uint16_t queue, struct frame_out *out, uint16_t n)
{
	struct pcap_port *p = pcap_port(port);
	uint64_t n_failed = 0;

	(void)queue;
	if (p->sink.fd < 0) {
		for (uint16_t i = 0; i < n; i++)
			out[i].drop = DROP_NOT_CONNECTED;
		return;
	}
	pthread_mutex_lock(&p->tx_lock);
	pcap_sink_write(&p->sink, out, n);
	pthread_mutex_unlock(&p->tx_lock);
	for (uint16_t i = 0; i < n; i++)
		n_failed += out[i].drop != DROP_NONE;
	if (n_failed > 0)
		atomic_fetch_add_explicit(&p->n_failed, n_failed, memory_order_relaxed);
}

static int pcap_port_rx_fd(struct port *port, uint16_t queue)
{
	(void)port;
	(void)queue;
	return -1;
}

static bool pcap_port_rx_arm(struct port *port, uint16_t queue, bool armed)
{
	struct pcap_port *p = pcap_port(port);

	(void)queue;
	return armed && atomic_load_explicit(&p->next, memory_order_relaxed) < p->source.n;
}

const struct port_ops pcap_port_ops = {
	.type = "pcap",
	.open = pcap_port_open,
	.close = pcap_port_close,
	.status = pcap_port_status,
	.rx = pcap_port_rx,
	.rx_release = pcap_port_rx_release,
	.tx = pcap_port_tx,
	.rx_fd = pcap_port_rx_fd,
	.rx_arm = pcap_port_rx_arm,
};
