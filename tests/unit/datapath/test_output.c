/* SPDX-License-Identifier: BSD-3-Clause */
/* What a port gets to see: order, queues, counters, completed offloads. Ports are in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pipeline.h"
#include "unit/datapath/frames.h"
#include "unit/datapath/packets.h"

#define SENT_MAX 2048

static struct memory_port {
	struct port port; /* first */
	enum drop_reason refuse;
	uint32_t n_calls, n;
	struct {
		uint16_t queue;
		uint32_t len;
		struct frame_offload offload;
		uint8_t *bytes;
	} sent[SENT_MAX];
} ports[3];

static struct snapshot *cfg;
static struct pipeline *pl;
static struct packet packets[FRAME_BURST];

static void memory_tx(struct port *port, uint16_t queue, struct frame_out *out, uint16_t n)
{
	struct memory_port *p = (struct memory_port *)port;

	p->n_calls++;
	for (uint16_t i = 0; i < n; i++) {
		out[i].drop = (uint8_t)p->refuse;
		if (p->refuse != DROP_NONE)
			continue;
		assert_true(p->n < SENT_MAX);
		p->sent[p->n].queue = queue;
		p->sent[p->n].len = frame_out_len(&out[i]);
		p->sent[p->n].offload = out[i].f->offload;
		p->sent[p->n].bytes = malloc(frame_out_len(&out[i]));
		packet_flatten(&out[i], p->sent[p->n++].bytes);
	}
}

static const struct port_ops memory_ops = {.type = "memory", .tx = memory_tx};

/* 0: in, access 10    1: out, access 10, n_queues    2: trunk of VLAN 10 */
static int set_up(void **state)
{
	(void)state;
	pl = pipeline_new(1, 2, NULL);
	cfg = snapshot_new(fdb_new(64), 3, 1, 2);
	cfg->switches[0] = (struct switch_config){.used = true, .peer_port = SNAPSHOT_NONE};
	for (uint16_t i = 0; i < 3; i++) {
		const struct port_spec spec = {.n_queues = 1};

		memset(&ports[i], 0, sizeof(ports[i]));
		port_init(&ports[i].port, &memory_ops, &spec);
		frames_access_port(&cfg->ports[i], &ports[i].port, 0, 10);
	}
	cfg->ports[2].vlan.mode = VLAN_TRUNK;
	cfg->ports[2].vlan.pvid = VLAN_NONE;
	fdb_learn(cfg->fdb, FDB_FID(0, 10), frames_mac(2), 1, 0, 0, 0);
	fdb_learn(cfg->fdb, FDB_FID(0, 10), frames_mac(3), 2, 0, 0, 0);
	return snapshot_finish(cfg);
}

static int tear_down(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 3; i++)
		for (uint32_t k = 0; k < ports[i].n; k++)
			free(ports[i].sent[k].bytes);
	fdb_free(cfg->fdb);
	snapshot_free(cfg);
	pipeline_free(pl);
	return 0;
}

static void send_packets(uint16_t n)
{
	static struct frame frames[FRAME_BURST];

	for (uint16_t i = 0; i < n; i++) {
		frames[i] = packets[i].f;
		frames[i].hdr = frames[i].buf + FRAME_HDR_ROOM;
		frames[i].in_port = 0;
	}
	pipeline_run(pl, cfg, frames, n);
}

static void make_flow(struct packet *p, uint16_t source_port, uint32_t payload)
{
	packet_make(p, PACKET_IP4, 17, 0, payload, 0);
	packet_put16(p->bytes + p->l4, source_port);
	p->f.offload.flags = 0;
	packet_split(p, p->f.len, 1500);
}

