/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One AF_XDP socket with the memory its packets live in: one receive and one transmit queue of an interface.
 *
 * The memory is a row of chunks. The first half is the kernel's to receive into (fill ring) until packets come back (rx ring); the
 * second half is ours to send from (tx ring) until the kernel is done (completion ring).
 *
 * Spoken to the kernel directly: the rings are shared memory with an index at each end, Linux's Documentation/networking/af_xdp.
 */
#ifndef TAP_XDP_SOCKET_H
#define TAP_XDP_SOCKET_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define XDP_SOCKET_CHUNKS    1024 /* of each half; rings hold as many */
#define XDP_SOCKET_HEADROOM  256  /* the kernel's, in front of a received packet */
#define XDP_SOCKET_CHUNK_MIN 2048
#define XDP_SOCKET_CHUNK_MAX 4096 /* a page */

struct xdp_ring {
	uint32_t *producer, *consumer, *flags; /* shared with the kernel */
	void *entries;			       /* u64 addresses, or struct xdp_desc */
	uint32_t mine;			       /* my end's index; the other's is read when needed */
	void *map;
	size_t map_bytes;
};

struct xdp_socket {
	int fd;
	uint32_t chunk_bytes;
	uint8_t *memory;
	struct xdp_ring fill, completion, rx, tx;
	uint32_t n_free;			 /* chunks to send from; */
	uint32_t free_chunks[XDP_SOCKET_CHUNKS]; /* their offsets / chunk_bytes */
};

/** xdp_socket_chunk() - Chunk size for frames of up to @len bytes, 0 if none is large enough */
uint32_t xdp_socket_chunk(uint32_t len);

/**
 * xdp_socket_open() - Open a socket on one queue
 * @copy: never let the driver receive into our memory itself
 *
 * Return: 0, or -errno with @err filled and nothing left behind.
 */
int xdp_socket_open(struct xdp_socket *xs, int ifindex, uint32_t queue, uint32_t chunk_bytes,
		    bool copy, struct err *err);
void xdp_socket_close(struct xdp_socket *xs);

/** xdp_socket_is_zero_copy() - Whether the driver receives into our memory itself */
bool xdp_socket_is_zero_copy(const struct xdp_socket *xs);

/** xdp_socket_receive() - Take up to @max packets; their chunks are ours until given back. Return: how many. */
uint32_t xdp_socket_receive(struct xdp_socket *xs, struct xdp_desc *descs, uint32_t max);

/** xdp_socket_give_back() - Let the kernel receive into the chunks of @n packets again */
void xdp_socket_give_back(struct xdp_socket *xs, const struct xdp_desc *descs, uint32_t n);

/** xdp_socket_waits() - Whether packets have arrived */
bool xdp_socket_waits(const struct xdp_socket *xs);

/** xdp_socket_reap() - Take back chunks that have been sent */
void xdp_socket_reap(struct xdp_socket *xs);

/** xdp_socket_put() - Queue a packet that was written to the chunk on top of the free ones; n_free is not 0 */
void xdp_socket_put(struct xdp_socket *xs, uint32_t len);

/** xdp_socket_room() - Where that packet is to be written */
static inline uint8_t *xdp_socket_room(const struct xdp_socket *xs)
{
	return xs->memory + (size_t)xs->free_chunks[xs->n_free - 1] * xs->chunk_bytes;
}

/** xdp_socket_kick() - Have the kernel send what is queued; any thread. Return: 0, or -errno when the interface cannot. */
int xdp_socket_kick(const struct xdp_socket *xs);

#endif
