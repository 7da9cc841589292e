/* SPDX-License-Identifier: BSD-3-Clause */
/* A capture file in memory: frames in order. Immutable after pcap_source_open(). */
#ifndef DATAPATH_PCAP_PCAP_SOURCE_H
#define DATAPATH_PCAP_PCAP_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PCAP_SOURCE_BYTES_MAX (UINT64_C(1) << 30)

struct pcap_source {
	uint8_t *bytes;	  /* all frames, one behind the other */
	uint64_t *starts; /* n + 1 offsets in bytes */
	size_t n;
};

/**
 * pcap_source_read() - Read a pcap or pcapng file of Ethernet frames
 * @path: a regular file; anything else is refused without waiting for it
 * Return: 0, or -errno with @err naming the file and what is wrong with it.
 */
int pcap_source_read(struct pcap_source *source, const char *path, struct err *err);
void pcap_source_free(struct pcap_source *source);

#endif
