/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Building and searching the overlay's table. See vtep.h.
 *
 * Three searches are keyed by a number (VNI, switch and VLAN, peer and VNI) and share one open-addressing hash of
 * at most half load; the fourth is keyed by an address and compares it. All are written once, by control, and only read
 * afterwards, so there is nothing to synchronise.
 */
#include "vtep.h"

#include <errno.h>
#include <stdlib.h>

#include "checksum.h"
#include "ecn.h"
#include "wire.h"

struct vtep_slot {
	uint64_t key;	/* + 1: 0 is an empty slot */
	uint32_t value; /* index; of a member: << 1, and 1 if it floods */
};

static inline uint32_t hash64(uint64_t key)
{
	key *= UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(key >> 32);
}

/* By the high bits, which spread keys that follow one another (VLANs, VNIs) so that they hardly ever meet. */
static inline uint32_t slot_index(uint32_t hash, uint32_t mask)
{
	return (uint32_t)((hash * ((uint64_t)mask + 1)) >> 32);
}

static inline uint64_t member_key(uint16_t peer, uint32_t vni)
{
	return (uint64_t)peer << 24 | vni;
}

static inline uint64_t fid_key(uint16_t sw, uint16_t vid)
{
	return (uint64_t)sw << 12 | vid;
}

static uint32_t slots_for(size_t n)
{
	uint32_t size = 8;

	while (size < 2 * n)
		size *= 2;
	return size;
}

static struct vtep_slot *slots_new(struct vtep_table *table, size_t n, uint32_t *mask)
{
	uint32_t size = slots_for(n);

	*mask = size - 1;
	table->bytes += size * sizeof(struct vtep_slot);
	return calloc(size, sizeof(struct vtep_slot));
}

static void slots_add(struct vtep_slot *slots, uint32_t mask, uint64_t key, uint32_t value)
{
	uint32_t i = slot_index(hash64(key), mask);

	while (slots[i].key != 0)
		i = (i + 1) & mask;
	slots[i] = (struct vtep_slot){.key = key + 1, .value = value};
}

static inline int32_t slots_find(const struct vtep_slot *slots, uint32_t mask, uint64_t key)
{
	for (uint32_t i = slot_index(hash64(key), mask); slots[i].key != 0; i = (i + 1) & mask) {
		if (slots[i].key == key + 1)
			return (int32_t)slots[i].value;
	}
	return -1;
}

static inline uint32_t peer_hash(const struct vxlan_ip *remote, uint16_t local)
{
	uint64_t low, high;

	memcpy(&low, remote->b, 8);
	memcpy(&high, remote->b + 8, 8);
	return hash64(low ^ hash64(high) ^ (uint64_t)local << 48);
}

uint16_t vtep_local_find(const struct vtep_table *table, const struct vxlan_ip *address)
{
	for (uint16_t i = 0; i < table->n_locals; i++) {
		if (vxlan_ip_equal(&table->locals[i], address))
			return i;
	}
	return VTEP_NONE;
}

uint16_t vtep_peer_find(const struct vtep_table *table, const struct vxlan_ip *remote,
			uint16_t local)
{
	uint32_t i = peer_hash(remote, local) & table->peer_mask;

	for (; table->peer_slots[i] != VTEP_NONE; i = (i + 1) & table->peer_mask) {
		const struct vtep_peer *peer = &table->peers[table->peer_slots[i]];

		if (peer->local == local && vxlan_ip_equal(&peer->remote, remote))
			return table->peer_slots[i];
	}
	return VTEP_NONE;
}

int32_t vtep_vni_find(const struct vtep_table *table, uint32_t vni)
{
	return slots_find(table->vni_slots, table->vni_mask, vni);
}

int32_t vtep_vni_of_vlan(const struct vtep_table *table, uint16_t sw, uint16_t vid)
{
	return slots_find(table->fid_slots, table->fid_mask, fid_key(sw, vid));
}

int32_t vtep_member_find(const struct vtep_table *table, uint16_t peer, uint32_t vni)
{
	int32_t value = slots_find(table->member_slots, table->member_mask, member_key(peer, vni));

	return value < 0 ? -1 : value >> 1;
}

bool vtep_member_floods(const struct vtep_table *table, uint16_t peer, uint32_t vni)
{
	int32_t value = slots_find(table->member_slots, table->member_mask, member_key(peer, vni));

	return value >= 0 && (value & 1) != 0;
}

