/* SPDX-License-Identifier: BSD-3-Clause */
/* What would let a dropped frame pass. */
#ifndef CONTROL_EYES_TRACE_PASS_H
#define CONTROL_EYES_TRACE_PASS_H

#include "model.h"
#include "probe/trace.h"

/**
 * trace_pass() - A sentence about one drop, with the names and numbers of the port it is about
 * @event: the drop, or the way out that nobody takes
 * @port:  where; NULL when it is gone
 */
void trace_pass(const struct model *model, const struct trace_event *event,
		const struct model_port *port, enum drop_reason reason, char *text, size_t size);

#endif
