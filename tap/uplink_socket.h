/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sockets of an uplink: an AF_PACKET socket that gets a copy of the VXLAN packets for us, and UDP sockets that take the
 * same packets from the kernel, so that it does not answer "port unreachable".
 */
#ifndef TAP_UPLINK_SOCKET_H
#define TAP_UPLINK_SOCKET_H

#include <stdint.h>

#include "uplink_port.h"

/**
 * uplink_socket_packet() - Open the packet socket, not yet bound to an interface: nothing arrives
 * @udp_port: the filter passes UDP to this port, from others to us, and no fragments; IPv4 and IPv6 without extension headers
 * @fd:	      out, owned by the caller; non-blocking, with a virtio-net header in front of each packet
 *
 * Return: 0 or -errno with @err filled.
 */
int uplink_socket_packet(uint16_t udp_port, int *fd, struct err *err);

/**
 * uplink_socket_bind() - Listen on an interface
 * @ifindex: 0: on none any more
 * @protocol: ETH_P_ALL, or ETH_P_IP: IPv4 only, and only what programs on the interface (shortcut.h) leave
 * Return: 0 or -errno.
 */
int uplink_socket_bind(int fd, int ifindex, uint16_t protocol);

/** uplink_socket_recover() - Forget that the interface was down, which else the first packet after it would be told */
void uplink_socket_recover(int fd);

/**
 * uplink_socket_udp() - Own the UDP port of an address towards the kernel
 * @fd: out, owned by the caller; never to be read: its filter throws everything away before it is queued
 *
 * The address need not exist yet. Return: 0, or -errno with @err filled: -EADDRINUSE if another VTEP of this host has it.
 */
int uplink_socket_udp(const struct vxlan_ip *address, uint16_t udp_port, int *fd, struct err *err);

/** uplink_socket_udp_all() - The same for all addresses of an uplink; @n counts what is open, also after a failure */
int uplink_socket_udp_all(const struct uplink_config *config, int *fds, uint8_t *n,
			  struct err *err);

#endif
