/* SPDX-License-Identifier: BSD-3-Clause */
/* See liveness.h. */
#include "liveness.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "encap.h"
#include "l4.h"
#include "worker.h"

#define SEND_AT_ONCE   8
#define TRIES	       64
#define OLD_NS	       200000000 /* a packet that has waited for so long says nothing any more */
#define SOURCE_FIRST   49152	 /* RFC 5881 §4 */
#define SOURCES	       16384
#define RECEIVED_PER_S 200 /* for one VNI; the shortest interval that can be asked for makes 20 */
#define RECEIVED_BURST 100

struct ring {
	atomic_flag busy;
	uint32_t first;
	_Atomic uint32_t n; /* changed under busy, read without */
	struct liveness_event events[LIVENESS_RING];
};

static struct {
	_Atomic int event_fd;
	uint64_t pushed_ns; /* under out.busy: when the youngest of those that wait came */
	struct ring out, in;
} liveness = {.event_fd = -1, .out.busy = ATOMIC_FLAG_INIT, .in.busy = ATOMIC_FLAG_INIT};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* For workers: the control thread has it for the time of a few copies, unless it is kept from its CPU just then. */
static bool ring_try(struct ring *ring)
{
	for (int i = 0; i < TRIES; i++) {
		if (!atomic_flag_test_and_set_explicit(&ring->busy, memory_order_acquire))
			return true;
		__builtin_ia32_pause();
	}
	return false;
}

/* For the control thread, which may wait for a worker. */
static void ring_take(struct ring *ring)
{
	while (!ring_try(ring))
		sched_yield();
}

static void ring_release(struct ring *ring)
{
	atomic_flag_clear_explicit(&ring->busy, memory_order_release);
}

static bool ring_put(struct ring *ring, const struct liveness_event *event)
{
	uint32_t n = atomic_load_explicit(&ring->n, memory_order_relaxed);

	if (n == LIVENESS_RING)
		return false;
	ring->events[(ring->first + n) % LIVENESS_RING] = *event;
	atomic_store_explicit(&ring->n, n + 1, memory_order_release);
	return true;
}

static uint32_t ring_get(struct ring *ring, struct liveness_event *events, uint32_t max)
{
	uint32_t n = atomic_load_explicit(&ring->n, memory_order_relaxed), i;

	for (i = 0; i < max && i < n; i++)
		events[i] = ring->events[(ring->first + i) % LIVENESS_RING];
	ring->first = (ring->first + i) % LIVENESS_RING;
	atomic_store_explicit(&ring->n, n - i, memory_order_release);
	return i;
}

void liveness_init(int event_fd)
{
	atomic_store(&liveness.event_fd, event_fd);
	liveness.out.first = liveness.in.first = 0;
	atomic_store(&liveness.out.n, 0);
	atomic_store(&liveness.in.n, 0);
}

uint32_t liveness_push(const struct liveness_event *events, uint32_t n)
{
	uint32_t done = 0;

	ring_take(&liveness.out);
	/* Nobody has sent for long: there is no uplink. */
	if (liveness_waits() && now_ns() - liveness.pushed_ns > OLD_NS)
		atomic_store(&liveness.out.n, 0);
	while (done < n && ring_put(&liveness.out, &events[done]))
		done++;
	liveness.pushed_ns = now_ns();
	ring_release(&liveness.out);
	if (done > 0)
		workers_wake();
	return done;
}

bool liveness_waits(void)
{
	return atomic_load_explicit(&liveness.out.n, memory_order_acquire) != 0;
}

/* Towards the VNI's member. Return: false if there is no way to it. */
static bool send_prepare(const struct overlay_view *view, const struct liveness_event *event,
			 struct reply *reply, struct frame *f, struct frame_out *out,
			 struct encap_dest *dest)
{
	int32_t index = vtep_vni_find(view->table, event->vni);
	const struct vtep_vni *vni = index >= 0 ? &view->table->vnis[index] : NULL;
	const struct vtep_peer *peer;

	if (vni == NULL || !vni->liveness || vni->n_members != 1)
		return false;
	peer = &view->table->peers[vni->members[0]];
	if (peer->unusable != DROP_NONE)
		return false;
	bfd_frame_write(&event->packet, &view->table->locals[peer->local],
			peer->nexthops[0].src_mac, (uint16_t)(SOURCE_FIRST + event->vni % SOURCES),
			reply);
	reply_frame(reply, f);
	l4_parse_tags(f);
	*out = (struct frame_out){.f = f};
	*dest = (struct encap_dest){.vni = (uint16_t)index, .peer = vni->members[0]};
	return true;
}

static void send_one(const struct overlay_view *view, const struct liveness_event *event)
{
	struct reply reply = {.len = 0};
	struct frame_out out;
	struct encap_dest dest;
	struct frame f;

	if (!send_prepare(view, event, &reply, &f, &out, &dest) ||
	    encap_burst(view->table, &out, &dest, 1) != 1 || dest.uplink >= view->n_uplinks ||
	    view->uplinks[dest.uplink].port == NULL)
		return;
	out.prefix[dest.outer_len - VXLAN_HDR_LEN] |= VXLAN_FLAG_OAM;
	view->uplinks[dest.uplink].send(view->uplinks[dest.uplink].port, &out, 1, dest.outer_len);
}

void liveness_send(const struct overlay_view *view)
{
	struct liveness_event events[SEND_AT_ONCE];
	uint32_t n = 0;

	if (!liveness_waits() || !ring_try(&liveness.out))
		return;
	if (now_ns() - liveness.pushed_ns > OLD_NS)
		atomic_store(&liveness.out.n, 0);
	else
		n = ring_get(&liveness.out, events, SEND_AT_ONCE);
	ring_release(&liveness.out);
	for (uint32_t i = 0; i < n && view != NULL; i++)
		send_one(view, &events[i]);
}

enum drop_reason liveness_receive(const struct overlay_view *view, const struct decap_info *info,
				  const struct frame *f)
{
	const struct vtep_vni *vni = &view->table->vnis[info->vni];
	const struct bum_rate rate = bum_rate(RECEIVED_PER_S, RECEIVED_BURST);
	struct liveness_event event = {.vni = vni->vni};
	int fd = atomic_load_explicit(&liveness.event_fd, memory_order_relaxed);
	const uint64_t one = 1;
	bool is_first, has_room;

	if (!vni->liveness || vni->n_members != 1 || fd < 0)
		return DROP_VXLAN_BFD_OFF;
	if (!bfd_frame_parse(f, &view->table->peers[info->peer].remote, &event.packet))
		return DROP_VXLAN_BFD_MALFORMED;
	if (!bum_meter_take(&overlay_meters(vni->slot)->bfd, &rate, now_ns()) ||
	    !ring_try(&liveness.in))
		return DROP_VXLAN_BFD_FLOOD;
	is_first = atomic_load_explicit(&liveness.in.n, memory_order_relaxed) == 0;
	has_room = ring_put(&liveness.in, &event);
	ring_release(&liveness.in);
	if (is_first && write(fd, &one, sizeof(one)) < 0)
		return DROP_NONE; /* the counter is at its limit: it is readable then, too */
	return has_room ? DROP_NONE : DROP_VXLAN_BFD_FLOOD;
}

uint32_t liveness_drain(struct liveness_event *events, uint32_t max)
{
	uint32_t n;

	ring_take(&liveness.in);
	n = ring_get(&liveness.in, events, max);
	ring_release(&liveness.in);
	return n;
}