static void flow_stays_on_one_queue_and_flows_spread(void **state)
{
	uint32_t n_used[4] = {0};

	(void)state;
	ports[1].port.spec.n_queues = 4;
	for (uint16_t round = 0; round < 2; round++) {
		for (uint16_t i = 0; i < FRAME_BURST; i++)
			make_flow(&packets[i], 1000 + i, 100 + i + round * 100);
		send_packets(FRAME_BURST);
	}
	assert_int_equal(ports[1].n, 2 * FRAME_BURST);
	for (uint32_t i = 0; i < ports[1].n; i++) {
		n_used[ports[1].sent[i].queue]++;
		for (uint32_t k = 0; k < i; k++)
			if (packet_get16(ports[1].sent[i].bytes + 34) ==
			    packet_get16(ports[1].sent[k].bytes + 34)) {
				assert_int_equal(ports[1].sent[i].queue, ports[1].sent[k].queue);
				assert_true(ports[1].sent[k].len < ports[1].sent[i].len);
			}
	}
	for (int i = 0; i < 4; i++) {
		assert_true(n_used[i] > 0);
		assert_int_equal(ports[1].port.txq[i].pkts, n_used[i]);
	}
	assert_int_equal(ports[1].n_calls, 8); /* once per queue and burst */
}

static void what_the_port_refuses_is_counted_by_worker_and_reason(void **state)
{
	(void)state;
	ports[1].refuse = DROP_NO_ROOM;
	for (uint16_t i = 0; i < 5; i++)
		make_flow(&packets[i], i, 100);
	send_packets(5);
	assert_int_equal(ports[1].port.drops[1].by_reason[DROP_NO_ROOM], 5);
	assert_int_equal(ports[1].port.drops[0].by_reason[DROP_NO_ROOM], 0);
	assert_int_equal(ports[1].port.txq[0].pkts, 0);
	ports[1].refuse = DROP_NONE;
	send_packets(5);
	assert_int_equal(ports[1].port.txq[0].pkts, 5);
	assert_int_equal(ports[1].port.txq[0].bytes, 5 * 142);
}

static void receiver_with_offloads_gets_the_frame_as_it_is(void **state)
{
	(void)state;
	atomic_store(&ports[1].port.tx_offloads, PORT_TX_CSUM | PORT_TX_TSO4);
	packet_make(&packets[0], PACKET_IP4, 6, 0, 60000, 1448);
	packet_make(&packets[1], PACKET_IP4, 17, 0, 1000, 0);
	send_packets(2);
	assert_int_equal(ports[1].n, 2);
	assert_int_equal(ports[1].sent[0].len, packets[0].f.len);
	assert_int_equal(ports[1].sent[0].offload.gso, FRAME_GSO_TCP4);
	assert_int_equal(ports[1].sent[0].offload.gso_hdr_len, packets[0].hdr_len);
	assert_memory_equal(ports[1].sent[0].bytes, packets[0].bytes, packets[0].f.len);
	assert_int_equal(ports[1].sent[1].offload.flags, FRAME_NEEDS_CSUM);
}

/* A mix of plain frames, checksums and segmentation: complete, right and in the order it came. */
static void receiver_without_offloads_gets_complete_frames_in_order(void **state)
{
	uint32_t at = 0;

	(void)state;
	for (uint16_t i = 0; i < 9; i++) {
		if (i % 3 == 0)
			make_flow(&packets[i], i, 100);
		else if (i % 3 == 1)
			packet_make(&packets[i], PACKET_IP4, 17, 0, 100 + i, 0);
		else
			packet_make(&packets[i], PACKET_IP4, 6, 0, 60000, 1448);
	}
	send_packets(9);
	for (uint16_t i = 0; i < 9; i++) {
		uint32_t got = 0;

		while (at < ports[1].n && got < packets[i].f.len - packets[i].hdr_len) {
			uint32_t data = ports[1].sent[at].len - packets[i].hdr_len;

			assert_memory_equal(ports[1].sent[at].bytes + packets[i].hdr_len,
					    packets[i].bytes + packets[i].hdr_len + got, data);
			if (i % 3 != 0)
				packet_check(ports[1].sent[at].bytes, ports[1].sent[at].len,
					     packets[i].l3, false);
			assert_int_equal(ports[1].sent[at].offload.flags & FRAME_NEEDS_CSUM, 0);
			got += data;
			at++;
		}
		assert_int_equal(got, packets[i].f.len - packets[i].hdr_len);
	}
	assert_int_equal(at, ports[1].n);
	assert_int_equal(ports[1].port.txq[0].pkts, 3 + 3 + 3 * 42);
}

