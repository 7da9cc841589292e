/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files that print metrics share. Control thread only. */
#ifndef CONTROL_METRICS_PARTS_H
#define CONTROL_METRICS_PARTS_H

#include <event2/buffer.h>

#include "control.h"

enum metric_type { GAUGE, COUNTER };

/** metrics_family() - The lines that precede the values of @name, which is without "netloom_" */
void metrics_family(struct evbuffer *out, const char *name, enum metric_type type,
		    const char *help);

/** metrics_impair_print() - What impaired links do to frames; nothing while none is impaired */
void metrics_impair_print(const struct control *control, struct evbuffer *out);

/** metrics_vni_print() - VLANs between hosts; nothing while there is none */
void metrics_vni_print(const struct control *control, struct evbuffer *out);

#endif
