/* SPDX-License-Identifier: BSD-3-Clause */
/* What a monitor process does; see monitor.h. Signals are blocked and taken one by one: no handlers. */
#include "lab/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab/file.h"

#define REPORT_FD	   3
#define KILL_AFTER_S	   3
#define EXIT_RESET	   4 /* vm-runner: the guest asked for a reset */
#define FAST_RESET_NS	   (2 * CLOCK_NS_PER_SECOND)
#define FAST_RESETS_MAX	   5
#define VMM_LOG_BYTES_KEPT 300
#define LOG_BYTES_MAX                                                                              \
	(8 << 20) /* of each log; what vm-runner writes it bounds to the same by itself */
#define LOG_LOOK_MS 500

struct monitor {
	const char *folder;
	char **argv;
	bool is_runner; /* vm-runner's exit statuses, not QEMU's */
	sigset_t signals;
	pid_t vmm;
	bool was_asked;
	bool reported;
};

static void monitor_path(const struct monitor *m, char path[PATH_MAX], const char *name)
{
	snprintf(path, PATH_MAX, "%s/%s", m->folder, name);
}

/* Tells the starter, once, how the start went. */
static void monitor_report(struct monitor *m, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void monitor_report(struct monitor *m, const char *format, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;
	int n;

	if (m->reported)
		return;
	m->reported = true;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text) - 1, format, args);
	va_end(args);
	if (n >= (int)sizeof(text) - 1)
		n = sizeof(text) - 2;
	text[n++] = '\n';
	if (write(REPORT_FD, text, (size_t)n) < 0)
		n = 0; /* the starter has gone; so be it */
	close(REPORT_FD);
}

static int monitor_lock(const struct monitor *m)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[PATH_MAX];
	int fd;

	monitor_path(m, path, "lock");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return -errno;
	return fd; /* held until the process ends */
}

static void argv_free(char **argv)
{
	for (size_t i = 0; argv != NULL && argv[i] != NULL; i++)
		free(argv[i]);
	free(argv);
}

static char **argv_copy(const json_t *list)
{
	size_t n = json_array_size(list);
	char **argv = calloc(n + 1, sizeof(*argv));

	for (size_t i = 0; argv != NULL && i < n; i++) {
		const char *word = json_string_value(json_array_get(list, i));

		argv[i] = word != NULL ? strdup(word) : NULL;
		if (argv[i] == NULL) {
			argv_free(argv);
			return NULL;
		}
	}
	return argv;
}

/* Return: 0, or -EINVAL and all as it was. */
static int monitor_argv_read(struct monitor *m)
{
	char path[PATH_MAX];
	const json_t *list;
	const char *vmm;
	json_t *object;
	char **argv;

	monitor_path(m, path, "vmm.json");
	object = file_json_read(path);
	list = json_object_get(object, "argv");
	vmm = json_string_value(json_object_get(object, "vmm"));
	argv = json_array_size(list) > 0 && vmm != NULL ? argv_copy(list) : NULL;
	if (argv != NULL) {
		argv_free(m->argv);
		m->argv = argv;
		m->is_runner = strcmp(vmm, "vm-runner") == 0;
	}
	json_decref(object);
	return argv != NULL ? 0 : -EINVAL;
}

/* All output of the VMM itself goes to vmm.log, in this folder. */
static void stdio_redirect(const struct monitor *m)
{
	char path[PATH_MAX];
	int log;
	int null = open("/dev/null", O_RDWR);

	monitor_path(m, path, "vmm.log");
	log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	dup2(null, STDIN_FILENO);
	dup2(log >= 0 ? log : null, STDOUT_FILENO);
	dup2(log >= 0 ? log : null, STDERR_FILENO);
	if (null > REPORT_FD)
		close(null);
	if (log > REPORT_FD)
		close(log);
}

static int monitor_spawn(struct monitor *m)
{
	pid_t parent = getpid();
	int pipes[2];
	int code = 0;
	sigset_t none;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	m->vmm = fork();
	if (m->vmm < 0) {
		code = errno;
		close(pipes[0]);
		close(pipes[1]);
		return -code;
	}
	if (m->vmm == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(127);
		close(REPORT_FD);
		execvp(m->argv[0], m->argv);
		code = errno;
		if (write(pipes[1], &code, sizeof(code)) < 0)
			_exit(126);
		_exit(127);
	}
	close(pipes[1]);
	/* Closed by a good exec; otherwise the child's errno. */
	if (read(pipes[0], &code, sizeof(code)) <= 0)
		code = 0;
	close(pipes[0]);
	if (code != 0)
		waitpid(m->vmm, NULL, 0);
	return -code;
}

static int monitor_pids_write(const struct monitor *m)
{
	json_t *object =
		json_pack("{s:o, s:o, s:I}", "monitor", proc_id_json(proc_id_of(getpid())), "vmm",
			  proc_id_json(proc_id_of(m->vmm)), "started_at", (json_int_t)time(NULL));
	char path[PATH_MAX];
	int rc;

	monitor_path(m, path, "pid");
	rc = file_json_write(path, object, NULL);
	json_decref(object);
	return rc;
}

