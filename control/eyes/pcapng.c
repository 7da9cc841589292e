/* SPDX-License-Identifier: BSD-3-Clause */
#include "eyes/pcapng.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define BLOCK_SECTION	  0x0a0d0d0a
#define BLOCK_INTERFACE	  1
#define BLOCK_STATISTICS  5
#define BLOCK_PACKET	  6
#define BYTE_ORDER_MAGIC  0x1a2b3c4d
#define LINKTYPE_ETHERNET 1

enum {
	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_OS = 3,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_DESCRIPTION = 3,
	IF_TSRESOL = 9,
	IF_FILTER = 11,
	EPB_FLAGS = 2,
	EPB_DROPCOUNT = 4,
	ISB_STARTTIME = 2,
	ISB_ENDTIME = 3,
	ISB_IFRECV = 4,
	ISB_IFDROP = 5,
	ISB_USRDELIV = 8,
};

static const uint8_t zeros[4];

static void put(struct pcapng_block *block, const void *bytes, uint32_t n)
{
	memcpy(block->head + block->used, bytes, n);
	block->used += n;
}

static void put32(struct pcapng_block *block, uint32_t value)
{
	put(block, &value, sizeof(value));
}

static void put64(struct pcapng_block *block, uint64_t value)
{
	/* pcapng's own order of 64 bit fields in fixed parts: the high half first */
	put32(block, (uint32_t)(value >> 32));
	put32(block, (uint32_t)value);
}

static void begin(struct pcapng_block *block, uint32_t type)
{
	block->type = type;
	block->used = 0;
}

static void option(struct pcapng_block *block, uint16_t code, const void *bytes, size_t n)
{
	uint16_t length;

	if (block->used + 16 > PCAPNG_BLOCK_MAX)
		return;
	if (n > PCAPNG_BLOCK_MAX - 12 - block->used)
		n = PCAPNG_BLOCK_MAX - 12 - block->used;
	length = (uint16_t)n;
	put(block, &code, sizeof(code));
	put(block, &length, sizeof(length));
	put(block, bytes, (uint32_t)n);
	put(block, zeros, (4 - n % 4) % 4);
}

static void option_text(struct pcapng_block *block, uint16_t code, const char *text)
{
	if (text != NULL && text[0] != '\0')
		option(block, code, text, strlen(text));
}

static void option64(struct pcapng_block *block, uint16_t code, uint64_t value)
{
	option(block, code, &value, sizeof(value));
}

/* A time in an option is two words, the high one first. */
static void option_time(struct pcapng_block *block, uint16_t code, uint64_t ns)
{
	const uint32_t words[2] = {(uint32_t)(ns >> 32), (uint32_t)ns};

	option(block, code, words, sizeof(words));
}

/* The block, with @n bytes in its middle (a packet's), @split bytes of the head in front of them. */
static void end_with(struct evbuffer *out, struct pcapng_block *block, uint32_t split,
		     const uint8_t *bytes, uint32_t n)
{
	uint32_t pad = (4 - n % 4) % 4, length, front[2];
	const uint32_t nothing = OPT_END;

	put(block, &nothing, sizeof(nothing));
	length = 12 + block->used + n + pad;
	front[0] = block->type;
	front[1] = length;
	evbuffer_add(out, front, sizeof(front));
	evbuffer_add(out, block->head, split);
	evbuffer_add(out, bytes, n);
	evbuffer_add(out, zeros, pad);
	evbuffer_add(out, block->head + split, block->used - split);
	evbuffer_add(out, &length, sizeof(length));
}

static void end(struct evbuffer *out, struct pcapng_block *block)
{
	end_with(out, block, block->used, NULL, 0);
}

void pcapng_section(struct evbuffer *out, const char *application, const char *comment)
{
	const uint16_t version[2] = {1, 0};
	const int64_t length = -1; /* not known: it is a stream */
	struct pcapng_block block;
	struct utsname host;
	char os[sizeof(host.sysname) + sizeof(host.release) + 2];

	begin(&block, BLOCK_SECTION);
	put32(&block, BYTE_ORDER_MAGIC);
	put(&block, version, sizeof(version));
	put(&block, &length, sizeof(length));
	if (uname(&host) == 0) {
		snprintf(os, sizeof(os), "%s %s", host.sysname, host.release);
		option_text(&block, SHB_OS, os);
	}
	option_text(&block, SHB_USERAPPL, application);
	option_text(&block, OPT_COMMENT, comment);
	end(out, &block);
}

void pcapng_interface(struct evbuffer *out, const char *name, const char *description,
		      const char *filter, uint32_t snaplen)
{
	const uint16_t type[2] = {LINKTYPE_ETHERNET, 0};
	const uint8_t nanoseconds = 9;
	struct pcapng_block block;

	begin(&block, BLOCK_INTERFACE);
	put(&block, type, sizeof(type));
	put32(&block, snaplen);
	option_text(&block, IF_NAME, name);
	option_text(&block, IF_DESCRIPTION, description);
	option(&block, IF_TSRESOL, &nanoseconds, 1);
	if (filter != NULL) {
		char text[PCAPNG_BLOCK_MAX / 2];

		snprintf(text, sizeof(text), "%c%s", 1, filter); /* behind a 0 for "as text" */
		text[0] = '\0';
		option(&block, IF_FILTER, text, 1 + strlen(text + 1));
	}
	end(out, &block);
}

void pcapng_packet(struct evbuffer *out, const struct pcapng_packet *packet, const uint8_t *bytes)
{
	struct pcapng_block block;
	uint32_t split;

	begin(&block, BLOCK_PACKET);
	put32(&block, packet->interface);
	put64(&block, packet->time_ns);
	put32(&block, packet->cap_len);
	put32(&block, packet->wire_len);
	split = block.used;
	if (packet->direction != 0)
		option(&block, EPB_FLAGS, &packet->direction, sizeof(packet->direction));
	if (packet->lost > 0)
		option64(&block, EPB_DROPCOUNT, packet->lost);
	for (size_t i = 0; i < sizeof(packet->comments) / sizeof(packet->comments[0]); i++)
		option_text(&block, OPT_COMMENT, packet->comments[i]);
	end_with(out, &block, split, bytes, packet->cap_len);
}

void pcapng_statistics(struct evbuffer *out, const struct pcapng_statistics *statistics)
{
	struct pcapng_block block;

	begin(&block, BLOCK_STATISTICS);
	put32(&block, statistics->interface);
	put64(&block, statistics->end_ns);
	option_time(&block, ISB_STARTTIME, statistics->start_ns);
	option_time(&block, ISB_ENDTIME, statistics->end_ns);
	option64(&block, ISB_IFRECV, statistics->received);
	option64(&block, ISB_IFDROP, statistics->dropped);
	option64(&block, ISB_USRDELIV, statistics->received - statistics->dropped);
	option_text(&block, OPT_COMMENT, statistics->comment);
	end(out, &block);
}
