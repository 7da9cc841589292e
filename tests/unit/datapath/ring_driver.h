/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A driver of one virtqueue that runs beside the device: as ring_guest.h, but for a thread of its own, with the memory order of virtio 1.2
 * §2.7.13 and §2.8.21, and notifications both ways.
 *
 * What the standard orders by a barrier and an index is plain memory here (a split ring's descriptors, the lists, the buffers), so that
 * ThreadSanitizer sees it when the device's side of the order is missing. A packed ring's words are looked at by the
 * device before they are its own: those are atomic, and a descriptor's second word is one store, as the device reads it.
 *
 * Chains are offered and collected in order; a chain's id is the position of its first descriptor, 0 .. size - 1.
 */
#ifndef TESTS_UNIT_DATAPATH_RING_DRIVER_H
#define TESTS_UNIT_DATAPATH_RING_DRIVER_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#define DRIVER_SIZE 128 /* descriptors */
#define DRIVER_WRAP (1 << 15)

struct driver {
	bool packed, event_idx;
	union {
		struct vring_desc *desc;
		uint64_t (*words)[2]; /* packed */
	};
	union {
		struct vring_avail *avail;
		struct vring_packed_desc_event *driver_event;
	};
	union {
		struct vring_used *used;
		struct vring_packed_desc_event *device_event;
	};
	uint16_t next; /* descriptor */
	uint16_t
		added; /* split: avail->idx to be; packed: descriptors offered since the last look at device_event */
	uint16_t told; /* split: `added` at the last look */
	bool wrap;
	uint16_t next_used;
	bool used_wrap;
	uint16_t n_free;	     /* descriptors */
	uint16_t slots[DRIVER_SIZE]; /* of the chain with that id */
};

struct driver_buf {
	uint64_t addr; /* guest physical */
	uint32_t len;
};

static inline void driver_init(struct driver *d, bool packed, bool event_idx, void *desc,
			       void *driver_area, void *device_area)
{
	*d = (struct driver){.packed = packed,
			     .event_idx = event_idx,
			     .wrap = true,
			     .used_wrap = true,
			     .n_free = DRIVER_SIZE};
	d->desc = desc;
	d->avail = driver_area;
	d->used = device_area;
}

static inline uint64_t driver_rest(const struct driver_buf *buf, uint16_t id, uint16_t flags)
{
	return buf->len | (uint64_t)id << 32 | (uint64_t)flags << 48;
}

/* @head: of a packed chain: written last, for it makes the chain available. */
static inline void driver_put_packed(struct driver *d, uint16_t at, bool wrap,
				     const struct driver_buf *buf, uint16_t id, uint16_t flags,
				     int order)
{
	flags |= wrap ? 1 << VRING_PACKED_DESC_F_AVAIL : 1 << VRING_PACKED_DESC_F_USED;
	__atomic_store_n(&d->words[at][0], buf->addr, __ATOMIC_RELAXED);
	if (order == __ATOMIC_RELEASE)
		__atomic_store_n(&d->words[at][1], driver_rest(buf, id, flags), __ATOMIC_RELEASE);
	else
		__atomic_store_n(&d->words[at][1], driver_rest(buf, id, flags), __ATOMIC_RELAXED);
}

/** driver_offer() - A chain of @n descriptors, n_free at most; @flags: of each. Split: driver_publish() makes it available. */
static inline void driver_offer(struct driver *d, const struct driver_buf *bufs, uint16_t n,
				uint16_t flags)
{
	uint16_t id = d->next;
	bool wrap = d->wrap;

	d->slots[id] = n;
	d->n_free -= n;
	for (uint16_t i = 0; i < n; i++) {
		uint16_t at = d->next, more = i + 1 < n ? VRING_DESC_F_NEXT : 0;

		d->next = (at + 1) % DRIVER_SIZE;
		if (!d->packed)
			d->desc[at] = (struct vring_desc){bufs[i].addr, bufs[i].len, flags | more,
							  d->next};
		else if (i > 0)
			driver_put_packed(d, at, d->wrap, &bufs[i], id, flags | more,
					  __ATOMIC_RELAXED);
		d->wrap ^= d->next == 0;
	}
	if (d->packed) {
		driver_put_packed(d, id, wrap, &bufs[0], id,
				  flags | (n > 1 ? VRING_DESC_F_NEXT : 0), __ATOMIC_RELEASE);
		d->added += n;
	} else {
		d->avail->ring[d->added++ % DRIVER_SIZE] = id;
	}
}

static inline bool driver_passed(uint16_t event, uint16_t now, uint16_t old)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

/** driver_publish() - Hand over what was offered. Return: whether the device wants to be told. */
static inline bool driver_publish(struct driver *d)
{
	uint16_t old = d->packed ? d->next - d->added : d->told, event;
	uint32_t both;

	if (!d->packed)
		__atomic_store_n(&d->avail->idx, d->added, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!d->packed) {
		d->told = d->added;
		if (!d->event_idx)
			return !(__atomic_load_n(&d->used->flags, __ATOMIC_RELAXED) &
				 VRING_USED_F_NO_NOTIFY);
		event = __atomic_load_n((uint16_t *)&d->used->ring[DRIVER_SIZE], __ATOMIC_RELAXED);
		return driver_passed(event, d->added, old);
	}
	d->added = 0;
	both = __atomic_load_n((uint32_t *)d->device_event, __ATOMIC_RELAXED);
	if ((both >> 16 & 3) != VRING_PACKED_EVENT_FLAG_DESC)
		return (both >> 16 & 3) == VRING_PACKED_EVENT_FLAG_ENABLE;
	event = both & (DRIVER_WRAP - 1);
	if (!!(both & DRIVER_WRAP) != d->wrap)
		event -= DRIVER_SIZE;
	return driver_passed(event, d->next, old);
}

/** driver_collect() - The next chain that was given back. Return: its id; -1: none. @len: out, bytes written into it */
static inline int driver_collect(struct driver *d, uint32_t *len)
{
	uint16_t id;

	if (d->packed) {
		uint64_t word = __atomic_load_n(&d->words[d->next_used][1], __ATOMIC_ACQUIRE);
		bool avail = word >> 48 >> VRING_PACKED_DESC_F_AVAIL & 1;
		bool used = word >> 48 >> VRING_PACKED_DESC_F_USED & 1;

		if (avail != d->used_wrap || used != d->used_wrap)
			return -1;
		id = (uint16_t)(word >> 32) % DRIVER_SIZE;
		*len = (uint32_t)word;
		d->next_used += d->slots[id];
		if (d->next_used >= DRIVER_SIZE) {
			d->next_used -= DRIVER_SIZE;
			d->used_wrap = !d->used_wrap;
		}
	} else {
		if (__atomic_load_n(&d->used->idx, __ATOMIC_ACQUIRE) == d->next_used)
			return -1;
		id = (uint16_t)d->used->ring[d->next_used % DRIVER_SIZE].id % DRIVER_SIZE;
		*len = d->used->ring[d->next_used++ % DRIVER_SIZE].len;
	}
	d->n_free += d->slots[id];
	return id;
}

/** driver_arm() - Ask to be told of what is given back from now on, or not. Return: whether there is something already. */
static inline bool driver_arm(struct driver *d, bool armed)
{
	uint64_t word;

	if (d->packed && d->event_idx && armed) {
		__atomic_store_n(&d->driver_event->off_wrap,
				 d->next_used | (d->used_wrap ? DRIVER_WRAP : 0), __ATOMIC_RELAXED);
		__atomic_store_n(&d->driver_event->flags, VRING_PACKED_EVENT_FLAG_DESC,
				 __ATOMIC_RELEASE);
	} else if (d->packed) {
		__atomic_store_n(&d->driver_event->flags,
				 armed ? VRING_PACKED_EVENT_FLAG_ENABLE
				       : VRING_PACKED_EVENT_FLAG_DISABLE,
				 __ATOMIC_RELAXED);
	} else if (!d->event_idx) {
		__atomic_store_n(&d->avail->flags, armed ? 0 : VRING_AVAIL_F_NO_INTERRUPT,
				 __ATOMIC_RELAXED);
	} else if (armed) {
		__atomic_store_n(&d->avail->ring[DRIVER_SIZE], d->next_used, __ATOMIC_RELAXED);
	}
	if (!armed)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!d->packed)
		return __atomic_load_n(&d->used->idx, __ATOMIC_ACQUIRE) != d->next_used;
	word = __atomic_load_n(&d->words[d->next_used][1], __ATOMIC_ACQUIRE);
	return (word >> 48 >> VRING_PACKED_DESC_F_AVAIL & 1) == d->used_wrap &&
	       (word >> 48 >> VRING_PACKED_DESC_F_USED & 1) == d->used_wrap;
}

#endif
