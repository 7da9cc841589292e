/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user front-end of one network card: listens on a socket, speaks to one back-end at a time, and
 * brings it to where its owner wants it. Knows rings and features, not virtio-net.
 *
 * Main thread only. Nothing here waits: the owner says what it wants and is called back.
 */
#ifndef VM_VHOST_FRONTEND_H
#define VM_VHOST_FRONTEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define VHOST_RINGS_MAX 32

/*
 * How long a back-end may take to answer. Long, because it maps the guest's memory, and a back-end with many
 * cards does so for one after the other; shorter when a guest's driver waits for its rings.
 */
#define VHOST_START_TIMEOUT_S 60
#define VHOST_STOP_TIMEOUT_S  10

struct event_base;
struct guest_mem;
struct vhost_frontend;

struct vhost_ring {
	uint16_t size;
	const void *desc, *avail, *used; /* in our address space, inside guest memory */
	int kick_fd;			 /* borrowed while running */
	int call_fd;			 /* borrowed while running; -1: the guest polls */
};

/* What a running back-end is given. */
struct vhost_run {
	uint64_t features; /* a subset of the back-end's */
	uint16_t mtu;	   /* 0: not told */
	uint16_t n_rings;
	struct vhost_ring rings[VHOST_RINGS_MAX];
};

struct vhost_frontend_ops {
	/*
	 * A back-end has introduced itself. Return: NULL to keep it, or a phrase that says why it cannot be used:
	 * it is disconnected, and the phrase logged.
	 */
	const char *(*connected)(void *owner, uint64_t features, uint64_t n_pairs);
	/* It has been given the rings as vhost_frontend_run() said. */
	void (*running)(void *owner);
	/* It has let go of the rings after vhost_frontend_halt(), or it is gone. */
	void (*halted)(void *owner);
	/* A back-end that connected() had accepted is gone. halted() follows if a halt was under way. */
	void (*lost)(void *owner);
};

struct vhost_frontend_counters {
	uint64_t n_connects; /* accepted by the owner */
	uint64_t n_refused;  /* turned away for whatever reason */
};

/**
 * vhost_frontend_new() - Listen for a back-end
 * @name:   for the log, borrowed for the life of the front-end
 * @path:   of the socket
 * @fd:     listens there already, and is taken over when we succeed; -1: is to be opened
 * @mem:    what the back-end maps, borrowed likewise
 * @ops, @owner: callbacks, from the event loop or from the calls below
 */
struct vhost_frontend *vhost_frontend_new(struct event_base *events, const char *name,
					  const char *path, int fd, const struct guest_mem *mem,
					  const struct vhost_frontend_ops *ops, void *owner,
					  struct err *err);

/** vhost_frontend_free() - Disconnect and remove the socket, without callbacks. NULL is fine */
void vhost_frontend_free(struct vhost_frontend *frontend);

/**
 * vhost_frontend_run() - Have the rings served from now on, by this back-end and by the ones after it
 * @run:     copied; when rings run already, they are stopped and started anew
 * @enabled: bit per ring
 */
void vhost_frontend_run(struct vhost_frontend *frontend, const struct vhost_run *run,
			uint64_t enabled);

/** vhost_frontend_enable() - Change which rings are served */
void vhost_frontend_enable(struct vhost_frontend *frontend, uint64_t enabled);

/**
 * vhost_frontend_halt() - Take the rings back
 * Return: true when nobody has them; false when halted() will be called, after a timeout at the latest.
 */
bool vhost_frontend_halt(struct vhost_frontend *frontend);

/** vhost_frontend_drop() - Disconnect a back-end that cannot be used any more; lost() is called */
void vhost_frontend_drop(struct vhost_frontend *frontend, const char *why);

struct vhost_frontend_counters vhost_frontend_counters(const struct vhost_frontend *frontend);

#endif
