/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All that the workers know of the overlay: our VTEP addresses, the remote VTEPs with their next hops, the VNIs and who takes
 * part in each. Immutable: control builds a new table beside the running one, puts it into the next snapshot and
 * frees the old one after the grace period.
 *
 * Stations are not in here. A remote VTEP is a port of the switch (its index is `port`), so a remote MAC is an ordinary FDB
 * entry: learning, ageing, moves, limits and static entries are the switch's, and there is one table to look
 * into. This table says what such a port means: which outer headers to write, and whom to believe.
 *
 * What changes per frame (rate limits) lives outside, in struct bum_meter, addressed by `slot`.
 */
#ifndef VXLAN_VTEP_H
#define VXLAN_VTEP_H

#include <stddef.h>

#include "base/err.h"
#include "drop.h"
#include "vxlan.h"

#define VTEP_LOCALS_MAX	  16
#define VTEP_PEERS_MAX	  4096
#define VTEP_VNIS_MAX	  65535
#define VTEP_NEXTHOPS_MAX 8
#define VTEP_OUTER_MAX	  72 /* VXLAN_OUTER_LEN6, rounded up */
#define VTEP_NONE	  UINT16_MAX

/* What becomes of a VLAN tag inside. Sent untagged under STRIP and REFUSE. */
enum vtep_tag {
	VTEP_TAG_STRIP, /* removed on receive */
	VTEP_TAG_KEEP,	/* both ways as it is */
	VTEP_TAG_REFUSE /* a tagged inner frame is dropped: RFC 7348 §6.1's default */
};

enum vtep_csum {
	VTEP_CSUM_AUTO, /* IPv4: 0, IPv6: filled */
	VTEP_CSUM_ON,	/* filled */
	VTEP_CSUM_ZERO /* 0, also over IPv6 and also taken from there: RFC 6935; the far end must have been told */
};

/* Where to hand a packet for a peer: from the kernel's routes and neighbours. */
struct vtep_nexthop {
	uint16_t uplink; /* the caller's number for it, passed through */
	uint16_t mtu;	 /* of the route: bytes from the outer IP header on */
	bool resolved;	 /* dst_mac is known */
	uint8_t dst_mac[6];
	uint8_t src_mac[6];
};

struct vtep_peer_spec {
	struct vxlan_ip remote;
	uint16_t local;	   /* index in vtep_spec.locals; same family */
	uint16_t slot;	   /* the caller's number, stable while the peer lives: counters */
	uint16_t udp_port; /* it listens on; 0: the same as we */
	uint16_t src_port_min, src_port_max; /* 0, 0: 49152..65535 */
	bool dscp_fixed;		     /* false: the outer DSCP is the inner one */
	uint8_t dscp;			     /* 0..63, when fixed */
	uint8_t csum;			     /* enum vtep_csum */
	uint16_t n_nexthops;		     /* 0: no route */
	struct vtep_nexthop nexthops[VTEP_NEXTHOPS_MAX];
};

struct vtep_member {
	uint16_t peer; /* index in vtep_spec.peers */
	bool flood; /* gets broadcast, unknown and multicast; if not, only what is sent to a known station */
};

struct vtep_vni_spec {
	uint32_t vni; /* 1..VXLAN_VNI_MAX */
	uint16_t sw,
		vid;   /* the switch and VLAN it extends; sw VTEP_NONE: a wire, which has neither */
	uint16_t slot; /* the caller's number, stable while the VNI lives: meters, counters */
	uint16_t mtu;  /* L3 bytes that guests use; 0: not checked */
	uint8_t tag;   /* enum vtep_tag */
	bool flood_off;	   /* no broadcast, unknown or multicast leaves through tunnels */
	bool learning_off; /* stations behind tunnels come from the control plane only */
	bool suppress;	   /* ARP and ND requests are answered from what is known */
	bool announce;	   /* passed through: stations that attach are announced */
	bool liveness;	   /* a cable that is watched: its one member sends and gets BFD packets */
	uint32_t n_members;
	const struct vtep_member *members;
};

