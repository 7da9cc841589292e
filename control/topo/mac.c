/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/mac.h"

#include <stdio.h>
#include <string.h>

static uint64_t hash_bytes(uint64_t hash, const char *text)
{
	/* The terminating NUL counts, so that ("ab", "c") and ("a", "bc") differ. FNV-1a, 64 bits. */
	do {
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	} while (*text++ != '\0');
	return hash;
}

uint64_t mac_hash(const char *lab, const char *node, const char *ifname, unsigned int round)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) + round;

	hash = hash_bytes(hash_bytes(hash_bytes(hash, lab), node), ifname);
	/* FNV's low bits are weak on short strings: fold the high ones in twice. */
	hash = (hash ^ (hash >> 33)) * UINT64_C(0xff51afd7ed558ccd);
	hash = (hash ^ (hash >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
	return hash ^ (hash >> 33);
}

void mac_assign(struct topo *topo)
{
	size_t n_slots = 64;
	const uint8_t **slots;

	while (n_slots < topo->n_links * 4)
		n_slots *= 2;
	slots = arena_alloc(&topo->arena, n_slots * sizeof(*slots));
	for (size_t i = 0; i < topo->n_nodes; i++) {
		struct topo_node *node = &topo->nodes[i];

		for (size_t k = 0; k < node->n_nics; k++) {
			struct topo_nic *nic = &node->nics[k];
			bool taken = true;

			for (unsigned int round = 0; taken; round++) {
				uint64_t hash = mac_hash(topo->name, node->name, nic->name, round);
				size_t at = (size_t)(hash >> 40) & (n_slots - 1);

				nic->mac[0] = 0x02;
				for (int b = 0; b < 5; b++)
					nic->mac[1 + b] = (uint8_t)(hash >> (8 * b));
				taken = false;
				for (; slots[at] != NULL && !taken; at = (at + 1) & (n_slots - 1))
					taken = memcmp(slots[at], nic->mac, 6) == 0;
				if (!taken)
					slots[at] = nic->mac;
			}
		}
	}
}

void mac_format(const uint8_t mac[6], char text[MAC_TEXT_SIZE])
{
	snprintf(text, MAC_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
}
