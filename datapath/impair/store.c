/* SPDX-License-Identifier: BSD-3-Clause */
#include "impair/store.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT 64

static size_t aligned(size_t size)
{
	return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void pool_init(struct store_pool *pool, uint32_t *next, uint32_t size)
{
	*pool = (struct store_pool){.next = next, .free = STORE_NONE, .size = size};
}

static uint32_t pool_take(struct store_pool *pool)
{
	uint32_t i = pool->free;

	if (i != STORE_NONE)
		pool->free = pool->next[i];
	else if (pool->n_touched < pool->size)
		i = pool->n_touched++;
	return i;
}

static void pool_give_back(struct store_pool *pool, uint32_t i)
{
	pool->next[i] = pool->free;
	pool->free = i;
}

int store_init(struct store *s)
{
	const size_t records = aligned(IMPAIR_HELD_MAX * sizeof(*s->records));
	const size_t numbers = aligned(IMPAIR_HELD_MAX * sizeof(uint32_t));
	const size_t chunk_numbers = aligned(IMPAIR_CHUNKS_MAX * sizeof(uint32_t));
	const size_t turns = aligned(IMPAIR_QUEUE_MAX * sizeof(*s->turns));
	uint8_t *at;

	memset(s, 0, sizeof(*s));
	s->size = records + 2 * numbers + chunk_numbers + turns +
		  (size_t)IMPAIR_CHUNKS_MAX * IMPAIR_CHUNK_BYTES;
	s->memory = mmap(NULL, s->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->memory == MAP_FAILED) {
		s->memory = NULL;
		return -ENOMEM;
	}
	at = s->memory;
	s->records = (struct store_record *)at;
	at += records;
	s->heap = (uint32_t *)at;
	at += numbers;
	pool_init(&s->record_pool, (uint32_t *)at, IMPAIR_HELD_MAX);
	at += numbers;
	pool_init(&s->chunk_pool, (uint32_t *)at, IMPAIR_CHUNKS_MAX);
	at += chunk_numbers;
	s->turns = (uint64_t *)at;
	s->chunks = at + turns;
	return 0;
}

void store_fini(struct store *s)
{
	if (s->memory != NULL)
		munmap(s->memory, s->size);
}

static bool is_before(const struct store *s, uint32_t a, uint32_t b)
{
	const struct store_record *x = &s->records[a], *y = &s->records[b];

	return x->due_ns < y->due_ns || (x->due_ns == y->due_ns && x->serial < y->serial);
}

static void heap_add(struct store *s, uint32_t record)
{
	uint32_t i = s->n++;

	for (; i > 0 && is_before(s, record, s->heap[(i - 1) / 2]); i = (i - 1) / 2)
		s->heap[i] = s->heap[(i - 1) / 2];
	s->heap[i] = record;
}

uint32_t store_take(struct store *s)
{
	uint32_t first = s->heap[0], last = s->heap[--s->n], i = 0, child;

	while ((child = 2 * i + 1) < s->n) {
		if (child + 1 < s->n && is_before(s, s->heap[child + 1], s->heap[child]))
			child++;
		if (!is_before(s, s->heap[child], last))
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = last;
	return first;
}

uint64_t store_first_due(const struct store *s)
{
	return s->n == 0 ? UINT64_MAX : s->records[s->heap[0]].due_ns;
}

static uint8_t *chunk_bytes(const struct store *s, uint32_t chunk)
{
	return s->chunks + (size_t)chunk * IMPAIR_CHUNK_BYTES;
}

static void chain_give_back(struct store *s, uint32_t chunk)
{
	while (chunk != STORE_NONE) {
		uint32_t next = s->chunk_pool.next[chunk];

		pool_give_back(&s->chunk_pool, chunk);
		chunk = next;
	}
}

/* Chunks for @len bytes, linked. Return: the first, STORE_NONE when there are not enough. */
static uint32_t chain_take(struct store *s, uint32_t len)
{
	uint32_t first = STORE_NONE;

	for (uint32_t done = 0; done < len || first == STORE_NONE; done += IMPAIR_CHUNK_BYTES) {
		uint32_t chunk = pool_take(&s->chunk_pool);

		if (chunk == STORE_NONE) {
			chain_give_back(s, first);
			return STORE_NONE;
		}
		s->chunk_pool.next[chunk] = first;
		first = chunk;
	}
	return first;
}

/* Where the next byte goes. */
struct cursor {
	struct store *store;
	uint32_t chunk;
	uint32_t used;
	uint32_t left; /* of the frame */
};

static void cursor_write(struct cursor *c, const uint8_t *bytes, uint32_t len)
{
	if (len > c->left)
		len = c->left;
	c->left -= len;
	while (len > 0) {
		uint32_t n =
			IMPAIR_CHUNK_BYTES - c->used < len ? IMPAIR_CHUNK_BYTES - c->used : len;

		if (n == 0) {
			c->chunk = c->store->chunk_pool.next[c->chunk];
			c->used = 0;
			continue;
		}
		memcpy(chunk_bytes(c->store, c->chunk) + c->used, bytes, n);
		c->used += n;
		bytes += n;
		len -= n;
	}
}

/* What a port promised and did not have is zeros. */
static void cursor_fill(struct cursor *c)
{
	static const uint8_t zeros[64];

	while (c->left > 0)
		cursor_write(c, zeros, sizeof(zeros));
}

static void bit_flip(struct store *s, uint32_t chunk, uint32_t bit)
{
	uint32_t byte = bit / 8;

	for (; byte >= IMPAIR_CHUNK_BYTES; byte -= IMPAIR_CHUNK_BYTES)
		chunk = s->chunk_pool.next[chunk];
	chunk_bytes(s, chunk)[byte] ^= (uint8_t)(1 << bit % 8);
}

bool store_put(struct store *s, const struct frame_out *out, uint64_t due_ns, int64_t flip)
{
	const struct frame *f = out->f;
	uint32_t len = frame_out_len(out), record = pool_take(&s->record_pool), chunk;
	struct store_record *r;
	struct cursor cursor;

	if (record == STORE_NONE)
		return false;
	chunk = chain_take(s, len);
	if (chunk == STORE_NONE) {
		pool_give_back(&s->record_pool, record);
		return false;
	}
	cursor = (struct cursor){.store = s, .chunk = chunk, .left = len};
	cursor_write(&cursor, out->prefix, out->prefix_len);
	cursor_write(&cursor, f->hdr + out->skip, f->hdr_len - out->skip);
	for (uint16_t i = 0; i < f->n_segs; i++)
		cursor_write(&cursor, f->segs[i].base, f->segs[i].len);
	cursor_fill(&cursor);
	r = &s->records[record];
	*r = (struct store_record){.due_ns = due_ns,
				   .serial = s->serial++,
				   .len = len,
				   .first_chunk = chunk,
				   .in_port = f->in_port,
				   .hops = f->hops,
				   .offload = f->offload};
	if ((r->offload.flags & FRAME_NEEDS_CSUM) != 0)
		r->offload.csum_start = (uint16_t)(r->offload.csum_start + frame_out_shift(out));
	if (flip >= 0) {
		bit_flip(s, chunk, (uint32_t)flip);
		r->offload.flags = 0; /* whoever receives it shall see for himself */
	}
	s->bytes += len;
	s->n_held++;
	heap_add(s, record);
	return true;
}

void store_frame(const struct store *s, uint32_t record, struct frame *f, struct frame_seg *segs)
{
	const struct store_record *r = &s->records[record];
	uint32_t chunk = r->first_chunk, at;

	memset(f, 0, offsetof(struct frame, buf));
	f->len = r->len;
	f->hdr_len = (uint16_t)(r->len < FRAME_HDR_MAX ? r->len : FRAME_HDR_MAX);
	f->hdr = f->buf + FRAME_HDR_ROOM;
	f->segs = segs;
	f->offload = r->offload;
	f->in_port = r->in_port;
	f->hops = r->hops;
	memcpy(f->hdr, chunk_bytes(s, chunk), f->hdr_len);
	for (at = f->hdr_len; at < r->len; f->n_segs++) {
		uint32_t off = at % IMPAIR_CHUNK_BYTES, n = IMPAIR_CHUNK_BYTES - off;

		if (off == 0)
			chunk = s->chunk_pool.next[chunk];
		if (n > r->len - at)
			n = r->len - at;
		segs[f->n_segs] = (struct frame_seg){.base = chunk_bytes(s, chunk) + off, .len = n};
		at += n;
	}
}

void store_give_back(struct store *s, uint32_t record)
{
	s->bytes -= s->records[record].len;
	s->n_held--;
	chain_give_back(s, s->records[record].first_chunk);
	pool_give_back(&s->record_pool, record);
}