/* Borrowed for vtep_table_new(); nothing of it is kept. */
struct vtep_spec {
	uint16_t udp_port; /* we listen on; 0: VXLAN_UDP_PORT */
	uint8_t ttl;	   /* 0: 64 */
	uint16_t n_locals;
	const struct vxlan_ip *locals;
	uint16_t n_peers;
	const struct vtep_peer_spec *peers;
	uint32_t n_vnis;
	const struct vtep_vni_spec *vnis;
};

/* Prepared for encapsulation: the outer headers, complete but for what differs per frame. */
struct vtep_peer {
	uint8_t outer
		[VTEP_OUTER_MAX]; /* MACs of nexthops[0]; lengths, DSCP, source port and VNI zero */
	uint32_t ip_sum;	  /* IPv4: sum of the header as it stands in `outer` */
	uint32_t pseudo_sum;	  /* addresses and protocol, for a filled UDP checksum */
	uint8_t outer_len;	  /* 50 or 70 */
	bool is_v6;
	bool fill_csum;
	bool zero_csum6_rx; /* IPv6 packets without a UDP checksum are taken from it */
	uint8_t tos_fixed;  /* DSCP << 2, or 0 */
	uint8_t tos_mask;   /* what is taken over from the inner header */
	uint16_t src_port_min, src_port_max;
	uint8_t unusable; /* enum drop_reason while there is no usable next hop, else DROP_NONE */
	uint16_t n_nexthops; /* usable ones */
	uint16_t inner_max;  /* largest inner frame in bytes, Ethernet header included */
	uint16_t local, slot;
	struct vxlan_ip remote;
	struct vtep_nexthop nexthops[VTEP_NEXTHOPS_MAX];
};

struct vtep_vni {
	uint32_t vni;
	uint16_t sw, vid, slot;
	uint8_t tag;
	bool flood_off, learning_off, suppress, announce, liveness;
	uint32_t n_flood;
	const uint16_t *flood; /* peers */
	uint32_t n_members;
	const uint16_t *members; /* peers, flood ones first */
};

struct vtep_table {
	uint16_t udp_port;
	uint16_t n_locals, n_peers;
	uint32_t n_vnis;
	struct vxlan_ip locals[VTEP_LOCALS_MAX];
	struct vtep_peer *peers;
	struct vtep_vni *vnis;

	/* Hash indices over the arrays above; see vtep.c. */
	uint16_t *peer_slots;
	uint32_t peer_mask;
	struct vtep_slot *vni_slots, *fid_slots, *member_slots;
	uint32_t vni_mask, fid_mask, member_mask;
	uint16_t *member_array;
	size_t bytes; /* of memory, all told */
};

/**
 * vtep_spec_check() - Refuse what cannot work, saying what to change
 *
 * VNI 0 or above 2^24-1 or used twice, one VLAN in two VNIs, a VTEP address that is multicast, unspecified, loopback or our own,
 * a peer twice, mixed families, an inner MTU that the underlay cannot carry, a bad source port range.
 *
 * Return: 0 or -EINVAL with @err filled.
 */
int vtep_spec_check(const struct vtep_spec *spec, struct err *err);

/**
 * vtep_table_new() - Check a specification and build the table
 * @out: owned by the caller, vtep_table_free()
 *
 * Return: 0, -EINVAL or -ENOMEM with @err filled. Context: control thread.
 */
int vtep_table_new(const struct vtep_spec *spec, struct vtep_table **out, struct err *err);

/** vtep_table_free() - Free a table; NULL is fine */
void vtep_table_free(struct vtep_table *table);

/* Look-ups. Return an index, or VTEP_NONE (-1 for VNIs, of which there may be more). Any thread, never block. */
uint16_t vtep_local_find(const struct vtep_table *table, const struct vxlan_ip *address);
uint16_t vtep_peer_find(const struct vtep_table *table, const struct vxlan_ip *remote,
			uint16_t local);
int32_t vtep_vni_find(const struct vtep_table *table, uint32_t vni);
int32_t vtep_vni_of_vlan(const struct vtep_table *table, uint16_t sw, uint16_t vid);

/** vtep_member_find() - The VNI's index if @peer takes part in it, else -1: the check against impostors */
int32_t vtep_member_find(const struct vtep_table *table, uint16_t peer, uint32_t vni);

/** vtep_member_floods() - Whether @peer is in the flood list of a VNI */
bool vtep_member_floods(const struct vtep_table *table, uint16_t peer, uint32_t vni);

#endif
