/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver's side of a virtqueue for tests: a piece of "guest memory", rings laid out in it, chains offered and collected.
 * One allocation of exactly the region's size, so that the address sanitizer sees every step past it.
 */
#ifndef TESTS_UNIT_DATAPATH_RING_GUEST_H
#define TESTS_UNIT_DATAPATH_RING_GUEST_H

#include <stdlib.h>
#include <string.h>

#include "port.h"
#include "vhost/ring.h"

#define GUEST_BASE  UINT64_C(0x40000000) /* guest physical address of the region */
#define GUEST_LEN   (1u << 20)
#define GUEST_SIZE  16 /* ring entries */
#define GUEST_AVAIL 0x1000
#define GUEST_USED  0x2000
#define GUEST_TABLE 0x4000  /* indirect tables, one KiB each */
#define GUEST_DATA  0x10000 /* buffers, 8 KiB each */

struct guest_buf {
	uint64_t addr; /* guest physical */
	uint32_t len;
};

struct guest {
	bool packed;
	bool writable; /* a receive ring */
	uint8_t *ram;
	struct vhost_mem mem;
	struct ring_setup setup;
	struct ring ring;
	uint16_t next;	    /* where the next descriptor goes */
	bool wrap;	    /* packed: driver's counter */
	uint16_t next_used; /* what has been collected */
	bool used_wrap;
	uint16_t n_ids;
	uint16_t chain_slots[GUEST_SIZE]; /* packed: by id */
};

static inline uint8_t *guest_at(struct guest *g, uint64_t addr)
{
	return g->ram + (addr - GUEST_BASE);
}

static inline uint64_t guest_data(unsigned int index)
{
	return GUEST_BASE + GUEST_DATA + index * 0x2000u;
}

static inline struct vring_desc *guest_desc(struct guest *g)
{
	return (struct vring_desc *)g->ram;
}

static inline struct vring_packed_desc *guest_pdesc(struct guest *g)
{
	return (struct vring_packed_desc *)g->ram;
}

static inline struct vring_avail *guest_avail(struct guest *g)
{
	return (struct vring_avail *)(g->ram + GUEST_AVAIL);
}

static inline struct vring_used *guest_used(struct guest *g)
{
	return (struct vring_used *)(g->ram + GUEST_USED);
}

/* virtio 1.2 §2.7.8: behind the used elements */
static inline uint16_t guest_avail_event(struct guest *g)
{
	uint16_t event;

	memcpy(&event, &guest_used(g)->ring[GUEST_SIZE], sizeof(event));
	return event;
}

static inline struct vring_packed_desc_event *guest_driver_event(struct guest *g)
{
	return (struct vring_packed_desc_event *)(g->ram + GUEST_AVAIL);
}

static inline struct vring_packed_desc_event *guest_device_event(struct guest *g)
{
	return (struct vring_packed_desc_event *)(g->ram + GUEST_USED);
}

/* A guest whose ring is not opened yet: change g->setup, then guest_open(). @start: first index. */
static inline struct guest *guest_new(bool packed, bool writable, uint16_t start)
{
	struct guest *g = calloc(1, sizeof(*g));

	g->packed = packed;
	g->writable = writable;
	g->ram = aligned_alloc(4096, GUEST_LEN);
	memset(g->ram, 0, GUEST_LEN);
	vhost_mem_add(&g->mem, GUEST_BASE, GUEST_LEN, g->ram);
	g->next = g->next_used = start;
	g->wrap = g->used_wrap = true;
	g->setup = (struct ring_setup){
		.mem = &g->mem,
		.packed = packed,
		.indirect = true,
		.mergeable = true,
		.vnet_len = VNET_LEN_MAX,
		.offloads = PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6 | PORT_TX_ECN,
		.size = GUEST_SIZE,
		.desc = g->ram,
		.driver = g->ram + GUEST_AVAIL,
		.device = g->ram + GUEST_USED,
		.next_avail = packed ? start | 1 << 15 : start,
		.next_used = packed ? start | 1 << 15 : start,
	};
	if (!packed)
		guest_avail(g)->idx = guest_used(g)->idx = start;
	return g;
}

static inline int guest_open(struct guest *g)
{
	const char *why;

	return ring_open(&g->ring, &g->setup, &why);
}

static inline void guest_free(struct guest *g)
{
	free(g->ram);
	free(g);
}

/* Writes one descriptor of a packed ring; its flags make it available. */
static inline void guest_put_packed(struct guest *g, uint64_t addr, uint32_t len, uint16_t id,
				    uint16_t flags)
{
	guest_pdesc(g)[g->next] = (struct vring_packed_desc){
		.addr = addr,
		.len = len,
		.id = id,
		.flags = flags |
			 (g->wrap ? 1 << VRING_PACKED_DESC_F_AVAIL : 1 << VRING_PACKED_DESC_F_USED),
	};
	if (++g->next == GUEST_SIZE) {
		g->next = 0;
		g->wrap = !g->wrap;
	}
}

static inline void guest_put_split(struct guest *g, uint16_t at, uint64_t addr, uint32_t len,
				   uint16_t flags, uint16_t next)
{
	guest_desc(g)[at] =
		(struct vring_desc){.addr = addr, .len = len, .flags = flags, .next = next};
}

