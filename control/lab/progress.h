/* SPDX-License-Identifier: BSD-3-Clause */
/* What `up` shows while VMs boot: one line that changes on a terminal, one line per event elsewhere. */
#ifndef LAB_PROGRESS_H
#define LAB_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "lab/boot.h"

struct progress {
	bool is_quiet;
	bool is_terminal;
	size_t n_reported; /* VMs that have been announced, on a terminal or not */
	bool *reported;
	size_t n_vms;
};

/** progress_init() - On standard error */
void progress_init(struct progress *progress, bool is_quiet);

/** progress_boot() - boot.progress */
void progress_boot(const struct boot *boot, void *ctx);

/** progress_end() - Clear the line, free */
void progress_end(struct progress *progress, const struct boot *boot);

#endif
