/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/jsonline.h"

#define OUTPUT_BYTES_MAX 65536
#define EXEC_FAILED	 127

static void child_exec(const char *const *argv, int out)
{
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	setpgid(0, 0); /* Ctrl-C is ours to handle */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(argv[0], (char *const *)argv);
	_exit(EXEC_FAILED);
}

/* Reads to the end of file. Return: 0, -ETIMEDOUT or -EINTR. */
static int output_read(int fd, struct command_output *output, uint64_t deadline)
{
	size_t len = 0;

	for (;;) {
		struct pollfd poller = {.fd = fd, .events = POLLIN};
		char waste[4096];
		ssize_t got;

		if (jsonline_interrupted)
			return -EINTR;
		if (clock_now_ns() > deadline)
			return -ETIMEDOUT;
		if (poll(&poller, 1, 100) <= 0)
			continue;
		if (len < OUTPUT_BYTES_MAX)
			got = read(fd, output->text + len, OUTPUT_BYTES_MAX - len);
		else
			got = read(fd, waste, sizeof(waste));
		if (got == 0)
			return 0;
		if (got < 0 && errno != EINTR)
			return -errno;
		if (got > 0 && len < OUTPUT_BYTES_MAX)
			len += (size_t)got;
		output->text[len] = '\0';
	}
}

int command_run(const char *const *argv, int timeout_ms, struct command_output *output,
		struct err *err)
{
	int pipes[2];
	int status;
	pid_t pid;
	int rc;

	output->status = -1;
	output->text = calloc(1, OUTPUT_BYTES_MAX + 1);
	if (output->text == NULL || pipe2(pipes, O_CLOEXEC) < 0) {
		command_output_free(output);
		return err_set(err, ENOMEM, "%s: %m", argv[0]);
	}
	pid = fork();
	if (pid == 0)
		child_exec(argv, pipes[1]);
	close(pipes[1]);
	rc = pid < 0 ? -errno
		     : output_read(pipes[0], output,
				   clock_now_ns() + (uint64_t)timeout_ms * CLOCK_NS_PER_MS);
	close(pipes[0]);
	if (pid > 0) {
		if (rc < 0)
			kill(-pid, SIGKILL);
		waitpid(pid, &status, 0);
		output->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (rc == 0 && output->status == EXEC_FAILED && output->text[0] == '\0')
			rc = -ENOENT;
	}
	if (rc < 0) {
		command_output_free(output);
		return err_set(err, -rc, "%s: %s", argv[0],
			       rc == -ENOENT ? "not found; is it installed?" : strerror(-rc));
	}
	return 0;
}

void command_output_free(struct command_output *output)
{
	free(output->text);
	output->text = NULL;
}
