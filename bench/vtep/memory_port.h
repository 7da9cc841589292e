/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports without I/O, so that what is measured is netloom: a source that gives the frames of a capture file over and over, and a sink
 * that writes each packet out, whole, with all its headers, into buffers that nobody looks at. The work of a port is there (the
 * snapshot at rx, the one copy at tx); a driver's rings and a NIC are not.
 */
#ifndef BENCH_MEMORY_PORT_H
#define BENCH_MEMORY_PORT_H

#include "port.h"
#include "vxlan/overlay.h"

/**
 * memory_port_new() - A port
 * @name: of the port
 * @pcap: capture file to receive from for ever, NULL: none
 * @is_uplink: what is received are packets of the underlay, which are decapsulated
 * Return: the port, or NULL with @err filled. Lives as long as the process.
 */
struct port *memory_port_new(const char *name, const char *pcap, bool is_uplink, struct err *err);

/** memory_port_send() - The sink as an uplink: see overlay_send */
void memory_port_send(struct port *port, struct frame_out *outs, uint16_t n, uint8_t outer_len);

/** memory_port_sent() - Packets that were written out */
uint64_t memory_port_sent(const struct port *port);

#endif