/* RFC 7348 §5, with DF (nothing of ours may be fragmented) and IP id 0 (RFC 6864 §4.1: atomic datagrams). */
static void peer_write_outer(struct vtep_peer *peer, const struct vxlan_ip *local,
			     uint16_t udp_port, uint8_t ttl)
{
	uint8_t *ip = peer->outer + WIRE_ETH_LEN;
	uint8_t *udp;
	size_t address_len;
	const uint8_t *addresses;

	if (peer->n_nexthops > 0) {
		memcpy(peer->outer, peer->nexthops[0].dst_mac, 6);
		memcpy(peer->outer + 6, peer->nexthops[0].src_mac, 6);
	}
	if (peer->is_v6) {
		wire_put16(peer->outer + 12, WIRE_TYPE_IP6);
		ip[0] = 0x60;
		ip[6] = WIRE_PROTO_UDP;
		ip[7] = ttl;
		memcpy(ip + 8, local->b, 16);
		memcpy(ip + 24, peer->remote.b, 16);
		udp = ip + WIRE_IP6_LEN;
		addresses = ip + 8;
		address_len = 32;
	} else {
		wire_put16(peer->outer + 12, WIRE_TYPE_IP4);
		ip[0] = 0x45;
		wire_put16(ip + 6, 0x4000);
		ip[8] = ttl;
		ip[9] = WIRE_PROTO_UDP;
		memcpy(ip + 12, local->b, 4);
		memcpy(ip + 16, peer->remote.b, 4);
		udp = ip + WIRE_IP4_LEN;
		addresses = ip + 12;
		address_len = 8;
		peer->ip_sum = checksum_fold(checksum_sum(ip, WIRE_IP4_LEN));
	}
	peer->pseudo_sum =
		checksum_fold(checksum_pseudo(addresses, address_len, WIRE_PROTO_UDP, 0));
	wire_put16(udp + 2, udp_port);
	udp[WIRE_UDP_LEN] = VXLAN_FLAG_VNI;
}

static void peer_fill(struct vtep_peer *peer, const struct vtep_peer_spec *from)
{
	uint16_t overhead;

	peer->remote = from->remote;
	peer->local = from->local;
	peer->slot = from->slot;
	peer->is_v6 = from->remote.is_v6;
	peer->outer_len = (uint8_t)vxlan_outer_len(peer->is_v6);
	peer->fill_csum =
		from->csum == VTEP_CSUM_ON || (from->csum == VTEP_CSUM_AUTO && peer->is_v6);
	peer->zero_csum6_rx = from->csum == VTEP_CSUM_ZERO;
	peer->tos_fixed = from->dscp_fixed ? (uint8_t)(from->dscp << 2) : 0;
	peer->tos_mask = from->dscp_fixed ? ECN_MASK : UINT8_MAX;
	peer->src_port_min = from->src_port_max != 0 ? from->src_port_min : 49152;
	peer->src_port_max = from->src_port_max != 0 ? from->src_port_max : 65535;
	overhead = (uint16_t)(peer->outer_len - WIRE_ETH_LEN);
	peer->inner_max = UINT16_MAX - VXLAN_OUTER_LEN6;
	/* Only resolved next hops are used; the smallest of their MTUs is what fits, whichever is chosen. */
	for (uint16_t i = 0; i < from->n_nexthops; i++) {
		const struct vtep_nexthop *hop = &from->nexthops[i];
		uint16_t room = hop->mtu > overhead ? (uint16_t)(hop->mtu - overhead) : 0;

		if (!hop->resolved)
			continue;
		peer->nexthops[peer->n_nexthops++] = *hop;
		if (room < peer->inner_max)
			peer->inner_max = room;
	}
	peer->unusable = DROP_NONE;
	if (peer->n_nexthops == 0)
		peer->unusable =
			from->n_nexthops == 0 ? DROP_VXLAN_NO_ROUTE : DROP_VXLAN_NO_NEIGHBOUR;
}

static void table_add_peers(struct vtep_table *table, const struct vtep_spec *spec)
{
	memset(table->peer_slots, 0xff, (table->peer_mask + 1) * sizeof(*table->peer_slots));
	for (uint16_t p = 0; p < spec->n_peers; p++) {
		struct vtep_peer *peer = &table->peers[p];
		uint32_t i =
			peer_hash(&spec->peers[p].remote, spec->peers[p].local) & table->peer_mask;

		peer_fill(peer, &spec->peers[p]);
		peer_write_outer(peer, &table->locals[peer->local],
				 spec->peers[p].udp_port != 0 ? spec->peers[p].udp_port
							      : table->udp_port,
				 spec->ttl != 0 ? spec->ttl : 64);
		while (table->peer_slots[i] != VTEP_NONE)
			i = (i + 1) & table->peer_mask;
		table->peer_slots[i] = p;
	}
}

