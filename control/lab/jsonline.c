/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/jsonline.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/unix_socket.h"
#include "lab/term.h"

volatile int jsonline_interrupted;

int jsonline_open(struct jsonline *line, const char *path, const char *peer, size_t max,
		  struct err *err)
{
	struct sockaddr_un address;
	int fd;

	memset(line, 0, sizeof(*line));
	line->fd = -1;
	line->peer = peer;
	line->max = max;
	fd = unix_socket_open(path, &address, err);
	if (fd < 0)
		return fd;
	/* A full backlog answers EAGAIN at once: somebody listens, but does not accept. */
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int code = errno;

		close(fd);
		return err_set(err, code, "%s does not answer on %s: %s", peer, path,
			       code == EAGAIN ? "its queue of callers is full" : strerror(code));
	}
	line->fd = fd;
	return 0;
}

void jsonline_close(struct jsonline *line)
{
	if (line->peer != NULL && line->fd >= 0)
		close(line->fd);
	free(line->buffer);
	memset(line, 0, sizeof(*line));
	line->fd = -1;
}

/* Waits for an event until the deadline. Return: 0, -ETIMEDOUT or -EINTR. */
static int line_wait(const struct jsonline *line, short events, uint64_t deadline_ns)
{
	struct pollfd poller = {.fd = line->fd, .events = events};

	for (;;) {
		uint64_t now = clock_now_ns();
		uint64_t left_ms =
			now >= deadline_ns ? 0 : (deadline_ns - now) / CLOCK_NS_PER_MS + 1;
		int rc;

		if (jsonline_interrupted)
			return -EINTR;
		rc = poll(&poller, 1, left_ms > 200 ? 200 : (int)left_ms);
		if (rc > 0)
			return 0;
		if (rc < 0 && errno != EINTR)
			return -errno;
		if (left_ms == 0)
			return -ETIMEDOUT;
	}
}

int jsonline_send_raw(struct jsonline *line, const char *bytes, size_t len, int timeout_ms,
		      struct err *err)
{
	uint64_t deadline = clock_now_ns() + (uint64_t)timeout_ms * CLOCK_NS_PER_MS;

	while (len > 0) {
		ssize_t put = send(line->fd, bytes, len, MSG_NOSIGNAL);
		int rc;

		if (put > 0) {
			bytes += put;
			len -= (size_t)put;
			continue;
		}
		if (put < 0 && errno != EAGAIN && errno != EINTR)
			return err_set(err, errno, "%s has closed the connection: %m", line->peer);
		rc = line_wait(line, POLLOUT, deadline);
		if (rc < 0)
			return err_set(err, -rc, "%s does not read: %s", line->peer, strerror(-rc));
	}
	return 0;
}

/* The descriptor goes with the first bytes, which are at least one. Return: how many have gone, or -errno. */
static ssize_t fd_send(struct jsonline *line, const char *bytes, size_t len, int fd)
{
	struct iovec iov = {.iov_base = (char *)bytes, .iov_len = len};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {.bytes = ""};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	ssize_t put;

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	put = sendmsg(line->fd, &message, MSG_NOSIGNAL);
	return put < 0 ? -errno : put;
}

int jsonline_send(struct jsonline *line, const json_t *object, int timeout_ms, struct err *err)
{
	return jsonline_send_fd(line, object, -1, timeout_ms, err);
}

int jsonline_send_fd(struct jsonline *line, const json_t *object, int fd, int timeout_ms,
		     struct err *err)
{
	char *text = json_dumps(object, JSON_COMPACT);
	ssize_t put = 0;
	size_t len;
	int rc;

	if (text == NULL)
		return err_set(err, ENOMEM,
			       "a request for %s cannot be written as JSON (not UTF-8?)",
			       line->peer);
	len = strlen(text);
	text[len] = '\n'; /* in the place of the NUL; sent by length */
	if (fd >= 0)
		put = fd_send(line, text, len + 1, fd);
	if (put < 0)
		rc = err_set(err, (int)-put, "%s does not take a socket: %s", line->peer,
			     strerror((int)-put));
	else
		rc = jsonline_send_raw(line, text + put, len + 1 - (size_t)put, timeout_ms, err);
	free(text);
	return rc;
}

static int line_parse(struct jsonline *line, size_t end, json_t **out, struct err *err)
{
	const char *start = line->buffer;
	const char *mark = memrchr(line->buffer, 0xff, end);
	json_error_t problem;

	if (mark != NULL)
		start = mark + 1;
	*out = json_loadb(start, (size_t)(line->buffer + end - start), 0, &problem);
	memmove(line->buffer, line->buffer + end + 1, line->len - end - 1);
	line->len -= end + 1;
	line->scanned = 0;
	if (*out != NULL)
		return 0;
	term_clean_line(problem.text); /* it quotes the line */
	return err_set(err, EPROTO, "%s sent a line that is no JSON: %s", line->peer, problem.text);
}

static int line_room(struct jsonline *line, struct err *err)
{
	size_t room;
	char *more;

	if (line->len < line->room)
		return 0;
	if (line->len >= line->max)
		return err_set(err, EMSGSIZE, "%s sent a line of more than %zu bytes", line->peer,
			       line->max);
	room = line->room == 0 ? 4096 : line->room * 2;
	more = realloc(line->buffer, room);
	if (more == NULL)
		return err_set(err, ENOMEM, "out of memory");
	line->buffer = more;
	line->room = room;
	return 0;
}

int jsonline_receive(struct jsonline *line, int timeout_ms, json_t **out, struct err *err)
{
	uint64_t deadline = clock_now_ns() + (uint64_t)timeout_ms * CLOCK_NS_PER_MS;

	*out = NULL;
	for (;;) {
		const char *newline = NULL;
		ssize_t got;
		int rc;

		if (line->len > line->scanned)
			newline = memchr(line->buffer + line->scanned, '\n',
					 line->len - line->scanned);
		if (newline != NULL)
			return line_parse(line, (size_t)(newline - line->buffer), out, err);
		line->scanned = line->len;
		/* Also a peer that never stops sending, in whatever lines, does not keep us. */
		if (jsonline_interrupted)
			return err_set(err, EINTR, "interrupted");
		rc = line_room(line, err);
		if (rc < 0)
			return rc;
		got = recv(line->fd, line->buffer + line->len, line->room - line->len, 0);
		if (got > 0) {
			line->len += (size_t)got;
			continue;
		}
		if (got == 0)
			return err_set(err, ECONNRESET, "%s has closed the connection", line->peer);
		if (errno != EAGAIN && errno != EINTR)
			return err_set(err, errno, "%s: %m", line->peer);
		rc = line_wait(line, POLLIN, deadline);
		if (rc == -ETIMEDOUT)
			return err_set(err, ETIMEDOUT, "%s does not answer within %d ms",
				       line->peer, timeout_ms);
		if (rc < 0)
			return err_set(err, -rc, "%s: %s", line->peer, strerror(-rc));
	}
}
