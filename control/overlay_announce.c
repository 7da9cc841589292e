/* SPDX-License-Identifier: BSD-3-Clause */
/* See overlay_announce.h. Control thread only. */
#include "overlay_announce.h"

#include <stdlib.h>

#include "base/clock.h"
#include "snapshot.h"
#include "vxlan/announce.h"
#include "vxlan/overlay.h"

#define STATIONS_PER_S 50 /* of one port */
#define STATIONS_BURST 100
#define WAITING_MAX    256
#define RETRY_US       2000
#define ADDRESSES_MAX  4 /* announced of one station */

struct waiting {
	struct reply reply;
	uint16_t port, vid;
};

struct overlay_announce {
	struct event *retry;
	struct bum_meter meters[SNAPSHOT_PORTS_MAX];
	struct waiting waiting[WAITING_MAX]; /* a ring: no room in the datapath yet */
	uint32_t first, n;
};

static void retry_soon(struct overlay_announce *announce)
{
	const struct timeval later = {.tv_usec = RETRY_US};

	event_add(announce->retry, &later);
}

static void retry(evutil_socket_t fd, short what, void *arg)
{
	struct overlay_announce *announce = arg;

	(void)fd;
	(void)what;
	while (announce->n > 0) {
		const struct waiting *next = &announce->waiting[announce->first];

		if (!overlay_reply_push(&next->reply, next->port, next->vid, true)) {
			retry_soon(announce);
			return;
		}
		announce->first = (announce->first + 1) % WAITING_MAX;
		announce->n--;
	}
}

struct overlay_announce *overlay_announce_new(struct event_base *base)
{
	struct overlay_announce *announce = calloc(1, sizeof(*announce));

	if (announce == NULL)
		return NULL;
	announce->retry = evtimer_new(base, retry, announce);
	if (announce->retry != NULL)
		return announce;
	free(announce);
	return NULL;
}

void overlay_announce_free(struct overlay_announce *announce)
{
	if (announce == NULL)
		return;
	event_free(announce->retry);
	free(announce);
}

void overlay_announce_clear(struct overlay_announce *announce)
{
	announce->n = 0;
}

static void send_or_wait(struct overlay_announce *announce, const struct reply *reply,
			 uint16_t port, uint16_t vid)
{
	struct waiting *last;

	if (announce->n == 0 && overlay_reply_push(reply, port, vid, true))
		return;
	if (announce->n == WAITING_MAX)
		return; /* the station will speak for itself */
	last = &announce->waiting[(announce->first + announce->n++) % WAITING_MAX];
	*last = (struct waiting){.reply = *reply, .port = port, .vid = vid};
	retry_soon(announce);
}

void overlay_announce(struct overlay_announce *announce, const struct overlay_neigh *neigh,
		      const struct vtep_vni *vni, uint64_t mac, uint16_t port,
		      const struct vxlan_ip *also, size_t n_also)
{
	const struct bum_rate rate = bum_rate(STATIONS_PER_S, STATIONS_BURST);
	struct vxlan_ip addresses[ADDRESSES_MAX];
	struct reply reply;
	uint8_t bytes[6];
	size_t n;

	if (!vni->announce || !bum_meter_take(&announce->meters[port], &rate, clock_now_ns()))
		return;
	for (int i = 0; i < 6; i++)
		bytes[i] = (uint8_t)(mac >> (40 - 8 * i));
	announce_rarp(bytes, &reply);
	send_or_wait(announce, &reply, port, vni->vid);
	n = overlay_neigh_addresses(neigh, vni->vni, bytes, addresses, ADDRESSES_MAX);
	for (size_t i = 0; i < n; i++) {
		announce_address(bytes, &addresses[i], &reply);
		send_or_wait(announce, &reply, port, vni->vid);
	}
	for (size_t i = 0; i < n_also; i++) {
		announce_address(bytes, &also[i], &reply);
		send_or_wait(announce, &reply, port, vni->vid);
	}
	overlay_count(&overlay_counters(vni->slot)->announced, 1);
}
