/* links: datapath base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A sender that writes anything it likes into a frame and into its offload wishes.
 *
 * Input: ports' offloads, ingress port, offload fields (see struct wish), size of the pieces, then
 * the frame's bytes. The switch has ports of all kinds, a wire, and two links in a ring. What is
 * sent is read whole. A frame must be sent or counted as dropped; one that is known unicast not
 * both.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline.h"

enum {
	ACCESS,
	TRUNK,
	TUNNEL,
	NATIVE,
	WIRE_A,
	WIRE_B,
	LINK_A,
	LINK_B,
	LINK_C,
	LINK_D,
	FAR,
	N_PORTS
};

struct wish {
	uint8_t takes; /* PORT_TX_* of all ports */
	uint8_t in_port;
	uint8_t flags, gso, ecn;
	uint8_t piece; /* bytes of a segment, in sixteens */
	uint16_t gso_size, csum_start, csum_offset;
	uint16_t repeat; /* the last 64 bytes, to make large frames of small inputs */
} __attribute__((packed));

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct port ports[N_PORTS];
static struct port_drops patch_drops[N_PORTS][PORT_WORKERS_MAX];
static struct snapshot *cfg;
static struct pipeline *pl;
static struct learn_queue *learn;
static uint64_t n_sent;

static void fuzz_tx(struct port *port, uint16_t queue, struct frame_out *out, uint16_t n)
{
	uint32_t takes = atomic_load(&port->tx_offloads);

	if (queue >= port->spec.n_queues)
		abort();
	for (uint16_t i = 0; i < n; i++) {
		const struct frame *f = out[i].f;
		uint32_t at = out[i].prefix_len + f->hdr_len - out[i].skip;
		uint8_t *to = malloc(frame_out_len(&out[i]) + 1);

		memcpy(to, out[i].prefix, out[i].prefix_len);
		memcpy(to + out[i].prefix_len, f->hdr + out[i].skip, f->hdr_len - out[i].skip);
		for (uint16_t k = 0; k < f->n_segs; k++) {
			memcpy(to + at, f->segs[k].base, f->segs[k].len);
			at += f->segs[k].len;
		}
		if (at != frame_out_len(&out[i]))
			abort();
		if ((f->offload.flags & FRAME_NEEDS_CSUM) != 0 &&
		    ((takes & PORT_TX_CSUM) == 0 ||
		     f->offload.csum_start + frame_out_shift(&out[i]) + f->offload.csum_offset + 2 >
			     (int)at))
			abort();
		if (f->offload.gso != FRAME_GSO_NONE && f->offload.gso_hdr_len > f->hdr_len)
			abort();
		free(to);
		out[i].drop = DROP_NONE;
		n_sent++;
	}
}

static const struct port_ops fuzz_ops = {.type = "fuzz", .tx = fuzz_tx};

static void vlan_config(uint16_t i, uint8_t mode, uint16_t tpid, uint16_t pvid)
{
	struct vlan_port *vlan = &cfg->ports[i].vlan;

	*vlan = (struct vlan_port){.mode = mode, .tpid = tpid, .pvid = pvid};
	vlan_port_allow(vlan, 10);
	if (mode == VLAN_TRUNK)
		vlan_port_allow(vlan, 20);
}

static void link_config(uint16_t a, uint16_t b)
{
	cfg->ports[a].is_patch = cfg->ports[b].is_patch = true;
	cfg->ports[a].peer = b;
	cfg->ports[b].peer = a;
}

