/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * "Your packet is too big": path MTU discovery for guests behind a tunnel.
 *
 * An outer packet is never fragmented, so a frame that does not fit is dropped, and a sender that is not told waits for ever. There
 * is no router with an address of its own in the guest's network; the answer comes from the address the guest was talking to (as
 * Linux' tunnels do it), which it believes, and it stays on the port the frame came from.
 */
#ifndef VXLAN_TOOBIG_H
#define VXLAN_TOOBIG_H

#include "reply.h"
#include "vtep.h"

/**
 * toobig_mtu() - L3 MTU a guest may use towards a peer
 * @f: the guest's frame: tags that go into the tunnel take room
 */
uint16_t toobig_mtu(const struct vtep_peer *peer, const struct frame_out *out);

/**
 * toobig_reply() - Build ICMP "fragmentation needed" (RFC 792, RFC 1191 §4) or ICMPv6 "packet too big" (RFC 4443 §3.2)
 * @f:	   the frame as the guest sent it, tags in hdr
 * @mtu:   next-hop MTU to announce, L3 bytes
 * @reply: out
 *
 * IPv4 without DF is answered too: it is dropped all the same, and a host that hears of it fragments from then on.
 * No answer goes to multicast and broadcast, to later fragments, to ICMP errors (RFC 1122 §3.2.2, RFC 4443 §2.4 e), to a broken
 * header, and to what is not IP. Callers limit the rate.
 *
 * Return: true if there is something to send.
 */
bool toobig_reply(const struct frame *f, uint16_t mtu, struct reply *reply);

#endif
