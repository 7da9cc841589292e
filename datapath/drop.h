/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every frame that does not leave is counted under exactly one of these, on the port where the cause is:
 * the ingress port for what is refused on the way in, the egress port for what cannot be delivered.
 *
 * X(symbol, name, sentence): the name is stable (RPC, metrics); the sentence tells the user what to change.
 */
#ifndef DATAPATH_DROP_H
#define DATAPATH_DROP_H

/* clang-format off */
#define DROP_REASONS(X) \
	X(DROP_RUNT, "runt", \
	  "shorter than an Ethernet header (14 bytes); the sender's driver or generator is broken") \
	X(DROP_OVERSIZE, "oversize", \
	  "larger than the port's MTU; raise the MTU of the port or lower it in the sender") \
	X(DROP_BAD_OFFLOAD, "bad-offload", \
	  "the sender asked for a checksum or segmentation that its headers contradict; check its virtio driver") \
	X(DROP_SOURCE_MULTICAST, "source-multicast", \
	  "the source address is a multicast or zero address; no station may send from it") \
	X(DROP_PORT_DOWN, "port-down", \
	  "the port is administratively down or its link is down; bring it up with `netloom link set`") \
	X(DROP_PORT_UNATTACHED, "port-unattached", \
	  "the port belongs to no switch and to no wire; attach it") \
	X(DROP_VLAN_TAGGED, "vlan-tagged", \
	  "a tagged frame came in on an access port; make the port a trunk or send untagged") \
	X(DROP_VLAN_UNTAGGED, "vlan-untagged", \
	  "an untagged frame came in on a trunk without a native VLAN; set `native:` or send tagged") \
	X(DROP_VLAN_NOT_MEMBER, "vlan-not-member", \
	  "the port does not carry the frame's VLAN; add the VLAN to the port's trunk list") \
	X(DROP_VLAN_RESERVED, "vlan-reserved", \
	  "the frame's VLAN id is 4095, which IEEE 802.1Q reserves") \
	X(DROP_RESERVED_MULTICAST, "reserved-multicast", \
	  "a 01:80:C2:00:00:0X frame, which this switch is configured to drop; set `reserved:` to forward it, or use a wire") \
	X(DROP_SAME_PORT, "same-port", \
	  "the destination is behind the port the frame came from; nothing to do") \
	X(DROP_NO_MEMBER, "no-member", \
	  "no other port carries the frame's VLAN; attach a second port to it") \
	X(DROP_STICKY_MOVE, "sticky-move", \
	  "the source address is sticky or static on another port; remove that entry if the move is meant") \
	X(DROP_LOOP, "loop", \
	  "the frame crossed more switches than the hop limit; the patch links form a loop") \
	X(DROP_NO_ROOM, "no-room", \
	  "the receiver's ring is full; it reads too slowly") \
	X(DROP_NOT_CONNECTED, "not-connected", \
	  "nobody is attached to the port (no VM connected, or its driver has not started)") \
	X(DROP_TOO_BIG_FOR_RECEIVER, "too-big-for-receiver", \
	  "the receiver offered no buffer large enough; enable mergeable buffers or offloads in the guest") \
	X(DROP_NO_MEMORY, "no-memory", \
	  "the switch ran out of frame buffers for a burst; add workers or memory") \
	X(DROP_BAD_DESCRIPTOR, "bad-descriptor", \
	  "the guest's ring has a descriptor that loops, is empty or points outside its memory; its driver is broken") \
	X(DROP_WRITE_FAILED, "write-failed", \
	  "the kernel or file behind the port refused the frame; see the log of netloomd") \
	X(DROP_IMPAIR_LOSS, "impair-loss", \
	  "lost on purpose: the link has a `loss`; change it with `netloom link set`") \
	X(DROP_IMPAIR_QUEUE, "impair-queue", \
	  "the link's `rate` is exceeded and its queue is full; raise the rate or the queue, or send less") \
	X(DROP_IMPAIR_MEMORY, "impair-memory", \
	  "more frames wait in the delayed link than it has memory for; shorten the delay or send less") \
	X(DROP_IMPAIR_CLEARED, "impair-cleared", \
	  "the frame waited in a link whose impairment was taken away; not an error") \
	X(DROP_VXLAN_BAD_LENGTH, "vxlan-bad-length", \
	  "an overlay packet's IP or UDP length contradicts its size; the sending VTEP or the path is broken") \
	X(DROP_VXLAN_BAD_CHECKSUM, "vxlan-bad-checksum", \
	  "an overlay packet's IP or UDP checksum is wrong; on veth, turn off tx checksum offload at the sender") \
	X(DROP_VXLAN_FRAGMENT, "vxlan-fragment", \
	  "an overlay packet arrived in fragments; raise the underlay's MTU or lower the inner one at the sender") \
	X(DROP_VXLAN_NO_VNI, "vxlan-no-vni", \
	  "an overlay packet without the I flag (RFC 7348); the sender is not a VXLAN endpoint") \
	X(DROP_VXLAN_UNKNOWN_VNI, "vxlan-unknown-vni", \
	  "an overlay packet for a VNI this host does not have; add it with `netloom vni add` or fix the sender") \
	X(DROP_VXLAN_UNKNOWN_VTEP, "vxlan-unknown-vtep", \
	  "an overlay packet from an address that is not a configured peer; add it with `netloom vtep add` if it is one") \
	X(DROP_VXLAN_VTEP_NOT_IN_VNI, "vxlan-vtep-not-in-vni", \
	  "an overlay packet from a known peer for a VNI it has no part in; add the peer to the VNI or fix the sender") \
	X(DROP_VXLAN_OWN_ADDRESS, "vxlan-own-address", \
	  "an overlay packet with our own VTEP address as its source; two hosts share the address, or the underlay loops") \
	X(DROP_VXLAN_INNER_RUNT, "vxlan-inner-runt", \
	  "the frame inside an overlay packet is shorter than an Ethernet header; the sending VTEP is broken") \
	X(DROP_VXLAN_INNER_TAGGED, "vxlan-inner-tagged", \
	  "a VLAN tag inside an overlay packet of a VNI that keeps none; configure the VNI to keep inner tags") \
	X(DROP_VXLAN_ECN, "vxlan-ecn", \
	  "congestion was marked on an overlay packet whose inner frame cannot carry the mark (RFC 6040); not an error") \
	X(DROP_VXLAN_TOO_BIG, "vxlan-too-big", \
	  "the frame does not fit the underlay's MTU; the guest was told, lower its MTU or raise the underlay's") \
	X(DROP_VXLAN_NO_ROUTE, "vxlan-no-route", \
	  "the kernel has no route to the remote VTEP; check `ip route get` for its address") \
	X(DROP_VXLAN_NO_NEIGHBOUR, "vxlan-no-neighbour", \
	  "the next hop towards the remote VTEP does not answer ARP or ND yet; check the underlay") \
	X(DROP_VXLAN_BUM_LIMIT, "vxlan-bum-limit", \
	  "broadcast, unknown or multicast above the VNI's limit; raise the limit if this traffic is meant") \
	X(DROP_VXLAN_BUM_OFF, "vxlan-bum-off", \
	  "broadcast, unknown or multicast in a VNI that floods none; turn flooding on or announce the station") \
	X(DROP_VXLAN_SPLIT_HORIZON, "vxlan-split-horizon", \
	  "a frame from one remote VTEP for another; they must reach each other directly") \
	X(DROP_VXLAN_SUPPRESSED, "vxlan-suppressed", \
	  "an ARP or ND request that was answered locally instead of being flooded; not an error") \
	X(DROP_VXLAN_BFD_OFF, "vxlan-bfd-off", \
	  "the other host watches over a cable (BFD) and this one does not; turn it on at both ends or at neither: `netloom vni set VNI --liveness on`") \
	X(DROP_VXLAN_BFD_MALFORMED, "vxlan-bfd-malformed", \
	  "a BFD packet that RFC 5880 or RFC 8971 refuses; the other end is broken, or it is not the one who sent it") \
	X(DROP_VXLAN_BFD_STRANGER, "vxlan-bfd-stranger", \
	  "a BFD packet that names another session than the cable's; the other host has just been restarted, or somebody forges it") \
	X(DROP_VXLAN_BFD_FLOOD, "vxlan-bfd-flood", \
	  "more BFD packets for one cable than its other end would send, or than this host can look at; somebody forges them")
/* clang-format on */

#define DROP_AS_ENUM(symbol, name, sentence) symbol,
enum drop_reason {
	DROP_NONE, /* not dropped */
	DROP_REASONS(DROP_AS_ENUM) DROP_N
};
#undef DROP_AS_ENUM

/**
 * drop_name() - Stable name of a reason, as in `netloom show drops`
 * @reason: anything; out of range gives "none"
 */
const char *drop_name(enum drop_reason reason);

/** drop_sentence() - What the user should change, one sentence without a final stop */
const char *drop_sentence(enum drop_reason reason);

#endif
