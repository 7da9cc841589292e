/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BFD control packets, RFC 5880 §4.1, and how one travels between two VTEPs: as a frame inside VXLAN, RFC 8971 §4 and §5. Asynchronous
 * mode, no authentication. Bytes only: what they mean for a session is in bfd_session.h. Pure; any thread.
 */
#ifndef VXLAN_BFD_H
#define VXLAN_BFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "reply.h"
#include "vxlan.h"

#define BFD_LEN	     24
#define BFD_UDP_PORT 3784 /* RFC 5881 §4 */

enum bfd_state { BFD_ADMIN_DOWN, BFD_DOWN, BFD_INIT, BFD_UP };

/* Why, RFC 5880 §4.1; those that are used here. */
enum bfd_diag {
	BFD_DIAG_NONE = 0,
	BFD_DIAG_EXPIRED = 1,	      /* nothing was heard for the detection time */
	BFD_DIAG_NEIGHBOUR = 3,	      /* the other end said that it is down */
	BFD_DIAG_CONCATENATED = 6,    /* what is joined to this end of the path is down */
	BFD_DIAG_ADMIN = 7,	      /* taken down on purpose */
	BFD_DIAG_REV_CONCATENATED = 8 /* the same, of the way back */
};

struct bfd_packet {
	uint8_t state; /* enum bfd_state */
	uint8_t diag;  /* 0..31 */
	bool poll, final, demand;
	uint8_t detect_mult;
	uint32_t my_discr, your_discr;
	uint32_t desired_tx_us, required_rx_us;
};

/**
 * bfd_parse() - Read a control packet, refusing what RFC 5880 §6.8.6 refuses of any packet, whatever the session
 * @bytes: UDP payload
 * @len:   of it
 *
 * Return: false for another version, bad lengths, no multiplier, no discriminator, multipoint, authentication, or a packet that names no
 * session and is not about to begin one.
 */
bool bfd_parse(const uint8_t *bytes, size_t len, struct bfd_packet *packet);

/** bfd_write() - The bytes of a control packet; asks for no echo packets */
void bfd_write(const struct bfd_packet *packet, uint8_t bytes[BFD_LEN]);

/** bfd_is_addressed() - Whether an inner frame's destination is the one that IANA keeps for BFD for VXLAN: 00:00:5e:00:52:02 */
bool bfd_is_addressed(const uint8_t *frame);

/**
 * bfd_frame_write() - The inner frame of a control packet
 * @local:  VTEP address of the sender
 * @mac:    of the interface it sends from
 * @source: UDP source port
 * @frame:  out
 */
void bfd_frame_write(const struct bfd_packet *packet, const struct vxlan_ip *local,
		     const uint8_t mac[6], uint16_t source, struct reply *frame);

/**
 * bfd_frame_parse() - Read an inner frame that bfd_is_addressed()
 * @f:	    decapsulated; only its snapshot is read
 * @remote: VTEP it came from
 *
 * Addresses, hop limit (RFC 5082: 255, so it came over no router inside), lengths and checksums must be right.
 * Return: false if it is no such packet.
 */
bool bfd_frame_parse(const struct frame *f, const struct vxlan_ip *remote,
		     struct bfd_packet *packet);

#endif
