/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Processes, named so that the wrong one is never hit: a pid together with its start time, signalled
 * through a pidfd. A number that has been given to somebody else in the meantime is "gone". One thread.
 */
#ifndef LAB_PROC_H
#define LAB_PROC_H

#include <limits.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct proc_id {
	pid_t pid;	     /* 0: none */
	uint64_t start_tick; /* /proc/PID/stat field 22 */
};

struct proc_memory {
	uint64_t rss_bytes;
	uint64_t
		pss_bytes; /* shared pages divided by their users; 0 when the kernel does not say */
};

/** proc_id_of() - The identity of a living process; pid 0 when there is none */
struct proc_id proc_id_of(pid_t pid);

/** proc_is_alive() - That very process runs (a zombie does not) */
bool proc_is_alive(struct proc_id id);

/** proc_signal() - Send a signal to that very process. Return: 0, -ESRCH when it is gone */
int proc_signal(struct proc_id id, int signal);

/**
 * proc_end() - SIGTERM, wait, SIGKILL, wait
 * @patience_ms: between the two
 *
 * Return: 0 when it is gone, -ETIMEDOUT when even SIGKILL did not help.
 */
int proc_end(struct proc_id id, unsigned int patience_ms);

/** proc_wait_gone() - Wait for the end of a process that need not be a child. Return: 0 or -ETIMEDOUT */
int proc_wait_gone(struct proc_id id, unsigned int timeout_ms);

/** proc_memory_of() - What a process occupies. Return: 0 or -errno */
int proc_memory_of(pid_t pid, struct proc_memory *memory);

/** proc_cpu_ns() - User and system time used so far, 0 when gone */
uint64_t proc_cpu_ns(pid_t pid);

/** proc_id_json() - {"pid": .., "start": ..}, new reference */
json_t *proc_id_json(struct proc_id id);

/** proc_id_from_json() - The reverse; pid 0 when it is not there */
struct proc_id proc_id_from_json(const json_t *object);

/** proc_program_find() - A program next to our own executable, else the bare name for PATH */
void proc_program_find(const char *name, char *path, size_t size);

/** proc_memory_available() - MemAvailable in MiB; @total gets MemTotal; 0 when unknown */
uint64_t proc_memory_available(uint64_t *total_mib);

/**
 * proc_library_find() - A program that comes with netloom and is not in PATH
 * @installed: its name in $NETLOOM_LIBDIR, then in lib/netloom below the prefix that we were installed to
 * @source:    its name in the source tree in whose build directory we are
 *
 * Return: 0 with an executable file's name in @path, or -ENOENT.
 */
int proc_library_find(const char *installed, const char *source, char path[PATH_MAX]);

#endif
