/* SPDX-License-Identifier: BSD-3-Clause */
/* What is counted as sent by a card is what its driver took. The driver is one of our own, in DPDK's table of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "tap/nic_device.h"
#include "tap/nic_tx.h"

#define PORT	 3
#define MBUFS	 127
#define FRAMES	 100
#define LEN_MIN	 60
#define NO_LIMIT UINT32_MAX

static struct nic_device nic = {.port_id = PORT};
static struct frame frames[FRAMES];
static struct frame_seg segs[FRAMES];
static uint8_t rest[FRAMES];
static struct frame_out outs[FRAMES];

static uint32_t ring_room;	/* packets it still takes */
static uint16_t refused_length; /* what prepare does not like, 0: nothing */
static uint64_t taken_bytes;

static uint16_t driver_send(void *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t i = 0;

	(void)queue;
	for (; i < n && ring_room > 0; i++) {
		ring_room -= ring_room != NO_LIMIT;
		taken_bytes += mbufs[i]->pkt_len;
		rte_pktmbuf_free(mbufs[i]);
	}
	return i;
}

static uint16_t driver_prepare(void *queue, struct rte_mbuf **mbufs, uint16_t n)
{
	uint16_t i = 0;

	(void)queue;
	while (i < n && mbufs[i]->pkt_len != refused_length)
		i++;
	return i;
}

/* Frame i is LEN_MIN + i bytes long. */
static int setup(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < FRAMES; i++) {
		struct frame *f = &frames[i];

		memset(f, 0, sizeof(*f));
		f->hdr = f->buf + FRAME_HDR_ROOM;
		f->len = LEN_MIN + i;
		f->hdr_len = f->len < FRAME_HDR_MAX ? (uint16_t)f->len : FRAME_HDR_MAX;
		if (f->len > f->hdr_len) {
			segs[i] = (struct frame_seg){rest, f->len - f->hdr_len};
			f->segs = &segs[i];
			f->n_segs = 1;
		}
		frame_out_init(&outs[i], f);
	}
	ring_room = NO_LIMIT;
	refused_length = 0;
	taken_bytes = 0;
	nic.tx_offloads = 0;
	return 0;
}

/* Sends @n of them. */
static uint32_t send_frames(uint16_t n)
{
	uint64_t bytes;
	uint32_t sent = nic_tx_frames(&nic, outs, n, 0, &bytes);

	assert_int_equal(bytes, taken_bytes);
	assert_int_equal(rte_mempool_avail_count(nic.pool), MBUFS);
	return sent;
}

static uint16_t count_drops(enum drop_reason reason)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < FRAMES; i++)
		n += outs[i].drop == reason;
	return n;
}

static void all_that_a_card_takes_is_counted(void **state)
{
	(void)state;
	assert_int_equal(send_frames(FRAMES), FRAMES);
	assert_int_equal(taken_bytes, FRAMES * LEN_MIN + FRAMES * (FRAMES - 1) / 2);
	assert_int_equal(count_drops(DROP_NONE), FRAMES);
}

static void what_a_full_ring_does_not_take_is_not_counted_as_bytes(void **state)
{
	(void)state;
	ring_room = 10;
	assert_int_equal(send_frames(30), 10);
	assert_int_equal(taken_bytes, 10 * LEN_MIN + 45);
	for (uint16_t i = 0; i < 30; i++)
		assert_int_equal(outs[i].drop, i < 10 ? DROP_NONE : DROP_NO_ROOM);
}

static void a_ring_that_is_full_between_two_bursts_drops_the_rest_of_both(void **state)
{
	(void)state;
	ring_room = NIC_TX_BURST - 4;
	assert_int_equal(send_frames(FRAMES), NIC_TX_BURST - 4);
	assert_int_equal(count_drops(DROP_NO_ROOM), FRAMES - NIC_TX_BURST + 4);
}

static void a_packet_the_driver_refuses_is_not_counted_and_the_others_leave(void **state)
{
	(void)state;
	nic.tx_offloads = RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	refused_length = LEN_MIN + 7;
	assert_int_equal(send_frames(20), 19);
	assert_int_equal(outs[7].drop, DROP_BAD_OFFLOAD);
	assert_int_equal(count_drops(DROP_NONE), FRAMES - 1);
}

static void without_memory_for_packets_frames_are_dropped(void **state)
{
	struct rte_mbuf *held[MBUFS];
	uint64_t bytes;

	(void)state;
	assert_int_equal(rte_pktmbuf_alloc_bulk(nic.pool, held, MBUFS - 5), 0);
	assert_int_equal(nic_tx_frames(&nic, outs, 20, 0, &bytes), 5);
	assert_int_equal(bytes, taken_bytes);
	assert_int_equal(count_drops(DROP_NO_MEMORY), 15);
	rte_pktmbuf_free_bulk(held, MBUFS - 5);
	assert_int_equal(rte_mempool_avail_count(nic.pool), MBUFS);
}

static int start(void **state)
{
	static char program[] = "test_nic_tx", no_huge[] = "--no-huge", no_pci[] = "--no-pci",
		    memory[] = "-m64", alone[] = "--no-shconf", quiet[] = "--log-level=error",
		    no_telemetry[] = "--no-telemetry", one_core[] = "--lcores=0@0";
	char *argv[] = {program, no_huge, no_pci, memory, quiet, no_telemetry, alone, one_core};
	static void *queue[1];

	(void)state;
	if (rte_eal_init(sizeof(argv) / sizeof(argv[0]), argv) < 0)
		return -1;
	nic.pool = rte_pktmbuf_pool_create("packets", MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	rte_eth_fp_ops[PORT].txq.data = queue;
	rte_eth_fp_ops[PORT].tx_pkt_burst = driver_send;
	rte_eth_fp_ops[PORT].tx_pkt_prepare = driver_prepare;
	return nic.pool != NULL ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_that_a_card_takes_is_counted, setup),
		cmocka_unit_test_setup(what_a_full_ring_does_not_take_is_not_counted_as_bytes,
				       setup),
		cmocka_unit_test_setup(
			a_ring_that_is_full_between_two_bursts_drops_the_rest_of_both, setup),
		cmocka_unit_test_setup(
			a_packet_the_driver_refuses_is_not_counted_and_the_others_leave, setup),
		cmocka_unit_test_setup(without_memory_for_packets_frames_are_dropped, setup),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
