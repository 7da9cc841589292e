/* SPDX-License-Identifier: BSD-3-Clause */
/* What other programs read: pcapng blocks, sFlow datagrams, ERSPAN headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "eyes/pcapng.h"
#include "eyes/sflow_xdr.h"
#include "tap/erspan_port.h"

static uint32_t host32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static uint32_t net32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Every block says its length twice, and they add up. Return: how many there are. */
static int blocks_walk(struct evbuffer *buffer)
{
	size_t n = evbuffer_get_length(buffer), at = 0;
	const uint8_t *bytes = evbuffer_pullup(buffer, -1);
	int count = 0;

	for (; at < n; count++) {
		uint32_t length = host32(bytes + at + 4);

		assert_true(length >= 12 && length % 4 == 0 && at + length <= n);
		assert_int_equal(host32(bytes + at + length - 4), length);
		at += length;
	}
	assert_int_equal(at, n);
	return count;
}

static void blocks_are_whole_whatever_their_texts(void **state)
{
	struct evbuffer *buffer = evbuffer_new();
	static char text[3 * PCAPNG_BLOCK_MAX];
	static const uint8_t frame[2000];

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n += n < 20 ? 1 : 997) {
		struct pcapng_packet packet = {.cap_len = (uint32_t)(n % sizeof(frame)),
					       .wire_len = 5000,
					       .lost = n % 3,
					       .direction = n % 3,
					       .comments = {text, n % 2 == 0 ? text : NULL}};
		struct pcapng_statistics statistics = {.comment = text, .received = 5};

		memset(text, 'x', n);
		text[n] = '\0';
		pcapng_section(buffer, text, text);
		pcapng_interface(buffer, text, text, n % 2 == 0 ? text : NULL, 100);
		pcapng_packet(buffer, &packet, frame);
		pcapng_statistics(buffer, &statistics);
		assert_int_equal(blocks_walk(buffer), 4);
		evbuffer_drain(buffer, evbuffer_get_length(buffer));
	}
	evbuffer_free(buffer);
}

static void datagrams_never_grow_beyond_their_size(void **state)
{
	static struct sflow_datagram datagram;
	static const uint8_t frame[512];
	const struct vxlan_ip agents[2] = {{.b = {192, 0, 2, 1}}, {.is_v6 = 1}};

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		for (uint32_t header = 14; header <= sizeof(frame); header += 3) {
			struct sflow_flow flow = {
				.ifindex = 7, .rate = 10, .header = frame, .header_len = header};
			struct sflow_counters counters = {.ifindex = 7};
			uint32_t n = 0, at = v6 == 0 ? 28 : 40;

			sflow_begin(&datagram, &agents[v6], 3, 1000);
			assert_int_equal(net32(datagram.bytes), 5);
			assert_int_equal(net32(datagram.bytes + 4), 1 + v6);
			assert_true(sflow_add_counters(&datagram, &counters));
			while (sflow_add_flow(&datagram, &flow))
				n++;
			assert_true(n >= 2 && datagram.used <= SFLOW_DATAGRAM_MAX);
			assert_int_equal(net32(datagram.bytes + at - 4), n + 1);
			/* Samples say their lengths, which lead exactly to the end */
			for (uint32_t i = 0; i < n + 1; i++)
				at += 8 + net32(datagram.bytes + at + 4);
			assert_int_equal(at, datagram.used);
		}
	}
}

static void erspan_headers_are_the_drafts(void **state)
{
	struct erspan_config config = {.session = 0x2a5, .type = 2};
	struct frame f = {.vid = 10, .prio = 5 << 13, .hdr_len = 60, .len = 60};
	struct frame_out out = {.f = &f};
	uint8_t to[ERSPAN_HEADER_MAX];
	static const uint8_t two[16] = {0x10, 0,  0x88, 0xbe, 0, 0, 0, 9,
					0x10, 10, 0xa2, 0xa5, 0, 0, 0, 0};
	static const uint8_t three[20] = {0x10, 0,    0x22, 0xeb, 0, 0, 0, 10, 0x20, 10,
					  0xa6, 0xa5, 0,    0,	  0, 7, 0, 0,  0x80, 0x02};

	(void)state;
	f.hdr = f.buf;
	assert_int_equal(erspan_header(&config, &out, 9, 700, to), 16);
	assert_memory_equal(to, two, 16);
	f.buf[12] = 0x81; /* it has its tag inside */
	erspan_header(&config, &out, 9, 700, to);
	assert_int_equal(to[10], 0xa2 | 3 << 3);
	f.is_cut = true;
	config.type = 3;
	assert_int_equal(erspan_header(&config, &out, 10, 700, to), 20);
	assert_memory_equal(to, three, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_whole_whatever_their_texts),
		cmocka_unit_test(datagrams_never_grow_beyond_their_size),
		cmocka_unit_test(erspan_headers_are_the_drafts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
