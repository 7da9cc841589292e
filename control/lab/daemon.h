/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The run directory's netloomd: found running, or started; and ended again by the last `down` when it was
 * netloom that started it. One thread.
 *
 * Several netloom may run at the same time, each for a lab of its own. daemon.lock keeps them from starting
 * two netloomd, and from ending the one that another is about to use: whoever uses it holds the lock shared
 * until its ports are there, whoever starts or ends it holds it alone.
 */
#ifndef LAB_DAEMON_H
#define LAB_DAEMON_H

#include <stdbool.h>

#include "base/err.h"

/**
 * daemon_ensure() - Make sure that netloomd answers, and goes on to
 * @started: set when this call started it, else left alone; may be NULL
 * @hold:    out: nobody ends it before daemon_release() of this; -1 on failure
 *
 * Starts the netloomd next to our own executable (or in PATH), detached, output to netloomd.log;
 * $NETLOOMD_ARGS holds more options for it.
 *
 * Return: 0, or -errno with the last words of its log.
 */
int daemon_ensure(bool *started, int *hold, struct err *err);

/** daemon_release() - From here on it may be ended when nothing is in it; fine with -1, which *@hold becomes */
void daemon_release(int *hold);

/** daemon_left_state() - None answers, but one that ended without being asked has left what was in it */
bool daemon_left_state(void);

/** daemon_answers() - Somebody listens on the RPC socket */
bool daemon_answers(void);

/**
 * daemon_stop_if_idle() - End a netloomd that netloom started, when nothing is left in it
 * @stopped: out: it was ended; may be NULL
 *
 * Then its files go too, and the run directory when it is empty. Nobody may hold it in this process
 * (daemon_release()); others who do are waited for.
 */
int daemon_stop_if_idle(bool *stopped, struct err *err);

#endif
