/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The XDP program in front of an AF_XDP uplink: VXLAN packets to our VTEP addresses go to our sockets, everything else goes on to
 * the kernel. It is written in instructions, so that neither a compiler nor an object file is needed at run time.
 *
 * It is attached through a bpf_link, whose last file descriptor is ours: however this process ends, the program goes with it.
 */
#ifndef TAP_XDP_PROGRAM_H
#define TAP_XDP_PROGRAM_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "uplink_port.h"

#define XDP_PROGRAM_MAX 192 /* instructions */

struct xdp_filter {
	const struct uplink_config *config; /* addresses and UDP port */
	uint8_t mac[6];	  /* of the interface: packets to others are the kernel's to ignore */
	uint32_t len_max; /* longer ones go to the kernel, for they do not fit a socket's buffer */
};

/**
 * xdp_program_write() - The program's instructions
 * @map_fd: of the map from receive queues to sockets
 * @code:   out, XDP_PROGRAM_MAX entries
 *
 * What passes is the same as with a packet socket's filter (uplink_socket.h), less IPv4 options, which VTEPs do not send.
 * Return: how many.
 */
size_t xdp_program_write(const struct xdp_filter *filter, int map_fd, struct bpf_insn *code);

/**
 * xdp_program_map() - Make the map from receive queues to AF_XDP sockets
 * Return: its fd, owned by the caller, or -errno with @err filled.
 */
int xdp_program_map(uint32_t n_queues, struct err *err);

/** xdp_program_map_set() - Return: 0 or -errno */
int xdp_program_map_set(int map_fd, uint32_t queue, int socket_fd);

/**
 * xdp_program_attach() - Load the program and put it in front of an interface
 * @native: in the driver; false: in the kernel's general code, which any interface has
 *
 * Return: fd of the link, owned by the caller, closing it detaches; or -errno with @err filled, -EBUSY if another program is there.
 */
int xdp_program_attach(const struct xdp_filter *filter, int map_fd, int ifindex, bool native,
		       struct err *err);

#endif
