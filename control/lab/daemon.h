/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The run directory's netloomd: found running, or started; and ended again by the last `down` when it was
 * netloom that started it. One thread.
 */
#ifndef LAB_DAEMON_H
#define LAB_DAEMON_H

#include <stdbool.h>

#include "base/err.h"

/**
 * daemon_ensure() - Make sure that netloomd answers
 * @started: out: this call started it; may be NULL
 *
 * Starts the netloomd next to our own executable (or in PATH), detached, output to netloomd.log;
 * $NETLOOMD_ARGS holds more options for it.
 *
 * Return: 0, or -errno with the last words of its log.
 */
int daemon_ensure(bool *started, struct err *err);

/** daemon_answers() - Somebody listens on the RPC socket */
bool daemon_answers(void);

/**
 * daemon_stop_if_idle() - End a netloomd that netloom started, when nothing is left in it
 * @stopped: out: it was ended; may be NULL
 *
 * Then its files go too, and the run directory when it is empty.
 */
int daemon_stop_if_idle(bool *stopped, struct err *err);

#endif
