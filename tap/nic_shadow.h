/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shadow of a card in the kernel: a TAP interface with the card's MAC address. What the card receives and is not VXLAN for us
 * goes in, what the kernel sends comes out. So addresses, routes, ARP, ND, ping and BGP of the underlay stay the kernel's, and
 * netloomd follows them as those of any other interface.
 *
 * Slow path: one system call per frame, complete frames only.
 */
#ifndef TAP_NIC_SHADOW_H
#define TAP_NIC_SHADOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/** nic_shadow_open() - Make the interface. Return: its fd, owned by the caller, or -errno with @err filled. */
int nic_shadow_open(const char *ifname, struct err *err);

/** nic_shadow_write() - A frame for the kernel. Return: false if it takes none. */
bool nic_shadow_write(int fd, const void *frame, uint32_t len);

/** nic_shadow_read() - The kernel's next frame. Return: its length, 0 for none. */
uint32_t nic_shadow_read(int fd, void *frame, uint32_t room);

/** nic_shadow_carrier() - Let the kernel know of the card's link */
void nic_shadow_carrier(int fd, bool on);

#endif
