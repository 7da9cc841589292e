/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What netloomd counts, as Prometheus text (exposition format 0.0.4), and the listener that hands it out.
 *
 * Nothing is collected ahead: a scrape reads the counters that the workers keep anyway, so a netloomd that nobody
 * scrapes does nothing for it. Names and labels are an interface: control/README.md lists them, a test compares.
 * Control thread only.
 */
#ifndef CONTROL_METRICS_H
#define CONTROL_METRICS_H

#include <event2/buffer.h>

#include "control.h"

struct metrics_server;

/** metrics_print() - Append all metrics to @out */
void metrics_print(const struct control *control, struct evbuffer *out);

/**
 * metrics_server_new() - Serve them at /metrics
 * @listen: [ADDRESS:]PORT; loopback without ADDRESS
 */
int metrics_server_new(struct control *control, const char *listen, struct metrics_server **out,
		       struct err *err);
void metrics_server_free(struct metrics_server *server);

#endif
