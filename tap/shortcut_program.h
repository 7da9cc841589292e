/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two programs of a shortcut (shortcut.h), in instructions: what leaves through a TAP interface is encapsulated and sent, what
 * comes in on an uplink is decapsulated and handed to a TAP interface. Both are for TCP between two stations that are in their
 * maps. Whatever is not plain, they leave as it was to those behind them: netloomd, or the kernel.
 *
 *   TAP, leaving:   not tagged; IPv4 without options or IPv6 without extension headers; no fragment; TCP; the source is a station
 *                   of this interface, the destination one behind a VTEP; a segment fits the way there
 *   uplink, coming: all of that inside; outside IPv4 without options, lengths and checksum right, no fragment, to us, UDP checksum 0; VXLAN flags as
 *                   RFC 7348 has them; from the VTEP that its source is behind; no mark of congestion that would have to be combined
 */
#ifndef TAP_SHORTCUT_PROGRAM_H
#define TAP_SHORTCUT_PROGRAM_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#define SHORTCUT_PROGRAM_MAX 320 /* instructions */
#define SHORTCUT_OUTER_LEN   50	 /* VXLAN over IPv4 */

/* What the programs return: the program behind this one decides; or it is lost. From linux/bpf.h of Linux 6.6. */
enum { SHORTCUT_NEXT = -1, SHORTCUT_DROP = 2, SHORTCUT_REDIRECT = 7 };

/* Of both maps. */
struct shortcut_key {
	uint32_t vni;
	uint8_t mac[6];
	uint16_t zero;
};

/* Frames and bytes of what took the shortcut from a station, and to it; the kernel adds. Frames are inner ones, not cut. */
struct shortcut_counts {
	uint64_t from_pkts, from_bytes, to_pkts, to_bytes;
};

/* A station behind a TAP interface. */
struct shortcut_near {
	struct shortcut_counts counts; /* first */
	uint32_t ifindex;	       /* the TAP's */
	uint32_t mtu;		       /* L3 bytes it takes */
};

/* A station behind a VTEP: how frames get there. */
struct shortcut_far {
	struct shortcut_counts counts; /* first */
	uint32_t ifindex;	       /* the uplink's */
	uint32_t inner_max;	       /* bytes of a frame, Ethernet header included */
	uint32_t ip_sum;	       /* of the outer header as it stands below */
	uint32_t src_port_min, src_port_n;
	uint8_t tos_fixed, tos_mask; /* the outer one is tos_fixed | (inner & tos_mask) */
	uint16_t zero;
	uint8_t outer[SHORTCUT_OUTER_LEN]; /* lengths, checksum, TOS, source port and VNI are 0 */
};

/**
 * shortcut_program_out() - For frames that leave through a TAP interface
 * @ifindex: the TAP's
 * @vni:     that its stations are in
 * @near_fd, @far_fd: of the maps
 * @code:    out, SHORTCUT_PROGRAM_MAX entries
 *
 * Return: how many instructions.
 */
size_t shortcut_program_out(uint32_t ifindex, uint32_t vni, int near_fd, int far_fd,
			    struct bpf_insn *code);

/** shortcut_program_in() - For packets that come in on an uplink that listens on @udp_port */
size_t shortcut_program_in(uint16_t udp_port, int near_fd, int far_fd, struct bpf_insn *code);

#endif
