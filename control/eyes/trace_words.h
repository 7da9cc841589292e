/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What became of a frame, in words: the same for what was predicted and for what was observed. Control thread only.
 *
 * {port, length, frame (hex of its first bytes), steps: [{stage, port, text}], sent: [{port, vlan (of the tag), length}],
 *  drops: [{port, reason, text, pass}], verdict}; `pass` says what would let the frame pass, in names and numbers of this
 * very port.
 */
#ifndef CONTROL_EYES_TRACE_WORDS_H
#define CONTROL_EYES_TRACE_WORDS_H

#include <jansson.h>

#include "apply.h"
#include "probe/trace.h"

/**
 * trace_words() - Describe a trace
 * @trace:   as the pipeline wrote it
 * @bytes:   the frame's first bytes, @n of them
 * @length:  of the whole frame
 * @port:    index of where it came in
 * @apply:   what the indices in it mean: the configuration that runs
 *
 * Return: new reference.
 */
json_t *trace_words(const struct trace *trace, const uint8_t *bytes, uint32_t n, uint32_t length,
		    uint16_t port, const struct apply *apply);

#endif
