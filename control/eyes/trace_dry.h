/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame that is not sent: the real stages, on the configuration that runs, without a trace of it afterwards.
 *
 * The control thread has a pipeline of its own for it. Nothing is counted, learned, refreshed or sent; see probe/trace.h.
 */
#ifndef CONTROL_EYES_TRACE_DRY_H
#define CONTROL_EYES_TRACE_DRY_H

#include "base/err.h"
#include "probe/trace.h"
#include "snapshot.h"

/**
 * trace_dry() - What would become of a frame
 * @port:  index of where it would come in
 * @bytes: 1 to FRAME_LEN_MAX of them, untrusted
 * @trace: out
 *
 * Return: 0 or -ENOMEM.
 */
int trace_dry(const struct snapshot *cfg, uint16_t port, const uint8_t *bytes, uint32_t len,
	      struct trace *trace);

#endif
