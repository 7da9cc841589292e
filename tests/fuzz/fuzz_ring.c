/* links: datapath base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that writes anything it likes into its rings, at any time.
 *
 * Input: one byte of options, one of size, two of start index; the rest is a script. Guest memory is a small allocation of
 * exactly the region's size, so that any access past it is a sanitizer report. The script alternates between writing
 * bytes into guest memory and letting the switch work on the rings. What rx hands out is read whole, and sent back
 * into the other ring.
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
#define RX_AT	 2048u /* the second ring, laid out like the first */
#define ROUNDS	 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t left;
};

static uint16_t take(struct input *in)
{
	uint16_t value = 0;

	for (int i = 0; i < 2 && in->left > 0; i++, in->left--)
		value = (uint16_t)(value << 8 | *in->data++);
	return value;
}

static void open_ring(struct ring *ring, const struct vhost_mem *mem, uint8_t *at, uint8_t options,
		      uint8_t log_size, uint16_t start)
{
	const struct ring_setup setup = {
		.mem = mem,
		.packed = options & 1,
		.event_idx = options & 2,
		.indirect = options & 4,
		.mergeable = options & 8,
		.vnet_len = options & 16 ? VNET_LEN_MAX : VNET_LEN_OLD,
		.offloads = options & 32 ? PORT_TX_CSUM | PORT_TX_TSO4 | PORT_TX_TSO6 : 0,
		.size = options & 1 ? 1 + log_size % 16 : 1 << log_size % 5,
		.desc = at,
		.driver = at + AVAIL_AT,
		.device = at + USED_AT,
		.next_avail = start,
		.next_used = start,
	};
	const char *why;

	if (ring_open(ring, &setup, &why) < 0)
		memset(ring, 0, sizeof(*ring));
}

/* Reads every byte that a frame consists of. */
static uint32_t consume(const struct frame *f)
{
	volatile uint32_t sum = 0;
	uint32_t len = f->hdr_len;

	for (uint16_t i = 0; i < f->hdr_len; i++)
		sum += f->hdr[i];
	for (uint16_t s = 0; s < f->n_segs; s++) {
		for (uint32_t i = 0; i < f->segs[s].len; i++)
			sum += f->segs[s].base[i];
		len += f->segs[s].len;
	}
	if (len != f->len || f->len == 0 || f->len > FRAME_LEN_MAX)
		abort();
	return sum;
}

static void work(struct ring *from, struct ring *to)
{
	static struct frame frames[FRAME_BURST];
	static struct frame_out out[FRAME_BURST];
	uint64_t drops[DROP_N] = {0};
	uint16_t n = 0;

	if (from->layout != NULL && !from->broken) {
		n = ring_rx(from, frames, FRAME_BURST, drops);
		for (uint16_t i = 0; i < n; i++) {
			consume(&frames[i]);
			out[i].f = &frames[i];
			out[i].prefix_len = i % 3 * 4;
			out[i].skip = frames[i].hdr_len >= 12 ? i % 2 * 12 : 0;
		}
	}
	if (to->layout != NULL && !to->broken)
		ring_tx(to, out, n);
	if (from->layout != NULL) {
		ring_rx_release(from);
		ring_arm(from, true);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ring from, to;
	struct input in = {data, size};
	uint16_t options = take(&in), start = take(&in);
	struct vhost_mem mem = {0};
	uint8_t *ram = aligned_alloc(64, RAM_LEN);

	if (ram == NULL)
		return 0;
	memset(ram, 0, RAM_LEN);
	vhost_mem_add(&mem, RAM_BASE, RAM_LEN, ram);
	open_ring(&from, &mem, ram, options & 0xff, options >> 8, start);
	open_ring(&to, &mem, ram + RX_AT, options & 0xff, options >> 8, start);
	for (int round = 0; round < ROUNDS && in.left > 0; round++) {
		uint16_t at = take(&in) % RAM_LEN;
		size_t n = take(&in) % 128;

		if (n > in.left)
			n = in.left;
		if (n > RAM_LEN - at)
			n = RAM_LEN - at;
		memcpy(ram + at, in.data, n);
		in.data += n;
		in.left -= n;
		work(&from, &to);
	}
	free(ram);
	return 0;
}
