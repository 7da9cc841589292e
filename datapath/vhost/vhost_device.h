/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vhost-user port between its two sides: rte_vhost's thread, which opens and closes rings as the front-end says, and the
 * workers, which work them. Private to datapath/vhost.
 *
 * Theory of operation
 *
 * Ring 2n is the guest's receive ring of pair n (our tx), ring 2n + 1 its transmit ring (our rx). A ring is *active*
 * while workers may touch it. rte_vhost unmaps memory and moves rings while it handles a message, under locks of its own
 * that we do not take for every frame. Instead each message that can do that is seen before it is handled: the rings
 * concerned are made inactive, port_quiesce() waits until every worker has been elsewhere, our positions are handed to
 * rte_vhost, and only then is the message handled. Afterwards vhost_device_sync() makes active what should be:
 *
 *     active = device running && ring ready (mapped, kicked, enabled) && not suspended && memory table valid
 *              && no fault (see vhost_sigbus.h) since it connected
 *
 * The call fd is different: front-ends exchange it whenever a guest masks an interrupt. It is replaced with dup3() under
 * the same number, while frames flow; the new one is signalled once, since a signal may have gone to the old one too late.
 *
 * Locks: vhost_device.lock guards all that is not atomic; it may be held across port_quiesce(), for no worker takes it.
 */
#ifndef DATAPATH_VHOST_VHOST_DEVICE_H
#define DATAPATH_VHOST_VHOST_DEVICE_H

#include <pthread.h>
#include <rte_spinlock.h>
#include <stdatomic.h>

#include "port.h"
#include "vhost/ring.h"
#include "vhost/vhost_inflight.h"

#define VHOST_RINGS_MAX (2 * PORT_QUEUES_MAX)

struct vhost_ring {
	rte_spinlock_t tx_lock; /* several workers may send to one queue */
	_Atomic bool
		active; /* workers may touch `ring`; written by rte_vhost's thread, cleared by anyone */
	_Atomic int kick_fd; /* the guest's signal to us; own dup, -1 while inactive */
	int call_fd;	     /* our signal to the guest; own dup, constant while active */
	/* rte_vhost's thread, under vhost_device.lock */
	bool opened; /* `ring` is set up: must be closed before memory goes */
	bool ready;
	bool suspended;
	struct ring ring;
} __attribute__((aligned(64)));

struct vhost_device {
	struct port port;	   /* first: see port_ops.open */
	struct vhost_device *next; /* list of all, see vhost_device.c */
	pthread_mutex_t lock;
	int vid;      /* rte_vhost's handle, -1 without a connection */
	int socket;   /* of the connection, borrowed; -1: not known */
	bool refused; /* a message, and said so in the log: once a connection is enough */
	bool running;
	bool mem_valid;
	int call_changing; /* ring whose call fd is being exchanged, -1: none */
	struct vhost_mem *mem;
	struct vhost_inflight inflight;
	uint64_t features;
	uint64_t n_connects;
	_Atomic bool faulted; /* its memory was missing: no ring until it connects anew */
	_Atomic uint64_t n_bad_rings;
	_Atomic(const char *) detail; /* constant sentence, NULL when all is well */
	_Atomic uint16_t n_tx;	      /* pairs 0..n_tx-1 can be sent to */
	uint16_t n_rings;
	struct vhost_ring rings[]; /* n_rings */
};

static inline struct vhost_ring *vhost_device_tx_ring(struct vhost_device *dev, uint16_t queue)
{
	return &dev->rings[2 * queue];
}

static inline struct vhost_ring *vhost_device_rx_ring(struct vhost_device *dev, uint16_t queue)
{
	return &dev->rings[2 * queue + 1];
}

/**
 * vhost_device_register() - Listen or start connecting at the port's path
 * Return: 0 or -errno with @err filled. Context: control thread.
 */
int vhost_device_register(struct vhost_device *dev, struct err *err);

/** vhost_device_unregister() - Disconnect; afterwards no callback runs and no ring is open. Context: control thread. */
void vhost_device_unregister(struct vhost_device *dev);

/** vhost_device_sync() - Close and open rings so that exactly those are active that should be; @lock is held */
void vhost_device_sync(struct vhost_device *dev);

/** vhost_device_mem_forget() - Nobody uses the memory table any more; @lock is held */
void vhost_device_mem_forget(struct vhost_device *dev);

/** vhost_device_call_changed() - The front-end gave ring @index another call fd; @lock is held, the ring is active */
void vhost_device_call_changed(struct vhost_device *dev, uint16_t index);

/** vhost_ring_signal() - Interrupt the guest. Context: worker, while the ring is active, or with the lock held. */
void vhost_ring_signal(struct vhost_ring *ring);

/** vhost_device_fault() - Stop all rings, for memory was missing. Context: signal handler, in any thread. */
void vhost_device_fault(struct vhost_device *dev);

/** vhost_ring_break() - Stop using a ring that turned out malformed. Context: worker, from rx or tx. */
void vhost_ring_break(struct vhost_device *dev, struct vhost_ring *ring);

#endif
