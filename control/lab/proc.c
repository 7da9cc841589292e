/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/file.h"

/* Field 3 and later of /proc/PID/stat: behind the last `)`, as the name may contain anything. */
static bool stat_fields(pid_t pid, char *state, uint64_t *cpu_ticks, uint64_t *start_tick)
{
	unsigned long utime;
	unsigned long stime;
	unsigned long long start;
	char path[64];
	const char *rest;
	char *text;
	int n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	text = file_read(path, 8192, NULL, NULL);
	if (text == NULL)
		return false;
	rest = strrchr(text, ')');
	n = rest == NULL ? 0
			 : sscanf(rest + 1,
				  " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d "
				  "%*d %*d "
				  "%*d %llu",
				  state, &utime, &stime, &start);
	free(text);
	if (n != 4)
		return false;
	*cpu_ticks = (uint64_t)utime + stime;
	*start_tick = start;
	return true;
}

struct proc_id proc_id_of(pid_t pid)
{
	struct proc_id id = {.pid = 0};
	uint64_t cpu;
	uint64_t start;
	char state;

	if (pid > 0 && stat_fields(pid, &state, &cpu, &start)) {
		id.pid = pid;
		id.start_tick = start;
	}
	return id;
}

bool proc_is_alive(struct proc_id id)
{
	uint64_t cpu;
	uint64_t start;
	char state;

	return id.pid > 0 && stat_fields(id.pid, &state, &cpu, &start) && start == id.start_tick &&
	       state != 'Z' && state != 'X';
}

/* The pidfd first, then the check that it is the process we mean: no window for a reused number. */
static int id_open(struct proc_id id)
{
	int fd;

	if (id.pid <= 1)
		return -ESRCH;
	fd = pidfd_open(id.pid, 0);
	if (fd < 0)
		return -errno;
	if (!proc_is_alive(id)) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}

int proc_signal(struct proc_id id, int signal)
{
	int fd = id_open(id);
	int rc = 0;

	if (fd < 0)
		return fd;
	if (pidfd_send_signal(fd, signal, NULL, 0) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

static int pidfd_wait(int fd, unsigned int timeout_ms)
{
	uint64_t deadline = clock_now_ns() + timeout_ms * CLOCK_NS_PER_MS;

	for (;;) {
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		uint64_t now = clock_now_ns();
		int left = now >= deadline ? 0 : (int)((deadline - now) / CLOCK_NS_PER_MS + 1);

		if (poll(&poller, 1, left) > 0)
			return 0;
		if (left == 0)
			return -ETIMEDOUT;
	}
}

int proc_wait_gone(struct proc_id id, unsigned int timeout_ms)
{
	int fd = id_open(id);
	int rc;

	if (fd < 0)
		return 0;
	rc = pidfd_wait(fd, timeout_ms);
	close(fd);
	return rc;
}

int proc_end(struct proc_id id, unsigned int patience_ms)
{
	int fd = id_open(id);
	int rc;

	if (fd < 0)
		return 0;
	pidfd_send_signal(fd, SIGTERM, NULL, 0);
	rc = pidfd_wait(fd, patience_ms);
	if (rc < 0) {
		pidfd_send_signal(fd, SIGKILL, NULL, 0);
		rc = pidfd_wait(fd, 5000);
	}
	close(fd);
	return rc;
}

static uint64_t field_kib(const char *text, const char *field)
{
	const char *at = strstr(text, field);

	return at == NULL ? 0 : strtoull(at + strlen(field), NULL, 10);
}

int proc_memory_of(pid_t pid, struct proc_memory *memory)
{
	char path[64];
	char *text;

	memset(memory, 0, sizeof(*memory));
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	text = file_read(path, 65536, NULL, NULL);
	if (text != NULL) {
		memory->rss_bytes = field_kib(text, "\nRss:") * 1024;
		memory->pss_bytes = field_kib(text, "\nPss:") * 1024;
		free(text);
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	text = file_read(path, 65536, NULL, NULL);
	if (text == NULL)
		return -ESRCH;
	memory->rss_bytes = field_kib(text, "\nVmRSS:") * 1024;
	free(text);
	return 0;
}

uint64_t proc_cpu_ns(pid_t pid)
{
	uint64_t ticks;
	uint64_t start;
	char state;

	if (!stat_fields(pid, &state, &ticks, &start))
		return 0;
	return ticks * (CLOCK_NS_PER_SECOND / (uint64_t)sysconf(_SC_CLK_TCK));
}

json_t *proc_id_json(struct proc_id id)
{
	return json_pack("{s:I, s:I}", "pid", (json_int_t)id.pid, "start",
			 (json_int_t)id.start_tick);
}

struct proc_id proc_id_from_json(const json_t *object)
{
	struct proc_id id = {.pid = 0};
	json_int_t pid = json_integer_value(json_object_get(object, "pid"));

	if (pid > 1 && pid < INT_MAX) {
		id.pid = (pid_t)pid;
		id.start_tick = (uint64_t)json_integer_value(json_object_get(object, "start"));
	}
	return id;
}

void proc_program_find(const char *name, char *path, size_t size)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (len > 0) {
		self[len] = '\0';
		slash = strrchr(self, '/');
		if (slash != NULL) {
			*slash = '\0';
			if (snprintf(path, size, "%s/%s", self, name) < (int)size &&
			    access(path, X_OK) == 0)
				return;
		}
	}
	snprintf(path, size, "%s", name);
}

uint64_t proc_memory_available(uint64_t *total_mib)
{
	char *text = file_read("/proc/meminfo", 65536, NULL, NULL);
	uint64_t available;

	if (text == NULL)
		return 0;
	available = field_kib(text, "MemAvailable:") / 1024;
	if (total_mib != NULL)
		*total_mib = field_kib(text, "MemTotal:") / 1024;
	free(text);
	return available;
}

int proc_library_find(const char *installed, const char *source, char path[PATH_MAX])
{
	const char *given = getenv("NETLOOM_LIBDIR");
	char self[PATH_MAX / 2];

	if (given != NULL) {
		snprintf(path, PATH_MAX, "%s/%s", given, installed);
		if (access(path, X_OK) == 0)
			return 0;
	}
	snprintf(path, PATH_MAX, "%s/%s", NETLOOM_LIBDIR, installed);
	if (access(path, X_OK) == 0)
		return 0;
	proc_program_find("netloom", self, sizeof(self));
	if (strrchr(self, '/') != NULL) {
		*strrchr(self, '/') = '\0';
		snprintf(path, PATH_MAX, "%s/../%s", self, source);
		if (access(path, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}
