/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm-runner --check: runs the probe guest in a child process, because a KVM that cannot run a kernel may also
 * hang on one, and kills the child when it takes too long.
 */
#include "check.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "vm.h"
#include "x86/probe.h"

#define CHECK_LIMIT_MS 10000

static void child(int report_fd)
{
	struct err err = {0};

	if (probe_run(&err) == 0)
		snprintf(err.text, sizeof(err.text), "+");
	if (write(report_fd, err.text, strlen(err.text)) < 0)
		_exit(1);
	_exit(0);
}

/* Until the child has closed its end or the time is over. Return: whether there was a report. */
static bool report_read(int fd, char *text, size_t room)
{
	uint64_t end_ns = clock_now_ns() + CHECK_LIMIT_MS * CLOCK_NS_PER_MS;
	size_t used = 0;

	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		uint64_t now_ns = clock_now_ns();
		ssize_t n;

		if (now_ns >= end_ns)
			return false;
		if (poll(&poll_fd, 1, (int)((end_ns - now_ns) / CLOCK_NS_PER_MS) + 1) <= 0)
			continue;
		n = read(fd, text + used, room - 1 - used);
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
	return true;
}

int check_main(void)
{
	char text[ERR_TEXT_MAX] = "";
	int fds[2];
	pid_t pid;
	bool in_time;

	if (pipe(fds) < 0 || (pid = fork()) < 0) {
		printf("cannot be checked: %s\n", strerror(errno));
		return VM_EXIT_SETUP;
	}
	if (pid == 0) {
		close(fds[0]);
		child(fds[1]);
	}
	close(fds[1]);
	in_time = report_read(fds[0], text, sizeof(text));
	close(fds[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (in_time && !strcmp(text, "+")) {
		puts("yes: KVM here runs 64-bit kernels");
		return VM_EXIT_POWEROFF;
	}
	if (!in_time)
		printf("no: KVM on this machine hangs on kernel-mode code (no answer in %d s)\n",
		       CHECK_LIMIT_MS / 1000);
	else
		printf("no: %s\n", text[0] ? text : "the probe guest's process died");
	return VM_EXIT_NO_KVM;
}
