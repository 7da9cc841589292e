/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One virtqueue, worked from the device's side: virtio 1.2 §2.7 (split), §2.8 (packed).
 *
 * Theory of operation
 *
 * A ring lives in guest memory, and so does everything it points to. Three rules keep that safe:
 *  - every word of the guest's is loaded once into a local variable, checked, and only the copy is used;
 *  - a range becomes a pointer only through vhost_mem_at();
 *  - every walk is bounded: descriptors must not be empty and a chain has at most RING_BUFS_MAX of them.
 *
 * rx takes chains, snapshots the head of each frame and leaves the rest where it is; the chains stay ours until
 * ring_rx_release() gives them back in one go. tx takes receive buffers, fills them and gives them back before it
 * returns. Chains are always given back in the order in which they were taken, hence VIRTIO_F_IN_ORDER is honest.
 *
 * A chain that cannot be used (empty, outside memory, too long, nested tables) is given back unused and its
 * frame dropped. A ring whose bookkeeping is wrong (an index that jumps further than the ring is long, a head past its
 * end, a packed chain without an end) is marked broken: nothing is taken from it or written to it any more.
 *
 * Memory order. Taking: load-acquire of the word that hands chains over (avail->idx; a packed descriptor's
 * flags) before anything they cover is read. Giving back: store-release of used->idx, or of a packed descriptor's last
 * word, after all reads and writes of the buffers. Between giving back and reading whether the peer wants a notification, and
 * between asking for notifications and looking for chains once more, a full fence: both sides store then load, and
 * without it each could miss the other's store (virtio 1.2 §2.7.13.4.1).
 *
 * Threads: a ring is used by one thread at a time; vhost_port.c sees to that. Nothing here blocks or allocates;
 * signalling the peer is the caller's business.
 */
#ifndef DATAPATH_VHOST_RING_H
#define DATAPATH_VHOST_RING_H

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <stdint.h>

#include "frame.h"
#include "vhost/ring_inflight.h"
#include "vhost/vhost_mem.h"
#include "vhost/vnet.h"

#define RING_SIZE_MAX 32768
#define RING_BUFS_MAX                                                                              \
	(FRAME_SEGS_MAX + 2) /* of a sender's chain: the header may have buffers of its own */
#define RING_SEGS_POOL (4 * FRAME_SEGS_MAX) /* segments of one burst */
#define RING_TX_BUFS   256		    /* receive buffers that one frame may be spread over */
#define RING_DONE_MAX  (RING_TX_BUFS + FRAME_BURST)

/* A piece of guest memory, checked. */
struct ring_buf {
	uint8_t *base;
	uint32_t len;
	uint16_t id; /* chain it heads, set by peek */
};

/* A chain to give back. */
struct ring_done {
	uint16_t id;
	uint16_t n_slots; /* ring positions it covers; 1 on split rings */
	uint32_t len;	  /* bytes written into it */
};

/* How the front-end laid the ring out; addresses are ours, not yet checked. */
struct ring_setup {
	const struct vhost_mem *mem; /* borrowed as long as the ring is used */
	bool packed;
	bool event_idx;
	bool indirect;
	bool mergeable;	   /* tx may spread a frame over several chains */
	uint8_t vnet_len;  /* VNET_LEN_MAX or VNET_LEN_OLD */
	uint32_t offloads; /* PORT_TX_*: negotiated for this direction */
	uint16_t size;
	void *desc;
	void *driver;	     /* split: avail; packed: driver event suppression */
	void *device;	     /* split: used; packed: device event suppression */
	uint16_t next_avail; /* packed: bit 15 is the wrap counter */
	uint16_t next_used;
	struct ring_inflight
		inflight; /* this ring's part of the front-end's region; state NULL: none */
	bool recover; /* it may hold what another switch left; then it says where to start, not next_avail */
};

struct ring {
	/* fixed while the ring is open */
	const struct ring_layout *layout;
	const struct vhost_mem *mem;
	union {
		struct vring_desc *desc;
		struct vring_packed_desc *pdesc;
	};
	union {
		struct vring_avail *avail;
		struct vring_packed_desc_event *driver_event;
	};
	union {
		struct vring_used *used;
		struct vring_packed_desc_event *device_event;
	};
	uint32_t offloads;
	uint16_t size;
	uint8_t vnet_len;
	bool packed;
	bool event_idx;
	bool indirect;
	bool mergeable;
	struct ring_inflight inflight; /* see ring_inflight.h */

	/* the worker's */
	bool broken;
	bool avail_wrap; /* packed */
	bool used_wrap;	 /* packed */
	bool signalled_valid;
	uint16_t next_avail; /* split: free-running; packed: position */
	uint16_t next_used;
	uint16_t avail_seen; /* split: avail->idx when last loaded */
	uint16_t signalled;  /* next_used when the peer was last asked whether it wants a signal */
	uint16_t n_done;
	struct ring_done done[RING_DONE_MAX];  /* taken and not yet given back */
	struct frame_seg segs[RING_SEGS_POOL]; /* rx: of the frames handed out */
	struct ring_buf bufs[RING_TX_BUFS];    /* chain being looked at */
};

/**
 * ring_open() - Check a layout and start working it
 * @why: out, a constant sentence when it is refused
 *
 * Return: 0, or -EINVAL: a part of the ring is misaligned or outside the peer's memory, a number is impossible, or its
 * in-flight state is.
 */
int ring_open(struct ring *ring, const struct ring_setup *setup, const char **why);

_Static_assert(RING_DONE_MAX <= JOURNAL_DONE_MAX && sizeof(struct ring_done) == sizeof(uint64_t),
	       "a batch fits into its journal");

/** ring_base() - Next available and next used position, as vhost-user's GET_VRING_BASE wants them */
void ring_base(const struct ring *ring, uint16_t *next_avail, uint16_t *next_used);

/**
 * ring_rx() - Take up to @max frames of the guest's
 * @max:    at most FRAME_BURST
 * @frames: out, see port_ops.rx
 * @drops:  [DROP_N], counted up for what was skipped
 *
 * Return: number of frames; their memory is valid until ring_rx_release(), which must come before the next call.
 */
uint16_t ring_rx(struct ring *ring, struct frame *frames, uint16_t max, uint64_t *drops);

/** ring_rx_release() - Give everything back that ring_rx() took. Return: true if the peer wants to be signalled. */
bool ring_rx_release(struct ring *ring);

/**
 * ring_tx() - Copy frames into the guest's receive buffers
 * @out: see port_ops.tx; drop is written for each
 *
 * Return: true if the peer wants to be signalled.
 */
bool ring_tx(struct ring *ring, struct frame_out *out, uint16_t n);

/** ring_arm() - Ask the guest to signal new chains, or to stop. Return: true if there are chains already. */
bool ring_arm(struct ring *ring, bool armed);

#endif