/* Makes the chain that begins at descriptor @head available (split). */
static inline void guest_offer_head(struct guest *g, uint16_t head)
{
	struct vring_avail *avail = guest_avail(g);

	avail->ring[avail->idx % GUEST_SIZE] = head;
	avail->idx++;
}

/* Offers a chain of @n buffers, directly in the ring. Return: its id. */
static inline uint16_t guest_offer(struct guest *g, const struct guest_buf *bufs, uint16_t n)
{
	uint16_t flags = g->writable ? VRING_DESC_F_WRITE : 0;
	uint16_t head = g->packed ? g->n_ids++ % GUEST_SIZE : g->next % GUEST_SIZE;

	g->chain_slots[head] = n;
	for (uint16_t i = 0; i < n; i++) {
		uint16_t more = i + 1 < n ? VRING_DESC_F_NEXT : 0;

		if (g->packed) {
			guest_put_packed(g, bufs[i].addr, bufs[i].len, head, flags | more);
			continue;
		}
		guest_put_split(g, g->next % GUEST_SIZE, bufs[i].addr, bufs[i].len, flags | more,
				(g->next + 1) % GUEST_SIZE);
		g->next++;
	}
	if (!g->packed)
		guest_offer_head(g, head);
	return head;
}

static inline uint16_t guest_offer_one(struct guest *g, uint64_t addr, uint32_t len)
{
	return guest_offer(g, &(struct guest_buf){addr, len}, 1);
}

/* Offers a chain through an indirect table at GUEST_TABLE + @table KiB. */
static inline uint16_t guest_offer_indirect(struct guest *g, unsigned int table,
					    const struct guest_buf *bufs, uint16_t n)
{
	uint64_t at = GUEST_BASE + GUEST_TABLE + table * 1024u;
	uint16_t flags = g->writable ? VRING_DESC_F_WRITE : 0;
	uint16_t id = g->packed ? g->n_ids++ % GUEST_SIZE : g->next % GUEST_SIZE;

	g->chain_slots[id] = 1;
	for (uint16_t i = 0; i < n; i++) {
		if (g->packed)
			((struct vring_packed_desc *)guest_at(g, at))[i] =
				(struct vring_packed_desc){
					.addr = bufs[i].addr, .len = bufs[i].len, .flags = flags};
		else
			((struct vring_desc *)guest_at(g, at))[i] = (struct vring_desc){
				.addr = bufs[i].addr,
				.len = bufs[i].len,
				.flags = flags | (i + 1 < n ? VRING_DESC_F_NEXT : 0),
				.next = i + 1,
			};
	}
	if (g->packed) {
		guest_put_packed(g, at, 16u * n, id, VRING_DESC_F_INDIRECT);
	} else {
		guest_put_split(g, id, at, 16u * n, VRING_DESC_F_INDIRECT, 0);
		g->next++;
		guest_offer_head(g, id);
	}
	return id;
}

/* Takes the next chain that the device gave back. Return: its id and length, or -1. */
static inline int guest_collect(struct guest *g, uint32_t *len)
{
	if (g->packed) {
		struct vring_packed_desc *desc = &guest_pdesc(g)[g->next_used];
		bool avail = desc->flags >> VRING_PACKED_DESC_F_AVAIL & 1;
		bool used = desc->flags >> VRING_PACKED_DESC_F_USED & 1;

		if (avail != g->used_wrap || used != g->used_wrap)
			return -1;
		*len = desc->len;
		g->next_used += g->chain_slots[desc->id % GUEST_SIZE];
		if (g->next_used >= GUEST_SIZE) {
			g->next_used -= GUEST_SIZE;
			g->used_wrap = !g->used_wrap;
		}
		return desc->id;
	}
	if (guest_used(g)->idx == g->next_used)
		return -1;
	*len = guest_used(g)->ring[g->next_used % GUEST_SIZE].len;
	return (int)guest_used(g)->ring[g->next_used++ % GUEST_SIZE].id;
}

/* Fills guest memory with a recognisable pattern. */
static inline void guest_fill(struct guest *g, uint64_t addr, uint32_t len, uint8_t seed)
{
	for (uint32_t i = 0; i < len; i++)
		guest_at(g, addr)[i] = (uint8_t)(seed + i * 7 + (i >> 8));
}

/* Puts a virtio header and @len patterned bytes at @addr. */
static inline void guest_fill_frame(struct guest *g, uint64_t addr, const struct vnet_hdr *hdr,
				    uint32_t len, uint8_t seed)
{
	memset(guest_at(g, addr), 0, VNET_LEN_MAX);
	if (hdr != NULL)
		memcpy(guest_at(g, addr), hdr, sizeof(*hdr));
	guest_fill(g, addr + VNET_LEN_MAX, len, seed);
}

/* The frame's bytes as a receiver would get them. */
static inline uint32_t guest_flatten(const struct frame *f, uint8_t *to)
{
	uint32_t at = f->hdr_len;

	memcpy(to, f->hdr, f->hdr_len);
	for (uint16_t i = 0; i < f->n_segs; i++) {
		memcpy(to + at, f->segs[i].base, f->segs[i].len);
		at += f->segs[i].len;
	}
	return at;
}

#endif
