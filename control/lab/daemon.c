/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/file.h"
#include "lab/proc.h"
#include "lab/rpc.h"
#include "lab/rundir.h"

#define START_TIMEOUT_S 30
#define ARGS_MAX	32

bool daemon_answers(void)
{
	json_t *result = NULL;
	bool answers = rpc_once("status", NULL, &result, NULL) == 0;

	json_decref(result);
	return answers;
}

static void daemon_exec(const char *program, int log)
{
	char *argv[ARGS_MAX + 4];
	const char *more = getenv("NETLOOMD_ARGS");
	struct lab_path pidfile = rundir_file("netloomd.pid");
	char *words = strdup(more != NULL ? more : "");
	int null = open("/dev/null", O_RDWR);
	char *saved = NULL;
	int n = 0;
	sigset_t none;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	setenv("NETLOOM_RUNDIR", rundir_path(), 1);
	argv[n++] = (char *)program;
	argv[n++] = (char *)"--pidfile";
	argv[n++] = pidfile.text;
	for (char *word = strtok_r(words, " ", &saved); word != NULL && n < ARGS_MAX + 3;
	     word = strtok_r(NULL, " ", &saved))
		argv[n++] = word;
	argv[n] = NULL;
	execvp(program, argv);
	dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

static int daemon_failed(pid_t pid, struct err *err)
{
	struct lab_path log = rundir_file("netloomd.log");
	char *last = file_tail(log.text, 3);

	waitpid(pid, NULL, 0);
	err_set(err, ECHILD, "netloomd did not start: %s (%s)",
		last != NULL && last[0] != '\0' ? last : "it said nothing", log.text);
	free(last);
	return -ECHILD;
}

static int daemon_wait(pid_t pid, struct err *err)
{
	uint64_t deadline = clock_now_ns() + START_TIMEOUT_S * CLOCK_NS_PER_SECOND;
	struct proc_id id = proc_id_of(pid);

	while (!daemon_answers()) {
		if (!proc_is_alive(id))
			return daemon_failed(pid, err);
		if (clock_now_ns() > deadline || jsonline_interrupted) {
			proc_end(id, 2000);
			waitpid(pid, NULL, 0);
			if (jsonline_interrupted)
				return -EINTR;
			return err_set(err, ETIMEDOUT,
				       "netloomd does not answer after %d s; see %s",
				       START_TIMEOUT_S, rundir_file("netloomd.log").text);
		}
		poll(NULL, 0, 10);
	}
	return 0;
}

int daemon_ensure(bool *started, struct err *err)
{
	struct lab_path path = rundir_file("netloomd.log");
	char program[PATH_MAX];
	json_t *object;
	pid_t pid;
	int log;
	int rc;

	if (started != NULL)
		*started = false;
	rc = rundir_make(err);
	if (rc < 0)
		return rc;
	if (daemon_answers())
		return 0;
	proc_program_find("netloomd", program, sizeof(program));
	log = open(path.text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (log < 0)
		return err_set(err, errno, "%s: %m", path.text);
	pid = fork();
	if (pid == 0)
		daemon_exec(program, log);
	close(log);
	if (pid < 0)
		return err_set(err, errno, "fork: %m");
	/* Written before it answers: a `netloom up` that is killed now still leaves a daemon that `down` ends. */
	object = proc_id_json(proc_id_of(pid));
	rc = file_json_write(rundir_file("daemon.json").text, object, err);
	json_decref(object);
	if (rc == 0)
		rc = daemon_wait(pid, err);
	if (rc == 0 && started != NULL)
		*started = true;
	return rc;
}

static void daemon_files_remove(void)
{
	static const char *const names[] = {"netloomd.log",    "netloomd.pid",	    "daemon.json",
					    "netloomd.sock",   "state.json",	    "kvm.json",
					    "state.json.lock", "netloomd.sock.lock"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(rundir_file(names[i]).text);
	/* Only empty folders go. */
	rmdir(rundir_file("labs").text);
	rmdir(rundir_path());
}

int daemon_stop_if_idle(bool *stopped, struct err *err)
{
	json_t *object = file_json_read(rundir_file("daemon.json").text);
	struct proc_id id = proc_id_from_json(object);
	json_t *status = NULL;
	bool idle;
	int rc;

	if (stopped != NULL)
		*stopped = false;
	json_decref(object);
	if (id.pid == 0)
		return 0;
	if (!proc_is_alive(id)) {
		/* It has died. With no lab left there is nothing that its files are good for. */
		if (rmdir(rundir_file("labs").text) == 0 && !daemon_answers())
			daemon_files_remove();
		return 0;
	}
	rc = rpc_once("status", NULL, &status, err);
	if (rc < 0)
		return rc;
	idle = json_integer_value(json_object_get(status, "n_ports")) == 0 &&
	       json_integer_value(json_object_get(status, "n_switches")) == 0 &&
	       json_integer_value(json_object_get(status, "pid")) == id.pid;
	json_decref(status);
	if (!idle)
		return 0;
	rpc_once("stop", NULL, NULL, NULL);
	rc = proc_wait_gone(id, 10000);
	if (rc < 0)
		rc = proc_end(id, 1000);
	waitpid(id.pid, NULL, WNOHANG);
	if (rc < 0)
		return err_set(err, -rc, "netloomd (process %d) does not end", (int)id.pid);
	daemon_files_remove();
	if (stopped != NULL)
		*stopped = true;
	return 0;
}