/* What the guest prints is its own choice, and the run directory is memory. */
static void monitor_logs_cut(const struct monitor *m)
{
	static const char *const names[] = {"console.log", "boot.log", "vmm.log"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[PATH_MAX];

		monitor_path(m, path, names[i]);
		file_log_cut(path, LOG_BYTES_MAX);
	}
}

/* Waits for the VMM's end; a SIGTERM to us is passed on, and made a SIGKILL when it is ignored. */
static int monitor_wait(struct monitor *m)
{
	const struct timespec tick = {.tv_nsec = LOG_LOOK_MS * 1000000L};
	uint64_t asked_ns = 0;
	int status;

	for (;;) {
		int got = sigtimedwait(&m->signals, NULL, &tick);

		monitor_logs_cut(m);
		if (waitpid(m->vmm, &status, WNOHANG) == m->vmm)
			return status;
		if (got == SIGTERM || got == SIGINT || got == SIGHUP) {
			m->was_asked = true;
			asked_ns = clock_now_ns();
			kill(m->vmm, SIGTERM);
		} else if (m->was_asked &&
			   clock_now_ns() - asked_ns > KILL_AFTER_S * CLOCK_NS_PER_SECOND) {
			kill(m->vmm, SIGKILL);
		}
	}
}

static void exit_reason(const struct monitor *m, int status, char *text, size_t size)
{
	static const char *const runner_words[] = {
		[0] = "the guest powered off",	    [1] = "vm-runner failed",
		[2] = "vm-runner: usage error",	    [3] = "vm-runner could not start",
		[4] = "the guest asked for resets", [5] = "guest crashed (triple fault)",
		[6] = "stopped by force",
	};
	char path[PATH_MAX];
	int code = WEXITSTATUS(status);
	char *last;

	if (WIFSIGNALED(status)) {
		snprintf(text, size, "killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
		return;
	}
	if (m->is_runner && code >= 0 && code <= 6)
		snprintf(text, size, "%s", runner_words[code]);
	else if (code == 0)
		snprintf(text, size, m->was_asked ? "stopped" : "the guest powered off");
	else
		snprintf(text, size, "the VMM failed");
	if (code == 0 || code == 5 || code == 6)
		return;
	monitor_path(m, path, "vmm.log");
	last = file_tail(path, 1);
	if (last != NULL && last[0] != '\0')
		snprintf(text + strlen(text), size - strlen(text), ": %s", last);
	free(last);
}

static void monitor_exit_write(const struct monitor *m, int status)
{
	char reason[VMM_LOG_BYTES_KEPT];
	char path[PATH_MAX];
	json_t *object;

	exit_reason(m, status, reason, sizeof(reason));
	object = json_pack("{s:i, s:i, s:b, s:I, s:s}", "status",
			   WIFEXITED(status) ? WEXITSTATUS(status) : -1, "signal",
			   WIFSIGNALED(status) ? WTERMSIG(status) : 0, "asked", m->was_asked, "at",
			   (json_int_t)time(NULL), "reason", reason);
	monitor_path(m, path, "exit.json");
	if (object != NULL)
		file_json_write(path, object, NULL);
	json_decref(object);
}

static int monitor_run(struct monitor *m)
{
	unsigned int n_fast_resets = 0;

	for (;;) {
		uint64_t start = clock_now_ns();
		int rc = monitor_spawn(m);
		int status;

		if (rc < 0) {
			monitor_report(m, "%s: %s", m->argv[0], strerror(-rc));
			return 1;
		}
		rc = monitor_pids_write(m);
		if (rc < 0) {
			kill(m->vmm, SIGKILL);
			waitpid(m->vmm, NULL, 0);
			monitor_report(m, "%s/pid: %s", m->folder, strerror(-rc));
			return 1;
		}
		monitor_report(m, "ok");
		status = monitor_wait(m);
		file_remove_sockets(m->folder); /* they lead nowhere now */
		n_fast_resets = clock_now_ns() - start < FAST_RESET_NS ? n_fast_resets + 1 : 0;
		if (m->is_runner && !m->was_asked && WIFEXITED(status) &&
		    WEXITSTATUS(status) == EXIT_RESET && n_fast_resets < FAST_RESETS_MAX) {
			monitor_argv_read(m); /* cards may have come and gone since */
			continue;
		}
		monitor_exit_write(m, status);
		return 0;
	}
}

int monitor_main(const char *folder)
{
	struct monitor m = {.folder = folder};
	int rc;

	prctl(PR_SET_NAME, "netloom-monitor");
	signal(SIGPIPE, SIG_IGN); /* the starter may be gone before it has read our report */
	sigemptyset(&m.signals);
	sigaddset(&m.signals, SIGTERM);
	sigaddset(&m.signals, SIGINT);
	sigaddset(&m.signals, SIGHUP);
	sigaddset(&m.signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &m.signals, NULL);
	fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC);
	rc = monitor_lock(&m);
	if (rc < 0) {
		monitor_report(&m, "%s is in use by another monitor: %s", folder, strerror(-rc));
		return 1;
	}
	stdio_redirect(&m);
	rc = monitor_argv_read(&m);
	if (rc < 0) {
		monitor_report(&m, "%s/vmm.json is missing or broken", folder);
		return 1;
	}
	return monitor_run(&m);
}
