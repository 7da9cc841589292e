/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_XDP on an interface: a socket on each of its receive queues, and the program that gives them VXLAN packets for us. Packets go past the
 * kernel's network stack in both directions.
 *
 * The packet socket stays beside it: what the program leaves to the kernel although it is ours (a packet too long for a chunk, a queue
 * added meanwhile) arrives there.
 */
#ifndef TAP_UPLINK_XDP_H
#define TAP_UPLINK_XDP_H

#include "frame.h"
#include "uplink_port.h"

#define UPLINK_XDP_QUEUES_MAX 32

struct uplink_xdp;

/* What a set of sockets was made for: when it changes, they are made again. */
struct uplink_xdp_key {
	int ifindex;
	uint32_t n_queues;    /* receive queues of the interface */
	uint32_t chunk_bytes; /* 0: frames of the interface's MTU fit no chunk */
	uint8_t mac[6];
};

/** uplink_xdp_key() - What the interface is like now */
void uplink_xdp_key(const char *ifname, const struct uplink_link *link, struct uplink_xdp_key *key);

bool uplink_xdp_key_equal(const struct uplink_xdp_key *a, const struct uplink_xdp_key *b);

/**
 * uplink_xdp_new() - Attach to an interface that is up
 * @generic: if the driver has no XDP, take the kernel's general code
 *
 * Return: owned by the caller; or NULL with @err saying what is missing, and nothing left behind. Context: control thread.
 */
struct uplink_xdp *uplink_xdp_new(const struct uplink_xdp_key *key,
				  const struct uplink_config *config, bool is_virtual, bool generic,
				  struct err *err);

/** uplink_xdp_free() - Detach; no worker is inside. NULL is fine. */
void uplink_xdp_free(struct uplink_xdp *xdp);

const struct uplink_xdp_key *uplink_xdp_key_of(const struct uplink_xdp *xdp);

/** uplink_xdp_explain() - "driver, 4 queues, zero-copy" */
void uplink_xdp_explain(const struct uplink_xdp *xdp, char *text, size_t size);

/** uplink_xdp_watch() - Add all sockets to an epoll set, or take them out. Return: 0 or -errno */
int uplink_xdp_watch(const struct uplink_xdp *xdp, int epoll_fd, bool watch);

/** uplink_xdp_rx() - The next frames; @segs has one list for each. One worker. */
uint16_t uplink_xdp_rx(struct uplink_xdp *xdp, struct frame *frames,
		       struct frame_seg (*segs)[FRAME_SEGS_MAX], uint16_t max);

/** uplink_xdp_release() - The frames of the last uplink_xdp_rx() are not needed any more */
void uplink_xdp_release(struct uplink_xdp *xdp);

/** uplink_xdp_waits() - Whether packets have arrived */
bool uplink_xdp_waits(const struct uplink_xdp *xdp);

/** uplink_xdp_tx() - As uplink_tx(). Any worker. */
uint32_t uplink_xdp_tx(struct uplink_xdp *xdp, struct frame_out *outs, uint16_t n,
		       uint8_t outer_len, uint64_t *bytes);

#endif
