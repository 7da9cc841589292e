/* SPDX-License-Identifier: BSD-3-Clause */
#include "web/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGV_MAX	 48
#define ERRORS_BYTES_MAX 4096
#define KILL_AFTER_S	 5 /* what does not end on SIGTERM */

struct child {
	struct child_options options;
	pid_t pid;
	int out, err;
	struct event *out_event, *err_event, *end_event, *timer;
	int pidfd;
	int status; /* -1: it runs */
	bool out_done, err_done, was_asked;
	char errors[ERRORS_BYTES_MAX + 1];
	size_t errors_len;
	LIST_ENTRY(child) next;
};

static LIST_HEAD(, child) children = LIST_HEAD_INITIALIZER(children);
static unsigned int n_children;

static void child_free(struct child *child)
{
	struct event *events[] = {child->out_event, child->err_event, child->end_event,
				  child->timer};
	int fds[] = {child->out, child->err, child->pidfd};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (events[i] != NULL)
			event_free(events[i]);
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	LIST_REMOVE(child, next);
	n_children--;
	free(child);
}

static void child_check(struct child *child)
{
	struct child_options options = child->options;
	char errors[ERRORS_BYTES_MAX + 1];
	int status = child->status;

	if (status < 0 || !child->out_done || !child->err_done)
		return;
	memcpy(errors, child->errors, child->errors_len + 1);
	child_free(child);
	options.on_end(status, errors, options.arg);
}

static void out_readable(evutil_socket_t fd, short what, void *arg)
{
	struct child *child = arg;
	char buffer[16384];
	/* Peeking is not possible on a pipe: never take more than the receiver has room for. */
	size_t room = child->options.on_output(NULL, sizeof(buffer), child->options.arg);
	ssize_t got;

	(void)what;
	if (room == 0) {
		event_del(child->out_event);
		return;
	}
	got = read(fd, buffer, room < sizeof(buffer) ? room : sizeof(buffer));
	if (got > 0) {
		child->options.on_output(buffer, (size_t)got, child->options.arg);
	} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		event_del(child->out_event);
		child->out_done = true;
		child_check(child);
	}
}

static void err_readable(evutil_socket_t fd, short what, void *arg)
{
	struct child *child = arg;
	char buffer[1024];
	ssize_t got = read(fd, buffer, sizeof(buffer));
	size_t len;

	(void)what;
	if (got > 0) {
		len = ERRORS_BYTES_MAX - child->errors_len;
		len = len < (size_t)got ? len : (size_t)got;
		memcpy(child->errors + child->errors_len, buffer, len);
		child->errors_len += len;
		child->errors[child->errors_len] = '\0';
	} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		event_del(child->err_event);
		child->err_done = true;
		child_check(child);
	}
}

static void child_ended(evutil_socket_t fd, short what, void *arg)
{
	struct child *child = arg;
	int status;

	(void)fd;
	(void)what;
	if (waitpid(child->pid, &status, WNOHANG) != child->pid)
		return;
	event_del(child->end_event);
	child->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	child_check(child);
}

static void child_late(evutil_socket_t fd, short what, void *arg)
{
	struct child *child = arg;

	(void)fd;
	(void)what;
	child_kill(child);
}

void child_kill(struct child *child)
{
	static const struct timeval patience = {.tv_sec = KILL_AFTER_S};

	if (child->status >= 0)
		return;
	syscall(SYS_pidfd_send_signal, child->pidfd, child->was_asked ? SIGKILL : SIGTERM, NULL, 0);
	child->was_asked = true;
	event_add(child->timer, &patience);
}

void child_resume(struct child *child)
{
	if (!child->out_done)
		event_add(child->out_event, NULL);
}

void child_kill_all(void)
{
	while (!LIST_EMPTY(&children)) {
		struct child *child = LIST_FIRST(&children);

		if (child->status < 0) {
			syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
			waitpid(child->pid, NULL, 0);
		}
		child_free(child);
	}
}

static void child_exec(const char *const *arguments, int out, int err)
{
	char *argv[ARGV_MAX + 2] = {"netloom"};
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	for (size_t i = 0; i < ARGV_MAX && arguments[i] != NULL; i++)
		argv[i + 1] = (char *)(uintptr_t)arguments[i];
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close_range(3, ~0U, 0);
	execv("/proc/self/exe", argv);
	_exit(127);
}

static int child_watch(struct event_base *base, struct child *child)
{
	struct timeval limit = {.tv_sec = child->options.timeout_s};

	child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	if (child->pidfd < 0)
		return -errno;
	child->out_event = event_new(base, child->out, EV_READ | EV_PERSIST, out_readable, child);
	child->err_event = event_new(base, child->err, EV_READ | EV_PERSIST, err_readable, child);
	child->end_event = event_new(base, child->pidfd, EV_READ | EV_PERSIST, child_ended, child);
	child->timer = event_new(base, -1, 0, child_late, child);
	if (child->out_event == NULL || child->err_event == NULL || child->end_event == NULL ||
	    child->timer == NULL || event_add(child->out_event, NULL) != 0 ||
	    event_add(child->err_event, NULL) != 0 || event_add(child->end_event, NULL) != 0)
		return -ENOMEM;
	if (limit.tv_sec > 0)
		event_add(child->timer, &limit);
	return 0;
}

int child_start(struct event_base *base, const struct child_options *options, struct child **out,
		struct err *err)
{
	int out_pipe[2] = {-1, -1}, err_pipe[2] = {-1, -1}, rc = 0;
	struct child *child;

	if (n_children >= CHILDREN_MAX)
		return err_set(err, EAGAIN, "%d commands run already; wait for one to end",
			       CHILDREN_MAX);
	child = calloc(1, sizeof(*child));
	if (child == NULL || pipe2(out_pipe, O_CLOEXEC) < 0 || pipe2(err_pipe, O_CLOEXEC) < 0) {
		rc = errno;
		if (out_pipe[0] >= 0) {
			close(out_pipe[0]);
			close(out_pipe[1]);
		}
		free(child);
		return err_set(err, rc, "cannot run a command: %s", strerror(rc));
	}
	child->options = *options;
	child->status = -1;
	child->pidfd = -1;
	child->out = out_pipe[0];
	child->err = err_pipe[0];
	fcntl(child->out, F_SETFL, O_NONBLOCK);
	fcntl(child->err, F_SETFL, O_NONBLOCK);
	LIST_INSERT_HEAD(&children, child, next);
	n_children++;
	child->pid = fork();
	if (child->pid == 0)
		child_exec(options->argv, out_pipe[1], err_pipe[1]);
	rc = child->pid < 0 ? -errno : 0;
	close(out_pipe[1]);
	close(err_pipe[1]);
	if (rc == 0)
		rc = child_watch(base, child);
	if (rc < 0) {
		if (child->pid > 0) {
			kill(child->pid, SIGKILL);
			waitpid(child->pid, NULL, 0);
		}
		child_free(child);
		return err_set(err, -rc, "cannot run a command: %s", strerror(-rc));
	}
	if (out != NULL)
		*out = child;
	return 0;
}
