/* links: lab topo base */
/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `netloom capture` is sent, in pieces of any size, and what `netloom trace` is given: hexadecimal bytes, tags,
 * addresses. The first byte chooses.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lab/capfile.h"
#include "lab/describe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(const uint8_t *data, size_t size, size_t piece)
{
	struct capfile file = {.path = "/dev/null", .fd = -1, .max_packets = 3};
	struct err err = {.text = ""};
	int rc = capfile_open(&file, &err);

	for (size_t at = 0; rc == 0 && at < size; at += piece)
		rc = capfile_feed(&file, data + at, size - at < piece ? size - at : piece, &err);
	assert(rc == 0 || err.text[0] != '\0');
	assert(file.n_packets <= 3);
	capfile_close(&file, &err);
}

static void describe(const char *text)
{
	static uint8_t bytes[DESCRIBE_FRAME_MAX];
	struct describe d = {.size = (uint32_t)strlen(text) * 7};
	struct err err = {.text = ""};
	int n = describe_hex(text, bytes, &err);

	assert(n <= DESCRIBE_FRAME_MAX && (n > 0 || err.text[0] != '\0'));
	describe_mac(text, d.from);
	describe_tag(&d, text, NULL);
	describe_tag(&d, text, NULL);
	if (describe_ip_pair(&d, text, NULL) != 0)
		d.ip_from.family = d.ip_to.family = 0;
	n = describe_frame(&d, bytes, NULL);
	assert(n <= DESCRIBE_FRAME_MAX && (n < 0 || n >= 14));
	d.type = text;
	n = describe_frame(&d, bytes, NULL);
	assert(n <= DESCRIBE_FRAME_MAX && (n < 0 || n >= 14));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	if (data[0] % 2 == 0) {
		feed(data + 1, size - 1, (size_t)data[0] + 1);
		return 0;
	}
	text = calloc(1, size);
	assert(text != NULL);
	memcpy(text, data + 1, size - 1);
	describe(text);
	free(text);
	return 0;
}
