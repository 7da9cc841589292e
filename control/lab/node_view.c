/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/node_view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lab/rundir.h"

void node_view_memory(struct node_view *view)
{
	if (view->now.is_running)
		proc_memory_of(view->now.vmm.pid, &view->memory);
}

void node_view_read(const char *lab, const char *node, struct node_view *view)
{
	struct lab_path folder = rundir_node(lab, node, NULL);
	char ago[32];

	memset(view, 0, sizeof(*view));
	monitor_state_read(folder.text, &view->now);
	monitor_exit_read(folder.text, &view->end);
	if (view->now.is_running) {
		view->state = "running";
		view->colour = TERM_GOOD;
		return;
	}
	view->colour = TERM_BAD;
	if (!view->end.is_known) {
		view->state = view->now.monitor.pid == 0 ? "not started" : "dead";
		if (view->now.monitor.pid != 0)
			snprintf(view->detail, sizeof(view->detail),
				 "its monitor was killed, and the VM with it");
		return;
	}
	term_duration((int64_t)time(NULL) - view->end.at, ago, sizeof(ago));
	view->state = view->end.was_asked || view->end.status == 0 ? "stopped" : "dead";
	if (view->end.status >= 0)
		snprintf(view->detail, sizeof(view->detail), "%s, exit %d, %s ago",
			 view->end.reason, view->end.status, ago);
	else
		snprintf(view->detail, sizeof(view->detail), "%s, %s ago", view->end.reason, ago);
	if (strcmp(view->state, "stopped") == 0)
		view->colour = TERM_WARN;
}
