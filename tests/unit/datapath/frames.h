/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames, capture files and port settings for the datapath's tests. Include after cmocka.h. */
#ifndef TESTS_UNIT_DATAPATH_FRAMES_H
#define TESTS_UNIT_DATAPATH_FRAMES_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <pcap/pcap.h>

#include "snapshot.h"

struct frames_file {
	pcap_t *pcap;
	pcap_dumper_t *dumper;
};

static inline void frames_file_create(struct frames_file *file, const char *path)
{
	file->pcap = pcap_open_dead(DLT_EN10MB, 262144);
	assert_non_null(file->pcap);
	file->dumper = pcap_dump_open(file->pcap, path);
	assert_non_null(file->dumper);
}

static inline void frames_file_add(struct frames_file *file, const uint8_t *bytes, size_t len)
{
	struct pcap_pkthdr header = {.caplen = (uint32_t)len, .len = (uint32_t)len};

	pcap_dump((u_char *)file->dumper, &header, bytes);
}

static inline void frames_file_close(struct frames_file *file)
{
	pcap_dump_close(file->dumper);
	pcap_close(file->pcap);
}

/** frames_mac() - Address of station @i as the FDB's number: 02:00:00:00:00:i */
static inline uint64_t frames_mac(uint8_t i)
{
	return UINT64_C(0x020000000000) + i;
}

static inline void frames_mac_put(uint8_t *to, uint64_t mac)
{
	for (int i = 0; i < 6; i++)
		to[i] = (uint8_t)(mac >> (40 - 8 * i));
}

/** frames_make() - Untagged frame from station @from to @to, its bytes numbered from @seed */
static inline size_t frames_make(uint8_t *frame, uint8_t from, uint8_t to, size_t len,
				 unsigned int seed)
{
	frames_mac_put(frame, frames_mac(to));
	frames_mac_put(frame + 6, frames_mac(from));
	frame[12] = 0x88; /* local experimental ethertype 88b5 */
	frame[13] = 0xb5;
	for (size_t i = 14; i < len; i++)
		frame[i] = (uint8_t)(seed + i);
	return len;
}

/**
 * frames_file_check() - The file holds frames_make(from, to, 60 + i % 100, i) for i below @n, in
 * order
 */
static inline void frames_file_check(const char *path, unsigned int n, uint8_t from, uint8_t to)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, why);
	struct pcap_pkthdr *header;
	const u_char *bytes;
	uint8_t want[200];

	assert_non_null(pcap);
	for (unsigned int i = 0; i < n; i++) {
		size_t len = frames_make(want, from, to, 60 + i % 100, i);

		assert_int_equal(pcap_next_ex(pcap, &header, &bytes), 1);
		assert_int_equal(header->caplen, len);
		assert_memory_equal(bytes, want, len);
	}
	assert_int_equal(pcap_next_ex(pcap, &header, &bytes), PCAP_ERROR_BREAK);
	pcap_close(pcap);
}

/** frames_access_port() - An access port of a VLAN, MTU 1500 */
static inline void frames_access_port(struct port_config *config, struct port *port, uint16_t sw,
				      uint16_t vid)
{
	*config = (struct port_config){
		.port = port,
		.role = PORT_SWITCHED,
		.admin_up = true,
		.sw = sw,
		.peer = SNAPSHOT_NONE,
		.mtu = 1500,
		.vlan = {.mode = VLAN_ACCESS, .tpid = VLAN_TPID_C, .pvid = vid},
	};
	vlan_port_allow(&config->vlan, vid);
}

#endif
