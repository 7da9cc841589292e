/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checksums and segmentation: what a sender left for others to do (virtio 1.2 §5.1.6.2), checked on
 * the way in and completed in software when the receiver does not do it.
 *
 * Completion first copies the frame into the worker's scratch memory: payload in a guest's memory
 * may change while we sum it, and the checksum must be that of the bytes that are delivered.
 */
#ifndef DATAPATH_OFFLOAD_H
#define DATAPATH_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"
#include "port.h"

struct offload_scratch;

/* A GSO frame of more pieces is refused: 64 KiB at Linux's least MSS, 48 bytes, are 1366. */
#define OFFLOAD_SEGMENTS_MAX 2048

/**
 * offload_validate() - Do the sender's wishes agree with the headers?
 * @f: after l4_parse_tags(); offload.gso_hdr_len is set, and GSO of what fits one segment is taken
 *     back
 *
 * Return: false when the frame must be dropped (DROP_BAD_OFFLOAD).
 */
bool offload_validate(struct frame *f);

/** offload_is_taken() - Does a receiver with these PORT_TX_* flags take the frame as it is? */
static inline bool offload_is_taken(const struct frame_offload *offload, uint32_t takes)
{
	static const uint32_t gso_needs[] = {
		[FRAME_GSO_NONE] = 0,
		[FRAME_GSO_TCP4] = PORT_TX_TSO4,
		[FRAME_GSO_TCP6] = PORT_TX_TSO6,
		[FRAME_GSO_UDP] = PORT_TX_UFO,
	};
	uint32_t needs = gso_needs[offload->gso];

	if ((offload->flags & FRAME_NEEDS_CSUM) != 0)
		needs |= PORT_TX_CSUM;
	if (offload->gso != FRAME_GSO_NONE && offload->gso_ecn)
		needs |= PORT_TX_ECN;
	return (needs & ~takes) == 0;
}

/** offload_scratch_new() - Memory for one worker's completions; NULL when there is none */
struct offload_scratch *offload_scratch_new(void);
void offload_scratch_free(struct offload_scratch *scratch);

/** offload_scratch_reset() - Forget what was completed; it was sent */
void offload_scratch_reset(struct offload_scratch *scratch);

/**
 * offload_checksum() - Replace a frame by a copy with its checksum filled in
 * @out: a frame with FRAME_NEEDS_CSUM and no GSO; points into the scratch afterwards
 *
 * Return: false if the scratch is full: send what was completed, reset, and try again.
 */
bool offload_checksum(struct offload_scratch *scratch, struct frame_out *out);

/**
 * offload_segment_start() - Begin to cut a GSO frame: TCP into segments, UDP into IP fragments
 * @scratch: reset; keeps the frame until the last offload_segment_next()
 *
 * Return: DROP_NONE, or why that cannot be done.
 */
enum drop_reason offload_segment_start(struct offload_scratch *scratch,
				       const struct frame_out *out);

/**
 * offload_segment_next() - The next up to FRAME_BURST segments, complete with lengths and checksums
 * @segments: out, valid until the next call
 * Return: how many; 0 after the last.
 */
uint16_t offload_segment_next(struct offload_scratch *scratch, struct frame_out **segments);

#endif
