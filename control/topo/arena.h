/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that is freed all at once. A lab file's tree and its model live in one arena, so that nothing
 * in them is owned by anybody else and an error half-way needs no undoing. One thread.
 */
#ifndef TOPO_ARENA_H
#define TOPO_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *head; /* newest first */
};

/**
 * arena_alloc() - Zeroed memory that lives as long as the arena
 * @arena: zero-initialised before first use
 * @size:  bytes; 0 is allowed
 *
 * Return: aligned for any object; never NULL, the program ends when the machine has no memory left.
 */
void *arena_alloc(struct arena *arena, size_t size);

/** arena_strndup() - Copy @len bytes and a NUL; the bytes may contain NULs */
char *arena_strndup(struct arena *arena, const char *text, size_t len);

/** arena_printf() - A formatted string in the arena */
char *arena_printf(struct arena *arena, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** arena_grow() - A copy of an array with room for more: for lists that grow by doubling */
void *arena_grow(struct arena *arena, const void *old, size_t old_size, size_t new_size);

/** arena_free() - Give everything back; the arena may be used again */
void arena_free(struct arena *arena);

#endif
