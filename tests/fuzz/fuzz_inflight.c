/* links: datapath base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A front-end that writes anything it likes into the in-flight memory it keeps for us, at any time, and a guest that does so with its
 * rings; the switch is killed and takes up what it finds.
 *
 * Input: a byte of options, one of size, two of start index; the rest is a script of steps: a byte says which. Three rings' worth of
 * memory, exactly as large as such a region has to be, so that any access past it is a sanitizer report; ours is the ring in the middle,
 * and what belongs to the others must stay as it is. The first life of the switch leaves what a good one does, so that the script
 * needs to change no more than it wants to.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"
#include "vhost/ring.h"

#define RAM_LEN	 8192u
#define RAM_BASE UINT64_C(0x1000)
#define AVAIL_AT 512u
#define USED_AT	 1024u
#define N_QUEUES 3
#define OURS	 1
#define STEPS	 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t left;
};

struct world {
	struct input in;
	struct ring_setup setup;
	uint8_t *ram, *region, *others; /* @others: the region when the front-end last wrote it */
	size_t region_len;
	struct ring ring;
	bool is_open, receives;
};

static uint16_t take(struct input *in, int n_bytes)
{
	uint16_t value = 0;

	for (int i = 0; i < n_bytes && in->left > 0; i++, in->left--)
		value = (uint16_t)(value << 8 | *in->data++);
	return value;
}

/* The next bytes of the script into memory. */
static void scribble(struct input *in, uint8_t *memory, size_t len)
{
	size_t at = take(in, 2) % len, n = take(in, 1);

	n = n < in->left ? n : in->left;
	n = n < len - at ? n : len - at;
	memcpy(memory + at, in->data, n);
	in->data += n;
	in->left -= n;
}

static void part_check(const struct world *w, const void *part, size_t len)
{
	if (memcmp(part, w->others + ((const uint8_t *)part - w->region), len) != 0)
		abort();
}

static void others_check(const struct world *w)
{
	uint16_t size = w->setup.size;
	size_t journal = w->setup.packed ? sizeof(struct ring_journal) : 0;

	for (uint16_t i = 0; i < N_QUEUES; i++) {
		struct ring_inflight part =
			ring_inflight_at(w->region, w->setup.packed, N_QUEUES, size, i);

		if (i == OURS)
			continue;
		part_check(w, part.state, ring_inflight_bytes(w->setup.packed, 1, size) - journal);
		if (journal > 0)
			part_check(w, part.journal, journal);
	}
}

/* A switch is there, and has found what is in the memory. */
static void live(struct world *w)
{
	const char *why = NULL;

	w->is_open = ring_open(&w->ring, &w->setup, &why) == 0;
	if (w->is_open != (why == NULL))
		abort();
	if (w->is_open && w->setup.packed &&
	    (w->ring.next_used >= w->setup.size || w->ring.next_avail >= w->setup.size))
		abort();
}

static void work(struct world *w)
{
	static struct frame frames[FRAME_BURST];
	static struct frame_out out[4];
	uint64_t drops[DROP_N] = {0};

	if (!w->is_open || w->ring.broken)
		return;
	if (!w->receives) {
		ring_rx(&w->ring, frames, FRAME_BURST, drops);
		ring_rx_release(&w->ring);
	} else {
		for (int i = 0; i < 4; i++) {
			memset(&frames[i], 0, sizeof(frames[i]));
			frames[i].hdr = frames[i].buf + FRAME_HDR_ROOM;
			frames[i].hdr_len = 60;
			frames[i].len = 60;
			out[i] = (struct frame_out){.f = &frames[i]};
		}
		ring_tx(&w->ring, out, 4);
	}
	ring_arm(&w->ring, true);
	if (w->setup.packed &&
	    (w->ring.next_used >= w->setup.size || w->ring.next_avail >= w->setup.size))
		abort();
}

/* Plain descriptors all around, for who does not want to write them. */
static void offer_all(struct world *w, bool wrap)
{
	uint16_t flags = (w->receives ? VRING_DESC_F_WRITE : 0) |
			 (wrap ? 1 << VRING_PACKED_DESC_F_AVAIL : 1 << VRING_PACKED_DESC_F_USED);
	struct vring_avail *avail = w->setup.driver;

	for (uint16_t i = 0; i < w->setup.size; i++) {
		struct vring_packed_desc packed = {RAM_BASE + 4096 + i * 128u, 128, i, flags};
		struct vring_desc split = {packed.addr, packed.len, flags & VRING_DESC_F_WRITE, 0};

		if (w->setup.packed)
			memcpy((struct vring_packed_desc *)w->setup.desc + i, &packed,
			       sizeof(packed));
		else
			memcpy((struct vring_desc *)w->setup.desc + i, &split, sizeof(split));
		if (!w->setup.packed)
			avail->ring[i] = i;
	}
	if (!w->setup.packed)
		avail->idx = (uint16_t)(avail->idx + w->setup.size);
}

static void step(struct world *w)
{
	switch (take(&w->in, 1) % 6) {
	case 0:
		scribble(&w->in, w->region, w->region_len);
		memcpy(w->others, w->region, w->region_len);
		break;
	case 1:
		scribble(&w->in, w->ram, RAM_LEN);
		break;
	case 2: /* killed: nothing of ours is left but that memory */
		memset(&w->ring, 0xa5, sizeof(w->ring));
		live(w);
		break;
	case 3:
		offer_all(w, take(&w->in, 1) & 1);
		break;
	default:
		work(w);
	}
	others_check(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	struct vhost_mem mem = {0};
	uint16_t options, start;

	memset(&w, 0, sizeof(w));
	w.in = (struct input){data, size};
	options = take(&w.in, 2);
	start = take(&w.in, 2);
	w.receives = options >> 8 & 4;
	w.setup = (struct ring_setup){
		.mem = &mem,
		.packed = options >> 8 & 1,
		.event_idx = options >> 8 & 2,
		.indirect = true,
		.mergeable = true,
		.vnet_len = VNET_LEN_MAX,
		.next_avail = start,
		.next_used = start,
		.recover = true,
	};
	w.setup.size = w.setup.packed ? 1 + options % 16 : (uint16_t)(1 << options % 5);
	w.region_len = ring_inflight_bytes(w.setup.packed, N_QUEUES, w.setup.size);
	w.ram = aligned_alloc(64, RAM_LEN);
	w.region = aligned_alloc(64, w.region_len);
	w.others = malloc(w.region_len);
	if (w.ram == NULL || w.region == NULL || w.others == NULL)
		goto out;
	memset(w.ram, 0, RAM_LEN);
	memset(w.region, 0, w.region_len);
	memset(w.others, 0, w.region_len);
	vhost_mem_add(&mem, RAM_BASE, RAM_LEN, w.ram);
	w.setup.desc = w.ram;
	w.setup.driver = w.ram + AVAIL_AT;
	w.setup.device = w.ram + USED_AT;
	w.setup.inflight = ring_inflight_at(w.region, w.setup.packed, N_QUEUES, w.setup.size, OURS);
	live(&w);
	for (int i = 0; i < STEPS && w.in.left > 0; i++)
		step(&w);
out:
	free(w.ram);
	free(w.region);
	free(w.others);
	return 0;
}
