/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One small process per VM: its parent, its witness and its undertaker.
 *
 * `netloom up` may be killed, the switch may be restarted; the VM has a parent of its own all the while. The
 * monitor holds NODE/lock for as long as it lives (so "does it run?" has an answer that cannot be stale),
 * starts the VMM with a death signal (so that no VMM outlives its monitor), starts it again when the guest
 * asked for a reset, and when it ends writes NODE/exit.json and removes the sockets. SIGTERM ends both.
 *
 * It is the same program, run as `netloom _monitor FOLDER`, in a session of its own. NODE/vmm.json says
 * what to run. Single-threaded.
 */
#ifndef LAB_MONITOR_H
#define LAB_MONITOR_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "lab/proc.h"

struct monitor_state {
	bool is_running; /* the monitor holds its lock */
	struct proc_id monitor;
	struct proc_id vmm;
	int64_t started_at; /* CLOCK_REALTIME, s; 0 when unknown */
};

struct monitor_exit {
	bool is_known;
	bool was_asked; /* ended by `down` or `stop` */
	int status;	/* exit status, or -1 */
	int signal;	/* that ended it, or 0 */
	int64_t at;	/* CLOCK_REALTIME, s */
	char reason[160];
};

/**
 * monitor_start() - Start a VM's monitor and wait until the VMM has been executed
 * @folder: of the node; vmm.json is there: {"argv": [...], "vmm": "qemu"|"vm-runner", "name": TEXT}
 *
 * Return: 0, or -errno with the VMM's own words when it could not be run.
 */
int monitor_start(const char *folder, struct err *err);

/** monitor_main() - The monitor process itself; does not return until the VM has ended */
int monitor_main(const char *folder);

/** monitor_state_read() - What is known about the node's processes; works while and after they run */
void monitor_state_read(const char *folder, struct monitor_state *state);

/** monitor_exit_read() - How the VM ended; is_known is false when it has not, or nobody saw it */
void monitor_exit_read(const char *folder, struct monitor_exit *end);

/**
 * monitor_stop() - End VMM and monitor, exactly these
 *
 * Return: 0 when both are gone, -ETIMEDOUT otherwise.
 */
int monitor_stop(const char *folder, struct err *err);

#endif
