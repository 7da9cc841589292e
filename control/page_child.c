/* SPDX-License-Identifier: BSD-3-Clause */
#include "page_child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define AGAIN_MIN_S 1
#define AGAIN_MAX_S 60
#define END_MS	    1000 /* for an orderly end */

struct page_child {
	struct event_base *base;
	const char *listen;
	pid_t pid;   /* 0: none runs */
	int life;    /* its standard input: it ends when this is closed */
	int says;    /* its standard output: the URL, then nothing, then the end */
	int again_s; /* pause before the next start */
	struct event *readable, *again;
	char url[256];
	size_t url_len;
};

/* Beside netloomd, else in PATH. */
static void program_find(char path[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 16);
	char *slash;

	path[len > 0 ? len : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash != NULL)
		strcpy(slash + 1, "netloom");
	if (slash == NULL || access(path, X_OK) != 0)
		strcpy(path, "netloom");
}

/* Without fork(): no copy of the switch's memory, whose pages the workers would then fault on. */
static int spawn(struct page_child *child, int in, int out)
{
	char program[PATH_MAX];
	char *const argv[] = {
		"netloom", "web", "--attached", "--listen", (char *)(uintptr_t)child->listen, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int rc;

	program_find(program);
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETSID);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	rc = posix_spawnp(&child->pid, program, &files, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	if (rc != 0)
		child->pid = 0;
	return -rc;
}

static void start_later(struct page_child *child)
{
	struct timeval pause = {.tv_sec = child->again_s};

	child->again_s = child->again_s * 2 < AGAIN_MAX_S ? child->again_s * 2 : AGAIN_MAX_S;
	event_add(child->again, &pause);
}

static void ended(struct page_child *child)
{
	event_del(child->readable);
	close(child->life);
	close(child->says);
	child->life = child->says = -1;
	/* It has closed its output or has had its time: if it still runs, it is stuck and of no use */
	kill(child->pid, SIGKILL);
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		;
	child->pid = 0;
	child->url[0] = '\0';
	child->url_len = 0;
}

static void page_says(evutil_socket_t fd, short what, void *arg)
{
	struct page_child *child = arg;
	char buffer[256];
	ssize_t got = read(fd, buffer, sizeof(buffer));

	(void)what;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		ended(child);
		log_warning("page: it has ended, and is started again in %d s", child->again_s);
		start_later(child);
		return;
	}
	for (ssize_t i = 0; i < got && child->url_len < sizeof(child->url) - 1; i++) {
		if (buffer[i] == '\n') {
			child->url[child->url_len] = '\0';
			child->url_len = sizeof(child->url);
			child->again_s = AGAIN_MIN_S;
			log_info("page: served; `netloom web` prints its address");
		} else {
			child->url[child->url_len++] = buffer[i];
		}
	}
}

static int start(struct page_child *child)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	int rc = -ENOMEM;

	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0) {
		rc = -errno;
		goto fail;
	}
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	if (event_assign(child->readable, child->base, out[0], EV_READ | EV_PERSIST, page_says,
			 child) != 0 ||
	    event_add(child->readable, NULL) != 0)
		goto fail;
	rc = spawn(child, in[0], out[1]);
	if (rc != 0) {
		event_del(child->readable);
		goto fail;
	}
	close(in[0]);
	close(out[1]);
	child->life = in[1];
	child->says = out[0];
	return 0;
fail:
	for (int i = 0; i < 2; i++) {
		if (in[i] >= 0)
			close(in[i]);
		if (out[i] >= 0)
			close(out[i]);
	}
	return rc;
}

static void start_again(evutil_socket_t fd, short what, void *arg)
{
	struct page_child *child = arg;
	int rc = start(child);

	(void)fd;
	(void)what;
	if (rc == 0)
		return;
	log_warning("page: cannot be started: %s", strerror(-rc));
	start_later(child);
}

int page_child_new(struct event_base *base, const char *listen, struct page_child **out,
		   struct err *err)
{
	struct page_child *child = calloc(1, sizeof(*child));
	int rc;

	if (child == NULL)
		return err_set(err, ENOMEM, "out of memory");
	child->base = base;
	child->listen = listen;
	child->life = child->says = -1;
	child->again_s = AGAIN_MIN_S;
	child->again = event_new(base, -1, 0, start_again, child);
	/* Assigned anew with each start */
	child->readable = event_new(base, -1, 0, page_says, child);
	rc = child->again != NULL && child->readable != NULL ? start(child) : -ENOMEM;
	if (rc != 0) {
		page_child_free(child);
		return err_set(err, -rc, "the page: cannot run `netloom web`: %s", strerror(-rc));
	}
	*out = child;
	return 0;
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != 0;
}

void page_child_free(struct page_child *child)
{
	static const struct timespec moment = {.tv_nsec = 10000000};

	if (child == NULL)
		return;
	if (child->pid > 0) {
		kill(child->pid, SIGTERM);
		for (int ms = 0; ms < END_MS && !has_ended(child->pid); ms += 10)
			nanosleep(&moment, NULL);
		ended(child);
	}
	if (child->readable != NULL)
		event_free(child->readable);
	if (child->again != NULL)
		event_free(child->again);
	free(child);
}

const char *page_child_url(const struct page_child *child)
{
	return child != NULL && child->url_len == sizeof(child->url) ? child->url : "";
}