/* The scratch holds two large frames: a burst of checksums has to be sent in several goes. */
static void burst_of_large_checksums_is_completed_in_order(void **state)
{
	(void)state;
	cfg->ports[0].mtu = cfg->ports[1].mtu = 9216;
	for (uint16_t i = 0; i < FRAME_BURST; i++)
		packet_make(&packets[i], PACKET_IP6, 6, 0, 8000 + i, 0);
	send_packets(FRAME_BURST);
	assert_int_equal(ports[1].n, FRAME_BURST);
	for (uint16_t i = 0; i < FRAME_BURST; i++) {
		assert_int_equal(ports[1].sent[i].len, packets[i].f.len);
		packet_check(ports[1].sent[i].bytes, ports[1].sent[i].len, packets[i].l3, false);
	}
}

static void segments_carry_the_tag_of_their_egress(void **state)
{
	(void)state;
	packet_make(&packets[0], PACKET_IP4, 6, 0, 10000, 1448);
	frames_mac_put(packets[0].f.hdr, frames_mac(3));
	send_packets(1);
	assert_int_equal(ports[2].n, 7);
	for (uint32_t i = 0; i < 7; i++) {
		assert_memory_equal(ports[2].sent[i].bytes + 12, "\x81\x00\x00\x0a\x08\x00", 6);
		packet_check(ports[2].sent[i].bytes, ports[2].sent[i].len, packets[0].l3 + 4,
			     false);
	}
}

static void mtu_counts_per_segment(void **state)
{
	(void)state;
	packet_make(&packets[0], PACKET_IP4, 6, 0, 60000, 1448); /* 20 + 32 + 1448 = 1500 */
	packet_make(&packets[1], PACKET_IP4, 6, 0, 60000, 1449);
	send_packets(2);
	assert_int_equal(ports[1].n, 42);
	assert_int_equal(ports[0].port.drops[1].by_reason[DROP_OVERSIZE], 1);
	cfg->ports[1].mtu = 1499;
	send_packets(1);
	assert_int_equal(ports[1].n, 42);
	assert_int_equal(ports[1].port.drops[1].by_reason[DROP_OVERSIZE], 1);
}

static void contradictory_offloads_are_dropped(void **state)
{
	(void)state;
	packet_make(&packets[0], PACKET_IP4, 6, 0, 60000, 1448);
	packets[0].f.offload.gso = FRAME_GSO_TCP6;
	packet_make(&packets[1], PACKET_IP4, 6, 0, 100, 0);
	packets[1].f.offload.csum_start = 60000;
	send_packets(2);
	assert_int_equal(ports[0].port.drops[1].by_reason[DROP_BAD_OFFLOAD], 2);
	assert_int_equal(ports[1].n, 0);
	packet_make(&packets[0], PACKET_IP4, 6, 0, 100, 0);
	packets[0].f.offload.gso_ecn = true; /* means nothing without GSO */
	packets[0].f.offload.flags = 0;
	send_packets(1);
	assert_int_equal(ports[1].n, 1);
	assert_memory_equal(ports[1].sent[0].bytes, packets[0].bytes, packets[0].f.len);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(flow_stays_on_one_queue_and_flows_spread),
		TEST(what_the_port_refuses_is_counted_by_worker_and_reason),
		TEST(receiver_with_offloads_gets_the_frame_as_it_is),
		TEST(receiver_without_offloads_gets_complete_frames_in_order),
		TEST(burst_of_large_checksums_is_completed_in_order),
		TEST(segments_carry_the_tag_of_their_egress),
		TEST(mtu_counts_per_segment),
		TEST(contradictory_offloads_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
