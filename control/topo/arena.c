/* SPDX-License-Identifier: BSD-3-Clause */
#include "topo/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_CHUNK_BYTES 16384

struct arena_chunk {
	struct arena_chunk *next;
	size_t used;
	size_t size;
	alignas(max_align_t) unsigned char bytes[];
};

static void *chunk_must_alloc(size_t size)
{
	void *mem = calloc(1, size);

	if (mem == NULL) {
		fputs("netloom: out of memory\n", stderr);
		exit(1);
	}
	return mem;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->head;
	size_t rounded = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	void *mem;

	if (chunk == NULL || chunk->size - chunk->used < rounded) {
		size_t room = rounded > ARENA_CHUNK_BYTES ? rounded : ARENA_CHUNK_BYTES;

		chunk = chunk_must_alloc(sizeof(*chunk) + room);
		chunk->size = room;
		chunk->next = arena->head;
		arena->head = chunk;
	}
	mem = chunk->bytes + chunk->used;
	chunk->used += rounded;
	return mem;
}

char *arena_strndup(struct arena *arena, const char *text, size_t len)
{
	char *copy = arena_alloc(arena, len + 1);

	memcpy(copy, text, len);
	return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		n = 0;
	text = arena_alloc(arena, (size_t)n + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return text;
}

void *arena_grow(struct arena *arena, const void *old, size_t old_size, size_t new_size)
{
	void *mem = arena_alloc(arena, new_size);

	if (old_size > 0)
		memcpy(mem, old, old_size);
	return mem;
}

void arena_free(struct arena *arena)
{
	struct arena_chunk *chunk = arena->head;

	while (chunk != NULL) {
		struct arena_chunk *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	arena->head = NULL;
}
