/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port type "erspan": frames that are sent there go to an analyser elsewhere on the IP network, in GRE
 * (draft-foschiano-erspan: type II, version 1 on the wire, or type III, version 2). It only sends; mirrors are what it is for.
 *
 * Packets leave through a raw socket, so routes, neighbours, source address and fragmentation are the kernel's.
 */
#ifndef TAP_ERSPAN_PORT_H
#define TAP_ERSPAN_PORT_H

#include "port.h"
#include "vxlan/vxlan.h"

#define ERSPAN_SESSION_MAX 1023

struct erspan_config {
	struct vxlan_ip remote;
	uint16_t session; /* 0..ERSPAN_SESSION_MAX */
	uint8_t type;	  /* 2 or 3 */
	uint8_t ttl;
};

/**
 * erspan_port_new() - Make the port
 * Return: 0, or -errno with @err; it ends with ops->close(). Context: control thread.
 */
int erspan_port_new(const struct port_spec *spec, const struct erspan_config *config,
		    struct port **out, struct err *err);

/**
 * erspan_header() - GRE and ERSPAN headers of one frame
 * @sequence: of the GRE header
 * @now_ns:   time stamp of type III, in units of 100 ns on the wire
 * @to:	      20 bytes of room
 * Return: length.
 */
uint32_t erspan_header(const struct erspan_config *config, const struct frame_out *out,
		       uint32_t sequence, uint64_t now_ns, uint8_t *to);

#define ERSPAN_HEADER_MAX 20

#endif
