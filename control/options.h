/* SPDX-License-Identifier: BSD-3-Clause */
/* netloomd's command line. */
#ifndef CONTROL_OPTIONS_H
#define CONTROL_OPTIONS_H

#include <limits.h>

#include "base/err.h"
#include "base/log.h"
#include "datapath.h"

enum hugepage_choice { HUGEPAGES_AUTO, HUGEPAGES_ALWAYS, HUGEPAGES_NEVER };

struct options {
	char socket[PATH_MAX];
	char state[PATH_MAX];
	char pidfile[PATH_MAX]; /* "" for none */
	const char *metrics;	/* [ADDRESS:]PORT, borrowed from argv; NULL for none */
	const char *web;	/* the same for the page */
	enum hugepage_choice hugepages;
	bool keeps_queues; /* see struct control */
	enum log_level log_level;
	struct datapath_options datapath; /* hugepages is decided later */
};

enum options_action { OPTIONS_RUN, OPTIONS_EXIT };

/**
 * options_parse() - Read argv and the environment (NETLOOM_RUNDIR)
 * Prints what --help and --version ask for.
 * Return: OPTIONS_RUN, OPTIONS_EXIT, or -EINVAL with @err.
 */
int options_parse(int argc, char **argv, struct options *options, struct err *err);

#endif
