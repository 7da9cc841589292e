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
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/file.h"
#include "lab/proc.h"
#include "lab/rpc.h"
#include "lab/rundir.h"

#define START_TIMEOUT_S 30
#define LOCK_TIMEOUT_S	90 /* somebody else's start, and the end of the VMs that leave its lab */
#define LOCK_POLL_MS	10
#define HOLD_ATTEMPTS	5
#define ARGS_MAX	32

/* The process that answers; 0: none, -1: it does not say. */
static json_int_t daemon_pid(void)
{
	json_t *result = NULL;
	json_int_t pid = 0;

	if (rpc_once("status", NULL, &result, NULL) == 0) {
		pid = json_integer_value(json_object_get(result, "pid"));
		if (pid <= 0)
			pid = -1;
	}
	json_decref(result);
	return pid;
}

bool daemon_answers(void)
{
	return daemon_pid() != 0;
}

bool daemon_left_state(void)
{
	return access(rundir_file("state.json").text, F_OK) == 0 && !daemon_answers();
}

/* @how: LOCK_SH or LOCK_EX. Return: descriptor or -errno. */
static int daemon_lock(int how, struct err *err)
{
	uint64_t deadline = clock_now_ns() + LOCK_TIMEOUT_S * CLOCK_NS_PER_SECOND;
	struct lab_path path = rundir_file("daemon.lock");

	for (;;) {
		struct stat mine;
		struct stat there;
		int code;
		int fd;

		/* The last `down` takes the folder away, perhaps now. */
		if (rundir_make(err) < 0)
			return -EIO;
		fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 && errno == ENOENT && clock_now_ns() < deadline)
			continue;
		if (fd < 0)
			return err_set(err, errno, "%s: %m", path.text);
		if (flock(fd, how | LOCK_NB) == 0) {
			if (fstat(fd, &mine) == 0 && stat(path.text, &there) == 0 &&
			    mine.st_ino == there.st_ino)
				return fd;
			close(fd); /* of one that was removed in between */
			continue;
		}
		code = errno;
		close(fd);
		if (code != EWOULDBLOCK && code != EINTR)
			return err_set(err, code, "%s: %s", path.text, strerror(code));
		if (jsonline_interrupted)
			return err_set(err, EINTR, "interrupted");
		if (clock_now_ns() > deadline)
			return err_set(err, EBUSY,
				       "another netloom has been starting or ending netloomd for "
				       "%d s",
				       LOCK_TIMEOUT_S);
		poll(NULL, 0, LOCK_POLL_MS);
	}
}

void daemon_release(int *hold)
{
	if (*hold >= 0)
		close(*hold);
	*hold = -1;
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

/* With the lock held alone, and nobody answering. */
static int daemon_start(bool *started, struct err *err)
{
	struct lab_path log_path = rundir_file("netloomd.log");
	struct lab_path own = rundir_file("daemon.json");
	json_t *before = file_json_read(own.text);
	char program[PATH_MAX];
	json_t *object;
	json_int_t who;
	pid_t pid;
	int log;
	int rc;

	proc_program_find("netloomd", program, sizeof(program));
	log = open(log_path.text, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	pid = log < 0 ? -1 : fork();
	if (pid == 0)
		daemon_exec(program, log);
	if (pid < 0) {
		rc = err_set(err, errno, "%s: %m", log < 0 ? log_path.text : "fork");
		json_decref(before);
		if (log >= 0)
			close(log);
		return rc;
	}
	close(log);
	/* Before it answers: a `netloom up` that is killed now still leaves a daemon that `down` ends. */
	object = proc_id_json(proc_id_of(pid));
	rc = file_json_write(own.text, object, err);
	json_decref(object);
	if (rc == 0)
		rc = daemon_wait(pid, err);
	who = rc == 0 ? daemon_pid() : 0;
	if (rc < 0 || (who > 0 && who != pid)) {
		/* Not ours: somebody has started one by hand in the same moment. */
		proc_end(proc_id_of(pid), 2000);
		waitpid(pid, NULL, 0);
		if (before == NULL)
			unlink(own.text);
		else
			file_json_write(own.text, before, NULL);
	} else if (started != NULL) {
		*started = true;
	}
	json_decref(before);
	return rc;
}

int daemon_ensure(bool *started, int *hold, struct err *err)
{
	*hold = -1;
	for (int i = 0; i < HOLD_ATTEMPTS; i++) {
		int alone;
		int rc;

		*hold = daemon_lock(LOCK_SH, err);
		if (*hold < 0 || daemon_answers()) {
			rc = *hold < 0 ? *hold : 0;
			if (rc < 0)
				*hold = -1;
			return rc;
		}
		daemon_release(hold);
		alone = daemon_lock(LOCK_EX, err);
		if (alone < 0)
			return alone;
		rc = daemon_answers() ? 0 : daemon_start(started, err);
		close(alone);
		if (rc < 0)
			return rc;
		/* Once more: between the two locks another may have ended it again. */
	}
	return err_set(err, EBUSY, "netloomd is ended by others as often as it is started");
}

static void daemon_files_remove(void)
{
	static const char *const names[] = {"netloomd.log",    "netloomd.pid",	     "daemon.json",
					    "netloomd.sock",   "state.json",	     "kvm.json",
					    "state.json.lock", "netloomd.sock.lock", "daemon.lock"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(rundir_file(names[i]).text);
	/* Only empty folders go. */
	rmdir(rundir_file("labs").text);
	rmdir(rundir_path());
}

static int daemon_stop_alone(bool *stopped, struct err *err)
{
	json_t *object = file_json_read(rundir_file("daemon.json").text);
	struct proc_id id = proc_id_from_json(object);
	json_t *status = NULL;
	bool idle;
	int rc;

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

int daemon_stop_if_idle(bool *stopped, struct err *err)
{
	int alone;
	int rc;

	if (stopped != NULL)
		*stopped = false;
	if (access(rundir_path(), F_OK) != 0)
		return 0;
	alone = daemon_lock(LOCK_EX, err);
	if (alone < 0)
		return alone;
	rc = daemon_stop_alone(stopped, err);
	/* The lock file is nobody's who waits for it: they look whether theirs is still the one there. */
	unlink(rundir_file("daemon.lock").text);
	rundir_tidy();
	close(alone);
	return rc;
}