static void table_add_vnis(struct vtep_table *table, const struct vtep_spec *spec)
{
	uint16_t *next = table->member_array;

	for (uint32_t v = 0; v < spec->n_vnis; v++) {
		const struct vtep_vni_spec *from = &spec->vnis[v];
		struct vtep_vni *vni = &table->vnis[v];

		*vni = (struct vtep_vni){.vni = from->vni,
					 .sw = from->sw,
					 .vid = from->vid,
					 .slot = from->slot,
					 .tag = from->tag,
					 .flood_off = from->flood_off,
					 .learning_off = from->learning_off,
					 .suppress = from->suppress,
					 .announce = from->announce,
					 .liveness = from->liveness,
					 .flood = next,
					 .members = next,
					 .n_members = from->n_members};
		for (int flood = 1; flood >= 0; flood--) {
			for (uint32_t m = 0; m < from->n_members; m++) {
				if (from->members[m].flood == (flood == 1))
					*next++ = from->members[m].peer;
			}
			if (flood == 1)
				vni->n_flood = (uint32_t)(next - vni->flood);
		}
		slots_add(table->vni_slots, table->vni_mask, vni->vni, v);
		if (vni->sw != VTEP_NONE)
			slots_add(table->fid_slots, table->fid_mask, fid_key(vni->sw, vni->vid), v);
		for (uint32_t m = 0; m < vni->n_members; m++)
			slots_add(table->member_slots, table->member_mask,
				  member_key(vni->members[m], vni->vni),
				  v << 1 | (m < vni->n_flood));
	}
}

static void *table_alloc(struct vtep_table *table, size_t n, size_t size)
{
	table->bytes += n * size;
	return calloc(n > 0 ? n : 1, size);
}

int vtep_table_new(const struct vtep_spec *spec, struct vtep_table **out, struct err *err)
{
	struct vtep_table *table;
	size_t n_members = 0;
	int ret = vtep_spec_check(spec, err);

	if (ret != 0)
		return ret;
	for (uint32_t v = 0; v < spec->n_vnis; v++)
		n_members += spec->vnis[v].n_members;

	table = calloc(1, sizeof(*table));
	if (table == NULL)
		goto no_memory;
	table->bytes = sizeof(*table);
	table->udp_port = spec->udp_port != 0 ? spec->udp_port : VXLAN_UDP_PORT;
	table->n_locals = spec->n_locals;
	table->n_peers = spec->n_peers;
	table->n_vnis = spec->n_vnis;
	if (spec->n_locals > 0)
		memcpy(table->locals, spec->locals, spec->n_locals * sizeof(spec->locals[0]));

	table->peer_mask = slots_for(spec->n_peers) - 1;
	table->peer_slots = table_alloc(table, table->peer_mask + 1, sizeof(*table->peer_slots));
	table->peers = table_alloc(table, spec->n_peers, sizeof(*table->peers));
	table->vnis = table_alloc(table, spec->n_vnis, sizeof(*table->vnis));
	table->member_array = table_alloc(table, n_members, sizeof(*table->member_array));
	table->vni_slots = slots_new(table, spec->n_vnis, &table->vni_mask);
	table->fid_slots = slots_new(table, spec->n_vnis, &table->fid_mask);
	table->member_slots = slots_new(table, n_members, &table->member_mask);
	if (table->peer_slots == NULL || table->peers == NULL || table->vnis == NULL ||
	    table->member_array == NULL || table->vni_slots == NULL || table->fid_slots == NULL ||
	    table->member_slots == NULL)
		goto no_memory;

	table_add_peers(table, spec);
	table_add_vnis(table, spec);
	*out = table;
	return 0;

no_memory:
	vtep_table_free(table);
	return err_set(err, ENOMEM, "no memory for an overlay of %u VNIs and %u remote VTEPs",
		       spec->n_vnis, spec->n_peers);
}

void vtep_table_free(struct vtep_table *table)
{
	if (table == NULL)
		return;
	free(table->member_slots);
	free(table->fid_slots);
	free(table->vni_slots);
	free(table->member_array);
	free(table->vnis);
	free(table->peers);
	free(table->peer_slots);
	free(table);
}
