/* SPDX-License-Identifier: BSD-3-Clause */
/* The start of a fuzzer that needs nothing made ready: what is refused all the time is not worth a line of log. */
#ifndef FUZZ_QUIET_H
#define FUZZ_QUIET_H

#include "base/log.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_init("fuzz", LOG_ERROR);
	return 0;
}

#endif
