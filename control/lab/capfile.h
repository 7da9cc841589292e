/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a capture goes: a pcapng stream cut into blocks and written to a file, a pipe, or a ring of files.
 *
 * Blocks are written whole or not at all, as far as the other side allows: a file that was cut off by a full disk can be read up to
 * there. Each file of a ring begins with the section's and the interfaces' descriptions. One thread.
 */
#ifndef LAB_CAPFILE_H
#define LAB_CAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define CAPFILE_ROTATE_MAX 1000
#define CAPFILE_BLOCK_MAX  (1u << 20) /* netloomd's largest is a 64 KiB frame's */

struct capfile {
	/* set by the caller */
	const char *path;      /* "-" for standard output */
	uint64_t rotate_bytes; /* begin the next file at so many, 0: never */
	uint32_t rotate_files; /* then the oldest is overwritten */
	uint64_t max_packets;  /* leave out what comes behind, 0: none */

	uint64_t n_packets; /* written */
	bool is_full;	    /* max_packets were written */
	/* frames that netloomd had no room for: of sections that have ended; of this one, as its packets and as its statistics say */
	uint64_t lost_before, lost_told, lost_summed;

	int fd;
	bool is_pipe;
	uint64_t
		give_up_ns; /* when a reader that takes nothing is left, once we are interrupted; 0: not yet */
	uint32_t number; /* of the file in the ring */
	uint64_t bytes;	 /* in this file */
	uint8_t *front;	 /* descriptions so far */
	size_t front_len, front_room;
	uint8_t *part; /* of a block whose rest has not come */
	size_t part_len, part_room;
};

/** capfile_open() - Make the (first) file. Return: 0 or -errno with @err. */
int capfile_open(struct capfile *file, struct err *err);

/**
 * capfile_feed() - Take the next bytes of the stream
 * Return: 0; -EPIPE when the reader of a pipe has gone; else -errno with @err: no space, no pcapng, or, after an interrupt, a
 * reader that is there and takes nothing.
 */
int capfile_feed(struct capfile *file, const uint8_t *bytes, size_t n, struct err *err);

/** capfile_lost() - Frames that netloomd had no room for, as far as the stream has said so */
uint64_t capfile_lost(const struct capfile *file);

/** capfile_close() - Return: 0, or -errno when the last bytes could not be written */
int capfile_close(struct capfile *file, struct err *err);

#endif
