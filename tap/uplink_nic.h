/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The uplink on a card that netloomd drives itself (nic_device.h), with a shadow of it in the kernel (nic_shadow.h): VXLAN for us stays here,
 * everything else goes to the kernel and comes from it.
 */
#ifndef TAP_UPLINK_NIC_H
#define TAP_UPLINK_NIC_H

#include "uplink_port.h"

extern const struct port_ops uplink_nic_ops;

/**
 * uplink_nic_new() - Take the card and make its shadow; fits uplink_port_new()
 * @spec: name; ifname of the shadow
 * @mtu:  that packets will have at most
 *
 * The shadow still has to be given addresses and to be set up. Return: 0 or -errno with @err filled.
 */
int uplink_nic_new(const struct port_spec *spec, const struct uplink_config *config, uint32_t mtu,
		   struct port **out, struct err *err);

/** uplink_nic_mac() - The card's MAC address, which the shadow is to have */
const uint8_t *uplink_nic_mac(const struct port *port);

/** uplink_nic_follow(), uplink_nic_send() - As uplink_port_follow() and uplink_send() */
void uplink_nic_follow(struct port *port, const struct uplink_link *link);
void uplink_nic_send(struct port *port, struct frame_out *outs, uint16_t n, uint8_t outer_len);

#endif
