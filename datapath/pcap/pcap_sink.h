/* SPDX-License-Identifier: BSD-3-Clause */
/* A capture file that grows: classic pcap, microseconds, Ethernet. One thread at a time. */
#ifndef DATAPATH_PCAP_PCAP_SINK_H
#define DATAPATH_PCAP_PCAP_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "frame.h"

struct pcap_sink {
	int fd;
	uint64_t size; /* bytes of header and whole records in the file; 0: not begun */
	uint8_t *buffer;
	size_t used;
};

/**
 * pcap_sink_open() - Create the file, or take an old one
 *
 * An old capture is overwritten when the first frame comes, not before: the change that opens the
 * port may be undone yet. What is no regular file is refused without waiting for it.
 *
 * Return: 0, or -errno with @err filled.
 */
int pcap_sink_open(struct pcap_sink *sink, const char *path, struct err *err);
void pcap_sink_close(struct pcap_sink *sink);

/**
 * pcap_sink_write() - Append frames
 * @out: drop is set to DROP_WRITE_FAILED for those that did not get into the file as a whole
 *
 * Context: one system call per 256 KiB and one per call. After an error (disk full) the file ends
 *          with a whole record.
 */
void pcap_sink_write(struct pcap_sink *sink, struct frame_out *out, uint16_t n);

#endif
