/* SPDX-License-Identifier: BSD-3-Clause */
/* The side that starts, asks and ends monitors. What a monitor does itself is in monitor_main.c. */
#include "lab/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/file.h"

#define START_TIMEOUT_MS 10000

static void folder_file(char *path, size_t size, const char *folder, const char *name)
{
	snprintf(path, size, "%s/%s", folder, name);
}

/* In the child, between fork and exec: only async-signal-safe calls. */
static void child_exec(const char *folder, int report_fd)
{
	char *const argv[] = {(char *)"netloom", (char *)"_monitor", (char *)folder, NULL};
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	/* The report goes out on descriptor 3; nothing else of ours is for the monitor. */
	if (report_fd != 3 && dup2(report_fd, 3) < 0)
		_exit(127);
	fcntl(3, F_SETFD, 0);
	execv("/proc/self/exe", argv);
	_exit(127);
}

int monitor_start(const char *folder, struct err *err)
{
	char text[ERR_TEXT_MAX] = "";
	struct pollfd poller;
	size_t len = 0;
	int pipes[2];
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_set(err, errno, "pipe: %m");
	pid = fork();
	if (pid < 0) {
		close(pipes[0]);
		close(pipes[1]);
		return err_set(err, errno, "fork: %m");
	}
	if (pid == 0)
		child_exec(folder, pipes[1]);
	close(pipes[1]);
	/* One line: "ok" or what went wrong. End of file without it: the monitor died. */
	poller.fd = pipes[0];
	poller.events = POLLIN;
	while (len < sizeof(text) - 1 && poll(&poller, 1, START_TIMEOUT_MS) != 0) {
		ssize_t got = read(pipes[0], text + len, sizeof(text) - 1 - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		len += (size_t)got;
		if (memchr(text, '\n', len) != NULL)
			break;
	}
	close(pipes[0]);
	text[strcspn(text, "\n")] = '\0';
	if (strcmp(text, "ok") == 0)
		return 0;
	waitpid(pid, NULL, WNOHANG);
	return err_set(err, ECHILD, "%s",
		       text[0] != '\0' ? text : "the VM's monitor did not start");
}

void monitor_state_read(const char *folder, struct monitor_state *state)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[PATH_MAX];
	json_t *object;
	int fd;

	memset(state, 0, sizeof(*state));
	folder_file(path, sizeof(path), folder, "lock");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		state->is_running = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
		close(fd);
	}
	folder_file(path, sizeof(path), folder, "pid");
	object = file_json_read(path);
	if (object == NULL)
		return;
	state->monitor = proc_id_from_json(json_object_get(object, "monitor"));
	state->vmm = proc_id_from_json(json_object_get(object, "vmm"));
	state->started_at = json_integer_value(json_object_get(object, "started_at"));
	json_decref(object);
}

void monitor_exit_read(const char *folder, struct monitor_exit *end)
{
	char path[PATH_MAX];
	const char *reason;
	json_t *object;

	memset(end, 0, sizeof(*end));
	folder_file(path, sizeof(path), folder, "exit.json");
	object = file_json_read(path);
	if (object == NULL)
		return;
	end->is_known = true;
	end->was_asked = json_is_true(json_object_get(object, "asked"));
	end->status = (int)json_integer_value(json_object_get(object, "status"));
	end->signal = (int)json_integer_value(json_object_get(object, "signal"));
	end->at = json_integer_value(json_object_get(object, "at"));
	reason = json_string_value(json_object_get(object, "reason"));
	snprintf(end->reason, sizeof(end->reason), "%s", reason != NULL ? reason : "");
	json_decref(object);
}

int monitor_stop(const char *folder, struct err *err)
{
	struct monitor_state state;
	int rc;

	monitor_state_read(folder, &state);
	rc = proc_end(state.monitor, 6000);
	/* The death signal has ended the VMM with its monitor; make sure. */
	if (rc == 0)
		rc = proc_wait_gone(state.vmm, 2000);
	if (rc < 0)
		rc = proc_end(state.vmm, 0);
	if (rc < 0)
		return err_set(err, -rc, "process %d does not end, not even by SIGKILL",
			       (int)state.vmm.pid);
	return 0;
}
