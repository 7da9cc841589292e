/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands for DPDK's telemetry socket (dpdk-telemetry.py -f PREFIX): /netloom/ports, /netloom/port,NAME, /netloom/worker,N
 * and /netloom/fdb. Telemetry has threads of its own; they hand each question to the control thread and wait for it,
 * so that nothing here is read while it changes.
 */
#ifndef CONTROL_TELEMETRY_H
#define CONTROL_TELEMETRY_H

#include "base/err.h"

struct control;
struct telemetry;

/** telemetry_new() - Register the commands; once per process. Control thread. */
int telemetry_new(struct control *control, struct telemetry **out, struct err *err);

/** telemetry_free() - Answer nothing from here on; who waits is refused. NULL is fine. */
void telemetry_free(struct telemetry *telemetry);

#endif
