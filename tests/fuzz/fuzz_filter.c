/* links: datapath base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A filter of any text, run on a frame of any bytes laid out in any pieces: refused with a sentence, or it decides; never
 * more than the frame is read.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "eal.h"
#include "probe/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct filter_scratch *scratch;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err err = {.text = ""};

	(void)argc;
	(void)argv;
	scratch = filter_scratch_new();
	return scratch == NULL || eal_start(false, NULL, &err) != 0 ? -1 : 0;
}

/* In pieces of their own, so that a sanitizer sees what is read beyond one. */
static void run(const struct filter *filter, const uint8_t *bytes, size_t n, uint8_t head)
{
	struct frame f = {.len = (uint32_t)n};
	struct frame_out out = {.f = &f};
	struct frame_seg seg;
	uint8_t *rest;

	f.hdr = f.buf;
	f.hdr_len = (uint16_t)(head % FRAME_HDR_MAX);
	if (f.hdr_len > n)
		f.hdr_len = (uint16_t)n;
	memcpy(f.hdr, bytes, f.hdr_len);
	rest = malloc(n - f.hdr_len + 1);
	assert(rest != NULL);
	memcpy(rest, bytes + f.hdr_len, n - f.hdr_len);
	seg = (struct frame_seg){.base = rest, .len = (uint32_t)(n - f.hdr_len)};
	f.segs = &seg;
	f.n_segs = seg.len > 0;
	filter_match(filter, scratch, &out);
	free(rest);
}

/* The text, a 0, a byte that says where the frame is split, the frame. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, 0, size);
	struct filter *filter = NULL;
	struct err err = {.text = ""};

	if (end == NULL)
		return 0;
	if (filter_compile((const char *)data, &filter, &err) != 0) {
		assert(err.text[0] != '\0' && filter == NULL);
		return 0;
	}
	size -= (size_t)(end - data) + 1;
	if (size > 1)
		run(filter, end + 2, size - 1, end[1]);
	filter_free(filter);
	return 0;
}
