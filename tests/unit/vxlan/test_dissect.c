/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Wireshark's dissector agrees with every packet: lengths, checksums outside and inside, VNI, addresses, segments of a stream.
 * Packets go into a pcap file that tshark reads. Skipped without tshark.
 */
#include "overlay.h"

#include <stdio.h>
#include <unistd.h>

#include "checksum.h"
#include "encap.h"
#include "packet.h"

static FILE *pcap;
static char pcap_path[] = "/tmp/netloom-dissect-XXXXXX";
static unsigned n_packets;
static uint8_t packet[70000], bytes[70000];

static void pcap_put32(uint32_t value)
{
	assert_int_equal(fwrite(&value, 4, 1, pcap), 1);
}

static void pcap_packet(const uint8_t *data, uint32_t len)
{
	pcap_put32(n_packets++);
	pcap_put32(0);
	pcap_put32(len);
	pcap_put32(len);
	assert_int_equal(fwrite(data, 1, len, pcap), len);
}

static void send_frame(const struct vtep_table *table, uint16_t peer, struct frame *f)
{
	struct packet_cursor cursor;
	struct frame_out out = {.f = f};
	struct encap_dest dest = {.peer = peer};
	uint32_t len;

	assert_int_equal(encap_burst(table, &out, &dest, 1), 1);
	assert_int_equal(packet_start(&cursor, &out, dest.outer_len), DROP_NONE);
	while ((len = packet_next(&cursor, packet, sizeof(packet))) > 0)
		pcap_packet(packet, len);
}

/* UDP frames of every length up to the MTU's, over IPv4 and IPv6, and a stream of 60,000 bytes cut in segments. */
static void write_packets(uint8_t csum)
{
	struct frame_seg segs[FRAME_SEGS_MAX];
	struct vtep_table *table;
	struct overlay o;
	struct frame f;

	overlay_init(&o);
	OVERLAY_SET(&o, csum, csum);
	OVERLAY_SET(&o, src_port_min, 0);
	OVERLAY_SET(&o, src_port_max, 0);
	table = overlay_table(&o);
	for (uint32_t len = 60; len <= 1444; len += 173) {
		for (uint16_t peer = 0; peer < 2; peer++) {
			memcpy(bytes, vector_inner_big4, len);
			wire_put16(bytes + 16, (uint16_t)(len - 14));
			wire_put16(bytes + 36, 40002); /* a port nobody dissects */
			memset(bytes + 24, 0, 2);
			checksum_store(bytes + 24, checksum_sum(bytes + 14, 20));
			wire_put16(bytes + 38, (uint16_t)(len - 34));
			/* the sum of the pseudo header, as a guest leaves it */
			memset(bytes + 40, 0, 2);
			uint16_t pseudo =
				checksum_fold(checksum_pseudo(bytes + 26, 8, 17, len - 34));

			memcpy(bytes + 40, &pseudo, 2);
			overlay_frame(&f, segs, bytes, len, 100);
			f.offload = (struct frame_offload){
				.flags = FRAME_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6};
			send_frame(table, peer, &f);
		}
	}
	for (uint32_t i = 0; i < 60000; i++)
		bytes[66 + i] = (uint8_t)(i * 11);
	memcpy(bytes, vector_tso4_frame, 66);
	wire_put16(bytes + 16, 60052);
	overlay_frame(&f, segs, bytes, 60066, 4096);
	f.offload = (struct frame_offload){.flags = FRAME_NEEDS_CSUM,
					   .gso = FRAME_GSO_TCP4,
					   .gso_size = 1378,
					   .gso_hdr_len = 66,
					   .csum_start = 34,
					   .csum_offset = 16};
	send_frame(table, 0, &f);
	send_frame(table, 1, &f);
	vtep_table_free(table);
}

/* Lines of tshark's answer to a display filter. */
static unsigned count_packets(const char *filter)
{
	char command[512], line[256];
	unsigned n = 0;
	FILE *tshark;

	snprintf(command, sizeof(command),
		 "tshark -n -r %s -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -o "
		 "tcp.check_checksum:TRUE "
		 "-Y '%s' 2>/dev/null",
		 pcap_path, filter);
	tshark = popen(command, "r");
	assert_non_null(tshark);
	while (fgets(line, sizeof(line), tshark) != NULL)
		n++;
	assert_int_equal(pclose(tshark), 0);
	return n;
}

static void dissector_agrees_with_every_packet(void **state)
{
	static const uint32_t header[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 100000, 1};
	unsigned n_segments = 2 * 2 * ((60000 + 1377) / 1378);

	(void)state;
	pcap = fdopen(mkstemp(pcap_path), "w");
	assert_non_null(pcap);
	assert_int_equal(fwrite(header, sizeof(header), 1, pcap), 1);
	write_packets(VTEP_CSUM_AUTO);
	write_packets(VTEP_CSUM_ON);
	assert_int_equal(fclose(pcap), 0);

	assert_int_equal(count_packets("vxlan.vni == 10010 && vxlan.flag_i == 1"), n_packets);
	assert_int_equal(count_packets("udp.dstport == 4789 && udp.srcport >= 49152"), n_packets);
	assert_int_equal(count_packets("ip.checksum.status == Bad || udp.checksum.status == Bad || "
				       "tcp.checksum.status == Bad || _ws.malformed || "
				       "_ws.expert.severity >= 0x800000"),
			 0);
	assert_int_equal(count_packets("tcp.len > 0 && tcp.checksum.status == Good"), n_segments);
	assert_int_equal(count_packets("frame.len > 1514"), 0);
	/* filled everywhere but in the IPv4 half of the first pass */
	assert_int_equal(count_packets("ipv6 && udp.checksum == 0"), 0);
	assert_int_equal(count_packets("!ipv6 && udp.checksum == 0"), n_packets / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(dissector_agrees_with_every_packet)};
	int n_failed;

	if (system("tshark --version >/dev/null 2>&1") != 0) {
		printf("skipped: tshark is not installed\n");
		return 77;
	}
	n_failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(pcap_path);
	return n_failed;
}