static void set_up(void)
{
	const struct port_spec spec = {.n_queues = 3};

	learn = learn_queue_new(-1);
	pl = pipeline_new(0, 1, learn);
	cfg = snapshot_new(fdb_new(64), N_PORTS, 2, 1);
	for (uint16_t i = 0; i < 2; i++)
		cfg->switches[i] = (struct switch_config){.used = true,
							  .learning = true,
							  .peer_port = SNAPSHOT_NONE,
							  .reserved = {RESERVED_FORWARD}};
	for (uint16_t i = 0; i < N_PORTS; i++) {
		port_init(&ports[i], &fuzz_ops, &spec);
		cfg->ports[i] = (struct port_config){.port = &ports[i],
						     .patch_drops = patch_drops[i],
						     .role = PORT_SWITCHED,
						     .admin_up = true,
						     .sw = i == LINK_B || i == LINK_D || i == FAR,
						     .peer = SNAPSHOT_NONE,
						     .mtu = FRAME_MTU_MAX};
		vlan_config(i, VLAN_TRUNK, VLAN_TPID_C, 10);
	}
	vlan_config(ACCESS, VLAN_ACCESS, VLAN_TPID_C, 10);
	vlan_config(TRUNK, VLAN_TRUNK, VLAN_TPID_S, VLAN_NONE);
	vlan_config(TUNNEL, VLAN_TUNNEL, VLAN_TPID_S, 10);
	vlan_config(LINK_A, VLAN_TRUNK, VLAN_TPID_S,
		    VLAN_NONE); /* each round of the ring stacks a tag */
	vlan_config(LINK_B, VLAN_TUNNEL, VLAN_TPID_S, 10);
	cfg->ports[WIRE_A].role = cfg->ports[WIRE_B].role = PORT_WIRE;
	cfg->ports[WIRE_A].peer = WIRE_B;
	cfg->ports[WIRE_B].peer = WIRE_A;
	link_config(LINK_A, LINK_B);
	link_config(LINK_C, LINK_D);
	for (uint16_t i = LINK_A; i <= LINK_D; i++)
		cfg->ports[i].port = NULL;
	if (snapshot_finish(cfg) != 0)
		abort();
	cfg->ports[FAR].mtu = 1500;
}

static uint64_t n_dropped(void)
{
	uint64_t n = 0;

	for (uint16_t i = 0; i < N_PORTS; i++)
		for (int reason = 0; reason < DROP_N; reason++)
			n += ports[i].drops[0].by_reason[reason] +
			     patch_drops[i][0].by_reason[reason];
	return n;
}

static void learn_one(const struct learn_event *event, void *arg)
{
	(void)arg;
	fdb_learn(cfg->fdb, event->fid, event->mac, event->port, 0, 8, 0);
}

static void run(const struct wish *wish, const uint8_t *bytes, uint32_t len)
{
	static struct frame f;
	static struct frame_seg segs[FRAME_SEGS_MAX];
	uint32_t piece = 16 + wish->piece * 16u, at;
	uint64_t sent = n_sent, dropped = n_dropped();

	memset(&f, 0, offsetof(struct frame, buf));
	f.in_port = wish->in_port % N_PORTS;
	if (cfg->ports[f.in_port].is_patch)
		f.in_port = ACCESS;
	f.len = len;
	f.hdr_len = (uint16_t)(len < FRAME_HDR_MAX ? len : FRAME_HDR_MAX);
	f.hdr = f.buf + FRAME_HDR_ROOM;
	memcpy(f.hdr, bytes, f.hdr_len);
	f.segs = segs;
	if ((len + piece - 1) / piece > FRAME_SEGS_MAX)
		piece = len / (FRAME_SEGS_MAX - 1) + 1;
	for (at = f.hdr_len; at < len; at += segs[f.n_segs++].len)
		segs[f.n_segs] =
			(struct frame_seg){bytes + at, len - at < piece ? len - at : piece};
	f.offload.flags = wish->flags & (FRAME_NEEDS_CSUM | FRAME_CSUM_VALID);
	f.offload.gso = wish->gso % (FRAME_GSO_UDP + 1);
	f.offload.gso_ecn = wish->ecn & 1;
	f.offload.gso_size = wish->gso_size;
	f.offload.csum_start = wish->csum_start;
	f.offload.csum_offset = wish->csum_offset;
	pipeline_run(pl, cfg, &f, 1);
	pl->now_tsc += UINT64_C(1) << 32;
	if (sent == n_sent && dropped == n_dropped())
		abort(); /* it left nowhere, and nobody knows why */
	learn_drain(learn, UINT32_MAX, learn_one, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wish wish;
	uint32_t len, more;
	uint8_t *bytes;

	if (cfg == NULL)
		set_up();
	if (size <= sizeof(wish))
		return 0;
	memcpy(&wish, data, sizeof(wish));
	data += sizeof(wish);
	size -= sizeof(wish);
	if (size > FRAME_LEN_MAX)
		size = FRAME_LEN_MAX;
	for (uint16_t i = 0; i < N_PORTS; i++)
		atomic_store(&ports[i].tx_offloads, wish.takes);
	more = size >= 64 ? wish.repeat : 0;
	len = (uint32_t)size +
	      (more < FRAME_LEN_MAX - size ? more : FRAME_LEN_MAX - (uint32_t)size);
	bytes = malloc(len); /* exactly, so that a byte more is a report */
	memcpy(bytes, data, size);
	for (uint32_t i = (uint32_t)size; i < len; i++)
		bytes[i] = bytes[i - 64];
	run(&wish, bytes, len);
	free(bytes);
	return 0;
}
