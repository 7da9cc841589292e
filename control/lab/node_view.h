/* SPDX-License-Identifier: BSD-3-Clause */
/* What is known about a VM at a glance: `ps`, `events` and the page say the same words. One thread. */
#ifndef LAB_NODE_VIEW_H
#define LAB_NODE_VIEW_H

#include "lab/monitor.h"
#include "lab/proc.h"
#include "lab/term.h"

struct node_view {
	const char *state; /* running, stopped, dead, not started */
	enum term_colour colour;
	char detail[256]; /* why it does not run, or "" */
	struct monitor_state now;
	struct monitor_exit end;
	struct proc_memory memory; /* node_view_memory() fills it */
};

/** node_view_read() - Look at a node's folder and its monitor's lock */
void node_view_read(const char *lab, const char *node, struct node_view *view);

/** node_view_memory() - What it occupies; the kernel adds that up page by page, so not for each second */
void node_view_memory(struct node_view *view);

#endif
